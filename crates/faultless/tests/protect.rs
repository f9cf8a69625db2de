//! Changing what the pages allow.
#![allow(clippy::unwrap_used)]

mod common;

use common::{anonymous, file, kind, pattern, writable};
use faultless::{Access, ErrorKind, Map, MapOptions, Protection, page_size};

fn both() -> Protection {
    Protection::READ | Protection::WRITE
}

#[test]
fn protect_takes_access_away_and_gives_it_back() {
    let bytes = pattern(2 * page_size() + 1);
    let (file, mut map) = writable(&bytes);
    map.protect(Protection::READ).unwrap();
    assert!(map.is_readable() && !map.is_writable());
    assert_eq!(kind(map.set(0, 1)), ErrorKind::Access);
    assert_eq!(kind(map.write_at(0, b"x")), ErrorKind::Access);
    assert_eq!(kind(map.resize(1)), ErrorKind::Access);
    assert_eq!(map.to_vec(..).unwrap(), bytes);

    map.protect(Protection::NONE).unwrap();
    assert!(!map.is_readable() && !map.is_writable());
    assert_eq!(kind(map.get(0)), ErrorKind::Access);
    assert_eq!(kind(map.find(b"", ..)), ErrorKind::Access);
    map.flush().unwrap();

    map.protect(both()).unwrap();
    map.set(0, 0xEE).unwrap();
    map.set(2 * page_size(), 0xEF).unwrap();
    let in_file = std::fs::read(file.path()).unwrap();
    assert_eq!((in_file[0], in_file[2 * page_size()]), (0xEE, 0xEF));
    assert_eq!(in_file[1..2 * page_size()], bytes[1..2 * page_size()]);
}

#[test]
fn protect_cannot_give_what_the_file_was_not_opened_for() {
    let file = file(b"0123456789");
    let mut map = Map::open(file.path()).unwrap();
    let error = map.protect(both()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Os);
    assert_eq!(std::io::Error::from(error).kind(), std::io::ErrorKind::PermissionDenied);
    assert!(map.is_readable() && !map.is_writable());
    assert_eq!(kind(map.set(0, 1)), ErrorKind::Access);
    assert_eq!(map.to_vec(..).unwrap(), b"0123456789");

    let mut private = MapOptions::new().access(Access::CopyOnWrite).open(file.path()).unwrap();
    private.protect(Protection::READ).unwrap();
    private.protect(both()).unwrap();
    private.set(0, b'x').unwrap();
    assert_eq!(std::fs::read(file.path()).unwrap(), b"0123456789");
}

#[test]
fn protect_stays_through_a_resize() {
    let mut map = anonymous(&pattern(3 * page_size()));
    map.protect(Protection::READ).unwrap();
    map.resize(page_size()).unwrap();
    assert!(!map.is_writable());
    assert_eq!(kind(map.set(0, 1)), ErrorKind::Access);
    assert_eq!(map.to_vec(..).unwrap(), pattern(page_size()));
}

#[test]
fn protect_of_an_empty_map_is_kept() {
    let mut map = MapOptions::new().len(0).map_anonymous().unwrap();
    map.protect(Protection::READ).unwrap();
    map.resize(10).unwrap();
    assert_eq!(kind(map.set(0, 1)), ErrorKind::Access);
    assert_eq!(map.to_vec(..).unwrap(), [0; 10]);
}

#[test]
fn protect_of_an_empty_map_is_given_to_its_first_bytes() {
    let mut options = MapOptions::new();
    options.protection(Protection::NONE).len(0);
    let mut map = options.map_anonymous().unwrap();
    map.protect(both()).unwrap();
    map.resize(10).unwrap();
    map.set(9, 7).unwrap();
    assert_eq!(map.get(9).unwrap(), 7);
}

/// Linux shows what the pages allow.
#[cfg(target_os = "linux")]
#[test]
fn protect_reaches_every_page() {
    let mut map = MapOptions::new().len(3 * page_size()).map_anonymous().unwrap();
    for (protection, letters) in [
        (Protection::NONE, "---p"),
        (Protection::READ, "r--p"),
        (both(), "rw-p"),
        (Protection::READ | Protection::EXECUTE, "r-xp"),
    ] {
        map.protect(protection).unwrap();
        for nth in 0..3 {
            let area = common::area(map.as_ptr().wrapping_add(nth * page_size()));
            assert_eq!(area[0].split(' ').nth(1), Some(letters));
        }
    }
}

#[test]
fn protections_combine() {
    let mut protection = Protection::READ;
    protection |= Protection::EXECUTE;
    assert!(protection.contains(Protection::READ) && protection.contains(Protection::EXECUTE));
    assert!(!protection.contains(Protection::WRITE) && protection.contains(Protection::NONE));
    assert_eq!(Protection::from_raw(protection.raw()), protection);
}
