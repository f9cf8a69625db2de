//! The guard across `fork`.
#![allow(clippy::unwrap_used)]
#![cfg(unix)]

mod fault_support;

use fault_support::child::{fork, in_child};
use fault_support::{PatternFile, assert_truncated, page, pattern_of, raw_get};
use faultless::{Access, Advice, Map};

/// The exit code of a child that saw what it should.
const FINE: i32 = 7;

#[track_caller]
fn assert_fine(status: i32) {
    assert!(libc::WIFEXITED(status), "killed by signal {}", libc::WTERMSIG(status));
    assert_eq!(libc::WEXITSTATUS(status), FINE);
}

fn fine_if(right: bool) -> i32 {
    if right { FINE } else { 1 }
}

#[test]
fn a_child_process_survives_its_own_faults() {
    in_child(|| {
        let file = PatternFile::pages(4);
        let map = file.map(Access::Write);
        file.cut(page());
        assert_fine(fork(|| fine_if(raw_get(&map, page()) == 0 && map.fault().is_some())));
        assert_eq!(map.fault(), None, "what failed in the child is not the parent's");
        assert_truncated(map.to_vec(..), page());
        assert_fine(fork(|| fine_if(map.get(page()).is_err() && map.get(0).is_ok())));
        file.regrow();
        assert_fine(fork(|| fine_if(map.get(page()).is_ok() && map.fault().is_none())));
        assert_eq!(map.to_vec(..).unwrap(), pattern_of(0..file.len));
    });
}

#[test]
fn a_child_process_may_make_and_drop_maps() {
    in_child(|| {
        let file = PatternFile::pages(4);
        let map = file.map(Access::Read);
        assert_fine(fork(|| {
            drop(map);
            let second = Map::open(&file.path).unwrap();
            file.cut(page());
            let failed = second.to_vec(..).is_err();
            file.regrow();
            fine_if(failed && second.to_vec(..).is_ok())
        }));
    });
}

/// Other threads heal and fail while the process forks: what they were in the
/// middle of does not hold the child up.
#[test]
fn forking_while_others_fail_and_heal() {
    in_child(|| {
        let file = PatternFile::pages(4);
        let map = file.map(Access::Read);
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            let stop = fault_support::Stop(&done);
            for _ in 0..2 {
                scope.spawn(|| {
                    while !done.load(std::sync::atomic::Ordering::Relaxed) {
                        file.cut(page());
                        let _ = map.get(2 * page());
                        file.cut(file.len);
                        let _ = map.get(2 * page());
                        drop(Map::open(&file.path));
                    }
                });
            }
            for _ in 0..300 {
                assert_fine(fork(|| {
                    // Either is right; not coming back is not.
                    let _ = (map.get(0), map.get(2 * page()), raw_get(&map, 3 * page()));
                    FINE
                }));
            }
            drop(stop);
        });
    });
}

#[test]
fn a_map_that_the_child_does_not_inherit_is_not_the_childs() {
    in_child(|| {
        let file = PatternFile::pages(4);
        let map = file.map(Access::Read);
        map.advise(.., Advice::DontFork).unwrap();
        file.cut(0);
        let status = fork(|| i32::from(raw_get(&map, 0)));
        assert!(libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGSEGV);

        // Other memory at the same place fails as memory of others does.
        let empty = tempfile::tempfile().unwrap();
        let status = fork(|| {
            use std::os::fd::AsRawFd;
            let flags = libc::MAP_SHARED | libc::MAP_FIXED;
            let place = map.as_ptr().cast_mut().cast();
            // SAFETY: nothing is mapped there in this process.
            unsafe { libc::mmap(place, page(), libc::PROT_READ, flags, empty.as_raw_fd(), 0) };
            i32::from(raw_get(&map, 0))
        });
        assert!(libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGBUS);

        map.advise(.., Advice::DoFork).unwrap();
        assert_fine(fork(|| fine_if(raw_get(&map, 0) == 0)));
        assert_truncated(map.get(0), 0);
    });
}
