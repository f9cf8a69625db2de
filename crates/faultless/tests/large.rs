//! Offsets and lengths beyond 2 and 4 GiB, in sparse files.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use common::kind;
use faultless::{Access, ErrorKind, MapOptions, page_size};
use tempfile::NamedTempFile;

const GIB: u64 = 1 << 30;

/// A file of that length without a block.
fn sparse(len: u64) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    file.as_file().set_len(len).unwrap();
    file
}

fn read(path: &std::path::Path, offset: u64, len: usize) -> Vec<u8> {
    let mut file = File::open(path).unwrap();
    file.seek(SeekFrom::Start(offset)).unwrap();
    let mut bytes = vec![0; len];
    file.read_exact(&mut bytes).unwrap();
    bytes
}

#[test]
fn offset_beyond_four_gib() {
    let file = sparse(9 * GIB);
    for offset in [2 * GIB - 1, 2 * GIB, 4 * GIB - 3, 4 * GIB, 4 * GIB + 1, 9 * GIB - 8] {
        let mut options = MapOptions::new();
        let map = options.access(Access::Write).offset(offset).len(8).open(file.path()).unwrap();
        assert_eq!(map.file_offset(), offset);
        map.store_be(0, offset).unwrap();
        assert_eq!(read(file.path(), offset, 8), offset.to_be_bytes());
        map.fill(.., 0).unwrap();
    }
    let past = MapOptions::new().offset(9 * GIB - 8).len(9).open(file.path());
    assert_eq!(kind(past), ErrorKind::OutOfRange);
    let end = MapOptions::new().offset(9 * GIB - 8).open(file.path()).unwrap();
    assert_eq!(end.len(), 8);
}

/// What a length can say and what an address can are not the same with 32 bits.
#[cfg(target_pointer_width = "32")]
#[test]
fn more_than_addresses_can_tell_is_refused() {
    let file = sparse(9 * GIB);
    let refused = |options: &mut MapOptions| {
        assert_eq!(kind(options.open(file.path())), ErrorKind::OutOfRange, "{options:?}");
    };
    refused(&mut MapOptions::new());
    // One byte more than 32 bits count, as many, and more than an object may have.
    for rest in [(1 << 32) + 1, 1 << 32, (1 << 32) - 1, 2 * GIB, 2 * GIB - 1] {
        refused(MapOptions::new().offset(9 * GIB - rest));
    }
    for len in [usize::MAX, usize::MAX - page_size(), isize::MAX as usize, 1 << 31] {
        refused(MapOptions::new().len(len));
        refused(MapOptions::new().offset(4 * GIB + 5).len(len));
    }
    let mut options = MapOptions::new();
    let mut map = options.access(Access::Write).offset(5 * GIB).len(10).open(file.path()).unwrap();
    for len in [usize::MAX, isize::MAX as usize, 1 << 31] {
        assert_eq!(kind(map.resize(len)), ErrorKind::OutOfRange);
    }
    assert_eq!((map.len(), map.file_len().unwrap()), (10, 9 * GIB));
    map.write_at(0, b"0123456789").unwrap();
    assert_eq!(read(file.path(), 5 * GIB, 10), b"0123456789");
}

#[cfg(target_pointer_width = "64")]
#[test]
fn map_beyond_four_gib() {
    use std::io::Write;

    use faultless::Flush;

    let len = 5 * GIB as usize + 123;
    let file = sparse(len as u64);
    let mut options = MapOptions::new();
    let mut map = options.access(Access::Write).sparse(true).open(file.path()).unwrap();
    assert_eq!(map.len(), len);
    for at in [2 * GIB as usize - 3, 4 * GIB as usize - 3, len - 6] {
        map.write_at(at, b"needle").unwrap();
        assert_eq!(read(file.path(), at as u64, 6), b"needle");
        assert_eq!(map.get(at + 5).unwrap(), b'e');
        assert_eq!(map.load_be::<u16>(at).unwrap(), u16::from_be_bytes(*b"ne"));
        let around = at - 5000..(at + 5000).min(len);
        assert_eq!(map.find(b"needle", around.clone()).unwrap(), Some(at));
        assert_eq!(map.rfind(b"needle", around.clone()).unwrap(), Some(at));
        assert_eq!(map.count(b"needle", around.clone()).unwrap(), 1);
        assert_eq!(map.find_iter(b"e", around).unwrap().count(), 3);
        map.flush_range(at..at + 6, Flush::ASYNC).unwrap();
        map.advise(at..at + 6, faultless::Advice::WillNeed).unwrap();
    }
    assert_eq!(kind(map.get(len)), ErrorKind::OutOfRange);
    map.copy_within(len - 6.., 4 * GIB as usize + 100).unwrap();
    assert_eq!(map.to_vec(4 * GIB as usize + 100..4 * GIB as usize + 106).unwrap(), b"needle");

    let mut cursor = map.cursor();
    assert_eq!(cursor.seek(SeekFrom::End(-6)).unwrap(), len as u64 - 6);
    let mut bytes = Vec::new();
    cursor.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, b"needle");
    cursor.seek(SeekFrom::Current(-(GIB as i64) - 126)).unwrap();
    assert_eq!(cursor.position(), 4 * GIB - 3);
    cursor.write_all(b"NEEDLE").unwrap();
    assert_eq!(read(file.path(), 4 * GIB - 3, 6), b"NEEDLE");

    map.resize(6 * GIB as usize).unwrap();
    assert_eq!(map.file_len().unwrap(), 6 * GIB);
    map.set(6 * GIB as usize - 1, 7).unwrap();
    assert_eq!(read(file.path(), 6 * GIB - 1, 1), [7]);
    map.resize(page_size()).unwrap();
    assert_eq!(map.file_len().unwrap(), page_size() as u64);
}

#[cfg(target_pointer_width = "64")]
#[test]
fn anonymous_memory_beyond_four_gib() {
    let len = 5 * GIB as usize;
    let map = MapOptions::new().len(len).no_reserve(true).map_anonymous().unwrap();
    for at in [2 * GIB as usize - 4, 4 * GIB as usize - 4, len - 8] {
        map.store_le(at, at as u64).unwrap();
        assert_eq!(map.load_le::<u64>(at).unwrap(), at as u64);
    }
    assert_eq!(kind(map.store_le(len - 7, 0u64)), ErrorKind::OutOfRange);
}
