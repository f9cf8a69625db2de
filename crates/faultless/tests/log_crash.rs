//! A log whose programs are killed: no record is lost whose append had returned,
//! and none is torn.
#![cfg(all(feature = "log", target_os = "linux"))]
#![allow(clippy::unwrap_used)]

mod fault_support;

use std::collections::HashMap;
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use fault_support::child::{fork_running, in_child, skip, wait};
use faultless::{Access, AppendLog, AppendLogOptions, LogReader, Map, MapOptions};

/// Programs that append at the same time.
const WRITERS: usize = 3;
const EACH: usize = 16;

/// How many times a program is killed: so many in a few seconds; for many more,
/// set the variable.
fn kills() -> usize {
    std::env::var("FAULTLESS_LOG_KILLS").map_or(200, |kills| kills.parse().unwrap())
}

/// A record that says whose it is, its number, and what has to follow.
fn record(writer: u64, number: u64) -> Vec<u8> {
    let mut state = writer << 32 ^ number ^ 0x9E37_79B9_7F4A_7C15;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let len = match next() % 100 {
        0 => next() % 20_000,
        _ => next() % 200,
    };
    let mut bytes = [writer.to_le_bytes(), number.to_le_bytes()].concat();
    bytes.extend((0..len).map(|_| next() as u8));
    bytes
}

fn number_of(bytes: &[u8]) -> (u64, u64) {
    let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    (number(0), number(8))
}

/// Whose record a process is to append next, and how many it has appended, in
/// memory that outlives it.
struct Acknowledged(Map);

impl Acknowledged {
    fn new() -> Self {
        Self(MapOptions::new().len(WRITERS * EACH).shared(true).map_anonymous().unwrap())
    }

    fn of(&self, writer: u64) -> u64 {
        self.0.load_ne(writer as usize * EACH).unwrap()
    }

    fn set(&self, writer: u64, count: u64) {
        self.0.store_ne(writer as usize * EACH, count).unwrap();
    }
}

/// Appends until it is killed, beginning behind what is in the log.
fn append_for_ever(log: &AppendLog, writer: u64, from: u64, acknowledged: &Acknowledged) -> i32 {
    for number in from.. {
        if log.append(&record(writer, number)).is_err() {
            return 1;
        }
        acknowledged.set(writer, number + 1);
    }
    0
}

fn signal<'a>(children: impl Iterator<Item = &'a i32>, signal: i32) {
    for pid in children {
        // SAFETY: sends a signal to this test's own child.
        assert_eq!(unsafe { libc::kill(*pid, signal) }, 0);
    }
}

/// Checks every record that has come since the last time, and says how many of
/// each writer there are.
fn check(reader: &mut LogReader, counts: &mut [u64; WRITERS]) {
    let mut bytes = Vec::new();
    while reader.read_next(&mut bytes).unwrap().is_some() {
        let (writer, number) = number_of(&bytes);
        let next = &mut counts[writer as usize];
        assert_eq!(number, *next, "the next record of writer {writer}");
        assert_eq!(bytes, record(writer, number), "record {number} of writer {writer}");
        *next += 1;
    }
}

/// The programs at work, by their writers. None is left, stopped, by a test that
/// fails.
struct Running(HashMap<u64, i32>);

impl Drop for Running {
    fn drop(&mut self) {
        signal(self.0.values(), libc::SIGKILL);
        self.0.values().for_each(|&pid| {
            wait(pid);
        });
    }
}

/// A reader of the log, which is there as soon as anything has been appended.
fn opened(path: &Path, acknowledged: &Acknowledged) -> Option<LogReader> {
    match LogReader::open(path) {
        Err(_) if (0..WRITERS as u64).all(|writer| acknowledged.of(writer) == 0) => None,
        reader => Some(reader.unwrap()),
    }
}

fn kill_at_random(options: &AppendLogOptions, path: &Path) {
    let acknowledged = Acknowledged::new();
    let mut counts = [0; WRITERS];
    let mut reader = None;
    let mut running = Running(HashMap::new());
    let mut random = 0x1234_5678_9ABC_DEF1_u64;
    for turn in 0.. {
        // Where the processor is slow it takes more, until each has been at work.
        if turn >= kills() + WRITERS && !counts.contains(&0) {
            break;
        }
        let writer = (turn % WRITERS) as u64;
        if let Some(pid) = running.0.remove(&writer) {
            signal([pid].iter(), libc::SIGKILL);
            assert_eq!(wait(pid) & 0x7F, libc::SIGKILL, "it was at work until then");
            // The others are faster than a reader who checks.
            signal(running.0.values(), libc::SIGSTOP);
            if reader.is_none() {
                reader = opened(path, &acknowledged);
            }
            // One that had been whole, and its return unseen, was not begun again.
            let acknowledged = acknowledged.of(writer).max(counts[writer as usize]);
            if let Some(reader) = &mut reader {
                check(reader, &mut counts);
            }
            signal(running.0.values(), libc::SIGCONT);
            let count = counts[writer as usize];
            // The last append may have been whole, and its return unseen.
            assert!(count == acknowledged || count == acknowledged + 1, "{acknowledged}: {count}");
        }
        let from = counts[writer as usize];
        let pid = fork_running(|| match options.open(path) {
            Ok(log) => append_for_ever(&log, writer, from, &acknowledged),
            Err(_) => 2,
        });
        running.0.insert(writer, pid);
        random = random.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
        std::thread::sleep(Duration::from_micros(random >> 40 & 0x1FF));
    }
    drop(running);
    check(reader.as_mut().unwrap(), &mut counts);
    // From the beginning, nothing else is there.
    if let Ok(mut whole) = LogReader::open(path) {
        let mut again = [0; WRITERS];
        check(&mut whole, &mut again);
        assert_eq!(again, counts);
    }
    assert!(counts.iter().all(|&count| count > 0));
}

#[test]
fn killed_at_random() {
    in_child(|| {
        let folder = tempfile::tempdir().unwrap();
        kill_at_random(&AppendLogOptions::new(), &folder.path().join("log"));
    });
}

#[test]
fn killed_at_random_while_rotating() {
    in_child(|| {
        let folder = tempfile::tempdir().unwrap();
        let options = AppendLogOptions::new().rotate(30_000, 100_000).clone();
        kill_at_random(&options, &folder.path().join("log"));
    });
}

#[test]
fn killed_at_random_while_closing() {
    in_child(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let acknowledged = Acknowledged::new();
        let (mut counts, mut reader) = ([0; WRITERS], None);
        // One goes on while the other opens and closes the log all the time.
        let steady = fork_running(|| match AppendLog::open(&path) {
            Ok(log) => append_for_ever(&log, 0, 0, &acknowledged),
            Err(_) => 2,
        });
        for turn in 0..kills() as u64 {
            let from = counts[1];
            let pid = fork_running(|| {
                for number in from.. {
                    let Ok(log) = AppendLog::open(&path) else { return 2 };
                    if log.append(&record(1, number)).is_err() || log.close().is_err() {
                        return 1;
                    }
                    acknowledged.set(1, number + 1);
                }
                0
            });
            std::thread::sleep(Duration::from_micros(turn * 7919 % 2500));
            // However slow the machine is, it gets somewhere now and then.
            let started = Instant::now();
            while turn % 10 == 0 && acknowledged.of(1) <= from && started.elapsed().as_secs() < 10 {
                std::thread::sleep(Duration::from_millis(1));
            }
            signal([pid].iter(), libc::SIGKILL);
            assert_eq!(wait(pid) & 0x7F, libc::SIGKILL, "it was at work until then");
            if reader.is_none() && !path.exists() {
                continue;
            }
            signal([steady].iter(), libc::SIGSTOP);
            let steadily = acknowledged.of(0);
            check(reader.get_or_insert_with(|| LogReader::open(&path).unwrap()), &mut counts);
            let acknowledged = acknowledged.of(1).max(from);
            signal([steady].iter(), libc::SIGCONT);
            assert!(counts[0] >= steadily, "{} of {steadily}", counts[0]);
            let count = counts[1];
            assert!(count == acknowledged || count == acknowledged + 1, "{acknowledged}: {count}");
        }
        signal([steady].iter(), libc::SIGKILL);
        assert_eq!(wait(steady) & 0x7F, libc::SIGKILL);
        assert!(counts[0] > 0 && counts[1] > 0);
    });
}

/// A child that is about to do its work, and does it an instruction at a time.
struct Traced(i32);

impl Traced {
    fn new(work: impl FnOnce() -> i32) -> Self {
        let pid = fork_running(|| {
            // SAFETY: asks to be traced by the parent, and stops.
            unsafe {
                if libc::ptrace(libc::PTRACE_TRACEME) != 0 {
                    return 3;
                }
                libc::raise(libc::SIGSTOP);
            }
            work()
        });
        let status = wait(pid);
        if libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 3 {
            skip("this process may not trace another");
        }
        Self(pid)
    }

    /// Lets it execute an instruction; whether it goes on.
    fn step(&self) -> bool {
        // SAFETY: moves this test's own child on by an instruction.
        let moved = unsafe { libc::ptrace(libc::PTRACE_SINGLESTEP, self.0, 0, 0) };
        if moved != 0 {
            skip("this processor cannot go by single instructions");
        }
        let status = wait(self.0);
        if libc::WIFEXITED(status) {
            assert_eq!(libc::WEXITSTATUS(status), 0);
        }
        !libc::WIFEXITED(status)
    }

    fn step_until(&self, mut there: impl FnMut() -> bool) {
        let started = Instant::now();
        while !there() {
            assert!(self.step(), "it has ended already");
            assert!(started.elapsed() < Duration::from_secs(60), "it goes on for ever");
        }
    }

    /// Lets it go, and waits for its end.
    fn finish(self) {
        // SAFETY: lets this test's own child go.
        assert_eq!(unsafe { libc::ptrace(libc::PTRACE_DETACH, self.0, 0, 0) }, 0);
        let status = wait(self.0);
        assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "{status:#x}");
    }
}

/// Runs `work` in a child an instruction at a time, and hands every state of the
/// file at `path` to `check`: what a kill at that instruction would leave.
fn at_every_instruction(path: &Path, work: impl FnOnce(), mut check: impl FnMut(&[u8])) -> usize {
    let child = Traced::new(|| {
        work();
        0
    });
    let file = File::open(path).unwrap();
    let (mut before, mut now) = (Vec::new(), vec![0; 1 << 13]);
    let (mut states, started) = (0, Instant::now());
    loop {
        let running = child.step();
        let len = file.read_at(&mut now, 0).unwrap();
        if now[..len] != before[..] {
            before.clear();
            before.extend_from_slice(&now[..len]);
            check(&before);
            states += 1;
        }
        if !running {
            return states;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "it goes on for ever");
    }
}

fn records_in(path: &Path) -> Vec<Vec<u8>> {
    LogReader::open(path).unwrap().map(|record| record.unwrap().bytes).collect()
}

#[test]
fn killed_at_every_instruction_of_an_append() {
    in_child(|| {
        let folder = tempfile::tempdir().unwrap();
        let path: PathBuf = folder.path().join("log");
        let copy = folder.path().join("copy");
        let log = AppendLog::open(&path).unwrap();
        // Short of what the first pages hold, so that a state is a few bytes.
        let records: Vec<_> = (0..4_u8).map(|n| vec![n + 1; 500]).collect();
        log.append(&records[0]).unwrap();
        // The count stands in the file's reserve, where it is part of the state.
        let file = File::options().write(true).open(&path).unwrap();
        let reserve = MapOptions::new().access(Access::Write).open(&path).unwrap();
        const COUNT: usize = 8000;
        let mut seen = [0; 5];
        let states = at_every_instruction(
            &path,
            || {
                for (done, record) in records.iter().enumerate().skip(1) {
                    if log.append(record).is_err() || reserve.set(COUNT, done as u8 + 1).is_err() {
                        return;
                    }
                }
            },
            |state| {
                let mut state = state.to_vec();
                let acknowledged = usize::from(std::mem::take(&mut state[COUNT])).max(1);
                fs::write(&copy, &state).unwrap();
                let found = records_in(&copy);
                assert_eq!(found[..], records[..found.len()]);
                assert!((acknowledged..=acknowledged + 1).contains(&found.len()));
                seen[found.len()] += 1;
                // And the log goes on.
                AppendLog::open(&copy).unwrap().append(b"after").unwrap();
                let after = records_in(&copy);
                assert_eq!(after[..found.len()], found);
                assert_eq!(after[found.len()..], [b"after"]);
            },
        );
        drop(file);
        assert!(states >= 12, "{states}");
        // Claimed, filled and committed: every record was seen to come.
        assert!(seen[1..].iter().all(|&states| states >= 2), "{seen:?}");
    });
}

#[test]
fn forked_children_wait_for_no_thread_of_their_parent() {
    in_child(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let log = AppendLog::open(&path).unwrap();
        let long = vec![b'x'; 1 << 20];
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !stop.load(Relaxed) {
                        log.append(&long).unwrap();
                        log.sync().unwrap();
                    }
                });
            }
            for _ in 0..20 {
                std::thread::sleep(Duration::from_millis(2));
                let child = fork_running(|| {
                    // SAFETY: ends this child, if it waits for ever.
                    unsafe { libc::alarm(20) };
                    // More than the file has room for, so that it has to grow.
                    let appended = (0..8).all(|_| log.append(&long).is_ok());
                    i32::from(!(appended && log.read(log.append(b"child").unwrap()).is_ok()))
                });
                let status = wait(child);
                stop.store(status != 0, Relaxed);
                assert_eq!(status, 0, "a child waited for ever, or failed");
            }
            stop.store(true, Relaxed);
        });
        log.close().unwrap();
        let children = records_in(&path).iter().filter(|record| *record == b"child").count();
        assert_eq!(children, 20);
    });
}

#[test]
fn forked_children_inherit_a_closed_log() {
    in_child(|| {
        let folder = tempfile::tempdir().unwrap();
        let log = AppendLog::open(folder.path().join("log")).unwrap();
        log.close().unwrap();
        let child = fork_running(|| i32::from(!log.is_closed() || log.append(b"late").is_ok()));
        assert_eq!(wait(child), 0);
    });
}

/// While an append has found room for its record, and not claimed it yet, the log is
/// closed, which cuts the room off, and somebody who goes on with less room is killed.
#[test]
fn closed_and_killed_between_the_instructions_of_an_append() {
    in_child(|| {
        const LEN: usize = 600_000;
        for instructions in (0..10_000).step_by(900) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("log");
            let [log, closed, killed] = [(); 3].map(|()| AppendLog::open(&path).unwrap());
            closed.append(b"first").unwrap();
            let record = vec![7; LEN];
            let appending = Traced::new(|| i32::from(log.append(&record).is_err()));
            let killed = Traced::new(|| i32::from(killed.append(b"killed").is_err()));
            let file = File::open(&path).unwrap();
            let len = || file.metadata().unwrap().len();
            appending.step_until(|| len() > LEN as u64 && !is_locked(&path));
            (0..instructions).for_each(|_| assert!(appending.step()));

            closed.close().unwrap();
            let (end, mut mark, mut now) = (len() - 8, [0; 8], [0; 8]);
            file.read_exact_at(&mut mark, end).unwrap();
            killed.step_until(|| {
                file.read_exact_at(&mut now, end).unwrap();
                now != mark
            });
            signal([killed.0].iter(), libc::SIGKILL);
            assert_eq!(wait(killed.0) & 0x7F, libc::SIGKILL);
            appending.finish();
            assert_eq!(records_in(&path), [&b"first"[..], &record]);
            AppendLog::open(&path).unwrap().append(b"last").unwrap();
            assert_eq!(records_in(&path), [&b"first"[..], &record, b"last"]);
        }
    });
}

/// Whether somebody has the lock on a file.
fn is_locked(path: &Path) -> bool {
    let file = File::open(path).unwrap();
    // SAFETY: locks a file, until it is closed.
    unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) != 0 }
}
