//! What a process has of memory.

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
