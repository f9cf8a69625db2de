//! Memory as the system keeps it: blocks, each of which was allocated or mapped
//! as a whole and can be given back only so.

use std::io;
use std::ptr::{self, NonNull};

use windows_sys::Win32::Foundation::{
    CloseHandle, ERROR_ACCESS_DENIED, ERROR_INVALID_PARAMETER, ERROR_NOT_ALL_ASSIGNED,
    ERROR_NOT_ENOUGH_MEMORY, ERROR_PRIVILEGE_NOT_HELD, GetLastError, HANDLE,
};
use windows_sys::Win32::Security::{
    AdjustTokenPrivileges, LookupPrivilegeValueW, SE_LOCK_MEMORY_NAME, SE_PRIVILEGE_ENABLED,
    TOKEN_ADJUST_PRIVILEGES, TOKEN_PRIVILEGES, TOKEN_QUERY,
};
use windows_sys::Win32::System::Memory::{
    MEM_COMMIT, MEM_DECOMMIT, MEM_FREE, MEM_LARGE_PAGES, MEM_MAPPED, MEM_RELEASE, MEM_RESERVE,
    MEMORY_BASIC_INFORMATION, MEMORY_MAPPED_VIEW_ADDRESS, PAGE_EXECUTE, PAGE_EXECUTE_READ,
    PAGE_EXECUTE_READWRITE, PAGE_EXECUTE_WRITECOPY, PAGE_NOACCESS, PAGE_READONLY, PAGE_READWRITE,
    PAGE_WRITECOPY, UnmapViewOfFile, VirtualAlloc, VirtualFree, VirtualProtect, VirtualQuery,
};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

use super::{
    LARGE_PAGES, Mapping, PROT_EXEC, PROT_READ, PROT_WRITE, Request, check, is_error, large_page,
};

/// What a protection of ours is called here. `copy`: the pages belong to a
/// copy-on-write view.
pub(super) fn page_protection(protection: i32, copy: bool) -> u32 {
    let executes = protection & PROT_EXEC != 0;
    if protection & PROT_WRITE != 0 {
        match (executes, copy) {
            (false, false) => PAGE_READWRITE,
            (false, true) => PAGE_WRITECOPY,
            (true, false) => PAGE_EXECUTE_READWRITE,
            (true, true) => PAGE_EXECUTE_WRITECOPY,
        }
    } else if protection & PROT_READ != 0 {
        if executes { PAGE_EXECUTE_READ } else { PAGE_READONLY }
    } else if executes {
        PAGE_EXECUTE
    } else {
        PAGE_NOACCESS
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A view of a section.
    View,
    /// Memory of this process alone.
    Private,
    /// Addresses without memory: a placeholder, usually.
    Reserved,
}

/// Addresses that were allocated or mapped in one call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) kind: Kind,
    /// Whether it is a copy-on-write view.
    pub(super) copies: bool,
}

/// What the system says of the pages from `address` on that are alike.
pub(super) fn query(address: usize) -> Option<MEMORY_BASIC_INFORMATION> {
    let mut info = MEMORY_BASIC_INFORMATION::default();
    let size = size_of::<MEMORY_BASIC_INFORMATION>();
    let address = ptr::without_provenance(address);
    // SAFETY: fills in the structure, or answers 0.
    let filled = unsafe { VirtualQuery(address, &raw mut info, size) };
    (filled != 0 && info.State != MEM_FREE).then_some(info)
}

impl Block {
    /// The block that has an address.
    pub(super) fn at(address: usize) -> Option<Self> {
        let base = query(address)?.AllocationBase;
        let first = query(base.addr())?;
        let kind = match (first.State, first.Type) {
            (_, MEM_MAPPED) => Kind::View,
            (MEM_RESERVE, _) => Kind::Reserved,
            _ => Kind::Private,
        };
        let copies = matches!(first.AllocationProtect, PAGE_WRITECOPY | PAGE_EXECUTE_WRITECOPY);
        let start = base.addr();
        let mut end = start + first.RegionSize;
        while let Some(next) = query(end).filter(|next| next.AllocationBase == base) {
            end += next.RegionSize;
        }
        Some(Self { start, end, kind, copies })
    }

    /// Gives the memory and its addresses back.
    ///
    /// # Safety
    /// The block must be the caller's, and nothing may use it from now on.
    unsafe fn release(self) {
        let start = ptr::with_exposed_provenance_mut(self.start);
        // SAFETY: the caller's promise. It cannot fail for what the system just
        // said is there.
        unsafe {
            match self.kind {
                Kind::View => UnmapViewOfFile(MEMORY_MAPPED_VIEW_ADDRESS { Value: start }),
                Kind::Private | Kind::Reserved => VirtualFree(start, 0, MEM_RELEASE),
            };
        }
    }
}

/// Gives a mapping back, of however many blocks it is by now.
///
/// # Safety
/// The pages must be the caller's, and nothing may use them from now on.
pub(super) unsafe fn release(base: *mut u8, len: usize) {
    let mut at = base.expose_provenance();
    let end = at + len;
    while at < end {
        let Some(block) = Block::at(at) else { return };
        at = block.end;
        // SAFETY: blocks that begin inside the mapping are the caller's.
        unsafe { block.release() };
    }
}

/// Runs `work` on the address and the length of every part of a mapping that is
/// a view.
pub(super) fn for_each_view(
    start: *mut u8,
    len: usize,
    mut work: impl FnMut(*mut u8, usize) -> io::Result<()>,
) -> io::Result<()> {
    for_each_block(start, len, |block, start, len| match block.kind {
        Kind::View => work(start, len),
        Kind::Private | Kind::Reserved => Ok(()),
    })
}

pub(super) fn for_each_block(
    start: *mut u8,
    len: usize,
    mut work: impl FnMut(&Block, *mut u8, usize) -> io::Result<()>,
) -> io::Result<()> {
    let mut done = 0;
    while done < len {
        let from = start.wrapping_add(done);
        let Some(block) = Block::at(from.addr()) else {
            return Err(io::Error::from_raw_os_error(ERROR_NOT_ENOUGH_MEMORY as i32));
        };
        let part = (block.end - from.addr()).min(len - done);
        work(&block, from, part)?;
        done += part;
    }
    Ok(())
}

/// Changes the protection of a mapping, of whatever blocks.
pub(super) fn protect(start: *mut u8, len: usize, protection: i32) -> io::Result<()> {
    for_each_block(start, len, |block, start, len| match block.kind {
        Kind::Reserved => Ok(()),
        _ => set_protection(start, len, page_protection(protection, block.copies)),
    })
}

pub(super) fn set_protection(start: *mut u8, len: usize, protection: u32) -> io::Result<()> {
    let mut before = 0;
    // SAFETY: no operation is using the pages, or they are being put where they
    // are. An access that the new protection forbids is a fault that harms
    // nobody but the process.
    match check(unsafe { VirtualProtect(start.cast(), len, protection, &raw mut before) }) {
        // More than the view was made for.
        Err(error) if is_error(&error, ERROR_INVALID_PARAMETER) => {
            Err(io::Error::from_raw_os_error(ERROR_ACCESS_DENIED as i32))
        }
        result => result,
    }
}

/// Gives the memory of pages back, and keeps their addresses. Views keep both.
pub(super) fn decommit(start: *mut u8, len: usize) {
    if Block::at(start.addr()).is_some_and(|block| block.kind == Kind::Private) {
        // SAFETY: the caller has given the pages up.
        unsafe { VirtualFree(start.cast(), len, MEM_DECOMMIT) };
    }
}

/// Pages of zeros in the place of private ones; their addresses stay.
pub(super) fn renew(start: *mut u8, len: usize) -> io::Result<()> {
    let Some(info) = query(start.addr()) else {
        return Err(io::Error::from_raw_os_error(ERROR_NOT_ENOUGH_MEMORY as i32));
    };
    decommit(start, len);
    // SAFETY: the pages were just given up, and their addresses kept.
    let renewed = unsafe { VirtualAlloc(start.cast(), len, MEM_COMMIT, info.Protect) };
    if renewed.is_null() { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Private memory of zeros.
pub(super) fn allocate(request: &Request<'_>) -> io::Result<Mapping> {
    let (mut len, mut how) = (request.map_len, MEM_RESERVE | MEM_COMMIT);
    if request.flags & LARGE_PAGES != 0 {
        enable_large_pages()?;
        len = len.next_multiple_of(large_page());
        how |= MEM_LARGE_PAGES;
    }
    let protection = page_protection(request.protection, false);
    // SAFETY: the system chooses an address that nothing else uses.
    let base = unsafe { VirtualAlloc(ptr::null(), len, how, protection) };
    let base = NonNull::new(base.cast()).ok_or_else(io::Error::last_os_error)?;
    // SAFETY: the system just made it.
    Ok(unsafe { Mapping::new(base, request.map_len) })
}

/// A process that may use large pages still has to say that it will.
fn enable_large_pages() -> io::Result<()> {
    struct Token(HANDLE);
    impl Drop for Token {
        fn drop(&mut self) {
            // SAFETY: the token's own handle.
            unsafe { CloseHandle(self.0) };
        }
    }
    let mut token = Token(ptr::null_mut());
    let mut wanted = TOKEN_PRIVILEGES { PrivilegeCount: 1, ..TOKEN_PRIVILEGES::default() };
    wanted.Privileges[0].Attributes = SE_PRIVILEGE_ENABLED;
    let rights = TOKEN_ADJUST_PRIVILEGES | TOKEN_QUERY;
    // SAFETY: asks for the process's own token, and changes what it says of the
    // one privilege.
    unsafe {
        check(OpenProcessToken(GetCurrentProcess(), rights, &raw mut token.0))?;
        let privilege = &raw mut wanted.Privileges[0].Luid;
        check(LookupPrivilegeValueW(ptr::null(), SE_LOCK_MEMORY_NAME, privilege))?;
        let none = ptr::null_mut();
        check(AdjustTokenPrivileges(token.0, 0, &raw const wanted, 0, none, ptr::null_mut()))?;
        // It succeeds without the privilege, too.
        if GetLastError() == ERROR_NOT_ALL_ASSIGNED {
            return Err(io::Error::from_raw_os_error(ERROR_PRIVILEGE_NOT_HELD as i32));
        }
    }
    Ok(())
}
