//! Signals that are not ours, as Unix has them, go where they would have gone
//! without us.
#![allow(clippy::unwrap_used)]
#![cfg(unix)]

mod fault_support;

use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::Ordering;

use fault_support::child::{dies_by, in_child, in_child_with};
use fault_support::handlers::*;
use fault_support::signals::{
    SIGBUS, foreign_dead_page, install, install_info, install_plain, touch,
};
use fault_support::{PatternFile, page};
use faultless::{Access, ensure_guard};

#[test]
fn by_default_a_signal_sent_kills() {
    dies_by(SIGBUS, || {
        let _map = guarded_map_by_default();
        kill_bus();
    });
}

#[test]
fn by_default_a_signal_sent_kills_after_faults_of_ours() {
    dies_by(SIGBUS, || {
        let map = guarded_map_by_default();
        assert_still_guarded(&map);
        kill_bus();
    });
}

#[test]
fn by_default_a_signal_raised_kills_when_no_map_is_left() {
    dies_by(SIGBUS, || {
        drop(guarded_map_by_default());
        raise_bus();
    });
}

/// One is taken for a handler's that reports our fault and passes it on.
#[test]
fn by_default_raising_twice_kills() {
    dies_by(SIGBUS, || {
        let _map = guarded_map_by_default();
        raise_bus();
        raise_bus();
    });
}

#[test]
fn by_default_a_fault_in_memory_of_others_kills() {
    dies_by(SIGBUS, || {
        let map = guarded_map_by_default();
        assert_still_guarded(&map);
        touch(foreign_dead_page());
    });
}

#[test]
fn by_default_a_fault_where_a_map_was_kills() {
    dies_by(SIGBUS, || {
        let (file, map) = guarded_map_by_default();
        let place = map.as_ptr();
        drop(map);
        file.cut(0);
        let flags = libc::MAP_SHARED | libc::MAP_FIXED_NOREPLACE;
        // SAFETY: nothing is mapped at the place, or the call fails.
        let page = unsafe {
            use std::os::fd::AsRawFd;
            let place = place.cast_mut().cast();
            libc::mmap(place, page(), libc::PROT_READ, flags, file.file.as_raw_fd(), 0)
        };
        assert_eq!(page.cast_const().cast(), place);
        touch(place);
    });
}

/// Memory that went bad somewhere, which no instruction waits for.
#[test]
fn by_default_news_of_bad_memory_kills() {
    dies_by(SIGBUS, || {
        let _map = guarded_map_by_default();
        queue_bus(libc::BUS_MCEERR_AO);
    });
}

#[test]
fn by_default_the_process_says_which_signal_and_nothing_is_caught_after_it() {
    dies_by(SIGBUS, || {
        let _map = guarded_map_by_default();
        std::thread::spawn(|| touch(foreign_dead_page())).join().unwrap();
    });
}

/// Rust's handler for overflows of the stack lets the instruction fail again.
#[test]
fn with_rusts_own_handler_a_fault_in_memory_of_others_kills() {
    dies_by(SIGBUS, || {
        let map = guarded_map();
        assert_still_guarded(&map);
        touch(foreign_dead_page());
    });
}

#[test]
fn a_thread_that_blocks_the_signal_dies() {
    dies_by(SIGBUS, || {
        let (file, map) = guarded_map();
        file.cut(0);
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: blocks a signal of this thread.
        unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            libc::sigaddset(set.as_mut_ptr(), SIGBUS);
            libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), ptr::null_mut());
        }
        let _ = map.get(0);
    });
}

#[test]
fn ignored_stays_ignored() {
    in_child(|| {
        install(libc::SIG_IGN, 0, &[]);
        let map = guarded_map();
        for _ in 0..3 {
            kill_bus();
            raise_bus();
        }
        assert_still_guarded(&map);
    });
}

#[test]
fn ignoring_does_not_save_a_failing_instruction() {
    dies_by(SIGBUS, || {
        install(libc::SIG_IGN, 0, &[]);
        let _map = guarded_map();
        touch(foreign_dead_page());
    });
}

#[test]
fn a_plain_handler_is_called() {
    in_child(|| {
        install_plain(plain, 0, &[]);
        let map = guarded_map();
        for sent in 1..40 {
            kill_bus();
            assert_eq!(calls(), sent);
        }
        assert_still_guarded(&map);
        assert_eq!(calls(), 39, "our own faults are not the handler's");
    });
}

#[test]
fn a_handler_with_information_gets_all_of_it() {
    in_child(|| {
        install_info(mending, 0, &[]);
        let map = guarded_map();
        let place = foreign_dead_page();
        touch(place.wrapping_add(123));
        assert_eq!((calls(), CODE.load(Ordering::Relaxed)), (1, libc::BUS_ADRERR));
        assert_eq!(ADDRESS.load(Ordering::Relaxed), place.addr() + 123);
        kill_bus();
        assert_eq!((calls(), CODE.load(Ordering::Relaxed)), (2, libc::SI_USER));
        assert_eq!(SENDER.load(Ordering::Relaxed), own_pid());
        assert_still_guarded(&map);
        assert_eq!(calls(), 2);
    });
}

#[test]
fn a_handler_for_one_time_is_called_once() {
    dies_by(SIGBUS, || {
        install_plain(plain, libc::SA_RESETHAND, &[]);
        let map = guarded_map();
        assert_still_guarded(&map);
        kill_bus();
        assert_eq!(calls(), 1);
        assert_still_guarded(&map);
        kill_bus();
    });
}

#[test]
fn a_handler_for_one_time_can_be_installed_again() {
    in_child(|| {
        install_plain(plain, libc::SA_RESETHAND, &[]);
        let map = guarded_map();
        for turn in 1..4 {
            kill_bus();
            assert_eq!(calls(), turn);
            install_plain(plain, libc::SA_RESETHAND, &[]);
            assert!(ensure_guard());
        }
        assert_still_guarded(&map);
    });
}

/// The mask of a handler as without us, and the thread's own afterwards.
#[test]
fn a_handler_runs_with_the_signals_blocked_that_it_asked_for() {
    in_child(|| {
        for (flags, expected) in [(0, 0b110), (libc::SA_NODEFER, 0b010)] {
            install_plain(noting_its_mask, flags, &[libc::SIGUSR1]);
            kill_bus();
            assert_eq!(CODE.swap(0, Ordering::Relaxed), expected, "without us");
            let _map = guarded_map();
            kill_bus();
            assert_eq!(CODE.swap(0, Ordering::Relaxed), expected, "flags {flags:#x}");
            // SAFETY: only looks at the mask.
            unsafe { noting_its_mask(0) };
            assert_eq!(CODE.load(Ordering::Relaxed), 0);
        }
    });
}

struct Contexts([std::cell::UnsafeCell<MaybeUninit<libc::ucontext_t>>; 2]);

// SAFETY: one thread uses them.
unsafe impl Sync for Contexts {}

static CONTEXTS: Contexts =
    Contexts([const { std::cell::UnsafeCell::new(MaybeUninit::uninit()) }; 2]);

/// Leaves by going on elsewhere, as those handlers do that end in `siglongjmp`.
unsafe extern "C" fn leaving(_: i32) {
    CALLS.fetch_add(1, Ordering::Relaxed);
    // SAFETY: saved by the `swapcontext` that is under way.
    unsafe { libc::setcontext((*CONTEXTS.0[0].get()).as_ptr()) };
}

extern "C" fn fail_elsewhere() {
    kill_bus();
    std::process::abort();
}

#[test]
fn a_handler_may_leave_without_returning() {
    in_child(|| {
        install_plain(leaving, 0, &[]);
        let map = guarded_map();
        let mut stack = vec![0u8; 256 << 10];
        for turn in 1..40 {
            // SAFETY: the context has a stack and a function; where it was left
            // from is gone on from once.
            unsafe {
                let [back, there] = &CONTEXTS.0;
                let (back, there) = (back.get().cast(), there.get().cast::<libc::ucontext_t>());
                assert_eq!(libc::getcontext(there), 0);
                (*there).uc_stack.ss_sp = stack.as_mut_ptr().cast();
                (*there).uc_stack.ss_size = stack.len();
                (*there).uc_link = ptr::null_mut();
                libc::makecontext(there, fail_elsewhere, 0);
                libc::swapcontext(back, there);
            }
            assert_eq!(calls(), turn);
        }
        assert_still_guarded(&map);
    });
}

#[test]
fn turned_off_it_leaves_the_signal_alone() {
    in_child_with(&[("FAULTLESS_GUARD", "0")], || {
        let before = fault_support::signals::install(libc::SIG_DFL, 0, &[]);
        fault_support::signals::restore(&before);
        let file = PatternFile::pages(4);
        let _map = file.map(Access::Read);
        let now = fault_support::signals::install(libc::SIG_DFL, 0, &[]);
        assert_eq!(now.sa_sigaction, before.sa_sigaction);
    });
}
