//! What a thread keeps when a page fails under it: its errno, its mask and its
//! stack for signals, which only Unix has.
#![allow(clippy::unwrap_used)]
#![cfg(unix)]

mod fault_support;

use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use fault_support::child::in_child;
use fault_support::failures::{count_failures, failures};
use fault_support::handlers::*;
use fault_support::signals::{foreign_dead_page, foreign_map, install_info, touch};
use fault_support::{Stop, assert_truncated, fault_of, page, raw_get};

#[test]
fn errno_is_kept() {
    in_child(|| {
        let (file, map) = guarded_map();
        for cut in [page(), 0] {
            file.cut(cut);
            // SAFETY: this thread's errno.
            unsafe { *libc::__errno_location() = 1234 };
            assert_eq!(raw_get(&map, cut), 0);
            // SAFETY: as above.
            assert_eq!(unsafe { *libc::__errno_location() }, 1234);
        }
        fault_of(map.get(0));
    });
}

#[test]
fn the_signal_mask_is_kept() {
    in_child(|| {
        let (file, map) = guarded_map();
        file.cut(0);
        assert_eq!(raw_get(&map, 0), 0);
        // SAFETY: only looks at the mask.
        unsafe { noting_its_mask(0) };
        assert_eq!(CODE.load(Ordering::Relaxed), 0);
    });
}

/// Runs `work` in a thread whose signals are handled on a stack of this size.
fn with_small_stack(size: usize, work: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let mut memory = vec![0xA5u8; size];
            let stack = libc::stack_t {
                ss_sp: memory.as_mut_ptr().cast(),
                ss_flags: 0,
                ss_size: memory.len(),
            };
            let mut before = MaybeUninit::uninit();
            // SAFETY: the memory lives until the stack before is put back.
            unsafe {
                assert_eq!(libc::sigaltstack(&raw const stack, before.as_mut_ptr()), 0);
                work();
                libc::sigaltstack(before.as_ptr(), ptr::null_mut());
            }
            assert!(memory[..64].iter().all(|&byte| byte == 0xA5), "not used to its end");
            assert!(memory.iter().any(|&byte| byte != 0xA5), "signals were handled there");
        });
        thread.join().unwrap();
    });
}

/// A common size, and the least that the system takes, with room for a small
/// handler.
#[test]
fn small_stacks_for_signals_are_enough() {
    in_child(|| {
        // SAFETY: asks for a number.
        let frame = unsafe { libc::getauxval(libc::AT_MINSIGSTKSZ) } as usize;
        let map = guarded_map();
        for size in [8 << 10, frame + (2 << 10)] {
            with_small_stack(size.max(frame + (2 << 10)), || assert_still_guarded(&map));
        }
    });
}

/// Signals of others on other threads, while our pages fail.
#[test]
fn ours_and_others_at_the_same_time() {
    in_child(|| {
        install_info(mending, libc::SA_ONSTACK, &[]);
        let map = guarded_map();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let others = [(); 2].map(|()| {
                scope.spawn(|| {
                    let mut seen = 0;
                    while !done.load(Ordering::Relaxed) {
                        touch(foreign_dead_page());
                        seen += 1;
                    }
                    seen
                })
            });
            let stop = Stop(&done);
            for _ in 0..500 {
                assert_still_guarded(&map);
            }
            drop(stop);
            let seen: usize = others.into_iter().map(|other| other.join().unwrap()).sum();
            assert_eq!(calls(), seen);
        });
    });
}

/// A counter between the system and us sees one signal for a whole tail.
#[test]
fn a_counter_in_front_sees_the_signals() {
    in_child(|| {
        let map = guarded_map();
        count_failures();
        assert_still_guarded(&map);
        // And one more, perhaps, to notice the next cut.
        assert!((1..=2).contains(&failures()));
    });
}

#[test]
fn memory_of_the_same_file_mapped_by_others_is_not_ours() {
    in_child(|| {
        install_info(mending, 0, &[]);
        let (file, map) = guarded_map();
        let theirs = foreign_map(&file.file, file.len);
        file.cut(0);
        assert_truncated(map.get(0), 0);
        assert_eq!(calls(), 0);
        touch(theirs);
        assert_eq!(calls(), 1);
        assert_eq!(ADDRESS.load(Ordering::Relaxed), theirs.addr());
    });
}
