//! Every operation while the file is shorter than the map.
#![allow(clippy::unwrap_used)]

mod fault_support;

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use fault_support::child::in_child;
use fault_support::operations::{OPERATIONS, Operation};
use fault_support::{
    PatternFile, Stop, assert_truncated, assert_truncated_in, fault_of, page, pattern, pattern_of,
};
use faultless::{Access, FaultReason, Map, MapOptions};

/// A map of a pattern file from `lead` on, for an operation.
fn map_for(operation: &Operation, file: &PatternFile, lead: usize) -> Map {
    let access = if operation.writes { Access::Write } else { Access::Read };
    let mut options = MapOptions::new();
    options.access(access).offset(lead as u64).open(&file.path).unwrap()
}

fn is_flush(operation: &Operation) -> bool {
    operation.name.ends_with("flush")
}

/// Whether an operation goes on past the end of the range it is given.
fn goes_on(operation: &Operation) -> bool {
    matches!(operation.name, "Cursor::read_to_end" | "BufRead for Cursor")
}

#[track_caller]
fn assert_works(operation: &Operation, map: &Map, lead: usize, range: Range<usize>) {
    if let Err(error) = (operation.run)(map, lead, range.clone()) {
        panic!("{} over {range:?}: {error}", operation.name);
    }
}

/// Says that the operation fails, at the first byte that it looks at past the
/// end of the file.
#[track_caller]
fn assert_fails(operation: &Operation, map: &Map, lead: usize, range: Range<usize>, end: usize) {
    let Err(error) = (operation.run)(map, lead, range.clone()) else {
        panic!("{} over {range:?} is Ok, and the file ends at {end}", operation.name);
    };
    let fault = fault_of(Err::<(), _>(error));
    assert_eq!(fault.reason, FaultReason::Truncated, "{}", operation.name);
    let last = if goes_on(operation) || is_flush(operation) { map.len() } else { range.end };
    assert!(
        (end..last).contains(&fault.offset),
        "{} over {range:?} names offset {}, and the file ends at {end}",
        operation.name,
        fault.offset
    );
}

/// Cuts a file of ten pages to `cut` bytes, and runs every operation over ranges
/// before the cut, across it and behind it; then with the file whole again.
fn cut_between(cut: usize, lead: usize, touched: bool) {
    for operation in OPERATIONS {
        let file = PatternFile::pages(10);
        let map = map_for(operation, &file, lead);
        let end = cut.saturating_sub(lead);
        if touched {
            map.to_vec(..).unwrap();
        }
        file.cut(cut);
        if end >= 3 * page() && !is_flush(operation) && !goes_on(operation) {
            assert_works(operation, &map, lead, 0..3 * page());
            assert_works(operation, &map, lead, end - 3 * page()..end);
        }
        let across = end.saturating_sub(page())..(end + 2 * page()).min(map.len());
        assert_fails(operation, &map, lead, across.clone(), end);
        assert_fails(operation, &map, lead, across, end);
        assert_fails(operation, &map, lead, map.len() - page()..map.len(), end);
        assert_fails(operation, &map, lead, 0..map.len(), end);
        if end >= 3 * page() && !is_flush(operation) && !goes_on(operation) {
            assert_works(operation, &map, lead, 0..end);
        }
        file.regrow();
        assert_works(operation, &map, lead, 0..map.len());
        assert_eq!(map.fault(), None);
        assert_eq!(file.bytes(), pattern_of(0..file.len), "{}", operation.name);
    }
}

#[test]
fn between_pages() {
    in_child(|| cut_between(4 * page(), 0, false));
}

#[test]
fn between_pages_that_were_in_use() {
    in_child(|| cut_between(4 * page(), 0, true));
}

#[test]
fn inside_a_page() {
    in_child(|| cut_between(4 * page() + 1234, 0, true));
}

#[test]
fn inside_the_last_page() {
    in_child(|| cut_between(10 * page() - 1500, 0, true));
}

#[test]
fn to_nothing() {
    in_child(|| cut_between(0, 0, true));
}

#[test]
fn with_an_offset_inside_a_page() {
    in_child(|| {
        cut_between(5 * page(), page() + 777, true);
        cut_between(5 * page() + 99, page() + 777, true);
        cut_between(10 * page() - 1500, 3, true);
        cut_between(page(), page() + 777, true);
    });
}

/// The end of the file is inside a page that every byte asked for lies in: no
/// page fails.
#[test]
fn bytes_that_only_the_page_has() {
    in_child(|| {
        for cut in [3 * page() + 100, 9 * page() + 100] {
            for operation in OPERATIONS {
                let file = PatternFile::pages(10);
                let map = map_for(operation, &file, 0);
                map.to_vec(..).unwrap();
                file.cut(cut);
                let behind = cut.next_multiple_of(page()) - 3000..cut.next_multiple_of(page());
                assert_fails(operation, &map, 0, behind.clone(), cut);
                assert_fails(operation, &map, 0, behind, cut);
            }
        }
    });
}

/// Single bytes next to the end of the file, of every kind of place.
#[test]
fn exact_to_the_byte() {
    in_child(|| {
        for cut in [1, page() - 1, page(), page() + 1, 4 * page() - 1, 4 * page(), 4 * page() + 1] {
            let file = PatternFile::new(4 * page() + 2);
            let map = file.map(Access::Write);
            file.cut(cut);
            assert_eq!(map.get(cut - 1).unwrap(), pattern(cut - 1));
            map.set(cut - 1, pattern(cut - 1)).unwrap();
            assert_eq!(map.to_vec(..cut).unwrap(), pattern_of(0..cut));
            assert_truncated(map.get(cut), cut);
            assert_truncated(map.set(cut, 1), cut);
            assert_truncated(map.to_vec(..cut + 1), cut);
            assert_truncated_in(map.get(map.len() - 1), cut, map.len() - 1);
            assert_truncated(map.to_vec(..), cut);
            assert_truncated(map.flush(), cut);
            if cut.next_multiple_of(page()) < map.len() {
                assert_eq!(map.fault().unwrap().offset, cut, "cut to {cut}");
            }
            assert_eq!(file.bytes(), pattern_of(0..cut));
        }
    });
}

#[test]
fn results_that_do_not_depend_on_the_lost_bytes() {
    in_child(|| {
        let file = PatternFile::pages(10);
        let map = file.map(Access::Read);
        file.cut(5 * page());
        let needle = pattern_of(2 * page()..2 * page() + 200);
        let at = map.find(&needle, page() + 1100..).unwrap();
        assert!(at.is_some_and(|at| at <= 2 * page()));
        assert_eq!(map.find_iter(&needle, ..).unwrap().next().unwrap().unwrap() % 1021, 24);
        assert_truncated(map.find(b"\0", ..), 5 * page());
        let mut all = map.find_iter(&needle, ..).unwrap();
        let last = all.by_ref().last().unwrap();
        assert_truncated(last, 5 * page());
        assert!(all.next().is_none());
    });
}

#[test]
fn many_threads_fail_at_once() {
    in_child(|| {
        let file = PatternFile::pages(16);
        let map = file.map(Access::Read);
        for _ in 0..200 {
            file.cut(page());
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| assert_truncated_in(map.to_vec(..), page(), map.len()));
                }
            });
            file.regrow();
            assert_eq!(map.to_vec(..).unwrap(), pattern_of(0..file.len));
        }
    });
}

/// Another thread cuts the file and writes it anew all the time. Maps to which that
/// happened before are looked at with more care.
fn cut_during(cuts: &[usize], lead: usize, before: bool) {
    let (mut worked, mut failed) = (0, 0);
    for operation in OPERATIONS {
        let file = PatternFile::pages(24);
        let map = map_for(operation, &file, lead);
        if before {
            file.cut(page());
            fault_of(map.to_vec(..));
            file.regrow();
        }
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for &cut in cuts.iter().cycle() {
                    file.cut(cut);
                    if done.load(Ordering::Relaxed) {
                        break;
                    }
                    file.regrow();
                    // Whole for a while, so that operations come through.
                    std::thread::sleep(std::time::Duration::from_micros(200));
                }
            });
            let stop = Stop(&done);
            for turn in 0..200 {
                let start = turn * 97 % (map.len() / 2);
                match (operation.run)(&map, lead, start..map.len() - turn) {
                    Ok(()) => worked += 1,
                    Err(error) => {
                        let fault = fault_of(Err::<(), _>(error));
                        assert_eq!(fault.reason, FaultReason::Truncated, "{}", operation.name);
                        failed += 1;
                    }
                }
            }
            drop(stop);
        });
        file.regrow();
        // What raced with the last cut may not have been reported yet.
        let _ = (operation.run)(&map, lead, 0..map.len());
        assert_works(operation, &map, lead, 0..map.len());
        assert_eq!(map.fault(), None);
        assert_eq!(file.bytes(), pattern_of(0..file.len), "{}", operation.name);
    }
    assert!(worked > 100 && failed > 100, "{worked} worked, {failed} failed");
}

#[test]
#[cfg_attr(
    windows,
    ignore = "a cut and a regrowth in one operation go unseen; Windows allows none"
)]
fn during_operations_between_pages() {
    in_child(|| cut_during(&[8 * page(), 0, 20 * page(), page()], 0, false));
}

#[test]
#[cfg_attr(
    windows,
    ignore = "a cut and a regrowth in one operation go unseen; Windows allows none"
)]
fn during_operations_inside_pages() {
    in_child(|| cut_during(&[8 * page() + 1000, 100, 20 * page() + 4000], 0, false));
}

#[test]
#[cfg_attr(
    windows,
    ignore = "a cut and a regrowth in one operation go unseen; Windows allows none"
)]
fn during_operations_with_an_offset() {
    in_child(|| cut_during(&[8 * page() + 1000, 100, 20 * page()], page() + 5, false));
}

/// While the system makes zeros of the end of that page, nothing but care tells.
#[test]
#[cfg_attr(
    windows,
    ignore = "a cut and a regrowth in one operation go unseen; Windows allows none"
)]
fn during_operations_inside_the_last_page() {
    in_child(|| {
        let cuts = [23 * page() + 50, 8 * page() + 1000, 23 * page() + 4000];
        cut_during(&cuts, 0, true);
        cut_during(&cuts, page() + 5, true);
    });
}
