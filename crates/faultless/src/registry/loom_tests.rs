//! The state machine in every order that the memory model allows, with at most
//! a few changes of thread. Run by `.ci/loom.sh`.
//!
//! The pages are modelled: each is of the file or replaced with zeros, and the
//! file has a length. Touching a page of the file behind its end runs the
//! handler, in the thread that touched it, as the signal does.

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU8, AtomicUsize, fence};
use loom::thread;

use super::*;
use crate::fault::FaultReason;

const START: usize = 4096;
/// What a page of the file shows, and a replaced one.
const FILE: u8 = 7;
const ZERO: u8 = 0;

struct World<const PAGES: usize> {
    slot: Slot,
    pages: [AtomicU8; PAGES],
    file_len: AtomicUsize,
}

impl<const PAGES: usize> World<PAGES> {
    fn new() -> Arc<Self> {
        let slot = Slot::new();
        slot.exclusively(|| slot.describe(&Self::range()));
        let pages = std::array::from_fn(|_| AtomicU8::new(FILE));
        Arc::new(Self { slot, pages, file_len: AtomicUsize::new(PAGES) })
    }

    fn range() -> Range {
        Range { start: START, len: PAGES, unit: 1, fd: 3, regular: true, ..Range::default() }
    }

    fn run<R: 'static>(
        world: &Arc<Self>,
        work: impl FnOnce(&Self) -> R + 'static,
    ) -> thread::JoinHandle<R> {
        let world = Arc::clone(world);
        thread::spawn(move || work(&world))
    }

    /// Reads a byte as code does that knows nothing of the guard.
    fn touch(&self, page: usize) -> u8 {
        loop {
            if self.pages[page].load(SeqCst) == ZERO {
                return ZERO;
            }
            if page < self.file_len.load(SeqCst) {
                return FILE;
            }
            let handled = self.slot.pin(START + page, |range| self.handle(range, page));
            assert!(handled.is_some(), "a fault in a live map is handled");
        }
    }

    fn handle(&self, range: &Range, page: usize) {
        let end = self.file_len.load(SeqCst);
        // Grown back: the access is tried again.
        if page < end {
            return;
        }
        let (lo, hi) = (end as u64, PAGES as u64);
        let dead = self.slot.mark(range, lo, hi, page, FaultReason::Truncated);
        for page in dead.lo..dead.hi {
            self.pages[page as usize].store(ZERO, SeqCst);
        }
    }

    fn heal(&self) {
        self.slot.heal(|lo, hi, _| {
            let up_to = hi.min(self.file_len.load(SeqCst) as u64).max(lo);
            for page in lo..up_to {
                self.pages[page as usize].store(FILE, SeqCst);
            }
            up_to
        });
    }

    /// An operation that reads a page, as `Guard` has it: the byte, or `None`
    /// for an error.
    fn read(&self, page: usize) -> Option<u8> {
        let mut epoch = self.slot.epoch();
        if !Slot::was_whole(epoch) {
            let pending = self.slot.take_unreported();
            self.heal();
            epoch = self.slot.epoch();
            if pending.is_some() || self.slot.damage(page, page + 1).is_some() {
                return None;
            }
        }
        let byte = self.touch(page);
        fence(Acquire);
        let now = self.slot.epoch();
        let lost = now != epoch
            && (self.slot.damage(page, page + 1).is_some()
                || Slot::failed_and_healed(epoch, self.slot.epoch()));
        (!lost).then_some(byte)
    }

    fn assert_file(&self, page: usize) {
        if let Some(byte) = self.read(page) {
            assert_eq!(byte, FILE, "a replaced page was taken for the file's");
        }
    }

    /// When all is quiet: a map that says it is whole has no replaced page, one
    /// that is not says so, and with the file whole it can be made whole.
    fn assert_settled(&self) {
        let replaced = (0..PAGES).filter(|&page| self.pages[page].load(SeqCst) == ZERO);
        for page in replaced {
            assert!(!Slot::was_whole(self.slot.epoch()), "whole with page {page} replaced");
            assert!(self.slot.damage(page, page + 1).is_some(), "page {page} is not known");
        }
        self.file_len.store(PAGES, SeqCst);
        self.slot.take_unreported();
        self.heal();
        assert!(Slot::was_whole(self.slot.epoch()));
        assert!((0..PAGES).all(|page| self.pages[page].load(SeqCst) == FILE));
        assert_eq!(self.slot.damage(0, PAGES), None);
    }
}

fn model(work: impl Fn() + Sync + Send + 'static) {
    model_with(3, work);
}

/// Models are large: few changes of thread show nearly every mistake, and those
/// with three threads take minutes for each more than `changes`.
fn model_with(changes: usize, work: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    let asked = builder.preemption_bound.unwrap_or(changes);
    builder.preemption_bound = Some(asked.min(changes));
    builder.check(work);
}

#[test]
fn loom_a_reader_never_takes_a_replaced_page_for_the_files() {
    model_with(2, || {
        let world = World::<1>::new();
        let cutter = World::run(&world, |world| {
            world.file_len.store(0, SeqCst);
            world.touch(0);
            world.file_len.store(1, SeqCst);
        });
        let healer = World::run(&world, World::heal);
        world.assert_file(0);
        cutter.join().unwrap();
        healer.join().unwrap();
        world.assert_settled();
    });
}

/// Two operations, one of which heals for the other.
#[test]
fn loom_readers_that_heal_for_each_other() {
    model(|| {
        let world = World::<1>::new();
        world.file_len.store(0, SeqCst);
        world.touch(0);
        world.file_len.store(1, SeqCst);
        let reader = World::run(&world, |world| world.assert_file(0));
        world.assert_file(0);
        world.file_len.store(0, SeqCst);
        world.assert_file(0);
        reader.join().unwrap();
        world.assert_settled();
    });
}

#[test]
fn loom_two_handlers_and_a_healer_never_lose_a_replaced_page() {
    model_with(2, || {
        let world = World::<2>::new();
        world.file_len.store(1, SeqCst);
        let first = World::run(&world, |world| {
            world.touch(1);
        });
        let second = World::run(&world, |world| {
            world.file_len.store(0, SeqCst);
            world.touch(0);
            world.file_len.store(2, SeqCst);
        });
        world.slot.take_unreported();
        world.heal();
        first.join().unwrap();
        second.join().unwrap();
        world.assert_settled();
    });
}

/// A fault in a part that is known to be dead and is being mapped back.
#[test]
fn loom_a_fault_where_a_healer_is_at_work() {
    model_with(2, || {
        let world = World::<2>::new();
        world.file_len.store(0, SeqCst);
        world.touch(1);
        world.slot.take_unreported();
        world.file_len.store(2, SeqCst);
        let healer = World::run(&world, World::heal);
        let cutter = World::run(&world, |world| {
            world.file_len.store(1, SeqCst);
            world.touch(1);
        });
        world.assert_file(1);
        healer.join().unwrap();
        cutter.join().unwrap();
        world.assert_settled();
    });
}

/// Whoever asks at any moment: whole means that no page is replaced.
#[test]
fn loom_whole_is_never_said_of_a_map_with_replaced_pages() {
    model(|| {
        let world = World::<1>::new();
        let cutter = World::run(&world, |world| {
            world.file_len.store(0, SeqCst);
            world.touch(0);
            world.slot.take_unreported();
            world.file_len.store(1, SeqCst);
            world.heal();
        });
        let epoch = world.slot.epoch();
        let byte = world.pages[0].load(SeqCst);
        fence(Acquire);
        if Slot::was_whole(epoch) && world.slot.epoch() == epoch {
            assert_eq!(byte, FILE);
        }
        cutter.join().unwrap();
        world.assert_settled();
    });
}

struct Owned {
    slot: Slot,
    /// What a handler uses and the owner takes away.
    mapping: UnsafeCell<bool>,
}

#[test]
fn loom_a_map_is_not_unmapped_under_a_handler() {
    model(|| {
        let slot = Slot::new();
        slot.exclusively(|| slot.describe(&World::<1>::range()));
        let owned = Arc::new(Owned { slot, mapping: UnsafeCell::new(true) });
        let handler = {
            let owned = Arc::clone(&owned);
            thread::spawn(move || {
                owned.slot.pin(START, |range| {
                    // SAFETY: loom checks that nobody writes it meanwhile.
                    owned.mapping.with(|mapped| assert!(unsafe { *mapped }));
                    owned.slot.mark(range, 0, 1, 0, FaultReason::Truncated);
                });
            })
        };
        owned.slot.exclusively(|| {
            // SAFETY: loom checks that nobody reads it meanwhile.
            owned.mapping.with_mut(|mapped| unsafe { *mapped = false });
            owned.slot.describe(&Range::default());
        });
        handler.join().unwrap();
        assert!(Slot::was_whole(owned.slot.epoch()));
        assert!(owned.slot.pin(START, |_| ()).is_none());
    });
}

/// A handler sees all of a description or none of it.
#[test]
fn loom_a_handler_never_sees_two_maps_at_once() {
    model(|| {
        let slot = Slot::new();
        slot.exclusively(|| slot.describe(&World::<1>::range()));
        let slot = Arc::new(slot);
        let handler = {
            let slot = Arc::clone(&slot);
            thread::spawn(move || {
                slot.pin(START, |range| {
                    assert!(matches!((range.len, range.file_offset), (1, 0) | (2, 2)), "{range:?}");
                });
            })
        };
        let moved = Range { len: 2, file_offset: 2, ..World::<1>::range() };
        slot.exclusively(|| slot.describe(&moved));
        handler.join().unwrap();
    });
}

/// Claims two slots, which nobody else may have then, and gives them back, the
/// first one first: the head of the free ones is then what it was, and what
/// follows it is not.
fn claim_and_release(registry: &Registry, owners: &[UnsafeCell<u32>]) {
    let (first, first_slot) = registry.claim().expect("memory is not short");
    // SAFETY: loom checks that nobody else uses it meanwhile.
    owners[first as usize].with_mut(|owner| unsafe { *owner += 1 });
    let (second, second_slot) = registry.claim().expect("memory is not short");
    assert_ne!(first, second);
    registry.release(first, first_slot, || ());
    // SAFETY: as above.
    owners[second as usize].with_mut(|owner| unsafe { *owner += 1 });
    registry.release(second, second_slot, || ());
}

#[test]
fn loom_no_slot_is_handed_out_twice() {
    model_with(2, || {
        let registry = Arc::new(Registry::new());
        let owners: Arc<[UnsafeCell<u32>; 4]> =
            Arc::new(std::array::from_fn(|_| UnsafeCell::new(0)));
        let both = [registry.claim().unwrap(), registry.claim().unwrap()];
        for (index, slot) in both {
            registry.release(index, slot, || ());
        }
        let other = {
            let (registry, owners) = (Arc::clone(&registry), Arc::clone(&owners));
            thread::spawn(move || claim_and_release(&registry, &*owners))
        };
        claim_and_release(&registry, &*owners);
        other.join().unwrap();
        registry.free_chunks();
    });
}

#[test]
fn loom_two_threads_make_the_first_chunk() {
    model(|| {
        let registry = Arc::new(Registry::new());
        let other = {
            let registry = Arc::clone(&registry);
            thread::spawn(move || registry.claim().unwrap().0)
        };
        let mine = registry.claim().unwrap().0;
        assert_ne!(mine, other.join().unwrap());
        registry.free_chunks();
    });
}

impl Registry {
    /// Gives back what is never freed otherwise, at the end of a model.
    fn free_chunks(&self) {
        for (nth, chunk) in self.chunks.iter().enumerate() {
            let slots = chunk.load(SeqCst);
            if !slots.is_null() {
                let count = (FIRST_CHUNK as usize) << nth;
                let slots = std::ptr::slice_from_raw_parts_mut(slots, count);
                // SAFETY: leaked by `ensure`, and nobody uses them any more.
                drop(unsafe { Box::from_raw(slots) });
            }
        }
    }
}
