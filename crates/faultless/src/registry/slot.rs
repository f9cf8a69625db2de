//! One live map as a fault handler sees it, and the state machine that says which
//! of its pages are replaced. The loom tests check it in every order of two
//! handlers, a healer and a reader.
//!
//! Who may do what:
//! * the owner of a map claims a slot, describes its range, and releases it;
//! * a handler pins a slot, [`mark`](Slot::mark)s pages as dead and then
//!   replaces them, in this order;
//! * any thread may [`heal`](Slot::heal), one at a time;
//! * an operation on the map compares [`epoch`](Slot::epoch) before and after.
#![deny(unsafe_code)]

#[cfg(not(loom))]
use std::sync::atomic::{
    AtomicBool, AtomicI32, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering::*, fence,
};

#[cfg(loom)]
use loom::sync::atomic::{
    AtomicBool, AtomicI32, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering::*, fence,
};

#[cfg(loom)]
use std::array;

use super::extent::{Extent, Range};
use crate::fault::FaultReason;

/// How many separate dead parts a slot tells apart. One is enough for a
/// truncated file; scattered disk errors beyond it make everything from the
/// first of them on dead, so that the map areas stay bounded too.
const EXTENTS: usize = if cfg!(loom) { 2 } else { 8 };

/// In the epoch: pages are replaced, or a fault has not been reported yet.
const HURT: usize = 1;
/// In the epoch: something failed not long ago.
const SCARRED: usize = 2;
/// What a fault adds to the epoch.
const FAULT: usize = 4;
/// What a heal adds to the epoch.
const HEAL: usize = 1 << (usize::BITS / 2);

/// One live map. Aligned so that two maps share no cache line.
// In this order: what every operation looks at lies in one line.
#[repr(C, align(128))]
#[derive(Debug)]
pub(crate) struct Slot {
    /// Two bits say how the map is, [`HURT`] and [`SCARRED`]; the rest of the
    /// lower half counts faults and the upper half heals, so that the number
    /// never returns to an old value.
    epoch: AtomicUsize,
    /// Address of the canary's page, or 0: see [`canary`](Self::canary).
    canary: AtomicUsize,
    /// What the canary says while nobody has cut the file.
    song: AtomicU64,
    unreported: AtomicBool,
    healing: AtomicBool,
    /// Faults that went away by themselves since the map was last made whole:
    /// how many, below, and the unit of the last.
    retries: AtomicU32,
    /// How often the last of them was at the same unit.
    repeats: AtomicU32,
    /// Operations since the last failure, while the map is scarred.
    quiet: AtomicU32,
    /// Even: the description below is settled. Odd: it is being changed.
    version: AtomicU32,
    /// Handlers at work in this slot; its map stays mapped until they are out.
    pins: AtomicU32,
    start: AtomicUsize,
    len: AtomicUsize,
    room: AtomicUsize,
    unit: AtomicUsize,
    file_offset: AtomicU64,
    fd: AtomicI32,
    protection: AtomicI32,
    flags: AtomicU8,
    extents: [AtomicU64; EXTENTS],
    reasons: [AtomicU8; EXTENTS],
    first_offset: AtomicUsize,
    first_reason: AtomicU8,
    /// Whether the canary's page failed and was replaced.
    canary_lost: AtomicBool,
    /// The registry's: the slot behind this one in its list of free ones.
    pub(super) next_free: AtomicU32,
}

const FLAG_SHARED: u8 = 1;
const FLAG_REGULAR: u8 = 2;
const FLAG_HUGE: u8 = 4;
const FLAG_DONT_FORK: u8 = 8;

/// What [`Slot::mark`] made of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dead {
    pub(crate) lo: u64,
    pub(crate) hi: u64,
}

macro_rules! slot_new {
    ($extents:expr, $reasons:expr $(, $const:tt)?) => {
        pub(crate) $($const)? fn new() -> Self {
            Self {
                epoch: AtomicUsize::new(0),
                unreported: AtomicBool::new(false),
                healing: AtomicBool::new(false),
                retries: AtomicU32::new(0),
                repeats: AtomicU32::new(0),
                quiet: AtomicU32::new(0),
                version: AtomicU32::new(0),
                pins: AtomicU32::new(0),
                start: AtomicUsize::new(0),
                len: AtomicUsize::new(0),
                room: AtomicUsize::new(0),
                unit: AtomicUsize::new(0),
                file_offset: AtomicU64::new(0),
                fd: AtomicI32::new(-1),
                protection: AtomicI32::new(0),
                flags: AtomicU8::new(0),
                extents: $extents,
                reasons: $reasons,
                first_offset: AtomicUsize::new(0),
                first_reason: AtomicU8::new(0),
                canary: AtomicUsize::new(0),
                song: AtomicU64::new(0),
                canary_lost: AtomicBool::new(false),
                next_free: AtomicU32::new(0),
            }
        }
    };
}

impl Slot {
    #[cfg(not(loom))]
    slot_new!([const { AtomicU64::new(0) }; EXTENTS], [const { AtomicU8::new(0) }; EXTENTS], const);
    #[cfg(loom)]
    slot_new!(array::from_fn(|_| AtomicU64::new(0)), array::from_fn(|_| AtomicU8::new(0)));

    /// The number that an operation compares before and after.
    #[inline(always)]
    pub(crate) fn epoch(&self) -> usize {
        self.epoch.load(Acquire)
    }

    /// Whether the map was whole, with nothing to report, at `epoch`.
    #[inline(always)]
    pub(crate) fn was_whole(epoch: usize) -> bool {
        epoch & HURT == 0
    }

    /// Whether, besides, nothing had failed for a while.
    #[inline(always)]
    pub(crate) fn is_sound(epoch: usize) -> bool {
        epoch & (HURT | SCARRED) == 0
    }

    /// Notes that the file was found too short, though no page failed.
    pub(crate) fn scar(&self) {
        self.quiet.store(0, Relaxed);
        self.epoch.fetch_or(SCARRED, SeqCst);
    }

    /// Counts an operation during which all was well; after many the map is
    /// taken for sound again.
    pub(crate) fn settled(&self) {
        const MANY: u32 = 4096;
        self.retries.store(0, Relaxed);
        if self.quiet.fetch_add(1, Relaxed) < MANY {
            return;
        }
        self.quiet.store(0, Relaxed);
        let epoch = self.epoch.load(SeqCst);
        if epoch & (HURT | SCARRED) == SCARRED {
            let sound = (epoch & !SCARRED).wrapping_add(HEAL);
            let _ = self.epoch.compare_exchange(epoch, sound, SeqCst, SeqCst);
        }
    }

    /// Whether pages can have failed and been mapped back between two epochs: what
    /// was stored to them meanwhile is gone.
    pub(crate) fn failed_and_healed(before: usize, after: usize) -> bool {
        let failed = before % HEAL / FAULT != after % HEAL / FAULT;
        failed && before / HEAL != after / HEAL
    }

    /// Runs `work`, which may change the mapping and [`describe`](Self::describe)
    /// it anew, while no handler is at work in this slot: the ones that are have
    /// finished, and others pass it by.
    pub(crate) fn exclusively<R>(&self, work: impl FnOnce() -> R) -> R {
        self.version.fetch_add(1, SeqCst);
        fence(SeqCst);
        while self.pins.load(SeqCst) != 0 {
            wait();
        }
        let result = work();
        self.version.fetch_add(1, SeqCst);
        result
    }

    /// Says what the slot's map is from now on, all of it freshly mapped. To be
    /// called [exclusively](Self::exclusively).
    pub(crate) fn describe(&self, range: &Range) {
        for extent in &self.extents {
            extent.store(Extent::NONE.0, Relaxed);
        }
        self.unreported.store(false, Relaxed);
        self.retries.store(0, Relaxed);
        self.start.store(range.start, Relaxed);
        self.len.store(range.len, Relaxed);
        self.room.store(range.room, Relaxed);
        self.unit.store(range.unit, Relaxed);
        self.file_offset.store(range.file_offset, Relaxed);
        self.fd.store(range.fd, Relaxed);
        self.protection.store(range.protection, Relaxed);
        let flag = |on, bit| if on { bit } else { 0 };
        self.flags.store(
            flag(range.shared, FLAG_SHARED)
                | flag(range.regular, FLAG_REGULAR)
                | flag(range.huge, FLAG_HUGE),
            Relaxed,
        );
        let epoch = self.epoch.load(Relaxed);
        if !Self::is_sound(epoch) {
            self.epoch.store((epoch & !(HURT | SCARRED)).wrapping_add(HEAL), Release);
        }
    }

    /// Says that the map has grown or shrunk where it is. Handlers at work go on
    /// with either length: what is new is mapped before this, and what is gone
    /// stays mapped, so that both are right. Who touched it before it was gone may
    /// come to the handler later: it stays in the room.
    pub(crate) fn set_len(&self, len: usize) {
        self.room.fetch_max(self.len.load(Relaxed).max(len), SeqCst);
        self.len.store(len, SeqCst);
    }

    /// The pages are not inherited by a child process, which must not take
    /// faults at these addresses for ours.
    pub(crate) fn set_dont_fork(&self, on: bool) {
        if on {
            self.flags.fetch_or(FLAG_DONT_FORK, Relaxed);
        } else {
            self.flags.fetch_and(!FLAG_DONT_FORK, Relaxed);
        }
    }

    pub(crate) fn set_protection(&self, protection: i32) {
        self.protection.store(protection, SeqCst);
    }

    /// In a child after `fork`: the other threads, and what they were doing,
    /// do not exist here.
    pub(super) fn after_fork(&self) {
        self.pins.store(0, Relaxed);
        self.healing.store(false, Relaxed);
        if self.flags.load(Relaxed) & FLAG_DONT_FORK != 0 {
            self.len.store(0, Relaxed);
            self.room.store(0, Relaxed);
        }
    }

    /// Whether it has no map, or an empty one.
    pub(super) fn is_empty(&self) -> bool {
        self.len.load(Relaxed) == 0
    }

    /// The slot's description, by any thread that knows that its map lives.
    pub(crate) fn range(&self) -> Range {
        let flags = self.flags.load(Relaxed);
        Range {
            start: self.start.load(Relaxed),
            len: self.len.load(Relaxed),
            room: self.room.load(Relaxed),
            unit: self.unit.load(Relaxed),
            file_offset: self.file_offset.load(Relaxed),
            fd: self.fd.load(Relaxed),
            protection: self.protection.load(Relaxed),
            shared: flags & FLAG_SHARED != 0,
            regular: flags & FLAG_REGULAR != 0,
            huge: flags & FLAG_HUGE != 0,
        }
    }

    /// Runs `work` with the slot pinned if `address` is in its map, or in its
    /// canary. Called by handlers.
    pub(crate) fn pin<R>(&self, address: usize, work: impl FnOnce(&Range) -> R) -> Option<R> {
        let version = self.version.load(SeqCst);
        let contains = || {
            let start = self.start.load(Relaxed);
            let len = self.len.load(Relaxed).max(self.room.load(Relaxed));
            address >= start && address - start < len || self.is_canary(address)
        };
        if version % 2 != 0 || !contains() {
            return None;
        }
        self.pins.fetch_add(1, SeqCst);
        fence(SeqCst);
        // The owner first makes the version odd and then looks at the pins, and
        // this is the other way round: one of the two sees the other.
        let result = if self.version.load(SeqCst) == version && contains() {
            Some(work(&self.range()))
        } else {
            None
        };
        self.pins.fetch_sub(1, SeqCst);
        result
    }

    /// Counts a fault at unit `at` that may have gone away by itself: a file that
    /// shrank and grew again, say. `false` if it is always the same unit, or if
    /// there were very many since the map was last made whole.
    pub(crate) fn may_retry(&self, at: u64) -> bool {
        const SAME: u32 = 64;
        const MANY: u32 = 0xFFF;
        let at = at as u32 & 0xF_FFFF;
        let last = self.retries.load(Relaxed);
        let (unit, same, all) = (last >> 12 & 0xF_FFFF, self.repeats.load(Relaxed), last & 0xFFF);
        let same = if unit == at { same + 1 } else { 0 };
        self.repeats.store(same, Relaxed);
        self.retries.store(at << 12 | (all + 1).min(0xFFF), Relaxed);
        same < SAME && all < MANY
    }

    /// The canary: a page of the map's own, a private copy of the one that has
    /// the map's last byte, with a word written to it. Whoever cuts the file
    /// below that page takes the copy away too, before any byte of the file
    /// changes, and growing the file again does not bring it back. So if the
    /// word is there after an operation and is still the
    /// [expected](Self::song) one, nobody cut the file meanwhile, except inside
    /// its last page.
    pub(crate) fn canary(&self) -> usize {
        self.canary.load(Acquire)
    }

    /// The word that the canary has while all is well; another one each time it
    /// is written.
    pub(crate) fn song(&self) -> u64 {
        self.song.load(Acquire)
    }

    pub(crate) fn is_canary(&self, address: usize) -> bool {
        let canary = self.canary.load(Relaxed);
        canary != 0 && address >= canary && address - canary < self.unit.load(Relaxed)
    }

    /// Called by a handler before it replaces the canary's page.
    pub(crate) fn lose_canary(&self) {
        self.canary_lost.store(true, SeqCst);
    }

    /// Sets the canary anew. `plant` maps its page, over the old one if there is
    /// one, and `write` writes the word. Whether it stands.
    pub(crate) fn plant_canary(
        &self,
        word: u64,
        plant: impl FnOnce(usize) -> Option<usize>,
        write: impl FnOnce(usize),
    ) -> bool {
        if self.healing.swap(true, SeqCst) {
            return false;
        }
        self.canary_lost.store(false, SeqCst);
        // A handler that is still about to replace the old page would put a page
        // there that nobody takes away.
        let planted = if self.pins.load(SeqCst) == 0 { plant(self.canary()) } else { None };
        if let Some(page) = planted {
            self.canary.store(page, SeqCst);
            write(page);
        }
        let stands = planted.is_some() && !self.canary_lost.load(SeqCst);
        self.song.store(if stands { word } else { !word }, SeqCst);
        self.healing.store(false, SeqCst);
        stands
    }

    /// Gives the canary's page to the caller, who unmaps it.
    pub(crate) fn take_canary(&self) -> usize {
        self.canary.swap(0, SeqCst)
    }

    /// A page failed and is there again: what an operation has read meanwhile may
    /// be zeros of a file that was too short.
    pub(crate) fn disturb(&self) {
        self.quiet.store(0, Relaxed);
        let disturbed = |epoch: usize| Some((epoch | SCARRED).wrapping_add(FAULT));
        let _ = self.epoch.fetch_update(SeqCst, SeqCst, disturbed);
    }

    /// Says that the units `lo..hi` are dead, before they are replaced.
    /// `offset` is the byte in the map that failed. Returns what to replace:
    /// at least `lo..hi`, more if there were too many separate dead parts.
    pub(crate) fn mark(
        &self,
        range: &Range,
        lo: u64,
        hi: u64,
        offset: usize,
        reason: FaultReason,
    ) -> Dead {
        self.first_offset.store(offset, Relaxed);
        self.first_reason.store(reason as u8, Relaxed);
        self.unreported.store(true, SeqCst);
        let dead = self.mark_extent(range, lo, hi, reason);
        self.quiet.store(0, Relaxed);
        // Another number than before, whatever it was.
        let mut epoch = self.epoch.load(SeqCst);
        loop {
            let next = (epoch | HURT | SCARRED).wrapping_add(FAULT);
            match self.epoch.compare_exchange_weak(epoch, next, SeqCst, SeqCst) {
                Ok(_) => return dead,
                Err(now) => epoch = now,
            }
        }
    }

    fn mark_extent(&self, range: &Range, lo: u64, hi: u64, reason: FaultReason) -> Dead {
        // One that it touches grows; else a free one is taken.
        for pass in 0..2 {
            for (word, said) in self.extents.iter().zip(&self.reasons) {
                let mut now = Extent(word.load(SeqCst));
                loop {
                    let new = if now.is_none() && pass == 1 {
                        Extent::new(lo, hi)
                    } else if !now.is_none() && now.lo() <= hi && lo <= now.hi() {
                        Extent::new(now.lo().min(lo), now.hi().max(hi))
                    } else {
                        break;
                    };
                    match word.compare_exchange(now.0, new.0, SeqCst, SeqCst) {
                        Ok(_) => {
                            said.store(reason as u8, Relaxed);
                            return Dead { lo, hi };
                        }
                        Err(other) => now = Extent(other),
                    }
                }
            }
        }
        // Too many: everything from the first dead part on is given up.
        let units = range.units();
        let lowest = self
            .extents
            .iter()
            .map(|word| Extent(word.load(SeqCst)))
            .filter(|extent| !extent.is_none())
            .map(Extent::lo)
            .fold(lo, u64::min);
        self.reasons[0].store(reason as u8, Relaxed);
        let mut now = Extent(self.extents[0].load(SeqCst));
        loop {
            let first = if now.is_none() { lowest } else { lowest.min(now.lo()) };
            let all = Extent::new(first, units);
            match self.extents[0].compare_exchange(now.0, all.0, SeqCst, SeqCst) {
                Ok(_) => {
                    return Dead { lo: first, hi: units };
                }
                Err(other) => now = Extent(other),
            }
        }
    }

    /// How many units to replace for a fault at unit `at` that is not a
    /// truncation: one, and twice as many each time the faults go on where the
    /// last dead part ended.
    pub(crate) fn widened(&self, range: &Range, at: u64) -> u64 {
        let before = self
            .extents
            .iter()
            .map(|word| Extent(word.load(Relaxed)))
            .find(|extent| !extent.is_none() && extent.hi() == at)
            .map_or(1, |extent| extent.hi() - extent.lo());
        before.min(range.units() - at).max(1)
    }

    /// The first dead part that the bytes `start..end` of the mapping touch:
    /// its first byte, and why.
    pub(crate) fn damage(&self, start: usize, end: usize) -> Option<(usize, FaultReason)> {
        let range = self.range();
        self.extents
            .iter()
            .zip(&self.reasons)
            .filter_map(|(word, reason)| {
                let extent = Extent(word.load(SeqCst));
                let (lo, hi) = range.bytes(extent.lo(), extent.hi());
                (!extent.is_none() && lo < end && start < hi)
                    .then(|| (lo.max(start), FaultReason::from_u8(reason.load(Relaxed))))
            })
            .min_by_key(|&(lo, _)| lo)
    }

    /// Takes the fault that has not been reported, if there is one: the byte of
    /// the mapping that failed, and why. The caller reports it.
    pub(crate) fn take_unreported(&self) -> Option<(usize, FaultReason)> {
        self.unreported.swap(false, SeqCst).then(|| self.last())
    }

    /// The fault that has not been reported, left for somebody else to report.
    pub(crate) fn unreported(&self) -> Option<(usize, FaultReason)> {
        self.unreported.load(SeqCst).then(|| self.last())
    }

    fn last(&self) -> (usize, FaultReason) {
        let reason = FaultReason::from_u8(self.first_reason.load(Relaxed));
        (self.first_offset.load(Relaxed), reason)
    }

    /// Tries to make the map whole. `restore(lo, hi, reason)` maps the file
    /// back over the units from `lo` and returns the unit up to which it did.
    /// Another thread that is healing makes this return at once.
    pub(crate) fn heal(&self, mut restore: impl FnMut(u64, u64, FaultReason) -> u64) {
        if self.healing.compare_exchange(false, true, SeqCst, SeqCst).is_err() {
            return;
        }
        let mut epoch = self.epoch.load(SeqCst);
        let mut disturbed = false;
        for (word, reason) in self.extents.iter().zip(&self.reasons) {
            let seen = Extent(word.load(SeqCst));
            if seen.is_none() {
                continue;
            }
            // A handler that marks this extent from now on sets the bit again,
            // and the exchange below fails. One that marked it before is still
            // pinned if it has not yet replaced the pages.
            let dead = seen.untouched();
            if word.compare_exchange(seen.0, dead.0, SeqCst, SeqCst).is_err()
                || self.pins.load(SeqCst) != 0
            {
                continue;
            }
            let reason = FaultReason::from_u8(reason.load(Relaxed));
            let up_to = restore(dead.lo(), dead.hi(), reason);
            if up_to > dead.lo() {
                let rest = if up_to >= dead.hi() {
                    Extent::NONE
                } else {
                    Extent::new(up_to, dead.hi()).untouched()
                };
                // Before the extent shrinks: an operation that began when it
                // was dead and looks for damage when it is not has to notice.
                let before = self.epoch.fetch_add(HEAL, SeqCst);
                disturbed |= before != epoch;
                epoch = before.wrapping_add(HEAL);
                let _ = word.compare_exchange(dead.0, rest.0, SeqCst, SeqCst);
            }
        }
        let whole = self.extents.iter().all(|word| Extent(word.load(SeqCst)).is_none());
        let settled = whole && !disturbed && !Self::was_whole(epoch);
        if settled && !self.unreported.load(SeqCst) {
            self.retries.store(0, Relaxed);
            // Fails if a handler marked anything meanwhile.
            let healed = (epoch & !HURT).wrapping_add(HEAL);
            let _ = self.epoch.compare_exchange(epoch, healed, SeqCst, SeqCst);
        }
        self.healing.store(false, SeqCst);
    }
}

#[cfg(not(loom))]
fn wait() {
    std::thread::yield_now();
}

#[cfg(loom)]
fn wait() {
    loom::thread::yield_now();
}
