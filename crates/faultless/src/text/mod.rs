//! Searches that give many results: part by part, so that results come while
//! the rest has not been looked at, and a search can be given up between parts.

mod all;
#[cfg(feature = "aho-corasick")]
mod any;
mod index;
mod lines;
#[cfg(feature = "regex")]
mod regex;

use std::collections::VecDeque;
use std::ops::Range;

pub use all::FindAll;
#[cfg(feature = "aho-corasick")]
pub use any::{FindAny, Found};
pub use index::{LineIndex, LineIndexer};
pub use lines::{LineBlocks, Lines};
#[cfg(feature = "regex")]
pub use regex::{FindRegex, RegexMatch};

use crate::error::Result;
use crate::map::Map;
use crate::range::Span;

/// A search of a range of a map, part by part. It has no hold on the map between
/// its parts: the map may be resized, and what of the range it has not any more
/// is not searched. [`Map::search`] makes an iterator of it.
///
/// ```
/// use faultless::{FindAll, PartSearch};
///
/// let map = faultless::MapOptions::new().len(1 << 20).map_anonymous()?;
/// map.write_at(1000, b"aaa")?;
/// let (mut search, mut found) = (FindAll::new(b"aa", 0..map.len()).overlapping(), Vec::new());
/// while search.search_part(&map, &mut found)? {
///     println!("{} of {} bytes", search.searched(), map.len());
/// }
/// assert_eq!(found, [1000, 1001]);
/// # Ok::<(), faultless::Error>(())
/// ```
pub trait PartSearch {
    /// What is found.
    type Found;

    /// Searches the next part and appends what it finds; `false` if that was the
    /// last part. After an error the same part is searched again.
    ///
    /// # Errors
    /// * [`Fault`](crate::ErrorKind::Fault): a page failed. What was found before
    ///   it has been given.
    /// * [`Access`](crate::ErrorKind::Access): the map cannot be read.
    fn search_part(&mut self, map: &Map, found: &mut Vec<Self::Found>) -> Result<bool>;

    /// How many bytes of the range have been searched.
    fn searched(&self) -> usize;

    /// How many bytes the next part has, about.
    fn next_part(&self) -> usize;
}

impl Map {
    /// The results of a search, as an iterator.
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(5).map_anonymous()?;
    /// let search = faultless::FindAll::new(&[0, 0], 0..5).overlapping();
    /// assert_eq!(map.search(search).count(), 4);
    /// # Ok::<(), faultless::Error>(())
    /// ```
    pub fn search<S: PartSearch>(&self, search: S) -> Matches<'_, S> {
        Matches { map: self, search: Some(search), found: VecDeque::new() }
    }
}

/// The results of a [search](Map::search). An error is the last item.
///
/// ```
/// let map = faultless::MapOptions::new().len(5).map_anonymous()?;
/// let mut found = map.search(faultless::FindAll::new(&[0], 3..5));
/// assert_eq!(found.next().transpose()?, Some(3));
/// # Ok::<(), faultless::Error>(())
/// ```
#[derive(Debug)]
pub struct Matches<'map, S: PartSearch> {
    map: &'map Map,
    search: Option<S>,
    found: VecDeque<S::Found>,
}

impl<S: PartSearch> Iterator for Matches<'_, S> {
    type Item = Result<S::Found>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(found) = self.found.pop_front() {
                return Some(Ok(found));
            }
            let search = self.search.as_mut()?;
            let mut found = Vec::new();
            match search.search_part(self.map, &mut found) {
                Ok(true) => {}
                Ok(false) => self.search = None,
                Err(error) => {
                    self.search = None;
                    return Some(Err(error));
                }
            }
            self.found = found.into();
        }
    }
}

impl<S: PartSearch> std::iter::FusedIterator for Matches<'_, S> {}

/// What is left of the range of a search, and how much of it is looked at next.
#[derive(Clone, Debug)]
struct Left {
    range: Range<usize>,
    next: usize,
    part: usize,
    /// `usize::MAX`: only all of it at once gives the right results.
    largest: usize,
}

/// The first part, so that the first result comes soon, and the largest.
const FIRST: usize = 32 << 10;
const LARGEST: usize = 8 << 20;
/// Results of one part, at most.
const MOST: usize = 4096;

impl Left {
    fn new(range: Range<usize>) -> Self {
        Self { next: range.start, range, part: FIRST, largest: LARGEST }
    }

    fn searched(&self) -> usize {
        self.next.min(self.range.end) - self.range.start.min(self.next)
    }

    fn next_part(&self) -> usize {
        self.part.min(self.range.end.saturating_sub(self.next))
    }

    /// Runs `search` over the next part. It gets the bytes from some before the
    /// next place to `overlap` behind the part, how many the former are, and up to
    /// which place matches may begin; it says what it found and where to go on.
    /// `None`: nothing is left.
    fn step<R: PartialEq>(
        &mut self,
        map: &Map,
        operation: &'static str,
        (before, overlap): (usize, usize),
        search: impl Fn(&[u8], Range<usize>) -> (R, usize),
    ) -> Result<Option<R>> {
        self.range.end = self.range.end.min(map.len());
        if self.next > self.range.end {
            return Ok(None);
        }
        let mut part = self.part;
        let mut failed = None;
        loop {
            let first = self.next.saturating_sub(before).max(self.range.start);
            let cut = self.range.end.min(self.next.saturating_add(part));
            let end = self.range.end.min(cut.saturating_add(overlap));
            let span = Span::clamped(map.len(), first, end - first);
            // Behind the last byte, there is still the empty match.
            let last = if cut == self.range.end { cut + 1 } else { cut };
            let places = self.next - first..last - first;
            let found =
                map.scan(operation, span, |bytes| (search(bytes, places.clone()), 0..bytes.len()));
            let error = match found {
                Ok((found, next)) if next > places.start || failed.is_none() => {
                    // Without a step forward it takes more at a time.
                    let most = if next > places.start { self.largest } else { usize::MAX };
                    self.next = first + next;
                    self.part = self.part.saturating_mul(2).min(most);
                    return Ok(Some(found));
                }
                Ok(_) => return failed.map_or(Ok(None), Err),
                Err(error) => error,
            };
            // What is before the page that failed comes before the error.
            let good = error.fault().and_then(|fault| {
                let good = fault.offset.checked_sub(overlap)?.checked_sub(self.next)?;
                let shorter = good > 0 && good < part && self.largest != usize::MAX;
                shorter.then_some(good)
            });
            match good {
                Some(good) => part = good,
                None => return Err(error),
            }
            failed = Some(error);
        }
    }

    fn is_done(&self) -> bool {
        self.next > self.range.end
    }
}
