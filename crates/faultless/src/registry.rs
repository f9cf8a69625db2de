//! The registry of live maps: what a fault handler may read.
//!
//! Everything here is atomics: a signal handler can interrupt any instruction
//! of any thread, so there is no lock to hold, nothing is allocated on its side
//! and nothing is thread-local. `ARCHITECTURE.md` tells the protocol as a whole.
#![allow(unsafe_code)]

mod extent;
mod slot;

#[cfg(not(loom))]
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering::*};

#[cfg(loom)]
use loom::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering::*};

#[cfg(loom)]
use std::{array, sync::LazyLock};

pub(crate) use extent::Range;
pub(crate) use slot::Slot;

/// Slots in chunks that double, so that a slot never moves and the handler
/// finds all of them without a lock.
pub(crate) struct Registry {
    chunks: [AtomicPtr<Slot>; CHUNKS],
    /// Slots that were ever handed out; the handler looks at these.
    used: AtomicU32,
    /// Head of the list of free slots: index + 1 below, a count above that
    /// changes with every exchange, so that a stale head is noticed.
    free: AtomicU64,
}

const FIRST_CHUNK: u32 = if cfg!(loom) { 2 } else { 64 };
/// Enough for two billion maps; Linux allows 65,530 unless told otherwise.
const CHUNKS: usize = 26;

#[cfg(not(loom))]
pub(crate) static REGISTRY: Registry = Registry {
    chunks: [const { AtomicPtr::new(std::ptr::null_mut()) }; CHUNKS],
    used: AtomicU32::new(0),
    free: AtomicU64::new(0),
};

/// The slot of every map that no fault can change: it is always whole.
#[cfg(not(loom))]
pub(crate) static WHOLE: Slot = Slot::new();

// The models have registries of their own; these only let the crate compile.
#[cfg(loom)]
pub(crate) static REGISTRY: LazyLock<Registry> = LazyLock::new(Registry::new);
#[cfg(loom)]
pub(crate) static WHOLE: LazyLock<Slot> = LazyLock::new(Slot::new);

impl Registry {
    #[cfg(loom)]
    fn new() -> Self {
        Self {
            chunks: array::from_fn(|_| AtomicPtr::new(std::ptr::null_mut())),
            used: AtomicU32::new(0),
            free: AtomicU64::new(0),
        }
    }

    /// Chunk and place in it of the slot number `index`.
    fn place(index: u32) -> (usize, usize) {
        let nth = index / FIRST_CHUNK + 1;
        let chunk = nth.ilog2();
        let first = ((1 << chunk) - 1) * FIRST_CHUNK;
        (chunk as usize, (index - first) as usize)
    }

    fn slot(&self, index: u32) -> Option<&'static Slot> {
        let (chunk, place) = Self::place(index);
        let slots = self.chunks[chunk].load(Acquire);
        // SAFETY: a chunk is published whole, has room for `place`, and is
        // never freed.
        (!slots.is_null()).then(|| unsafe { &*slots.add(place) })
    }

    /// A slot for a map of the caller's, or `None` if memory is short.
    pub(crate) fn claim(&self) -> Option<(u32, &'static Slot)> {
        let mut head = self.free.load(Acquire);
        while head as u32 != 0 {
            let index = head as u32 - 1;
            let slot = self.slot(index)?;
            let next = (head >> 32).wrapping_add(1) << 32 | u64::from(slot.next_free.load(Relaxed));
            match self.free.compare_exchange_weak(head, next, SeqCst, Acquire) {
                Ok(_) => return Some((index, slot)),
                Err(now) => head = now,
            }
        }
        let index = self.used.fetch_add(1, Relaxed);
        let (chunk, _) = Self::place(index);
        self.ensure(chunk)?;
        Some((index, self.slot(index)?))
    }

    fn ensure(&self, chunk: usize) -> Option<()> {
        let place = self.chunks.get(chunk)?;
        if !place.load(Acquire).is_null() {
            return Some(());
        }
        let count = (FIRST_CHUNK as usize) << chunk;
        let mut slots = Vec::new();
        slots.try_reserve_exact(count).ok()?;
        slots.extend(std::iter::repeat_with(Slot::new).take(count));
        let slots = Box::into_raw(slots.into_boxed_slice()).cast::<Slot>();
        let null = std::ptr::null_mut();
        if place.compare_exchange(null, slots, SeqCst, Acquire).is_err() {
            // SAFETY: these are the slots that were leaked above, and nobody
            // else has seen them.
            drop(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(slots, count)) });
        }
        Some(())
    }

    /// Gives a slot back. Its map is unmapped by `unmap`, when no handler works
    /// in it any more and none will.
    pub(crate) fn release(&self, index: u32, slot: &Slot, unmap: impl FnOnce()) {
        slot.exclusively(|| {
            unmap();
            slot.describe(&Range::default());
        });
        let mut head = self.free.load(Relaxed);
        loop {
            slot.next_free.store(head as u32, Relaxed);
            let next = (head >> 32).wrapping_add(1) << 32 | u64::from(index + 1);
            match self.free.compare_exchange_weak(head, next, SeqCst, Relaxed) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }

    /// Runs `work` on the slot whose map contains `address`, pinned.
    pub(crate) fn with_slot<R>(
        &self,
        address: usize,
        work: impl Fn(&Slot, &Range) -> R,
    ) -> Option<R> {
        (0..self.used.load(Acquire))
            .filter_map(|index| self.slot(index))
            .find_map(|slot| slot.pin(address, |range| work(slot, range)))
    }

    /// Whether any map is registered.
    pub(crate) fn is_empty(&self) -> bool {
        (0..self.used.load(Acquire)).filter_map(|index| self.slot(index)).all(Slot::is_empty)
    }

    /// To be called in a child process right after `fork`.
    pub(crate) fn after_fork(&self) {
        (0..self.used.load(Acquire))
            .filter_map(|index| self.slot(index))
            .for_each(Slot::after_fork);
    }
}

#[cfg(all(test, loom))]
mod loom_tests;
