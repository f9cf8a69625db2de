//! `lock`: files that stay in memory as long as this program runs.

use std::io::Write;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use clap::Args;

use super::{open, part_of};
use crate::args::{Files, Part};
use crate::error::{Failure, Outcome};
use crate::input::expand;
use crate::output::{NAME, Output};

/// How often the files' lengths are looked at.
const LOOK: Duration = Duration::from_millis(200);

/// Bring files into memory and keep them there, until this is interrupted.
///
/// The system allows as much as `ulimit -l` says.
#[derive(Args, Debug)]
pub(crate) struct LockArgs {
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    part: Part,
}

pub(crate) fn lock(args: &LockArgs, out: &mut Output) -> Result<Outcome, Failure> {
    let (send, interrupted) = channel();
    ctrlc::set_handler(move || {
        // After the first there is nobody to tell.
        let _ = send.send(());
    })
    .map_err(|error| Failure::Message(format!("cannot wait for an interruption: {error}")))?;
    let mut locked = Vec::new();
    for path in expand(&args.files.files, args.files.recursive) {
        let file = open(&path?)?;
        let range = part_of(&file, &args.part)?;
        file.map.lock(range.clone()).map_err(|error| {
            let limit = match error.fault() {
                None => "; `ulimit -l` tells how much may be locked",
                Some(_) => "",
            };
            Failure::Message(format!("{}{limit}", file.failure(&error)))
        })?;
        out.styled(NAME, file.path.display())?;
        writeln!(out, ": {} bytes are locked", range.len())?;
        locked.push((file, false));
    }
    out.flush()?;
    while let Err(RecvTimeoutError::Timeout) = interrupted.recv_timeout(LOOK) {
        for (file, told) in &mut locked {
            // What is cut off cannot stay in memory; the rest does.
            if let Some(failure) = file.check_len().err().filter(|_| !*told) {
                *told = true;
                out.report(&failure);
            }
        }
    }
    Ok(Outcome::Done)
}
