//! A log of records on mapped memory that survives its program.
//!
//! The bytes of a record are in the system's hands as soon as they are stored, so
//! a program that is killed takes none with it. What makes it a log is the order
//! of three stores: a *claim* of the place, with the record's length, made with a
//! compare-and-exchange on the frame's first word; the record's bytes; and a
//! *commit* of the same word, with the checksum. Whoever dies between the first
//! and the last leaves a frame of known length that readers step over. No lock is
//! taken for an append, so none can be left behind.

mod change;
mod files;
mod frame;
#[cfg(test)]
mod order_tests;
mod per_process;
mod reader;
mod tail;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};

use crate::error::{Error, ErrorKind, Result};

use change::State;
use frame::{LONGEST, WORD, Word, corrupt, size_of_frame};
use per_process::PerProcess;
use tail::{Attempt, Tail};

pub use reader::{LogReader, Record};

/// How a log is opened to append to it.
///
/// ```
/// let dir = tempfile::tempdir()?;
/// let log = faultless::AppendLogOptions::new()
///     .rotate(64 << 20, 5)
///     .durable(true)
///     .open(dir.path().join("events"))?;
/// log.append(b"on the disk already")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct AppendLogOptions {
    rotation: Option<Rotation>,
    durable: bool,
}

#[derive(Clone, Copy, Debug)]
struct Rotation {
    most: usize,
    keep: u32,
}

impl AppendLogOptions {
    /// A log that never rotates, whose records survive the program.
    ///
    /// ```
    /// let dir = tempfile::tempdir()?;
    /// let log = faultless::AppendLogOptions::new().open(dir.path().join("events"))?;
    /// log.append(b"started")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins a new file when the present one would become longer than `bytes`,
    /// and keeps that many `files` beside it: `path.1`, the last one, to
    /// `path.files`, the oldest. A record that is longer gets a file of its own.
    /// By default there is one file, which grows.
    ///
    /// Every program that appends should say the same; the one that finds the
    /// file full rotates, as *it* was told.
    ///
    /// ```
    /// let dir = tempfile::tempdir()?;
    /// let path = dir.path().join("events");
    /// let log = faultless::AppendLogOptions::new().rotate(1024, 2).open(&path)?;
    /// for _ in 0..30 {
    ///     log.append(&[b'x'; 100])?;
    /// }
    /// assert!(dir.path().join("events.2").exists());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn rotate(&mut self, bytes: usize, files: u32) -> &mut Self {
        self.rotation = Some(Rotation { most: bytes, keep: files });
        self
    }

    /// Whether a record is on the disk when its append returns, and survives the
    /// system too. By default it survives the program, and
    /// [`sync`](AppendLog::sync) is for the rest.
    ///
    /// ```
    /// let dir = tempfile::tempdir()?;
    /// let log = faultless::AppendLogOptions::new().durable(true).open(dir.path().join("audit"))?;
    /// log.append(b"paid")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn durable(&mut self, durable: bool) -> &mut Self {
        self.durable = durable;
        self
    }

    /// Opens the log at `path`, and makes it if there is none or the file is
    /// empty.
    ///
    /// What is behind the last [`sync`](AppendLog::sync) is looked through, frame
    /// by frame, so that nothing is ever appended behind damage.
    ///
    /// # Errors
    /// * [`Corrupt`](ErrorKind::Corrupt): the file is no log, one of a later
    ///   version, or damaged. It is not changed.
    /// * [`InvalidInput`](ErrorKind::InvalidInput): rotation that keeps no file.
    /// * [`Os`](ErrorKind::Os): the file cannot be opened, made, locked or mapped.
    /// * [`Fault`](ErrorKind::Fault): a page failed.
    ///
    /// ```
    /// let dir = tempfile::tempdir()?;
    /// let path = dir.path().join("text");
    /// std::fs::write(&path, "something else")?;
    /// let error = faultless::AppendLogOptions::new().open(&path).unwrap_err();
    /// assert_eq!(error.kind(), faultless::ErrorKind::Corrupt);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open(&self, path: impl AsRef<Path>) -> Result<AppendLog> {
        if self.rotation.is_some_and(|rotation| rotation.keep == 0) {
            let message = "rotation has to keep one file at least";
            return Err(Error::new(ErrorKind::InvalidInput, "open", message));
        }
        let path: Arc<Path> = Arc::from(path.as_ref());
        let tail = Tail::open(&path)?;
        Ok(AppendLog {
            path,
            options: self.clone(),
            synced: AtomicU64::new(tail.part.base),
            tail: PerProcess::new(State::Open(tail)),
        })
    }
}

/// A log that any number of threads and programs append records to at the same
/// time, and whose records survive the program: once [`append`](Self::append) has
/// returned, no `kill -9` loses the record, and at no instruction does one leave
/// half a record for readers to find.
///
/// [`LogReader`] reads it, also while others append. The format of the file is
/// described in `docs/log-format.md`.
///
/// A child process that was forked may go on using its parent's log. The file is
/// to be on this machine: maps of a file on a network share are not the same
/// memory on two machines.
///
/// ```
/// use faultless::AppendLog;
///
/// let dir = tempfile::tempdir()?;
/// let log = AppendLog::open(dir.path().join("events"))?;
/// let offset = log.append(b"first")?;
/// log.append(b"second")?;
///
/// assert_eq!(log.read(offset)?, b"first");
/// for record in log.records()? {
///     println!("{}", String::from_utf8_lossy(&record?.bytes));
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct AppendLog {
    path: Arc<Path>,
    options: AppendLogOptions,
    /// Files that begin before this offset have been synced.
    synced: AtomicU64,
    /// Appending shares it; who maps the file anew, or another one, has it alone.
    tail: PerProcess<State>,
}

/// How often an append looks again because others changed the file meanwhile,
/// before it reports what failed.
const PATIENCE: usize = 100;

impl AppendLog {
    /// Opens the log at `path` with the default
    /// [options](AppendLogOptions::new), and makes it if there is none.
    ///
    /// # Errors
    /// Those of [`AppendLogOptions::open`].
    ///
    /// ```
    /// let dir = tempfile::tempdir()?;
    /// let log = faultless::AppendLog::open(dir.path().join("events"))?;
    /// assert_eq!(log.records()?.count(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        AppendLogOptions::new().open(path)
    }

    /// The path that the log was opened by.
    ///
    /// ```
    /// let dir = tempfile::tempdir()?;
    /// let log = faultless::AppendLog::open(dir.path().join("events"))?;
    /// assert_eq!(log.path(), dir.path().join("events"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a record, which may have any bytes and no bytes, and returns its
    /// offset: a number that grows with every record, over all the files of the
    /// log.
    ///
    /// When it has returned, the record survives the end of this program, however
    /// it comes; it survives the system's too after a [`sync`](Self::sync), or if
    /// the log is [durable](AppendLogOptions::durable). Records of one thread are
    /// in the order in which it appended them.
    ///
    /// # Errors
    /// The record is not in the log, or, after a fault or a failed sync, may be.
    /// * [`OutOfRange`](ErrorKind::OutOfRange): the record has 1 GiB or more.
    /// * [`Fault`](ErrorKind::Fault): a page of the file failed, or somebody cut
    ///   it short.
    /// * [`Os`](ErrorKind::Os): `ENOSPC` …: the file cannot grow, or cannot be
    ///   rotated.
    /// * [`Corrupt`](ErrorKind::Corrupt): somebody wrote other bytes to the file.
    /// * [`Closed`](ErrorKind::Closed): the log has been closed.
    ///
    /// ```
    /// let dir = tempfile::tempdir()?;
    /// let log = faultless::AppendLog::open(dir.path().join("events"))?;
    /// let first = log.append(b"first")?;
    /// assert!(log.append(b"second")? > first);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn append(&self, record: &[u8]) -> Result<u64> {
        const OPERATION: &str = "append";
        if record.len() > LONGEST {
            let message = format!("a record has at most {LONGEST} bytes, not {}", record.len());
            return Err(Error::new(ErrorKind::OutOfRange, OPERATION, message));
        }
        for _ in 0..PATIENCE {
            let (attempt, turn) = self.attempt(record)?;
            if let Some(offset) = self.settle(attempt, turn, record)? {
                return Ok(offset);
            }
        }
        Err(self.unsteady(OPERATION))
    }

    /// Tries to append, and says which mapping it was tried on.
    #[inline]
    fn attempt(&self, record: &[u8]) -> Result<(Result<Attempt>, usize)> {
        let tail = self.tail("append")?;
        let tail = tail.get()?;
        Ok((tail.append(record, self.most(), Word::Free), tail.turn))
    }

    /// The offset of the record if the attempt did it. Else what was in its way is
    /// not any more, and it is to be tried again. Others may have gone on, to
    /// another file even, since the attempt, which is about the mapping `turn`.
    #[inline]
    fn settle(&self, attempt: Result<Attempt>, turn: usize, record: &[u8]) -> Result<Option<u64>> {
        match attempt? {
            Attempt::Done(offset) => return self.finish(offset).map(Some),
            // What failed may have been what others cut off meanwhile.
            Attempt::Doubtful(error, offset) => {
                let there = self.read(offset).is_ok_and(|found| found == record);
                return if there { self.finish(offset).map(Some) } else { Err(error) };
            }
            Attempt::Room(len) => {
                self.make_room(turn, len, |_| ())?;
            }
            // The mark is claimed while nobody can cut the file off there again.
            Attempt::Ended(at) => {
                let append = |tail: &Tail| (tail.append(record, self.most(), Word::End), tail.turn);
                let room = size_of_frame(record.len()) + WORD;
                if let Some((attempt, turn)) = self.make_room(turn, at + room, append)? {
                    return self.settle(attempt, turn, record);
                }
            }
            Attempt::Behind(end) => self.catch_up(turn, end)?,
            Attempt::Free | Attempt::Rotated => self.rotate(turn)?,
            Attempt::Failed(error) => self.look_again(turn, error)?,
        }
        Ok(None)
    }

    fn most(&self) -> usize {
        self.options.rotation.map_or(usize::MAX, |rotation| rotation.most)
    }

    /// After a record was appended.
    #[inline]
    fn finish(&self, offset: u64) -> Result<u64> {
        if self.options.durable {
            self.sync()?;
        }
        Ok(offset)
    }

    /// Writes everything that has been appended, here or by others, to the disk,
    /// and waits until it is there.
    ///
    /// # Errors
    /// * [`Fault`](ErrorKind::Fault): pages of the file failed, so that records
    ///   may not have reached the disk.
    /// * [`Os`](ErrorKind::Os): the system could not write, for example `EIO`.
    /// * [`Closed`](ErrorKind::Closed): the log has been closed.
    ///
    /// ```
    /// let dir = tempfile::tempdir()?;
    /// let log = faultless::AppendLog::open(dir.path().join("events"))?;
    /// log.append(b"paid")?;
    /// log.sync()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn sync(&self) -> Result<()> {
        for _ in 0..PATIENCE {
            let (found, turn) = {
                let tail = self.tail("sync")?;
                let tail = tail.get()?;
                (tail.sync(), tail.turn)
            };
            if self.is_last(found, turn)? {
                return self.sync_older();
            }
        }
        Err(self.unsteady("sync"))
    }

    /// Whether the log does not go on behind the end that was found. If it does, or
    /// others were in the way, it is to be looked for again.
    fn is_last(&self, found: Result<Attempt>, turn: usize) -> Result<bool> {
        match found {
            Ok(Attempt::Rotated) => self.rotate(turn)?,
            Ok(Attempt::Behind(end)) => self.catch_up(turn, end)?,
            Ok(_) => return Ok(true),
            Err(error) => self.look_again(turn, error)?,
        }
        Ok(false)
    }

    /// Syncs the files that were rotated away since the last time.
    fn sync_older(&self) -> Result<()> {
        let newest = self.tail("sync")?.get()?.part.base;
        let synced = self.synced.load(Ordering::Relaxed);
        if newest != synced {
            files::sync(&self.path, synced..newest)?;
            self.synced.fetch_max(newest, Ordering::Relaxed);
        }
        Ok(())
    }

    #[cold]
    fn unsteady(&self, operation: &'static str) -> Error {
        let message = "other programs change the log's files all the time";
        Error::new(ErrorKind::Os, operation, message).with_path(Some(&self.path))
    }

    /// The offset behind the last record: what has been appended so far, here or
    /// by others, has smaller ones.
    ///
    /// # Errors
    /// [`Fault`](ErrorKind::Fault), [`Corrupt`](ErrorKind::Corrupt) and
    /// [`Closed`](ErrorKind::Closed), as [`append`](Self::append).
    ///
    /// ```
    /// let dir = tempfile::tempdir()?;
    /// let log = faultless::AppendLog::open(dir.path().join("events"))?;
    /// assert!(log.append(b"first")? < log.end()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn end(&self) -> Result<u64> {
        for _ in 0..PATIENCE {
            let (found, turn) = {
                let tail = self.tail("end")?;
                let tail = tail.get()?;
                (tail.find_end(), tail.turn)
            };
            let (found, end) =
                found.map_or_else(|error| (Err(error), 0), |(at, end)| (Ok(at), end));
            if self.is_last(found, turn)? {
                return Ok(end);
            }
        }
        Err(self.unsteady("end"))
    }

    /// The records that have been appended so far, here or by others, from the
    /// oldest that is kept to the newest.
    ///
    /// # Errors
    /// Those of [`LogReader::open`] and [`end`](Self::end).
    ///
    /// ```
    /// let dir = tempfile::tempdir()?;
    /// let log = faultless::AppendLog::open(dir.path().join("events"))?;
    /// log.append(b"one")?;
    /// log.append(b"two")?;
    /// let all: Vec<_> = log.records()?.collect::<Result<_, _>>()?;
    /// assert_eq!(all[1].bytes, b"two");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn records(&self) -> Result<LogReader> {
        let end = self.end()?;
        Ok(LogReader::open(&self.path)?.until(end))
    }

    /// The record at an offset that [`append`](Self::append) returned.
    ///
    /// # Errors
    /// Those of [`LogReader::seek`], and [`Corrupt`](ErrorKind::Corrupt) if there
    /// is no record at the offset.
    ///
    /// ```
    /// let dir = tempfile::tempdir()?;
    /// let log = faultless::AppendLog::open(dir.path().join("events"))?;
    /// let offset = log.append(b"one")?;
    /// assert_eq!(log.read(offset)?, b"one");
    /// assert!(log.read(offset + 8).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read(&self, offset: u64) -> Result<Vec<u8>> {
        self.tail("read")?.get()?;
        let mut reader = LogReader::open(&self.path)?;
        reader.seek(offset)?;
        match reader.next() {
            Some(Ok(record)) if record.offset == offset => Ok(record.bytes),
            Some(Err(error)) if error.kind() != ErrorKind::Corrupt => Err(error),
            _ => {
                let error = corrupt("read", format!("there is no whole record at offset {offset}"));
                Err(error.with_path(Some(&self.path)))
            }
        }
    }

    /// Ends the use of the log: what the file has in reserve behind the last
    /// record is cut off. Other programs may go on appending. Closing twice is
    /// allowed; dropping the log closes it too, without a word if that fails.
    ///
    /// # Errors
    /// [`Os`](ErrorKind::Os): the file could not be cut off. The log is closed,
    /// and no record lost.
    ///
    /// ```
    /// let dir = tempfile::tempdir()?;
    /// let log = faultless::AppendLog::open(dir.path().join("events"))?;
    /// log.close()?;
    /// assert_eq!(log.append(b"late").unwrap_err().kind(), faultless::ErrorKind::Closed);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn close(&self) -> Result<()> {
        let mut state = self.state().write().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *state, State::Closed);
        drop(state);
        match before {
            State::Open(tail) => tail.finish(&self.path, Word::End),
            State::Inherited | State::Closed => Ok(()),
        }
    }

    /// Whether the log has been closed.
    ///
    /// ```
    /// let dir = tempfile::tempdir()?;
    /// let log = faultless::AppendLog::open(dir.path().join("events"))?;
    /// assert!(!log.is_closed());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        let state = self.state().read().unwrap_or_else(PoisonError::into_inner);
        matches!(*state, State::Closed)
    }

    /// Whether a record is on the disk when its append returns: the
    /// [option](AppendLogOptions::durable).
    ///
    /// ```
    /// let dir = tempfile::tempdir()?;
    /// let log = faultless::AppendLog::open(dir.path().join("events"))?;
    /// assert!(!log.is_durable());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn is_durable(&self) -> bool {
        self.options.durable
    }
}

impl Drop for AppendLog {
    fn drop(&mut self) {
        let _ = self.close();
    }
}
