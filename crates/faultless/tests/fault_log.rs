//! A log whose file is cut short by others, or has no room: errors, and what was
//! read is right.
#![cfg(all(feature = "log", target_os = "linux"))]
#![allow(clippy::unwrap_used)]

mod fault_support;

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fault_support::child::{fork_running, in_child, wait};
use fault_support::disks::{mount, mount_point, run_or_skip};
use fault_support::fault_of;
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
    File::options().write(true).open(path).unwrap().set_len(len as u64).unwrap();
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
        File::options().write(true).open(&path).unwrap().write_all_at(&bytes, 0).unwrap();
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

/// Somebody cuts the file and puts it back all the time.
#[test]
fn a_storm_of_cuts() {
    in_child(|| {
        let (_folder, path, log) = filled();
        drop(log);
        let bytes = fs::read(&path).unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        let storm = fork_running(|| {
            for turn in 0_usize.. {
                let end = turn * 7919 % bytes.len();
                if file.set_len(end as u64).is_err() {
                    return 1;
                }
                std::thread::sleep(Duration::from_micros(50));
                if file.write_all_at(&bytes[end..], end as u64).is_err() {
                    return 2;
                }
                std::thread::sleep(Duration::from_micros(300));
            }
            0
        });
        let (mut whole, mut cut) = (0, 0);
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(2) {
            let Ok(mut reader) = LogReader::open(&path) else { continue };
            let mut next = 0;
            loop {
                match reader.next() {
                    Some(Ok(found)) => {
                        assert_eq!(found.bytes, record(next));
                        next += 1;
                    }
                    Some(Err(error)) => {
                        assert!(matches!(error.kind(), ErrorKind::Fault | ErrorKind::Corrupt));
                        cut += 1;
                        break;
                    }
                    None => break,
                }
            }
            whole += usize::from(next == 100);
        }
        // SAFETY: kills this test's own child.
        unsafe { libc::kill(storm, libc::SIGKILL) };
        wait(storm);
        assert!(whole > 0 && cut > 0, "{whole} whole, {cut} cut");
    });
}

#[test]
fn no_room_is_an_error_at_the_append() {
    in_child(|| {
        let folder = mount_point();
        mount("small", &folder, c"tmpfs", "size=1m").unwrap();
        let path = folder.join("log");
        let log = AppendLog::open(&path).unwrap();
        let mut count = 0;
        let error = loop {
            match log.append(&record(count)) {
                Ok(_) => count += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(error.raw_os_error(), Some(libc::ENOSPC), "{error}");
        assert!(error.path().is_some());
        assert!(log.append(&record(0)).is_err());
        assert_eq!(log.records().unwrap().map(Result::unwrap).count(), count);

        run_or_skip("mount", &["-o", "remount,size=8m", folder.to_str().unwrap()]);
        for n in count..count + 2000 {
            log.append(&record(n)).unwrap();
        }
        log.close().unwrap();
        for (n, found) in LogReader::open(&path).unwrap().enumerate() {
            assert_eq!(found.unwrap().bytes, record(n));
        }
    });
}
