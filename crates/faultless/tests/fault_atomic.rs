//! Atomic numbers on pages that fail.
#![allow(clippy::unwrap_used)]

mod fault_support;

use std::time::Duration;

use fault_support::child::in_child;
use fault_support::{PatternFile, assert_truncated, page, pattern_of, raw_get};
use faultless::{Access, Map};

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
