//! `watch`: what of files is in memory, again and again.

use std::collections::HashMap;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{Pages, each_file};
use crate::error::{Failure, Outcome};
use crate::output::Output;

/// Show how much of files is in memory, as `pages` does, again and again.
#[derive(Args, Debug)]
pub(crate) struct WatchArgs {
    #[command(flatten)]
    pages: Pages,
    /// How long to wait between two looks, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    interval: Duration,
    /// End after so many looks. By default it goes on until it is interrupted.
    #[arg(long, value_name = "LOOKS")]
    count: Option<u64>,
}

/// A time in seconds.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let wrong = || format!("'{text}' is no number of seconds");
    let seconds: f64 = text.parse().map_err(|_| wrong())?;
    Duration::try_from_secs_f64(seconds).map_err(|_| wrong())
}

pub(crate) fn watch(args: &WatchArgs, out: &mut Output) -> Result<Outcome, Failure> {
    let mut lengths = HashMap::new();
    let mut looks = 0;
    loop {
        if out.is_terminal() && looks > 0 {
            // From the top of the screen on.
            out.write_all(b"\x1b[H\x1b[J")?;
        } else if out.is_terminal() {
            out.write_all(b"\x1b[2J\x1b[H")?;
        }
        let seen = std::cell::RefCell::new(Vec::new());
        each_file(&args.pages, out, |file, _| {
            seen.borrow_mut().push((file.path.clone(), file.map.len()));
            Ok(())
        })?;
        for (path, len) in seen.into_inner() {
            tell_of_cut(&mut lengths, path, len, out);
        }
        out.flush()?;
        looks += 1;
        if args.count.is_some_and(|count| looks >= count) {
            return Ok(Outcome::Done);
        }
        std::thread::sleep(args.interval);
    }
}

fn tell_of_cut(lengths: &mut HashMap<PathBuf, usize>, path: PathBuf, len: usize, out: &mut Output) {
    match lengths.get_mut(&path) {
        Some(before) => {
            if len < *before {
                let name = path.display();
                out.note(format_args!(
                    "{name}: the file was truncated: it has no bytes from offset {len} on"
                ));
            }
            *before = len;
        }
        None => {
            lengths.insert(path, len);
        }
    }
}
