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
use crate::options::{Fallback, Layout, MapOptions, Protection};
use crate::os::{self, Mapping};
use crate::range::Span;
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
