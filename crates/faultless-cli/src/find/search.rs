//! A file in pieces, and what is found in them.

use std::ops::Range;

use faultless::{Map, Result};

use super::Pattern;

/// Bytes that a thread searches at a time.
const PIECE: usize = 2 << 20;

/// Where matches are, and what they are where that is not always the same.
#[derive(Default)]
pub(crate) struct Places {
    pub(crate) ranges: Vec<Range<usize>>,
    bytes: Vec<u8>,
}

impl Places {
    pub(crate) fn push_place(&mut self, range: Range<usize>) {
        self.ranges.push(range);
    }

    pub(crate) fn push(&mut self, range: Range<usize>, bytes: &[u8]) {
        self.ranges.push(range);
        self.bytes.extend_from_slice(bytes);
    }

    /// The matches, each with its bytes, or with those that are always the same.
    pub(crate) fn iter<'a>(
        &'a self,
        needle: Option<&'a [u8]>,
    ) -> impl Iterator<Item = (&'a Range<usize>, &'a [u8])> {
        let mut rest = &self.bytes[..];
        self.ranges.iter().map(move |range| {
            if let Some(needle) = needle {
                return (range, needle);
            }
            let (bytes, after) = rest.split_at(range.len().min(rest.len()));
            rest = after;
            (range, bytes)
        })
    }

    /// Leaves out the first ones.
    fn skip(&mut self, count: usize) {
        let len: usize = self.ranges.drain(..count).map(|range| range.len()).sum();
        self.bytes.drain(..len.min(self.bytes.len()));
    }

    fn append(&mut self, other: Self) {
        self.ranges.extend(other.ranges);
        self.bytes.extend(other.bytes);
    }
}

/// Cuts a map into pieces that can be searched apart.
pub(crate) struct Pieces(Option<usize>);

impl Default for Pieces {
    fn default() -> Self {
        Self(Some(0))
    }
}

impl Pieces {
    pub(crate) fn next(&mut self, map: &Map, pattern: &Pattern) -> Option<Range<usize>> {
        let (start, len) = (self.0.take()?, map.len());
        let cut = start.saturating_add(PIECE);
        let end = match pattern.by_lines() {
            _ if cut >= len => len,
            None => len,
            Some(false) => cut,
            // A page that fails here fails for whoever searches the piece, too.
            Some(true) => match map.find(b"\n", cut - 1..) {
                Ok(Some(at)) => at + 1,
                _ => len,
            },
        };
        self.0 = Some(end).filter(|&end| end < len);
        Some(start..end)
    }
}

/// Puts what was found in pieces together.
pub(crate) struct Merge<'p> {
    pattern: &'p Pattern,
    /// Where the last match ended.
    end: usize,
}

impl<'p> Merge<'p> {
    pub(crate) fn new(pattern: &'p Pattern) -> Self {
        Self { pattern, end: 0 }
    }

    /// What a piece has, when no match may begin before the last one of the piece
    /// before has ended: matches that overlap it are not there, and others may be in
    /// their place, up to one that both have.
    pub(crate) fn add(
        &mut self,
        map: &Map,
        piece: Range<usize>,
        mut found: Places,
    ) -> (Places, Result<()>) {
        let mut done = Ok(());
        let hidden = found.ranges.first().is_some_and(|first| first.start < self.end);
        if self.pattern.overlaps() && hidden {
            let has = |at: usize| found.ranges.binary_search_by_key(&at, |range| range.start);
            let mut before = Places::default();
            let from = self.end.min(piece.end);
            done = self
                .pattern
                .search_until(map, map.len(), from..piece.end, &mut before, |at| has(at).is_ok());
            // The first of those that count: behind all that were found anew.
            let reached = before.ranges.last().map_or(from, |range| range.end);
            let rest = found.ranges.partition_point(|range| range.start < reached);
            found.skip(rest);
            before.append(found);
            found = before;
        }
        if let Some(last) = found.ranges.last() {
            self.end = last.end;
        }
        (found, done)
    }
}
