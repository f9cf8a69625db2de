//! Maps of files that are made for them.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;

use common::{file, kind, pattern};
use faultless::{Access, ErrorKind, HugePages, MapOptions, page_size};

#[test]
fn new_file_has_the_length_of_its_map() {
    let folder = tempfile::tempdir().unwrap();
    for (nth, (offset, len)) in
        [(0, 100), (5, 5000), (page_size() as u64 + 1, 0), (0, 0)].into_iter().enumerate()
    {
        let path = folder.path().join(nth.to_string());
        let mut options = MapOptions::new();
        // Whatever access is asked for.
        let options = options.access(Access::Read).offset(offset).len(len);
        let mut map = options.create_new(&path).unwrap();
        assert_eq!((map.len(), map.file_offset()), (len, offset));
        assert_eq!(map.path().as_deref(), Some(path.as_path()));
        assert_eq!(fs::read(&path).unwrap(), vec![0; offset as usize + len]);
        map.fill(.., 7).unwrap();
        map.resize(len + 10).unwrap();
        map.write_at(len, b"0123456789").unwrap();
        assert!(fs::read(&path).unwrap().ends_with(b"0123456789"));
    }
}

#[test]
fn file_that_was_there_is_emptied() {
    let file = file(&pattern(50_000));
    let map = MapOptions::new().offset(3).len(100).create(file.path()).unwrap();
    assert_eq!(map.to_vec(..).unwrap(), [0; 100]);
    assert_eq!(fs::read(file.path()).unwrap(), [0; 103]);
    map.write_at(97, b"end").unwrap();
    drop(map);
    assert!(fs::read(file.path()).unwrap().ends_with(b"end"));
}

#[test]
fn file_that_was_there_is_not_made_anew() {
    let file = file(b"0123456789");
    let error = MapOptions::new().len(5).create_new(file.path()).unwrap_err();
    assert_eq!((error.kind(), error.path()), (ErrorKind::Os, Some(file.path())));
    assert_eq!(std::io::Error::from(error).kind(), std::io::ErrorKind::AlreadyExists);
    assert_eq!(fs::read(file.path()).unwrap(), b"0123456789");
}

/// Options that cannot be had must cost nobody a file: not its bytes, and not
/// its name.
#[test]
fn refused_options_leave_the_file_as_it_was() {
    let mut no_length = MapOptions::new();
    no_length.offset(1);
    let mut too_long = MapOptions::new();
    too_long.len(usize::MAX);
    let mut too_far = MapOptions::new();
    too_far.offset(u64::MAX).len(1);
    let mut huge = MapOptions::new();
    huge.huge_pages(HugePages::Default).len(100);
    for (options, expected) in [
        (no_length, ErrorKind::InvalidInput),
        (too_long, ErrorKind::OutOfRange),
        (too_far, ErrorKind::OutOfRange),
        (huge, ErrorKind::InvalidInput),
    ] {
        let file = file(b"0123456789");
        let missing = file.path().with_extension("missing");
        assert_eq!(kind(options.create(file.path())), expected);
        assert_eq!(fs::read(file.path()).unwrap(), b"0123456789", "{options:?}");
        assert!(options.create_new(file.path()).is_err());
        assert_eq!(fs::read(file.path()).unwrap(), b"0123456789", "{options:?}");
        assert_eq!(kind(options.create_new(&missing)), expected);
        assert!(!missing.exists(), "{options:?}");
    }
}

#[test]
fn file_that_cannot_be_made_is_an_error_of_the_system() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing").join("file");
    for result in
        [MapOptions::new().len(1).create(&path), MapOptions::new().len(1).create_new(&path)]
    {
        let error = result.unwrap_err();
        assert_eq!((error.kind(), error.path()), (ErrorKind::Os, Some(path.as_path())));
    }
    // As many bytes as a file may have, and more than any disk has.
    let path = folder.path().join("file");
    if let Some(len) = 1usize.checked_shl(60) {
        assert_eq!(kind(MapOptions::new().len(len).create_new(&path)), ErrorKind::Os);
        assert!(!path.exists());
    }
}

#[test]
fn blocks_are_allocated_unless_the_file_is_to_be_sparse() {
    let folder = tempfile::tempdir().unwrap();
    let allocated = |name: &str, sparse| {
        let path = folder.path().join(name);
        let map = MapOptions::new().len(4 << 20).sparse(sparse).create(&path).unwrap();
        assert_eq!(map.file_len().unwrap(), 4 << 20);
        common::allocated(&fs::File::open(&path).unwrap())
    };
    assert!(allocated("whole", false) >= 4 << 20);
    assert!(allocated("sparse", true) < 1 << 20);
}
