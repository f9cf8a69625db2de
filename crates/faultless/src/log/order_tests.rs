//! Appends in every order of their steps: what an attempt found is acted upon
//! after any number of others have gone on, rotated, closed and opened the log.

use super::*;

/// Threads that append, each to one of two logs of the same file.
const THREADS: usize = 5;
/// What comes after the threads in a schedule: other things that are done.
const OTHERS: usize = 3;

type Found = (Result<Attempt>, usize);

#[derive(Default)]
struct Thread {
    appended: u32,
    found: Option<Found>,
}

fn record(thread: usize, nth: u32, len: usize) -> Vec<u8> {
    let mut record = vec![thread as u8; 5 + len];
    record[1..5].copy_from_slice(&nth.to_le_bytes());
    record
}

/// Goes on with an append as far as a thread does without being interrupted where
/// another one might come first.
fn step(log: &AppendLog, index: usize, thread: &mut Thread, len: usize) {
    let record = record(index, thread.appended, len);
    let done = match thread.found.take() {
        Some((attempt, turn)) => log.settle(attempt, turn, &record).unwrap(),
        None => match log.attempt(&record).unwrap() {
            (Ok(Attempt::Done(offset)), _) => Some(offset),
            found => {
                thread.found = Some(found);
                None
            }
        },
    };
    thread.appended += u32::from(done.is_some());
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(50))]
    #[test]
    fn appends_in_any_order_of_their_steps(
        steps in proptest::collection::vec(0..THREADS + OTHERS, 1..120),
        most in proptest::sample::select(vec![200, 400, 5000, usize::MAX]),
        lens in proptest::collection::vec(proptest::sample::select(vec![0, 30, 90, 3000]), THREADS),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let options = AppendLogOptions::new().rotate(most, 1000).clone();
        let logs = [options.open(&path).unwrap(), options.open(&path).unwrap()];
        let mut threads: [Thread; THREADS] = Default::default();
        let mut visits = 0;
        for step_of in steps {
            match step_of {
                index if index < THREADS => {
                    step(&logs[index % 2], index, &mut threads[index], lens[index]);
                }
                THREADS => logs[0].sync().unwrap(),
                index => {
                    let log = options.open(&path).unwrap();
                    // Short of its own append, or not.
                    if index % 2 == 0 {
                        log.append(&record(THREADS, visits, 10)).unwrap();
                        visits += 1;
                    }
                    log.close().unwrap();
                }
            }
        }
        for (index, thread) in threads.iter_mut().enumerate() {
            for _ in 0..PATIENCE {
                if thread.found.is_some() {
                    step(&logs[index % 2], index, thread, lens[index]);
                }
            }
            assert!(thread.found.is_none());
        }
        let mut counts = [0; THREADS + 1];
        for found in logs[1].records().unwrap() {
            let bytes = found.unwrap().bytes;
            let thread = usize::from(bytes[0]);
            let len = lens.get(thread).copied().unwrap_or(10);
            assert_eq!(bytes, record(thread, counts[thread], len));
            counts[thread] += 1;
        }
        let appended = threads.iter().map(|thread| thread.appended).chain([visits]);
        assert!(appended.eq(counts));
    }
}
