//! What of files is in memory, and changing that: `pages`, `warm`, `evict`, `lock`,
//! `watch`.

mod lock;
mod report;
mod svg;
mod watch;

use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};

use clap::Args;
use faultless::Access;

use crate::args::{Files, Part};
use crate::error::{Failure, Outcome};
use crate::input::{Input, expand};
use crate::output::Output;
use crate::progress::Progress;
use report::Report;

pub(crate) use lock::{LockArgs, lock};
pub(crate) use watch::{WatchArgs, seconds, watch};

/// The files whose pages are meant, and how to tell of them.
#[derive(Args, Debug)]
pub(crate) struct Pages {
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    part: Part,
    /// Print a line of JSON for each file, with the parts that are in memory, and one for the sum.
    #[arg(long)]
    json: bool,
}

/// Show how much of files is in memory: in the system's page cache.
///
/// One line a file, with a picture of it from its beginning to its end, and with several
/// files a sum.
#[derive(Args, Debug)]
pub(crate) struct PagesArgs {
    #[command(flatten)]
    pages: Pages,
    /// Also draw the picture into this file, as SVG.
    #[arg(long, value_name = "OUT")]
    svg: Option<PathBuf>,
}

/// Bring files into memory, and wait until they are there.
#[derive(Args, Debug)]
pub(crate) struct WarmArgs {
    #[command(flatten)]
    pages: Pages,
}

/// Ask the system to take files out of memory.
///
/// Pages that a program has mapped or locked stay.
#[derive(Args, Debug)]
pub(crate) struct EvictArgs {
    #[command(flatten)]
    pages: Pages,
}

pub(crate) fn show(args: &PagesArgs, out: &mut Output) -> Result<Outcome, Failure> {
    let mut report = each_file(&args.pages, out, |_, _| Ok(()))?;
    if let Some(path) = &args.svg {
        let drawn = svg::draw(&report.take_pictures());
        std::fs::write(path, drawn).map_err(|error| Failure::path(path, error))?;
    }
    Ok(Outcome::Done)
}

pub(crate) fn warm(args: &WarmArgs, out: &mut Output) -> Result<Outcome, Failure> {
    each_file(&args.pages, out, |file, range| {
        let progress = Progress::new("warm", range.len() as u64);
        let ended = file.map.prefetch_with(range, |done, _| {
            progress.set(done);
            ControlFlow::<()>::Continue(())
        });
        ended.map(drop).map_err(|error| file.failure(&error))
    })?;
    Ok(Outcome::Done)
}

pub(crate) fn evict(args: &EvictArgs, out: &mut Output) -> Result<Outcome, Failure> {
    each_file(&args.pages, out, |file, range| {
        file.map.evict(range).map_err(|error| file.failure(&error))
    })?;
    Ok(Outcome::Done)
}

/// Opens what has pages: no pipe.
fn open(path: &Path) -> Result<Input, Failure> {
    if path != Path::new("-") {
        return Input::open_file(path, Access::Read);
    }
    let file = Input::open(path)?;
    if file.map.is_anonymous() {
        return Err(file.wrong("is a pipe or the like, where a file is needed".into()));
    }
    Ok(file)
}

fn part_of(file: &Input, part: &Part) -> Result<Range<usize>, Failure> {
    let len = file.map.len();
    part.range.map_or(Ok(0..len), |range| range.within(len)).map_err(|why| file.wrong(why))
}

/// Does something with each file, and says what of it is in memory then.
fn each_file(
    pages: &Pages,
    out: &mut Output,
    act: impl Fn(&Input, Range<usize>) -> Result<(), Failure>,
) -> Result<Report, Failure> {
    let mut report = Report::new(pages.json);
    for path in expand(&pages.files.files, pages.files.recursive) {
        let looked = path.and_then(|path| {
            let file = open(&path)?;
            let range = part_of(&file, &pages.part)?;
            act(&file, range.clone())?;
            let residency =
                file.map.residency(range.clone()).map_err(|error| file.failure(&error))?;
            report.add(&file, range, &residency, out)
        });
        match looked {
            Err(Failure::ClosedPipe) => return Err(Failure::ClosedPipe),
            Err(failure) => out.report(&failure),
            Ok(()) => {}
        }
    }
    report.finish(out)?;
    Ok(report)
}
