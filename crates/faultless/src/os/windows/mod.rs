//! Mapping on Windows: sections and views of them, private memory, and what the
//! system can do with either.
#![allow(unsafe_code)]

pub(crate) mod advice;
pub(crate) mod guard;
mod memory;
mod placeholder;
mod section;

pub(super) use section::NamedSection;

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle};
use std::path::PathBuf;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use windows_sys::Win32::Foundation::{
    ERROR_CALL_NOT_IMPLEMENTED, ERROR_INVALID_FUNCTION, ERROR_INVALID_PARAMETER, ERROR_NOT_LOCKED,
    ERROR_NOT_SUPPORTED, ERROR_PRIVILEGE_NOT_HELD, ERROR_WORKING_SET_QUOTA, HANDLE,
    INVALID_HANDLE_VALUE,
};
use windows_sys::Win32::Storage::FileSystem::{
    FILE_ALLOCATION_INFO, FILE_TYPE_DISK, FileAllocationInfo, GetFileSizeEx, GetFileType,
    GetFinalPathNameByHandleW, SetFileInformationByHandle, VOLUME_NAME_DOS,
};
use windows_sys::Win32::System::IO::DeviceIoControl;
use windows_sys::Win32::System::Ioctl::FSCTL_SET_SPARSE;
use windows_sys::Win32::System::Memory::{
    FlushViewOfFile, GetLargePageMinimum, GetProcessWorkingSetSizeEx, SetProcessWorkingSetSizeEx,
    VirtualLock, VirtualUnlock,
};
use windows_sys::Win32::System::ProcessStatus::{
    K32QueryWorkingSetEx, PSAPI_WORKING_SET_EX_INFORMATION,
};
use windows_sys::Win32::System::SystemInformation::{GetSystemInfo, SYSTEM_INFO};
use windows_sys::Win32::System::Threading::GetCurrentProcess;

pub(crate) use super::non_unix::*;
use super::{FileInfo, Mapping, Name, Place, Request, is_shared};

/// A file that is only looked at during a call.
pub(crate) type BorrowedFile<'a> = BorrowedHandle<'a>;

// Protections and flags have the numbers of Linux: Windows has none of its own
// for a map as a whole.
pub(crate) const ANONYMOUS: i32 = 0x20;
pub(crate) const POPULATE: Option<i32> = Some(0x8000);
const LARGE_PAGES: i32 = 0x4_0000;

pub(crate) const SYNC: i32 = 4;

/// A mapped file keeps its length: nobody can cut it off.
pub(crate) const CUTS_MAPPED_FILES: bool = false;
/// A view ends where its file does.
pub(crate) const MAPS_BEYOND_FILES: bool = false;

/// Turns the result of a call that answers 0 into a `Result`.
fn check(result: i32) -> io::Result<()> {
    if result == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn is_error(error: &io::Error, number: u32) -> bool {
    error.raw_os_error() == Some(number as i32)
}

/// The size of a page, and what offsets of maps are multiples of.
fn sizes() -> (usize, usize) {
    static SIZES: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];
    let [page, granularity] = SIZES.each_ref().map(|size| size.load(Ordering::Relaxed));
    if page != 0 && granularity != 0 {
        return (page, granularity);
    }
    let mut info = SYSTEM_INFO::default();
    // SAFETY: fills in the structure.
    unsafe { GetSystemInfo(&raw mut info) };
    let (page, granularity) = (info.dwPageSize as usize, info.dwAllocationGranularity as usize);
    SIZES[0].store(page, Ordering::Relaxed);
    SIZES[1].store(granularity, Ordering::Relaxed);
    (page, granularity)
}

pub(crate) fn page_size() -> usize {
    sizes().0
}

pub(crate) fn allocation_granularity() -> usize {
    sizes().1
}

/// The size of large pages; 0 where there are none.
fn large_page() -> usize {
    // SAFETY: asks for a number.
    unsafe { GetLargePageMinimum() }
}

/// The flags for large pages, of `1 << shift` bytes or of the default size.
/// Windows has one size.
pub(crate) fn huge_flags(shift: Option<u32>) -> Option<i32> {
    let size = large_page();
    let fits = shift.is_none_or(|shift| 1usize.checked_shl(shift) == Some(size));
    (size != 0 && fits).then_some(LARGE_PAGES)
}

pub(crate) fn huge_page_of_flags(flags: i32) -> Option<usize> {
    (flags & LARGE_PAGES != 0).then(large_page)
}

pub(crate) fn map(request: &Request<'_>, file: Option<BorrowedFile<'_>>) -> io::Result<Mapping> {
    if let Some(name) = &request.name {
        let file = file.map_or(INVALID_HANDLE_VALUE, |file| file.as_raw_handle());
        return section::map_named(request, file, name);
    }
    let mapping = match file {
        Some(file) => match request.present {
            Some(present) => section::map_with_room(request, present, file.as_raw_handle()),
            None => section::map_file(request, file.as_raw_handle()),
        },
        None if is_shared(request.flags) => section::map_memory(request),
        None => memory::allocate(request),
    }?;
    if request.flags & POPULATE.unwrap_or(0) != 0 {
        // A hint: what cannot be read in now is read in later.
        let _ = advice::prefetch(mapping.base(), mapping.len());
    }
    Ok(mapping)
}

/// What to say of an error of `map` besides the system's words.
pub(crate) fn explain(error: &io::Error) -> &'static str {
    if is_error(error, ERROR_PRIVILEGE_NOT_HELD) {
        ", because large pages are for users with the right to lock pages in memory \
         (SeLockMemoryPrivilege)"
    } else {
        ""
    }
}

/// Whether others find the mapping's memory by a name that only it keeps.
pub(crate) fn is_named(mapping: &Mapping) -> bool {
    mapping.section.is_some()
}

/// # Safety
/// The pages must be the caller's, and nothing may use them from now on.
pub(super) unsafe fn unmap(base: *mut u8, len: usize) {
    // SAFETY: the caller's promise.
    unsafe { memory::release(base, len) };
}

/// Gives the memory behind the first `len` bytes back, in whole pages; their
/// addresses go when the mapping does.
pub(crate) fn shrink(mut mapping: Mapping, len: usize, page: usize) -> Mapping {
    if len == 0 {
        return Mapping::empty();
    }
    let kept = len.next_multiple_of(page);
    if kept < mapping.len() {
        memory::decommit(mapping.base().wrapping_add(kept), mapping.len() - kept);
    }
    mapping.len = len;
    mapping
}

/// A view cannot be made longer or shorter; but memory with a name can be made
/// anew, which the caller cannot do.
pub(crate) fn remap(
    mapping: Mapping,
    request: &Request<'_>,
    _page: usize,
    _file: Option<BorrowedFile<'_>>,
) -> Result<Mapping, (Mapping, io::Error)> {
    if mapping.section.is_some() {
        return section::remake(mapping, request.map_len);
    }
    Err((mapping, io::ErrorKind::Unsupported.into()))
}

/// Writes pages to the file. They are all that this call can be told.
pub(crate) fn flush(start: *mut u8, len: usize, _flags: i32) -> io::Result<()> {
    memory::for_each_view(start, len, |start, len| {
        // SAFETY: writes pages back; addresses that are no view are an error.
        check(unsafe { FlushViewOfFile(start.cast(), len) })
    })
}

/// Maps the file over a part of a mapping, whole pages: the file has become longer.
pub(crate) fn put_file(place: &Place<'_>, part: Range<usize>) -> io::Result<()> {
    guard::grow(place.slot, &place.range, part)
}

/// Makes zeros, which belong to no file, of a part, whole pages, and runs `cut`: the
/// file becomes shorter.
pub(crate) fn take_away<T>(
    place: &Place<'_>,
    gone: Range<usize>,
    cut: impl FnOnce() -> T,
) -> io::Result<T> {
    if place.range.fd >= 0 {
        return guard::cut(place.slot, &place.range, gone.start, cut);
    }
    let address = place.address_of(&gone);
    if !gone.is_empty() {
        memory::renew(address, gone.len())?;
    }
    Ok(cut())
}

pub(crate) fn advise(start: *mut u8, len: usize, advice: i32) -> io::Result<()> {
    advice::advise(start, len, advice)
}

/// Locks pages. What a process may lock is bounded by its working set, which is
/// made larger by what does not fit.
pub(crate) fn lock(start: *mut u8, len: usize) -> io::Result<()> {
    // SAFETY: locking changes no memory; addresses that are not mapped are an
    // error.
    let lock = || check(unsafe { VirtualLock(start.cast(), len) });
    match lock() {
        Err(error) if is_error(&error, ERROR_WORKING_SET_QUOTA) => {
            grow_working_set(len)?;
            lock()
        }
        result => result,
    }
}

fn grow_working_set(len: usize) -> io::Result<()> {
    let (mut least, mut most, mut flags) = (0, 0, 0);
    let more = len.saturating_add(page_size());
    // SAFETY: numbers of this process are asked for and set.
    unsafe {
        let process = GetCurrentProcess();
        check(GetProcessWorkingSetSizeEx(process, &raw mut least, &raw mut most, &raw mut flags))?;
        let (least, most) = (least.saturating_add(more), most.saturating_add(more));
        check(SetProcessWorkingSetSizeEx(process, least, most, flags))
    }
}

/// Unlocks pages; those that are not locked stay so.
pub(crate) fn unlock(start: *mut u8, len: usize) -> io::Result<()> {
    let page = page_size();
    let unlock = |start: *mut u8, len| {
        // SAFETY: as for `lock`.
        match check(unsafe { VirtualUnlock(start.cast(), len) }) {
            Err(error) if is_error(&error, ERROR_NOT_LOCKED) => Ok(false),
            result => result.map(|()| true),
        }
    };
    if unlock(start, len)? || len <= page {
        return Ok(());
    }
    // One page that is not locked keeps the others so.
    for at in (0..len).step_by(page) {
        unlock(start.wrapping_add(at), page.min(len - at))?;
    }
    Ok(())
}

/// What this process has in memory, its working set. Of the pages that only the
/// system's cache has nobody tells.
pub(crate) fn residency(start: *mut u8, _len: usize, pages: &mut [u8]) -> io::Result<()> {
    let page = page_size();
    let mut at = start;
    for part in pages.chunks_mut(512) {
        let asked = working_set(at, part.len())?;
        part.iter_mut().zip(&asked).for_each(|(into, page)| *into = page.is_valid().into());
        at = at.wrapping_add(part.len() * page);
    }
    Ok(())
}

/// What the system says of a page of this process.
struct WorkingSetPage(usize);

impl WorkingSetPage {
    fn is_valid(&self) -> bool {
        self.0 & 1 != 0
    }

    fn is_locked(&self) -> bool {
        // Behind the count of those that share it, its protection, whether it can
        // be shared, and its node.
        self.is_valid() && self.0 >> (1 + 3 + 11 + 1 + 6) & 1 != 0
    }
}

/// What the system says of so many pages from an address on.
fn working_set(start: *mut u8, count: usize) -> io::Result<Vec<WorkingSetPage>> {
    let page = page_size();
    let mut asked: Vec<PSAPI_WORKING_SET_EX_INFORMATION> = (0..count)
        .map(|nth| PSAPI_WORKING_SET_EX_INFORMATION {
            VirtualAddress: start.wrapping_add(nth * page).cast(),
            ..PSAPI_WORKING_SET_EX_INFORMATION::default()
        })
        .collect();
    let size = size_of_val(&*asked) as u32;
    // SAFETY: fills in what it is told the size of.
    check(unsafe { K32QueryWorkingSetEx(GetCurrentProcess(), asked.as_mut_ptr().cast(), size) })?;
    // SAFETY: as a whole it is a number.
    Ok(asked.iter().map(|page| WorkingSetPage(unsafe { page.VirtualAttributes.Flags })).collect())
}

pub(crate) fn protect(mapping: &mut Mapping, protection: i32) -> io::Result<()> {
    memory::protect(mapping.base(), mapping.len(), protection)
}

pub(crate) fn set_name(_start: *mut u8, _len: usize, _name: &CStr) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn file_info(file: BorrowedFile<'_>) -> io::Result<FileInfo> {
    let handle = file.as_raw_handle();
    // SAFETY: asks for a number.
    let regular = unsafe { GetFileType(handle) } == FILE_TYPE_DISK;
    let len = if regular { file_len(handle)? } else { 0 };
    // A directory cannot be opened as a file.
    Ok(FileInfo { len, regular, error: None, huge_page: None })
}

fn file_len(file: HANDLE) -> io::Result<u64> {
    let mut len = 0;
    // SAFETY: fills in the number, or fails.
    check(unsafe { GetFileSizeEx(file, &raw mut len) })?;
    Ok(u64::try_from(len).unwrap_or(0))
}

/// The handle that a [`raw_file`] stands for.
fn handle_of(file: i32) -> HANDLE {
    ptr::without_provenance_mut(file as isize as usize)
}

/// The length in bytes of the file behind a handle, or `None`.
pub(crate) fn file_len_of(file: i32) -> Option<u64> {
    file_len(handle_of(file)).ok()
}

/// Sets a file's length. Growing allocates the new part if `allocate`, as far as
/// the file system can, so that a full disk is an error here; a file that could
/// not grow keeps its length. Else the file is made a sparse one, if it can be.
pub(crate) fn set_file_len(file: &File, from: u64, to: u64, allocate: bool) -> io::Result<()> {
    if to > from {
        if allocate {
            match allocate_blocks(file, to) {
                Err(error) if cannot_allocate(&error) => {}
                result => result?,
            }
        } else {
            let _ = make_sparse(file);
        }
    }
    file.set_len(to)
}

/// What a lock of a log locks: no byte that any file has.
#[cfg(feature = "log")]
fn locked_byte() -> windows_sys::Win32::System::IO::OVERLAPPED {
    let mut place = windows_sys::Win32::System::IO::OVERLAPPED::default();
    place.Anonymous.Anonymous.OffsetHigh = i32::MAX as u32;
    place
}

/// Waits until nobody else has the file locked, and locks it. The lock belongs to
/// the open file: `unlock_file`, or the end of the process, ends it.
#[cfg(feature = "log")]
pub(crate) fn lock_file(file: &File) -> io::Result<()> {
    use windows_sys::Win32::Storage::FileSystem::{LOCKFILE_EXCLUSIVE_LOCK, LockFileEx};
    let mut place = locked_byte();
    // SAFETY: the structure lives; the handle is not one for overlapped calls, so
    // the call waits.
    check(unsafe {
        LockFileEx(file.as_raw_handle(), LOCKFILE_EXCLUSIVE_LOCK, 0, 1, 0, &raw mut place)
    })
}

#[cfg(feature = "log")]
pub(crate) fn unlock_file(file: &File) {
    let mut place = locked_byte();
    // SAFETY: as above. It cannot fail for a lock that is held.
    unsafe {
        windows_sys::Win32::Storage::FileSystem::UnlockFileEx(
            file.as_raw_handle(),
            0,
            1,
            0,
            &raw mut place,
        )
    };
}

/// Two numbers that no two files have at the same time.
pub(crate) fn file_id(file: &File) -> io::Result<(u64, u64)> {
    use windows_sys::Win32::Storage::FileSystem::{
        BY_HANDLE_FILE_INFORMATION, GetFileInformationByHandle,
    };
    let mut info = BY_HANDLE_FILE_INFORMATION::default();
    // SAFETY: fills in the structure.
    check(unsafe { GetFileInformationByHandle(file.as_raw_handle(), &raw mut info) })?;
    let index = u64::from(info.nFileIndexHigh) << 32 | u64::from(info.nFileIndexLow);
    Ok((u64::from(info.dwVolumeSerialNumber), index))
}

fn allocate_blocks(file: &File, len: u64) -> io::Result<()> {
    let info = FILE_ALLOCATION_INFO { AllocationSize: i64::try_from(len).unwrap_or(i64::MAX) };
    let size = size_of::<FILE_ALLOCATION_INFO>() as u32;
    // SAFETY: the structure is the one that goes with the number before it.
    check(unsafe {
        SetFileInformationByHandle(
            file.as_raw_handle(),
            FileAllocationInfo,
            (&raw const info).cast(),
            size,
        )
    })
}

/// Whether the error means that this file system has no such operation, or that
/// setting the length will tell better.
fn cannot_allocate(error: &io::Error) -> bool {
    [
        ERROR_CALL_NOT_IMPLEMENTED,
        ERROR_INVALID_FUNCTION,
        ERROR_NOT_SUPPORTED,
        ERROR_INVALID_PARAMETER,
    ]
    .iter()
    .any(|&number| is_error(error, number))
}

fn make_sparse(file: &File) -> io::Result<()> {
    let mut returned = 0;
    // SAFETY: the request takes and gives nothing.
    check(unsafe {
        DeviceIoControl(
            file.as_raw_handle(),
            FSCTL_SET_SPARSE,
            ptr::null(),
            0,
            ptr::null_mut(),
            0,
            &raw mut returned,
            ptr::null_mut(),
        )
    })
}

pub(crate) fn duplicate(file: BorrowedFile<'_>) -> io::Result<File> {
    file.try_clone_to_owned().map(File::from)
}

/// Named memory is no file: `map` finds it.
pub(crate) fn open_shared(_name: &Name<'_>) -> Option<io::Result<File>> {
    None
}

/// A name goes with the last map of it.
pub(crate) fn unlink_shared(_name: &str) -> io::Result<()> {
    Ok(())
}

pub(crate) fn borrow(file: &File) -> BorrowedFile<'_> {
    file.as_handle()
}

/// The number that the handler of faults knows a file by. Handles have 32 bits
/// that count, on 64-bit systems too.
pub(crate) fn raw_file(file: &File) -> i32 {
    file.as_raw_handle().addr() as i32
}

/// The name of an open file, for messages.
pub(crate) fn path_of(file: BorrowedFile<'_>) -> Option<PathBuf> {
    use std::ffi::OsString;
    use std::os::windows::ffi::OsStringExt;

    const PREFIX: [u16; 4] = [b'\\' as u16, b'\\' as u16, b'?' as u16, b'\\' as u16];
    const UNC: [u16; 4] = [b'U' as u16, b'N' as u16, b'C' as u16, b'\\' as u16];
    let mut name = vec![0; 512];
    let len = loop {
        let room = u32::try_from(name.len()).ok()?;
        // SAFETY: the buffer has that much room.
        let len = unsafe {
            GetFinalPathNameByHandleW(
                file.as_raw_handle(),
                name.as_mut_ptr(),
                room,
                VOLUME_NAME_DOS,
            )
        };
        match len as usize {
            0 => return None,
            len if len < name.len() => break len,
            more => name.resize(more + 1, 0),
        }
    };
    let name = &name[..len];
    // As programs write it: without the prefix for long names.
    let name = match name.strip_prefix(&PREFIX) {
        Some(rest) => match rest.strip_prefix(&UNC) {
            Some(share) => [&PREFIX[..2], share].concat(),
            None => rest.to_vec(),
        },
        None => name.to_vec(),
    };
    Some(PathBuf::from(OsString::from_wide(&name)))
}
