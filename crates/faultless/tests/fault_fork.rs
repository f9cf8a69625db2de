//! The guard, growing maps and atomic numbers across `fork`, which Windows has not.
#![allow(clippy::unwrap_used)]
#![cfg(unix)]

mod fault_support;

use fault_support::child::{fork, in_child};
use fault_support::{PatternFile, assert_truncated, page, pattern_of, raw_get};
use faultless::{Access, Advice, Map, MapOptions};

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

#[test]
fn a_child_process_trims_no_file() {
    in_child(|| {
        let file = PatternFile::new(0);
        let mut map =
            MapOptions::new().access(Access::Write).reserve(16 << 20).open(&file.path).unwrap();
        map.append(b"one").unwrap();
        let ahead = file.bytes().len();
        let mut map = Some(map);
        let status = fork(|| {
            drop(map.take());
            0
        });
        assert_eq!(status, 0);
        assert_eq!(file.bytes().len(), ahead);
        let mut map = map.unwrap();
        map.append(b"two").unwrap();
        drop(map);
        assert_eq!(file.bytes(), b"onetwo");
    });
}

/// The parent and its forked children share numbers in memory that belongs to
/// no file, and in a file.
#[test]
fn processes_add_up_and_wake_each_other() {
    const EACH: u32 = 20_000;
    in_child(|| {
        let file = PatternFile::pages(1);
        for map in [
            file.map(Access::Write),
            MapOptions::new().shared(true).len(page()).map_anonymous().unwrap(),
        ] {
            map.fill(.., 0).unwrap();
            let children = [1, 2].map(|nth| {
                // SAFETY: the child only makes system calls and touches the map.
                let child = unsafe { libc::fork() };
                if child == 0 {
                    let done = work(&map, nth, EACH);
                    // SAFETY: ends the child.
                    unsafe { libc::_exit(i32::from(done.is_err())) };
                }
                child
            });
            work(&map, 0, EACH).unwrap();
            for child in children {
                let mut status = 0;
                // SAFETY: waits for a child of this process.
                assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
                assert_eq!(status, 0);
            }
            assert_eq!(map.load_ne::<u64>(8).unwrap(), u64::from(3 * EACH));
            assert_eq!(map.load_ne::<u32>(0).unwrap(), 3 * EACH);
        }
    });
}

/// Three processes count to `3 * each` in turns.
fn work(map: &Map, nth: u32, each: u32) -> faultless::Result<()> {
    let (turn, sum) = (map.atomic::<u32>(0)?, map.atomic::<u64>(8)?);
    for _ in 0..each {
        sum.fetch_add(1)?;
    }
    loop {
        let now = turn.load()?;
        if now == 3 * each {
            return Ok(());
        }
        if now % 3 == nth {
            turn.store(now + 1)?;
            turn.wake(usize::MAX)?;
        } else {
            turn.wait(now, None)?;
        }
    }
}
