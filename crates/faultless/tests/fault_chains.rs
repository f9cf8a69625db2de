//! Other libraries that install their handlers of signals after ours.
#![allow(clippy::unwrap_used)]
#![cfg(unix)]

mod fault_support;

use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::Ordering;

use fault_support::PatternFile;
use fault_support::child::{dies_by, in_child};
use fault_support::handlers::*;
use fault_support::signals::{
    Action, SIGBUS, foreign_dead_page, install, install_info, install_plain, restore, touch,
};
use faultless::{Map, ensure_guard};

struct Chain(std::cell::UnsafeCell<MaybeUninit<libc::sigaction>>);

// SAFETY: written while the handler that reads it is not installed.
unsafe impl Sync for Chain {}

static CHAIN: Chain = Chain(std::cell::UnsafeCell::new(MaybeUninit::uninit()));

/// Another library's handler, which calls the one before it.
unsafe extern "C" fn chaining(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    OTHER_CALLS.fetch_add(1, Ordering::Relaxed);
    // SAFETY: as the system would call the handler before.
    unsafe {
        let before = (*CHAIN.0.get()).assume_init_ref();
        match before.sa_sigaction {
            libc::SIG_IGN => {}
            libc::SIG_DFL => {
                libc::sigaction(SIGBUS, before, ptr::null_mut());
                if (*info).si_code <= 0 {
                    libc::raise(SIGBUS);
                }
            }
            handler if before.sa_flags & libc::SA_SIGINFO != 0 => {
                let handler = std::mem::transmute::<usize, Action>(handler);
                handler(signal, info, context);
            }
            handler => std::mem::transmute::<usize, unsafe extern "C" fn(i32)>(handler)(signal),
        }
    }
}

fn install_chaining() {
    let before = install_info(chaining, libc::SA_NODEFER | libc::SA_ONSTACK, &[]);
    // SAFETY: no signal comes in between.
    unsafe { (*CHAIN.0.get()).write(before) };
}

unsafe extern "C" fn swallowing(_: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
    OTHER_CALLS.fetch_add(1, Ordering::Relaxed);
}

#[test]
fn a_later_handler_that_chains_passes_ours_on() {
    in_child(|| {
        let map = guarded_map();
        install_chaining();
        assert!(!map.1.is_guarded(), "somebody stands before us");
        assert_still_guarded(&map);
        assert!((1..=2).contains(&other_calls()));
    });
}

#[test]
fn the_signal_is_taken_back_from_a_later_handler() {
    in_child(|| {
        install_plain(plain, 0, &[]);
        let map = guarded_map();
        install_chaining();
        assert!(ensure_guard() && map.1.is_guarded());
        assert_still_guarded(&map);
        assert_eq!(other_calls(), 0, "ours comes first");
        kill_bus();
        assert_eq!((other_calls(), calls()), (1, 1), "theirs, and then who was before us");
        touch_is_fatal_to_nobody_else(&map);
    });
}

/// The next map takes the signal back as well.
fn touch_is_fatal_to_nobody_else(map: &(PatternFile, Map)) {
    let second = guarded_map();
    assert_still_guarded(&second);
    assert_still_guarded(map);
}

#[test]
fn the_signal_is_taken_back_from_a_handler_that_swallows() {
    in_child(|| {
        let map = guarded_map();
        install_info(swallowing, 0, &[]);
        let second = guarded_map();
        assert_still_guarded(&map);
        assert_still_guarded(&second);
        assert_eq!(other_calls(), 0);
        kill_bus();
        assert_eq!(other_calls(), 1);
    });
}

#[test]
fn with_the_default_underneath_two_that_chain_do_not_run_for_ever() {
    dies_by(SIGBUS, || {
        let _map = guarded_map_by_default();
        install_chaining();
        assert!(ensure_guard());
        touch(foreign_dead_page());
    });
}

/// The other library installs its handler again and again, each time with ours
/// as the one before; at the bottom is a handler that must be called still.
#[test]
fn taken_back_again_and_again() {
    in_child(|| {
        install_plain(plain, 0, &[]);
        let map = guarded_map();
        for turn in 1..=20 {
            install_chaining();
            assert!(ensure_guard(), "turn {turn}");
            assert_still_guarded(&map);
            kill_bus();
            assert_eq!(calls(), turn, "who was there first is called, once a signal");
        }
    });
}

#[test]
fn a_handler_taken_away_again_leaves_ours() {
    in_child(|| {
        let map = guarded_map();
        for _ in 0..20 {
            let before = install_info(swallowing, 0, &[]);
            assert!(ensure_guard());
            assert_still_guarded(&map);
            restore(&before);
            assert!(map.1.is_guarded());
            assert_still_guarded(&map);
        }
        assert_eq!(other_calls(), 0);
    });
}

#[test]
fn a_default_restored_by_others_is_taken_back() {
    in_child(|| {
        let map = guarded_map();
        install(libc::SIG_DFL, 0, &[]);
        assert!(!map.1.is_guarded());
        assert!(ensure_guard() && map.1.is_guarded());
        assert_still_guarded(&map);
    });
}
