//! A mapping: what it is made of, its length, and what the system can do with
//! its memory.

use std::ffi::CStr;
use std::fs::File;
use std::ops::RangeBounds;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fmt, io};

use crate::error::{Error, ErrorKind, Result};
use crate::grow::Room;
use crate::guard::Guard;
use crate::options::{MapOptions, Protection};
use crate::os::{self, BorrowedFile, Mapping, Request};
use crate::range::{Placement, Span};
use crate::view::View;

/// A memory-mapped file, or memory that belongs to no file.
///
/// Its methods copy bytes in and out, search and compare them; none gives a
/// reference into a file's pages, because the file can change or shrink under
/// the program at any moment. A page that fails meanwhile is an error of kind
/// [`Fault`](ErrorKind::Fault).
///
/// A map may be read, searched and written by many threads at once through
/// shared references. Accesses that overlap in time see each other's bytes in
/// any order, as processes that share a file do.
///
/// ```
/// use faultless::Map;
///
/// let map = Map::open(std::env::current_exe()?)?;
/// assert!(map.len() > 1000);
/// let first = map.get(0)?;
/// assert_eq!(map.find(&[first], ..)?, Some(0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
// In this order: what every operation looks at lies together.
#[repr(C)]
pub struct Map {
    pub(crate) view: View,
    readable: bool,
    writable: bool,
    pub(crate) guard: Guard,
    pub(crate) layout: Layout,
    pub(crate) mapping: Mapping,
    pub(crate) file: Option<File>,
    path: Option<Arc<Path>>,
    /// Where it can grow without moving.
    pub(crate) room: Option<Box<Room>>,
}

/// Where a map lies in its file and how it was asked for: all that is needed to
/// map it again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    pub(crate) placement: Placement,
    /// Bytes of the map, which begin `placement.lead` bytes into the mapping; and
    /// those behind them that were allocated ahead.
    pub(crate) len: usize,
    pub(crate) protection: i32,
    pub(crate) flags: i32,
    /// The page size of the mapping.
    pub(crate) page: usize,
    /// Whether the file is a regular one, whose length bounds the map.
    pub(crate) regular: bool,
    /// Whether growing the file leaves a hole.
    pub(crate) sparse: bool,
    /// Whether resizing the map may resize its file.
    pub(crate) resizes: bool,
    /// Whether a shared map is made private if the file's system has no shared
    /// ones, and whether that was done.
    pub(crate) fallback: Fallback,
}

/// What becomes of a shared map that the file's system refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fallback {
    /// An error.
    Refused,
    /// A private one.
    Allowed,
    /// It is a private one.
    Taken,
}

impl Layout {
    /// Maps it. An empty map needs no memory.
    pub(crate) fn map(&mut self, file: Option<BorrowedFile<'_>>) -> Result<Mapping> {
        if self.len == 0 {
            return Ok(Mapping::empty());
        }
        let mut mapped = os::map(&self.request(), file);
        if self.fallback == Fallback::Allowed && mapped.as_ref().is_err_and(os::has_no_shared_maps)
        {
            let private =
                Self { flags: os::private(self.flags), fallback: Fallback::Taken, ..*self };
            if let Ok(mapping) = os::map(&private.request(), file) {
                *self = private;
                mapped = Ok(mapping);
            }
        }
        mapped.map_err(|error| {
            let why = os::explain(&error);
            Error::os("map", format!("the system cannot map {} bytes{why}", self.len), error)
        })
    }

    pub(crate) fn request(&self) -> Request<'static> {
        Request {
            file_offset: self.placement.file_offset,
            map_len: self.placement.map_len,
            protection: self.protection,
            flags: self.flags,
            name: None,
        }
    }

    /// Maps what is there by a name, or what is made by it.
    #[cfg(windows)]
    pub(crate) fn map_named(
        &self,
        file: Option<BorrowedFile<'_>>,
        name: os::Name<'_>,
    ) -> Result<Mapping> {
        let len = self.len;
        if len == 0 {
            return Err(Error::new(ErrorKind::InvalidInput, "map", "no bytes can have a name"));
        }
        let text = name.text;
        os::map(&Request { name: Some(name), ..self.request() }, file).map_err(|error| {
            Error::os("map", format!("cannot map {len} bytes by the name {text:?}"), error)
        })
    }

    pub(crate) fn anonymous(&self) -> bool {
        self.flags & os::ANONYMOUS != 0
    }

    pub(crate) fn shared(&self) -> bool {
        os::is_shared(self.flags)
    }

    /// Bytes in memory, in whole pages, from the mapping's first byte on.
    pub(crate) fn mapped_len(&self) -> usize {
        if self.len == 0 { 0 } else { self.placement.map_len.next_multiple_of(self.page) }
    }

    /// The same with another length, no more than one that was checked.
    pub(crate) fn of_len(&self, len: usize) -> Self {
        Self { placement: self.placement.of_len(len), len, ..*self }
    }

    pub(crate) fn view(&self, mapping: &Mapping) -> View {
        View::new(mapping, self.placement.lead, self.len)
    }
}

impl Map {
    /// Maps the whole file at `path`, to read it.
    ///
    /// For anything else see [`MapOptions`].
    ///
    /// # Errors
    /// Those of [`MapOptions::open`].
    ///
    /// ```
    /// let map = faultless::Map::open(std::env::current_exe()?)?;
    /// assert!(!map.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        MapOptions::new().open(path)
    }

    pub(crate) fn new(layout: Layout, mapping: Mapping, file: Option<File>) -> Self {
        Self {
            view: layout.view(&mapping),
            guard: Guard::new(&layout, &mapping, file.as_ref()),
            readable: os::is_readable(layout.protection),
            writable: os::is_writable(layout.protection),
            layout,
            mapping,
            file,
            path: None,
            room: None,
        }
    }

    pub(crate) fn with_path(mut self, path: Arc<Path>) -> Self {
        self.path = Some(path);
        self
    }

    /// Takes on another mapping, of another length.
    pub(crate) fn settle(&mut self, layout: Layout, mapping: Mapping) {
        self.view = layout.view(&mapping);
        self.layout = layout;
        self.mapping = mapping;
        if self.guard.is_registered() {
            self.guard.set_end(&layout);
        } else {
            // It was empty, and could not fail.
            self.guard = Guard::new(&layout, &self.mapping, self.file.as_ref());
        }
    }

    /// The map's length in bytes.
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(10).map_anonymous()?;
    /// assert_eq!(map.len(), 10);
    /// # Ok::<(), faultless::Error>(())
    /// ```
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.view.len()
    }

    /// Whether the map has no bytes: the file was empty.
    ///
    /// ```
    /// let file = tempfile::NamedTempFile::new()?;
    /// assert!(faultless::Map::open(file.path())?.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Offset in the file of the map's first byte, in bytes.
    ///
    /// ```
    /// let exe = std::env::current_exe()?;
    /// let map = faultless::MapOptions::new().offset(100).len(8).open(exe)?;
    /// assert_eq!(map.file_offset(), 100);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn file_offset(&self) -> u64 {
        self.layout.placement.file_offset + self.layout.placement.lead as u64
    }

    /// The file's length now, in bytes; it may differ from the map's.
    ///
    /// # Errors
    /// * [`NoFile`](ErrorKind::NoFile): anonymous memory, or the file was not
    ///   [kept](MapOptions::keep_file).
    /// * [`Os`](ErrorKind::Os): `fstat` failed.
    ///
    /// ```
    /// let file = tempfile::NamedTempFile::new()?;
    /// std::fs::write(file.path(), b"12345")?;
    /// let map = faultless::MapOptions::new().len(2).open(file.path())?;
    /// assert_eq!(map.file_len()?, 5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn file_len(&self) -> Result<u64> {
        let file = self.kept_file("file_len")?;
        let info = os::file_info(os::borrow(file))
            .map_err(|error| self.os_error("file_len", "cannot ask the file", error))?;
        Ok(info.len)
    }

    /// The file the map keeps.
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(1).map_anonymous()?;
    /// assert!(map.file().is_none());
    /// # Ok::<(), faultless::Error>(())
    /// ```
    #[must_use]
    pub fn file(&self) -> Option<&File> {
        self.file.as_ref()
    }

    /// Whether the map belongs to no file.
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(1).map_anonymous()?;
    /// assert!(map.is_anonymous());
    /// # Ok::<(), faultless::Error>(())
    /// ```
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        self.layout.anonymous()
    }

    pub(crate) fn kept_file(&self, operation: &'static str) -> Result<&File> {
        self.file.as_ref().ok_or_else(|| {
            let message = if self.layout.anonymous() {
                "anonymous memory has no file"
            } else {
                "the map was made without keeping its file"
            };
            Error::new(ErrorKind::NoFile, operation, message)
        })
    }

    /// The path of the map's file, where it is known: the one it was opened by,
    /// or what the system says of a kept file.
    ///
    /// ```
    /// let exe = std::env::current_exe()?;
    /// assert_eq!(faultless::Map::open(&exe)?.path(), Some(exe));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn path(&self) -> Option<PathBuf> {
        match &self.path {
            Some(path) => Some(path.to_path_buf()),
            None => self.file.as_ref().and_then(|file| os::path_of(os::borrow(file))),
        }
    }

    /// Whether the map is a private one because the file's system has no shared
    /// ones: some network and FUSE file systems refuse them (`ENODEV` of `mmap`). A
    /// [read-only](crate::Access::Read) map of a file is then made with
    /// `MAP_PRIVATE`; changes that others make to the file later may or may not be
    /// seen in it. It stays read-only: [`protect`](Self::protect) does not make it
    /// one that can be written.
    ///
    /// ```
    /// let map = faultless::Map::open(std::env::current_exe()?)?;
    /// if map.is_private_fallback() {
    ///     println!("changes of the file may go unnoticed");
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn is_private_fallback(&self) -> bool {
        self.layout.fallback == Fallback::Taken
    }

    /// Whether bytes can be read.
    ///
    /// ```
    /// use faultless::{MapOptions, Protection};
    /// let map = MapOptions::new().len(1).protection(Protection::NONE).map_anonymous()?;
    /// assert!(!map.is_readable());
    /// assert!(map.get(0).is_err());
    /// # Ok::<(), faultless::Error>(())
    /// ```
    #[inline]
    #[must_use]
    pub fn is_readable(&self) -> bool {
        self.readable
    }

    /// Whether bytes can be written.
    ///
    /// ```
    /// let map = faultless::Map::open(std::env::current_exe()?)?;
    /// assert!(!map.is_writable());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.writable
    }

    /// The part of the map that a reading operation asks for, if it may.
    #[inline]
    pub(crate) fn check_readable(&self, operation: &'static str) -> Result<()> {
        if self.readable { Ok(()) } else { Err(no_access(operation, "the map cannot be read")) }
    }

    /// The part of the map that a writing operation asks for, if it may.
    #[inline]
    pub(crate) fn check_writable(&self, operation: &'static str) -> Result<()> {
        if self.writable { Ok(()) } else { Err(no_access(operation, "the map cannot be written")) }
    }

    /// An error of the system, with the file's name.
    #[cold]
    pub(crate) fn os_error(
        &self,
        operation: &'static str,
        message: impl Into<std::borrow::Cow<'static, str>>,
        error: io::Error,
    ) -> Error {
        Error::os(operation, message, error).with_path(self.path().as_deref())
    }

    /// Address and length of whole pages that contain a range: what the system
    /// calls take.
    pub(crate) fn pages(&self, span: Span) -> (*mut u8, usize) {
        let lead = self.layout.placement.lead;
        let first = (lead + span.start()) / self.layout.page * self.layout.page;
        let last = lead + span.end();
        (self.mapping.base().wrapping_add(first), last - first)
    }

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
    /// * [`OutOfRange`](ErrorKind::OutOfRange): the range is not inside the map.
    /// * [`Fault`](ErrorKind::Fault): pages of the map failed, so that changes
    ///   may not have reached the file.
    /// * [`Os`](ErrorKind::Os): `msync` failed, for example with `EIO`.
    /// * [`NoFile`](ErrorKind::NoFile): a [durable](Flush::durable) flush of a map
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
        if how.1 && self.writable && self.layout.shared() && !self.layout.anonymous() {
            self.kept_file("flush")?
                .sync_data()
                .map_err(|error| self.os_error("flush", "cannot write to the device", error))?;
        }
        self.guard.flushed(self, epoch)
    }

    /// Keeps a range, in bytes, in memory: its pages are read in now and not
    /// taken away until [`unlock`](Self::unlock).
    ///
    /// # Errors
    /// * [`OutOfRange`](ErrorKind::OutOfRange): the range is not inside the map.
    /// * [`Fault`](ErrorKind::Fault): a page of the range failed.
    /// * [`Os`](ErrorKind::Os): `ENOMEM` or `EPERM` past the limit of locked
    ///   memory (`RLIMIT_MEMLOCK`). Windows bounds it by the process's working
    ///   set (`ERROR_WORKING_SET_QUOTA`), which is made larger first.
    ///
    /// See [mlock(2)](https://man7.org/linux/man-pages/man2/mlock.2.html).
    ///
    /// ```no_run
    /// let map = faultless::Map::open("index")?;
    /// map.lock(..4096)?;
    /// # Ok::<(), faultless::Error>(())
    /// ```
    pub fn lock(&self, range: impl RangeBounds<usize>) -> Result<()> {
        let span = Span::of("lock", self.len(), &range)?;
        if span.is_empty() {
            return Ok(());
        }
        self.guard.present(self, "lock", span)?;
        let (start, len) = self.pages(span);
        os::lock(start, len).map_err(|error| {
            // The system answers ENOMEM for a page that failed, too.
            let failed = if self.is_readable() { self.fetch("lock", span).err() } else { None };
            failed
                .unwrap_or_else(|| self.os_error("lock", format!("cannot lock {len} bytes"), error))
        })
    }

    /// Lets the system take a range, in bytes, out of memory again.
    ///
    /// # Errors
    /// As [`lock`](Self::lock).
    ///
    /// ```no_run
    /// let map = faultless::Map::open("index")?;
    /// map.lock(..)?;
    /// map.unlock(4096..)?;
    /// # Ok::<(), faultless::Error>(())
    /// ```
    pub fn unlock(&self, range: impl RangeBounds<usize>) -> Result<()> {
        let span = Span::of("unlock", self.len(), &range)?;
        if span.is_empty() {
            return Ok(());
        }
        let (start, len) = self.pages(span);
        os::unlock(start, len)
            .map_err(|error| self.os_error("unlock", format!("cannot unlock {len} bytes"), error))
    }

    /// Changes which accesses the map's pages allow. Operations that are no
    /// longer allowed are errors of kind [`Access`](ErrorKind::Access).
    ///
    /// # Errors
    /// * [`Os`](ErrorKind::Os): `EACCES` if the file was not open for that access.
    /// * [`Access`](ErrorKind::Access): the map would become one that can be
    ///   written, and is private [only because](Self::is_private_fallback) there is
    ///   no other: what was written would not reach the file.
    ///
    /// See [mprotect(2)](https://man7.org/linux/man-pages/man2/mprotect.2.html).
    ///
    /// ```
    /// use faultless::{ErrorKind, MapOptions, Protection};
    /// let mut map = MapOptions::new().len(10).map_anonymous()?;
    /// map.set(0, 7)?;
    /// map.protect(Protection::READ)?;
    /// assert_eq!(map.set(0, 8).unwrap_err().kind(), ErrorKind::Access);
    /// assert_eq!(map.get(0)?, 7);
    /// # Ok::<(), faultless::Error>(())
    /// ```
    pub fn protect(&mut self, protection: Protection) -> Result<()> {
        let raw = protection.raw();
        if self.is_private_fallback() && os::is_writable(raw) {
            return Err(no_access("protect", "the file's system has no maps that write to it"));
        }
        if self.mapping.len() != 0 {
            os::protect(&mut self.mapping, raw)
                .map_err(|error| self.os_error("protect", "the system refused", error))?;
        }
        self.layout.protection = raw;
        self.readable = os::is_readable(raw);
        self.writable = os::is_writable(raw);
        self.guard.set_protection(raw);
        Ok(())
    }

    /// Gives anonymous memory a name in `/proc/self/maps`.
    ///
    /// # Errors
    /// * [`Unsupported`](ErrorKind::Unsupported): the map has a file, or the
    ///   system has no such names.
    /// * [`Os`](ErrorKind::Os): `EINVAL` for a name of more than 79 bytes, for
    ///   characters it must not have (`[]\$` and backquotes), or for a kernel
    ///   built without `CONFIG_ANON_VMA_NAME`.
    ///
    /// See [`PR_SET_VMA`](https://man7.org/linux/man-pages/man2/PR_SET_VMA.2const.html).
    ///
    /// ```no_run
    /// let map = faultless::MapOptions::new().len(1 << 20).map_anonymous()?;
    /// map.set_name(c"cache")?;
    /// # Ok::<(), faultless::Error>(())
    /// ```
    pub fn set_name(&self, name: &CStr) -> Result<()> {
        if !self.layout.anonymous() {
            let message = "only anonymous memory can be named";
            return Err(Error::new(ErrorKind::Unsupported, "set_name", message));
        }
        if self.is_empty() {
            return Ok(());
        }
        os::set_name(self.mapping.base(), self.mapping.len(), name)
            .map_err(|error| self.os_error("set_name", "the system refused", error))
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        self.guard.release(std::mem::replace(&mut self.mapping, Mapping::empty()));
        self.trim();
    }
}

impl fmt::Debug for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Map")
            .field("len", &self.len())
            .field("file_offset", &self.file_offset())
            .field("readable", &self.readable)
            .field("writable", &self.writable)
            .field("shared", &self.layout.shared())
            .field("path", &self.path())
            .finish_non_exhaustive()
    }
}

#[cold]
fn no_access(operation: &'static str, message: &'static str) -> Error {
    Error::new(ErrorKind::Access, operation, message)
}

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
    /// It needs the map's file: [`NoFile`](ErrorKind::NoFile) if that was not
    /// [kept](MapOptions::keep_file).
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

/// The size of a page of memory, in bytes.
///
/// ```
/// assert!(faultless::page_size().is_power_of_two());
/// ```
#[must_use]
pub fn page_size() -> usize {
    os::page_size()
}

/// What the system's own offsets of maps are multiples of, in bytes: the page
/// size on Unix, 64 KiB on Windows. [`MapOptions::offset`] takes any offset.
///
/// ```
/// assert_eq!(faultless::allocation_granularity() % faultless::page_size(), 0);
/// ```
#[must_use]
pub fn allocation_granularity() -> usize {
    os::allocation_granularity()
}
