//! Every place where bytes stand, also where they overlap.

use std::ops::Range;

use memchr::memmem::Finder;

use super::{Left, MOST, PartSearch};
use crate::error::Result;
use crate::map::Map;

/// The offsets of all places where bytes stand, without overlaps or with them.
///
/// Takes time linear in the range and the needle.
///
/// ```
/// use faultless::{FindAll, MapOptions};
/// let map = MapOptions::new().len(6).map_anonymous()?;
/// map.write_at(0, b"banana")?;
/// let found: Vec<usize> = map.search(FindAll::new(b"ana", 0..6).overlapping()).collect::<Result<_, _>>()?;
/// assert_eq!(found, [1, 3]);
/// # Ok::<(), faultless::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct FindAll {
    finder: Finder<'static>,
    /// For each length of a beginning of the needle, the longest shorter beginning
    /// that it ends with; empty if matches that overlap do not count.
    borders: Vec<usize>,
    left: Left,
}

impl FindAll {
    /// All places of `needle` in a range of bytes, without overlaps: the next match
    /// begins where one ends, as [`Map::find_iter`] has it. An empty needle stands
    /// before every byte and at the end.
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(5).map_anonymous()?;
    /// assert_eq!(map.search(faultless::FindAll::new(&[0, 0], 0..5)).count(), 2);
    /// assert_eq!(map.search(faultless::FindAll::new(b"", 0..5)).count(), 6);
    /// # Ok::<(), faultless::Error>(())
    /// ```
    #[must_use]
    pub fn new(needle: &[u8], range: Range<usize>) -> Self {
        let finder = Finder::new(needle).into_owned();
        Self { finder, borders: Vec::new(), left: Left::new(range) }
    }

    /// Also those places that overlap another one.
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(5).map_anonymous()?;
    /// assert_eq!(map.search(faultless::FindAll::new(&[0, 0], 0..5).overlapping()).count(), 4);
    /// # Ok::<(), faultless::Error>(())
    /// ```
    #[must_use]
    pub fn overlapping(self) -> Self {
        Self { borders: borders(self.finder.needle()), ..self }
    }

    /// The places in `bytes` from `places` and where to go on.
    fn find(&self, bytes: &[u8], places: Range<usize>) -> (Vec<usize>, usize) {
        let needle = self.finder.needle();
        let mut found = Vec::new();
        let mut at = places.start;
        // So many bytes before `at` are the needle's first ones, as far as known.
        let mut matched = 0;
        // Nothing before this is a match of its own.
        let mut next = places.start;
        while found.len() < MOST {
            let start = if matched == 0 {
                match bytes.get(at..).and_then(|rest| self.finder.find(rest)) {
                    Some(skipped) => at + skipped,
                    None => return (found, places.end.max(next)),
                }
            } else {
                // Only behind a match: overlaps are looked for byte by byte.
                let Some(&byte) = bytes.get(at) else { return (found, places.end.max(next)) };
                while matched > 0 && needle[matched] != byte {
                    matched = self.borders[matched];
                }
                matched += usize::from(needle[matched] == byte);
                at += 1;
                if matched < needle.len() {
                    continue;
                }
                at - needle.len()
            };
            if start >= places.end {
                return (found, places.end.max(next));
            }
            found.push(start);
            at = start + needle.len().max(1);
            matched = self.borders.last().copied().unwrap_or(0);
            next = if self.borders.is_empty() { at } else { start + 1 };
        }
        (found, next)
    }
}

impl PartSearch for FindAll {
    type Found = usize;

    fn search_part(&mut self, map: &Map, found: &mut Vec<usize>) -> Result<bool> {
        let overlap = self.finder.needle().len().saturating_sub(1);
        let mut left = self.left.clone();
        let start = left.next;
        let step =
            left.step(map, "find_all", (0, overlap), |bytes, places| self.find(bytes, places));
        let all = step?.unwrap_or_default();
        self.left = left;
        found.extend(all.into_iter().map(|at| start + at));
        Ok(!self.left.is_done())
    }

    fn searched(&self) -> usize {
        self.left.searched()
    }

    fn next_part(&self) -> usize {
        self.left.next_part()
    }
}

fn borders(needle: &[u8]) -> Vec<usize> {
    let mut borders = vec![0; needle.len() + 1];
    let mut border = 0;
    for at in 1..needle.len() {
        while border > 0 && needle[border] != needle[at] {
            border = borders[border];
        }
        border += usize::from(needle[border] == needle[at]);
        borders[at + 1] = border;
    }
    borders
}
