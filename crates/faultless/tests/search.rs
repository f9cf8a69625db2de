//! Finding bytes, compared with looking at every place.
#![allow(clippy::unwrap_used)]

mod common;

use std::ops::Range;

use common::{anonymous, naive, pattern};
use faultless::{Access, Map, MapOptions, page_size};
use proptest::collection::vec;
use proptest::prelude::*;

/// All four searches in a range, against the naive ones.
#[track_caller]
fn check(map: &Map, bytes: &[u8], needle: &[u8], range: Range<usize>) {
    let part = &bytes[range.clone()];
    let place = |at: usize| range.start + at;
    let find = map.find(needle, range.clone()).unwrap();
    assert_eq!(find, naive::find(part, needle).map(place), "find {needle:?} in {range:?}");
    let rfind = map.rfind(needle, range.clone()).unwrap();
    assert_eq!(rfind, naive::rfind(part, needle).map(place), "rfind {needle:?} in {range:?}");
    let expected: Vec<usize> = naive::find_all(part, needle).into_iter().map(place).collect();
    let all: Vec<usize> =
        map.find_iter(needle, range.clone()).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(all, expected, "find_iter {needle:?} in {range:?}");
    let count = map.count(needle, range.clone()).unwrap();
    assert_eq!(count, expected.len(), "count {needle:?} in {range:?}");
}

#[test]
fn short_needles_in_short_maps() {
    // Every text of two letters up to seven long, and every needle up to three.
    let words = |len: u32| (0..1usize << len).map(move |bits| word(bits, len));
    fn word(bits: usize, len: u32) -> Vec<u8> {
        (0..len).map(|at| if bits >> at & 1 == 0 { b'a' } else { b'b' }).collect()
    }
    for text in (1..=7).flat_map(words) {
        let map = anonymous(&text);
        for needle in (0..=3).flat_map(words) {
            check(&map, &text, &needle, 0..text.len());
            check(&map, &text, &needle, 1..text.len());
        }
    }
}

#[test]
fn empty_needle_stands_everywhere() {
    let map = anonymous(b"abc");
    for start in 0..=3 {
        for end in start..=3 {
            check(&map, b"abc", b"", start..end);
        }
    }
    assert_eq!(map.find(b"", 2..).unwrap(), Some(2));
    assert_eq!(map.rfind(b"", ..2).unwrap(), Some(2));
    assert_eq!(map.count(b"", ..).unwrap(), 4);
    assert_eq!(map.find_iter(b"", 1..2).unwrap().map(Result::unwrap).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn needle_must_stand_inside_the_range() {
    let map = anonymous(b"..needle..");
    assert_eq!(map.find(b"needle", 2..8).unwrap(), Some(2));
    assert_eq!(map.rfind(b"needle", 2..8).unwrap(), Some(2));
    for range in [3..10, 0..7, 2..7, 3..8, 8..8] {
        assert_eq!(map.find(b"needle", range.clone()).unwrap(), None);
        assert_eq!(map.rfind(b"needle", range.clone()).unwrap(), None);
        assert_eq!(map.count(b"needle", range.clone()).unwrap(), 0);
        assert_eq!(map.find_iter(b"needle", range).unwrap().count(), 0);
    }
    assert_eq!(map.find(b"a needle longer than the map", ..).unwrap(), None);
    assert_eq!(map.rfind(b"a needle longer than the map", ..).unwrap(), None);
}

#[test]
fn every_byte_is_found_at_every_place() {
    let len = page_size() + 70;
    let map = anonymous(&vec![0; len]);
    for at in (0..len).step_by(61).chain([1, page_size() - 1, page_size(), len - 1]) {
        let byte = (at % 255) as u8 + 1;
        map.set(at, byte).unwrap();
        assert_eq!(map.find(&[byte], ..).unwrap(), Some(at));
        assert_eq!(map.rfind(&[byte], ..).unwrap(), Some(at));
        assert_eq!(map.find(&[byte], at + 1..).unwrap(), None);
        assert_eq!(map.rfind(&[byte], ..at).unwrap(), None);
        map.set(at, 0).unwrap();
    }
}

#[test]
fn needle_is_found_across_pages_of_a_file() {
    let page = page_size();
    let mut bytes = pattern(3 * page);
    bytes[page - 4..page + 4].copy_from_slice(b"straddle");
    bytes[2 * page - 1..2 * page + 7].copy_from_slice(b"straddle");
    let file = common::file(&bytes);
    let map = MapOptions::new().offset(33).open(file.path()).unwrap();
    check(&map, &bytes[33..], b"straddle", 0..map.len());
    assert_eq!(map.find(b"straddle", ..).unwrap(), Some(page - 4 - 33));
    assert_eq!(map.rfind(b"straddle", ..).unwrap(), Some(2 * page - 1 - 33));
}

#[test]
fn iterator_ends_once_for_all() {
    let map = anonymous(b"aXaXa");
    let mut found = map.find_iter(b"X", ..).unwrap();
    assert_eq!(found.next().unwrap().unwrap(), 1);
    assert_eq!(found.next().unwrap().unwrap(), 3);
    assert!(found.next().is_none());
    map.set(4, b'X').unwrap();
    assert!(found.next().is_none());
}

/// A map of 4 MiB of a repeated byte, with one needle of 4,000 bytes in the
/// middle that differs from it in one place. Every place looks right for as
/// long as that place is not compared.
fn periodic(odd: usize) -> (Map, Vec<u8>, usize) {
    let map = MapOptions::new().len(4 << 20).map_anonymous().unwrap();
    map.fill(.., b'a').unwrap();
    let mut needle = vec![b'a'; 4000];
    needle[odd] = b'b';
    (map, needle, (2 << 20) + 123)
}

#[test]
fn periodic_needles_are_found_in_linear_time() {
    for odd in [0, 1, 20, 2000, 3980, 3999] {
        let (map, needle, at) = periodic(odd);
        assert_eq!(map.find(&needle, ..).unwrap(), None, "odd byte {odd}");
        assert_eq!(map.rfind(&needle, ..).unwrap(), None, "odd byte {odd}");
        assert_eq!(map.count(&needle, ..).unwrap(), 0, "odd byte {odd}");
        map.write_at(at, &needle).unwrap();
        assert_eq!(map.find(&needle, ..).unwrap(), Some(at), "odd byte {odd}");
        assert_eq!(map.rfind(&needle, ..).unwrap(), Some(at), "odd byte {odd}");
        assert_eq!(map.count(&needle, ..).unwrap(), 1, "odd byte {odd}");
    }
}

/// Not a single comparison of a needle of 1 MiB at each of 31 million places
/// could be afforded.
#[test]
fn long_periodic_needles_are_found_in_linear_time() {
    let (half, period) = (1 << 19, b"abaab");
    let text: Vec<u8> = period.iter().copied().cycle().take(32 << 20).collect();
    let map = anonymous(&text);
    let mut needle = text[..2 * half].to_vec();
    for odd in [0, half, 2 * half - 1] {
        let was = std::mem::replace(&mut needle[odd], b'c');
        assert_eq!(map.find(&needle, ..).unwrap(), None, "odd byte {odd}");
        assert_eq!(map.rfind(&needle, ..).unwrap(), None, "odd byte {odd}");
        // A byte that is everywhere, so that it is no help.
        needle[odd] = if was == b'a' { b'b' } else { b'a' };
        assert_eq!(map.find(&needle, ..).unwrap(), None, "odd byte {odd}");
        assert_eq!(map.rfind(&needle, ..).unwrap(), None, "odd byte {odd}");
        needle[odd] = was;
    }
    assert_eq!(map.find(&needle, 1..).unwrap(), Some(5));
    let last = (text.len() - needle.len()) / 5 * 5;
    assert_eq!(map.rfind(&needle, ..).unwrap(), Some(last));
}

#[test]
fn many_matches_are_counted() {
    let map = MapOptions::new().len(4 << 20).map_anonymous().unwrap();
    assert_eq!(map.count(&[0], ..).unwrap(), 4 << 20);
    assert_eq!(map.count(&[0, 0], 1..).unwrap(), (2 << 20) - 1);
    assert_eq!(map.count(&[0; 4000], ..).unwrap(), (4 << 20) / 4000);
    assert_eq!(map.find_iter(&[0; 4000], ..).unwrap().count(), (4 << 20) / 4000);
    assert_eq!(map.rfind(&[0; 4000], ..).unwrap(), Some((4 << 20) - 4000));
}

proptest! {
    #![proptest_config(common::cases(400))]

    #[test]
    fn any_needle_in_any_range(
        bytes in vec(0u8..3, 1..600),
        needle in vec(0u8..3, 0..6),
        ends in (0usize..600, 0usize..600),
    ) {
        let map = anonymous(&bytes);
        let (a, b) = (ends.0.min(bytes.len()), ends.1.min(bytes.len()));
        check(&map, &bytes, &needle, a.min(b)..a.max(b));
    }

    #[test]
    fn any_part_of_a_file_is_found_in_it(
        bytes in vec(0u8..2, 1..9000),
        at in 0usize..9000,
        len in 0usize..300,
        offset in 0usize..5000,
    ) {
        let file = common::file(&bytes);
        let offset = offset.min(bytes.len());
        let mut options = MapOptions::new();
        let map = options.access(Access::CopyOnWrite).offset(offset as u64).open(file.path()).unwrap();
        let at = at.min(bytes.len());
        let needle = &bytes[at..(at + len).min(bytes.len())];
        check(&map, &bytes[offset..], needle, 0..map.len());
    }
}
