//! A log of records: appending, reading while others append, rotation, and files
//! that are no logs, or damaged ones.
#![cfg(feature = "log")]
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::HashSet;
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Barrier;

use common::kind;
use faultless::{AppendLog, AppendLogOptions, Error, ErrorKind, LogReader, Record};
use tempfile::TempDir;

const HEADER: usize = 128;

/// A path for a log, in a folder of its own.
fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    (folder, path)
}

fn numbered(path: &Path, nth: usize) -> PathBuf {
    path.with_file_name(format!("log.{nth}"))
}

/// All records of a log, which has no damage.
#[track_caller]
fn all(path: &Path) -> Vec<Vec<u8>> {
    LogReader::open(path).unwrap().map(|record| record.unwrap().bytes).collect()
}

fn overwrite(path: &Path, at: usize, bytes: &[u8]) {
    use std::io::{Seek, SeekFrom, Write};
    let mut file = OpenOptions::new().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(at as u64)).unwrap();
    file.write_all(bytes).unwrap();
}

#[test]
fn records_come_back_in_order() {
    let (_folder, path) = place();
    let records: Vec<Vec<u8>> = (0..2000).map(|n| vec![n as u8; n * 7 % 1000]).collect();
    let log = AppendLog::open(&path).unwrap();
    let offsets: Vec<u64> = records.iter().map(|record| log.append(record).unwrap()).collect();
    assert!(offsets.is_sorted_by(|one, next| one < next));
    let read: Vec<Record> = log.records().unwrap().collect::<Result<_, _>>().unwrap();
    assert!(read.iter().map(|record| record.offset).eq(offsets.iter().copied()));
    assert!(read.iter().map(|record| &record.bytes).eq(&records));
    for (offset, record) in offsets.iter().zip(&records).step_by(97) {
        assert_eq!(&log.read(*offset).unwrap(), record);
    }
    drop(log);
    assert_eq!(all(&path), records);
}

#[test]
fn any_bytes_and_none_are_records() {
    let (_folder, path) = place();
    let records = [vec![], vec![0; 100], vec![], vec![0xFF; 9], vec![0], b"\n\0\n".to_vec()];
    for record in &records {
        AppendLog::open(&path).unwrap().append(record).unwrap();
    }
    assert_eq!(all(&path), records);
}

#[test]
fn large_records_grow_the_file() {
    let (_folder, path) = place();
    let log = AppendLog::open(&path).unwrap();
    let records: Vec<_> = (1..6).map(|n| vec![n as u8; n * 900_001]).collect();
    for record in &records {
        log.append(record).unwrap();
    }
    assert_eq!(all(&path), records);
    assert_eq!(kind(log.append(&vec![0; 1 << 30])), ErrorKind::OutOfRange);
}

#[test]
fn a_closed_log_has_nothing_in_reserve() {
    let (_folder, path) = place();
    let log = AppendLog::open(&path).unwrap();
    log.append(&[7; 1000]).unwrap();
    let reserve = fs::metadata(&path).unwrap().len();
    assert!(reserve > 100_000);
    log.close().unwrap();
    log.close().unwrap();
    assert_eq!(fs::metadata(&path).unwrap().len(), (HEADER + 8 + 1000 + 8) as u64);
    assert_eq!(kind(log.append(b"late")), ErrorKind::Closed);
    assert_eq!(kind(log.sync()), ErrorKind::Closed);
    assert_eq!(kind(log.end()), ErrorKind::Closed);
    assert_eq!(kind(log.read(HEADER as u64)), ErrorKind::Closed);
}

#[test]
fn closing_does_not_disturb_others() {
    let (_folder, path) = place();
    let others: Vec<_> = (0..3).map(|_| AppendLog::open(&path).unwrap()).collect();
    let mut reader = LogReader::open(&path).unwrap();
    let mut expected = Vec::new();
    for turn in 0..200_u32 {
        let record = vec![turn as u8; turn as usize * 31];
        if turn % 3 == 0 {
            let log = AppendLog::open(&path).unwrap();
            log.append(&record).unwrap();
            log.close().unwrap();
        } else {
            others[turn as usize % 2].append(&record).unwrap();
        }
        if turn % 7 == 0 {
            others[2].sync().unwrap();
        }
        assert_eq!(reader.next().unwrap().unwrap().bytes, record);
        assert!(reader.next().is_none());
        expected.push(record);
    }
    assert_eq!(all(&path), expected);
}

#[test]
fn a_reader_follows_and_a_snapshot_ends() {
    let (_folder, path) = place();
    let log = AppendLog::open(&path).unwrap();
    let mut reader = LogReader::open(&path).unwrap();
    assert!(reader.next().is_none());
    log.append(b"one").unwrap();
    let mut seen = 0;
    for record in log.records().unwrap() {
        // Without an end it would see these, too.
        log.append(&record.unwrap().bytes).unwrap();
        seen += 1;
    }
    assert_eq!(seen, 1);
    assert_eq!(reader.by_ref().count(), 2);
    for n in 0..3000_u32 {
        log.append(&n.to_le_bytes()).unwrap();
        assert_eq!(reader.next().unwrap().unwrap().bytes, n.to_le_bytes());
    }
    assert!(reader.next().is_none());
}

#[test]
fn seeking_goes_to_records_that_are_kept() {
    let (_folder, path) = place();
    let log = AppendLogOptions::new().rotate(1000, 2).open(&path).unwrap();
    let offsets: Vec<u64> = (0..100_u8).map(|n| log.append(&[n; 50]).unwrap()).collect();
    let kept: Vec<Record> = log.records().unwrap().map(Result::unwrap).collect();
    let first = kept[0].bytes[0] as usize;
    assert!(first > 0 && kept.len() == 100 - first);
    for (n, offset) in offsets.iter().enumerate().skip(first) {
        assert_eq!(log.read(*offset).unwrap(), [n as u8; 50]);
        let mut reader = LogReader::open(&path).unwrap();
        reader.seek(*offset).unwrap();
        assert_eq!(reader.count(), 100 - n);
    }
    assert_eq!(kind(log.read(offsets[0])), ErrorKind::OutOfRange);
    assert_eq!(kind(log.read(log.end().unwrap() + 4096)), ErrorKind::OutOfRange);
    assert_eq!(kind(log.read(offsets[99] + 1)), ErrorKind::OutOfRange);
    assert_eq!(kind(log.read(offsets[99] + 8)), ErrorKind::Corrupt);
    assert_eq!(kind(log.read(log.end().unwrap())), ErrorKind::Corrupt);
}

#[test]
fn rotation_keeps_so_many_files_of_that_length() {
    let (folder, path) = place();
    let log = AppendLogOptions::new().rotate(4096, 3).open(&path).unwrap();
    let mut reader = LogReader::open(&path).unwrap();
    let mut offsets = HashSet::new();
    for n in 0..2000_u32 {
        let offset = log.append(&[&n.to_le_bytes()[..], &[1; 60]].concat()).unwrap();
        assert!(offsets.insert(offset));
        let record = reader.next().unwrap().unwrap();
        assert_eq!((record.offset, &record.bytes[..4]), (offset, &n.to_le_bytes()[..]));
    }
    drop(log);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4);
    for nth in 1..=3 {
        let len = fs::metadata(numbered(&path, nth)).unwrap().len();
        assert!((4096 - 72..=4096).contains(&len), "{len}");
    }
    let kept = all(&path);
    assert!(kept.len() > 100);
    let numbers = kept.iter().map(|bytes| u32::from_le_bytes(bytes[..4].try_into().unwrap()));
    assert!(numbers.eq(2000 - kept.len() as u32..2000));
}

#[test]
fn a_record_longer_than_a_file_gets_its_own() {
    let (_folder, path) = place();
    let log = AppendLogOptions::new().rotate(1000, 9).open(&path).unwrap();
    let records = [vec![1; 10], vec![2; 5000], vec![3; 5000], vec![4; 10]];
    for record in &records {
        log.append(record).unwrap();
    }
    drop(log);
    assert_eq!(all(&path), records);
    assert_eq!(all(&numbered(&path, 3)), records[..1]);
    assert!(numbered(&path, 3).exists() && !numbered(&path, 4).exists());
}

#[test]
fn options_without_sense_are_refused() {
    let (_folder, path) = place();
    assert_eq!(kind(AppendLogOptions::new().rotate(1000, 0).open(&path)), ErrorKind::InvalidInput);
    assert!(!path.exists());
    let error = AppendLog::open(path.join("no/folder")).unwrap_err();
    assert!(error.kind() == ErrorKind::Os && error.path().is_some());
    assert_eq!(kind(LogReader::open(&path)), ErrorKind::Os);
}

#[test]
fn an_interrupted_rotation_is_finished() {
    let (_folder, path) = place();
    let options = AppendLogOptions::new().rotate(1000, 3).clone();
    let fill = |n: u8| {
        let log = options.open(&path).unwrap();
        (0..40).for_each(|_| assert!(log.append(&[n; 50]).is_ok()));
    };
    fill(1);
    // As it is after the file has lost its name and before there is a new one.
    fs::remove_file(&path).unwrap();
    let before = all(&path).len();
    fill(2);
    let after = all(&path);
    assert!(after.ends_with(&vec![vec![2; 50]; 40]) && before > 0);

    // As it is when the numbers were being shifted.
    fs::rename(numbered(&path, 3), numbered(&path, 4)).unwrap();
    fs::rename(numbered(&path, 2), numbered(&path, 3)).unwrap();
    let kept = all(&path).len();
    fill(3);
    assert!(all(&path).len() > 40 && kept > 0);

    // As it is when the file is marked, but still has its name.
    let marked = numbered(&path, 1);
    fs::rename(&marked, &path).unwrap();
    let expected = LogReader::open(&path).unwrap().count();
    let log = AppendLog::open(&path).unwrap();
    log.append(b"new").unwrap();
    assert_eq!(LogReader::open(&path).unwrap().count(), expected + 1);
    assert_eq!(all(&path).last().unwrap(), b"new");
}

#[test]
fn a_file_that_others_move_away_is_followed_by_a_new_one() {
    let (_folder, path) = place();
    let logs = [AppendLog::open(&path).unwrap(), AppendLog::open(&path).unwrap()];
    logs[0].append(b"old").unwrap();
    fs::rename(&path, numbered(&path, 1)).unwrap();
    // They notice when the file has to grow.
    for _ in 0..10 {
        logs.iter().for_each(|log| assert!(log.append(&[1; 100_000]).is_ok()));
    }
    assert!(path.exists());
    let both = all(&path);
    assert_eq!(both.len(), 21);
    assert_eq!(both[0], b"old");
}

#[test]
fn threads_append_at_the_same_time() {
    let (_folder, path) = place();
    let log = AppendLogOptions::new().rotate(20_000, 1000).open(&path).unwrap();
    let other = AppendLogOptions::new().rotate(20_000, 1000).open(&path).unwrap();
    let (count, barrier) = (3000_u32, Barrier::new(4));
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4_u8)
            .map(|thread| {
                let (log, barrier) = (if thread < 2 { &log } else { &other }, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    for n in 0..count {
                        let record =
                            [&[thread][..], &n.to_le_bytes(), &vec![thread; n as usize % 90]];
                        log.append(&record.concat()).unwrap();
                    }
                })
            })
            .collect();
        let mut next = [0; 4];
        let mut reader = LogReader::open(&path).unwrap();
        loop {
            let finished = threads.iter().all(|thread| thread.is_finished());
            match reader.next() {
                Some(record) => check_turn(&record.unwrap().bytes, &mut next),
                None if finished => break,
                None => std::thread::yield_now(),
            }
        }
        assert_eq!(next, [count; 4]);
    });
    let mut next = [0; 4];
    all(&path).iter().for_each(|bytes| check_turn(bytes, &mut next));
    assert_eq!(next, [count; 4]);
}

/// Each thread's records come in the order in which it appended them.
fn check_turn(bytes: &[u8], next: &mut [u32; 4]) {
    let thread = bytes[0];
    let n = u32::from_le_bytes(bytes[1..5].try_into().unwrap());
    assert_eq!(n, next[usize::from(thread)], "the next of thread {thread}");
    assert_eq!(bytes[5..], vec![thread; n as usize % 90]);
    next[usize::from(thread)] += 1;
}

#[test]
fn a_foreign_file_is_refused_and_not_changed() {
    let (_folder, path) = place();
    let mut nearly = {
        let log = AppendLog::open(&path).unwrap();
        log.append(b"one").unwrap();
        drop(log);
        fs::read(&path).unwrap()
    };
    nearly[8] = 2;
    let zeros = vec![0; 10_000];
    let text = b"2026-11-21 a text log\n".repeat(100);
    for foreign in [&text[..], b"x", &zeros, &nearly, &nearly[..100], &nearly[..20]] {
        fs::write(&path, foreign).unwrap();
        for error in [AppendLog::open(&path).unwrap_err(), LogReader::open(&path).unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
            assert_eq!(error.path(), Some(&*path));
        }
        assert_eq!(fs::read(&path).unwrap(), foreign);
    }
    fs::write(&path, b"").unwrap();
    AppendLog::open(&path).unwrap().append(b"an empty file becomes one").unwrap();
    assert_eq!(all(&path).len(), 1);
}

/// A closed log of records of 50 bytes, and what its file has.
fn closed(count: u8) -> (TempDir, PathBuf, Vec<u8>) {
    let (folder, path) = place();
    let log = AppendLog::open(&path).unwrap();
    (0..count).for_each(|n| assert!(log.append(&[n; 50]).is_ok()));
    drop(log);
    let bytes = fs::read(&path).unwrap();
    (folder, path, bytes)
}

const FRAME: usize = 8 + 56;

#[test]
fn a_damaged_record_is_an_error_between_the_others() {
    let (_folder, path, _) = closed(10);
    overwrite(&path, HEADER + 4 * FRAME + 30, b"?");
    let read: Vec<Result<Record, Error>> = LogReader::open(&path).unwrap().collect();
    assert_eq!(read.len(), 10);
    for (n, record) in read.iter().enumerate() {
        match record {
            Ok(record) => assert!(n != 4 && record.bytes == [n as u8; 50]),
            Err(error) => {
                assert!(n == 4 && error.kind() == ErrorKind::Corrupt);
                assert!(error.to_string().contains(&(HEADER + 4 * FRAME).to_string()), "{error}");
            }
        }
    }
    // It is no reason not to go on.
    AppendLog::open(&path).unwrap().append(b"next").unwrap();
    assert_eq!(LogReader::open(&path).unwrap().filter(Result::is_ok).count(), 10);
}

#[test]
fn behind_a_damaged_frame_nothing_is_appended() {
    let (_folder, path, _) = closed(10);
    let word_of = |at: usize| HEADER + at * FRAME;
    for damage in
        [[0xFF; 8], [1; 8], [0, 0, 0, 0x80, 0, 0, 0, 0], [0xFF, 0xFF, 0xFF, 0xBF, 0, 0, 0, 0]]
    {
        let (_folder, path, mut bytes) = closed(10);
        bytes[word_of(5)..word_of(5) + 8].copy_from_slice(&damage);
        fs::write(&path, &bytes).unwrap();
        let mut reader = LogReader::open(&path).unwrap();
        let read: Vec<_> = reader.by_ref().take(100).collect();
        let whole = read.iter().filter(|record| record.is_ok()).count();
        assert!((5..10).contains(&whole) && read.len() < 100);
        assert_eq!(
            read.iter().filter_map(|record| record.as_ref().err()).next().unwrap().kind(),
            ErrorKind::Corrupt
        );
        let opened = AppendLog::open(&path);
        if let Err(error) = opened {
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            assert_eq!(fs::read(&path).unwrap(), bytes);
        }
    }
    assert_eq!(all(&path).len(), 10);
}

/// What a system that went down may leave: any page of the file as it was before
/// its last sync.
#[test]
fn after_the_system_went_down_what_was_synced_is_there() {
    let (_folder, path) = place();
    let log = AppendLog::open(&path).unwrap();
    for n in 0..200_u8 {
        log.append(&[n; 50]).unwrap();
    }
    log.sync().unwrap();
    for n in 200..=255_u8 {
        log.append(&[n; 5000]).unwrap();
    }
    let bytes = fs::read(&path).unwrap();
    drop(log);
    let synced = HEADER + 200 * FRAME;
    for lost in 0..40 {
        let mut bytes = bytes.clone();
        // Every page behind the sync may be lost, alone or with others.
        for (page, part) in bytes[synced..].chunks_mut(4096).enumerate() {
            if page % 40 == lost || lost % 2 == 1 && page % 7 == lost % 7 {
                part.fill(0);
            }
        }
        fs::write(&path, &bytes).unwrap();
        let log = AppendLog::open(&path).unwrap();
        let before: Vec<_> = LogReader::open(&path).unwrap().filter_map(Result::ok).collect();
        for n in 0..300_u32 {
            log.append(&n.to_le_bytes().repeat(500)).unwrap();
        }
        log.close().unwrap();
        let read: Vec<_> = LogReader::open(&path).unwrap().filter_map(Result::ok).collect();
        assert!(read.iter().take(200).zip(0..).all(|(record, n)| record.bytes == [n; 50]));
        assert_eq!(read[..before.len()], before, "{lost}");
        let new = &read[read.len() - 300..];
        assert!(new.iter().zip(0_u32..).all(|(r, n)| r.bytes == n.to_le_bytes().repeat(500)));
    }
}

#[test]
fn durable_logs_are_logs() {
    let (_folder, path) = place();
    let log = AppendLogOptions::new().durable(true).rotate(2000, 20).open(&path).unwrap();
    for n in 0..50_u8 {
        log.append(&[n; 100]).unwrap();
    }
    assert_eq!(all(&path), (0..50_u8).map(|n| vec![n; 100]).collect::<Vec<_>>());
}

/// A file that another program wrote as `docs/log-format.md` says is a log.
#[test]
fn the_format_is_as_documented() {
    let (_folder, path) = place();
    let mut file = Vec::new();
    file.extend(b"\x89FLOG\r\n\x1a");
    file.extend(1_u32.to_le_bytes());
    file.extend(128_u32.to_le_bytes());
    file.extend(5000_u64.to_le_bytes());
    file.extend(0_u32.to_le_bytes());
    let sum = crc32c(&file);
    file.extend(sum.to_le_bytes());
    file.resize(64, 0);
    file.extend(128_u64.to_le_bytes());
    file.resize(128, 0);
    // A record, a claim without one, and a record.
    let frame = |file: &mut Vec<u8>, record: &[u8]| {
        let offset = 5000 + file.len() as u64;
        let sum = crc32c(&[&offset.to_le_bytes(), record].concat());
        file.extend((record.len() as u32 | 2 << 30).to_le_bytes());
        file.extend(sum.to_le_bytes());
        file.extend(record);
        file.resize(file.len().next_multiple_of(8), 0);
    };
    frame(&mut file, b"first record");
    file.extend((17_u32 | 1 << 30).to_le_bytes());
    file.resize(file.len() + 4 + 24, 0);
    frame(&mut file, b"");
    file.extend(0xE0D5_E0D5_FFFF_FF01_u64.to_le_bytes());
    fs::write(&path, &file).unwrap();

    let read: Vec<_> = LogReader::open(&path).unwrap().map(Result::unwrap).collect();
    assert_eq!(read.len(), 2);
    assert_eq!((read[0].offset, &*read[0].bytes), (5128, &b"first record"[..]));
    assert_eq!((read[1].offset, &*read[1].bytes), (5128 + 24 + 32, &b""[..]));
    let log = AppendLog::open(&path).unwrap();
    assert_eq!(log.append(b"next").unwrap(), 5128 + 24 + 32 + 8);
    log.close().unwrap();
    file.truncate(file.len() - 8);
    frame(&mut file, b"next");
    file.extend(0xE0D5_E0D5_FFFF_FF01_u64.to_le_bytes());
    assert_eq!(fs::read(&path).unwrap(), file);
}

/// CRC-32C, bit by bit.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            if sum & 1 == 0 { sum >> 1 } else { sum >> 1 ^ 0x82F6_3B78 }
        })
    })
}
