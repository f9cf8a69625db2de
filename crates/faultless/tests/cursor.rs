//! The cursor, compared with the standard library's over the same bytes.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{self, BufRead, Read, Seek, SeekFrom, Write};

use common::{anonymous, naive, writable};
use faultless::{Access, ErrorKind, Map, MapOptions};
use proptest::collection::vec;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Operation {
    Read(usize),
    ReadExact(usize),
    ReadToEnd,
    ReadToString,
    ReadLine,
    ReadUntil(u8),
    FillAndConsume(usize),
    Write(Vec<u8>),
    WriteAll(Vec<u8>),
    Seek(SeekFrom),
    Rewind,
    SetPosition(u64),
}

/// Lines of text, longer than the cursor's buffer in all.
fn text(len: usize) -> Vec<u8> {
    (0..len).map(|at| if at % 97 == 60 { b'\n' } else { b'a' + (at / 7 % 26) as u8 }).collect()
}

fn operation() -> impl Strategy<Value = Operation> {
    let len = prop_oneof![0usize..100, 0usize..50_000];
    let position = prop_oneof![0u64..45_000, Just(u64::MAX)];
    let by = prop_oneof![-200i64..200, -45_000i64..45_000, Just(i64::MIN), Just(i64::MAX)];
    let bytes = vec(b'A'..=b'Z', 0..200);
    prop_oneof![
        1 => len.clone().prop_map(Operation::Read),
        1 => len.clone().prop_map(Operation::ReadExact),
        1 => Just(Operation::ReadToEnd),
        1 => Just(Operation::ReadToString),
        3 => Just(Operation::ReadLine),
        1 => (b'a'..=b'z').prop_map(Operation::ReadUntil),
        2 => len.prop_map(Operation::FillAndConsume),
        2 => bytes.clone().prop_map(Operation::Write),
        1 => bytes.prop_map(Operation::WriteAll),
        1 => position.clone().prop_map(|to| Operation::Seek(SeekFrom::Start(to))),
        1 => by.clone().prop_map(|by| Operation::Seek(SeekFrom::Current(by))),
        1 => by.prop_map(|by| Operation::Seek(SeekFrom::End(by))),
        1 => Just(Operation::Rewind),
        1 => position.prop_map(Operation::SetPosition),
    ]
}

/// The kinds of errors, for what only has to fail the same way.
fn outcome<T>(result: io::Result<T>) -> Result<T, io::ErrorKind> {
    result.map_err(|error| error.kind())
}

proptest! {
    #![proptest_config(common::cases(300))]

    #[test]
    fn cursor_does_what_the_standard_one_does(
        len in prop_oneof![0usize..200, 0usize..40_000],
        operations in vec(operation(), 1..40),
    ) {
        let mut bytes = text(len);
        let map = MapOptions::new().len(len).map_anonymous().unwrap();
        map.write_at(0, &bytes).unwrap();
        let mut ours = map.cursor();
        let mut theirs = io::Cursor::new(bytes.as_mut_slice());
        for operation in operations {
            let past_end = theirs.position() > len as u64;
            match operation {
                Operation::Read(len) => {
                    // What a buffer still has may be less than is asked for.
                    let mut found = vec![0; len];
                    let count = ours.read(&mut found).unwrap();
                    let mut expected = vec![0; count];
                    theirs.read_exact(&mut expected).unwrap();
                    naive::assert_same(&found[..count], &expected);
                    let end = theirs.position() >= theirs.get_ref().len() as u64;
                    prop_assert!(count > 0 || len == 0 || end);
                }
                Operation::ReadExact(len) => {
                    let (mut found, mut expected) = (vec![0; len], vec![0; len]);
                    let result = outcome(ours.read_exact(&mut found));
                    prop_assert_eq!(result, outcome(theirs.read_exact(&mut expected)));
                    if result.is_ok() {
                        naive::assert_same(&found, &expected);
                    } else if past_end {
                        // The standard one goes back to the end then.
                        ours.set_position(theirs.position());
                    }
                }
                Operation::ReadToEnd => {
                    let (mut found, mut expected) = (b"before".to_vec(), b"before".to_vec());
                    let count = ours.read_to_end(&mut found).unwrap();
                    prop_assert_eq!(count, theirs.read_to_end(&mut expected).unwrap());
                    naive::assert_same(&found, &expected);
                }
                Operation::ReadToString => {
                    let (mut found, mut expected) = (String::new(), String::new());
                    let count = ours.read_to_string(&mut found).unwrap();
                    prop_assert_eq!(count, theirs.read_to_string(&mut expected).unwrap());
                    prop_assert!(found == expected);
                }
                Operation::ReadLine => {
                    let (mut found, mut expected) = (String::new(), String::new());
                    let count = ours.read_line(&mut found).unwrap();
                    prop_assert_eq!(count, theirs.read_line(&mut expected).unwrap());
                    prop_assert_eq!(found, expected);
                }
                Operation::ReadUntil(byte) => {
                    let (mut found, mut expected) = (Vec::new(), Vec::new());
                    let count = ours.read_until(byte, &mut found).unwrap();
                    prop_assert_eq!(count, theirs.read_until(byte, &mut expected).unwrap());
                    naive::assert_same(&found, &expected);
                }
                Operation::FillAndConsume(count) => {
                    let found = ours.fill_buf().unwrap();
                    let expected = theirs.fill_buf().unwrap();
                    prop_assert!(expected.starts_with(found));
                    prop_assert_eq!(found.is_empty(), expected.is_empty());
                    let count = count.min(found.len());
                    ours.consume(count);
                    theirs.consume(count);
                }
                Operation::Write(bytes) => {
                    prop_assert_eq!(ours.write(&bytes).unwrap(), theirs.write(&bytes).unwrap());
                }
                Operation::WriteAll(bytes) => {
                    let result = outcome(ours.write_all(&bytes));
                    prop_assert_eq!(result, outcome(theirs.write_all(&bytes)));
                }
                Operation::Seek(to) => {
                    prop_assert_eq!(outcome(ours.seek(to)), outcome(theirs.seek(to)));
                }
                Operation::Rewind => {
                    ours.rewind().unwrap();
                    theirs.rewind().unwrap();
                }
                Operation::SetPosition(position) => {
                    ours.set_position(position);
                    theirs.set_position(position);
                }
            }
            prop_assert_eq!(ours.position(), theirs.position());
            prop_assert_eq!(ours.stream_position().unwrap(), theirs.position());
        }
        naive::assert_same(&map.to_vec(..).unwrap(), theirs.get_ref());
    }
}

#[test]
fn line_is_read_anew_after_it_was_written() {
    let map = anonymous(b"one\ntwo\nthree\n");
    let mut cursor = map.cursor();
    let mut line = String::new();
    cursor.read_line(&mut line).unwrap();
    cursor.write_all(b"TWO\nTH").unwrap();
    assert_eq!(cursor.position(), 10);
    line.clear();
    cursor.read_line(&mut line).unwrap();
    assert_eq!(line, "ree\n");
    cursor.seek(SeekFrom::Start(4)).unwrap();
    let rest: Vec<String> = cursor.lines().map(Result::unwrap).collect();
    assert_eq!(rest, ["TWO", "THree"]);
}

#[test]
fn line_longer_than_any_buffer_is_whole() {
    let mut bytes = vec![b'x'; 200_000];
    bytes[150_000] = b'\n';
    let map = anonymous(&bytes);
    let mut line = Vec::new();
    let mut cursor = map.cursor();
    assert_eq!(cursor.read_until(b'\n', &mut line).unwrap(), 150_001);
    assert_eq!(cursor.position(), 150_001);
    assert_eq!(cursor.read_to_end(&mut line).unwrap(), 49_999);
    naive::assert_same(&line, &bytes);
}

#[test]
fn line_that_is_no_text_is_an_error() {
    let map = anonymous(b"\xFF\xFE\nnext");
    let mut line = String::new();
    let error = map.cursor().read_line(&mut line).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
}

#[test]
fn writing_stops_at_the_end_of_the_map() {
    let (file, map) = writable(b"0123456789");
    let mut cursor = map.cursor();
    cursor.seek(SeekFrom::End(-3)).unwrap();
    assert_eq!(cursor.write(b"abcde").unwrap(), 3);
    assert_eq!(cursor.write(b"de").unwrap(), 0);
    assert_eq!(cursor.write_all(b"de").unwrap_err().kind(), io::ErrorKind::WriteZero);
    cursor.flush().unwrap();
    assert_eq!(std::fs::read(file.path()).unwrap(), b"0123456abc");
}

#[test]
fn writing_to_a_read_only_map_is_an_error() {
    let file = common::file(b"0123456789");
    let map = Map::open(file.path()).unwrap();
    for position in [0, 10, 100] {
        let mut cursor = map.cursor();
        cursor.set_position(position);
        let error = cursor.write(b"x").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        let inner = error.downcast::<faultless::Error>().unwrap();
        assert_eq!(inner.kind(), ErrorKind::Access);
        assert_eq!(cursor.position(), position);
    }
}

#[test]
fn cursor_can_own_its_map() {
    let file = common::file(b"one\ntwo\n");
    let map = MapOptions::new().access(Access::CopyOnWrite).open(file.path()).unwrap();
    let mut cursor = map.into_cursor();
    let mut line = String::new();
    cursor.read_line(&mut line).unwrap();
    assert_eq!((cursor.map().len(), line.as_str()), (8, "one\n"));
    cursor.write_all(b"TWO").unwrap();
    assert_eq!(cursor.into_inner().to_vec(..).unwrap(), b"one\nTWO\n");
}

#[test]
fn cursors_of_one_map_do_not_disturb_each_other() {
    let map = anonymous(b"0123456789");
    let (mut a, mut b) = (map.cursor(), map.cursor());
    let (mut from_a, mut from_b) = ([0; 4], [0; 2]);
    a.read_exact(&mut from_a).unwrap();
    b.read_exact(&mut from_b).unwrap();
    assert_eq!((&from_a, &from_b), (b"0123", b"01"));
    assert_eq!((a.position(), b.position()), (4, 2));
}
