//! What a back end offers, and the choice of one. The rest of the crate calls
//! these names only; no other module knows which system it runs on.
//!
//! A back end has, besides what `Request` describes:
//! `map unmap flush advise lock unlock protect set_name`, `page_size
//! allocation_granularity`, `residency populate tells_residency cached_pages
//! forget`, `wait wake`, `file_info set_file_len duplicate is_sealed`,
//! `remap` (moving or growing a mapping in one call, where the system can),
//! `put_file take_away` (parts of a `Place`, which grows and shrinks),
//! `has_no_shared_maps` (see `Map::is_private_fallback`),
//! `open_shared unlink_shared NAME_MAX` (named memory: a file to map, or `None`
//! where `map` finds it by `Request::name`), and `guard` with `install` and
//! `restore`.

#![allow(unsafe_code)]

#[cfg(unix)]
#[path = "unix/mod.rs"]
mod imp;

#[cfg(windows)]
#[path = "windows/mod.rs"]
mod imp;

#[cfg(not(any(unix, windows)))]
#[path = "stub.rs"]
mod imp;

#[cfg(any(not(unix), test))]
#[cfg_attr(unix, allow(dead_code, reason = "only the test of the stub has it"))]
mod non_unix;

pub(crate) use imp::*;

/// Whether pages of this protection can be read. Pages that can be written can
/// be read too, on every processor this runs on; pages that can only be
/// executed cannot, on some.
pub(crate) fn is_readable(protection: i32) -> bool {
    protection & (PROT_READ | PROT_WRITE) != 0
}

pub(crate) fn is_writable(protection: i32) -> bool {
    protection & PROT_WRITE != 0
}

pub(crate) fn is_shared(flags: i32) -> bool {
    // Linux's MAP_SHARED_VALIDATE is the bits of both.
    flags & SHARED != 0
}

/// The flags of a private map in the place of those of a shared one.
pub(crate) fn private(flags: i32) -> i32 {
    flags & !SHARED | PRIVATE
}

/// Whether `msync` that waits makes the device write what it keeps, too. On Linux it
/// is the file system's `fsync`.
pub(crate) const SYNC_IS_DURABLE: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// Memory is about to be filled: only Linux has something that makes it faster.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn expect_filling(_memory: &mut [std::mem::MaybeUninit<u8>]) {}

use std::ptr::NonNull;

use crate::registry::{self, Slot};
use crate::shared::Create;

/// A mapping to be made. Lengths and offsets are in bytes and have been checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    /// Offset in the file, a multiple of the granularity.
    pub(crate) file_offset: u64,
    /// Bytes to map, more than zero.
    pub(crate) map_len: usize,
    /// Protection and flags as the system spells them.
    pub(crate) protection: i32,
    pub(crate) flags: i32,
    /// Bytes that the file has, if the mapping is to grow in place: the rest of it
    /// is kept for that.
    #[cfg_attr(not(windows), allow(dead_code, reason = "a mapping may be longer than its file"))]
    pub(crate) present: Option<usize>,
    /// What other processes find the memory by. A system whose `open_shared`
    /// gives no file makes or finds named memory here; if it is found, and no
    /// length is asked for, `map_len` is 0 and all of it is mapped.
    pub(crate) name: Option<Name<'a>>,
}

/// A name for memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Name<'a> {
    pub(crate) text: &'a str,
    pub(crate) create: Create,
    /// The length of memory that is made.
    pub(crate) len: Option<usize>,
    /// Whether memory that is made has its pages only once they are used.
    #[cfg_attr(windows, allow(dead_code, reason = "a section has its memory when it is made"))]
    pub(crate) sparse: bool,
}

/// What the system knows of an open file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileInfo {
    /// Length in bytes.
    pub(crate) len: u64,
    /// Whether it is a regular file, whose length bounds a map of it.
    pub(crate) regular: bool,
    /// The error of a map of it, if there is none for sure: it is a directory.
    pub(crate) error: Option<i32>,
    /// The page size of the file's mappings, if it is not the usual one.
    pub(crate) huge_page: Option<usize>,
}

/// What came of reading pages in.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(unix), allow(dead_code, reason = "no such call there"))]
pub(crate) enum Populated {
    /// All of them are in memory.
    All,
    /// One of them cannot be had; which one, touching them tells.
    PageFailed,
    /// This system, or this kind of memory, has no such call.
    Unsupported,
}

/// Mapped memory: where it begins, and how many bytes were asked for. It is
/// unmapped when it is dropped.
#[derive(Debug)]
pub(crate) struct Mapping {
    base: NonNull<u8>,
    len: usize,
    /// Whether parts of it can be replaced when they fail.
    #[cfg(windows)]
    replaceable: bool,
    /// The section that it is a view of, if that has a name: it has it as long
    /// as somebody holds it.
    #[cfg(windows)]
    section: Option<NamedSection>,
}

// SAFETY: mapped memory is not tied to a thread.
unsafe impl Send for Mapping {}
// SAFETY: shared access only reads where it is.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// No memory at all, for a map of no bytes.
    pub(crate) fn empty() -> Self {
        // SAFETY: there is nothing to own.
        unsafe { Self::new(NonNull::dangling(), 0) }
    }

    /// # Safety
    /// `len` bytes from `base` must be a mapping that nobody else owns.
    unsafe fn new(base: NonNull<u8>, len: usize) -> Self {
        Self {
            base,
            len,
            #[cfg(windows)]
            replaceable: false,
            #[cfg(windows)]
            section: None,
        }
    }

    pub(crate) fn base(&self) -> *mut u8 {
        self.base.as_ptr()
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Gives the memory to the caller, who unmaps it.
    #[cfg(unix)]
    fn into_raw(self) -> (NonNull<u8>, usize) {
        let raw = (self.base, self.len);
        std::mem::forget(self);
        raw
    }
}

/// A mapping that grows and shrinks in place.
#[allow(dead_code, reason = "each system needs a part of it")]
pub(crate) struct Place<'map> {
    pub(crate) mapping: &'map Mapping,
    /// As the guard knows it. Without a file it is private memory.
    pub(crate) range: registry::Range,
    pub(crate) flags: i32,
    /// Its place in the registry, if it has one.
    pub(crate) slot: Option<&'static Slot>,
}

#[cfg(any(unix, windows))]
impl Place<'_> {
    /// Where a part of the mapping begins.
    fn address_of(&self, part: &std::ops::Range<usize>) -> *mut u8 {
        let is_inside = part.start <= part.end && part.end <= self.mapping.len();
        assert!(is_inside, "a part of the mapping");
        self.mapping.base().wrapping_add(part.start)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if self.len != 0 {
            // SAFETY: the mapping is owned, and gone after this.
            unsafe { unmap(self.base.as_ptr(), self.len) };
        }
    }
}

/// The back end of systems without memory mapping: what it answers can be seen on
/// any.
#[cfg(test)]
#[allow(dead_code, reason = "the tests do not ask for all of it")]
mod stub;

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[track_caller]
    fn unsupported<T>(result: io::Result<T>) {
        let error = result.err().expect("nothing can be mapped");
        assert_eq!(error.kind(), io::ErrorKind::Unsupported);
        let error = crate::Error::os("map", "it cannot", error);
        assert_eq!(error.kind(), crate::ErrorKind::Unsupported);
    }

    #[test]
    fn without_memory_mapping_everything_is_unsupported() {
        let file = tempfile::tempfile().unwrap();
        let request = Request {
            file_offset: 0,
            map_len: 10,
            protection: 1,
            flags: 1,
            present: None,
            name: None,
        };
        let name = Name { text: "name", create: Create::New, len: Some(10), sparse: false };
        unsupported(stub::map(&request, None));
        unsupported(stub::map(&request, Some(stub::borrow(&file))));
        unsupported(stub::open_shared(&name).expect("a file or an error"));
        unsupported(stub::unlink_shared("name"));
        unsupported(stub::file_info(stub::borrow(&file)));
        unsupported(stub::set_file_len(&file, 0, 10, true));
        let mut mapping = Mapping::empty();
        unsupported(stub::protect(&mut mapping, 1));
        let (start, len) = (mapping.base(), mapping.len());
        unsupported(stub::flush(start, len, 0));
        unsupported(stub::advise(start, len, 0));
        unsupported(stub::lock(start, len));
        unsupported(stub::unlock(start, len));
        unsupported(stub::set_name(start, len, c"name"));
        let (_, error) = stub::remap(mapping, &request, 4096, None).unwrap_err();
        unsupported(Err::<(), _>(error));
        assert!(!stub::guard::install() && !stub::guard::is_installed());
    }
}
