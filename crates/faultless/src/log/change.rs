//! Who has a log's tail: appending shares it; mapping the file anew, or the next one,
//! is done by one alone.

use std::sync::atomic::Ordering;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::AppendLog;
use super::files::shift;
use super::frame::{WORD, Word};
use super::tail::{Attempt, Tail};
use crate::error::{Error, ErrorKind, Result};
use crate::fault::FaultReason;
use crate::map::page_size;
use crate::range::round_up;

#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "a log has one, and an append has no time to look elsewhere"
)]
pub(super) enum State {
    Open(Tail),
    /// In a forked child: to be opened when it is needed.
    Inherited,
    Closed,
}

/// The least and the most that a log grows by, in bytes; in between it doubles.
const LEAST_STEP: u64 = 256 << 10;
const MOST_STEP: u64 = 64 << 20;

impl AppendLog {
    #[inline]
    pub(super) fn state(&self) -> &RwLock<State> {
        self.tail.lock(|parents| match parents {
            Some(State::Closed) => State::Closed,
            Some(State::Open(tail)) => tail.again(&self.path).map_or(State::Inherited, State::Open),
            Some(State::Inherited) | None => State::Inherited,
        })
    }

    pub(super) fn tail(&self, operation: &'static str) -> Result<Open<RwLockReadGuard<'_, State>>> {
        loop {
            let state = self.state().read().unwrap_or_else(PoisonError::into_inner);
            if !matches!(*state, State::Inherited) {
                return Ok(Open(state, operation));
            }
            drop(state);
            self.tail_alone(operation)?;
        }
    }

    pub(super) fn tail_alone(
        &self,
        operation: &'static str,
    ) -> Result<Open<RwLockWriteGuard<'_, State>>> {
        let mut state = self.state().write().unwrap_or_else(PoisonError::into_inner);
        if matches!(*state, State::Inherited) {
            *state = State::Open(Tail::open(&self.path)?);
        }
        Ok(Open(state, operation))
    }

    /// Changes the tail, unless it is no more the mapping `turn`, which there was
    /// something to do about.
    pub(super) fn change<R>(
        &self,
        turn: usize,
        change: impl FnOnce(&mut Tail) -> Result<R>,
    ) -> Result<Option<R>> {
        let mut tail = self.tail_alone("append")?;
        let tail = tail.get_mut()?;
        if tail.turn == turn { change(tail).map(Some) } else { Ok(None) }
    }

    /// Makes the file at least `len` bytes long, and maps it as long as it is: the
    /// one place where a log grows. Then runs `work`, while nobody else can change
    /// the file's length. `None`: the log is to be looked at again first.
    #[cold]
    pub(super) fn make_room<R>(
        &self,
        turn: usize,
        len: usize,
        work: impl FnOnce(&Tail) -> R,
    ) -> Result<Option<R>> {
        let done = self.change(turn, |tail| {
            let Some(lock) = tail.lock(&self.path)? else {
                // Somebody moved or removed the file: the log goes on at its path.
                tail.finish_without_lock(&self.path)?;
                return tail.reopen(&self.path).map(|()| None);
            };
            let now = lock.len(&self.path)?;
            tail.check_len(now)?;
            if now < len as u64 {
                let step = now.clamp(LEAST_STEP, MOST_STEP);
                let wanted = (now + step).min(self.most() as u64).max(len as u64);
                let page = page_size() as u64;
                lock.grow(&self.path, now, round_up(wanted, page))?;
            }
            tail.remap(&self.path)?;
            Ok(Some(work(tail)))
        });
        done.map(Option::flatten)
    }

    #[cold]
    pub(super) fn catch_up(&self, turn: usize, end: usize) -> Result<()> {
        self.change(turn, |tail| tail.catch_up(&self.path, end)).map(drop)
    }

    /// Maps the file again after an operation failed, if that was perhaps because
    /// others cut off what they did not need; else the error stands.
    #[cold]
    pub(super) fn look_again(&self, turn: usize, error: Error) -> Result<()> {
        // The file may have the old length again by now.
        let cut = error.fault().is_some_and(|fault| fault.reason == FaultReason::Truncated);
        let look = |tail: &mut Tail| {
            if !cut && tail.part.map.file_len()? == tail.part.map.len() as u64 {
                return Err(error);
            }
            let _lock = tail.lock(&self.path)?;
            tail.remap(&self.path)
        };
        self.change(turn, look).map(drop)
    }

    /// Goes on in a new file: of another program, if that was faster.
    #[cold]
    pub(super) fn rotate(&self, turn: usize) -> Result<()> {
        let rotate = |tail: &mut Tail| {
            let Some(lock) = tail.lock(&self.path)? else {
                tail.finish_without_lock(&self.path)?;
                return tail.reopen(&self.path);
            };
            tail.remap(&self.path)?;
            let end = match tail.find_end()?.0 {
                Attempt::Rotated => tail.end.load(Ordering::Relaxed),
                _ => match tail.seal(Word::Rotated)? {
                    Some(end) => end,
                    None => return Ok(()),
                },
            };
            lock.trim(&self.path, (end + WORD) as u64)?;
            // Without a rotation of its own, it finishes one that another program
            // was killed in.
            let keep = self.options.rotation.map_or(u32::MAX, |rotation| rotation.keep);
            shift(&self.path, keep)?;
            tail.reopen(&self.path)
        };
        self.change(turn, rotate).map(drop)
    }
}

/// The tail of a log that is being used, unless it is closed.
pub(super) struct Open<G>(G, &'static str);

impl<G: std::ops::Deref<Target = State>> Open<G> {
    #[inline]
    pub(super) fn get(&self) -> Result<&Tail> {
        match &*self.0 {
            State::Open(tail) => Ok(tail),
            State::Inherited | State::Closed => Err(closed(self.1)),
        }
    }

    pub(super) fn get_mut(&mut self) -> Result<&mut Tail>
    where
        G: std::ops::DerefMut,
    {
        match &mut *self.0 {
            State::Open(tail) => Ok(tail),
            State::Inherited | State::Closed => Err(closed(self.1)),
        }
    }
}

#[cold]
fn closed(operation: &'static str) -> Error {
    Error::new(ErrorKind::Closed, operation, "the log has been closed")
}
