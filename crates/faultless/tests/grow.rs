//! Growing in place, and appending.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs::{self, OpenOptions};
use std::path::Path;

use common::{cases, file, kind, naive, pattern, writable};
use faultless::{Access, ErrorKind, Map, MapOptions, Protection, page_size};
use proptest::prelude::*;

const MIB: usize = 1 << 20;

fn growing(path: impl AsRef<Path>, reserve: usize) -> Map {
    MapOptions::new().access(Access::Write).reserve(reserve).open(path).unwrap()
}

fn file_len(path: impl AsRef<Path>) -> usize {
    fs::metadata(path).unwrap().len() as usize
}

/// Reads and writes through an address that was taken before.
fn change(address: *mut u8, from: u8, to: u8) {
    // SAFETY: the callers' addresses are inside maps that live.
    unsafe {
        assert_eq!(address.read_volatile(), from);
        address.write_volatile(to);
    }
}

#[test]
fn a_map_grows_where_it_is() {
    for offset in [0, 1, page_size(), page_size() + 33] {
        let mut expected = pattern(offset + 100);
        let file = file(&expected);
        let mut options = MapOptions::new();
        options.access(Access::Write).offset(offset as u64).reserve(8 * MIB);
        let mut map = options.open(file.path()).unwrap();
        let start = map.as_mut_ptr();
        assert_eq!(map.reserved(), Some(8 * MIB));
        for (round, len) in
            [100, 101, page_size(), 3 * page_size() + 5, MIB, 8 * MIB].into_iter().enumerate()
        {
            map.grow(len).unwrap();
            expected.resize(offset + len, 0);
            assert_eq!((map.len(), map.as_mut_ptr()), (len, start));
            assert_eq!(map.file_len().unwrap(), (offset + len) as u64);
            naive::assert_same(&map.to_vec(..).unwrap(), &expected[offset..]);
            let last = map.len() - 1;
            change(start.wrapping_add(last), expected[offset + last], round as u8 + 1);
            expected[offset + last] = round as u8 + 1;
            assert_eq!(map.get(last).unwrap(), round as u8 + 1);
            naive::assert_same(&fs::read(file.path()).unwrap(), &expected);
            assert_eq!(map.fault(), None);
        }
        drop(map);
        assert_eq!(file_len(file.path()), offset + 8 * MIB);
    }
}

#[test]
fn an_empty_file_grows() {
    for offset in [0, 77] {
        let file = file(&vec![1; offset]);
        let mut options = MapOptions::new();
        options.access(Access::Write).offset(offset as u64).reserve(MIB);
        let mut map = options.open(file.path()).unwrap();
        assert!(map.is_empty());
        assert_eq!(map.to_vec(..).unwrap(), b"");
        let start = map.as_ptr();
        map.grow(0).unwrap();
        assert_eq!(map.append(b"abc").unwrap(), 0);
        assert_eq!(map.as_ptr(), start);
        assert!(map.is_guarded());
        map.resize(0).unwrap();
        assert_eq!((map.len(), file_len(file.path())), (0, offset));
        map.grow(2).unwrap();
        assert_eq!(map.to_vec(..).unwrap(), [0, 0]);
    }
}

#[test]
fn private_memory_grows_where_it_is() {
    let mut map = MapOptions::new().len(10).reserve(64 * MIB).map_anonymous().unwrap();
    let start = map.as_mut_ptr();
    map.fill(.., 1).unwrap();
    map.grow(MIB).unwrap();
    change(start.wrapping_add(MIB - 1), 0, 2);
    change(start.wrapping_add(9), 1, 3);
    assert_eq!(map.append(b"end").unwrap(), MIB);
    assert_eq!(map.to_vec(MIB - 1..).unwrap(), b"\x02end");
    // What is cut off comes back as zeros.
    map.resize(5).unwrap();
    map.grow(2 * MIB).unwrap();
    let mut expected = vec![0; 2 * MIB];
    expected[..5].fill(1);
    naive::assert_same(&map.to_vec(..).unwrap(), &expected);
    assert_eq!(map.as_mut_ptr(), start);
}

#[test]
fn what_is_reserved_is_the_limit() {
    let (file, _) = writable(b"12345");
    let mut map = growing(file.path(), 1000);
    map.grow(1000).unwrap();
    let error = map.grow(1001).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutOfRange);
    let said = error.to_string();
    assert!(said.contains("1001") && said.contains("1000 that were reserved"), "{said}");
    assert_eq!(kind(map.append(b"x")), ErrorKind::OutOfRange);
    assert_eq!(kind(map.resize(1001)), ErrorKind::OutOfRange);
    assert_eq!(kind(map.resize(usize::MAX)), ErrorKind::OutOfRange);
    assert_eq!((map.len(), file_len(file.path())), (1000, 1000));
    // Up to the last byte.
    map.resize(990).unwrap();
    assert_eq!(kind(map.append(&[1; 11])), ErrorKind::OutOfRange);
    assert_eq!(map.append(&[1; 10]).unwrap(), 990);
    assert_eq!(map.append(b"").unwrap(), 1000);
    drop(map);
    assert_eq!(file_len(file.path()), 1000);

    // A map is never shorter than its file.
    let map = growing(file.path(), 1);
    assert_eq!((map.len(), map.reserved()), (1000, Some(1000)));
}

#[test]
fn growing_shrinks_nothing() {
    let (file, _) = writable(b"12345");
    let mut map = growing(file.path(), 1000);
    assert_eq!(kind(map.grow(4)), ErrorKind::InvalidInput);
    map.grow(5).unwrap();
    assert_eq!(map.to_vec(..).unwrap(), b"12345");
}

#[test]
fn maps_that_cannot_grow_say_so() {
    let (file, mut map) = writable(b"12345");
    assert_eq!(map.reserved(), None);
    assert_eq!(kind(map.grow(10)), ErrorKind::InvalidInput);
    assert_eq!(kind(map.append(b"x")), ErrorKind::InvalidInput);
    assert_eq!(map.to_vec(..).unwrap(), b"12345");

    let mut options = MapOptions::new();
    options.reserve(MIB);
    assert_eq!(kind(options.open(file.path())), ErrorKind::InvalidInput);
    options.access(Access::CopyOnWrite);
    assert_eq!(kind(options.open(file.path())), ErrorKind::InvalidInput);
    options.access(Access::Write).keep_file(false);
    assert_eq!(kind(options.open(file.path())), ErrorKind::InvalidInput);
    assert_eq!(kind(options.len(1).create(file.path())), ErrorKind::InvalidInput);
    options.shared(true);
    assert_eq!(kind(options.map_anonymous()), ErrorKind::Unsupported);
    let mut options = MapOptions::new();
    options.access(Access::Write).len(1).reserve(usize::MAX);
    assert_eq!(kind(options.open(file.path())), ErrorKind::OutOfRange);
    assert_eq!(kind(options.create(file.path())), ErrorKind::OutOfRange);
    assert_eq!(kind(options.map_anonymous()), ErrorKind::OutOfRange);
    // Nothing was touched by what was refused.
    assert_eq!(fs::read(file.path()).unwrap(), b"12345");

    let mut map = growing(file.path(), MIB);
    map.protect(Protection::READ).unwrap();
    assert_eq!(kind(map.grow(10)), ErrorKind::Access);
    assert_eq!(kind(map.append(b"x")), ErrorKind::Access);
    assert_eq!(kind(map.resize(2)), ErrorKind::Access);
    map.protect(Protection::READ | Protection::WRITE).unwrap();
    map.append(b"x").unwrap();
    assert_eq!(map.to_vec(..).unwrap(), b"12345x");
}

#[test]
fn appended_records_are_in_the_file() {
    for offset in [0, 9] {
        let file = file(&vec![0; offset]);
        let mut options = MapOptions::new();
        options.access(Access::Write).offset(offset as u64).reserve(1 << 28);
        let mut map = options.open(file.path()).unwrap();
        let start = map.as_ptr();
        let bytes = pattern(5 * MIB + 17);
        let mut rest = &bytes[..];
        // Of a few bytes at first, and then longer than all that was there.
        for len in [0, 1, 2, 7, 512, 4095, 4096, 4097].into_iter().cycle() {
            let grown = len + rest.len() % 1000;
            let (record, later) = rest.split_at(grown.min(rest.len()));
            assert_eq!(map.append(record).unwrap(), bytes.len() - rest.len());
            assert_eq!(map.len(), bytes.len() - later.len());
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        assert_eq!(map.append(&bytes).unwrap(), bytes.len());
        assert_eq!(map.as_ptr(), start);
        assert!(map.file_len().unwrap() > (offset + map.len()) as u64, "it is allocated ahead");
        map.flush().unwrap();
        naive::assert_same(&map.to_vec(..).unwrap(), &[&bytes[..], &bytes].concat());
        drop(map);
        let read = fs::read(file.path()).unwrap();
        naive::assert_same(&read[offset..], &[&bytes[..], &bytes].concat());
    }
}

#[test]
fn what_is_ahead_goes_when_the_map_does() {
    let (file, _) = writable(b"");
    let mut map = growing(file.path(), 1 << 30);
    map.append(b"record").unwrap();
    let ahead = file_len(file.path());
    assert!((6..=2 * MIB).contains(&ahead), "{ahead} for a few bytes");
    // At once, when it is asked for.
    map.resize(map.len()).unwrap();
    assert_eq!(file_len(file.path()), 6);
    map.append(b"record").unwrap();
    drop(map);
    assert_eq!(fs::read(file.path()).unwrap(), b"recordrecord");
    // What the file had stays, and so does what others append.
    let mut options = MapOptions::new();
    let mut map = options.access(Access::Write).len(3).reserve(MIB).open(file.path()).unwrap();
    assert_eq!(map.append(b"ABC").unwrap(), 3);
    map.append(b"DE").unwrap();
    drop(map);
    assert_eq!(fs::read(file.path()).unwrap(), b"recABCDEcord");
    let mut map = options.open(file.path()).unwrap();
    map.append(&[b'x'; 100]).unwrap();
    map.resize(3).unwrap();
    drop(map);
    assert_eq!(fs::read(file.path()).unwrap(), b"rec");
    let mut map = growing(file.path(), 1 << 30);
    map.append(b"ord").unwrap();
    let longer = file_len(file.path()) as u64 + 1;
    OpenOptions::new().write(true).open(file.path()).unwrap().set_len(longer).unwrap();
    drop(map);
    assert_eq!(file_len(file.path()) as u64, longer);
}

#[test]
fn steps_double_to_a_bound() {
    let (file, _) = writable(b"");
    let mut map = growing(file.path(), 1 << 30);
    let (mut last, mut steps) = (0, Vec::new());
    let record = vec![7; 64 << 10];
    for _ in 0..200 * MIB / record.len() {
        map.append(&record).unwrap();
        let len = file_len(file.path());
        if len != last {
            steps.push(len - last);
            last = len;
        }
    }
    assert_eq!(&steps[..5], &[MIB, MIB, 2 * MIB, 4 * MIB, 8 * MIB]);
    assert_eq!(steps.iter().max(), Some(&(64 * MIB)), "{steps:?}");
}

#[test]
fn shrinking_moves_nothing_and_leaves_zeros_behind() {
    for guarded in [true, false] {
        faultless::set_guard(guarded);
        let bytes = pattern(40 * page_size());
        let file = file(&bytes);
        let mut map = growing(file.path(), 8 * MIB);
        faultless::set_guard(true);
        let start = map.as_mut_ptr();
        for len in [30 * page_size(), 20 * page_size() + 5, 3, 0] {
            map.resize(len).unwrap();
            assert_eq!((map.len(), map.as_mut_ptr()), (len, start));
            naive::assert_same(&fs::read(file.path()).unwrap(), &bytes[..len]);
            // Addresses that others still have.
            change(start.wrapping_add(39 * page_size()), 0, 1);
            change(start.wrapping_add(39 * page_size()), 1, 0);
            change(start.wrapping_add(len.next_multiple_of(page_size())), 0, 0);
            assert_eq!(map.fault(), None);
        }
        change(start.wrapping_add(5 * page_size()), 0, 9);
        map.grow(40 * page_size()).unwrap();
        naive::assert_same(&map.to_vec(..).unwrap(), &vec![0; 40 * page_size()]);
        change(start.wrapping_add(39 * page_size()), 0, 5);
        assert_eq!(fs::read(file.path()).unwrap()[39 * page_size()], 5);
        assert_eq!(map.append(b"more").unwrap(), 40 * page_size());
        drop(map);
        assert_eq!(file_len(file.path()), 40 * page_size() + 4);
    }
}

/// Windows cuts no file that anybody maps.
#[cfg(windows)]
#[test]
fn a_file_that_others_map_keeps_its_end() {
    let bytes = pattern(40 * page_size());
    let file = file(&bytes);
    let mut map = growing(file.path(), 8 * MIB);
    let start = map.as_mut_ptr();
    let other = Map::open(file.path()).unwrap();
    assert_eq!(kind(map.resize(20 * page_size())), ErrorKind::Os);
    assert_eq!((map.len(), map.as_mut_ptr()), (40 * page_size(), start));
    naive::assert_same(&map.to_vec(..).unwrap(), &bytes);
    map.set(39 * page_size(), 1).unwrap();
    assert_eq!(other.get(39 * page_size()).unwrap(), 1);
    map.grow(50 * page_size()).unwrap();
    drop(other);
    map.resize(20 * page_size()).unwrap();
    naive::assert_same(&fs::read(file.path()).unwrap(), &bytes[..20 * page_size()]);
}

#[test]
fn maps_that_are_made_grow_too() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new");
    let mut options = MapOptions::new();
    let mut map = options.len(0).reserve(MIB).create_new(&path).unwrap();
    map.append(b"a record").unwrap();
    drop(map);
    let mut map = options.len(4).populate(true).create(&path).unwrap();
    map.append(b"!").unwrap();
    drop(map);
    assert_eq!(fs::read(&path).unwrap(), b"\0\0\0\0!");
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn any_order_of_growing_is_as_a_vectors(
        start in 0..9000_usize,
        offset in 0..9000_u64,
        steps in proptest::collection::vec((0..4_u8, 0..40_000_usize), 1..20),
    ) {
        let mut all = pattern(offset as usize + start);
        let file = file(&all);
        let mut options = MapOptions::new();
        options.access(Access::Write).offset(offset).reserve(100_000);
        let mut map = options.open(file.path()).unwrap();
        let address = map.as_ptr();
        let mut model = all.split_off(offset as usize);
        for (what, number) in steps {
            match what {
                0 if number >= model.len() => {
                    map.grow(number).unwrap();
                    model.resize(number, 0);
                }
                1 => {
                    map.resize(number).unwrap();
                    model.resize(number, 0);
                    prop_assert_eq!(map.file_len().unwrap(), offset + number as u64);
                }
                2 if !model.is_empty() => {
                    map.set(number % model.len(), 7).unwrap();
                    let at = number % model.len();
                    model[at] = 7;
                }
                _ => {
                    let record = pattern(number);
                    let appended = map.append(&record);
                    if model.len() + number <= 100_000 {
                        prop_assert_eq!(appended.unwrap(), model.len());
                        model.extend(&record);
                    } else {
                        prop_assert_eq!(kind(appended), ErrorKind::OutOfRange);
                    }
                }
            }
            prop_assert_eq!((map.as_ptr(), map.len()), (address, model.len()));
            prop_assert!(map.to_vec(..).unwrap() == model);
            prop_assert_eq!(map.fault(), None);
        }
        drop(map);
        all.extend(&model);
        prop_assert!(fs::read(file.path()).unwrap() == all);
    }
}
