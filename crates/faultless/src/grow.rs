//! Growing in place, into address space that was reserved.
//!
//! All of the reserved space is mapped at once: a map may be longer than its
//! file, and only touching what the file does not have fails. Growing is then a
//! matter of the file alone. The guard knows the part that the file has.

use std::io;
use std::ops::Range;

use crate::error::{Error, ErrorKind, Result};
use crate::guard::Guard;
use crate::map::Map;
use crate::options::Layout;
use crate::options::MapOptions;
use crate::os::{self, BorrowedFile, Mapping, Place};
use crate::range::{Placement, Span};

/// Bytes that appending allocates ahead: as many as the map has, but no fewer
/// and no more than these. A call for 64 MiB costs as much as one for one.
const AHEAD: (usize, usize) = (1 << 20, 64 << 20);
/// Bytes that appending has the system bring into memory ahead, likewise. One
/// call for many pages costs a fourth of a fault for each; from 1 MiB on more
/// pages at a time gain nothing.
const WARM: (usize, usize) = (64 << 10, 1 << 20);

/// The address space that a map can grow into.
#[derive(Debug)]
pub(crate) struct Room {
    /// The most bytes the map can have.
    limit: usize,
    /// Bytes of the mapping that are zero pages which belong to no file: the map
    /// has shrunk, and somebody may still have an address there.
    zeros: Range<usize>,
    /// Up to where the map can be appended to without further ado.
    ready: usize,
    /// Whether the system can bring pages into memory ahead.
    warms: bool,
    ahead: Option<Ahead>,
    /// The process that may trim the file: not a child, which has a copy.
    process: u32,
}

/// What was allocated ahead. Offsets in the file.
#[derive(Clone, Copy, Debug)]
struct Ahead {
    /// The file's end since then.
    end: u64,
    /// The file's end before, which trimming does not go below.
    before: u64,
}

impl MapOptions {
    /// Reserves address space for `bytes` bytes, so that the map can
    /// [grow](Map::grow) to that length in place: it never moves, and pointers
    /// into it stay valid. By default none is reserved, and
    /// [`resize`](Map::resize) may move the map. Reserving costs neither memory
    /// nor disk; on 64-bit systems a terabyte is nothing.
    ///
    /// For files that are mapped to be written, and for private anonymous memory.
    ///
    /// # Errors
    /// Making the map fails with
    /// * [`InvalidInput`](ErrorKind::InvalidInput): the map is read-only or
    ///   copy-on-write, or does not [keep](Self::keep_file) its file.
    /// * [`Unsupported`](ErrorKind::Unsupported): shared anonymous memory cannot
    ///   grow; before Windows 10 1803 files cannot, either.
    /// * [`OutOfRange`](ErrorKind::OutOfRange): no file or address space has that
    ///   many bytes.
    /// * [`Os`](ErrorKind::Os): `ENOMEM`, where the limit of the process
    ///   (`RLIMIT_AS`) or the system's accounting of memory forbids it.
    ///
    /// ```
    /// use faultless::{Access, MapOptions};
    /// # let file = tempfile::NamedTempFile::new()?;
    /// let mut map = MapOptions::new().access(Access::Write).reserve(1 << 30).open(file.path())?;
    /// assert!(map.is_empty());
    /// let start = map.as_ptr();
    /// map.grow(1 << 20)?;
    /// assert_eq!((map.len(), map.as_ptr()), (1 << 20, start));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reserve(&mut self, bytes: usize) -> &mut Self {
        self.reserve = Some(bytes);
        self
    }

    /// Maps a layout, and the space that is reserved for it.
    pub(crate) fn place(
        &self,
        layout: &mut Layout,
        file: Option<BorrowedFile<'_>>,
    ) -> Result<Mapping> {
        let Some(reserved) = self.reserve else { return self.mapping_of(layout, file) };
        let Placement { file_offset, lead, .. } = layout.placement;
        let limit = reserved.max(layout.len);
        let granularity = os::allocation_granularity().max(layout.page);
        let mut placement = Placement::new(file_offset + lead as u64, limit, granularity)?;
        placement.map_len = placement.map_len.next_multiple_of(layout.page);
        let mut room = Layout { placement, len: limit, ..*layout };
        let present = if layout.len == 0 { 0 } else { layout.placement.map_len };
        let mapping = room.map_with_room(file, Some(present))?;
        layout.flags = room.flags;
        layout.fallback = room.fallback;
        Ok(mapping)
    }

    /// Notes the space that a new map got.
    pub(crate) fn make_room(&self, map: &mut Map) {
        let len = map.len();
        // What the system does not map beyond the file.
        let zeros = if map.is_anonymous() || os::MAPS_BEYOND_FILES {
            0..0
        } else {
            map.layout.mapped_len()..map.mapping.len()
        };
        map.room = self.reserve.map(|reserved| {
            Box::new(Room {
                limit: reserved.max(len),
                zeros,
                ready: len,
                warms: true,
                ahead: None,
                process: std::process::id(),
            })
        });
    }
}

impl Map {
    /// The length in bytes that the map can [grow](Self::grow) to, or `None` if no
    /// address space was [reserved](MapOptions::reserve) for that.
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(10).reserve(1 << 20).map_anonymous()?;
    /// assert_eq!(map.reserved(), Some(1 << 20));
    /// # Ok::<(), faultless::Error>(())
    /// ```
    #[must_use]
    pub fn reserved(&self) -> Option<usize> {
        self.room.as_ref().map(|room| room.limit)
    }

    /// Makes the map `len` bytes long where it is: pointers into it stay valid.
    /// The file grows with it, if it is not that long yet. New bytes are zeros,
    /// or what the file had there already. To shrink the map, also in place,
    /// [`resize`](Self::resize) it; pointers to what is then gone see zeros, and
    /// what is stored through them goes nowhere.
    ///
    /// The file's blocks are allocated, so that a full disk is an error here and
    /// not at a store later, unless the map is [`sparse`](MapOptions::sparse) or
    /// the file system cannot.
    ///
    /// # Errors
    /// The map stays as it was.
    /// * [`InvalidInput`](ErrorKind::InvalidInput): no address space was
    ///   [reserved](MapOptions::reserve), or the map is longer already.
    /// * [`OutOfRange`](ErrorKind::OutOfRange): more than was reserved.
    /// * [`Access`](ErrorKind::Access): the map was made read-only.
    /// * [`Os`](ErrorKind::Os): `ENOSPC`, `EFBIG` …
    ///
    /// See [fallocate(2)](https://man7.org/linux/man-pages/man2/fallocate.2.html).
    ///
    /// ```
    /// let mut map = faultless::MapOptions::new().len(3).reserve(1 << 20).map_anonymous()?;
    /// let last = map.as_mut_ptr().wrapping_add(2);
    /// map.grow(100_000)?;
    /// // SAFETY: inside the map, which lives and has not moved.
    /// unsafe { last.write(7) };
    /// assert_eq!(map.get(2)?, 7);
    /// # Ok::<(), faultless::Error>(())
    /// ```
    pub fn grow(&mut self, len: usize) -> Result<()> {
        self.check_room("grow", len)?;
        if len < self.len() {
            let message = format!("the map has {} bytes already, more than {len}", self.len());
            return Err(Error::new(ErrorKind::InvalidInput, "grow", message));
        }
        self.commit("grow", len, len)?;
        self.view.set_len(len, self.layout.len);
        Ok(())
    }

    /// Writes `bytes` behind the map's last byte and makes them part of it;
    /// returns the offset where they begin. The map grows as [`grow`](Self::grow)
    /// does, in place.
    ///
    /// The file grows in steps that double, up to 64 MiB, so that it is longer
    /// than the map meanwhile; dropping the map, or [resizing](Self::resize) it
    /// to its own [length](Self::len), cuts the file off where the map ends. A
    /// program that is killed leaves zeros there. Only one map at a time may
    /// append to a file.
    ///
    /// Nothing waits for the disk: see [`flush`](Self::flush).
    ///
    /// # Errors
    /// The map keeps its length.
    /// * Those of [`grow`](Self::grow).
    /// * [`Fault`](ErrorKind::Fault): a page failed, because somebody truncated
    ///   the file or the disk gave an error. Appending again makes the file long
    ///   enough again.
    ///
    /// ```
    /// use faultless::{Access, MapOptions};
    /// # let file = tempfile::NamedTempFile::new()?;
    /// let mut log = MapOptions::new().access(Access::Write).reserve(1 << 30).open(file.path())?;
    /// assert_eq!(log.append(b"first\n")?, 0);
    /// assert_eq!(log.append(b"second\n")?, 6);
    /// drop(log);
    /// assert_eq!(std::fs::read(file.path())?, b"first\nsecond\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn append(&mut self, bytes: &[u8]) -> Result<usize> {
        let start = self.len();
        let end = start.saturating_add(bytes.len());
        if self.room.as_ref().is_none_or(|room| end > room.ready) {
            self.make_ready(end)?;
        }
        self.view.set_len(end, self.layout.len);
        match self.write_at(start, bytes) {
            Ok(()) => Ok(start),
            Err(error) => {
                self.view.set_len(start, self.layout.len);
                if let Some(room) = &mut self.room {
                    // The next one looks whether the file is still long enough.
                    room.ready = 0;
                }
                Err(error)
            }
        }
    }

    fn check_room(&self, operation: &'static str, end: usize) -> Result<()> {
        let Some(limit) = self.reserved() else {
            let message = "no address space was reserved for the map to grow into";
            return Err(Error::new(ErrorKind::InvalidInput, operation, message));
        };
        if end > limit {
            let message = format!("{end} bytes are more than the {limit} that were reserved");
            let error = Error::new(ErrorKind::OutOfRange, operation, message);
            return Err(error.with_path(self.path().as_deref()));
        }
        self.check_writable(operation)
    }

    /// Makes the file long enough for the map to reach `end`, and more ahead;
    /// and has pages in memory that are written next.
    #[cold]
    fn make_ready(&mut self, end: usize) -> Result<()> {
        self.check_room("append", end)?;
        let allocated = self.layout.len;
        if end > allocated {
            self.commit("append", end, self.ahead_of(end))?;
        } else if !self.guard.is_sound() {
            self.commit("append", end, end)?;
        }
        let (len, allocated) = (self.len(), self.layout.len);
        let Some(room) = &mut self.room else { return Ok(()) };
        let from = room.ready.max(len);
        room.ready = end.saturating_add(end.clamp(WARM.0, WARM.1)).min(allocated);
        let span = Span::clamped(allocated, from, room.ready.saturating_sub(from));
        if let Some(advice) = os::advice::POPULATE_WRITE.filter(|_| room.warms) {
            let (start, bytes) = self.pages(span);
            let warm = span.is_empty() || os::advise(start, bytes, advice).is_ok();
            self.room.iter_mut().for_each(|room| room.warms = warm);
        }
        Ok(())
    }

    /// How long the file is to be for a map of `end` bytes that is appended to.
    fn ahead_of(&self, end: usize) -> usize {
        let Layout { len, page, placement: Placement { lead, .. }, .. } = self.layout;
        let step = len.clamp(AHEAD.0, AHEAD.1);
        // Whole pages: the guard looks twice at what is in the last one.
        let ahead = (lead + end.max(len + step)).next_multiple_of(page) - lead;
        self.reserved().map_or(end, |limit| ahead.min(limit))
    }

    /// Makes the file long enough for a map of `end` bytes, or of `ahead` if the
    /// disk has room for them too. It does not become shorter.
    fn commit(&mut self, operation: &'static str, end: usize, ahead: usize) -> Result<()> {
        let least = end.max(self.layout.len);
        let mut len = ahead.max(least);
        if !self.is_anonymous() {
            let (old, offset) = (self.file_len()?, self.file_offset());
            let in_file = |len: usize| offset + len as u64;
            if in_file(len) > old {
                let made = self.set_file_len(operation, old, in_file(len));
                if made.is_err() && len > least {
                    len = least;
                    if in_file(len) > old {
                        self.set_file_len(operation, old, in_file(len))?;
                    }
                } else {
                    made?;
                }
            }
            if let Err(error) = self.map_file(len) {
                let _ = self.set_file_len(operation, in_file(len), old);
                return Err(self.os_error(operation, "cannot map the file", error));
            }
            self.note_ahead(old, in_file(len), in_file(end));
        }
        self.take_on(len, self.len());
        Ok(())
    }

    /// Notes that the file's end went from `old` to `new`, of which the map has
    /// what is before `end`.
    fn note_ahead(&mut self, old: u64, new: u64, end: u64) {
        let Some(room) = &mut self.room else { return };
        if new > old {
            let before = room.ahead.filter(|ahead| ahead.end == old).map_or(old, |it| it.before);
            room.ahead = (new > end).then_some(Ahead { end: new, before });
        }
    }

    /// Maps the file over zero pages that a map of `len` bytes would have.
    fn map_file(&mut self, len: usize) -> io::Result<()> {
        let layout = self.layout.of_len(len);
        let Some(room) = self.room.as_ref().filter(|_| !self.is_anonymous()) else { return Ok(()) };
        let start = room.zeros.start;
        let end = layout.mapped_len().clamp(start, room.zeros.end);
        os::put_file(&self.place_of(&layout), start..end)?;
        self.room.iter_mut().for_each(|room| room.zeros.start = end);
        Ok(())
    }

    /// The mapping of a map of that layout.
    fn place_of(&self, layout: &Layout) -> Place<'_> {
        Place {
            mapping: &self.mapping,
            range: Guard::range(layout, &self.mapping, self.file.as_ref()),
            flags: layout.flags,
            slot: self.guard.slot(),
        }
    }

    /// Takes another length on, and what of it is ahead.
    fn take_on(&mut self, reach: usize, len: usize) {
        self.layout = self.layout.of_len(reach);
        self.guard.extend(&self.layout, &self.mapping, self.file.as_ref());
        self.view.set_len(len, reach);
    }

    /// Makes a map with reserved space `len` bytes long, and its file end there:
    /// [`resize`](Self::resize), which has checked what is said of the map.
    pub(crate) fn resize_in_place(&mut self, len: usize) -> Result<()> {
        self.check_room("resize", len)?;
        self.commit("resize", len, len)?;
        self.cut(len)?;
        self.take_on(len, len);
        if let Some(room) = &mut self.room {
            (room.ready, room.ahead) = (len, None);
        }
        if !self.guard.is_sound() {
            self.guard.heal();
        }
        Ok(())
    }

    /// Cuts off what lies behind `len`. Whoever still has an address there finds
    /// zeros, with a guard or without: they come first.
    fn cut(&mut self, len: usize) -> Result<()> {
        let gone = self.layout.of_len(len).mapped_len()..self.layout.mapped_len();
        if self.is_anonymous() && len < self.len().min(gone.start) {
            self.fill(len..self.len().min(gone.start), 0)?;
        }
        let cut = self.cut_off(gone.clone(), len)?;
        if self.is_anonymous() {
            return Ok(());
        }
        if let Some(room) = self.room.as_mut().filter(|_| !gone.is_empty()) {
            room.zeros = gone.start..room.zeros.end.max(gone.end);
        }
        if cut.is_err() {
            let _ = self.map_file(self.layout.len);
        }
        cut
    }

    /// Makes zeros of a part of the mapping, and cuts the file off behind `len` bytes
    /// of the map; what came of this.
    fn cut_off(&self, gone: Range<usize>, len: usize) -> Result<Result<()>> {
        let end = self.file_offset() + len as u64;
        let cut = || {
            let old = if self.is_anonymous() { 0 } else { self.file_len()? };
            if old > end { self.set_file_len("resize", old, end) } else { Ok(()) }
        };
        os::take_away(&self.place_of(&self.layout), gone, cut)
            .map_err(|error| self.os_error("resize", "cannot take the pages away", error))
    }

    /// Gives back what was allocated ahead, when the map is gone. There is nobody
    /// to tell of an error.
    pub(crate) fn trim(&self) {
        let Some(room) = &self.room else { return };
        let Some(ahead) = room.ahead.filter(|_| room.process == std::process::id()) else { return };
        let end = ahead.before.max(self.file_offset() + self.len() as u64);
        // Somebody else may have made the file longer.
        if self.file_len().is_ok_and(|len| len == ahead.end) {
            let _ = self.set_file_len("drop", ahead.end, end);
        }
    }
}
