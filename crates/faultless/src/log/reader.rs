//! Reading a log, also while others append to it.

use std::path::Path;
use std::sync::Arc;

use super::files::{self, Part};
use super::frame::{HEADER, WORD, Word, checksum, corrupt, size_of_frame};
use super::tail::unknown;
use crate::error::{Error, ErrorKind, Result};
use crate::view::append;

/// A record of a log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Record {
    /// Where it is in the log: what [`append`](super::AppendLog::append) returned.
    pub offset: u64,
    /// What was appended.
    pub bytes: Vec<u8>,
}

/// Reads the records of a log from the oldest file that is kept to the newest,
/// without keeping anybody from appending.
///
/// It is an iterator that has no next record when it has caught up with those
/// who append; asked again later, it goes on with what has come since. Records
/// come in the order of their offsets. Only one whose append was still going on
/// when later ones had returned comes after them, once it is whole. What a program
/// left behind that was killed in an append never comes.
///
/// An error for a damaged record ([`Corrupt`](ErrorKind::Corrupt)) is an item,
/// too, and the next item is the next record. Only behind a damaged frame nothing
/// more can be found: then that error is the last item. Any other error ends the
/// iteration; asked again, it tries again.
///
/// ```
/// use faultless::{AppendLog, LogReader};
///
/// let dir = tempfile::tempdir()?;
/// let log = AppendLog::open(dir.path().join("events"))?;
/// log.append(b"one")?;
///
/// let mut reader = LogReader::open(dir.path().join("events"))?;
/// assert_eq!(reader.next().transpose()?.map(|record| record.bytes), Some(b"one".to_vec()));
/// assert!(reader.next().is_none());
/// log.append(b"two")?;
/// assert_eq!(reader.next().transpose()?.map(|record| record.bytes), Some(b"two".to_vec()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct LogReader {
    path: Arc<Path>,
    /// The file that is being read, and where in it. `None`: there is none yet.
    place: Option<(Arc<Part>, usize)>,
    /// Offsets from here on do not count.
    until: u64,
    /// Frames that were claimed but not committed when they were passed.
    holes: Vec<(Arc<Part>, usize)>,
    /// Frames read since the holes were looked at.
    passed: usize,
    /// Nothing can be found any more.
    lost: bool,
    /// The last item was an error that may be the next one, too.
    failed: bool,
}

/// So many holes are looked at again before each record. Older ones are most
/// likely those of programs that were killed.
const CLOSE: usize = 64;
/// After so many frames all holes are looked at again.
const PASSED: usize = 1024;

impl LogReader {
    /// Opens the log at `path` to read it from the oldest record that is kept.
    ///
    /// # Errors
    /// * [`Os`](ErrorKind::Os): there is no such log, or it cannot be opened.
    /// * [`Corrupt`](ErrorKind::Corrupt): the file is no log, or of a later
    ///   version.
    ///
    /// ```
    /// let dir = tempfile::tempdir()?;
    /// assert!(faultless::LogReader::open(dir.path().join("nothing")).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path: Arc<Path> = Arc::from(path.as_ref());
        let mut reader = Self {
            path,
            place: None,
            until: u64::MAX,
            holes: Vec::new(),
            passed: 0,
            lost: false,
            failed: false,
        };
        reader.enter(0)?;
        Ok(reader)
    }

    /// Has the reader end at an offset, instead of where it catches up.
    pub(super) fn until(mut self, end: u64) -> Self {
        self.until = end;
        self
    }

    /// Goes to an offset that [`append`](super::AppendLog::append) returned, so
    /// that this record is the next.
    ///
    /// # Errors
    /// * [`OutOfRange`](ErrorKind::OutOfRange): no file that is kept has the
    ///   offset. The reader stays where it was.
    /// * [`Os`](ErrorKind::Os): a file cannot be opened.
    ///
    /// ```
    /// let dir = tempfile::tempdir()?;
    /// let log = faultless::AppendLog::open(dir.path().join("events"))?;
    /// log.append(b"one")?;
    /// let second = log.append(b"two")?;
    /// let mut reader = log.records()?;
    /// reader.seek(second)?;
    /// assert_eq!(reader.next().transpose()?.map(|record| record.bytes), Some(b"two".to_vec()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn seek(&mut self, offset: u64) -> Result<()> {
        let files = files::all(&self.path)?;
        let found = files.iter().rev().find(|(base, _)| base + HEADER as u64 <= offset);
        let part = found.map(|(_, path)| Part::open_to_read(path)).transpose()?.flatten();
        let inside = part.and_then(|part| {
            let at = usize::try_from(offset.checked_sub(part.base)?).ok()?;
            let inside = at % WORD == 0 && at >= HEADER && at.checked_add(WORD)? <= part.map.len();
            inside.then(|| (Arc::new(part), at))
        });
        let Some(place) = inside else {
            let message = format!("no file of the log has the offset {offset}");
            let error = Error::new(ErrorKind::OutOfRange, "seek", message);
            return Err(error.with_path(Some(&self.path)));
        };
        self.place = Some(place);
        self.holes.clear();
        self.lost = false;
        Ok(())
    }

    /// Reads the next record into `bytes`, in the place of what they were, and
    /// returns its offset; `None` if there is none yet. It is what the iterator
    /// does, without new memory for each record.
    ///
    /// # Errors
    /// * [`Corrupt`](ErrorKind::Corrupt): the record or its frame is damaged; the
    ///   next call goes on behind the record.
    /// * [`Fault`](ErrorKind::Fault): a page of the file failed.
    /// * [`Os`](ErrorKind::Os): the log's next file cannot be opened, or memory
    ///   is short.
    ///
    /// ```
    /// let dir = tempfile::tempdir()?;
    /// let log = faultless::AppendLog::open(dir.path().join("events"))?;
    /// log.append(b"one")?;
    /// let (mut reader, mut bytes) = (log.records()?, Vec::new());
    /// while let Some(offset) = reader.read_next(&mut bytes)? {
    ///     println!("{offset}: {} bytes", bytes.len());
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read_next(&mut self, bytes: &mut Vec<u8>) -> Result<Option<u64>> {
        if self.passed >= PASSED {
            self.passed = 0;
            if let Some(offset) = self.read_late(bytes, usize::MAX)? {
                return Ok(Some(offset));
            }
        }
        loop {
            let Some((part, at)) = self.place.clone() else {
                if !self.enter(0)? {
                    return Ok(None);
                }
                continue;
            };
            let offset = part.base + at as u64;
            if offset >= self.until || self.lost {
                return self.read_late(bytes, usize::MAX);
            }
            let word = self.word(at)?;
            let (Word::Claimed(len) | Word::Committed(len, _)) = word else {
                match word {
                    Word::Free | Word::End => return self.read_late(bytes, usize::MAX),
                    Word::Rotated if self.enter(offset)? => continue,
                    Word::Rotated => return self.read_late(bytes, usize::MAX),
                    _ => {
                        self.lost = true;
                        return Err(unknown("read", at, word).with_path(self.name().as_deref()));
                    }
                }
            };
            // A record that was whole before this one was begun comes before it.
            if let Some(offset) = self.read_late(bytes, CLOSE)? {
                return Ok(Some(offset));
            }
            let next = at + size_of_frame(len);
            self.reach(next)?;
            // It may have been mapped again.
            let Some((part, place)) = &mut self.place else { continue };
            self.passed += 1;
            if let Word::Committed(_, sum) = word {
                let read = read_record(part, at, len, sum, bytes);
                // What cannot be had now is tried again, what is damaged is not.
                if read.as_ref().is_err_and(|error| error.kind() != ErrorKind::Corrupt) {
                    return read.map(|()| None);
                }
                *place = next;
                return read.map(|()| Some(offset));
            }
            self.holes.push((Arc::clone(part), at));
            *place = next;
        }
    }

    /// The word at a place of the present file, as it is now.
    fn word(&mut self, at: usize) -> Result<Word> {
        self.with_map(at + WORD, |part| part.map.load_word(at)).map(Word::decode)
    }

    /// Makes sure that a frame that ends at `next` is mapped.
    fn reach(&mut self, next: usize) -> Result<()> {
        let reached = self.with_map(next + WORD, |_| Ok(()));
        reached.inspect_err(|_| self.lost = true)
    }

    /// Runs `look` on the present file, which is mapped again if it has become
    /// longer, or shorter, because whoever appended to it has closed it.
    fn with_map<R>(&mut self, end: usize, look: impl Fn(&Part) -> Result<R>) -> Result<R> {
        let Some((part, _)) = &mut self.place else { unreachable!("there is a file") };
        if end <= part.map.len() {
            match look(part) {
                Err(error) if error.kind() == ErrorKind::Fault => {
                    // It may have the old length again by now.
                    if part.map.file_len()? < end as u64 {
                        return Err(error);
                    }
                }
                found => return found,
            }
        }
        let path: Arc<Path> = part.map.path().unwrap_or_default().into();
        let again = part.again(&path)?;
        let len = again.map.len();
        if len < end {
            let end = end - WORD;
            let message = format!("the log has {len} bytes, but a record that ends at byte {end}");
            return Err(corrupt("read", message).with_path(Some(&path)));
        }
        *part = Arc::new(again);
        look(part)
    }

    /// A record that has become whole since it was passed, among the last `most`.
    #[inline]
    fn read_late(&mut self, bytes: &mut Vec<u8>, most: usize) -> Result<Option<u64>> {
        for nth in self.holes.len().saturating_sub(most)..self.holes.len() {
            let (part, at) = &self.holes[nth];
            let word = part.map.load_word(*at).map(Word::decode);
            if let Ok(Word::Claimed(_)) = word {
                continue;
            }
            let (part, at) = self.holes.remove(nth);
            if let Word::Committed(len, sum) = word? {
                read_record(&part, at, len, sum, bytes)?;
                return Ok(Some(part.base + at as u64));
            }
        }
        Ok(None)
    }

    /// Goes to the first file that begins at an offset or after it; whether there
    /// is one.
    fn enter(&mut self, offset: u64) -> Result<bool> {
        let mut files = files::all(&self.path)?;
        let found = loop {
            let next = files.iter().find(|(base, _)| *base >= offset).cloned();
            if next.as_ref().is_some_and(|(base, _)| *base == offset) {
                break next;
            }
            // Perhaps files were renamed while their names were looked at.
            let again = files::all(&self.path)?;
            if again == files {
                break next;
            }
            files = again;
        };
        let Some((base, path)) = found else {
            return Ok(false);
        };
        // Its name may be another file's by now.
        match Part::open_to_read(&path)? {
            Some(part) if part.base == base && part.map.len() >= HEADER + WORD => {
                self.place = Some((Arc::new(part), HEADER));
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn name(&self) -> Option<std::path::PathBuf> {
        self.place.as_ref().and_then(|(part, _)| part.map.path())
    }
}

impl Iterator for LogReader {
    type Item = Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        if std::mem::take(&mut self.failed) {
            return None;
        }
        let mut bytes = Vec::new();
        let offset = self.read_next(&mut bytes).transpose()?;
        self.failed = offset.as_ref().is_err_and(|error| error.kind() != ErrorKind::Corrupt);
        Some(offset.map(|offset| Record { offset, bytes }))
    }
}

/// Copies a committed record and checks it.
fn read_record(part: &Part, at: usize, len: usize, sum: u32, bytes: &mut Vec<u8>) -> Result<()> {
    let offset = part.base + at as u64;
    bytes.clear();
    bytes.try_reserve(len).map_err(|_| {
        let message = format!("a record of {len} bytes does not fit the memory");
        Error::os("read", message, std::io::ErrorKind::OutOfMemory.into())
    })?;
    append(bytes, len, |buf| part.map.read_exact_uninit_at(at + WORD, buf).map(drop))?;
    if checksum(offset, bytes) == sum {
        return Ok(());
    }
    bytes.clear();
    let message = format!("the record at offset {offset} is damaged");
    Err(corrupt("read", message).with_path(part.map.path().as_deref()))
}
