//! `replace`: the same bytes everywhere.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::How;
use super::change::{Change, Edit};
use crate::error::{Failure, Outcome};
use crate::find::{Merge, Pattern, Pieces};
use crate::hex;
use crate::ordered::{ordered, threads};
use crate::output::Output;
use crate::progress::Progress;

/// Replace bytes by as many others, everywhere in a file.
///
/// Places that overlap the one before are not replaced. What the bytes were is kept for
/// `faultless undo`. The exit status is 1 if nothing was found.
#[derive(Args, Debug)]
pub(crate) struct ReplaceArgs {
    /// What to replace.
    old: OsString,
    /// What to put in its place: as many bytes.
    new: OsString,
    /// Files, which are changed in place.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Both are bytes in hexadecimal digits: "de ad be ef".
    #[arg(short = 'x', long)]
    hex: bool,
    #[command(flatten)]
    how: How,
}

pub(crate) fn replace(args: &ReplaceArgs, out: &mut Output) -> Result<Outcome, Failure> {
    let bytes = |text: &OsString| match text.to_str() {
        Some(text) if args.hex => hex::parse(text).map_err(Failure::Message),
        None if args.hex => Err(Failure::Message("the digits are not in UTF-8".into())),
        _ => Ok(text.as_encoded_bytes().to_vec()),
    };
    let (old, new) = (bytes(&args.old)?, bytes(&args.new)?);
    if old.is_empty() {
        return Err(Failure::Message("there is nothing to replace: OLD is empty".into()));
    }
    if old.len() != new.len() {
        return Err(Failure::Message(format!(
            "OLD has {} bytes and NEW has {}: they must be as many, since the file keeps its length",
            old.len(),
            new.len()
        )));
    }
    if args.how.log.is_some() && args.files.len() > 1 {
        return Err(Failure::Message("--log is for one file".into()));
    }
    let pattern = Pattern::literal(old);
    let mut outcome = Outcome::Not;
    for path in &args.files {
        match replace_in(path, &pattern, &new, &args.how, out) {
            Ok(Outcome::Done) => outcome = Outcome::Done,
            Ok(Outcome::Not) => {}
            Err(Failure::ClosedPipe) => return Err(Failure::ClosedPipe),
            Err(failure) => out.report(&failure),
        }
    }
    Ok(outcome)
}

fn replace_in(
    path: &std::path::Path,
    pattern: &Pattern,
    new: &[u8],
    how: &How,
    out: &mut Output,
) -> Result<Outcome, Failure> {
    let edit = Edit::open(path, how)?;
    let map = &edit.file.map;
    let progress = Progress::new("find", map.len() as u64);
    let mut pieces = Pieces::default();
    let tasks = std::iter::from_fn(|| pieces.next(map, pattern));
    let (mut merge, mut places) = (Merge::new(pattern), Vec::new());
    let work = |piece: std::ops::Range<usize>| {
        let (found, done) = pattern.search(map, map.len(), piece.clone());
        (piece, found, done)
    };
    ordered(threads(), tasks, work, |(piece, found, done)| {
        progress.add(piece.len());
        let (found, merged) = merge.add(map, piece, found);
        places.extend(found.ranges.iter().map(|range| range.start));
        merged.and(done).map_err(|error| edit.file.failure(&error))
    })?;
    drop(progress);
    if places.is_empty() {
        return Ok(Outcome::Not);
    }
    let old = pattern.needle().unwrap_or_default();
    edit.make(&Change::Same { old, new, places: &places }, out)
}
