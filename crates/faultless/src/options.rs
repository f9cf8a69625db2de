//! How a map is asked for.

mod access;
mod layout;

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::identity::FileIdentity;
use crate::map::Map;
use crate::os::{self, BorrowedFile, Mapping};
use crate::range::Placement;
use crate::shared::Create;

#[cfg(unix)]
use std::os::fd::AsFd as AsFile;
#[cfg(windows)]
use std::os::windows::io::AsHandle as AsFile;

pub use access::{Access, Protection};
use layout::invalid;
pub(crate) use layout::{Fallback, Layout};

/// Pages larger than the usual ones.
///
/// ```
/// use faultless::{HugePages, MapOptions};
/// let map = MapOptions::new().len(4 << 20).huge_pages(HugePages::Transparent).map_anonymous()?;
/// assert_eq!(map.len(), 4 << 20);
/// # Ok::<(), faultless::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HugePages {
    /// Let the system use huge pages where it can (`MADV_HUGEPAGE`). A hint:
    /// without support nothing happens.
    Transparent,
    /// Take pages of the system's default huge size from its reserved pool
    /// (`MAP_HUGETLB`). Anonymous memory only, and an error if the pool is empty.
    /// Windows: large pages, an error without the privilege to lock pages.
    Default,
    /// Take pages of `1 << n` bytes from the reserved pool.
    Shift(u32),
}

/// Options for making a [`Map`], in the manner of [`std::fs::OpenOptions`].
///
/// ```
/// use faultless::{Access, MapOptions};
///
/// let dir = tempfile::tempdir()?;
/// let path = dir.path().join("data");
/// std::fs::write(&path, b"0123456789")?;
///
/// let map = MapOptions::new().access(Access::Write).offset(2).len(5).open(&path)?;
/// assert_eq!(map.to_vec(..)?, b"23456");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct MapOptions {
    access: Access,
    offset: u64,
    pub(crate) len: Option<usize>,
    shared: bool,
    keep_file: bool,
    pub(crate) sparse: bool,
    populate: bool,
    no_reserve: bool,
    stack: bool,
    huge_pages: Option<HugePages>,
    protection: Option<Protection>,
    raw_flags: Option<i32>,
    pub(crate) name: Option<(String, Create)>,
    pub(crate) reserve: Option<usize>,
    extend: bool,
    pub(crate) expected: Option<FileIdentity>,
    #[cfg(windows)]
    tag_name: Option<String>,
}

impl Default for MapOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl MapOptions {
    /// A read-only map of the whole file; for anonymous memory, a private map
    /// that can be written.
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(8).map_anonymous()?;
    /// assert!(map.is_writable());
    /// # Ok::<(), faultless::Error>(())
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self {
            access: Access::Read,
            offset: 0,
            len: None,
            shared: false,
            keep_file: true,
            sparse: false,
            populate: false,
            no_reserve: false,
            stack: false,
            huge_pages: None,
            protection: None,
            raw_flags: None,
            name: None,
            reserve: None,
            extend: false,
            expected: None,
            #[cfg(windows)]
            tag_name: None,
        }
    }

    /// What the map may do with its bytes. [`Access::Read`] by default.
    /// Anonymous memory can always be written: see [`shared`](Self::shared).
    ///
    /// ```
    /// use faultless::{Access, MapOptions};
    /// # let file = tempfile::NamedTempFile::new()?;
    /// std::fs::write(file.path(), b"old")?;
    /// MapOptions::new().access(Access::Write).open(file.path())?.write_at(0, b"new")?;
    /// assert_eq!(std::fs::read(file.path())?, b"new");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn access(&mut self, access: Access) -> &mut Self {
        self.access = access;
        self
    }

    /// Where in the file the map begins, in bytes: any offset, not only a
    /// multiple of the page size. By default 0. Anonymous memory has none.
    ///
    /// ```
    /// # let file = tempfile::NamedTempFile::new()?;
    /// std::fs::write(file.path(), b"0123456789")?;
    /// let map = faultless::MapOptions::new().offset(7).open(file.path())?;
    /// assert_eq!(map.to_vec(..)?, b"789");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn offset(&mut self, offset: u64) -> &mut Self {
        self.offset = offset;
        self
    }

    /// How many bytes are mapped. By default all from the offset to the file's
    /// end; anonymous memory needs a length.
    ///
    /// ```
    /// # let file = tempfile::NamedTempFile::new()?;
    /// std::fs::write(file.path(), b"0123456789")?;
    /// let map = faultless::MapOptions::new().len(3).open(file.path())?;
    /// assert_eq!(map.to_vec(..)?, b"012");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn len(&mut self, len: usize) -> &mut Self {
        self.len = Some(len);
        self
    }

    /// Whether anonymous memory is shared with the child processes that are
    /// forked later. By default it is not.
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(8).shared(true).map_anonymous()?;
    /// map.set(0, 1)?; // a child process that is forked now sees it
    /// # Ok::<(), faultless::Error>(())
    /// ```
    pub fn shared(&mut self, shared: bool) -> &mut Self {
        self.shared = shared;
        self
    }

    /// Whether the map keeps the file open, so that it can be
    /// [resized](Map::resize) and asked for its [file's length](Map::file_len),
    /// and heal after a truncation. By default it does, which costs a file
    /// descriptor a map (the file's own where the map opened it or was given
    /// it).
    ///
    /// ```
    /// let map = faultless::MapOptions::new().keep_file(false).open(std::env::current_exe()?)?;
    /// assert!(map.file().is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn keep_file(&mut self, keep: bool) -> &mut Self {
        self.keep_file = keep;
        self
    }

    /// Whether growing the file leaves holes where nothing was written, instead
    /// of allocating its blocks. By default they are allocated, so that a full
    /// disk is an error of [`Map::resize`] and not of a store later.
    ///
    /// ```
    /// let dir = tempfile::tempdir()?;
    /// let path = dir.path().join("sparse");
    /// faultless::MapOptions::new().len(1 << 30).sparse(true).create(&path)?;
    /// assert_eq!(std::fs::metadata(&path)?.len(), 1 << 30);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn sparse(&mut self, sparse: bool) -> &mut Self {
        self.sparse = sparse;
        self
    }

    /// Whether a file that ends before the map would is first made longer, if
    /// the map is to [write](Access::Write) to it. By default that is an error.
    /// The new bytes are zeros, and allocated unless [`sparse`](Self::sparse).
    ///
    /// ```
    /// use faultless::{Access, MapOptions};
    /// # let file = tempfile::NamedTempFile::new()?;
    /// std::fs::write(file.path(), b"12345")?;
    /// let map = MapOptions::new().access(Access::Write).extend(true).len(7).open(file.path())?;
    /// assert_eq!(map.to_vec(..)?, b"12345\0\0");
    /// assert_eq!(std::fs::metadata(file.path())?.len(), 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn extend(&mut self, extend: bool) -> &mut Self {
        self.extend = extend;
        self
    }

    /// Whether the pages are read in before the map is returned
    /// (`MAP_POPULATE`). By default each is read at its first use. No effect
    /// on systems that cannot.
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(8).populate(true).map_anonymous()?;
    /// assert_eq!(map.get(0)?, 0);
    /// # Ok::<(), faultless::Error>(())
    /// ```
    pub fn populate(&mut self, populate: bool) -> &mut Self {
        self.populate = populate;
        self
    }

    /// Whether no swap space is reserved (`MAP_NORESERVE`). By default it is
    /// where the system does so. No effect on systems that cannot.
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(1 << 20).no_reserve(true).map_anonymous()?;
    /// assert_eq!(map.len(), 1 << 20);
    /// # Ok::<(), faultless::Error>(())
    /// ```
    pub fn no_reserve(&mut self, no_reserve: bool) -> &mut Self {
        self.no_reserve = no_reserve;
        self
    }

    /// Whether the memory is to be used as a stack (`MAP_STACK`). Anonymous
    /// memory; no effect on systems that do not tell the difference.
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(1 << 16).stack(true).map_anonymous()?;
    /// assert_eq!(map.len(), 1 << 16);
    /// # Ok::<(), faultless::Error>(())
    /// ```
    pub fn stack(&mut self, stack: bool) -> &mut Self {
        self.stack = stack;
        self
    }

    /// Pages larger than the usual ones. By default none are asked for.
    ///
    /// ```
    /// use faultless::{HugePages, MapOptions};
    /// let map = MapOptions::new().len(2 << 20).huge_pages(HugePages::Transparent).map_anonymous()?;
    /// map.set(0, 1)?;
    /// # Ok::<(), faultless::Error>(())
    /// ```
    pub fn huge_pages(&mut self, huge_pages: HugePages) -> &mut Self {
        self.huge_pages = Some(huge_pages);
        self
    }

    /// The protection of the pages, instead of the one that
    /// [`access`](Self::access) implies: memory to execute, say, or a map that
    /// is [given access](Map::protect) only later.
    ///
    /// ```
    /// use faultless::{MapOptions, Protection};
    /// let map = MapOptions::new().len(8).protection(Protection::READ).map_anonymous()?;
    /// assert!(map.set(0, 1).is_err());
    /// # Ok::<(), faultless::Error>(())
    /// ```
    pub fn protection(&mut self, protection: Protection) -> &mut Self {
        self.protection = Some(protection);
        self
    }

    /// The flags of the mapping (`MAP_SHARED`, `MAP_PRIVATE` and what goes with
    /// them) instead of those that the other options imply. Flags that would
    /// place the map where another may be (`MAP_FIXED`) are refused. A private
    /// map made so can be [resized](Map::resize), and its file with it.
    ///
    /// See [mmap(2)](https://man7.org/linux/man-pages/man2/mmap.2.html).
    ///
    /// ```
    /// let flags = libc::MAP_PRIVATE;
    /// let map = faultless::MapOptions::new().len(8).raw_flags(flags).map_anonymous()?;
    /// assert_eq!(map.get(0)?, 0);
    /// # Ok::<(), faultless::Error>(())
    /// ```
    #[cfg(unix)]
    pub fn raw_flags(&mut self, flags: i32) -> &mut Self {
        self.raw_flags = Some(flags);
        self
    }

    /// The name of the section that the map is a view of, which other processes
    /// map the same memory by. If there is a section of this name the map is of
    /// that one, whatever file it belongs to; else one is made. By default the
    /// section has no name. Windows only; a map of a file that has one cannot be
    /// [resized](Map::resize) and is not [guarded](Map::is_guarded), because the
    /// section that is there may be of another file. Memory can be resized while
    /// nobody else has it mapped.
    ///
    /// See [CreateFileMapping](https://learn.microsoft.com/windows/win32/api/memoryapi/nf-memoryapi-createfilemappingw).
    ///
    /// ```
    /// let mut options = faultless::MapOptions::new();
    /// options.len(8).tag_name("shared by two");
    /// let (one, other) = (options.map_anonymous()?, options.map_anonymous()?);
    /// one.set(3, 7)?;
    /// assert_eq!(other.get(3)?, 7);
    /// # Ok::<(), faultless::Error>(())
    /// ```
    #[cfg(windows)]
    pub fn tag_name(&mut self, name: impl Into<String>) -> &mut Self {
        self.tag_name = Some(name.into());
        self
    }

    /// Opens the file at `path`, for reading, or for writing too where
    /// [`Access::Write`] needs it, and maps it.
    ///
    /// # Errors
    /// Those of opening the file ([`ErrorKind::Os`](crate::ErrorKind::Os)), those of
    /// [`map`](Self::map), and [`Replaced`](crate::ErrorKind::Replaced) for another
    /// file than the one [expected](Self::expect_file).
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(4).open(std::env::current_exe()?)?;
    /// assert_eq!(map.len(), 4);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open(&self, path: impl AsRef<Path>) -> Result<Map> {
        let path = path.as_ref();
        let map = OpenOptions::new()
            .read(true)
            .write(self.access == Access::Write)
            .open(path)
            .map_err(|error| Error::os("open", "cannot open the file", error))
            .and_then(|file| {
                self.expected.map_or(Ok(()), |expected| expected.check(&file))?;
                self.map_owned(file)
            })
            .map_err(|error| error.with_path(Some(path)))?;
        Ok(map.with_path(Arc::from(path)))
    }

    /// Makes the file at `path`, or empties it, gives it the
    /// [length](Self::len) asked for after the [offset](Self::offset), and maps
    /// it to read and write. All bytes are zeros, and the blocks of the mapped
    /// part allocated unless [`sparse`](Self::sparse).
    ///
    /// # Errors
    /// * [`InvalidInput`](crate::ErrorKind::InvalidInput): no length is given; the
    ///   file is untouched.
    /// * [`OutOfRange`](crate::ErrorKind::OutOfRange): no file has that many
    ///   bytes; the file is untouched.
    /// * [`Os`](crate::ErrorKind::Os): as for opening and [mapping](Self::map),
    ///   and `ENOSPC`.
    ///
    /// ```
    /// let dir = tempfile::tempdir()?;
    /// let map = faultless::MapOptions::new().len(100).create(dir.path().join("new"))?;
    /// map.write_at(0, b"hello")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn create(&self, path: impl AsRef<Path>) -> Result<Map> {
        self.make_file(path.as_ref(), false)
    }

    /// As [`create`](Self::create), for a file that must not exist yet.
    ///
    /// # Errors
    /// As [`create`](Self::create), and `EEXIST`. If the file cannot get its
    /// length it is removed again.
    ///
    /// ```
    /// let dir = tempfile::tempdir()?;
    /// let path = dir.path().join("new");
    /// faultless::MapOptions::new().len(100).create_new(&path)?;
    /// assert!(faultless::MapOptions::new().len(100).create_new(&path).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn create_new(&self, path: impl AsRef<Path>) -> Result<Map> {
        self.make_file(path.as_ref(), true)
    }

    fn make_file(&self, path: &Path, new: bool) -> Result<Map> {
        // All that can be refused is refused before the file is touched.
        let Some(len) = self.len else { return Err(invalid("a new file needs a length")) };
        let most = len.max(self.reserve.unwrap_or(0));
        Placement::new(self.offset, most, os::allocation_granularity())?;
        self.file_flags(os::SHARED)?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(!new)
            .create_new(new)
            .truncate(!new)
            .open(path)
            .map_err(|error| {
                Error::os("open", "cannot make the file", error).with_path(Some(path))
            })?;
        let end = self.offset + len as u64;
        let map = file
            .set_len(self.offset)
            .and_then(|()| os::set_file_len(&file, self.offset, end, !self.sparse))
            .map_err(|error| {
                Error::os("create", format!("cannot make the file {end} bytes long"), error)
            })
            .and_then(|()| self.clone().access(Access::Write).map_owned(file));
        match map {
            Ok(map) => Ok(map.with_path(Arc::from(path))),
            Err(error) => {
                if new {
                    let _ = std::fs::remove_file(path);
                }
                Err(error.with_path(Some(path)))
            }
        }
    }

    /// Maps an open file, which is duplicated if the map
    /// [keeps](Self::keep_file) it.
    ///
    /// # Errors
    /// * [`OutOfRange`](crate::ErrorKind::OutOfRange): a regular file does not
    ///   have that many bytes at the offset, or they do not fit the address
    ///   space. Devices have no length to check.
    /// * [`InvalidInput`](crate::ErrorKind::InvalidInput): options that exclude
    ///   each other.
    /// * [`Os`](crate::ErrorKind::Os): the system refused; for example
    ///   `EACCES` for a file that is not open for the access asked for, `ENODEV`
    ///   for one that cannot be mapped.
    ///
    /// See [mmap(2)](https://man7.org/linux/man-pages/man2/mmap.2.html).
    ///
    /// ```
    /// let file = std::fs::File::open(std::env::current_exe()?)?;
    /// let map = faultless::MapOptions::new().len(4).map(&file)?;
    /// assert_eq!(map.len(), 4);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(any(unix, windows))]
    pub fn map(&self, file: &impl AsFile) -> Result<Map> {
        #[cfg(unix)]
        let file = file.as_fd();
        #[cfg(windows)]
        let file = file.as_handle();
        self.map_borrowed(file)
    }

    /// Maps an open file and [keeps](Self::keep_file) it, without duplicating it.
    ///
    /// # Errors
    /// Those of [`map`](Self::map).
    ///
    /// ```
    /// let file = std::fs::File::open(std::env::current_exe()?)?;
    /// let map = faultless::MapOptions::new().map_owned(file)?;
    /// assert!(map.file().is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn map_owned(&self, file: File) -> Result<Map> {
        let mut layout = self.layout_in(os::borrow(&file))?;
        let mapping = self.place(&mut layout, Some(os::borrow(&file)))?;
        self.finish(Map::new(layout, mapping, self.keep_file.then_some(file)))
    }

    #[cfg(any(unix, windows))]
    fn map_borrowed(&self, file: BorrowedFile<'_>) -> Result<Map> {
        let mut layout = self.layout_in(file)?;
        let kept = if self.keep_file {
            let duplicate = os::duplicate(file)
                .map_err(|error| Error::os("map", "cannot duplicate the file", error))?;
            Some(duplicate)
        } else {
            None
        };
        let mapping = self.place(&mut layout, Some(file))?;
        self.finish(Map::new(layout, mapping, kept))
    }

    /// Maps memory that belongs to no file, filled with zeros. It can be
    /// written, unless another [`protection`](Self::protection) is asked for.
    ///
    /// # Errors
    /// * [`InvalidInput`](crate::ErrorKind::InvalidInput): no
    ///   [length](Self::len) is given.
    /// * [`Os`](crate::ErrorKind::Os): the system has not that much memory, or
    ///   no huge pages.
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(1 << 20).map_anonymous()?;
    /// map.write_at(5, b"hello")?;
    /// assert_eq!(map.to_vec(..10)?, b"\0\0\0\0\0hello");
    /// # Ok::<(), faultless::Error>(())
    /// ```
    pub fn map_anonymous(&self) -> Result<Map> {
        if let Some((name, create)) = &self.name {
            return self.map_named(name, *create);
        }
        let Some(len) = self.len else {
            return Err(invalid("anonymous memory needs a length"));
        };
        let mut layout = self.anonymous_layout(len)?;
        let mapping = self.place(&mut layout, None)?;
        self.finish(Map::new(layout, mapping, None))
    }

    fn is_shared(&self) -> bool {
        #[cfg(windows)]
        if self.tag_name.is_some() {
            return true;
        }
        self.shared
    }

    pub(crate) fn mapping_of(
        &self,
        layout: &mut Layout,
        file: Option<BorrowedFile<'_>>,
    ) -> Result<Mapping> {
        #[cfg(windows)]
        if let Some(text) = &self.tag_name {
            let create = Create::IfMissing;
            let name = os::Name { text, create, len: Some(layout.len), sparse: self.sparse };
            return layout.map_named(file, name);
        }
        layout.map(file)
    }

    pub(crate) fn finish(&self, mut map: Map) -> Result<Map> {
        self.make_room(&mut map);
        if self.populate && self.reserve.is_some() {
            // A hint, as the flag is.
            let _ = map.advise(.., crate::Advice::PopulateRead);
        }
        if self.huge_pages == Some(HugePages::Transparent) {
            map.advise(.., crate::Advice::HugePage).or_else(|error| match error.kind() {
                // A hint. EINVAL: the kernel was built without them.
                ErrorKind::Unsupported | ErrorKind::Os => Ok(()),
                _ => Err(error),
            })?;
        }
        Ok(map)
    }
}
