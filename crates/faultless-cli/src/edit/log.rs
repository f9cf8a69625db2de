//! The log of a change, by which it can be undone: a log of records, on the disk
//! before the change begins.
//!
//! The first record names the file; then come entries, each with what the bytes
//! were and what they will be; the last one says how many there are, so that a log
//! without it is one whose change was never begun.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use faultless::{AppendLog, LogReader};

use crate::error::Failure;
use crate::input::Input;

/// What the first record begins with: the kind, and the version of the format.
const HEAD: &[u8] = b"faultless undo 1\n";

/// A part of a change.
#[derive(Debug)]
pub(super) enum Entry {
    /// As many bytes as there were.
    Bytes { offset: usize, old: Vec<u8>, new: Vec<u8> },
    /// The same byte everywhere.
    Fill { offset: usize, byte: u8, old: Vec<u8> },
    /// The same bytes at many places.
    Same { old: Vec<u8>, new: Vec<u8>, places: Vec<usize> },
}

/// The kinds of records.
const BYTES: u8 = b'B';
const FILL: u8 = b'F';
const SAME: u8 = b'S';
const END: u8 = b'E';

impl Entry {
    /// How many bytes it is about.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Bytes { old, .. } | Self::Fill { old, .. } => old.len(),
            Self::Same { old, places, .. } => old.len().saturating_mul(places.len()),
        }
    }

    fn encode(&self) -> Vec<u8> {
        let number = |number: usize| (number as u64).to_le_bytes();
        match self {
            Self::Bytes { offset, old, new } => [&[BYTES], &number(*offset)[..], old, new].concat(),
            Self::Fill { offset, byte, old } => {
                [&[FILL], &number(*offset)[..], &[*byte], old].concat()
            }
            Self::Same { old, new, places } => {
                let mut record = [&[SAME], &number(old.len())[..], old, new].concat();
                record.extend(places.iter().flat_map(|&place| number(place)));
                record
            }
        }
    }

    fn decode(record: &[u8]) -> Option<Self> {
        let number =
            |bytes: &[u8]| usize::try_from(u64::from_le_bytes(bytes.try_into().ok()?)).ok();
        let (&kind, rest) = record.split_first()?;
        let (first, rest) = rest.split_at_checked(8)?;
        let first = number(first)?;
        match kind {
            BYTES if rest.len() % 2 == 0 => {
                let (old, new) = rest.split_at(rest.len() / 2);
                Some(Self::Bytes { offset: first, old: old.to_vec(), new: new.to_vec() })
            }
            FILL => {
                let (&byte, old) = rest.split_first()?;
                Some(Self::Fill { offset: first, byte, old: old.to_vec() })
            }
            SAME => {
                let (old, rest) = rest.split_at_checked(first)?;
                let (new, places) = rest.split_at_checked(first)?;
                let places = places.chunks(8).map(number).collect::<Option<_>>()?;
                Some(Self::Same { old: old.to_vec(), new: new.to_vec(), places })
            }
            _ => None,
        }
    }

    /// The places that it is about, and what they were and became.
    pub(super) fn each(
        &self,
        mut each: impl FnMut(usize, &[u8], &[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        match self {
            Self::Bytes { offset, old, new } => each(*offset, old, new),
            Self::Fill { offset, byte, old } => each(*offset, old, &vec![*byte; old.len()]),
            Self::Same { old, new, places } => {
                places.iter().try_for_each(|&place| each(place, old, new))
            }
        }
    }
}

/// A log that is being written.
pub(super) struct UndoLog {
    log: AppendLog,
    entries: u64,
}

impl UndoLog {
    /// Begins a log of a file, at a path that nothing is at, or beside the file.
    pub(super) fn make(file: &Input, path: Option<&Path>) -> Result<Self, Failure> {
        let path = claim(&file.path, path)?;
        let failed = |error| Failure::map(path.display(), &error);
        let absolute =
            std::fs::canonicalize(&file.path).map_err(|error| Failure::path(&file.path, error))?;
        let len = (file.map.len() as u64).to_le_bytes();
        let head = [HEAD, &len, absolute.as_os_str().as_encoded_bytes()].concat();
        let log = AppendLog::open(&path).map_err(failed)?;
        log.append(&head).map_err(failed)?;
        Ok(Self { log, entries: 0 })
    }

    pub(super) fn add(&mut self, entry: &Entry) -> Result<(), Failure> {
        self.entries += 1;
        self.append(&entry.encode())
    }

    fn append(&self, record: &[u8]) -> Result<(), Failure> {
        self.log.append(record).map(drop).map_err(|error| self.failure(&error))
    }

    /// Says that this is all, and waits until it is on the disk.
    pub(super) fn finish(&self, sync: bool) -> Result<(), Failure> {
        self.append(&[&[END], &self.entries.to_le_bytes()[..]].concat())?;
        let synced = if sync { self.log.sync() } else { Ok(()) };
        synced.and_then(|()| self.log.close()).map_err(|error| self.failure(&error))?;
        if sync {
            // Closing has cut off what was not needed; and not every system's `msync` goes
            // through the device's own memory.
            let path = self.log.path();
            let file = File::options().write(true).open(path);
            file.and_then(|file| file.sync_all()).map_err(|error| Failure::path(path, error))?;
        }
        Ok(())
    }

    fn failure(&self, error: &faultless::Error) -> Failure {
        Failure::map(self.log.path().display(), error)
    }

    pub(super) fn into_path(self) -> PathBuf {
        self.log.path().to_path_buf()
    }

    /// Removes a log whose change will not be made.
    pub(super) fn discard(&self) {
        let _ = std::fs::remove_file(self.log.path());
    }
}

/// Makes the empty file that the log will be.
fn claim(file: &Path, path: Option<&Path>) -> Result<PathBuf, Failure> {
    let failed = |path: &Path, error: io::Error| {
        let message = format!(
            "cannot make the undo log: {error}; --log puts it elsewhere, --no-log goes without"
        );
        Failure::path(path, message)
    };
    if let Some(path) = path {
        File::create_new(path).map_err(|error| failed(path, error))?;
        return Ok(path.to_path_buf());
    }
    for nth in 1..=u32::MAX {
        let mut name = OsString::from(file);
        name.push(if nth == 1 { ".undo".into() } else { format!(".undo-{nth}") });
        let path = PathBuf::from(name);
        match File::create_new(&path) {
            Ok(_) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(&path, error)),
        }
    }
    Err(Failure::path(file, "has too many undo logs"))
}

/// A log that is read: what it is of, and then its entries.
pub(super) struct Logged {
    pub(super) file: PathBuf,
    pub(super) len: u64,
    path: PathBuf,
}

impl Logged {
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let head = records(path)?.next().transpose()?;
        let found = head.as_deref().and_then(|head| {
            let (len, file) = head.strip_prefix(HEAD)?.split_at_checked(8)?;
            Some((u64::from_le_bytes(len.try_into().ok()?), path_of(file)?))
        });
        let Some((len, file)) = found else {
            return Err(Failure::path(path, "is no undo log"));
        };
        Ok(Self { file, len, path: path.to_path_buf() })
    }

    /// Whether it has its end: else its change was not begun.
    pub(super) fn is_complete(&self) -> Result<bool, Failure> {
        for (before, record) in (0u64..).zip(records(&self.path)?.skip(1)) {
            let record = record?;
            if record.first() == Some(&END) {
                return Ok(record[1..] == before.to_le_bytes());
            }
        }
        Ok(false)
    }

    /// Hands on its entries.
    pub(super) fn each(
        &self,
        mut each: impl FnMut(Entry) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        for record in records(&self.path)?.skip(1) {
            let record = record?;
            if record.first() == Some(&END) {
                break;
            }
            let entry = Entry::decode(&record)
                .ok_or_else(|| Failure::path(&self.path, "is an undo log that is damaged"))?;
            each(entry)?;
        }
        Ok(())
    }
}

fn records(path: &Path) -> Result<impl Iterator<Item = Result<Vec<u8>, Failure>>, Failure> {
    let failed = |error| Failure::map(path.display(), &error);
    let reader = LogReader::open(path).map_err(failed)?;
    Ok(reader.map(move |record| record.map(|record| record.bytes).map_err(failed)))
}

#[cfg(unix)]
fn path_of(bytes: &[u8]) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt;
    Some(PathBuf::from(std::ffi::OsStr::from_bytes(bytes)))
}

#[cfg(not(unix))]
fn path_of(bytes: &[u8]) -> Option<PathBuf> {
    std::str::from_utf8(bytes).ok().map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read_as_they_were_written() {
        let entries = [
            Entry::Bytes { offset: 7, old: vec![1, 2], new: vec![3, 4] },
            Entry::Fill { offset: usize::MAX, byte: 9, old: vec![5; 3] },
            Entry::Same { old: vec![1], new: vec![2], places: vec![0, 10, 1 << 30] },
        ];
        for entry in entries {
            let record = entry.encode();
            let read = Entry::decode(&record).map(|entry| format!("{entry:?}"));
            assert_eq!(read, Some(format!("{entry:?}")));
        }
        for damaged in
            [&b""[..], b"B", b"B12345678x", b"F12345678", b"S\x05\0\0\0\0\0\0\0abc", b"X12345678"]
        {
            assert!(Entry::decode(damaged).is_none(), "{damaged:?}");
        }
    }
}
