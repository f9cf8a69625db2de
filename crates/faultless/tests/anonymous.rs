//! Memory that belongs to no file.
#![allow(clippy::unwrap_used)]

mod common;

use common::{anonymous, kind, pattern};
use faultless::{Access, ErrorKind, HugePages, MapOptions, Protection, page_size};

#[test]
fn memory_is_zeros_and_can_be_written() {
    for len in [1, 100, page_size(), 3 * page_size() + 17] {
        for shared in [false, true] {
            let map = MapOptions::new().len(len).shared(shared).map_anonymous().unwrap();
            assert_eq!(map.to_vec(..).unwrap(), vec![0; len]);
            map.write_at(0, &pattern(len)).unwrap();
            assert_eq!(map.to_vec(..).unwrap(), pattern(len));
            assert!(map.is_readable() && map.is_writable() && map.is_guarded());
            assert_eq!(map.fault(), None);
        }
    }
}

#[test]
fn memory_has_no_file() {
    let map = anonymous(b"0123456789");
    assert!(map.is_anonymous() && map.file().is_none());
    assert!(map.path().is_none());
    assert_eq!(map.file_offset(), 0);
    assert_eq!(kind(map.file_len()), ErrorKind::NoFile);
}

#[test]
fn memory_needs_a_length_that_there_is() {
    assert_eq!(kind(MapOptions::new().map_anonymous()), ErrorKind::InvalidInput);
    assert!(MapOptions::new().len(0).map_anonymous().unwrap().is_empty());
    for len in [usize::MAX, isize::MAX as usize, usize::MAX - page_size()] {
        assert_eq!(kind(MapOptions::new().len(len).map_anonymous()), ErrorKind::OutOfRange);
    }
    // With 32 bits a system may have all that a length can say.
    if let Some(vast) = 1usize.checked_shl(62) {
        assert_eq!(kind(MapOptions::new().len(vast).map_anonymous()), ErrorKind::Os);
    }
}

#[test]
fn access_is_for_files() {
    let map = MapOptions::new().access(Access::Read).len(10).map_anonymous().unwrap();
    map.set(0, 1).unwrap();
    let mut options = MapOptions::new();
    let map = options.protection(Protection::READ).len(10).map_anonymous().unwrap();
    assert_eq!(kind(map.set(0, 1)), ErrorKind::Access);
    assert_eq!(map.to_vec(..).unwrap(), [0; 10]);
}

#[test]
fn hints_change_no_byte() {
    let mut options = MapOptions::new();
    options.populate(true).no_reserve(true).stack(true).huge_pages(HugePages::Transparent);
    for shared in [false, true] {
        let map = options.len(3 << 20).shared(shared).map_anonymous().unwrap();
        assert_eq!(map.count(&[0], ..).unwrap(), 3 << 20);
        map.set((3 << 20) - 1, 1).unwrap();
    }
}

#[test]
fn huge_pages_come_from_the_pool_or_not_at_all() {
    for huge in [HugePages::Default, HugePages::Shift(21)] {
        match MapOptions::new().huge_pages(huge).len(5000).map_anonymous() {
            Ok(mut map) => {
                assert_eq!(map.to_vec(..).unwrap(), [0; 5000]);
                map.write_at(4000, &pattern(1000)).unwrap();
                map.advise(.., faultless::Advice::Normal).unwrap();
                map.protect(Protection::READ).unwrap();
                assert_eq!(map.to_vec(4000..).unwrap(), pattern(1000));
            }
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                common::skip(&format!("{huge:?}: {error}"));
            }
            Err(error) => {
                common::went_well("huge pages", Err(error), common::NO_HUGE_PAGES);
            }
        }
    }
}

/// The size is a number of six bits to the system; larger ones must not become
/// some other size, or the default one.
#[test]
fn huge_pages_of_no_size_are_unsupported() {
    for shift in [64, 64 + 21, 1000, u32::MAX] {
        let result = MapOptions::new().huge_pages(HugePages::Shift(shift)).len(10).map_anonymous();
        assert_eq!(kind(result), ErrorKind::Unsupported, "2 to the {shift}");
    }
}

/// Only Linux names areas of memory.
#[cfg(target_os = "linux")]
#[test]
fn name_is_shown_by_the_system() {
    let map = MapOptions::new().len(3 * page_size()).map_anonymous().unwrap();
    // A kernel built without names of areas.
    if common::went_well("set_name", map.set_name(c"of the test"), &[libc::EINVAL]) {
        assert!(common::area(map.as_ptr())[0].ends_with("[anon:of the test]"));
        let long = std::ffi::CString::new([b'x'; 80]).unwrap();
        let error = map.set_name(&long).unwrap_err();
        assert_eq!((error.kind(), error.raw_os_error()), (ErrorKind::Os, Some(libc::EINVAL)));
    }
}

#[test]
fn map_of_a_file_has_no_name() {
    let (_file, map) = common::writable(b"0123456789");
    assert_eq!(kind(map.set_name(c"name")), ErrorKind::Unsupported);
}
