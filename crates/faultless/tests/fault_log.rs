//! A log whose file is cut short by others: errors, and what was read is right.
#![cfg(feature = "log")]
#![allow(clippy::unwrap_used)]

mod fault_support;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use fault_support::child::in_child;
use fault_support::{fault_of, files};
use faultless::{AppendLog, Error, ErrorKind, FaultReason, LogReader, Record};

const FRAME: usize = 8 + 1000;
const HEADER: usize = 128;

fn record(n: usize) -> Vec<u8> {
    (0..1000).map(|at| (n + at) as u8 | 1).collect()
}

/// A log of a hundred records that is open, and closed again by the test's end.
fn filled() -> (tempfile::TempDir, PathBuf, AppendLog) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let log = AppendLog::open(&path).unwrap();
    (0..100).for_each(|n| assert!(log.append(&record(n)).is_ok()));
    (folder, path, log)
}

fn cut(path: &Path, len: usize) {
    files::set_len(&File::options().write(true).open(path).unwrap(), path, len);
}

#[track_caller]
fn assert_cut<T: std::fmt::Debug>(result: Result<T, Error>, end: usize) {
    let error = result.unwrap_err();
    assert!(error.path().is_some(), "{error}");
    let fault = fault_of(Err::<(), _>(error));
    assert_eq!((fault.reason, fault.offset), (FaultReason::Truncated, end));
}

#[test]
fn a_log_that_was_cut_short_is_an_error_everywhere() {
    in_child(|| {
        for end in [0, 1, 100, HEADER, HEADER + 3, HEADER + 10 * FRAME, HEADER + 51 * FRAME + 77] {
            let (_folder, path, log) = filled();
            let mut early = LogReader::open(&path).unwrap();
            let mut late = LogReader::open(&path).unwrap();
            assert_eq!(late.by_ref().count(), 100);
            cut(&path, end);
            for _ in 0..3 {
                assert_cut(log.append(b"more"), end);
                assert_cut(log.sync(), end);
            }
            assert_cut(log.end(), end);
            // What is there can be read; the error ends it.
            let read: Vec<Result<Record, Error>> = early.by_ref().collect();
            let (last, whole) = read.split_last().unwrap();
            for (n, found) in whole.iter().enumerate() {
                assert_eq!(found.as_ref().unwrap().bytes, record(n));
            }
            assert_eq!(whole.len(), end.saturating_sub(HEADER) / FRAME);
            assert!(matches!(
                last.as_ref().unwrap_err().kind(),
                ErrorKind::Fault | ErrorKind::Corrupt
            ));
            assert_eq!(fault_of(late.next().unwrap()).reason, FaultReason::Truncated);
            assert!(log.close().is_err());
            assert_eq!(fs::metadata(&path).unwrap().len(), end as u64);
            if end > HEADER {
                assert_eq!(AppendLog::open(&path).unwrap_err().kind(), ErrorKind::Corrupt);
            }
        }
    });
}

#[test]
fn a_log_that_is_whole_again_goes_on() {
    in_child(|| {
        let (_folder, path, log) = filled();
        let mut reader = LogReader::open(&path).unwrap();
        let bytes = fs::read(&path).unwrap();
        cut(&path, 5000);
        assert_cut(log.append(b"more"), 5000);
        assert!(reader.by_ref().any(|record| record.is_err()));
        assert!(reader.next().is_none());
        files::write_all_at(&File::options().write(true).open(&path).unwrap(), &bytes, 0);
        log.append(&record(100)).unwrap();
        log.sync().unwrap();
        for (n, found) in log.records().unwrap().enumerate() {
            assert_eq!(found.unwrap().bytes, record(n));
        }
        // A reader asked again goes on, too, where it was.
        let rest: Vec<Record> = reader.by_ref().map(Result::unwrap).collect();
        assert!(rest.iter().map(|found| found.bytes.clone()).eq((4..=100).map(record)));
    });
}
