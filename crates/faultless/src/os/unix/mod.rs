//! Mapping, on every Unix: one thin function a system call.
#![allow(unsafe_code)]

pub(crate) mod advice;
#[cfg(target_vendor = "apple")]
mod apple;
#[cfg(any(not(any(target_os = "linux", target_os = "android")), faultless_portable, test))]
mod extend;
pub(crate) mod guard;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use linux::*;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod generic;
#[cfg(target_vendor = "apple")]
pub(crate) use apple::*;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) use generic::*;
mod shared;
pub(crate) use shared::{NAME_MAX, open_shared, unlink_shared};

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{FileInfo, Mapping, Place, Populated, Request};

/// A file that is only looked at during a call.
pub(crate) type BorrowedFile<'a> = BorrowedFd<'a>;

pub(crate) const PROT_NONE: i32 = libc::PROT_NONE;
pub(crate) const PROT_READ: i32 = libc::PROT_READ;
pub(crate) const PROT_WRITE: i32 = libc::PROT_WRITE;
pub(crate) const PROT_EXEC: i32 = libc::PROT_EXEC;
pub(crate) const SHARED: i32 = libc::MAP_SHARED;
pub(crate) const PRIVATE: i32 = libc::MAP_PRIVATE;
pub(crate) const ANONYMOUS: i32 = libc::MAP_ANON;
/// Flags that place a mapping where others may be.
pub(crate) const PLACED: i32 = libc::MAP_FIXED | FIXED_NOREPLACE;

/// A file can be cut off while it is mapped.
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

pub(crate) const SYNC: i32 = libc::MS_SYNC;
pub(crate) const ASYNC: i32 = libc::MS_ASYNC;
pub(crate) const INVALIDATE: i32 = libc::MS_INVALIDATE;

/// Turns the result of a call that answers -1 into a `Result`.
fn check(result: libc::c_int) -> io::Result<()> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

pub(crate) fn page_size() -> usize {
    static SIZE: AtomicUsize = AtomicUsize::new(0);
    match SIZE.load(Ordering::Relaxed) {
        0 => {
            // SAFETY: reads a constant of the system.
            let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
            let size = usize::try_from(size).unwrap_or(4096);
            SIZE.store(size, Ordering::Relaxed);
            size
        }
        size => size,
    }
}

/// The same as the page size: POSIX has `mmap` take offsets in pages.
pub(crate) fn allocation_granularity() -> usize {
    page_size()
}

/// Whether the error means that the file's system has no shared maps.
pub(crate) fn has_no_shared_maps(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENODEV)
}

pub(crate) fn map(request: &Request<'_>, file: Option<BorrowedFile<'_>>) -> io::Result<Mapping> {
    if request.name.is_some() {
        // Only files of `open_shared` have one.
        return Err(io::ErrorKind::Unsupported.into());
    }
    let fd = file.map_or(-1, |file| file.as_raw_fd());
    let len = request.map_len;
    // SAFETY: the system chooses an address that nothing else uses: the flags
    // that would have it take the null pointer as a place are refused by
    // `MapOptions`.
    let base = unsafe {
        mmap(std::ptr::null_mut(), len, request.protection, request.flags, fd, request.file_offset)
    }?;
    // SAFETY: the system just made it.
    Ok(unsafe { Mapping::new(base, len) })
}

/// The system call.
///
/// # Safety
/// With `MAP_FIXED`, whatever lies in `len` bytes from `address` is replaced;
/// it must be the caller's.
unsafe fn mmap(
    address: *mut u8,
    len: usize,
    protection: i32,
    flags: i32,
    fd: i32,
    offset: u64,
) -> io::Result<NonNull<u8>> {
    // SAFETY: the caller answers for the place.
    let base =
        unsafe { mmap_call(address.cast(), len, protection, flags, fd, offset as FileOffset) };
    if base == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    NonNull::new(base.cast()).ok_or_else(|| io::Error::from_raw_os_error(libc::ENOMEM))
}

/// # Safety
/// The pages must be the caller's, and nothing may use them from now on.
pub(super) unsafe fn unmap(base: *mut u8, len: usize) {
    // SAFETY: the caller's promise. It cannot fail for whole pages of a mapping
    // that `mmap` made, and there would be nothing to do about it.
    unsafe { libc::munmap(base.cast(), len) };
}

/// Gives the memory behind the first `len` bytes back, in whole pages.
pub(crate) fn shrink(mapping: Mapping, len: usize, page: usize) -> Mapping {
    let (base, old) = mapping.into_raw();
    let kept = len.next_multiple_of(page);
    if kept < old {
        // SAFETY: these pages belong to the mapping that was given away, and
        // what is made of the rest does not reach them.
        unsafe { unmap(base.as_ptr().add(kept), old - kept) };
    }
    // SAFETY: the rest of the mapping is still there, and has no other owner.
    unsafe { Mapping::new(base, len) }
}

/// Maps over a part of a mapping anew: the file again, or, without a file, zero
/// pages.
///
/// # Safety
/// `address..address + len` must lie inside a mapping of the caller's, in whole
/// pages.
pub(crate) unsafe fn map_over(
    address: *mut u8,
    len: usize,
    protection: i32,
    flags: i32,
    file: Option<(i32, u64)>,
) -> io::Result<()> {
    let (fd, offset) = file.unwrap_or((-1, 0));
    // SAFETY: the caller answers for the place.
    unsafe { mmap(address, len, protection, flags | libc::MAP_FIXED, fd, offset) }.map(drop)
}

/// Maps the file over a part of a mapping, whole pages: the file has become longer.
pub(crate) fn put_file(place: &Place<'_>, part: Range<usize>) -> io::Result<()> {
    let file = (place.range.fd, place.range.file_offset + part.start as u64);
    put(place, part, place.flags, Some(file))
}

/// Makes zeros, which belong to no file, of a part, whole pages, and then runs `cut`:
/// the file becomes shorter.
pub(crate) fn take_away<T>(
    place: &Place<'_>,
    gone: Range<usize>,
    cut: impl FnOnce() -> T,
) -> io::Result<T> {
    put(place, gone, PRIVATE | ANONYMOUS | NO_RESERVE, None)?;
    Ok(cut())
}

fn put(
    place: &Place<'_>,
    part: Range<usize>,
    flags: i32,
    file: Option<(i32, u64)>,
) -> io::Result<()> {
    let address = place.address_of(&part);
    if part.is_empty() {
        return Ok(());
    }
    // SAFETY: inside the mapping, as was just seen. Whoever looks at the bytes
    // allows for their changing, as they do in any file.
    unsafe { map_over(address, part.len(), place.range.protection, flags, file) }
}

pub(crate) fn flush(start: *mut u8, len: usize, flags: i32) -> io::Result<()> {
    // SAFETY: msync writes pages back; for addresses that are not mapped it
    // answers ENOMEM.
    check(unsafe { libc::msync(start.cast(), len, flags) })
}

pub(crate) fn advise(start: *mut u8, len: usize, advice: i32) -> io::Result<()> {
    // SAFETY: the pages belong to the caller's mapping, and every access to them
    // allows for their changing.
    check(unsafe { libc::madvise(start.cast(), len, advice) })
}

pub(crate) fn lock(start: *mut u8, len: usize) -> io::Result<()> {
    // SAFETY: locking changes no memory; addresses that are not mapped are an
    // error.
    check(unsafe { libc::mlock(start.cast(), len) })
}

pub(crate) fn unlock(start: *mut u8, len: usize) -> io::Result<()> {
    // SAFETY: as for `lock`.
    check(unsafe { libc::munlock(start.cast(), len) })
}

/// Says of each page of a range, in the lowest bit of its byte, whether it is in
/// memory. `start` is that of a page.
#[cfg(not(target_os = "openbsd"))]
pub(crate) fn residency(start: *mut u8, len: usize, pages: &mut [u8]) -> io::Result<()> {
    assert!(len.div_ceil(page_size()) <= pages.len(), "a byte for each page");
    // SAFETY: there is room for a byte a page; addresses that are not mapped are
    // an error.
    check(unsafe { libc::mincore(start.cast(), len, pages.as_mut_ptr().cast()) })
}

#[cfg(target_os = "openbsd")]
pub(crate) fn residency(_start: *mut u8, _len: usize, _pages: &mut [u8]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Reads the pages of a range in and maps them, without a signal if one fails.
pub(crate) fn populate(start: *mut u8, len: usize) -> io::Result<Populated> {
    let Some(advice) = advice::POPULATE_READ else {
        return Ok(Populated::Unsupported);
    };
    match advise(start, len, advice) {
        Ok(()) => Ok(Populated::All),
        Err(error) => match error.raw_os_error() {
            Some(libc::EINTR | libc::EAGAIN) => populate(start, len),
            Some(libc::EFAULT | EHWPOISON) => Ok(Populated::PageFailed),
            // A kernel before 5.14, or memory of a device.
            Some(libc::EINVAL | libc::ENOSYS) => Ok(Populated::Unsupported),
            _ => Err(error),
        },
    }
}

/// Memory that went bad; the crate `libc` has no name for it.
const EHWPOISON: i32 = 133;

pub(crate) fn protect(mapping: &mut Mapping, protection: i32) -> io::Result<()> {
    // SAFETY: no operation is using the mapping, which is borrowed exclusively.
    // An access that its new protection forbids is a fault that harms nobody
    // but the process.
    check(unsafe { libc::mprotect(mapping.base().cast(), mapping.len(), protection) })
}

pub(crate) fn file_info(file: BorrowedFile<'_>) -> io::Result<FileInfo> {
    let stat = stat(file.as_raw_fd())?;
    let kind = stat.st_mode & libc::S_IFMT;
    // Shared memory of macOS is of no kind, but has a length.
    let regular = kind == libc::S_IFREG || cfg!(target_vendor = "apple") && kind == 0;
    let huge_page =
        if regular { huge_page_of(file.as_raw_fd(), stat.st_blksize as usize) } else { None };
    Ok(FileInfo {
        len: u64::try_from(stat.st_size).unwrap_or(0),
        regular,
        error: (kind == libc::S_IFDIR).then_some(libc::EISDIR),
        huge_page,
    })
}

/// The length of a file as the handler of faults asks it, too.
fn stat(fd: i32) -> io::Result<Stat> {
    let mut stat = std::mem::MaybeUninit::<Stat>::uninit();
    // SAFETY: fstat fills in the structure, or fails.
    check(unsafe { fstat_call(fd, stat.as_mut_ptr()) })?;
    // SAFETY: it did not fail.
    Ok(unsafe { stat.assume_init() })
}

/// The length in bytes of the file behind `fd`, or `None`.
pub(crate) fn file_len_of(fd: i32) -> Option<u64> {
    stat(fd).ok().and_then(|stat| u64::try_from(stat.st_size).ok())
}

/// Sets a file's length. Growing allocates the new blocks if `allocate`, as far
/// as the file system can, so that a full disk is an error here; a file that
/// could not grow keeps its length.
pub(crate) fn set_file_len(file: &File, from: u64, to: u64, allocate: bool) -> io::Result<()> {
    if to > from && allocate {
        match allocate_blocks(file.as_raw_fd(), from, to - from) {
            Err(error) if cannot_allocate(&error) => {}
            Err(error) => {
                let _ = file.set_len(from);
                return Err(error);
            }
            Ok(()) => {}
        }
    }
    file.set_len(to)
}

/// Whether the error means that this file system has no such operation, or that
/// setting the length will tell better.
fn cannot_allocate(error: &io::Error) -> bool {
    let cannot = [
        libc::EOPNOTSUPP,
        libc::ENOTSUP,
        libc::ENOSYS,
        libc::EINVAL,
        libc::ENODEV,
        libc::EBADF,
        libc::ENOTTY,
    ];
    error.raw_os_error().is_some_and(|number| cannot.contains(&number))
}

/// Waits until nobody else has the file locked, and locks it. The lock belongs to
/// the open file: `unlock_file`, or the end of the last process that has it, ends it.
#[cfg(feature = "log")]
pub(crate) fn lock_file(file: &File) -> io::Result<()> {
    loop {
        // SAFETY: locking changes no memory.
        match check(unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX) }) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

#[cfg(feature = "log")]
pub(crate) fn unlock_file(file: &File) {
    // SAFETY: as above. It cannot fail for an open file.
    unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_UN) };
}

/// Two numbers that no two files have at the same time.
pub(crate) fn file_id(file: &File) -> io::Result<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let metadata = file.metadata()?;
    Ok((metadata.dev(), metadata.ino()))
}

pub(crate) fn duplicate(file: BorrowedFile<'_>) -> io::Result<File> {
    file.try_clone_to_owned().map(File::from)
}

pub(crate) fn borrow(file: &File) -> BorrowedFile<'_> {
    file.as_fd()
}

/// The number that the handler of faults knows a file by.
pub(crate) fn raw_file(file: &File) -> i32 {
    file.as_raw_fd()
}
