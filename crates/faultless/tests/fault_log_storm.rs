//! A log whose file another process cuts all the time, and on a full disk: with
//! `fork` and file systems of the test's own, as Linux has them.
#![cfg(all(feature = "log", target_os = "linux"))]
#![allow(clippy::unwrap_used)]

mod fault_support;

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use fault_support::child::{fork_running, in_child, wait};
use fault_support::disks::{mount, mount_point, run_or_skip};
use faultless::{AppendLog, ErrorKind, LogReader};

fn record(n: usize) -> Vec<u8> {
    (0..1000).map(|at| (n + at) as u8 | 1).collect()
}

/// Somebody cuts the file and puts it back all the time.
#[test]
fn a_storm_of_cuts() {
    in_child(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let log = AppendLog::open(&path).unwrap();
        (0..100).for_each(|n| assert!(log.append(&record(n)).is_ok()));
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
                        let expected = [ErrorKind::Fault, ErrorKind::Corrupt];
                        assert!(expected.contains(&error.kind()), "{error}");
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
