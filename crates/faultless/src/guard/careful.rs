//! What the guard does when the fast path does not tell: with the canary, with
//! care on a map that something has happened to, and with what failed.

use super::{Guard, Look};
use crate::error::{Error, Result};
use crate::fault::{Fault, FaultReason};
use crate::map::Map;
use crate::os;
use crate::range::Span;
use crate::registry::Slot;

/// From how many bytes on the system may read so long that a
/// [canary](Slot::canary) planted meanwhile would wait for it.
const LONG: usize = 64 << 10;

impl Guard {
    /// Runs an operation that reads `span` and is not [`quick`](Self::quick), or
    /// was not: `look` does it, and can do it again.
    ///
    /// A file that ends in the middle of the span shows zeros there and a failing
    /// page behind them; but if it grows again before that page is touched,
    /// nothing fails. The canary tells, or, while there is none, care.
    #[inline(never)]
    pub(crate) fn read(
        &self,
        map: &Map,
        operation: &'static str,
        span: Span,
        epoch: usize,
        look: &mut dyn FnMut() -> Look,
    ) -> Result<()> {
        if !Slot::was_whole(epoch) {
            self.report(map, operation)?;
        } else if !self.is_still(epoch) {
            // A fault since then is the operation's own, and judged below.
            self.take_unreported_in(map, span);
        }
        if Slot::is_sound(epoch) && !self.bounded {
            look();
            if self.is_still(epoch) {
                return Ok(());
            }
        } else if Slot::is_sound(epoch) && !map.view.is_in_one_page(span) {
            if let Some(song) = self.song() {
                let seen = look();
                let uncut = os::guard::sings(self.slot, song);
                let certain = seen.last != 0 || self.reaches(map, seen.span, epoch);
                if uncut && certain && self.is_still(epoch) {
                    return Ok(());
                }
            }
        }
        self.read_carefully(map, operation, span, look)
    }

    /// Before the system is asked to read a lot: the canary needs the map's last
    /// page, and would wait for all the others.
    pub(crate) fn watch(&self, span: Span) {
        if span.len() >= LONG {
            self.song();
        }
    }

    /// What the canary sings, planted anew if it is silent. `None`: there is none.
    fn song(&self) -> Option<u64> {
        if !self.watched {
            return None;
        }
        let sings = || Some(self.slot.song()).filter(|&song| os::guard::sings(self.slot, song));
        sings().or_else(|| {
            let range = self.slot.range();
            os::guard::plant_canary(self.slot, &range, self.last_page_in_file);
            sings()
        })
    }

    /// Runs it on a map with a past, or that something is happening to: the
    /// result stands only if two looks agree, the file was long enough after
    /// each, and nothing failed meanwhile.
    #[cold]
    fn read_carefully(
        &self,
        map: &Map,
        operation: &'static str,
        span: Span,
        look: &mut dyn FnMut() -> Look,
    ) -> Result<()> {
        for _ in 0..16 {
            self.heal();
            let epoch = self.slot.epoch();
            let before = if self.watched { reach(map) } else { None };
            // On a file that is too short the canary could not be planted.
            let long_enough = before.is_some_and(|end| end >= map.len());
            let song = if long_enough { self.song() } else { None };
            let mut seen = look();
            // Twice, and each time with all that it depends on there.
            for again in [true, false] {
                if !self.is_still(epoch) {
                    break;
                }
                if let Some(found) = self.damage(map, seen.span) {
                    self.take_unreported_in(map, span);
                    return Err(fault(map, operation, found));
                }
                self.check_end(map, operation, seen.span)?;
                if again {
                    seen = look();
                }
            }
            let uncut = match song {
                Some(song) => os::guard::sings(self.slot, song),
                // Who cuts it and makes it longer between two looks, and again
                // between two others, would not be seen otherwise.
                None => !self.watched || reach(map) == before,
            };
            if self.is_still(epoch) && seen.same && uncut {
                self.slot.settled();
                return Ok(());
            }
            // What failed just now is judged by the next look.
            self.take_unreported_in(map, span);
        }
        // Somebody is changing the file faster than it can be read.
        let start = map.layout.placement.lead + span.start();
        Err(fault(map, operation, (start, FaultReason::Truncated)))
    }

    #[cold]
    pub(super) fn write_carefully(
        &self,
        map: &Map,
        operation: &'static str,
        span: Span,
    ) -> Result<usize> {
        let epoch = self.enter_hurt(map, operation, span)?;
        if map.layout.shared() {
            self.check_end(map, operation, span)?;
        }
        Ok(epoch)
    }

    #[cold]
    pub(super) fn wrote_carefully(
        &self,
        map: &Map,
        operation: &'static str,
        span: Span,
        epoch: usize,
    ) -> Result<()> {
        let found = self.damage(map, span).or_else(|| {
            // What was stored may have been to pages that are gone.
            Slot::failed_and_healed(epoch, self.slot.epoch())
                .then(|| (map.layout.placement.lead + span.start(), FaultReason::Truncated))
        });
        if let Some(found) = found {
            self.take_unreported_in(map, span);
            return Err(fault(map, operation, found));
        }
        if map.layout.shared() {
            self.check_end(map, operation, span)?;
        }
        Ok(())
    }

    /// Before an operation on a map that is not sound: reports what has not been
    /// reported, mends what can be mended, and refuses what is still dead.
    #[cold]
    fn enter_hurt(&self, map: &Map, operation: &'static str, span: Span) -> Result<usize> {
        self.report(map, operation)?;
        let epoch = self.slot.epoch();
        match self.damage(map, span) {
            Some(found) => Err(fault(map, operation, found)),
            None => Ok(epoch),
        }
    }

    /// Reports a fault that has not been reported, and mends what can be mended.
    #[cold]
    fn report(&self, map: &Map, operation: &'static str) -> Result<()> {
        let pending = self.slot.take_unreported();
        self.heal();
        pending.map_or(Ok(()), |found| Err(fault(map, operation, found)))
    }

    #[cold]
    pub(super) fn forget(&self) {
        self.slot.take_unreported();
    }

    /// Asks the file whether it reaches the end of `span`.
    #[cold]
    fn check_end(&self, map: &Map, operation: &'static str, span: Span) -> Result<()> {
        if span.is_empty() || !self.bounded {
            return Ok(());
        }
        match reach(map) {
            Some(reach) if reach < span.end() => {
                self.slot.scar();
                let found = (map.layout.placement.lead + reach, FaultReason::Truncated);
                Err(fault(map, operation, found))
            }
            _ => Ok(()),
        }
    }

    /// Before the system is asked about the pages of `span`, or told to do
    /// something with them: none may be replaced, and the file has to reach them.
    pub(crate) fn present(&self, map: &Map, operation: &'static str, span: Span) -> Result<()> {
        if !self.is_sound() {
            self.enter_hurt(map, operation, span)?;
        }
        self.check_end(map, operation, span)
    }

    fn take_unreported_in(&self, map: &Map, span: Span) {
        let lead = map.layout.placement.lead;
        // A page that fails is noted by its first byte.
        let start = (lead + span.start()) / map.layout.page * map.layout.page;
        let end = lead + span.end();
        if self.slot.unreported().is_some_and(|(offset, _)| start <= offset && offset < end) {
            self.slot.take_unreported();
        }
    }

    /// Before the map is flushed: all of it has to be there. The number goes to
    /// `flushed`.
    pub(crate) fn flush(&self, map: &Map) -> Result<usize> {
        let all = Span::clamped(map.len(), 0, map.len());
        let epoch = self.slot.epoch();
        let epoch = if Slot::is_sound(epoch) { epoch } else { self.enter_hurt(map, "flush", all)? };
        if map.layout.shared() && map.is_writable() {
            self.check_end(map, "flush", all)?;
        }
        Ok(epoch)
    }

    /// After the map was flushed.
    pub(crate) fn flushed(&self, map: &Map, epoch: usize) -> Result<()> {
        if self.is_still(epoch) {
            return Ok(());
        }
        self.enter_hurt(map, "flush", Span::clamped(map.len(), 0, map.len())).map(drop)
    }

    pub(super) fn damage(&self, map: &Map, span: Span) -> Option<(usize, FaultReason)> {
        let lead = map.layout.placement.lead;
        let hit = || self.slot.damage(lead + span.start(), lead + span.end());
        if span.is_empty() { None } else { hit() }
    }

    pub(crate) fn heal(&self) {
        let range = self.slot.range();
        self.slot.heal(|lo, hi, reason| os::guard::restore(self.slot, &range, lo, hi, reason));
    }

    /// Tries to make the map whole; whether it is. What has not been reported
    /// is forgotten: the caller maps anew.
    pub(crate) fn mend(&self) -> bool {
        if !Slot::was_whole(self.slot.epoch()) {
            self.slot.take_unreported();
            self.heal();
        }
        Slot::was_whole(self.slot.epoch())
    }
}

/// Up to which byte of the map its file goes now.
pub(crate) fn reach(map: &Map) -> Option<usize> {
    let len = os::file_len_of(os::raw_file(map.file.as_ref()?))?;
    Some(usize::try_from(len.saturating_sub(map.file_offset())).unwrap_or(usize::MAX))
}

/// What is told of a failed byte of the mapping.
pub(super) fn describe(map: &Map, (offset, reason): (usize, FaultReason)) -> Fault {
    let offset = offset.saturating_sub(map.layout.placement.lead).min(map.len());
    // The pages that failed begin behind the byte that the file ends with, which
    // may be before them by now.
    match reach(map).filter(|_| map.guard.bounded) {
        Some(end) if end <= offset => Fault::new(end, FaultReason::Truncated),
        _ => Fault::new(offset, reason),
    }
}

#[cold]
fn fault(map: &Map, operation: &'static str, found: (usize, FaultReason)) -> Error {
    Error::from_fault(operation, describe(map, found)).with_path(map.path().as_deref())
}
