//! A change of a file: logged, made, and written to the disk.

use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};

use faultless::{Access, Flush};
use serde_json::Value;

use super::How;
use super::log::{Entry, UndoLog};
use crate::error::{Failure, Outcome};
use crate::input::Input;
use crate::output::{Output, field, json_file};
use crate::progress::Progress;
use crate::size::{ByteRange, Place};

/// What is to be done.
pub(super) enum Change<'a> {
    Bytes {
        at: usize,
        new: &'a [u8],
    },
    Move {
        from: Range<usize>,
        to: usize,
    },
    Fill {
        range: Range<usize>,
        byte: u8,
    },
    /// The same bytes at many places.
    Same {
        old: &'a [u8],
        new: &'a [u8],
        places: &'a [usize],
    },
}

/// Bytes of one entry of the log, and so many places of another.
const PIECE: usize = 1 << 20;
const PLACES: usize = 1 << 16;

impl Change<'_> {
    /// How many bytes are written.
    fn bytes(&self) -> usize {
        match self {
            Self::Bytes { new, .. } => new.len(),
            Self::Move { from, .. } => from.len(),
            Self::Fill { range, .. } => range.len(),
            Self::Same { new, places, .. } => new.len().saturating_mul(places.len()),
        }
    }

    /// All that is written lies in here.
    fn range(&self) -> Range<usize> {
        match self {
            Self::Bytes { at, new } => *at..at + new.len(),
            Self::Move { from, to } => *to..to + from.len(),
            Self::Fill { range, .. } => range.clone(),
            Self::Same { new, places, .. } => match places {
                [] => 0..0,
                [first, ..] => *first..places.last().unwrap_or(first) + new.len(),
            },
        }
    }

    /// In words, for `would …`.
    fn in_words(&self) -> String {
        match self {
            Self::Bytes { at, new } => format!("write {} bytes at offset {at}", new.len()),
            Self::Move { from, to } => {
                format!("copy {} bytes from offset {} to offset {to}", from.len(), from.start)
            }
            Self::Fill { range, byte } => {
                format!("fill {} bytes from offset {} on with {byte:02x}", range.len(), range.start)
            }
            Self::Same { new, places, .. } => {
                format!("replace {} bytes at {} places", new.len(), places.len())
            }
        }
    }

    fn in_words_past(&self) -> String {
        let words = self.in_words();
        let (verb, rest) = words.split_once(' ').unwrap_or((&words, ""));
        let past = match verb {
            "write" => "wrote",
            "copy" => "copied",
            "fill" => "filled",
            _ => "replaced",
        };
        format!("{past} {rest}")
    }

    /// Hands on what the log has to have, before anything is changed.
    fn entries(
        &self,
        file: &Input,
        mut each: impl FnMut(Entry) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let read = |from: usize, len: usize| {
            file.map.to_vec(from..from + len).map_err(|error| file.failure(&error))
        };
        let parts =
            |len: usize| (0..len).step_by(PIECE).map(move |start| (start, PIECE.min(len - start)));
        match self {
            Self::Bytes { at, new } => parts(new.len()).try_for_each(|(start, len)| {
                let offset = at + start;
                let new = new[start..start + len].to_vec();
                each(Entry::Bytes { offset, old: read(offset, len)?, new })
            }),
            Self::Move { from, to } => parts(from.len()).try_for_each(|(start, len)| {
                let (offset, new) = (to + start, read(from.start + start, len)?);
                each(Entry::Bytes { offset, old: read(offset, len)?, new })
            }),
            Self::Fill { range, byte } => parts(range.len()).try_for_each(|(start, len)| {
                let offset = range.start + start;
                each(Entry::Fill { offset, byte: *byte, old: read(offset, len)? })
            }),
            Self::Same { old, new, places } => places.chunks(PLACES).try_for_each(|places| {
                let (old, new) = (old.to_vec(), new.to_vec());
                each(Entry::Same { old, new, places: places.to_vec() })
            }),
        }
    }

    fn make(&self, file: &Input, progress: &Progress) -> faultless::Result<()> {
        let map = &file.map;
        match self {
            Self::Bytes { at, new } => map.write_at(*at, new),
            Self::Move { from, to } => map.copy_within(from.clone(), *to),
            Self::Fill { range, byte } => range.clone().step_by(PIECE).try_for_each(|start| {
                let end = range.end.min(start + PIECE);
                progress.add(end - start);
                map.fill(start..end, *byte)
            }),
            Self::Same { new, places, .. } => places.iter().try_for_each(|&at| {
                progress.add(new.len());
                map.write_at(at, new)
            }),
        }
    }
}

/// A file that is open for a change.
pub(super) struct Edit<'a> {
    pub(super) file: Input,
    how: &'a How,
}

impl<'a> Edit<'a> {
    pub(super) fn open(path: &Path, how: &'a How) -> Result<Self, Failure> {
        let access = if how.dry_run { Access::Read } else { Access::Write };
        Ok(Self { file: Input::open_file(path, access)?, how })
    }

    /// The offset of a place that has so many bytes behind it.
    pub(super) fn place(&self, place: Place, bytes: usize) -> Result<usize, Failure> {
        let len = self.file.map.len();
        let at = place.offset(len as u64).map_err(|why| self.file.wrong(why))?;
        let start = usize::try_from(at).ok();
        let fits = start.filter(|at| at.checked_add(bytes).is_some_and(|end| end <= len));
        fits.ok_or_else(|| {
            self.file.wrong(format!(
                "{bytes} bytes at offset {at} do not fit the file of {len} bytes; \
                 `faultless resize` makes it longer"
            ))
        })
    }

    pub(super) fn range(&self, range: &ByteRange) -> Result<Range<usize>, Failure> {
        range.exactly(self.file.map.len()).map_err(|why| self.file.wrong(why))
    }

    /// Makes a change, after it has been logged.
    pub(super) fn make(&self, change: &Change<'_>, out: &mut Output) -> Result<Outcome, Failure> {
        let (file, how) = (&self.file, self.how);
        if how.dry_run {
            return self.say(change, None, out);
        }
        let log = if how.no_log || change.bytes() == 0 { None } else { Some(self.log(change)?) };
        let progress = Progress::new("write", change.bytes() as u64);
        let flush = if how.no_sync { Flush::ASYNC } else { Flush::SYNC.durable() };
        let made =
            change.make(file, &progress).and_then(|()| file.map.flush_range(change.range(), flush));
        drop(progress);
        made.map_err(|error| {
            let failure = file.failure(&error);
            match &log {
                Some(log) => Failure::Message(format!(
                    "{failure}; the change may be there in part: `faultless undo {}` undoes it",
                    log.display()
                )),
                None => failure,
            }
        })?;
        self.say(change, log, out)
    }

    /// Writes all that the change needs to be undone; where it is.
    fn log(&self, change: &Change<'_>) -> Result<PathBuf, Failure> {
        let progress = Progress::new("log", change.bytes() as u64);
        let mut log = UndoLog::make(&self.file, self.how.log.as_deref())?;
        let logged = change
            .entries(&self.file, |entry| {
                progress.add(entry.bytes());
                log.add(&entry)
            })
            .and_then(|()| log.finish(!self.how.no_sync));
        if logged.is_err() {
            log.discard();
        }
        logged?;
        Ok(log.into_path())
    }

    fn say(
        &self,
        change: &Change<'_>,
        log: Option<PathBuf>,
        out: &mut Output,
    ) -> Result<Outcome, Failure> {
        let path = &self.file.path;
        if self.how.json {
            let mut line = json_file(path);
            let range = change.range();
            field(&mut line, "offset", range.start);
            field(&mut line, "bytes", change.bytes());
            if let Change::Same { places, .. } = change {
                field(&mut line, "places", places.len());
            }
            field(&mut line, "done", !self.how.dry_run);
            field(&mut line, "log", log.map(|log| log.to_string_lossy().into_owned()));
            out.json(&Value::Object(line))?;
        } else if self.how.dry_run {
            writeln!(out, "{}: would {}", path.display(), change.in_words())?;
        } else {
            write!(out, "{}: {}", path.display(), change.in_words_past())?;
            if let Some(log) = log {
                write!(out, "; `faultless undo {}` undoes it", log.display())?;
            }
            out.write_all(b"\n")?;
        }
        Ok(Outcome::Done)
    }
}
