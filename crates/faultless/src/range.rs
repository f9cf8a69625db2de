//! The one check of offsets, lengths and alignments. Pure arithmetic.

use std::ops::{Bound, RangeBounds};

use crate::error::{Error, ErrorKind, Result};

/// A range of bytes that is known to lie inside a map: `start + len` does not
/// overflow and is at most the map's length. Only this module makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    start: usize,
    len: usize,
}

impl Span {
    /// `len` bytes from `start`, inside a map of `map_len` bytes.
    #[inline]
    pub(crate) fn exact(
        operation: &'static str,
        map_len: usize,
        start: usize,
        len: usize,
    ) -> Result<Self> {
        match start.checked_add(len) {
            Some(end) if end <= map_len => Ok(Self { start, len }),
            _ => Err(outside(operation, map_len, start, len)),
        }
    }

    /// `len` bytes from `start`, inside the map, at a place that is a multiple of
    /// `len`; the map begins `lead` bytes behind such a place.
    #[inline]
    pub(crate) fn aligned(
        operation: &'static str,
        map_len: usize,
        lead: usize,
        start: usize,
        len: usize,
    ) -> Result<Self> {
        let span = Self::exact(operation, map_len, start, len)?;
        if (lead + start) % len == 0 { Ok(span) } else { Err(misaligned(operation, start, len)) }
    }

    /// As many of `len` bytes from `start` as the map has: none past its end.
    #[inline]
    pub(crate) fn clamped(map_len: usize, start: usize, len: usize) -> Self {
        let start = start.min(map_len);
        Self { start, len: len.min(map_len - start) }
    }

    /// The byte at an offset, if the map has it.
    #[inline(always)]
    pub(crate) fn byte(map_len: usize, offset: usize) -> Option<Self> {
        (offset < map_len).then_some(Self { start: offset, len: 1 })
    }

    /// A range as Rust writes it; its ends must lie inside the map, in order.
    #[inline]
    pub(crate) fn of(
        operation: &'static str,
        map_len: usize,
        range: &impl RangeBounds<usize>,
    ) -> Result<Self> {
        let overflow = || Error::new(ErrorKind::OutOfRange, operation, "the range's end overflows");
        let start = match range.start_bound() {
            Bound::Included(&start) => start,
            Bound::Excluded(&start) => start.checked_add(1).ok_or_else(overflow)?,
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(&end) => end.checked_add(1).ok_or_else(overflow)?,
            Bound::Excluded(&end) => end,
            Bound::Unbounded => map_len,
        };
        if start <= end && end <= map_len {
            Ok(Self { start, len: end - start })
        } else {
            Err(bad_range(operation, map_len, start, end))
        }
    }

    /// The bytes from the first to the last of `count` that lie `step` apart,
    /// beginning at `offset`.
    pub(crate) fn strided(
        operation: &'static str,
        map_len: usize,
        offset: usize,
        step: isize,
        count: usize,
    ) -> Result<Self> {
        if step == 0 {
            return Err(Error::new(ErrorKind::InvalidInput, operation, "the step is 0"));
        }
        let Some(last) = count.checked_sub(1) else {
            return Ok(Self::clamped(map_len, offset, 0));
        };
        let reach = last.checked_mul(step.unsigned_abs());
        let ends = match reach {
            Some(reach) if step > 0 => offset.checked_add(reach).map(|end| (offset, end)),
            Some(reach) => offset.checked_sub(reach).map(|start| (start, offset)),
            None => None,
        };
        match ends {
            Some((first, last)) if last < map_len => {
                Ok(Self { start: first, len: last - first + 1 })
            }
            _ => Err(Error::new(
                ErrorKind::OutOfRange,
                operation,
                format!(
                    "{count} bytes {step} apart from offset {offset} are not inside the map of \
                     {map_len} bytes"
                ),
            )),
        }
    }

    /// The span in parts of at most `most` bytes, from the first to the last or
    /// backwards, each with the number of bytes before it.
    pub(crate) fn parts(self, most: usize, backwards: bool) -> impl Iterator<Item = (usize, Self)> {
        let count = self.len.div_ceil(most);
        (0..count).map(move |nth| {
            let skipped = if backwards { count - 1 - nth } else { nth } * most;
            (skipped, self.part(skipped, most.min(self.len - skipped)))
        })
    }

    /// The part of the span that a range within it means, in bytes from its start.
    pub(crate) fn within(self, range: std::ops::Range<usize>) -> Self {
        self.part(range.start, range.end - range.start)
    }

    /// `len` bytes of the span, after the first `skipped`.
    pub(crate) fn part(self, skipped: usize, len: usize) -> Self {
        debug_assert!(skipped + len <= self.len);
        Self { start: self.start + skipped, len }
    }

    #[inline]
    pub(crate) fn start(self) -> usize {
        self.start
    }

    #[inline]
    pub(crate) fn len(self) -> usize {
        self.len
    }

    #[inline]
    pub(crate) fn is_empty(self) -> bool {
        self.len == 0
    }

    #[inline]
    pub(crate) fn end(self) -> usize {
        self.start + self.len
    }
}

#[cold]
fn outside(operation: &'static str, map_len: usize, start: usize, len: usize) -> Error {
    let message = if len == 1 {
        format!("offset {start} is outside the map of {map_len} bytes")
    } else {
        format!("{len} bytes at offset {start} are not inside the map of {map_len} bytes")
    };
    Error::new(ErrorKind::OutOfRange, operation, message)
}

#[cold]
fn misaligned(operation: &'static str, start: usize, len: usize) -> Error {
    let message = format!("the place of offset {start} is not a multiple of {len} bytes");
    Error::new(ErrorKind::InvalidInput, operation, message)
}

#[cold]
fn bad_range(operation: &'static str, map_len: usize, start: usize, end: usize) -> Error {
    Error::new(
        ErrorKind::OutOfRange,
        operation,
        format!("range {start}..{end} is not inside the map of {map_len} bytes"),
    )
}

/// Where a map of `len` bytes at `offset` of a file has to begin and end so
/// that the system takes it: offsets are multiples of `granularity` there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placement {
    /// Offset in the file of the first mapped byte, a multiple of the granularity.
    pub(crate) file_offset: u64,
    /// Mapped bytes before the first byte asked for.
    pub(crate) lead: usize,
    /// Mapped bytes in all: `lead + len`.
    pub(crate) map_len: usize,
}

impl Placement {
    pub(crate) fn new(offset: u64, len: usize, granularity: usize) -> Result<Self> {
        let lead = (offset % granularity as u64) as usize;
        let too_large = |what: String| Error::new(ErrorKind::OutOfRange, "map", what);
        let map_len = lead
            .checked_add(len)
            // No object in Rust is larger than this, and pointers into one
            // may be subtracted.
            .filter(|&map_len| map_len <= isize::MAX as usize - granularity)
            .ok_or_else(|| too_large(format!("{len} bytes do not fit the address space")))?;
        if offset.checked_add(len as u64).is_none_or(|end| end > i64::MAX as u64) {
            return Err(too_large(format!("no file has {len} bytes at offset {offset}")));
        }
        Ok(Self { file_offset: offset - lead as u64, lead, map_len })
    }

    /// The same place for `len` bytes, no more than a length that was checked.
    pub(crate) fn of_len(self, len: usize) -> Self {
        Self { map_len: self.lead + len, ..self }
    }
}

/// `value` rounded up to a multiple of `unit`, a power of two.
#[inline]
pub(crate) fn round_up(value: u64, unit: u64) -> u64 {
    value.saturating_add(unit - 1) & !(unit - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_refuses_what_overflows() {
        assert!(Span::exact("t", 10, 0, 10).is_ok());
        assert!(Span::exact("t", 10, 10, 0).is_ok());
        assert!(Span::exact("t", 10, 11, 0).is_err());
        assert!(Span::exact("t", 10, 1, 10).is_err());
        assert!(Span::exact("t", 10, 1, usize::MAX).is_err());
        assert!(Span::exact("t", 10, usize::MAX, usize::MAX).is_err());
    }

    #[test]
    fn aligned_counts_from_the_mapping() {
        let span = |start, len| Span { start, len };
        assert_eq!(Span::aligned("t", 16, 0, 8, 8).unwrap(), span(8, 8));
        assert_eq!(Span::aligned("t", 16, 3, 5, 4).unwrap(), span(5, 4));
        assert!(Span::aligned("t", 16, 0, 4, 8).is_err());
        assert!(Span::aligned("t", 16, 3, 4, 4).is_err());
        assert!(Span::aligned("t", 16, 0, 16, 8).is_err());
        assert!(Span::aligned("t", 16, 3, usize::MAX, 4).is_err());
    }

    #[test]
    fn of_takes_every_form_of_range() {
        let span = |start, len| Span { start, len };
        assert_eq!(Span::of("t", 10, &(..)).unwrap(), span(0, 10));
        assert_eq!(Span::of("t", 10, &(3..)).unwrap(), span(3, 7));
        assert_eq!(Span::of("t", 10, &(3..=9)).unwrap(), span(3, 7));
        assert_eq!(Span::of("t", 10, &(10..10)).unwrap(), span(10, 0));
        assert!(Span::of("t", 10, &(3..=10)).is_err());
        assert!(Span::of("t", 10, &(..=usize::MAX)).is_err());
        #[expect(clippy::reversed_empty_ranges)]
        let backwards = 4..3;
        assert!(Span::of("t", 10, &backwards).is_err());
    }

    #[test]
    fn parts_cover_a_span_once() {
        let span = Span { start: 3, len: 10 };
        let forwards: Vec<_> = span.parts(4, false).collect();
        let part = |start, len| Span { start, len };
        assert_eq!(forwards, [(0, part(3, 4)), (4, part(7, 4)), (8, part(11, 2))]);
        let mut backwards: Vec<_> = span.parts(4, true).collect();
        backwards.reverse();
        assert_eq!(backwards, forwards);
        assert_eq!(part(5, 0).parts(4, false).count(), 0);
    }

    #[test]
    fn strided_covers_first_to_last() {
        let span = |start, len| Span { start, len };
        assert_eq!(Span::strided("t", 10, 1, 3, 3).unwrap(), span(1, 7));
        assert_eq!(Span::strided("t", 10, 9, -3, 4).unwrap(), span(0, 10));
        assert_eq!(Span::strided("t", 10, 9, -3, 0).unwrap(), span(9, 0));
        assert!(Span::strided("t", 10, 9, -3, 5).is_err());
        assert!(Span::strided("t", 10, 9, 1, 2).is_err());
        assert!(Span::strided("t", 10, 0, isize::MIN, 2).is_err());
        assert!(Span::strided("t", 10, 0, isize::MAX, usize::MAX).is_err());
        assert!(Span::strided("t", 10, 0, 0, 1).is_err());
    }

    #[test]
    fn placement_takes_any_offset() {
        let placed = Placement::new(4097, 10, 4096).unwrap();
        assert_eq!(placed, Placement { file_offset: 4096, lead: 1, map_len: 11 });
        assert!(Placement::new(1, usize::MAX, 4096).is_err());
        assert!(Placement::new(u64::MAX, 1, 4096).is_err());
        assert!(Placement::new(i64::MAX as u64, 1, 4096).is_err());
    }

    #[test]
    fn rounding_does_not_overflow() {
        assert_eq!(round_up(1, 4096), 4096);
        assert_eq!(round_up(u64::MAX, 4096), !4095);
    }
}
