//! macOS and the BSDs: what they have in the place of what only Linux has, and
//! what they lack.

use std::ffi::CStr;
use std::io;

use super::BorrowedFile;
pub(crate) use super::extend::resize as remap;

pub(crate) type FileOffset = libc::off_t;
pub(super) type Stat = libc::stat;
pub(super) use libc::fstat as fstat_call;
pub(super) use libc::mmap as mmap_call;
pub(super) use libc::pread as pread_call;

pub(super) const FIXED_NOREPLACE: i32 = 0;
#[cfg(target_os = "netbsd")]
pub(crate) const NO_RESERVE: i32 = libc::MAP_NORESERVE;
#[cfg(not(any(target_vendor = "apple", target_os = "netbsd")))]
pub(crate) const NO_RESERVE: i32 = 0;
pub(crate) const POPULATE: Option<i32> = None;
pub(crate) const STACK: i32 = 0;
/// A page that fails raises either of these, by system and kind of mapping.
pub(super) const FAULT_SIGNALS: &[i32] = &[libc::SIGBUS, libc::SIGSEGV];

pub(crate) fn huge_flags(_shift: Option<u32>) -> Option<i32> {
    None
}

pub(crate) fn huge_page_of_flags(_flags: i32) -> Option<usize> {
    None
}

pub(super) fn huge_page_of(_fd: i32, _block_size: usize) -> Option<usize> {
    None
}

/// Whether the file system behind `fd` has no block left. Async-signal-safe.
pub(super) fn no_space_left(fd: i32) -> bool {
    let mut stat = std::mem::MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: fstatvfs fills in the structure, or fails.
    if unsafe { libc::fstatvfs(fd, stat.as_mut_ptr()) } != 0 {
        return false;
    }
    // SAFETY: it did not fail.
    let stat = unsafe { stat.assume_init() };
    stat.f_blocks != 0 && stat.f_bavail == 0
}

#[cfg(not(any(target_vendor = "apple", target_os = "openbsd")))]
pub(super) fn allocate_blocks(fd: i32, from: u64, len: u64) -> io::Result<()> {
    loop {
        // SAFETY: changes the file only.
        match unsafe { libc::posix_fallocate(fd, from as FileOffset, len as FileOffset) } {
            0 => return Ok(()),
            libc::EINTR => {}
            error => return Err(io::Error::from_raw_os_error(error)),
        }
    }
}

#[cfg(target_os = "openbsd")]
pub(super) fn allocate_blocks(_fd: i32, _from: u64, _len: u64) -> io::Result<()> {
    Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP))
}

pub(crate) fn set_name(_start: *mut u8, _len: usize, _name: &CStr) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn is_sealed(_file: BorrowedFile<'_>) -> bool {
    false
}

pub(crate) fn path_of(_file: BorrowedFile<'_>) -> Option<std::path::PathBuf> {
    None
}

pub(crate) fn tells_residency(_file: BorrowedFile<'_>) -> bool {
    true
}

pub(crate) fn cached_pages(_file: BorrowedFile<'_>, _offset: u64, _len: u64) -> io::Result<u64> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Asks the page cache to let a part of the file go, where it can be asked.
pub(crate) fn forget(file: BorrowedFile<'_>, offset: u64, len: u64) {
    #[cfg(any(target_os = "freebsd", target_os = "dragonfly", target_os = "netbsd"))]
    // SAFETY: changes no byte of the file.
    unsafe {
        libc::posix_fadvise(
            std::os::fd::AsRawFd::as_raw_fd(&file),
            offset as FileOffset,
            len as FileOffset,
            libc::POSIX_FADV_DONTNEED,
        );
    }
    let _ = (file, offset, len);
}

pub(crate) fn wait(
    _address: *mut u8,
    _expected: u32,
    _timeout: std::time::Duration,
) -> io::Result<bool> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn wake(_address: *mut u8, _count: usize) -> usize {
    0
}
