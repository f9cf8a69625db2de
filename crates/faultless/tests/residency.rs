//! Which pages are in memory, bringing them there, and letting them go.
#![allow(clippy::unwrap_used)]

mod common;

use std::ops::ControlFlow;

use common::{anonymous, file, kind, pattern, writable};
use faultless::{Access, ErrorKind, Map, MapOptions, Protection, page_size};

const MIB: usize = 1 << 20;

/// A map of a file of which nothing is in memory; `None` where the file system
/// keeps its files there.
fn cold(len: usize) -> Option<(tempfile::NamedTempFile, Map)> {
    let file = file(&pattern(len));
    file.as_file().sync_all().unwrap();
    let map = Map::open(file.path()).unwrap();
    map.evict(..).unwrap();
    if map.residency(..).unwrap().resident() != 0 {
        common::skip("this file system keeps its files in memory");
        return None;
    }
    Some((file, map))
}

#[test]
fn residency_of_anonymous_memory_is_what_was_touched() {
    let page = page_size();
    let map = MapOptions::new().len(70 * page + 1).map_anonymous().unwrap();
    let none = map.residency(..).unwrap();
    assert_eq!((none.pages(), none.resident(), none.page_size()), (71, 0, page));
    assert_eq!(none.ranges().count(), 0);

    for nth in [0, 1, 5, 69, 70] {
        map.set(nth * page, 1).unwrap();
    }
    let some = map.residency(..).unwrap();
    assert_eq!((some.pages(), some.resident()), (71, 5));
    let ranges: Vec<_> = some.ranges().collect();
    assert_eq!(ranges, [0..2 * page, 5 * page..6 * page, 69 * page..70 * page + 1]);

    // A range that begins and ends inside pages: they count, and what is told
    // lies inside the range.
    let part = map.residency(page + 7..6 * page - 7).unwrap();
    assert_eq!((part.pages(), part.resident()), (5, 2));
    let ranges: Vec<_> = part.ranges().collect();
    assert_eq!(ranges, [page + 7..2 * page, 5 * page..6 * page - 7]);
}

#[test]
fn what_is_in_memory_of_a_file_with_large_gaps() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let (page, mib) = (page_size(), 1 << 20);
    let places = [0, 63 * mib, 65 * mib - page, 129 * mib, 200 * mib, 300 * mib - page];
    file.as_file().set_len(300 * mib as u64).unwrap();
    let map = MapOptions::new().access(Access::Write).open(file.path()).unwrap();
    for at in places {
        map.set(at, 1).unwrap();
    }
    for start in [0, 100 * mib + 5] {
        let residency = map.residency(start..).unwrap();
        let covered = |at: &usize| residency.ranges().any(|range| range.contains(at));
        let expected: Vec<_> = places.into_iter().filter(|at| *at >= start).collect();
        assert!(expected.iter().all(covered), "{residency}");
        // The system may read ahead, but no gap is in memory as a whole.
        let gaps = [30, 100, 115, 160, 250].map(|at| at * mib + 5);
        assert!(gaps.iter().all(|at| !covered(at)), "{residency}");
    }
}

#[test]
fn residency_of_nothing() {
    let map = anonymous(&[1; 10]);
    for range in [0..0, 5..5, 10..10] {
        let nothing = map.residency(range).unwrap();
        assert_eq!((nothing.pages(), nothing.resident()), (0, 0));
        assert_eq!(nothing.ranges().count(), 0);
        assert_eq!(nothing.to_string(), format!("0 of 0 pages of {} bytes ||", page_size()));
    }
    assert_eq!(kind(map.residency(..11)), ErrorKind::OutOfRange);
    let empty = MapOptions::new().len(0).map_anonymous().unwrap();
    assert_eq!(empty.residency(..).unwrap().pages(), 0);
}

#[test]
fn the_bar_shows_where_the_pages_are() {
    let page = page_size();
    let map = MapOptions::new().len(400 * page).map_anonymous().unwrap();
    let touch = |pages: std::ops::Range<usize>| {
        pages.for_each(|nth| map.set(nth * page, 1).unwrap());
    };
    touch(0..10);
    touch(20..21);
    touch(30..35);
    touch(40..49);
    touch(395..400);
    let shown = map.residency(..).unwrap().to_string();
    let bar = format!("█ ░▒▓{}▒", " ".repeat(34));
    assert_eq!(shown, format!("30 of 400 pages of {page} bytes |{bar}|"));
}

#[test]
fn prefetch_brings_a_range_in_and_evict_lets_it_go() {
    let page = page_size();
    // So much that several threads bring it in, and readahead does not bring all.
    let Some((file, map)) = cold(40 * MIB + 5) else { return };
    map.prefetch(20 * MIB + 1..20 * MIB + 2).unwrap();
    let one = map.residency(20 * MIB..20 * MIB + page).unwrap();
    assert_eq!((one.pages(), one.resident()), (1, 1));
    assert_ne!(map.residency(..).unwrap().resident(), map.residency(..).unwrap().pages());

    map.prefetch(..).unwrap();
    let all = map.residency(..).unwrap();
    assert_eq!(all.resident(), (40 * MIB + 5).div_ceil(page));
    assert_eq!((all.ranges().next(), all.ranges().count()), (Some(0..map.len()), 1));
    assert_eq!(map.to_vec(..).unwrap(), pattern(40 * MIB + 5));

    map.evict(MIB..39 * MIB).unwrap();
    let left: Vec<_> = map.residency(..).unwrap().ranges().collect();
    assert_eq!(left, [0..MIB, 39 * MIB..map.len()]);
    assert_eq!(map.to_vec(..).unwrap(), pattern(40 * MIB + 5));
    drop(file);
}

#[test]
fn a_map_that_begins_inside_a_page() {
    let page = page_size();
    let Some((file, whole)) = cold(10 * page) else { return };
    let map = MapOptions::new().offset(page as u64 + 100).len(2 * page).open(file.path()).unwrap();
    map.prefetch(..).unwrap();
    let residency = map.residency(..).unwrap();
    assert_eq!((residency.pages(), residency.resident()), (3, 3));
    assert_eq!(residency.ranges().next(), Some(0..2 * page));
    // The first page of the map has its first `page - 100` bytes.
    let first = map.residency(..page - 100).unwrap();
    assert_eq!(first.pages(), 1);
    assert_eq!(map.residency(..page - 99).unwrap().pages(), 2);
    map.evict(..).unwrap();
    assert_eq!(whole.residency(page..4 * page).unwrap().resident(), 0);
    assert_eq!(map.to_vec(..).unwrap(), pattern(10 * page)[page + 100..3 * page + 100]);
}

#[test]
fn evict_writes_changes_first_and_loses_none() {
    let bytes = pattern(MIB);
    let (file, map) = writable(&bytes);
    map.set(5, 77).unwrap();
    map.evict(..).unwrap();
    assert_eq!(map.get(5).unwrap(), 77);
    assert_eq!(std::fs::read(file.path()).unwrap()[5], 77);

    let private = MapOptions::new().access(Access::CopyOnWrite).open(file.path()).unwrap();
    private.set(9, 99).unwrap();
    private.evict(..).unwrap();
    assert_eq!(private.get(9).unwrap(), 99);
    assert_eq!(private.to_vec(10..).unwrap(), bytes[10..]);

    let memory = anonymous(&bytes);
    memory.evict(..).unwrap();
    assert_eq!(memory.to_vec(..).unwrap(), bytes);
    memory.evict(3..3).unwrap();
    assert_eq!(kind(memory.evict(..MIB + 1)), ErrorKind::OutOfRange);
}

#[test]
fn what_is_locked_stays() {
    let Some((_file, map)) = cold(8 * page_size()) else { return };
    if common::went_well("lock", map.lock(..2 * page_size()), common::LOCK_LIMITS) {
        map.evict(..).unwrap();
        assert_eq!(map.residency(..2 * page_size()).unwrap().resident(), 2);
    }
}

#[test]
fn prefetch_tells_how_far_it_is() {
    for len in [0, 1, 3 * MIB + 1, 8 * MIB, 17 * MIB, 20 * MIB] {
        let map = anonymous(&vec![1; len]);
        let mut seen = Vec::new();
        let ended = map.prefetch_with(.., |done, total| {
            assert_eq!(total, len);
            seen.push(done);
            ControlFlow::<()>::Continue(())
        });
        assert_eq!(ended.unwrap(), ControlFlow::Continue(()));
        assert_eq!(seen.last(), Some(&len), "the end is told");
        assert!(seen.is_sorted() && seen.len() <= len.div_ceil(MIB) + 1, "{seen:?}");
        if len > MIB {
            assert!(seen.len() > 1, "{seen:?}");
        }
    }
}

#[test]
fn prefetch_can_be_stopped() {
    let map = anonymous(&vec![1; 40 * MIB]);
    let mut calls = 0;
    let ended = map.prefetch_with(.., |done, _| {
        calls += 1;
        if calls == 2 { ControlFlow::Break(done) } else { ControlFlow::Continue(()) }
    });
    let ControlFlow::Break(done) = ended.unwrap() else { panic!("it went on") };
    assert!((2 * MIB..40 * MIB).contains(&done), "{done}");
    assert_eq!(calls, 2);
}

#[test]
fn a_progress_that_panics_leaves_no_thread_behind() {
    let map = anonymous(&vec![1; 40 * MIB]);
    let panicked =
        std::panic::catch_unwind(|| map.prefetch_with::<()>(.., |_, _| panic!("enough")).map(drop));
    assert_eq!(panicked.unwrap_err().downcast_ref(), Some(&"enough"));
    map.prefetch(..).unwrap();
}

#[test]
fn prefetch_asks_for_what_can_be_had() {
    let mut map = anonymous(&[1; 10]);
    assert_eq!(kind(map.prefetch(..11)), ErrorKind::OutOfRange);
    map.prefetch(10..).unwrap();
    map.protect(Protection::NONE).unwrap();
    assert_eq!(kind(map.prefetch(..)), ErrorKind::Access);
    assert_eq!(map.residency(..).unwrap().pages(), 1);
}
