//! Atomic numbers on pages that fail, and between processes.
#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

mod fault_support;

use std::time::Duration;

use fault_support::child::{in_child, skip};
use fault_support::disks::mount_point;
use fault_support::fuse::FailingFile;
use fault_support::{PatternFile, assert_truncated, fault_of, page, pattern_of, raw_get};
use faultless::{Access, FaultReason, Map, MapOptions};

type Operation = fn(&Map, usize) -> faultless::Result<()>;

const OPERATIONS: &[(&str, Operation)] = &[
    ("load", |map, at| map.atomic::<u64>(at)?.load().map(drop)),
    ("store", |map, at| map.atomic::<u64>(at)?.store(5)),
    ("fetch_add", |map, at| map.atomic::<i64>(at)?.fetch_add(5).map(drop)),
    ("fetch_and", |map, at| map.atomic::<u32>(at)?.fetch_and(5).map(drop)),
    ("fetch_or", |map, at| map.atomic::<i32>(at)?.fetch_or(5).map(drop)),
    ("compare_exchange", |map, at| map.atomic::<u64>(at)?.compare_exchange(0, 5).map(drop)),
    ("wait", |map, at| map.atomic::<u32>(at)?.wait(0, None).map(drop)),
    ("wake", |map, at| map.atomic::<i32>(at)?.wake(1).map(drop)),
];

#[test]
fn a_file_that_was_truncated() {
    in_child(|| {
        for (name, operation) in OPERATIONS {
            for touched in [false, true] {
                let file = PatternFile::pages(8);
                let map = file.map(Access::Write);
                // Inside a page, between two numbers.
                let end = 2 * page() + 1000;
                file.cut(end);
                if touched {
                    assert_eq!(raw_get(&map, 5 * page()), 0);
                    assert_truncated(map.get(5 * page()), end);
                }
                for at in [end, end + 8, 3 * page() - 8, 3 * page(), map.len() - 8] {
                    assert_truncated(operation(&map, at), end);
                    assert_truncated(operation(&map, at), end);
                }
                operation(&map, end - 8).unwrap_or_else(|error| panic!("{name}: {error}"));
                file.regrow();
                let bytes = pattern_of(0..map.len());
                map.write_at(0, &bytes).unwrap();
                operation(&map, map.len() - 8).unwrap();
                assert_eq!(map.fault(), None);
            }
        }
    });
}

#[test]
fn a_disk_that_fails() {
    in_child(|| {
        let bad = FailingFile::mount(&mount_point(), 16 * page())
            .unwrap_or_else(|error| skip(&format!("no FUSE: {error}")));
        bad.make_bad(|page| page == 5);
        let map = Map::open(&bad.path).unwrap();
        for (name, operation) in OPERATIONS {
            if ["load", "wait", "wake"].contains(name) {
                let fault = fault_of(operation(&map, 5 * page() + 8));
                assert!((5 * page()..=5 * page() + 8).contains(&fault.offset), "{name}: {fault}");
                assert_eq!(fault.reason, FaultReason::Io, "{name}");
                operation(&map, 6 * page()).unwrap();
            }
        }
    });
}

/// A number that threads change all the time can be read on a map with a past,
/// where everything else is looked at twice.
#[test]
fn a_map_with_a_past() {
    in_child(|| {
        let file = PatternFile::pages(8);
        let map = file.map(Access::Write);
        file.cut(page());
        assert_truncated(map.get(5 * page()), page());
        file.regrow();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..20_000 {
                        map.atomic::<u64>(0).unwrap().fetch_add(1).unwrap();
                        map.atomic::<u64>(0).unwrap().load().unwrap();
                    }
                });
            }
        });
    });
}

/// Who waits for a number whose page goes away is told, and does not wait on.
#[test]
fn truncated_while_somebody_waits() {
    in_child(|| {
        let file = PatternFile::pages(8);
        let map = file.map(Access::Write);
        let at = 5 * page();
        let before = map.load_ne::<u32>(at).unwrap();
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| map.atomic::<u32>(at)?.wait(before, None));
            std::thread::sleep(Duration::from_millis(50));
            file.cut(page());
            assert_truncated(waiter.join().unwrap(), page());
        });
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
