//! Maps by the name of a section, which only Windows has.
#![allow(clippy::unwrap_used)]
#![cfg(windows)]

mod common;

use common::{file, kind};
use faultless::{Access, ErrorKind, Map, MapOptions};
use windows_sys::Win32::Foundation::{ERROR_INVALID_HANDLE, ERROR_USER_MAPPED_FILE};
use windows_sys::Win32::System::Threading::CreateEventW;

/// Memory of that many bytes by a name.
fn memory(name: &str, len: usize) -> faultless::Result<Map> {
    MapOptions::new().len(len).tag_name(name).map_anonymous()
}

#[test]
fn maps_of_one_name_are_the_same_memory() {
    let one = memory("same memory", 5000).unwrap();
    one.write_at(4990, b"hello").unwrap();
    let other = memory("same memory", 5000).unwrap();
    assert_eq!(other.to_vec(4990..4995).unwrap(), b"hello");
    other.write_at(0, b"back").unwrap();
    drop(other);
    assert_eq!(one.to_vec(..4).unwrap(), b"back");
    let part = memory("same memory", 100).unwrap();
    assert_eq!(part.to_vec(..4).unwrap(), b"back");
    let else_where = memory("other memory", 5000).unwrap();
    assert_eq!(else_where.count(&[0], ..).unwrap(), 5000);
}

#[test]
fn the_name_goes_with_its_last_map() {
    memory("short lived", 10).unwrap().set(0, 1).unwrap();
    assert_eq!(memory("short lived", 10).unwrap().get(0).unwrap(), 0);
}

#[test]
fn more_than_there_is_by_a_name_is_refused() {
    let _small = memory("small", 100).unwrap();
    assert_eq!(kind(memory("small", 1 << 20)), ErrorKind::Os);
}

#[test]
fn a_name_of_something_else_is_refused() {
    let name: Vec<u16> = "an event\0".encode_utf16().collect();
    // SAFETY: makes an object by a name that ends with a zero.
    let event = unsafe { CreateEventW(std::ptr::null(), 0, 0, name.as_ptr()) };
    assert!(!event.is_null());
    let error = memory("an event", 10).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(ERROR_INVALID_HANDLE as i32));
}

#[test]
fn names_that_cannot_be() {
    for name in ["", "a\0b"] {
        assert_eq!(kind(memory(name, 10)), ErrorKind::InvalidInput, "{name:?}");
    }
    assert_eq!(kind(memory("nothing", 0)), ErrorKind::InvalidInput);
}

#[test]
fn a_file_by_a_name() {
    let named = file(b"0123456789");
    let mut options = MapOptions::new();
    options.access(Access::Write).tag_name("of a file");
    let mut map = options.open(named.path()).unwrap();
    map.write_at(3, b"abc").unwrap();
    map.flush().unwrap();
    assert_eq!(std::fs::read(named.path()).unwrap(), b"012abc6789");
    // The section that is there counts.
    let same = memory("of a file", 10).unwrap();
    assert_eq!(same.to_vec(..).unwrap(), b"012abc6789");
    assert_eq!(kind(map.resize(20)), ErrorKind::Unsupported);
    assert!(!map.is_guarded() && memory("of memory", 10).unwrap().is_guarded());
}

#[test]
fn memory_grows_and_shrinks_while_nobody_else_has_it() {
    let mut map = memory("growing", 10).unwrap();
    map.write_at(0, b"0123456789").unwrap();
    for len in [20_000, 5, 10] {
        map.resize(len).unwrap();
        assert_eq!((map.len(), map.to_vec(..5).unwrap().as_slice()), (len, b"01234".as_slice()));
    }
    assert_eq!(map.to_vec(5..).unwrap(), [0; 5]);
    let other = memory("growing", 10).unwrap();
    assert_eq!(other.to_vec(..5).unwrap(), b"01234", "it has its name still");
    for len in [5, 20] {
        let error = map.resize(len).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(ERROR_USER_MAPPED_FILE as i32));
    }
    drop(other);
    map.set(9, 7).unwrap();
    map.resize(20).unwrap();
    assert_eq!(memory("growing", 20).unwrap().get(9).unwrap(), 7);
}
