//! Opening the very file that a map is of.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::time::Duration;

use common::{anonymous, kind};
use faultless::{Access, ErrorKind, FileIdentity, Map, MapOptions};

#[test]
fn file_is_the_same_under_any_name_and_with_any_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let (path, moved) = (dir.path().join("file"), dir.path().join("moved"));
    fs::write(&path, "0123456789").unwrap();
    let map = MapOptions::new().access(Access::Write).offset(3).len(4).open(&path).unwrap();
    let file = map.file_identity().unwrap();
    map.write_at(0, b"abcd").unwrap();
    fs::rename(&path, &moved).unwrap();
    let again = MapOptions::new().expect_file(file).open(&moved).unwrap();
    assert_eq!(again.to_vec(..).unwrap(), b"012abcd789");
    assert_eq!(again.file_identity().unwrap(), file);
    assert_eq!(FileIdentity::new(file.number(), file.born()), file);
}

#[test]
fn another_file_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (path, other) = (dir.path().join("file"), dir.path().join("other"));
    fs::write(&path, "0123456789").unwrap();
    fs::write(&other, "0123456789").unwrap();
    let file = Map::open(&path).unwrap().file_identity().unwrap();
    fs::rename(&other, &path).unwrap();
    let error = MapOptions::new().expect_file(file).open(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Replaced);
    assert_eq!(error.path(), Some(&*path));
    let found = Map::open(&path).unwrap().file_identity().unwrap();
    assert!(error.to_string().contains(&format!("it is {found}, not {file}")));
    // Without the expectation it is as good as any.
    assert_eq!(Map::open(&path).unwrap().len(), 10);
}

#[test]
fn removed_file_whose_number_is_taken_again_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, "0123456789").unwrap();
    let file = Map::open(&path).unwrap().file_identity().unwrap();
    fs::remove_file(&path).unwrap();
    // Longer than a tick of the clock that the times of files are taken from.
    std::thread::sleep(Duration::from_millis(100));
    fs::write(&path, "0123456789").unwrap();
    let found = Map::open(&path).unwrap().file_identity().unwrap();
    if found.number() == file.number() && found.born().is_none() {
        // Nothing tells them apart there.
        return;
    }
    assert!(!found.may_be(file));
    let opened = MapOptions::new().expect_file(file).open(&path);
    assert_eq!(kind(opened), ErrorKind::Replaced);
}

#[test]
fn times_are_compared_where_both_are_known() {
    let (at, later) = (Some(1_700_000_000_123_456_700), Some(1_700_000_000_123_456_800));
    assert!(FileIdentity::new(7, at).may_be(FileIdentity::new(7, at)));
    assert!(FileIdentity::new(7, None).may_be(FileIdentity::new(7, at)));
    assert!(FileIdentity::new(7, at).may_be(FileIdentity::new(7, None)));
    assert!(!FileIdentity::new(7, at).may_be(FileIdentity::new(7, later)));
    assert!(!FileIdentity::new(7, at).may_be(FileIdentity::new(8, at)));
    let shown = FileIdentity::new(7, at).to_string();
    assert_eq!(shown, "number 7, made 1700000000.1234567 s after 1970");
    assert_eq!(FileIdentity::new(7, None).to_string(), "number 7");
}

#[test]
fn memory_is_no_file() {
    assert_eq!(kind(anonymous(b"abc").file_identity()), ErrorKind::NoFile);
    let path = std::env::current_exe().unwrap();
    let map = MapOptions::new().keep_file(false).open(path).unwrap();
    assert_eq!(kind(map.file_identity()), ErrorKind::NoFile);
}
