//! The advice that Windows takes, with numbers of our own.

use std::io;

use windows_sys::Win32::Foundation::{ERROR_NOT_LOCKED, HANDLE};
use windows_sys::Win32::System::Memory::{
    MEM_RESET, PAGE_READWRITE, VirtualAlloc, VirtualUnlock, WIN32_MEMORY_RANGE_ENTRY,
};
use windows_sys::Win32::System::Threading::GetCurrentProcess;

use super::memory::{self, Kind};
use super::{check, is_error, page_size, placeholder, working_set};

const NOTHING: i32 = 0;
const PREFETCH: i32 = 1;
const EVICT: i32 = 2;
const DROP: i32 = 3;
const RESET: i32 = 4;

pub(crate) const NORMAL: Option<i32> = Some(NOTHING);
pub(crate) const WILLNEED: Option<i32> = Some(PREFETCH);
pub(crate) const PAGEOUT: Option<i32> = Some(EVICT);
pub(crate) const DONTNEED: Option<i32> = Some(DROP);
pub(crate) const FREE: Option<i32> = Some(RESET);

macro_rules! none {
    ($($name:ident)*) => {$(pub(crate) const $name: Option<i32> = None;)*};
}

none! {
    RANDOM SEQUENTIAL REMOVE DONTFORK DOFORK MERGEABLE UNMERGEABLE HUGEPAGE NOHUGEPAGE
    DONTDUMP DODUMP COLD POPULATE_READ POPULATE_WRITE COLLAPSE WIPEONFORK KEEPONFORK NOSYNC
    AUTOSYNC NOCORE CORE FREE_REUSE FREE_REUSABLE
}

pub(super) fn advise(start: *mut u8, len: usize, advice: i32) -> io::Result<()> {
    match advice {
        NOTHING => Ok(()),
        PREFETCH => prefetch(start, len),
        EVICT => evict(start, len),
        DROP => memory::for_each_block(start, len, |block, start, len| match block.kind {
            Kind::Private => memory::renew(start, len),
            // Its changes can only be had rid of with the view.
            Kind::View if block.copies => Err(io::ErrorKind::Unsupported.into()),
            Kind::View | Kind::Reserved => evict(start, len),
        }),
        RESET => memory::for_each_block(start, len, |block, start, len| match block.kind {
            Kind::Private => reset(start, len),
            Kind::View | Kind::Reserved => Err(io::ErrorKind::Unsupported.into()),
        }),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// Starts reading pages in. Windows 8 and later; nothing happens before.
pub(super) fn prefetch(start: *mut u8, len: usize) -> io::Result<()> {
    type PrefetchVirtualMemory = unsafe extern "system" fn(
        process: HANDLE,
        count: usize,
        ranges: *const WIN32_MEMORY_RANGE_ENTRY,
        flags: u32,
    ) -> i32;
    // SAFETY: this is its type.
    let prefetch = unsafe { placeholder::function(c"PrefetchVirtualMemory") };
    let Some(prefetch): Option<PrefetchVirtualMemory> = prefetch else { return Ok(()) };
    let range = WIN32_MEMORY_RANGE_ENTRY { VirtualAddress: start.cast(), NumberOfBytes: len };
    // SAFETY: reads one range; no byte changes.
    check(unsafe { prefetch(GetCurrentProcess(), 1, &raw const range, 0) })
}

/// Takes pages out of the working set: what unlocking does to pages that are not
/// locked. Those that are stay.
fn evict(start: *mut u8, len: usize) -> io::Result<()> {
    const PART: usize = 512;
    let page = page_size();
    for first in (0..len.div_ceil(page)).step_by(PART) {
        let at = start.wrapping_add(first * page);
        let pages = working_set(at, PART.min(len.div_ceil(page) - first))?;
        let mut at = at;
        for run in pages.chunk_by(|one, other| one.is_locked() == other.is_locked()) {
            if !run[0].is_locked() {
                drop_from_working_set(at, run.len() * page)?;
            }
            at = at.wrapping_add(run.len() * page);
        }
    }
    Ok(())
}

fn drop_from_working_set(start: *mut u8, len: usize) -> io::Result<()> {
    // SAFETY: no byte changes.
    match check(unsafe { VirtualUnlock(start.cast(), len) }) {
        Err(error) if is_error(&error, ERROR_NOT_LOCKED) => Ok(()),
        result => result,
    }
}

/// Lets the system forget what private pages hold.
fn reset(start: *mut u8, len: usize) -> io::Result<()> {
    // SAFETY: the pages are there, and the caller has given up what they hold.
    let reset = unsafe { VirtualAlloc(start.cast(), len, MEM_RESET, PAGE_READWRITE) };
    if reset.is_null() { Err(io::Error::last_os_error()) } else { Ok(()) }
}
