//! Work on several threads whose results come in order.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// How many tasks may be begun, for each thread, before the first of them has been
/// dealt with: so many results are kept.
const AHEAD: usize = 8;

/// As many threads as the system has processors for.
pub(crate) fn threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

struct State<I> {
    tasks: I,
    taken: usize,
    dealt: usize,
    stop: bool,
}

/// Does `work` for each task, on several threads, and has `each` deal with the
/// results on this one, in the tasks' order. An error of `each` is the end.
pub(crate) fn ordered<T, R: Send, E>(
    threads: usize,
    tasks: impl Iterator<Item = T> + Send,
    work: impl Fn(T) -> R + Sync,
    mut each: impl FnMut(R) -> Result<(), E>,
) -> Result<(), E> {
    if threads < 2 {
        for task in tasks {
            each(work(task))?;
        }
        return Ok(());
    }
    let state = Mutex::new(State { tasks, taken: 0, dealt: 0, stop: false });
    let (room, most) = (Condvar::new(), threads * AHEAD);
    let run = |results: Sender<(usize, R)>| {
        loop {
            let mut now = lock(&state);
            while now.taken >= now.dealt + most && !now.stop {
                now = room.wait(now).unwrap_or_else(PoisonError::into_inner);
            }
            if now.stop {
                break;
            }
            let Some(task) = now.tasks.next() else { break };
            let nth = now.taken;
            now.taken += 1;
            drop(now);
            if results.send((nth, work(task))).is_err() {
                break;
            }
        }
    };
    let (send, results) = channel();
    thread::scope(|scope| {
        let started = (0..threads)
            .map_while(|_| {
                let (send, run) = (send.clone(), &run);
                thread::Builder::new().spawn_scoped(scope, move || run(send)).ok()
            })
            .count();
        if started == 0 {
            let mut now = lock(&state);
            return now.tasks.by_ref().try_for_each(|task| each(work(task)));
        }
        drop(send);
        let dealt = deal(&results, |result| {
            let dealt = each(result);
            lock(&state).dealt += 1;
            room.notify_all();
            dealt
        });
        lock(&state).stop = true;
        room.notify_all();
        dealt
    })
}

fn deal<R, E>(
    results: &Receiver<(usize, R)>,
    mut each: impl FnMut(R) -> Result<(), E>,
) -> Result<(), E> {
    let mut early = BTreeMap::new();
    let mut next = 0;
    for (nth, result) in results {
        early.insert(nth, result);
        while let Some(result) = early.remove(&next) {
            next += 1;
            each(result)?;
        }
    }
    Ok(())
}

fn lock<I>(state: &Mutex<State<I>>) -> MutexGuard<'_, State<I>> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order() {
        for threads in [1, 2, 5] {
            let mut seen = Vec::new();
            let work = |n: u64| {
                thread::sleep(std::time::Duration::from_micros(n * 7919 % 100));
                n
            };
            let done: Result<(), ()> = ordered(threads, 0..200, work, |n| {
                seen.push(n);
                Ok(())
            });
            assert_eq!(done, Ok(()));
            assert!(seen.into_iter().eq(0..200));
        }
    }

    #[test]
    fn an_error_ends_it() {
        for threads in [1, 3] {
            let mut seen = 0;
            let done = ordered(
                threads,
                0..,
                |n: u64| n,
                |n| {
                    seen += 1;
                    if n == 10 { Err(n) } else { Ok(()) }
                },
            );
            assert_eq!((done, seen), (Err(10), 11));
        }
    }
}
