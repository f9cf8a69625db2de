//! What a process has of memory and of files.
#![allow(dead_code, reason = "no test needs all of it")]

/// How many areas of memory the process has.
#[cfg(unix)]
pub(crate) fn areas() -> usize {
    std::fs::read_to_string("/proc/self/maps").unwrap().lines().count()
}

/// How many allocations of addresses the process has.
#[cfg(windows)]
pub(crate) fn areas() -> usize {
    use windows_sys::Win32::System::Memory::{MEMORY_BASIC_INFORMATION, VirtualQuery};

    let (mut at, mut bases) = (0, std::collections::HashSet::new());
    let mut info = MEMORY_BASIC_INFORMATION::default();
    // SAFETY: fills in the structure, or answers 0.
    while unsafe {
        let size = size_of::<MEMORY_BASIC_INFORMATION>();
        VirtualQuery(std::ptr::without_provenance(at), &raw mut info, size) != 0
    } {
        bases.insert(info.AllocationBase.addr());
        at = info.BaseAddress.addr() + info.RegionSize;
    }
    bases.len()
}

/// How many files the process has open.
#[cfg(unix)]
pub(crate) fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// How many handles the process has open.
#[cfg(windows)]
pub(crate) fn open_files() -> usize {
    use std::os::windows::io::AsRawHandle;

    use windows_sys::Win32::System::Threading::{GetCurrentProcess, GetProcessHandleCount};

    let mut count = 0;
    // SAFETY: fills in the number.
    assert_ne!(unsafe { GetProcessHandleCount(GetCurrentProcess(), &raw mut count) }, 0);
    if count == 0 {
        // Wine does not count them, but numbers them by fours and has no gaps.
        let program = std::env::current_exe().unwrap();
        count = std::fs::File::open(program).unwrap().as_raw_handle().addr() as u32 / 4;
    }
    count as usize
}
