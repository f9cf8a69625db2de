//! What the system is told of pages, and pages that are given up.
#![allow(clippy::unwrap_used)]

mod common;

use common::{POPULATE_OR_COLLAPSE, UNKNOWN_ADVICE, anonymous, file, kind, pattern, writable};
use faultless::{Access, Advice, Discard, ErrorKind, MapOptions, page_size};

/// What a system may say to an advice that the crate knows, and no more.
fn tolerated(advice: Advice) -> &'static [i32] {
    match advice {
        Advice::Normal | Advice::Random | Advice::Sequential | Advice::WillNeed => &[],
        Advice::DontFork | Advice::DoFork | Advice::DontDump | Advice::DoDump => &[],
        // Read-only pages; no huge page to be had, or none that fits.
        Advice::PopulateWrite | Advice::Collapse => POPULATE_OR_COLLAPSE,
        // Private anonymous memory only; older kernels, or kernels built without.
        _ => UNKNOWN_ADVICE,
    }
}

#[test]
fn every_advice_is_taken_or_refused_by_name_and_changes_nothing() {
    let page = page_size();
    let bytes = pattern(5 * page + 100);
    let file = file(&bytes);
    let open = |access| MapOptions::new().access(access).offset(33).open(file.path()).unwrap();
    let shared = MapOptions::new().len(bytes.len() - 33).shared(true).map_anonymous().unwrap();
    shared.write_at(0, &bytes[33..]).unwrap();
    let maps = [
        open(Access::Read),
        open(Access::Write),
        open(Access::CopyOnWrite),
        anonymous(&bytes[33..]),
        shared,
    ];
    for map in &maps {
        for &advice in Advice::ALL {
            for range in [0..map.len(), page + 1..2 * page + 5, map.len() - 1..map.len(), 7..7] {
                let result = map.advise(range, advice);
                if advice.is_supported() {
                    common::went_well(&format!("{advice:?} of {map:?}"), result, tolerated(advice));
                } else {
                    assert_eq!(kind(result), ErrorKind::Unsupported, "{advice:?}");
                }
            }
            assert_eq!(map.to_vec(..).unwrap(), bytes[33..], "{advice:?} of {map:?}");
        }
    }
}

#[test]
fn advice_outside_is_refused() {
    let mut map = anonymous(b"0123456789");
    for &advice in Advice::ALL {
        assert_eq!(kind(map.advise(..11, advice)), ErrorKind::OutOfRange);
        assert_eq!(kind(map.advise(usize::MAX.., advice)), ErrorKind::OutOfRange);
    }
    for &how in Discard::ALL {
        assert_eq!(kind(map.discard(..11, how)), ErrorKind::OutOfRange);
    }
    assert_eq!(map.to_vec(..).unwrap(), b"0123456789");
}

/// Linux has a flag for many an advice: it shows that the right number reached
/// the right pages.
#[cfg(target_os = "linux")]
#[test]
fn advice_reaches_the_pages_of_the_range() {
    let page = page_size();
    let map = MapOptions::new().len(4 * page).map_anonymous().unwrap();
    let at = |offset: usize| map.as_ptr().wrapping_add(offset);
    for (advice, undo, flag) in [
        (Advice::Random, Advice::Normal, "rr"),
        (Advice::Sequential, Advice::Normal, "sr"),
        (Advice::DontFork, Advice::DoFork, "dc"),
        (Advice::DontDump, Advice::DoDump, "dd"),
        (Advice::WipeOnFork, Advice::KeepOnFork, "wf"),
        (Advice::Mergeable, Advice::Unmergeable, "mg"),
        (Advice::HugePage, Advice::NoHugePage, "hg"),
        (Advice::NoHugePage, Advice::HugePage, "nh"),
    ] {
        let what = format!("{advice:?}");
        if !common::went_well(&what, map.advise(page + 1..page + 2, advice), &[libc::EINVAL]) {
            continue;
        }
        let flags = [0, page, 2 * page].map(|offset| common::has_flag(at(offset), flag));
        assert_eq!(flags, [false, true, false], "{what}");
        map.advise(page..2 * page, undo).unwrap();
        assert!(!common::has_flag(at(page), flag), "{undo:?}");
    }
}

/// Linux has advice that reads pages in, and shows how many are there.
#[cfg(target_os = "linux")]
#[test]
fn populate_reads_the_pages_in() {
    let file = file(&pattern(1 << 20));
    let of_file = faultless::Map::open(file.path()).unwrap();
    let memory = MapOptions::new().len(1 << 20).map_anonymous().unwrap();
    for (map, advice) in [(of_file, Advice::PopulateRead), (memory, Advice::PopulateWrite)] {
        assert_eq!(common::resident(map.as_ptr()), 0);
        let result = map.advise(.., advice);
        if common::went_well(&format!("{advice:?}"), result, &[libc::EINVAL]) {
            assert_eq!(common::resident(map.as_ptr()), 1 << 20);
        }
    }
}

#[test]
fn discarded_memory_is_zeros() {
    let page = page_size();
    let bytes = pattern(4 * page);
    let mut map = anonymous(&bytes);
    map.discard(page..2 * page, Discard::DontNeed).unwrap();
    assert_eq!(map.to_vec(..page).unwrap(), bytes[..page]);
    assert_eq!(map.to_vec(page..2 * page).unwrap(), vec![0; page]);
    assert_eq!(map.to_vec(2 * page..).unwrap(), bytes[2 * page..]);
    map.discard(2 * page + 5..2 * page + 6, Discard::DontNeed).unwrap();
    assert_eq!(map.to_vec(2 * page..3 * page).unwrap(), vec![0; page], "whole pages");
    assert_eq!(map.to_vec(3 * page..).unwrap(), bytes[3 * page..]);
}

#[test]
fn discarded_changes_of_a_private_map_are_lost() {
    let bytes = pattern(3 * page_size());
    let file = file(&bytes);
    let mut map = MapOptions::new().access(Access::CopyOnWrite).open(file.path()).unwrap();
    map.fill(.., 1).unwrap();
    match map.discard(.., Discard::DontNeed) {
        Ok(()) => assert_eq!(map.to_vec(..).unwrap(), bytes),
        // Windows: only the whole view has the changes.
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            assert_eq!(map.to_vec(..).unwrap(), vec![1; bytes.len()]);
        }
    }
    assert_eq!(std::fs::read(file.path()).unwrap(), bytes);
}

#[test]
fn discarded_pages_of_a_shared_map_are_read_again() {
    let (_file, mut map) = writable(&pattern(3 * page_size()));
    map.fill(5..page_size() + 5, 0x5A).unwrap();
    let bytes = map.to_vec(..).unwrap();
    map.discard(.., Discard::DontNeed).unwrap();
    assert_eq!(map.to_vec(..).unwrap(), bytes);
}

/// Linux alone makes holes through a map.
#[cfg(target_os = "linux")]
#[test]
fn removed_pages_are_a_hole_in_the_file() {
    use std::os::unix::fs::MetadataExt;
    let page = page_size();
    let (file, mut map) = writable(&pattern(64 * page));
    map.flush().unwrap();
    let blocks = || file.as_file().metadata().unwrap().blocks();
    let before = blocks();
    let unsupported = &[libc::EOPNOTSUPP];
    let result = map.discard(page..63 * page, Discard::Remove);
    if result.as_ref().is_err_and(|error| error.kind() == ErrorKind::Unsupported) {
        return common::skip("this file system makes no holes");
    }
    if common::went_well("remove", result, unsupported) {
        assert_eq!(map.to_vec(page..63 * page).unwrap(), vec![0; 62 * page]);
        assert_eq!(map.to_vec(..page).unwrap(), pattern(64 * page)[..page]);
        assert_eq!(std::fs::read(file.path()).unwrap(), map.to_vec(..).unwrap());
        assert!(blocks() < before);
    }
    let mut read_only = faultless::Map::open(file.path()).unwrap();
    assert_eq!(kind(read_only.discard(.., Discard::Remove)), ErrorKind::Access);
}

#[test]
fn freed_memory_is_old_or_zeros() {
    let bytes = vec![0x5A; 4 * page_size()];
    let mut map = anonymous(&bytes);
    if !Discard::Free.is_supported() {
        return assert_eq!(kind(map.discard(.., Discard::Free)), ErrorKind::Unsupported);
    }
    if common::went_well("free", map.discard(.., Discard::Free), UNKNOWN_ADVICE) {
        let found = map.to_vec(..).unwrap();
        assert!(found.iter().all(|&byte| byte == 0x5A || byte == 0));
    }
    map.fill(.., 7).unwrap();
    assert_eq!(map.to_vec(..).unwrap(), vec![7; 4 * page_size()]);
}
