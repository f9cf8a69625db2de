//! What errors say.
#![allow(clippy::unwrap_used)]

mod common;

use std::error::Error as _;
use std::io;

use common::{anonymous, file, writable};
use faultless::{Access, Error, ErrorKind, Map, MapOptions};

/// One error of each kind that comes without a fault, and how `std::io` calls
/// its kind.
fn one_of_each() -> Vec<(Error, ErrorKind, io::ErrorKind)> {
    let (_file, writable) = writable(b"0123456789");
    let file = file(b"0123456789");
    let read_only = Map::open(file.path()).unwrap();
    let mut not_kept =
        MapOptions::new().access(Access::Write).keep_file(false).open(file.path()).unwrap();
    let mut shared = MapOptions::new().len(1).shared(true).map_anonymous().unwrap();
    vec![
        (writable.get(10).unwrap_err(), ErrorKind::OutOfRange, io::ErrorKind::InvalidInput),
        (
            MapOptions::new().map_anonymous().unwrap_err(),
            ErrorKind::InvalidInput,
            io::ErrorKind::InvalidInput,
        ),
        (read_only.set(0, 1).unwrap_err(), ErrorKind::Access, io::ErrorKind::PermissionDenied),
        (not_kept.resize(1).unwrap_err(), ErrorKind::NoFile, io::ErrorKind::InvalidInput),
        (shared.resize(2).unwrap_err(), ErrorKind::Unsupported, io::ErrorKind::Unsupported),
        (Map::open("/no/such/file").unwrap_err(), ErrorKind::Os, io::ErrorKind::NotFound),
    ]
}

#[test]
fn kind_survives_the_conversion() {
    for (error, kind, io_kind) in one_of_each() {
        assert_eq!(error.kind(), kind);
        let text = error.to_string();
        let converted = io::Error::from(error);
        assert_eq!(converted.kind(), io_kind, "{text}");
        assert_eq!(converted.to_string(), text);
        let back = converted.downcast::<Error>().unwrap();
        assert_eq!(back.kind(), kind);
    }
}

#[test]
fn question_mark_converts() {
    fn open() -> io::Result<Map> {
        Ok(Map::open("/no/such/file")?)
    }
    assert_eq!(open().unwrap_err().kind(), io::ErrorKind::NotFound);
}

#[test]
fn debug_says_kind_operation_and_message() {
    for (error, kind, _) in one_of_each() {
        let debug = format!("{error:?}");
        assert!(debug.contains(&format!("{kind:?}")), "{debug}");
        assert!(debug.contains(error.operation()), "{debug}");
    }
}

#[test]
fn source_is_the_error_of_the_system() {
    for (error, kind, io_kind) in one_of_each() {
        if kind == ErrorKind::Os {
            let source = error.source().unwrap().downcast_ref::<io::Error>().unwrap();
            assert_eq!(source.kind(), io_kind);
            assert_eq!(source.raw_os_error(), error.raw_os_error());
            assert!(error.raw_os_error().is_some());
        } else {
            assert!(error.source().is_none());
            assert!(error.raw_os_error().is_none());
        }
        assert!(error.fault().is_none());
    }
}

#[test]
fn message_names_operation_offset_and_length() {
    let map = anonymous(b"0123456789");
    for (error, expected) in [
        (map.get(10).unwrap_err(), "get: offset 10 is outside the map of 10 bytes"),
        (map.set(77, 1).unwrap_err(), "set: offset 77 is outside the map of 10 bytes"),
        (
            map.write_at(7, b"abcd").unwrap_err(),
            "write_at: 4 bytes at offset 7 are not inside the map of 10 bytes",
        ),
        (
            map.load_le::<u64>(5).unwrap_err(),
            "load_le: 8 bytes at offset 5 are not inside the map of 10 bytes",
        ),
        (map.to_vec(5..12).unwrap_err(), "to_vec: range 5..12 is not inside the map of 10 bytes"),
        (map.find(b"", 11..).unwrap_err(), "find: range 11..10 is not inside the map of 10 bytes"),
        (map.rfind(b"", ..=usize::MAX).unwrap_err(), "rfind: the range's end overflows"),
    ] {
        assert_eq!(error.to_string(), expected);
        assert!(expected.starts_with(error.operation()));
    }
}

#[test]
fn message_names_the_path() {
    let missing = std::path::Path::new("/no/such/file");
    let error = Map::open(missing).unwrap_err();
    assert_eq!((error.operation(), error.path()), ("open", Some(missing)));
    let system = error.source().unwrap().to_string();
    assert_eq!(
        error.to_string(),
        format!("open: cannot open the file ({}): {system}", missing.display())
    );

    let file = file(b"0123456789");
    let error = MapOptions::new().offset(3).len(8).open(file.path()).unwrap_err();
    assert_eq!((error.operation(), error.path()), ("map", Some(file.path())));
    let path = file.path().display();
    let expected = format!("map: length 8 at offset 3 is greater than file size 10 ({path})");
    assert_eq!(error.to_string(), expected);
    let error = MapOptions::new().offset(11).open(file.path()).unwrap_err();
    let expected = format!("map: offset 11 is greater than file size 10 ({path})");
    assert_eq!(error.to_string(), expected);

    let mut map = Map::open(file.path()).unwrap();
    let both = faultless::Protection::READ | faultless::Protection::WRITE;
    let error = map.protect(both).unwrap_err();
    assert_eq!((error.operation(), error.path()), ("protect", Some(file.path())));
    assert!(error.to_string().starts_with(&format!("protect: the system refused ({path}): ")));
}

#[test]
fn error_is_one_pointer_wide() {
    assert_eq!(size_of::<Error>(), size_of::<usize>());
    assert_eq!(size_of::<faultless::Result<()>>(), size_of::<usize>());
}
