//! Parts of a map, in bytes and in the units that can be replaced.

/// Units a map may have, so that an extent fits its word.
const MAX_UNITS: u64 = 1 << 31;

/// A dead part of a map in units of [`Range::unit`]: `lo..hi`, and whether a
/// handler touched it since a healer looked. Packed into a word so that one
/// compare-exchange changes all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent(pub(super) u64);

/// In an extent: a handler touched it since a healer looked.
const TOUCHED: u64 = 1;

impl Extent {
    pub(super) const NONE: Self = Self(0);

    pub(super) fn new(lo: u64, hi: u64) -> Self {
        debug_assert!(lo < hi && hi <= MAX_UNITS);
        Self(lo << 33 | hi << 1 | TOUCHED)
    }

    pub(super) fn lo(self) -> u64 {
        self.0 >> 33
    }

    pub(super) fn hi(self) -> u64 {
        (self.0 >> 1) & 0xFFFF_FFFF
    }

    pub(super) fn is_none(self) -> bool {
        self.0 == 0
    }

    pub(super) fn untouched(self) -> Self {
        Self(self.0 & !TOUCHED)
    }
}

/// What a handler has to know of a map to replace its pages. Offsets and
/// lengths in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Range {
    /// Address of the first mapped byte, a multiple of the page size.
    pub(crate) start: usize,
    /// Mapped bytes, rounded up to whole pages.
    pub(crate) len: usize,
    /// Bytes from `start` on that are the map's even where they are behind its end,
    /// for a handler to know of: what it can grow into, if something happens there, and
    /// what it had before it shrank in place.
    pub(crate) room: usize,
    /// The smallest part that can be replaced: the page size of this map,
    /// larger only for maps of terabytes.
    pub(crate) unit: usize,
    /// Offset in the file of `start`.
    pub(crate) file_offset: u64,
    /// The file, or -1: it is asked for its length when a page fails.
    pub(crate) fd: i32,
    /// The protection of the pages, as the system spells it.
    pub(crate) protection: i32,
    /// Whether stores go to the file.
    pub(crate) shared: bool,
    /// Whether the file is a regular one, whose length bounds the map.
    pub(crate) regular: bool,
    /// Whether the pages are huge ones of a pool, which can run out.
    pub(crate) huge: bool,
}

impl Range {
    /// The unit for a map of `len` bytes with pages of `page` bytes.
    pub(crate) fn unit_for(len: usize, page: usize) -> usize {
        let mut unit = page;
        while (len / unit) as u64 >= MAX_UNITS {
            unit *= 2;
        }
        unit
    }

    pub(crate) fn units(&self) -> u64 {
        self.len.div_ceil(self.unit.max(1)) as u64
    }

    /// Byte range in the map of the units `lo..hi`.
    pub(crate) fn bytes(&self, lo: u64, hi: u64) -> (usize, usize) {
        let byte = |unit: u64| (unit as usize).saturating_mul(self.unit).min(self.len);
        (byte(lo), byte(hi))
    }
}
