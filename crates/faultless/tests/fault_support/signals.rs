//! Handlers of SIGBUS that the tests install, and what they saw.

use std::mem::MaybeUninit;
use std::ptr;
use std::sync::OnceLock;

pub(crate) type Action = unsafe extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void);

pub(crate) const SIGBUS: i32 = libc::SIGBUS;

struct Saved(std::cell::UnsafeCell<MaybeUninit<libc::sigaction>>);

// SAFETY: written once, before the handler that reads it is installed.
unsafe impl Sync for Saved {}

static NEXT: Saved = Saved(std::cell::UnsafeCell::new(MaybeUninit::uninit()));

/// Installs an action for SIGBUS and returns the one before.
pub(crate) fn install(handler: usize, flags: i32, masked: &[i32]) -> libc::sigaction {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    let mut before = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: all zero bytes are an action; its mask is made by the functions
    // for it, and the handlers of the tests do only what a handler may.
    unsafe {
        let action = action.assume_init_mut();
        libc::sigemptyset(&raw mut action.sa_mask);
        for &signal in masked {
            libc::sigaddset(&raw mut action.sa_mask, signal);
        }
        action.sa_sigaction = handler;
        action.sa_flags = flags;
        assert_eq!(libc::sigaction(SIGBUS, action, before.as_mut_ptr()), 0);
        before.assume_init()
    }
}

pub(crate) fn install_info(handler: Action, flags: i32, masked: &[i32]) -> libc::sigaction {
    install(handler as *const () as usize, flags | libc::SA_SIGINFO, masked)
}

pub(crate) fn install_plain(
    handler: unsafe extern "C" fn(i32),
    flags: i32,
    masked: &[i32],
) -> libc::sigaction {
    install(handler as *const () as usize, flags, masked)
}

pub(crate) fn restore(action: &libc::sigaction) {
    // SAFETY: an action that was installed before.
    unsafe { assert_eq!(libc::sigaction(SIGBUS, action, ptr::null_mut()), 0) };
}

static NOTE: OnceLock<fn()> = OnceLock::new();

/// Stands before the present handler of SIGBUS, and calls `note` with each signal.
pub(crate) fn stand_before(note: fn()) {
    NOTE.set(note).expect("once in a process");
    // SAFETY: not yet read, because the handler is not installed.
    unsafe {
        let mut now = MaybeUninit::<libc::sigaction>::uninit();
        assert_eq!(libc::sigaction(SIGBUS, ptr::null(), now.as_mut_ptr()), 0);
        (*NEXT.0.get()).write(now.assume_init());
    }
    install_info(note_and_chain, libc::SA_NODEFER | libc::SA_ONSTACK, &[]);
}

unsafe extern "C" fn note_and_chain(
    signal: i32,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    if let Some(note) = NOTE.get() {
        note();
    }
    // SAFETY: saved before this handler was installed, and called with what the
    // system gave.
    unsafe {
        let next = (*NEXT.0.get()).assume_init_ref();
        assert_ne!(next.sa_flags & libc::SA_SIGINFO, 0);
        let next = std::mem::transmute::<usize, Action>(next.sa_sigaction);
        next(signal, info, context);
    }
}

/// A page of memory of a file that is now empty, mapped without this crate.
pub(crate) fn foreign_dead_page() -> *mut u8 {
    let file = tempfile::tempfile().unwrap();
    file.set_len(faultless::page_size() as u64).unwrap();
    let page = foreign_map(&file, faultless::page_size());
    file.set_len(0).unwrap();
    page
}

pub(crate) fn foreign_map(file: &std::fs::File, len: usize) -> *mut u8 {
    use std::os::fd::AsRawFd;
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let fd = file.as_raw_fd();
    // SAFETY: the system chooses where.
    let page = unsafe { libc::mmap(ptr::null_mut(), len, access, libc::MAP_SHARED, fd, 0) };
    assert_ne!(page, libc::MAP_FAILED);
    page.cast()
}

/// Reads a byte as any program does.
pub(crate) fn touch(address: *const u8) -> u8 {
    // SAFETY: mapped memory, or a signal that the test is about.
    unsafe { address.read_volatile() }
}
