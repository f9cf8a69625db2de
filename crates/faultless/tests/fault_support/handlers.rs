//! Handlers that stand for a program's own, with what they saw, and a map to
//! have beside them.

use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

use faultless::{Access, Map};

use super::signals::{SIGBUS, install};
use super::{PatternFile, assert_truncated, page, pattern_of};

pub(crate) static CALLS: AtomicUsize = AtomicUsize::new(0);
pub(crate) static OTHER_CALLS: AtomicUsize = AtomicUsize::new(0);
pub(crate) static CODE: AtomicI32 = AtomicI32::new(0);
pub(crate) static ADDRESS: AtomicUsize = AtomicUsize::new(0);
pub(crate) static SENDER: AtomicI32 = AtomicI32::new(0);

pub(crate) fn calls() -> usize {
    CALLS.load(Ordering::Relaxed)
}

pub(crate) fn other_calls() -> usize {
    OTHER_CALLS.load(Ordering::Relaxed)
}

pub(crate) fn own_pid() -> i32 {
    // SAFETY: asks for a number.
    unsafe { libc::getpid() }
}

/// As `kill -BUS` from outside does, to this thread.
pub(crate) fn kill_bus() {
    queue_bus(libc::SI_USER);
}

/// Sends this thread the signal with a code of the caller's choice.
pub(crate) fn queue_bus(code: i32) {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    let number = libc::SYS_rt_tgsigqueueinfo;
    // SAFETY: a process may send itself any signal with any information; the
    // sender is where the system puts it.
    unsafe {
        let info = info.as_mut_ptr();
        (*info).si_signo = SIGBUS;
        (*info).si_code = code;
        let sender = (3 * size_of::<i32>()).next_multiple_of(align_of::<usize>());
        info.cast::<i32>().byte_add(sender).write(own_pid());
        assert_eq!((*info).si_pid(), own_pid());
        libc::syscall(number, own_pid(), libc::gettid(), SIGBUS, info);
    }
}

pub(crate) fn raise_bus() {
    // SAFETY: a signal to this thread.
    assert_eq!(unsafe { libc::raise(SIGBUS) }, 0);
}

/// A map in a process where nobody handles the signal. A program of Rust has a
/// handler to begin with, for overflows of the stack.
pub(crate) fn guarded_map_by_default() -> (PatternFile, Map) {
    install(libc::SIG_DFL, 0, &[]);
    guarded_map()
}

/// A map that is fine, so that our handler is in place.
pub(crate) fn guarded_map() -> (PatternFile, Map) {
    let file = PatternFile::pages(4);
    let map = file.map(Access::Read);
    assert!(map.is_guarded());
    (file, map)
}

/// The map's own fault is still an error.
pub(crate) fn assert_still_guarded((file, map): &(PatternFile, Map)) {
    file.cut(page());
    assert_truncated(map.to_vec(..), page());
    file.regrow();
    assert_eq!(map.to_vec(..).unwrap(), pattern_of(0..file.len));
}

pub(crate) unsafe extern "C" fn plain(signal: i32) {
    assert_eq!(signal, SIGBUS);
    CALLS.fetch_add(1, Ordering::Relaxed);
}

/// Notes what it is told, and mends the page that failed.
pub(crate) unsafe extern "C" fn mending(
    signal: i32,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    CALLS.fetch_add(1, Ordering::Relaxed);
    assert!(signal == SIGBUS && !context.is_null());
    // SAFETY: the information that came with the signal, and a page that the
    // test mapped.
    unsafe {
        CODE.store((*info).si_code, Ordering::Relaxed);
        if (*info).si_code > 0 {
            let address = (*info).si_addr();
            ADDRESS.store(address.addr(), Ordering::Relaxed);
            let start = address.map_addr(|address| address & !(page() - 1));
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
            libc::mmap(start, page(), libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0);
        } else {
            SENDER.store((*info).si_pid(), Ordering::Relaxed);
        }
    }
}

pub(crate) unsafe extern "C" fn noting_its_mask(_: i32) {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: asks for this thread's mask.
    unsafe {
        libc::pthread_sigmask(libc::SIG_BLOCK, ptr::null(), set.as_mut_ptr());
        let blocked = |signal| libc::sigismember(set.as_ptr(), signal) == 1;
        let bits = [SIGBUS, libc::SIGUSR1, libc::SIGUSR2].map(blocked);
        CODE.store(bits.iter().fold(0, |all, &bit| all << 1 | i32::from(bit)), Ordering::Relaxed);
    }
}
