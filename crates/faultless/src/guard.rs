//! What every operation on a map does before and after: seeing whether pages
//! failed under it, mending what can be mended, and reporting.
//!
//! The fast path is two loads of one number, and, when a zero was read or a byte
//! written, one load of the map's last byte. A map that something has happened to
//! is looked at twice from then on, until it has been quiet for a while (`careful.rs`).

mod careful;

use std::fs::File;
use std::sync::atomic::{Ordering, compiler_fence, fence};

use crate::error::Result;
use crate::fault::{Fault, FaultReason, guard_is_on};
use crate::map::Map;
use crate::options::Layout;
use crate::os::{self, Mapping};
use crate::range::Span;
use crate::registry::{REGISTRY, Range, Slot, WHOLE};

use careful::describe;
pub(crate) use careful::reach;

/// What an operation that reads saw.
pub(crate) struct Look {
    /// Whether it is the same as the look before.
    pub(crate) same: bool,
    /// The bytes that it depends on: a search that found something depends on
    /// nothing behind that.
    pub(crate) span: Span,
    /// The last byte that it depended on, or zero if that may be one that the
    /// file does not have.
    pub(crate) last: u8,
}

/// A map's place in the registry.
// In this order: what every operation looks at lies together.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Guard {
    slot: &'static Slot,
    /// Offset in the map from which on its bytes are in its last page.
    last_page: usize,
    /// Whether a zero may be one that the file does not have: see
    /// [`reaches`](Self::reaches).
    bounded: bool,
    /// Whether that holds for stores too: what a copy-on-write map has is its own,
    /// and the file's end is nothing to it.
    binding: bool,
    /// Whether there can be a [canary](Slot::canary).
    watched: bool,
    /// Whether the map can fail at all.
    needed: bool,
    index: Option<u32>,
    /// Offset in the file of the map's last page.
    last_page_in_file: u64,
}

impl Guard {
    /// Registers a new mapping, if it can fail.
    #[inline]
    pub(crate) fn new(layout: &Layout, mapping: &Mapping, file: Option<&File>) -> Self {
        let huge = layout.page != os::page_size();
        let needed = layout.len != 0 && (!layout.anonymous() || huge);
        let mut guard = Self {
            slot: &WHOLE,
            index: None,
            needed,
            bounded: false,
            binding: false,
            watched: false,
            last_page: usize::MAX,
            last_page_in_file: 0,
        };
        if !needed || !guard_is_on() || !os::guard::install() || !os::guard::covers(mapping) {
            return guard;
        }
        if let Some((index, slot)) = REGISTRY.claim() {
            let range = Self::range(layout, mapping, file);
            slot.exclusively(|| slot.describe(&range));
            guard.slot = slot;
            guard.index = Some(index);
            guard.bounded = layout.regular && range.fd >= 0;
            guard.binding = guard.bounded && range.shared;
            guard.watched = guard.bounded && !huge;
            guard.set_end(layout);
        }
        guard
    }

    pub(crate) fn range(layout: &Layout, mapping: &Mapping, file: Option<&File>) -> Range {
        Range {
            start: mapping.base().expose_provenance(),
            len: layout.mapped_len(),
            room: if os::MAPS_BEYOND_FILES { 0 } else { mapping.len() },
            // Of all that it may grow to: a unit never changes.
            unit: Range::unit_for(mapping.len(), layout.page),
            file_offset: layout.placement.file_offset,
            fd: file.map_or(-1, os::raw_file),
            protection: layout.protection,
            shared: layout.shared(),
            regular: layout.regular,
            huge: layout.page != os::page_size(),
        }
    }

    pub(crate) fn slot(&self) -> Option<&'static Slot> {
        self.index.map(|_| self.slot)
    }

    pub(crate) fn is_registered(&self) -> bool {
        self.index.is_some()
    }

    /// Takes the map's new length on, after a change in place; other threads may
    /// have pages of it fail meanwhile, through raw memory.
    pub(crate) fn extend(&mut self, layout: &Layout, mapping: &Mapping, file: Option<&File>) {
        if self.index.is_some() {
            // It is a copy of what is no longer the last page.
            os::guard::remove_canary(self.slot, self.slot.range().unit);
            self.slot.set_len(layout.mapped_len());
            self.set_end(layout);
        } else if !self.needed {
            // It was empty, and could not fail.
            *self = Self::new(layout, mapping, file);
        }
    }

    /// Where the map's last page begins, after its length changed.
    pub(crate) fn set_end(&mut self, layout: &Layout) {
        let lead = layout.placement.lead;
        let last = (lead + layout.len).saturating_sub(1) / layout.page * layout.page;
        self.last_page = last.saturating_sub(lead);
        self.last_page_in_file = layout.placement.file_offset + last as u64;
    }

    /// Puts what `remap` makes in the place of the present mapping; no handler
    /// touches either meanwhile. If it fails the mapping is as it was.
    pub(crate) fn replace<E>(
        &self,
        file: Option<&File>,
        remap: impl FnOnce() -> Result<(Layout, Mapping), E>,
    ) -> Result<(Layout, Mapping), E> {
        if self.index.is_none() {
            return remap();
        }
        self.slot.exclusively(|| {
            let (layout, mapping) = remap()?;
            os::guard::remove_canary(self.slot, self.slot.range().unit);
            self.slot.describe(&Self::range(&layout, &mapping, file));
            Ok((layout, mapping))
        })
    }

    /// Unmaps the mapping and forgets it.
    #[inline]
    pub(crate) fn release(&self, mapping: Mapping) {
        if let Some(index) = self.index {
            REGISTRY.release(index, self.slot, || {
                drop(mapping);
                os::guard::remove_canary(self.slot, self.slot.range().unit);
            });
        }
    }

    pub(crate) fn set_protection(&self, protection: i32) {
        if self.index.is_some() {
            self.slot.set_protection(protection);
        }
    }

    pub(crate) fn set_dont_fork(&self, on: bool) {
        if self.index.is_some() {
            self.slot.set_dont_fork(on);
        }
    }

    /// The number that the next failure or repair changes.
    #[inline(always)]
    pub(crate) fn epoch(&self) -> usize {
        self.slot.epoch()
    }

    /// Whether nothing had happened to the map then, as far as is known.
    #[inline(always)]
    pub(crate) fn is_sound_at(epoch: usize) -> bool {
        Slot::is_sound(epoch)
    }

    /// Runs an operation that reads `span`, on a map that nothing has happened
    /// to. It returns its result, the bytes that this depends on, and the last of
    /// them. If the result does not stand at once, the epoch before it is
    /// returned, for [`read`](Self::read).
    #[inline(always)]
    pub(crate) fn quick<T>(
        &self,
        map: &Map,
        span: Span,
        look: impl FnOnce() -> (T, Span, u8),
    ) -> Result<T, usize> {
        if self.is_within(map, span) {
            self.quick_in_page(map, look)
        } else {
            self.quick_across(map, look)
        }
    }

    /// Whether no border of pages that matters lies inside a span.
    #[inline(always)]
    pub(crate) fn is_within(&self, map: &Map, span: Span) -> bool {
        !self.bounded || map.view.is_in_one_page(span)
    }

    /// As [`quick`](Self::quick), where no border of pages lies inside the span.
    #[inline(always)]
    pub(crate) fn quick_in_page<T>(
        &self,
        map: &Map,
        look: impl FnOnce() -> (T, Span, u8),
    ) -> Result<T, usize> {
        let epoch = self.slot.epoch();
        if Slot::is_sound(epoch) {
            let (result, span, last) = look();
            if self.stands(map, epoch, span, last) {
                return Ok(result);
            }
        }
        Err(epoch)
    }

    /// As [`quick_in_page`](Self::quick_in_page), for what can be done otherwise:
    /// `None` if it has no result or this does not stand.
    #[inline(always)]
    pub(crate) fn glimpse<T>(
        &self,
        map: &Map,
        look: impl FnOnce() -> Option<(T, Span, u8)>,
    ) -> Option<T> {
        let epoch = self.slot.epoch();
        if !Slot::is_sound(epoch) {
            return None;
        }
        let (result, span, last) = look()?;
        self.stands(map, epoch, span, last).then_some(result)
    }

    /// As [`quick`](Self::quick), where a border of pages lies inside the span.
    #[inline(always)]
    pub(crate) fn quick_across<T>(
        &self,
        map: &Map,
        look: impl FnOnce() -> (T, Span, u8),
    ) -> Result<T, usize> {
        let epoch = self.slot.epoch();
        if Slot::is_sound(epoch) && self.slot.canary() != 0 {
            let song = self.slot.song();
            let (result, span, last) = look();
            if os::guard::sings(self.slot, song) && self.stands(map, epoch, span, last) {
                return Ok(result);
            }
        }
        Err(epoch)
    }

    /// Whether a result stands that depends on `span`, of which the last byte is
    /// `last`.
    #[inline(always)]
    pub(crate) fn stands(&self, map: &Map, epoch: usize, span: Span, last: u8) -> bool {
        self.is_still(epoch) && (last != 0 || !self.bounded || self.reaches(map, span, epoch))
    }

    /// Before an operation that writes `span`, which the file has to reach. The
    /// number goes to `wrote`.
    #[inline(always)]
    pub(crate) fn write(&self, map: &Map, operation: &'static str, span: Span) -> Result<usize> {
        match self.quick_write(map, span) {
            Some(epoch) => Ok(epoch),
            None => self.write_carefully(map, operation, span),
        }
    }

    /// As [`write`](Self::write), on a map that nothing has happened to; `None` if
    /// there is more to be done.
    #[inline(always)]
    pub(crate) fn quick_write(&self, map: &Map, span: Span) -> Option<usize> {
        let epoch = self.slot.epoch();
        let sound = Slot::is_sound(epoch) && (!self.binding || self.reaches(map, span, epoch));
        sound.then_some(epoch)
    }

    /// After an operation that wrote `span`.
    #[inline(always)]
    pub(crate) fn wrote(
        &self,
        map: &Map,
        operation: &'static str,
        span: Span,
        epoch: usize,
    ) -> Result<()> {
        if self.is_still(epoch) && Slot::is_sound(epoch) {
            return Ok(());
        }
        self.wrote_carefully(map, operation, span, epoch)
    }

    /// Whether nothing has happened to the map, as far as is known.
    pub(crate) fn is_sound(&self) -> bool {
        Slot::is_sound(self.slot.epoch())
    }

    /// Whether nothing failed since `epoch`, after the bytes were touched.
    #[inline(always)]
    pub(crate) fn is_still(&self, epoch: usize) -> bool {
        // For the compiler and for the processor: a handler on another thread
        // may have replaced the page that the bytes came from.
        compiler_fence(Ordering::SeqCst);
        fence(Ordering::Acquire);
        self.slot.epoch() == epoch
    }

    /// Whether the file is sure to reach the end of `span`, without asking it.
    ///
    /// A file that ends inside a page shows zeros up to the page's end, and
    /// takes stores there, which are lost; no page fails. But if the map's last
    /// byte is not zero, the file reaches it; and if it can be read at all, the
    /// file ends in the map's last page or later. If neither tells, the careful
    /// way asks.
    #[inline(always)]
    fn reaches(&self, map: &Map, span: Span, epoch: usize) -> bool {
        if span.is_empty() {
            return true;
        }
        let last = map.view.last();
        if self.is_still(epoch) {
            last != 0 || span.end() <= self.last_page
        } else {
            // That was this look, and no access of the program's.
            self.forget();
            false
        }
    }
}

impl Map {
    /// The fault that the map suffers from now: pages that failed and are
    /// replaced with zeros, or a failure that no operation has reported yet,
    /// because it happened to raw memory ([`as_ptr`](Self::as_ptr)). `None` when
    /// the map is whole, again or still.
    ///
    /// Asking changes nothing: the next operation still reports the fault.
    ///
    /// ```
    /// let map = faultless::Map::open(std::env::current_exe()?)?;
    /// assert_eq!(map.fault(), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        let guard = &self.guard;
        if !Slot::was_whole(guard.slot.epoch()) {
            guard.heal();
            let whole = Span::clamped(self.len(), 0, self.len());
            let found = guard.slot.unreported().or_else(|| guard.damage(self, whole));
            if let Some(found) = found {
                return Some(describe(self, found));
            }
        }
        // The file may end where no page failed: inside the map's last page, or
        // anywhere if an operation was refused because of it.
        let first = if guard.is_sound() { guard.last_page_in_file + 1 } else { 0 };
        let len = os::file_len_of(os::raw_file(self.file.as_ref()?)).filter(|_| guard.bounded)?;
        let short = (first..self.file_offset() + self.len() as u64).contains(&len);
        short.then(|| describe(self, (usize::MAX, FaultReason::Truncated)))
    }

    /// Whether a page of this map that fails is an error rather than the end
    /// of the process. `false` if the guard was [off](crate::set_guard) when
    /// the map was made, or the process has too many handlers of the signal.
    /// Memory that cannot fail counts as guarded.
    ///
    /// ```
    /// let map = faultless::Map::open(std::env::current_exe()?)?;
    /// assert!(map.is_guarded());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn is_guarded(&self) -> bool {
        !self.guard.needed || self.guard.index.is_some() && os::guard::is_installed()
    }
}

/// Makes sure that the signals of failing pages come to this crate first, if a
/// map has needed them, and returns whether they do. Every new map does so; a
/// program that installs a handler for `SIGBUS` while it has maps calls this
/// afterwards. The other handler gets what is not a map's.
///
/// ```
/// let _map = faultless::Map::open(std::env::current_exe()?)?;
/// assert!(faultless::ensure_guard());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn ensure_guard() -> bool {
    guard_is_on() && os::guard::was_installed() && os::guard::install()
}
