//! What a `mmap` object holds, and who may use it when.
//!
//! Operations share the map; closing and resizing have it alone. A short
//! operation runs attached to the interpreter and, where there is a global lock,
//! needs nothing else to keep others out. A long one counts itself in and runs
//! detached, so that other threads go on; who wants the map alone waits until
//! the count is zero. Without the global lock every operation counts itself in.
#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::mem::ManuallyDrop;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicUsize, Ordering::*};
use std::time::Duration;

use faultless::Map;
use pyo3::exceptions::PyBufferError;
use pyo3::prelude::*;

use crate::errors;
use crate::forks;
use crate::glue::{self, Outcome, Raised};

/// From how many bytes on an operation runs detached. Copying or searching this
/// much takes several times as long as detaching and attaching (40 ns).
pub(crate) const LONG: usize = 64 << 10;

/// Whether threads run at the same time while attached.
pub(super) const PARALLEL: bool = cfg!(Py_GIL_DISABLED);

/// `users`: somebody has the map alone.
const ALONE: usize = usize::MAX;

/// Bit of `users`: somebody wants the map alone. Operations that would count
/// themselves in wait, or those of a busy thread would keep him out for ever.
const WANTED: usize = 1 << (usize::BITS - 1);

pub(crate) struct Mmap {
    /// Gone when `closed`.
    map: UnsafeCell<ManuallyDrop<Map>>,
    /// Operations that use the map without the global lock, or `ALONE`.
    users: AtomicUsize,
    /// The [process](forks) whose operations `users` counts: a forked child has none of
    /// its parent's.
    process: AtomicU32,
    /// Then `users` is and stays `ALONE`.
    closed: AtomicBool,
    exports: AtomicUsize,
    /// How often it has been exported.
    handed_out: AtomicU32,
    position: AtomicUsize,
    /// One of `ACCESS_*`, as the constructor settled it.
    pub(crate) access: i32,
    /// Whether the file is kept, or would be if there were one.
    pub(crate) tracked: bool,
    /// Offset in the file as it was asked for, in bytes.
    pub(crate) offset: u64,
    /// The absolute path that the file was opened by, if it was.
    pub(crate) path: Option<Box<Path>>,
    /// The characters of its tag, with the zero at their end; 0 without one.
    #[cfg(windows)]
    pub(crate) tag_len: usize,
}

// SAFETY: the map is only changed by who has it alone.
unsafe impl Sync for Mmap {}

/// A use of the map, counted where it has to be.
pub(crate) struct Use<'a> {
    mmap: &'a Mmap,
    counted: bool,
}

impl std::ops::Deref for Use<'_> {
    type Target = Map;

    #[inline(always)]
    fn deref(&self) -> &Map {
        // SAFETY: nobody has the map alone while it is in use: see `enter`.
        unsafe { &*self.mmap.map.get() }
    }
}

impl Drop for Use<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.counted {
            self.mmap.users.fetch_sub(1, Release);
        }
    }
}

impl Mmap {
    pub(crate) fn new(map: Map, access: i32, tracked: bool, offset: u64) -> Self {
        Self {
            map: UnsafeCell::new(ManuallyDrop::new(map)),
            users: AtomicUsize::new(0),
            process: AtomicU32::new(0),
            closed: AtomicBool::new(false),
            exports: AtomicUsize::new(0),
            handed_out: AtomicU32::new(0),
            position: AtomicUsize::new(0),
            access,
            tracked,
            offset,
            path: None,
            #[cfg(windows)]
            tag_len: 0,
        }
    }

    /// The map, for code that does not run Python's. `ValueError` if it is
    /// closed.
    #[inline(always)]
    pub(crate) fn enter(&self, py: Python<'_>) -> Outcome<Use<'_>> {
        if PARALLEL {
            return self.count_in(py);
        }
        if self.users.load(Acquire) == ALONE {
            self.wait(py, &|users| users != ALONE)?;
        }
        Ok(Use { mmap: self, counted: false })
    }

    /// The map, if it can be had at once.
    #[inline(always)]
    pub(crate) fn ready(&self) -> Option<Use<'_>> {
        let ready = !PARALLEL && self.users.load(Acquire) != ALONE;
        ready.then_some(Use { mmap: self, counted: false })
    }

    #[inline]
    fn count_in(&self, py: Python<'_>) -> Outcome<Use<'_>> {
        let mut users = self.users.load(Relaxed);
        loop {
            if users & WANTED != 0 {
                self.wait(py, &|users| users & WANTED == 0)?;
                users = self.users.load(Relaxed);
                continue;
            }
            match self.users.compare_exchange_weak(users, users + 1, Acquire, Relaxed) {
                Ok(_) => {
                    return Ok(Use { mmap: self, counted: true });
                }
                Err(now) => users = now,
            }
        }
    }

    /// Runs `work` on the map, detached if `bytes`, which it touches, are many.
    #[inline(always)]
    pub(crate) fn run<R: Send>(
        &self,
        py: Python<'_>,
        bytes: usize,
        work: impl FnOnce(&Map) -> R + Send,
    ) -> Outcome<R> {
        if bytes < LONG {
            return Ok(work(&*self.enter(py)?));
        }
        self.run_detached(py, work)
    }

    #[inline(never)]
    fn run_detached<R: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&Map) -> R + Send,
    ) -> Outcome<R> {
        let using = self.count_in(py)?;
        self.process.store(forks::count(), Relaxed);
        let map = &*using;
        Ok(py.detach(|| work(map)))
    }

    /// Runs `work` with the map to itself, detached. `refuse` is the message of
    /// the `BufferError` if memory of the map is exported.
    pub(crate) fn alone<R: Send>(
        &self,
        py: Python<'_>,
        refuse: &'static str,
        work: impl FnOnce(&mut Map) -> R + Send,
    ) -> Outcome<R> {
        let mut turn = self.turn(py)?;
        self.check_exports(refuse)?;
        let map = turn.map();
        Ok(py.detach(|| work(map)))
    }

    /// As `alone`, for work that leaves exported memory where it is.
    pub(crate) fn in_turn<R: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut Map) -> R + Send,
    ) -> Outcome<R> {
        let mut turn = self.turn(py)?;
        let map = turn.map();
        Ok(py.detach(|| work(map)))
    }

    fn check_exports(&self, refuse: &'static str) -> Outcome<()> {
        if self.is_exported() { Err(PyBufferError::new_err(refuse).into()) } else { Ok(()) }
    }

    /// Waits for the map to itself.
    fn turn(&self, py: Python<'_>) -> Outcome<Turn<'_>> {
        loop {
            self.users.fetch_or(WANTED, Relaxed);
            if self.users.compare_exchange(WANTED, ALONE, Acquire, Relaxed).is_ok() {
                break;
            }
            // Whoever had the map alone took the bit away with his turn.
            let turn = |users| users == WANTED || users & WANTED == 0;
            if let Err(raised) = self.wait(py, &turn) {
                // Another one that waits sets it again, but not while one is alone.
                let given_up = |users| (users != ALONE).then_some(users & !WANTED);
                let _ = self.users.fetch_update(Relaxed, Relaxed, given_up);
                return Err(raised);
            }
        }
        self.process.store(forks::count(), Relaxed);
        Ok(Turn(self))
    }

    /// Waits, detached, until `users` is as wanted. A signal whose handler
    /// raises, such as Ctrl-C, ends it, and so does the end of the map.
    #[cold]
    #[inline(never)]
    fn wait(&self, py: Python<'_>, wanted: &dyn Fn(usize) -> bool) -> Outcome<()> {
        let mut pause = Duration::from_micros(20);
        loop {
            let users = self.users.load(Acquire);
            if self.closed.load(Relaxed) {
                return Err(errors::closed());
            }
            if wanted(users) {
                return Ok(());
            }
            if self.process.load(Relaxed) != forks::count() {
                // Those were threads of the parent process.
                let _ = self.users.compare_exchange(users, 0, Acquire, Relaxed);
                continue;
            }
            py.detach(|| std::thread::sleep(pause));
            py.check_signals()?;
            pause = (pause * 2).min(Duration::from_millis(1));
        }
    }

    /// Closes the map, when nobody uses it any more. Closing twice is allowed.
    pub(crate) fn close(&self, py: Python<'_>) -> Outcome<()> {
        const REFUSE: &str = "cannot close exported pointers exist";
        if self.closed.load(Relaxed) {
            return Ok(());
        }
        match self.turn(py) {
            Ok(mut turn) => {
                self.check_exports(REFUSE)?;
                if turn.map().len() < LONG {
                    // Faster than detaching.
                    turn.close();
                } else {
                    py.detach(|| turn.close());
                }
                Ok(())
            }
            // Another thread was faster.
            Err(raised) if self.is_closed() => {
                raised.clear();
                Ok(())
            }
            Err(raised) => Err(raised),
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Relaxed)
    }

    /// Where the next `read` begins.
    #[inline(always)]
    pub(crate) fn position(&self) -> usize {
        self.position.load(Relaxed)
    }

    #[inline(always)]
    pub(crate) fn set_position(&self, position: usize) {
        self.position.store(position, Relaxed);
    }

    /// Moves the position, if it is still where it was.
    #[inline(always)]
    pub(crate) fn advance(&self, from: usize, to: usize) -> bool {
        if PARALLEL {
            self.position.compare_exchange(from, to, Relaxed, Relaxed).is_ok()
        } else {
            let same = self.position.load(Relaxed) == from;
            if same {
                self.position.store(to, Relaxed);
            }
            same
        }
    }

    /// Moves the position, right after it was asked for: as `advance`, but with a
    /// global lock nobody can have been faster.
    #[inline(always)]
    pub(crate) fn claim(&self, from: usize, to: usize) -> bool {
        if PARALLEL {
            return self.advance(from, to);
        }
        self.position.store(to, Relaxed);
        true
    }

    /// Moves the position back after an operation that failed, unless somebody
    /// moved it since.
    #[cold]
    #[inline(never)]
    pub(crate) fn unclaim(&self, from: usize, to: usize, error: faultless::Error) -> Raised {
        self.advance(to, from);
        errors::raised(error)
    }

    /// Exported memory: `change` is 1 when it is handed out, -1 when it comes
    /// back.
    #[inline(always)]
    pub(crate) fn export(&self, change: isize) {
        if PARALLEL {
            self.exports.fetch_add(change as usize, AcqRel);
        } else {
            self.exports.store(self.exports.load(Relaxed).wrapping_add_signed(change), Relaxed);
        }
    }

    /// Makes sure that failing pages of exported memory come to the guard, whoever
    /// has installed a handler since: at the map's first export, and then, because
    /// asking takes longer than an export, only now and then.
    #[inline(always)]
    pub(crate) fn look_after_guard(&self) {
        const NOW_AND_THEN: u32 = 16;
        let times = self.handed_out.load(Relaxed);
        self.handed_out.store(times.wrapping_add(1), Relaxed);
        if times % NOW_AND_THEN == 0 {
            look_after_guard(times == 0);
        }
    }

    pub(crate) fn is_exported(&self) -> bool {
        self.exports.load(Acquire) != 0
    }
}

/// The map to oneself, for as long as this is kept.
struct Turn<'a>(&'a Mmap);

impl Turn<'_> {
    fn map(&mut self) -> &mut Map {
        // SAFETY: `users` is `ALONE`, so nobody else has a reference; and the map
        // is there, or nobody would get a turn.
        unsafe { &mut *self.0.map.get() }
    }

    fn close(self) {
        self.0.closed.store(true, Relaxed);
        // SAFETY: as above. Whoever asks for the map from now on is told that it
        // is closed.
        unsafe { ManuallyDrop::drop(&mut *self.0.map.get()) };
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.0.closed.load(Relaxed) {
            self.0.users.store(0, Release);
        }
    }
}

impl Drop for Mmap {
    fn drop(&mut self) {
        if !self.is_closed() {
            // SAFETY: it is there, and nobody has a reference any more.
            unsafe { ManuallyDrop::drop(self.map.get_mut()) };
        }
    }
}

/// Asks whether the guard still gets the signal, unless that was asked a moment
/// ago: some milliseconds, which a clock measures that takes no system call.
#[cold]
#[inline(never)]
fn look_after_guard(always: bool) {
    static LOOKED: AtomicI64 = AtomicI64::new(0);
    let tick = glue::tick();
    if always || tick.is_none_or(|tick| tick != LOOKED.load(Relaxed)) {
        LOOKED.store(tick.unwrap_or(0), Relaxed);
        faultless::ensure_guard();
    }
}

/// Unmapping takes long for a large map: other threads go on meanwhile.
pub(crate) fn dispose(py: Python<'_>, mut mmap: Mmap) {
    if !mmap.is_closed() && mmap.map.get_mut().len() >= LONG {
        py.detach(|| drop(mmap));
    }
}
