//! Making maps: of what, from where, and what is refused.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs::{self, File};

use common::{file, kind, pattern, writable};
use faultless::{Access, ErrorKind, HugePages, Map, MapOptions, Protection, page_size};

#[test]
fn file_is_mapped_whole_and_read_only() {
    let bytes = pattern(10_000);
    let file = file(&bytes);
    let map = Map::open(file.path()).unwrap();
    assert_eq!(map.to_vec(..).unwrap(), bytes);
    assert_eq!((map.len(), map.file_offset()), (10_000, 0));
    assert!(map.is_readable() && !map.is_writable() && !map.is_anonymous());
    assert_eq!(map.path().as_deref(), Some(file.path()));
}

#[test]
fn empty_file_gives_an_empty_map() {
    for access in [Access::Read, Access::Write, Access::CopyOnWrite] {
        let file = file(b"");
        let map = MapOptions::new().access(access).open(file.path()).unwrap();
        assert!(map.is_empty());
        assert_eq!(map.file_len().unwrap(), 0);
        assert_eq!(map.to_vec(..).unwrap(), b"");
        assert_eq!(map.read_at(0, &mut [0; 4]).unwrap(), 0);
        assert_eq!(kind(map.get(0)), ErrorKind::OutOfRange);
        assert_eq!(map.find(b"", ..).unwrap(), Some(0));
        assert_eq!(map.rfind(b"", ..).unwrap(), Some(0));
        assert_eq!(map.find(b"a", ..).unwrap(), None);
        assert_eq!(map.count(b"", ..).unwrap(), 1);
        assert_eq!(map.fault(), None);
        assert!(map.is_guarded());
        map.flush().unwrap();
        map.lock(..).unwrap();
        map.unlock(..).unwrap();
        map.advise(.., faultless::Advice::Normal).unwrap();
    }
}

#[test]
fn range_of_no_bytes_gives_an_empty_map() {
    let file = file(&pattern(5000));
    for offset in [0, 1, 4096, 4999, 5000] {
        let map = MapOptions::new().offset(offset).len(0).open(file.path()).unwrap();
        assert!(map.is_empty());
        assert_eq!(map.file_offset(), offset);
    }
    assert!(MapOptions::new().offset(5000).open(file.path()).unwrap().is_empty());
}

#[test]
fn offset_need_not_be_aligned() {
    let page = page_size();
    let bytes = pattern(3 * page + 123);
    let file = file(&bytes);
    for offset in [0, 1, 17, page - 1, page, page + 1, 2 * page + 17, 3 * page, 3 * page + 122] {
        for len in [1, 2, 100, page, page + 1, 2 * page] {
            let Some(expected) = bytes[offset..].get(..len) else {
                continue;
            };
            let map = MapOptions::new().offset(offset as u64).len(len).open(file.path()).unwrap();
            assert_eq!(map.to_vec(..).unwrap(), expected, "{len} bytes at {offset}");
            assert_eq!((map.len(), map.file_offset()), (len, offset as u64));
        }
        let map = MapOptions::new().offset(offset as u64).open(file.path()).unwrap();
        assert_eq!(map.to_vec(..).unwrap(), bytes[offset..]);
    }
}

#[test]
fn offset_is_where_stores_go() {
    let page = page_size();
    let mut bytes = pattern(2 * page);
    let file = file(&bytes);
    let offset = page - 3;
    let mut options = MapOptions::new();
    let map = options.access(Access::Write).offset(offset as u64).len(7).open(file.path()).unwrap();
    map.write_at(0, b"abcdefg").unwrap();
    drop(map);
    bytes[offset..offset + 7].copy_from_slice(b"abcdefg");
    assert_eq!(fs::read(file.path()).unwrap(), bytes);
}

#[test]
fn map_past_the_end_is_refused_and_changes_nothing() {
    let bytes = pattern(5000);
    let file = file(&bytes);
    for access in [Access::Read, Access::Write, Access::CopyOnWrite] {
        for (offset, len) in [
            (0, Some(5001)),
            (1, Some(5000)),
            (5000, Some(1)),
            (5001, Some(0)),
            (5001, None),
            (4096, Some(905)),
            (0, Some(usize::MAX)),
            (u64::MAX, Some(0)),
            (u64::MAX, Some(1)),
            (u64::MAX, None),
            (1, Some(usize::MAX)),
            (1 << 63, Some(1 << 31)),
            (i64::MAX as u64, Some(usize::MAX / 2)),
        ] {
            let mut options = MapOptions::new();
            options.access(access).offset(offset);
            if let Some(len) = len {
                options.len(len);
            }
            let result = options.open(file.path());
            assert_eq!(kind(result), ErrorKind::OutOfRange, "{len:?} bytes at {offset}");
        }
    }
    assert_eq!(fs::read(file.path()).unwrap(), bytes);
}

#[test]
fn directory_has_nothing_to_map() {
    let directory = tempfile::tempdir().unwrap();
    let error = Map::open(directory.path()).unwrap_err();
    assert_eq!((error.kind(), error.path()), (ErrorKind::Os, Some(directory.path())));
    assert!(error.raw_os_error().is_some());
}

/// Windows has no device that can be mapped.
#[cfg(unix)]
#[test]
fn device_has_no_length_to_check() {
    let zero = "/dev/zero";
    let map = MapOptions::new().offset(5).len(10_000).open(zero).unwrap();
    assert_eq!(map.to_vec(..).unwrap(), [0; 10_000]);
    let mut map = MapOptions::new().access(Access::Write).len(100).open(zero).unwrap();
    map.write_at(50, b"here").unwrap();
    assert_eq!(map.find(b"here", ..).unwrap(), Some(50));
    assert_eq!(kind(map.resize(200)), ErrorKind::Os);
    assert_eq!((map.len(), map.find(b"here", ..).unwrap()), (100, Some(50)));

    assert_eq!(kind(Map::open(zero)), ErrorKind::InvalidInput, "a length is needed");
    let offset = i64::MAX as u64;
    let too_far = MapOptions::new().offset(offset).len(5000).open(zero);
    assert_eq!(kind(too_far), ErrorKind::OutOfRange);
    let too_long = MapOptions::new().len(usize::MAX).open(zero);
    assert_eq!(kind(too_long), ErrorKind::OutOfRange);
}

#[test]
fn file_that_is_too_short_is_extended_if_asked() {
    for (offset, len, sparse) in [(0, 11, false), (3, 8, true), (20, 5000, false), (10, 0, true)] {
        let file = file(b"0123456789");
        let mut options = MapOptions::new();
        options.extend(true).sparse(sparse).offset(offset).len(len);
        if offset as usize + len > 10 {
            for access in [Access::Read, Access::CopyOnWrite] {
                assert_eq!(kind(options.access(access).open(file.path())), ErrorKind::OutOfRange);
            }
        }
        let map = options.access(Access::Write).open(file.path()).unwrap();
        let mut expected = b"0123456789".to_vec();
        expected.resize(10.max(offset as usize + len), 0);
        assert_eq!(map.to_vec(..).unwrap(), expected[offset as usize..][..len]);
        assert_eq!(fs::read(file.path()).unwrap(), expected);
    }
    let file = file(b"0123456789");
    let mut options = MapOptions::new();
    options.access(Access::Write).extend(true);
    for (offset, len) in [(0, usize::MAX), (u64::MAX, 1), (i64::MAX as u64, 1)] {
        let result = options.offset(offset).len(len).open(file.path());
        assert_eq!(kind(result), ErrorKind::OutOfRange);
    }
    assert_eq!(fs::read(file.path()).unwrap(), b"0123456789");
}

#[test]
fn path_of_any_letters_and_any_length() {
    let folder = tempfile::tempdir().unwrap();
    let mut path = folder.path().to_path_buf();
    for _ in 0..6 {
        path.push("Straße, улица, 通り, 🛣 and a name that makes the path longer than most");
        fs::create_dir(&path).unwrap();
    }
    path.push("Größe.дата");
    assert!(path.as_os_str().len() > 400);
    let mut map = MapOptions::new().len(10).create_new(&path).unwrap();
    map.write_at(0, b"0123456789").unwrap();
    map.resize(5).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"01234");
    assert_eq!(map.path().as_deref(), Some(path.as_path()));
    let error = Map::open(path.join("beyond")).unwrap_err();
    assert!(error.to_string().contains("通り"), "{error}");
    let of_a_file = MapOptions::new().map(&File::open(&path).unwrap()).unwrap();
    if let Some(found) = of_a_file.path() {
        assert_eq!(fs::read(found).unwrap(), b"01234");
    }
}

#[test]
fn file_can_be_renamed_while_it_is_mapped() {
    let folder = tempfile::tempdir().unwrap();
    let (before, after) = (folder.path().join("before"), folder.path().join("after"));
    fs::write(&before, b"0123456789").unwrap();
    let map = MapOptions::new().access(Access::Write).open(&before).unwrap();
    fs::rename(&before, &after).unwrap();
    map.set(0, b'x').unwrap();
    map.flush().unwrap();
    assert_eq!(fs::read(&after).unwrap(), b"x123456789");
}

#[test]
fn borrowed_file_is_kept_as_a_duplicate() {
    let named = file(b"0123456789");
    let file = File::options().read(true).write(true).open(named.path()).unwrap();
    let mut map = MapOptions::new().access(Access::Write).map(&file).unwrap();
    drop(file);
    map.resize(20).unwrap();
    assert_eq!(map.file_len().unwrap(), 20);
    assert_eq!(map.to_vec(..11).unwrap(), b"0123456789\0");
}

#[test]
fn borrowed_descriptor_is_mapped() {
    let file = file(b"0123456789");
    let map = MapOptions::new().map(&common::borrowed(file.as_file())).unwrap();
    assert_eq!(map.to_vec(..).unwrap(), b"0123456789");
    assert_ne!(common::number(map.file().unwrap()), common::number(file.as_file()));
}

#[test]
fn owned_file_is_kept_itself() {
    let named = file(b"0123456789");
    let file = File::open(named.path()).unwrap();
    let number = common::number(&file);
    let map = MapOptions::new().map_owned(file).unwrap();
    assert_eq!(common::number(map.file().unwrap()), number);
    assert_eq!(map.to_vec(3..).unwrap(), b"3456789");
}

#[test]
fn file_that_is_not_kept_is_mapped_all_the_same() {
    let named = file(b"0123456789");
    let mut options = MapOptions::new();
    options.access(Access::Write).keep_file(false);
    let file = File::options().read(true).write(true).open(named.path()).unwrap();
    let maps = [
        options.open(named.path()).unwrap(),
        options.map(&file).unwrap(),
        options.map_owned(file).unwrap(),
    ];
    for (at, mut map) in maps.into_iter().enumerate() {
        assert!(map.file().is_none());
        assert_eq!(kind(map.file_len()), ErrorKind::NoFile);
        assert_eq!(kind(map.resize(20)), ErrorKind::NoFile);
        assert_eq!(map.len(), 10);
        map.set(at, b'x').unwrap();
        map.flush().unwrap();
    }
    assert_eq!(fs::read(named.path()).unwrap(), b"xxx3456789");
}

#[test]
fn file_that_cannot_be_opened_is_an_error_of_the_system() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing");
    for access in [Access::Read, Access::Write, Access::CopyOnWrite] {
        let error = MapOptions::new().access(access).open(&missing).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Os);
        assert_eq!(std::io::Error::from(error).kind(), std::io::ErrorKind::NotFound);
    }
    assert!(!missing.exists());
    assert!(MapOptions::new().len(1).open(directory.path()).is_err());
}

#[test]
fn read_access_refuses_every_change() {
    let bytes = pattern(100);
    let file = file(&bytes);
    let mut map = Map::open(file.path()).unwrap();
    assert_eq!(kind(map.write_at(0, b"x")), ErrorKind::Access);
    assert_eq!(kind(map.write_at(0, b"")), ErrorKind::Access);
    assert_eq!(kind(map.set(0, 1)), ErrorKind::Access);
    assert_eq!(kind(map.store_le(0, 1u32)), ErrorKind::Access);
    assert_eq!(kind(map.fill(.., 1)), ErrorKind::Access);
    assert_eq!(kind(map.copy_within(1..2, 0)), ErrorKind::Access);
    assert_eq!(kind(map.resize(10)), ErrorKind::Access);
    assert_eq!(fs::read(file.path()).unwrap(), bytes);
    assert_eq!(map.to_vec(..).unwrap(), bytes);
}

#[test]
fn write_access_needs_a_file_open_for_writing() {
    let named = file(b"0123456789");
    let read_only = File::open(named.path()).unwrap();
    let refused = MapOptions::new().access(Access::Write).map(&read_only).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Os);
    assert_eq!(std::io::Error::from(refused).kind(), std::io::ErrorKind::PermissionDenied);
}

#[test]
fn written_bytes_are_seen_by_the_file_and_other_maps() {
    let (file, map) = writable(b"0123456789");
    let other = Map::open(file.path()).unwrap();
    let private = MapOptions::new().access(Access::CopyOnWrite).open(file.path()).unwrap();
    private.write_at(0, b"own").unwrap();
    map.write_at(3, b"abc").unwrap();
    assert_eq!(other.to_vec(..).unwrap(), b"012abc6789");
    assert_eq!(fs::read(file.path()).unwrap(), b"012abc6789");
    assert_eq!(private.to_vec(..3).unwrap(), b"own");
}

#[test]
fn copy_on_write_keeps_its_changes() {
    let named = file(b"0123456789");
    let read_only = File::open(named.path()).unwrap();
    let mut map = MapOptions::new().access(Access::CopyOnWrite).map(&read_only).unwrap();
    map.write_at(2, b"abc").unwrap();
    map.flush().unwrap();
    assert_eq!(map.to_vec(..).unwrap(), b"01abc56789");
    assert_eq!(fs::read(named.path()).unwrap(), b"0123456789");
    assert_eq!(kind(map.resize(20)), ErrorKind::Access);
    assert_eq!(map.len(), 10);
}

#[test]
fn protection_replaces_what_access_implies() {
    let file = file(b"0123456789");
    let mut options = MapOptions::new();
    options.access(Access::Write).protection(Protection::READ);
    let mut map = options.open(file.path()).unwrap();
    assert!(map.is_readable() && !map.is_writable());
    assert_eq!(kind(map.set(0, 1)), ErrorKind::Access);
    map.protect(Protection::READ | Protection::WRITE).unwrap();
    map.set(0, b'x').unwrap();
    assert_eq!(fs::read(file.path()).unwrap(), b"x123456789");
}

#[test]
fn hints_change_no_byte() {
    let bytes = pattern(10_000);
    let file = file(&bytes);
    let mut options = MapOptions::new();
    options.populate(true).no_reserve(true).huge_pages(HugePages::Transparent);
    assert_eq!(options.open(file.path()).unwrap().to_vec(..).unwrap(), bytes);
    options.access(Access::CopyOnWrite).offset(100);
    assert_eq!(options.open(file.path()).unwrap().to_vec(..).unwrap(), bytes[100..]);
}

#[test]
fn options_that_no_file_takes_are_invalid() {
    let file = file(b"0123456789");
    for huge in [HugePages::Default, HugePages::Shift(21)] {
        let result = MapOptions::new().huge_pages(huge).open(file.path());
        assert_eq!(kind(result), ErrorKind::InvalidInput);
    }
}

/// With the flags of Linux.
#[cfg(target_os = "linux")]
#[test]
fn raw_flags_are_taken_unless_they_place_the_map() {
    let file = file(b"0123456789");
    let with = |flags| {
        let mut options = MapOptions::new();
        options.access(Access::Write).raw_flags(flags).open(file.path())
    };
    for placed in [libc::MAP_FIXED, libc::MAP_FIXED_NOREPLACE] {
        assert_eq!(kind(with(libc::MAP_SHARED | placed)), ErrorKind::InvalidInput);
    }
    let neither = with(0).unwrap_err();
    assert_eq!((neither.kind(), neither.raw_os_error()), (ErrorKind::Os, Some(libc::EINVAL)));

    with(libc::MAP_PRIVATE).unwrap().set(0, b'x').unwrap();
    assert_eq!(fs::read(file.path()).unwrap(), b"0123456789");
    with(libc::MAP_SHARED | libc::MAP_POPULATE).unwrap().set(0, b'x').unwrap();
    assert_eq!(fs::read(file.path()).unwrap(), b"x123456789");
}

/// Linux shows how many pages are there.
#[cfg(target_os = "linux")]
#[test]
fn populate_reads_the_pages_in() {
    let bytes = pattern(1 << 20);
    let file = file(&bytes);
    let map = Map::open(file.path()).unwrap();
    assert_eq!(common::resident(map.as_ptr()), 0);
    let map = MapOptions::new().populate(true).open(file.path()).unwrap();
    assert_eq!(common::resident(map.as_ptr()), 1 << 20);
}

#[test]
fn maps_can_be_used_by_any_thread() {
    fn check<T: Send + Sync>() {}
    check::<Map>();
    check::<MapOptions>();
    check::<faultless::Error>();
    check::<faultless::Cursor<Map>>();
    check::<faultless::FindIter<'_, '_>>();
}
