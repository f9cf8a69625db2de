//! The handler of failing pages: a vectored one, which sees every exception of
//! the process before those of the code that raised it.
//!
//! It runs on the thread that touched the page, which holds none of our locks, so
//! that it may take one; it allocates nothing.

use std::io;
use std::ops;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use windows_sys::Win32::Foundation::{
    CloseHandle, ERROR_HANDLE_EOF, EXCEPTION_ACCESS_VIOLATION, EXCEPTION_IN_PAGE_ERROR,
    GENERIC_READ, GetLastError, HANDLE, INVALID_HANDLE_VALUE, NTSTATUS, STATUS_COMMITMENT_LIMIT,
    STATUS_DISK_FULL, STATUS_END_OF_FILE, STATUS_INSUFFICIENT_RESOURCES, STATUS_NO_MEMORY,
    STATUS_WORKING_SET_QUOTA, SetLastError,
};
use windows_sys::Win32::Storage::FileSystem::{
    FILE_SHARE_DELETE, FILE_SHARE_READ, FILE_SHARE_WRITE, ReOpenFile, ReadFile,
};
use windows_sys::Win32::System::Diagnostics::Debug::{
    AddVectoredExceptionHandler, EXCEPTION_CONTINUE_EXECUTION, EXCEPTION_CONTINUE_SEARCH,
    EXCEPTION_POINTERS,
};
use windows_sys::Win32::System::IO::{OVERLAPPED, OVERLAPPED_0, OVERLAPPED_0_0};
use windows_sys::Win32::System::Memory::{
    MEM_COMMIT, MEM_PRIVATE, MEMORY_BASIC_INFORMATION, PAGE_EXECUTE_READ, PAGE_EXECUTE_READWRITE,
    PAGE_EXECUTE_WRITECOPY, PAGE_GUARD, PAGE_READONLY, PAGE_READWRITE, PAGE_WRITECOPY,
};
use windows_sys::Win32::System::Threading::GetCurrentThreadId;

use super::memory::query;
use super::placeholder::{self, Content};
use super::section::Section;
use super::{Mapping, file_len_of, handle_of};
use crate::fault::FaultReason;
use crate::range::round_up;
use crate::registry::{REGISTRY, Range, Slot};

/// "A hardware memory error occurred".
const STATUS_HARDWARE_MEMORY_ERROR: NTSTATUS = 0xC000_0709_u32 as NTSTATUS;

static INSTALLED: AtomicBool = AtomicBool::new(false);

/// Held while parts of a map are replaced or restored: its pages are not there
/// then, and whoever touches them comes to the handler and waits here.
static REPLACING: Mutex<Replacing> = Mutex::new(Replacing {
    changes: 0,
    tries: [const { Try { thread: 0, address: 0, change: 0 } }; 64],
});

struct Replacing {
    /// Changes of any map's blocks so far.
    changes: u64,
    /// The last accesses that were tried again: a place for several threads each.
    tries: [Try; 64],
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Try {
    thread: u32,
    address: usize,
    /// The change after which it was.
    change: u64,
}

fn replacing() -> MutexGuard<'static, Replacing> {
    REPLACING.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Replacing {
    /// Whether this thread has tried the access again already, and no map was
    /// changed since.
    fn is_again(&mut self, address: usize) -> bool {
        // SAFETY: asks for a number.
        let thread = unsafe { GetCurrentThreadId() };
        let this = Try { thread, address, change: self.changes };
        let place = thread as usize / 4 % self.tries.len();
        std::mem::replace(&mut self.tries[place], this) == this
    }

    /// Makes the units `lo..hi` of a map of something else; whether that was done,
    /// and without a loss. What is lost is marked.
    fn put(&mut self, slot: &Slot, range: &Range, lo: u64, hi: u64, content: Content) -> bool {
        let (from, to) = range.bytes(lo, hi);
        self.put_bytes(Some(slot), range, from..to, content)
    }

    fn put_bytes(
        &mut self,
        slot: Option<&Slot>,
        range: &Range,
        part: ops::Range<usize>,
        content: Content,
    ) -> bool {
        self.changes += 1;
        let file = (range.fd >= 0).then(|| handle_of(range.fd));
        let lost = |from: usize, to: usize| {
            let (lo, hi) = (from / range.unit, to.div_ceil(range.unit));
            if let Some(slot) = slot {
                slot.mark(range, lo as u64, hi as u64, lo * range.unit, FaultReason::NoSpace);
            }
        };
        // SAFETY: the map lives, and whoever is here has the lock.
        unsafe { placeholder::put(range, part.start, part.end, content, file, lost) }
    }
}

/// Nobody forks here.
#[cfg(feature = "log")]
pub(crate) fn forks() -> u32 {
    0
}

#[cfg(feature = "log")]
pub(crate) fn watch_forks() {}

/// Sees to it that failing pages come to us. `false`: the system has no
/// placeholders, and no page can be replaced.
pub(crate) fn install() -> bool {
    static INSTALLING: Mutex<()> = Mutex::new(());
    if INSTALLED.load(Ordering::Acquire) {
        return true;
    }
    if !placeholder::exist() {
        return false;
    }
    let _lock = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    if !INSTALLED.load(Ordering::Acquire) {
        // SAFETY: the handler hands on what is not ours.
        let handle = unsafe { AddVectoredExceptionHandler(1, Some(handler)) };
        INSTALLED.store(!handle.is_null(), Ordering::Release);
    }
    INSTALLED.load(Ordering::Acquire)
}

/// Whether this process has had a handler of ours.
pub(crate) fn was_installed() -> bool {
    INSTALLED.load(Ordering::Relaxed)
}

/// Whether failing pages come to us, now. Nobody can take a handler away that is
/// not theirs.
pub(crate) fn is_installed() -> bool {
    was_installed()
}

/// Whether parts of a mapping can be replaced.
pub(crate) fn covers(mapping: &Mapping) -> bool {
    mapping.replaceable || mapping.len() == 0
}

/// What an access violation or a page that failed says of itself.
#[derive(Clone, Copy)]
struct Failure {
    address: usize,
    writes: bool,
    executes: bool,
    /// Why the page could not be read in; `None`: an access violation.
    status: Option<NTSTATUS>,
}

unsafe extern "system" fn handler(pointers: *mut EXCEPTION_POINTERS) -> i32 {
    // SAFETY: the system gives valid pointers.
    let record = unsafe { &*(*pointers).ExceptionRecord };
    let information = &record.ExceptionInformation[..record.NumberParameters.min(15) as usize];
    let (access, address, status) = match (record.ExceptionCode, information) {
        (EXCEPTION_IN_PAGE_ERROR, &[access, address, status, ..]) => {
            (access, address, Some(status as NTSTATUS))
        }
        (EXCEPTION_ACCESS_VIOLATION, &[access, address, ..]) => (access, address, None),
        _ => return EXCEPTION_CONTINUE_SEARCH,
    };
    let failure = Failure { address, writes: access == 1, executes: access == 8, status };
    // SAFETY: this thread's.
    let last_error = unsafe { GetLastError() };
    let handled = REGISTRY.with_slot(address, |slot, range| mend(slot, range, failure));
    // SAFETY: this thread's.
    unsafe { SetLastError(last_error) };
    if handled == Some(true) { EXCEPTION_CONTINUE_EXECUTION } else { EXCEPTION_CONTINUE_SEARCH }
}

/// Makes the instruction that failed succeed, if that is for us to do.
fn mend(slot: &Slot, range: &Range, failure: Failure) -> bool {
    if failure.address < range.start {
        return false;
    }
    let mut replacing = replacing();
    let Some(page) = query(failure.address) else { return false };
    let there = page.State == MEM_COMMIT;
    if there && failure.status.is_none() && !allows(&page, failure) {
        return false;
    }
    // Zeros in the place of the file's page: another thread was here first.
    let replaced = there && page.Type == MEM_PRIVATE;
    let again = replacing.is_again(failure.address);
    if failure.address - range.start >= range.len {
        // Behind the map's end, which was moved meanwhile, are zeros of no file.
        return there && !again;
    }
    let unit = range.unit as u64;
    let at = (failure.address - range.start) as u64 / unit;
    let units = (range.len as u64).div_ceil(unit);
    let end = end_of_file(range).map(|end| round_up(end, unit) / unit);
    let reason = match failure.status {
        _ if replaced && !again => return true,
        _ if end.is_some_and(|end| at >= end) => FaultReason::Truncated,
        // What could not be mapped when something beside it was replaced.
        _ if !there && replacing.put(slot, range, at, at + 1, Content::Joined) => return true,
        _ if !there => FaultReason::NoSpace,
        Some(status) => reason_of(status),
        // The page was not there while others were replaced. Nothing failed, and
        // what was read or written before stands.
        None if !again => return true,
        None => FaultReason::Io,
    };
    let (lo, hi) = if range.fd < 0 || !range.shared {
        // Without its file nothing else of the view can be mapped again, and the
        // changes of a copy-on-write one would be lost unseen.
        (0, units)
    } else if reason == FaultReason::Truncated {
        (end.unwrap_or(at).min(at), units)
    } else {
        (at, at + slot.widened(range, at))
    };
    let dead = slot.mark(range, lo, hi, (at * unit) as usize, reason);
    // If there is no memory for all of it there may be for the page.
    [(dead.lo, dead.hi), (at, at + 1)].into_iter().any(|(lo, hi)| {
        replacing.put(slot, range, lo, hi, Content::Zeros);
        query(failure.address)
            .is_some_and(|page| page.State == MEM_COMMIT && page.Type == MEM_PRIVATE)
    })
}

/// How much of the map its file has now, in bytes. `None`: nobody can tell.
fn end_of_file(range: &Range) -> Option<u64> {
    let len = (range.fd >= 0 && range.regular).then(|| file_len_of(range.fd))?;
    len.map(|len| len.saturating_sub(range.file_offset))
}

/// Why the system could not read a page in.
fn reason_of(status: NTSTATUS) -> FaultReason {
    match status {
        STATUS_END_OF_FILE => FaultReason::Truncated,
        STATUS_DISK_FULL
        | STATUS_NO_MEMORY
        | STATUS_COMMITMENT_LIMIT
        | STATUS_INSUFFICIENT_RESOURCES
        | STATUS_WORKING_SET_QUOTA => FaultReason::NoSpace,
        STATUS_HARDWARE_MEMORY_ERROR => FaultReason::Hardware,
        _ => FaultReason::Io,
    }
}

/// Whether a page that is there allows the access that failed.
fn allows(page: &MEMORY_BASIC_INFORMATION, failure: Failure) -> bool {
    const WRITABLE: [u32; 4] =
        [PAGE_READWRITE, PAGE_WRITECOPY, PAGE_EXECUTE_READWRITE, PAGE_EXECUTE_WRITECOPY];
    let writable = WRITABLE.contains(&page.Protect);
    let readable = writable || matches!(page.Protect, PAGE_READONLY | PAGE_EXECUTE_READ);
    page.Protect & PAGE_GUARD == 0
        && !failure.executes
        && if failure.writes { writable } else { readable }
}

/// There is no canary: nobody cuts a file that is mapped. So it always sings.
static CANARY: AtomicU64 = AtomicU64::new(0);

pub(crate) fn plant_canary(slot: &Slot, _range: &Range, _file_offset: u64) -> bool {
    let address = CANARY.as_ptr().expose_provenance();
    slot.plant_canary(0, |_| Some(address), |_| ())
}

#[inline(always)]
pub(crate) fn sings(slot: &Slot, _song: u64) -> bool {
    slot.canary() != 0
}

pub(crate) fn remove_canary(slot: &Slot, _unit: usize) {
    slot.take_canary();
}

/// Maps the file back over the dead units `lo..hi` of a map, as far as it is
/// long enough and readable again; returns the unit up to which it is whole.
pub(crate) fn restore(slot: &Slot, range: &Range, lo: u64, hi: u64, reason: FaultReason) -> u64 {
    // What the map no longer has, since it shrank, is as good as whole.
    let (gone, hi) = (hi, hi.min(range.units()));
    if lo >= hi {
        return gone;
    }
    if range.fd < 0 {
        return lo;
    }
    let unit = range.unit as u64;
    let mut up_to = hi;
    if range.regular {
        let Some(end) = end_of_file(range) else { return lo };
        up_to = hi.min(round_up(end, unit) / unit);
    }
    let file = handle_of(range.fd);
    if up_to <= lo
        || reason != FaultReason::Truncated && !can_be_read(file, range.file_offset + lo * unit)
    {
        return lo;
    }
    match replacing().put(slot, range, lo, up_to, Content::Joined) {
        true if up_to == hi => gone,
        true => up_to,
        false => lo,
    }
}

/// Maps the file where a map grows to: a part of `range`, whole pages, behind what
/// it had.
pub(super) fn grow(slot: Option<&Slot>, range: &Range, part: ops::Range<usize>) -> io::Result<()> {
    if range.len == 0 {
        return Ok(());
    }
    if part.is_empty() {
        // Of its last page the file has as much as a section asked for.
        let file = handle_of(range.fd);
        return Section::of_file(file, range.protection, range.shared, 0).map(drop);
    }
    let mapped = replacing().put_bytes(slot, range, part, Content::File);
    if mapped { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Makes zeros, which belong to no file, of what a map has from the byte `kept` on, a
/// multiple of its pages; and runs `cut` while no view is there: no file can be cut
/// that has one.
pub(super) fn cut<T>(
    slot: Option<&Slot>,
    range: &Range,
    kept: usize,
    cut: impl FnOnce() -> T,
) -> io::Result<T> {
    let mut replacing = replacing();
    let gone = kept..range.len;
    if !gone.is_empty() && !replacing.put_bytes(slot, range, gone, Content::Zeros) {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the map lives, and the lock is held until they are back.
    let views = unsafe { placeholder::vacate_views(range.start, range.start + kept) };
    let result = cut();
    let mapped = views.into_iter().fold(true, |mapped, (start, end)| {
        let part = start - range.start..end - range.start;
        replacing.put_bytes(slot, range, part, Content::File) && mapped
    });
    if mapped { Ok(result) } else { Err(io::Error::last_os_error()) }
}

/// Whether the byte at an offset of a file can be read; `true` if nobody can
/// tell. The file's own position stays as it is.
fn can_be_read(file: HANDLE, offset: u64) -> bool {
    let shared = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
    let (low, high) = (offset as u32, (offset >> 32) as u32);
    let mut place = OVERLAPPED {
        Anonymous: OVERLAPPED_0 { Anonymous: OVERLAPPED_0_0 { Offset: low, OffsetHigh: high } },
        ..OVERLAPPED::default()
    };
    let (mut byte, mut count) = (0, 0);
    // SAFETY: the handle is opened here and closed again; it reads one byte into
    // a variable, and waits for it.
    unsafe {
        let again = ReOpenFile(file, GENERIC_READ, shared, 0);
        if again == INVALID_HANDLE_VALUE {
            return true;
        }
        let read = ReadFile(again, &raw mut byte, 1, &raw mut count, &raw mut place);
        let error = GetLastError();
        CloseHandle(again);
        read != 0 || error == ERROR_HANDLE_EOF
    }
}
