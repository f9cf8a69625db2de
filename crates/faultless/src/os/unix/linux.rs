//! What only Linux and Android have.

use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::{BorrowedFile, Mapping, advise, check, page_size};

pub(crate) type FileOffset = libc::off64_t;
pub(super) type Stat = libc::stat64;
pub(super) use libc::fstat64 as fstat_call;
pub(super) use libc::mmap64 as mmap_call;

/// Not in every C library's headers, but the kernel's for all.
pub(super) const FIXED_NOREPLACE: i32 = 0x10_0000;
pub(crate) const NO_RESERVE: i32 = libc::MAP_NORESERVE;
pub(crate) const POPULATE: Option<i32> = Some(libc::MAP_POPULATE);
pub(crate) const STACK: i32 = libc::MAP_STACK;
/// A page that fails raises this signal.
pub(super) const FAULT_SIGNALS: &[i32] = &[libc::SIGBUS];

/// The flags for pages of a pool of huge ones, of `1 << shift` bytes or of the
/// pool's default size.
pub(crate) fn huge_flags(shift: Option<u32>) -> Option<i32> {
    let shift = i32::try_from(shift.unwrap_or(0)).ok().filter(|&shift| shift < 64)?;
    Some(libc::MAP_HUGETLB | shift << libc::MAP_HUGE_SHIFT)
}

/// The page size of anonymous memory with these flags, if it is not the usual.
pub(crate) fn huge_page_of_flags(flags: i32) -> Option<usize> {
    if flags & libc::MAP_HUGETLB == 0 {
        return None;
    }
    match (flags as u32 >> libc::MAP_HUGE_SHIFT) & 0x3F {
        // The default size; two megabytes on the processors that have a choice.
        0 => Some(default_huge_page()),
        shift => 1usize.checked_shl(shift),
    }
}

fn default_huge_page() -> usize {
    std::fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("Hugepagesize:"))?;
            line.split_whitespace().nth(1)?.parse::<usize>().ok()
        })
        .map_or(2 << 20, |kilobytes| kilobytes << 10)
}

/// The page size of the mappings of a file on hugetlbfs; `None` for any other
/// file. The file system is asked only if the preferred block size allows it.
pub(super) fn huge_page_of(fd: i32, block_size: usize) -> Option<usize> {
    const HUGETLBFS_MAGIC: u64 = 0x9584_58f6;
    if block_size <= page_size() || !block_size.is_power_of_two() {
        return None;
    }
    let mut stat = std::mem::MaybeUninit::<libc::statfs64>::uninit();
    // SAFETY: fstatfs fills in the structure, or fails.
    check(unsafe { libc::fstatfs64(fd, stat.as_mut_ptr()) }).ok()?;
    // SAFETY: it did not fail.
    let stat = unsafe { stat.assume_init() };
    (stat.f_type as u64 & 0xFFFF_FFFF == HUGETLBFS_MAGIC).then_some(stat.f_bsize as usize)
}

/// Whether the file system behind `fd` has no block left. Async-signal-safe.
pub(super) fn no_space_left(fd: i32) -> bool {
    let mut stat = std::mem::MaybeUninit::<libc::statfs64>::uninit();
    // SAFETY: fstatfs fills in the structure, or fails.
    if unsafe { libc::fstatfs64(fd, stat.as_mut_ptr()) } != 0 {
        return false;
    }
    // SAFETY: it did not fail.
    let stat = unsafe { stat.assume_init() };
    stat.f_blocks != 0 && stat.f_bavail == 0
}

pub(super) fn allocate_blocks(fd: i32, from: u64, len: u64) -> io::Result<()> {
    loop {
        // SAFETY: changes the file only.
        let result =
            check(unsafe { libc::fallocate64(fd, 0, from as FileOffset, len as FileOffset) });
        match result {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

#[cfg(faultless_portable)]
pub(crate) use super::extend::resize as remap;

/// The system call, which Android's C library has but not its headers.
///
/// # Safety
/// The `old` bytes from `base` must be a mapping of the caller's, which they do
/// not use after this.
#[cfg(not(faultless_portable))]
unsafe fn mremap(base: *mut u8, old: usize, len: usize) -> *mut u8 {
    const MAY_MOVE: libc::c_ulong = 1;
    // SAFETY: the caller's promise.
    let moved = unsafe { libc::syscall(libc::SYS_mremap, base, old, len, MAY_MOVE) };
    std::ptr::with_exposed_provenance_mut(moved as usize)
}

/// Gives the mapping, of at least a byte, the length that `request` asks for,
/// moving it where it has no room. Gives it back if the system cannot do it in
/// one call: it has to be made anew then.
#[cfg(not(faultless_portable))]
pub(crate) fn remap(
    mapping: Mapping,
    request: &super::Request<'_>,
    _page: usize,
    _file: Option<BorrowedFile<'_>>,
) -> Result<Mapping, (Mapping, io::Error)> {
    let (base, old) = mapping.into_raw();
    let len = request.map_len;
    // SAFETY: the mapping was given away, so nothing uses its old place.
    let moved = unsafe { mremap(base.as_ptr(), old, len) };
    match NonNull::new(moved) {
        Some(moved) if moved.as_ptr().cast() != libc::MAP_FAILED => {
            // SAFETY: the system just made it.
            Ok(unsafe { Mapping::new(moved, len) })
        }
        // SAFETY: the system left it as it was.
        _ => Err((unsafe { Mapping::new(base, old) }, io::Error::last_os_error())),
    }
}

pub(crate) fn set_name(start: *mut u8, len: usize, name: &CStr) -> io::Result<()> {
    const PR_SET_VMA: i32 = 0x5356_4d41;
    const PR_SET_VMA_ANON_NAME: libc::c_ulong = 0;
    // SAFETY: names an area of memory; the name is copied. Other addresses than
    // anonymous memory of this process are an error.
    check(unsafe {
        libc::prctl(
            PR_SET_VMA,
            PR_SET_VMA_ANON_NAME,
            start.addr() as libc::c_ulong,
            len as libc::c_ulong,
            name.as_ptr(),
        )
    })
}

/// Asks for huge pages behind memory that is about to be filled for the first
/// time: fewer faults, and less to give back. Advice only, for the huge pages
/// that lie in it as a whole; none where memory is there already, which was
/// used before and stays as it is.
pub(crate) fn expect_filling(memory: &mut [MaybeUninit<u8>]) {
    let Some(huge) = transparent_huge_page() else {
        return;
    };
    let lead = memory.as_ptr().addr().wrapping_neg() % huge;
    let whole = memory.len().saturating_sub(lead) / huge * huge;
    if whole == 0 {
        return;
    }
    let start = memory[lead..].as_mut_ptr().cast::<u8>();
    let mut resident = 1;
    // SAFETY: says of one page of the caller's memory whether it is there.
    let asked = unsafe { libc::mincore(start.cast(), 1, &raw mut resident) };
    if asked == 0 && resident & 1 == 0 {
        // A system that has none left uses small ones.
        let _ = advise(start, whole, libc::MADV_HUGEPAGE);
    }
}

/// The size of the huge pages that the system can give without being told where.
fn transparent_huge_page() -> Option<usize> {
    const NONE: usize = usize::MAX;
    static SIZE: AtomicUsize = AtomicUsize::new(0);
    let size = match SIZE.load(Ordering::Relaxed) {
        0 => {
            let text =
                std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size");
            let size = text.ok().and_then(|text| text.trim().parse::<usize>().ok());
            let size = size.filter(|size| size.is_power_of_two()).unwrap_or(NONE);
            SIZE.store(size, Ordering::Relaxed);
            size
        }
        size => size,
    };
    (size != NONE).then_some(size)
}

/// Whether nobody can change or shrink the file any more.
pub(crate) fn is_sealed(file: BorrowedFile<'_>) -> bool {
    let needed = libc::F_SEAL_WRITE | libc::F_SEAL_SHRINK;
    // SAFETY: asks for a number.
    let seals = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GET_SEALS) };
    seals != -1 && seals & needed == needed
}

/// The name of an open file, for messages.
pub(crate) fn path_of(file: BorrowedFile<'_>) -> Option<std::path::PathBuf> {
    std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))
        .ok()
        .filter(|path| path.is_absolute())
}
pub(super) use libc::pread64 as pread_call;

/// Whether `mincore` says of the file's pages what is so: the kernel tells it to
/// the owner of the file and to who may write it, and says "resident" of every
/// page to others.
pub(crate) fn tells_residency(file: BorrowedFile<'_>) -> bool {
    // Android's C library takes no flags.
    #[cfg(target_os = "linux")]
    const AS_EFFECTIVE_USER: i32 = libc::AT_EACCESS;
    #[cfg(not(target_os = "linux"))]
    const AS_EFFECTIVE_USER: i32 = 0;
    // SAFETY: asks for a number.
    let user = unsafe { libc::geteuid() };
    if super::stat(file.as_raw_fd()).is_ok_and(|stat| stat.st_uid == user) {
        return true;
    }
    let Ok(path) = std::ffi::CString::new(format!("/proc/self/fd/{}", file.as_raw_fd())) else {
        return false;
    };
    // SAFETY: only looks at the path.
    check(unsafe { libc::faccessat(libc::AT_FDCWD, path.as_ptr(), libc::W_OK, AS_EFFECTIVE_USER) })
        .is_ok()
}

/// How many pages of a part of the file are in the page cache: `cachestat`,
/// which Linux has from 6.5 on, and newer kernels tell to the same users only.
pub(crate) fn cached_pages(file: BorrowedFile<'_>, offset: u64, len: u64) -> io::Result<u64> {
    /// The same number on the architectures that count from a common table.
    const CACHESTAT: libc::c_long = 451;
    if cfg!(any(target_arch = "mips", target_arch = "mips64")) {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let part = [offset, len];
    // In the cache, dirty, being written, evicted, recently evicted.
    let mut counts = [0u64; 5];
    // SAFETY: reads the one and fills in the other, which have the sizes that the
    // kernel's structures have.
    let done = unsafe {
        libc::syscall(CACHESTAT, file.as_raw_fd(), part.as_ptr(), counts.as_mut_ptr(), 0)
    };
    if done == -1 { Err(io::Error::last_os_error()) } else { Ok(counts[0]) }
}

/// Asks the page cache to let a part of the file go, after what is dirty of it
/// was written. What it cannot let go it keeps.
pub(crate) fn forget(file: BorrowedFile<'_>, offset: u64, len: u64) {
    let (fd, offset, len) = (file.as_raw_fd(), offset as FileOffset, len as FileOffset);
    // SAFETY: neither changes a byte of the file.
    unsafe {
        #[cfg(target_os = "linux")]
        libc::sync_file_range(
            fd,
            offset,
            len,
            libc::SYNC_FILE_RANGE_WAIT_BEFORE
                | libc::SYNC_FILE_RANGE_WRITE
                | libc::SYNC_FILE_RANGE_WAIT_AFTER,
        );
        libc::posix_fadvise64(fd, offset, len, libc::POSIX_FADV_DONTNEED);
    }
}

/// Waits at an address while the number there is `expected`; processes that
/// share the page wait and wake together. Whether somebody woke the waiters, or
/// the number was another; if not, the time is over, or a signal came.
pub(crate) fn wait(address: *mut u8, expected: u32, timeout: Duration) -> io::Result<bool> {
    // The call takes two words of the kernel's, which the C library's structure
    // is not everywhere.
    let timeout = [timeout.as_secs() as libc::c_long, timeout.subsec_nanos() as libc::c_long];
    // SAFETY: reads the timeout, and the number at the address if there is one.
    let result = check(unsafe {
        let (number, none) = (libc::SYS_futex, std::ptr::null_mut::<u32>());
        libc::syscall(number, address, libc::FUTEX_WAIT, expected, timeout.as_ptr(), none, 0)
            as libc::c_int
    });
    match result.map_err(|error| (error.raw_os_error(), error)) {
        Ok(()) | Err((Some(libc::EAGAIN), _)) => Ok(true),
        Err((Some(libc::ETIMEDOUT | libc::EINTR), _)) => Ok(false),
        Err((_, error)) => Err(error),
    }
}

/// Wakes up to `count` waiters at an address; how many.
pub(crate) fn wake(address: *mut u8, count: usize) -> usize {
    let count = i32::try_from(count).unwrap_or(i32::MAX);
    // SAFETY: only uses the address to tell one place from another.
    let woken = unsafe { libc::syscall(libc::SYS_futex, address, libc::FUTEX_WAKE, count) };
    usize::try_from(woken).unwrap_or(0)
}
