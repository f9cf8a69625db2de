//! What only macOS and its relatives have.

use std::io;

pub(crate) const NO_RESERVE: i32 = libc::MAP_NORESERVE;

/// There is no `fallocate`: the file gets blocks behind its end, and its length
/// after that.
pub(super) fn allocate_blocks(fd: i32, _from: u64, len: u64) -> io::Result<()> {
    let mut store = libc::fstore_t {
        // All of it or nothing, in any number of pieces.
        fst_flags: libc::F_ALLOCATEALL,
        fst_posmode: libc::F_PEOFPOSMODE,
        fst_offset: 0,
        fst_length: len as libc::off_t,
        fst_bytesalloc: 0,
    };
    // SAFETY: changes the file only.
    super::check(unsafe { libc::fcntl(fd, libc::F_PREALLOCATE, &raw mut store) })
}

/// Whether an access that failed is one that pages of this protection refuse.
/// The system tells that with the signal of a page that cannot be had.
///
/// # Safety
/// `context` must be what the system gave the handler.
pub(super) unsafe fn is_refused(context: *const libc::c_void, protection: i32) -> bool {
    let context = context.cast::<libc::ucontext_t>();
    // SAFETY: the caller's promise.
    let state = unsafe { &(*(*context).uc_mcontext).__es };
    // Bit 6 of the syndrome register, bit 1 of the error code: it was a store.
    #[cfg(target_arch = "aarch64")]
    let store = state.__esr & 1 << 6 != 0;
    #[cfg(target_arch = "x86_64")]
    let store = state.__err & 1 << 1 != 0;
    #[cfg(not(any(target_arch = "aarch64", target_arch = "x86_64")))]
    let store = false;
    if store {
        protection & libc::PROT_WRITE == 0
    } else {
        protection & (libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC) == 0
    }
}
