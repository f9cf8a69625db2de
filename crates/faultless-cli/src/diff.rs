//! `diff`: where two files differ.

use std::cmp::Ordering;
use std::io::Write;
use std::ops::Range;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value};

use crate::error::{Failure, Outcome};
use crate::hex;
use crate::input::Input;
use crate::ordered::{ordered, threads};
use crate::output::{HIGH, OFFSET, Output, field};
use crate::progress::Progress;

/// Show where two files differ.
///
/// Prints each range of bytes that differ, with the bytes of both: START..END: A -> B. The exit
/// status is 0 if the files are the same, and 1 if they differ.
#[derive(Args, Debug)]
pub(crate) struct DiffArgs {
    /// A file; - is the standard input.
    a: PathBuf,
    /// The file that it is compared with, offset by offset.
    b: PathBuf,
    /// End after so many ranges: 1 is the first difference alone, 0 means all.
    #[arg(short, long, value_name = "RANGES", default_value = "100")]
    max: usize,
    /// Print nothing: the exit status tells.
    #[arg(short, long, conflicts_with = "json")]
    quiet: bool,
    /// Print a line of JSON for each range.
    #[arg(long)]
    json: bool,
}

/// Bytes that a thread compares at a time, and how many of them it copies at once:
/// what fits the processor's cache.
const PIECE: usize = 4 << 20;
const COPIED: usize = 128 << 10;

/// So many bytes of a range are shown.
const SHOWN: usize = 16;

/// Why the comparison ended.
enum End {
    Failed(Failure),
    Enough,
}

pub(crate) fn run(args: &DiffArgs, out: &mut Output) -> Result<Outcome, Failure> {
    let (a, b) = (Input::open(&args.a)?, Input::open(&args.b)?);
    let len = a.map.len().min(b.map.len());
    let most = match args.max {
        _ if args.quiet => 1,
        0 => usize::MAX,
        most => most,
    };
    let progress = if args.quiet {
        Progress::new("diff", len as u64)
    } else {
        Progress::beside(out, "diff", len as u64)
    };
    let mut shower = Shower { a: &a, b: &b, args, shown: 0, most, open: None };
    let tasks = (0..len).step_by(PIECE).map(|start| start..len.min(start.saturating_add(PIECE)));
    let threads = if len <= PIECE { 1 } else { threads() };
    let compare = |piece: Range<usize>| (piece.clone(), compare(&a, &b, piece, most));
    let ended = ordered(threads, tasks, compare, |(piece, (ranges, done))| {
        progress.add(piece.len());
        ranges.into_iter().try_for_each(|range| shower.add(range, out))?;
        done.map_err(End::Failed)
    });
    drop(progress);
    let more = match ended {
        Err(End::Failed(failure)) => {
            shower.finish(out)?;
            return Err(failure);
        }
        Err(End::Enough) => true,
        Ok(()) => {
            shower.finish(out)?;
            false
        }
    };
    if more && !args.quiet && !args.json {
        writeln!(out, "more may differ: --max {most} was reached")?;
    }
    if a.map.len() != b.map.len() && !more {
        shower.ends(out)?;
    }
    Ok(Outcome::found(shower.shown == 0 && a.map.len() == b.map.len()))
}

/// The ranges of a piece that differ, at most so many and the one that shows that
/// there are more; and whether all of it could be read.
fn compare(
    a: &Input,
    b: &Input,
    piece: Range<usize>,
    most: usize,
) -> (Vec<Range<usize>>, Result<(), Failure>) {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let mut of_a = Vec::new();
    let mut of_b = vec![0; COPIED.min(piece.len())];
    for start in piece.clone().step_by(COPIED) {
        let range = start..piece.end.min(start + COPIED);
        let of_b = &mut of_b[..range.len()];
        let same =
            b.map.read_exact_at(start, of_b).map_err(|error| b.failure(&error)).and_then(|()| {
                a.map.compare(range.clone(), of_b).map_err(|error| a.failure(&error))
            });
        match same {
            Err(failure) => return (ranges, Err(failure)),
            Ok(Ordering::Equal) => continue,
            Ok(_) => of_a.resize(range.len(), 0),
        }
        if let Err(error) = a.map.read_exact_at(start, &mut of_a) {
            return (ranges, Err(a.failure(&error)));
        }
        differences(&of_a, of_b, |found| {
            let found = start + found.start..start + found.end;
            match ranges.last_mut() {
                Some(last) if last.end == found.start => last.end = found.end,
                _ => ranges.push(found),
            }
            // One more, for it may be joined with one of the piece before.
            ranges.len() <= most.saturating_add(1)
        });
        if ranges.len() > most.saturating_add(1) {
            break;
        }
    }
    (ranges, Ok(()))
}

/// Hands on where two slices of one length differ, as long as it is wanted.
fn differences(a: &[u8], b: &[u8], mut each: impl FnMut(Range<usize>) -> bool) {
    const BLOCK: usize = 64;
    let mut at = 0;
    while at < a.len() {
        let (rest_a, rest_b) = (&a[at..], &b[at..]);
        if rest_a.len() >= BLOCK && rest_a[..BLOCK] == rest_b[..BLOCK] {
            at += BLOCK;
            continue;
        }
        let mut pairs = rest_a.iter().zip(rest_b);
        let Some(skipped) = pairs.position(|(a, b)| a != b) else { break };
        let more = pairs.position(|(a, b)| a == b).unwrap_or(rest_a.len() - skipped - 1);
        let start = at + skipped;
        at = start + 1 + more;
        if !each(start..at) {
            break;
        }
    }
}

/// Shows ranges, each when it is known to have ended.
struct Shower<'a> {
    a: &'a Input,
    b: &'a Input,
    args: &'a DiffArgs,
    shown: usize,
    most: usize,
    open: Option<Range<usize>>,
}

impl Shower<'_> {
    fn add(&mut self, range: Range<usize>, out: &mut Output) -> Result<(), End> {
        if let Some(open) = self.open.as_mut().filter(|open| open.end == range.start) {
            open.end = range.end;
            return Ok(());
        }
        self.finish(out).map_err(End::Failed)?;
        if self.shown >= self.most {
            return Err(End::Enough);
        }
        self.open = Some(range);
        Ok(())
    }

    fn finish(&mut self, out: &mut Output) -> Result<(), Failure> {
        let Some(range) = self.open.take() else { return Ok(()) };
        self.shown += 1;
        if self.args.quiet {
            return Ok(());
        }
        let read = |file: &Input| {
            let some = range.start..range.end.min(range.start + SHOWN);
            file.map.to_vec(some).map_err(|error| file.failure(&error))
        };
        let (of_a, of_b) = (read(self.a)?, read(self.b)?);
        if self.args.json {
            let mut line = Map::new();
            field(&mut line, "offset", range.start);
            field(&mut line, "length", range.len());
            field(&mut line, "a", hex::digits(&of_a));
            field(&mut line, "b", hex::digits(&of_b));
            out.json(&Value::Object(line))?;
            return Ok(());
        }
        let more = if range.len() > SHOWN { " ..." } else { "" };
        out.styled(OFFSET, format_args!("{}..{}", range.start, range.end))?;
        write!(out, ": ")?;
        out.styled(HIGH, format_args!("{}{more}", hex::spaced(&of_a)))?;
        write!(out, " -> ")?;
        out.styled(HIGH, format_args!("{}{more}", hex::spaced(&of_b)))?;
        out.write_all(b"\n")?;
        Ok(())
    }

    /// Says which file is longer.
    fn ends(&self, out: &mut Output) -> Result<(), Failure> {
        let (a, b) = (self.a.map.len(), self.b.map.len());
        if self.args.json {
            let mut line = Map::new();
            field(&mut line, "length_a", a);
            field(&mut line, "length_b", b);
            out.json(&Value::Object(line))?;
        } else if !self.args.quiet {
            let (short, long) = if a < b { (self.a, self.b) } else { (self.b, self.a) };
            let (at, more) = (a.min(b), a.abs_diff(b));
            let (short, long) = (short.path.display(), long.path.display());
            writeln!(out, "{short} ends at offset {at}; {long} has {more} bytes more")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_found_where_they_are() {
        let mut seed: u32 = 1;
        let mut random = move || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            seed >> 24
        };
        for len in [0, 1, 63, 64, 65, 300] {
            let a: Vec<u8> = (0..len).map(|_| (random() % 256) as u8).collect();
            let mut b = a.clone();
            for byte in &mut b {
                if random() % 8 == 0 {
                    *byte ^= 1;
                }
            }
            let mut marked = vec![false; len];
            let mut last = None;
            differences(&a, &b, |range| {
                assert!(!range.is_empty() && last.is_none_or(|end| end < range.start));
                last = Some(range.end);
                marked[range].fill(true);
                true
            });
            let expected: Vec<bool> = a.iter().zip(&b).map(|(a, b)| a != b).collect();
            assert_eq!(marked, expected);
        }
    }
}
