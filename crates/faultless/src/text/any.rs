//! Several needles at once.

use std::ops::Range;

use aho_corasick::{AhoCorasick, Input, MatchKind};

use super::{Left, MOST, PartSearch};
use crate::error::{Error, ErrorKind, Result};
use crate::map::Map;

/// Where one of several needles stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Found {
    /// Offset in the map of its first byte.
    pub offset: usize,
    /// Which needle it is: its place among them, from 0.
    pub needle: usize,
}

/// The places where any of several needles stand, without overlaps: from the first
/// to the last, and of those that begin at the same place the one that was named
/// first.
///
/// Takes time linear in the range and the needles, however many there are. Where a
/// longer needle begins like a match, what follows the match is read again as far as
/// that one went on.
///
/// ```
/// use faultless::{FindAny, MapOptions};
/// let map = MapOptions::new().len(15).map_anonymous()?;
/// map.write_at(0, b"one two one six")?;
/// let found = map.search(FindAny::new(&["two", "one"], 0..15)?);
/// let found: Vec<_> = found.map(|found| found.map(|at| (at.offset, at.needle))).collect::<Result<_, _>>()?;
/// assert_eq!(found, [(0, 1), (4, 0), (8, 1)]);
/// # Ok::<(), faultless::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct FindAny {
    automaton: AhoCorasick,
    left: Left,
}

impl FindAny {
    /// Any of `needles` in a range of bytes.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput): a needle is empty, or they are
    /// too many and too long for the memory.
    ///
    /// ```
    /// assert!(faultless::FindAny::new(&[""], 0..15).is_err());
    /// ```
    pub fn new<B: AsRef<[u8]>>(needles: &[B], range: Range<usize>) -> Result<Self> {
        if needles.iter().any(|needle| needle.as_ref().is_empty()) {
            return Err(Error::new(ErrorKind::InvalidInput, "find_any", "a needle is empty"));
        }
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostFirst)
            .build(needles)
            .map_err(|error| Error::new(ErrorKind::InvalidInput, "find_any", error.to_string()))?;
        Ok(Self { automaton, left: Left::new(range) })
    }
}

impl PartSearch for FindAny {
    type Found = Found;

    fn search_part(&mut self, map: &Map, found: &mut Vec<Found>) -> Result<bool> {
        let overlap = self.automaton.max_pattern_len().saturating_sub(1);
        let start = self.left.next;
        let step = self.left.step(map, "find_any", (0, overlap), |bytes, places| {
            let (mut found, mut next) = (Vec::new(), places.start);
            while found.len() < MOST {
                match self.automaton.find(Input::new(bytes).range(next..)) {
                    Some(one) if one.start() < places.end => {
                        found.push((one.start(), one.pattern().as_usize()));
                        next = one.end();
                    }
                    _ => return (found, places.end.max(next)),
                }
                if next >= bytes.len() {
                    return (found, places.end.max(next));
                }
            }
            (found, next)
        })?;
        let all = step.unwrap_or_default().into_iter();
        found.extend(all.map(|(at, needle)| Found { offset: start + at, needle }));
        Ok(!self.left.is_done())
    }

    fn searched(&self) -> usize {
        self.left.searched()
    }

    fn next_part(&self) -> usize {
        self.left.next_part()
    }
}
