//! A system without memory mapping: everything answers that it is unsupported.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::ops::Range;

pub(crate) use super::non_unix::*;
use super::{FileInfo, Mapping, Name, Place, Request};

pub(crate) type BorrowedFile<'a> = &'a File;

pub(crate) const ANONYMOUS: i32 = 32;
pub(crate) const POPULATE: Option<i32> = None;
pub(crate) const SYNC: i32 = 0;
pub(crate) const CUTS_MAPPED_FILES: bool = true;
/// A map can be longer than its file.
pub(crate) const MAPS_BEYOND_FILES: bool = true;

/// What to say of an error of `map` besides the system's words.
pub(crate) fn explain(_error: &io::Error) -> &'static str {
    ""
}

/// Whether others find the mapping's memory by a name that only it keeps.
pub(crate) fn is_named(_mapping: &Mapping) -> bool {
    false
}

pub(crate) fn page_size() -> usize {
    4096
}

pub(crate) fn allocation_granularity() -> usize {
    page_size()
}

pub(crate) fn huge_flags(_shift: Option<u32>) -> Option<i32> {
    None
}

pub(crate) fn huge_page_of_flags(_flags: i32) -> Option<usize> {
    None
}

pub(crate) fn map(_request: &Request<'_>, _file: Option<BorrowedFile<'_>>) -> io::Result<Mapping> {
    unsupported()
}

/// # Safety
/// None: there is never a mapping.
pub(super) unsafe fn unmap(_base: *mut u8, _len: usize) {}

pub(crate) fn shrink(mapping: Mapping, _len: usize, _page: usize) -> Mapping {
    mapping
}

pub(crate) fn remap(
    mapping: Mapping,
    _request: &Request<'_>,
    _page: usize,
    _file: Option<BorrowedFile<'_>>,
) -> Result<Mapping, (Mapping, io::Error)> {
    Err((mapping, io::ErrorKind::Unsupported.into()))
}

pub(crate) fn put_file(_place: &Place<'_>, _part: Range<usize>) -> io::Result<()> {
    unsupported()
}

pub(crate) fn take_away<T>(
    _place: &Place<'_>,
    _gone: Range<usize>,
    _cut: impl FnOnce() -> T,
) -> io::Result<T> {
    unsupported()
}

pub(crate) fn flush(_start: *mut u8, _len: usize, _flags: i32) -> io::Result<()> {
    unsupported()
}

pub(crate) fn advise(_start: *mut u8, _len: usize, _advice: i32) -> io::Result<()> {
    unsupported()
}

pub(crate) fn lock(_start: *mut u8, _len: usize) -> io::Result<()> {
    unsupported()
}

pub(crate) fn unlock(_start: *mut u8, _len: usize) -> io::Result<()> {
    unsupported()
}

pub(crate) fn residency(_start: *mut u8, _len: usize, _pages: &mut [u8]) -> io::Result<()> {
    unsupported()
}

pub(crate) fn protect(_mapping: &mut Mapping, _protection: i32) -> io::Result<()> {
    unsupported()
}

pub(crate) fn set_name(_start: *mut u8, _len: usize, _name: &CStr) -> io::Result<()> {
    unsupported()
}

pub(crate) fn file_info(_file: BorrowedFile<'_>) -> io::Result<FileInfo> {
    unsupported()
}

pub(crate) fn file_len_of(_file: i32) -> Option<u64> {
    None
}

pub(crate) fn duplicate(_file: BorrowedFile<'_>) -> io::Result<File> {
    unsupported()
}

pub(crate) fn set_file_len(_file: &File, _from: u64, _to: u64, _allocate: bool) -> io::Result<()> {
    unsupported()
}

pub(crate) fn open_shared(_name: &Name<'_>) -> Option<io::Result<File>> {
    Some(unsupported())
}

pub(crate) fn unlink_shared(_name: &str) -> io::Result<()> {
    unsupported()
}

#[cfg(feature = "log")]
pub(crate) fn lock_file(_file: &File) -> io::Result<()> {
    unsupported()
}

#[cfg(feature = "log")]
pub(crate) fn unlock_file(_file: &File) {}

pub(crate) fn file_id(_file: &File) -> io::Result<(u64, u64)> {
    unsupported()
}

pub(crate) fn borrow(file: &File) -> BorrowedFile<'_> {
    file
}

pub(crate) fn raw_file(_file: &File) -> i32 {
    -1
}

pub(crate) fn path_of(_file: BorrowedFile<'_>) -> Option<std::path::PathBuf> {
    None
}

pub(crate) mod guard {
    use crate::fault::FaultReason;
    use crate::registry::{Range, Slot};

    /// Nobody forks here.
    #[cfg(feature = "log")]
    pub(crate) fn forks() -> u32 {
        0
    }

    #[cfg(feature = "log")]
    pub(crate) fn watch_forks() {}

    pub(crate) fn install() -> bool {
        false
    }

    pub(crate) fn was_installed() -> bool {
        false
    }

    pub(crate) fn is_installed() -> bool {
        false
    }

    pub(crate) fn covers(_mapping: &super::Mapping) -> bool {
        false
    }

    pub(crate) fn plant_canary(_slot: &Slot, _range: &Range, _file_offset: u64) -> bool {
        false
    }

    pub(crate) fn sings(_slot: &Slot, _song: u64) -> bool {
        false
    }

    pub(crate) fn remove_canary(_slot: &Slot, _unit: usize) {}

    pub(crate) fn restore(
        _slot: &Slot,
        _range: &Range,
        lo: u64,
        _hi: u64,
        _reason: FaultReason,
    ) -> u64 {
        lo
    }
}

pub(crate) mod advice {
    macro_rules! none {
        ($($name:ident)*) => {$(pub(crate) const $name: Option<i32> = None;)*};
    }

    none! {
        NORMAL RANDOM SEQUENTIAL WILLNEED DONTNEED FREE REMOVE DONTFORK DOFORK MERGEABLE
        UNMERGEABLE HUGEPAGE NOHUGEPAGE DONTDUMP DODUMP COLD PAGEOUT POPULATE_READ
        POPULATE_WRITE COLLAPSE WIPEONFORK KEEPONFORK NOSYNC AUTOSYNC NOCORE CORE FREE_REUSABLE
        FREE_REUSE
    }
}
