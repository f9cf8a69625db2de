//! The files of a log: the one at its path, the older ones beside it, and who may
//! change which of them is which.
//!
//! Whoever changes a file's length or name holds a lock on it, which the system
//! takes back from a process that dies. Appending needs none.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::frame::{HEADER, Header, WORD, Word, corrupt, failed};
use super::tail::{Attempt, Tail};
use crate::error::{Error, Result};
use crate::map::Map;
use crate::options::{Access, MapOptions};
use crate::os;

/// The lock on a log file. It is of its own opening of the file, so that it is
/// nobody else's, not even a forked child's.
pub(super) struct Lock(File);

impl Lock {
    /// Waits for the lock on the file at `path`. `None`: there is none.
    fn take(path: &Path) -> Result<Option<Self>> {
        loop {
            let file = match OpenOptions::new().read(true).write(true).open(path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(failed("cannot open the log", path)(error)),
            };
            os::lock_file(&file).map_err(failed("cannot lock the log", path))?;
            let lock = Self(file);
            // Its name may have been given to another file before it was locked.
            if lock.is_of(path)? {
                return Ok(Some(lock));
            }
        }
    }

    /// Waits for the lock on `file`, if that is the one at `path`.
    pub(super) fn take_if(path: &Path, file: &File) -> Result<Option<Self>> {
        let lock = Self::take(path)?;
        let ours = identity(file, path)?;
        Ok(match lock {
            Some(lock) if identity(&lock.0, path)? == ours => Some(lock),
            _ => None,
        })
    }

    fn is_of(&self, path: &Path) -> Result<bool> {
        match File::open(path) {
            Ok(file) => Ok(identity(&file, path)? == identity(&self.0, path)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(failed("cannot look at the log", path)(error)),
        }
    }

    pub(super) fn len(&self, path: &Path) -> Result<u64> {
        let metadata = self.0.metadata().map_err(failed("cannot look at the log", path))?;
        Ok(metadata.len())
    }

    /// Makes the file longer, and allocates its blocks.
    pub(super) fn grow(&self, path: &Path, from: u64, to: u64) -> Result<()> {
        os::set_file_len(&self.0, from, to, true).map_err(|error| {
            let message = format!("cannot make the log {to} bytes long");
            Error::os("append", message, error).with_path(Some(path))
        })
    }

    /// Cuts off what is behind the last frame and the mark that follows it, unless
    /// somebody has the file mapped and the system minds.
    pub(super) fn trim(&self, path: &Path, len: u64) -> Result<()> {
        match self.0.set_len(len) {
            Err(_) if !os::CUTS_MAPPED_FILES => Ok(()),
            trimmed => trimmed.map_err(failed("cannot trim the log", path)),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        os::unlock_file(&self.0);
    }
}

fn identity(file: &File, path: &Path) -> Result<(u64, u64)> {
    os::file_id(file).map_err(failed("cannot look at the log", path))
}

/// One file of a log, mapped.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) map: Map,
    pub(super) base: u64,
}

impl Part {
    /// Opens the file at `path` to append to it, and makes it first if there is
    /// none.
    pub(super) fn open(path: &Arc<Path>) -> Result<Self> {
        loop {
            OpenOptions::new()
                .read(true)
                .append(true)
                .create(true)
                .open(path)
                .map_err(failed("cannot open or make the log", path))?;
            // It may be gone again.
            let Some(mut lock) = Lock::take(path)? else { continue };
            let named = |error: Error| error.with_path(Some(path));
            let header = match Header::read(&mut lock.0).map_err(named)? {
                Some(header) => header,
                None => begin(&mut lock.0, path)?,
            };
            let file = lock.0.try_clone().map_err(failed("cannot open the log", path))?;
            let map = MapOptions::new().access(Access::Write).map_owned(file).map_err(named)?;
            if map.len() < HEADER + WORD {
                return Err(named(corrupt("open", "the log ends inside its header")));
            }
            return Ok(Self { map: map.with_path(Arc::clone(path)), base: header.base });
        }
    }

    /// Opens a file to read it. `None`: there is none, it is empty, or is no log
    /// and may be something else.
    pub(super) fn open_to_read(path: &Path) -> Result<Option<Self>> {
        let named = |error: Error| error.with_path(Some(path));
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("cannot open the log", path)(error)),
        };
        let Some(Header { base }) = Header::read(&mut file).map_err(named)? else {
            return Ok(None);
        };
        let map = MapOptions::new().map_owned(file).map_err(named)?;
        Ok(Some(Self { map: map.with_path(Arc::from(path)), base }))
    }

    /// The same file, mapped as long as it is now.
    pub(super) fn again(&self, path: &Arc<Path>) -> Result<Self> {
        let access = if self.map.is_writable() { Access::Write } else { Access::Read };
        let file = self.map.kept_file("append")?;
        let file = file.try_clone().map_err(failed("cannot open the log", path))?;
        let map = MapOptions::new()
            .access(access)
            .map_owned(file)
            .map_err(|error| error.with_path(Some(path)))?;
        Ok(Self { map: map.with_path(Arc::clone(path)), base: self.base })
    }
}

/// Writes the header of a new file, which is locked. It is on the disk before
/// anything else of the file is.
fn begin(file: &mut File, path: &Path) -> Result<Header> {
    let header = Header { base: end_of(&numbered(path, 1)).unwrap_or(0) };
    let mut bytes = header.to_bytes().to_vec();
    // With room for the word that says that nothing follows.
    bytes.resize(HEADER + WORD, 0);
    file.seek(SeekFrom::Start(0))
        .and_then(|_| file.write_all(&bytes))
        .and_then(|()| file.sync_all())
        .and_then(|()| sync_folder(path))
        .map_err(failed("cannot begin the log", path))?;
    Ok(header)
}

/// Writes the names in a file's folder to the disk, where folders can be opened.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    match File::open(folder.unwrap_or(Path::new("."))) {
        Ok(folder) if cfg!(unix) => folder.sync_all(),
        _ => Ok(()),
    }
}

/// The offset in the log at which a file ends that was rotated away, or moved.
fn end_of(path: &Path) -> Option<u64> {
    let part = Part::open_to_read(path).ok()??;
    // Who rotates cuts off what is behind the mark; who moves a file does not.
    let last = part.map.len().checked_sub(WORD).filter(|at| at % WORD == 0)?;
    if Word::decode(part.map.load_word(last).ok()?) == Word::Rotated {
        return Some(part.base + last as u64);
    }
    match Tail::new(part, HEADER).find_end().ok()? {
        (Attempt::Rotated, end) => Some(end),
        _ => None,
    }
}

/// The name of the `nth` file before the one at `path`.
pub(super) fn numbered(path: &Path, nth: u32) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(format!(".{nth}"));
    name.into()
}

/// Gives the file at `path`, whose lock is held, the number 1, and each older one
/// the next, up to a number that is free or `keep`. Whoever dies on the way
/// leaves a number free, and nothing lost.
pub(super) fn shift(path: &Path, keep: u32) -> Result<()> {
    let is_free = |nth: &u32| !numbered(path, *nth).exists();
    let last = (1..keep).find(is_free).unwrap_or(keep);
    for nth in (1..last).rev() {
        rename(&numbered(path, nth), &numbered(path, nth + 1))?;
    }
    rename(path, &numbered(path, 1))
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    std::fs::rename(from, to).map_err(|error| {
        let message = format!("cannot rename the log to {}", to.display());
        Error::os("rotate", message, error).with_path(Some(from))
    })
}

/// The files of a log that are there, with the offsets at which they begin, from
/// the oldest to the newest.
pub(super) fn all(path: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    // The newest first: a file that is renamed meanwhile comes later, and is not
    // missed.
    match File::open(path) {
        Ok(mut file) => {
            let header = Header::read(&mut file).map_err(|error| error.with_path(Some(path)))?;
            found.extend(header.map(|header| (header.base, path.to_path_buf())));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // While others rotate, again and again, one of these names is free.
            let there = (1..=2).any(|nth| numbered(path, nth).exists()) || path.exists();
            if !there {
                return Err(failed("cannot open the log", path)(error));
            }
        }
        Err(error) => return Err(failed("cannot open the log", path)(error)),
    }
    // A rotation that is going on, or was cut short, leaves one number free.
    let mut missing = 0;
    for nth in 1..=u32::MAX {
        let path = numbered(path, nth);
        let Ok(mut file) = File::open(&path) else {
            missing += 1;
            if missing == 2 {
                break;
            }
            continue;
        };
        missing = 0;
        // What is no log has its name for another reason.
        if let Ok(Some(header)) = Header::read(&mut file) {
            found.push((header.base, path));
        }
    }
    found.sort_unstable();
    found.dedup_by_key(|(base, _)| *base);
    Ok(found)
}

/// Writes the files that begin at these offsets to the disk, as far as they are
/// kept.
pub(super) fn sync(path: &Path, bases: std::ops::Range<u64>) -> Result<()> {
    'again: loop {
        for (base, path) in all(path)?.into_iter().filter(|(base, _)| bases.contains(base)) {
            // Its name may be another file's by now, or nobody's. Windows writes back
            // only through a handle that may write.
            let mut file = match File::options().read(true).write(cfg!(windows)).open(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue 'again,
                file => file.map_err(failed("cannot open the log", &path))?,
            };
            if Header::read(&mut file).ok().flatten() != Some(Header { base }) {
                continue 'again;
            }
            file.sync_data().map_err(|error| {
                Error::os("sync", "cannot write the log to the disk", error).with_path(Some(&path))
            })?;
        }
        return Ok(());
    }
}
