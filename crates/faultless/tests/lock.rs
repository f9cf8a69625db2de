//! Keeping pages in memory.
#![allow(clippy::unwrap_used)]

mod common;

use common::{LOCK_LIMITS, kind, pattern, writable};
use faultless::{ErrorKind, MapOptions, page_size};

#[test]
fn lock_takes_any_range() {
    let page = page_size();
    let bytes = pattern(3 * page + 1);
    let (_file, map) = writable(&bytes);
    for range in [0..1, page - 1..page + 1, 17..3 * page, 3 * page..3 * page + 1, 0..map.len()] {
        if common::went_well("lock", map.lock(range.clone()), LOCK_LIMITS) {
            assert_eq!(map.to_vec(..).unwrap(), bytes);
            map.unlock(range).unwrap();
        }
    }
    map.lock(5..5).unwrap();
    map.unlock(map.len()..).unwrap();
}

#[test]
fn lock_outside_is_refused() {
    let (_file, map) = writable(b"0123456789");
    assert_eq!(kind(map.lock(..11)), ErrorKind::OutOfRange);
    assert_eq!(kind(map.unlock(11..)), ErrorKind::OutOfRange);
}

#[test]
fn lock_of_what_cannot_be_read() {
    let mut map = MapOptions::new().len(2 * page_size()).map_anonymous().unwrap();
    map.protect(faultless::Protection::NONE).unwrap();
    assert_eq!(kind(map.lock(..)), ErrorKind::Os);
}

/// Linux shows which areas are locked.
#[cfg(target_os = "linux")]
#[test]
fn lock_reaches_the_pages_of_the_range() {
    let page = page_size();
    let map = MapOptions::new().len(3 * page).map_anonymous().unwrap();
    let locked =
        || [0, 1, 2].map(|nth| common::has_flag(map.as_ptr().wrapping_add(nth * page), "lo"));
    assert_eq!(locked(), [false; 3]);
    if !common::went_well("lock", map.lock(page + 5..page + 6), LOCK_LIMITS) {
        return;
    }
    assert_eq!(locked(), [false, true, false]);
    map.lock(..).unwrap();
    assert_eq!(locked(), [true; 3]);
    map.unlock(2 * page - 1..2 * page + 1).unwrap();
    assert_eq!(locked(), [true, false, false]);
}

#[test]
fn locked_map_can_be_resized() {
    let (_file, mut map) = writable(&pattern(3 * page_size()));
    if common::went_well("lock", map.lock(..page_size()), LOCK_LIMITS) {
        map.resize(5 * page_size()).unwrap();
        assert_eq!(map.to_vec(..3 * page_size()).unwrap(), pattern(3 * page_size()));
        map.set(5 * page_size() - 1, 1).unwrap();
    }
}
