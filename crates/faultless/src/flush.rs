//! Writing changes back to the file.

use std::ops::RangeBounds;

use crate::error::Result;
use crate::map::Map;
use crate::os;
use crate::range::Span;

/// How [`Map::flush_range`] writes changes back.
///
/// ```
/// let map = faultless::MapOptions::new().len(8).map_anonymous()?;
/// map.flush_range(..4, faultless::Flush::SYNC)?;
/// # Ok::<(), faultless::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flush(i32, bool);

impl Flush {
    /// Wait until the changes are written (`MS_SYNC`).
    pub const SYNC: Self = Self(os::SYNC, false);
    /// Start writing and return (`MS_ASYNC`). On Linux the system writes the
    /// pages in its own time anyway, and this does nothing.
    pub const ASYNC: Self = Self(os::ASYNC, false);

    /// Also make other maps of the file fetch the pages anew (`MS_INVALIDATE`).
    /// It is an error (`EBUSY`) if some of them are [locked](Map::lock).
    ///
    /// ```
    /// assert_ne!(faultless::Flush::SYNC.invalidate(), faultless::Flush::SYNC);
    /// ```
    #[must_use]
    pub const fn invalidate(self) -> Self {
        Self(self.0 | os::INVALIDATE, self.1)
    }

    /// Also make the device write what it keeps in a memory of its own, so that
    /// the bytes outlive a loss of power. Linux does this for [`SYNC`](Self::SYNC)
    /// already. Others do not, because it takes long: on macOS it is
    /// `fcntl(F_FULLFSYNC)`, on Windows `FlushFileBuffers`. The whole file is written, whatever the range.
    ///
    /// It needs the map's file: [`NoFile`](crate::ErrorKind::NoFile) if that was not
    /// [kept](crate::MapOptions::keep_file).
    ///
    /// ```
    /// # let file = tempfile::NamedTempFile::new()?;
    /// # std::fs::write(file.path(), b"12345")?;
    /// use faultless::{Access, Flush, MapOptions};
    /// let map = MapOptions::new().access(Access::Write).open(file.path())?;
    /// map.write_at(0, b"paid")?;
    /// map.flush_range(.., Flush::SYNC.durable())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn durable(self) -> Self {
        Self(self.0, true)
    }

    /// From the flags that `msync` takes on this system.
    ///
    /// ```
    /// assert_eq!(faultless::Flush::from_raw(libc::MS_SYNC), faultless::Flush::SYNC);
    /// ```
    #[cfg(unix)]
    #[must_use]
    pub const fn from_raw(flags: i32) -> Self {
        Self(flags, false)
    }
}

impl Map {
    /// Writes the whole map's changes to its file, and waits until they are
    /// there: [`flush_range`](Self::flush_range) of everything.
    ///
    /// # Errors
    /// Those of [`flush_range`](Self::flush_range).
    ///
    /// ```
    /// # let file = tempfile::NamedTempFile::new()?;
    /// # std::fs::write(file.path(), b"12345")?;
    /// use faultless::{Access, MapOptions};
    /// let map = MapOptions::new().access(Access::Write).open(file.path())?;
    /// map.write_at(0, b"9")?;
    /// map.flush()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn flush(&self) -> Result<()> {
        self.flush_range(.., Flush::SYNC)
    }

    /// Writes the changes in a range, in bytes, to the file. Whole pages are
    /// written; no alignment is asked of the range. Maps whose changes do not
    /// go to a file have nothing to write, and succeed.
    ///
    /// What is on disk after success, and what metadata, is said in msync(2):
    /// the data, as after `fdatasync`. On Windows it is what `FlushViewOfFile`
    /// writes, and the rest is for a [durable](Flush::durable) flush.
    ///
    /// # Errors
    /// * [`OutOfRange`](crate::ErrorKind::OutOfRange): the range is not inside the map.
    /// * [`Fault`](crate::ErrorKind::Fault): pages of the map failed, so that changes
    ///   may not have reached the file.
    /// * [`Os`](crate::ErrorKind::Os): `msync` failed, for example with `EIO`.
    /// * [`NoFile`](crate::ErrorKind::NoFile): a [durable](Flush::durable) flush of a map
    ///   that keeps no file.
    ///
    /// See [msync(2)](https://man7.org/linux/man-pages/man2/msync.2.html).
    ///
    /// ```
    /// # let file = tempfile::NamedTempFile::new()?;
    /// # std::fs::write(file.path(), b"12345")?;
    /// use faultless::{Access, Flush, MapOptions};
    /// let map = MapOptions::new().access(Access::Write).open(file.path())?;
    /// map.write_at(3, b"9")?;
    /// map.flush_range(3..4, Flush::ASYNC)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn flush_range(&self, range: impl RangeBounds<usize>, how: Flush) -> Result<()> {
        let span = Span::of("flush", self.len(), &range)?;
        let epoch = self.guard.flush(self)?;
        if !span.is_empty() {
            let (start, len) = self.pages(span);
            os::flush(start, len, how.0)
                .map_err(|error| self.os_error("flush", "cannot write the pages back", error))?;
        }
        if how.1 && self.is_writable() && self.layout.shared() && !self.layout.anonymous() {
            let file = self.kept_file("flush")?;
            if !os::SYNC_IS_DURABLE {
                file.sync_data()
                    .map_err(|error| self.os_error("flush", "cannot write to the device", error))?;
            }
        }
        self.guard.flushed(self, epoch)
    }
}
