//! `tail`: the end of a file, and what comes after it.

use std::fs::File;
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use faultless::{ErrorKind, MapOptions};
use same_file::Handle;

use crate::error::{Failure, Outcome};
use crate::input::Input;
use crate::output::Output;
use crate::pages::seconds;
use crate::size::Size;

/// Print the end of a file; with --follow also what is added to it.
///
/// A file that is followed may be truncated, or another one may take its name, as when logs
/// are rotated: this is said, and the new content is printed from its beginning on.
#[derive(Args, Debug)]
pub(crate) struct TailArgs {
    /// The file; - is the standard input.
    file: PathBuf,
    /// How many lines.
    #[arg(short = 'n', long, value_name = "LINES", default_value = "10")]
    lines: u64,
    /// How many bytes, in the place of lines.
    #[arg(short = 'c', long, conflicts_with = "lines")]
    bytes: Option<Size>,
    /// Go on with what is added, until this is interrupted.
    #[arg(short, long)]
    follow: bool,
    /// How often to look for that, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "0.2", value_parser = seconds)]
    interval: Duration,
}

/// Bytes that are printed at a time.
const PIECE: usize = 64 << 10;
/// And that are mapped at a time, of what was added.
const MAPPED: u64 = 64 << 20;

pub(crate) fn run(args: &TailArgs, out: &mut Output) -> Result<Outcome, Failure> {
    let file = Input::open(&args.file)?;
    // A pipe has been read to its end.
    let follow = args.follow && !file.map.is_anonymous() && args.file != Path::new("-");
    let follow = follow || args.follow && is_empty_file(&args.file);
    let len = file.map.len();
    let start = match args.bytes {
        Some(bytes) => len.saturating_sub(usize::try_from(bytes.0).unwrap_or(usize::MAX)),
        None => start_of_lines(&file, args.lines)?,
    };
    let mut follower = None;
    if follow {
        // What is printed first is the map's: of this file, whatever has its name now.
        follower = Some(Follower::new(&args.file, &file)?);
    }
    let printed = print(&file, start..len, out);
    match (follower, printed) {
        (Some(_), Err(Failure::ClosedPipe)) => Err(Failure::ClosedPipe),
        // What it lacks is said by the next look.
        (Some(mut follower), _) => {
            out.flush()?;
            loop {
                follower.look(out)?;
                std::thread::sleep(args.interval);
            }
        }
        (None, printed) => printed.map(|()| Outcome::Done),
    }
}

fn is_empty_file(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|about| about.is_file() && about.len() == 0)
}

fn print(file: &Input, range: Range<usize>, out: &mut Output) -> Result<(), Failure> {
    file.each_piece(range, PIECE, |_, bytes| Ok(out.write_all(bytes)?))
}

/// Where the last lines begin; the end of the last one is optional.
fn start_of_lines(file: &Input, lines: u64) -> Result<usize, Failure> {
    let len = file.map.len();
    if lines == 0 {
        return Ok(len);
    }
    let mut end = len.saturating_sub(1);
    for _ in 0..lines {
        match file.map.rfind(b"\n", ..end).map_err(|error| file.failure(&error))? {
            Some(at) => end = at,
            None => return Ok(0),
        }
    }
    Ok(end + 1)
}

/// A file that is followed, by its name.
struct Follower<'a> {
    path: &'a Path,
    handle: Handle,
    position: u64,
    /// Whether nothing had the name at the last look.
    gone: bool,
}

impl<'a> Follower<'a> {
    fn new(path: &'a Path, file: &Input) -> Result<Self, Failure> {
        let open = match file.map.file() {
            Some(file) => file.try_clone(),
            None => File::open(path),
        };
        let handle =
            open.and_then(Handle::from_file).map_err(|error| Failure::path(path, error))?;
        Ok(Self { path, handle, position: file.map.len() as u64, gone: false })
    }

    fn len(&self) -> Result<u64, Failure> {
        let about = self.handle.as_file().metadata();
        about.map(|about| about.len()).map_err(|error| Failure::path(self.path, error))
    }

    /// Prints what is new.
    fn look(&mut self, out: &mut Output) -> Result<(), Failure> {
        let other = match Handle::from_path(self.path) {
            Ok(handle) => Some(handle).filter(|handle| *handle != self.handle),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if !self.gone {
                    out.note(format_args!("{}: has no file any more", self.path.display()));
                }
                self.gone = true;
                None
            }
            Err(error) => return Err(Failure::path(self.path, error)),
        };
        // The old file to its end, first.
        self.print_new(out)?;
        if let Some(handle) = other {
            out.note(format_args!("{}: is another file now", self.path.display()));
            (self.handle, self.position, self.gone) = (handle, 0, false);
            self.print_new(out)?;
        }
        Ok(())
    }

    fn print_new(&mut self, out: &mut Output) -> Result<(), Failure> {
        loop {
            let len = self.len()?;
            if len < self.position {
                let name = self.path.display();
                out.note(format_args!("{name}: the file was truncated to {len} bytes"));
                self.position = 0;
            }
            if len == self.position {
                out.flush()?;
                return Ok(());
            }
            let some = (len - self.position).min(MAPPED);
            let map = MapOptions::new()
                .offset(self.position)
                // At most as many as are mapped at a time.
                .len(some as usize)
                .map(self.handle.as_file());
            let map = match map {
                Ok(map) => map,
                // Cut since its length was asked for: the next one is right.
                Err(error) if error.kind() == ErrorKind::OutOfRange => continue,
                Err(error) => return Err(Failure::map(self.path.display(), &error)),
            };
            let part = Input { path: self.path.to_path_buf(), map };
            let mut printed = 0;
            let done = part.each_piece(0..part.map.len(), PIECE, |_, bytes| {
                out.write_all(bytes)?;
                printed += bytes.len() as u64;
                Ok(())
            });
            self.position += printed;
            if matches!(done, Err(Failure::ClosedPipe)) || printed == 0 && self.len()? >= len {
                // No truncation, and none that could be seen: a page that cannot be read.
                return done;
            }
        }
    }
}
