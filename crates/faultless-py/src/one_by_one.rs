//! What a forked child must not wait for.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::{Mutex, PoisonError};

use crate::forks;

/// What one thread uses at a time. A forked child has a copy of it, but not the
/// thread that used it at that moment, which would never give it back.
#[derive(Debug)]
pub(crate) struct OneByOne<T> {
    /// The process, and below that how many of its threads use this or want to.
    threads: AtomicU64,
    /// Gone only while it is dropped.
    value: Option<Mutex<T>>,
}

const THREADS: u64 = u32::MAX as u64;

impl<T> OneByOne<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self { threads: AtomicU64::new(0), value: Some(Mutex::new(value)) }
    }

    /// How many threads of this process use it or want to. `None`: one did that
    /// the process has not got.
    fn threads(word: u64) -> Option<u64> {
        let threads = word & THREADS;
        (threads == 0 || word >> 32 == u64::from(forks::count())).then_some(threads)
    }

    /// Runs `work` with it when it is free. `None`: it never will be.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> Option<R> {
        let process = u64::from(forks::count()) << 32;
        let joined = |word| Some(process | (Self::threads(word)? + 1));
        self.threads.fetch_update(Acquire, Acquire, joined).ok()?;
        let value = self.value.as_ref()?;
        let result = work(&mut value.lock().unwrap_or_else(PoisonError::into_inner));
        self.threads.fetch_sub(1, Release);
        Some(result)
    }
}

impl<T> Drop for OneByOne<T> {
    fn drop(&mut self) {
        if Self::threads(*self.threads.get_mut()).is_none() {
            // Half changed, perhaps.
            std::mem::forget(self.value.take());
        }
    }
}
