//! Writing changes back to the file.
#![allow(clippy::unwrap_used)]

mod common;

use common::{anonymous, file, kind, pattern, writable};
use faultless::{Access, ErrorKind, Flush, Map, MapOptions, page_size};

const EVERY_WAY: [Flush; 4] =
    [Flush::SYNC, Flush::ASYNC, Flush::SYNC.invalidate(), Flush::ASYNC.invalidate()];

#[test]
fn flush_takes_any_range() {
    let page = page_size();
    let (file, map) = writable(&pattern(3 * page + 5));
    let len = map.len();
    for (at, start) in [0, 1, page - 1, page, page + 1, 3 * page, len - 1, len].iter().enumerate() {
        for end in [*start, start + 1, start + page, 2 * page + 1, len] {
            if *start <= end && end <= len {
                if *start < end {
                    map.fill(*start..end, at as u8).unwrap();
                }
                for how in EVERY_WAY {
                    map.flush_range(*start..end, how).unwrap();
                }
            }
        }
    }
    assert_eq!(std::fs::read(file.path()).unwrap(), map.to_vec(..).unwrap());
}

#[test]
fn durable_flush_reaches_the_device() {
    let (file, map) = writable(&pattern(3 * page_size()));
    map.fill(.., 7).unwrap();
    for how in EVERY_WAY {
        map.flush_range(5..page_size(), how.durable()).unwrap();
    }
    assert_eq!(std::fs::read(file.path()).unwrap(), vec![7; 3 * page_size()]);
    let outside = map.flush_range(..map.len() + 1, Flush::SYNC.durable());
    assert_eq!(kind(outside), ErrorKind::OutOfRange);
}

/// A flush of pages needs no file; one that reaches the device does, if there is
/// anything to write.
#[test]
fn durable_flush_needs_the_file() {
    let (file, _map) = writable(b"0123456789");
    let mut options = MapOptions::new();
    let map = options.access(Access::Write).keep_file(false).open(file.path()).unwrap();
    map.flush_range(.., Flush::SYNC).unwrap();
    assert_eq!(kind(map.flush_range(.., Flush::SYNC.durable())), ErrorKind::NoFile);
    for access in [Access::Read, Access::CopyOnWrite] {
        let map = MapOptions::new().access(access).keep_file(false).open(file.path()).unwrap();
        map.flush_range(.., Flush::SYNC.durable()).unwrap();
    }
    anonymous(b"0123456789").flush_range(.., Flush::SYNC.durable()).unwrap();
}

#[test]
fn flush_takes_any_offset() {
    let page = page_size();
    let file = file(&pattern(3 * page));
    for offset in [1, page - 1, page + 7] {
        let mut options = MapOptions::new();
        options.access(Access::Write).offset(offset as u64);
        let map = options.open(file.path()).unwrap();
        map.fill(3..page + 3, 0x5A).unwrap();
        for how in EVERY_WAY {
            map.flush_range(3..page + 3, how).unwrap();
            map.flush_range(page - 1.., how).unwrap();
        }
        map.flush().unwrap();
        let bytes = std::fs::read(file.path()).unwrap();
        assert_eq!(bytes[offset..], map.to_vec(..).unwrap());
    }
}

#[test]
fn flush_outside_is_refused() {
    let (_file, map) = writable(b"0123456789");
    assert_eq!(kind(map.flush_range(..11, Flush::SYNC)), ErrorKind::OutOfRange);
    assert_eq!(kind(map.flush_range(11.., Flush::SYNC)), ErrorKind::OutOfRange);
    assert_eq!(kind(map.flush_range(usize::MAX.., Flush::ASYNC)), ErrorKind::OutOfRange);
    map.flush_range(10.., Flush::SYNC).unwrap();
}

#[test]
fn flush_without_a_file_to_write_to_succeeds() {
    let file = file(b"0123456789");
    Map::open(file.path()).unwrap().flush().unwrap();
    let private = MapOptions::new().access(Access::CopyOnWrite).open(file.path()).unwrap();
    private.set(0, b'x').unwrap();
    private.flush().unwrap();
    assert_eq!(std::fs::read(file.path()).unwrap(), b"0123456789");
    anonymous(b"0123456789").flush().unwrap();
    MapOptions::new().len(10).shared(true).map_anonymous().unwrap().flush().unwrap();
}

/// Shows that the flags and the pages reach the system, which Linux alone tells.
#[cfg(target_os = "linux")]
#[test]
fn flush_says_what_the_system_says() {
    let page = page_size();
    let (_file, map) = writable(&pattern(3 * page));
    let unknown = map.flush_range(.., Flush::from_raw(1 << 20)).unwrap_err();
    assert_eq!((unknown.kind(), unknown.raw_os_error()), (ErrorKind::Os, Some(libc::EINVAL)));

    let tolerated = &[libc::EPERM, libc::ENOMEM, libc::EAGAIN];
    if common::went_well("lock", map.lock(page..page + 1), tolerated) {
        let invalidate = |range| map.flush_range(range, Flush::ASYNC.invalidate());
        let busy = invalidate(2 * page - 1..2 * page).unwrap_err();
        assert_eq!(busy.raw_os_error(), Some(libc::EBUSY));
        invalidate(page - 1..page).unwrap();
        invalidate(2 * page..2 * page + 1).unwrap();
    }
}
