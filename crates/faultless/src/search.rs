//! Finding bytes: forwards, backwards, all of them.

use std::ops::{Range, RangeBounds};

use memchr::arch::all::packedpair::Pair;
use memchr::{memchr, memchr_iter, memmem, memrchr};

use crate::error::Result;
use crate::guard::Look;
use crate::map::Map;
use crate::range::Span;

impl Map {
    /// Offset of the first place in `range` where `needle` stands, all of it
    /// inside the range; `None` if there is none. An empty needle stands
    /// everywhere.
    ///
    /// Takes time linear in the range and the needle, in the worst case too.
    ///
    /// # Errors
    /// * [`OutOfRange`](crate::ErrorKind::OutOfRange): the range is not inside
    ///   the map.
    /// * [`Fault`](crate::ErrorKind::Fault): a page failed that had to be
    ///   searched.
    /// * [`Access`](crate::ErrorKind::Access): the map cannot be read.
    ///
    /// ```
    /// # let file = tempfile::NamedTempFile::new()?;
    /// std::fs::write(file.path(), b"one two one")?;
    /// let map = faultless::Map::open(file.path())?;
    /// assert_eq!(map.find(b"one", ..)?, Some(0));
    /// assert_eq!(map.find(b"one", 1..)?, Some(8));
    /// assert_eq!(map.find(b"one", 1..10)?, None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn find(&self, needle: &[u8], range: impl RangeBounds<usize>) -> Result<Option<usize>> {
        let span = Span::of("find", self.len(), &range)?;
        self.find_in("find", span, needle.len(), |bytes| match needle {
            &[byte] => memchr(byte, bytes),
            _ => memmem::find(bytes, needle),
        })
    }

    /// Offset of the last place in `range` where `needle` stands.
    ///
    /// Takes time linear in the range and the needle, in the worst case too.
    ///
    /// # Errors
    /// Those of [`find`](Self::find).
    ///
    /// ```
    /// # let file = tempfile::NamedTempFile::new()?;
    /// std::fs::write(file.path(), b"one two one")?;
    /// let map = faultless::Map::open(file.path())?;
    /// assert_eq!(map.rfind(b"one", ..)?, Some(8));
    /// assert_eq!(map.rfind(b"one", ..10)?, Some(0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn rfind(&self, needle: &[u8], range: impl RangeBounds<usize>) -> Result<Option<usize>> {
        let span = Span::of("rfind", self.len(), &range)?;
        let found = self.scan("rfind", span, |bytes| {
            let found = rfind(bytes, needle);
            (found, found.unwrap_or(0)..bytes.len())
        })?;
        Ok(found.map(|at| span.start() + at))
    }

    /// How often `needle` stands in `range`, without overlaps. An empty needle
    /// stands before every byte and at the end.
    ///
    /// # Errors
    /// Those of [`find`](Self::find).
    ///
    /// ```
    /// # let file = tempfile::NamedTempFile::new()?;
    /// std::fs::write(file.path(), b"aaaa b")?;
    /// let map = faultless::Map::open(file.path())?;
    /// assert_eq!(map.count(b"aa", ..)?, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn count(&self, needle: &[u8], range: impl RangeBounds<usize>) -> Result<usize> {
        let span = Span::of("count", self.len(), &range)?;
        self.scan("count", span, |bytes| {
            let count = match needle {
                &[byte] => memchr_iter(byte, bytes).count(),
                _ => memmem::find_iter(bytes, needle).count(),
            };
            (count, 0..bytes.len())
        })
    }

    /// The offsets of all places in `range` where `needle` stands, from the
    /// first to the last, without overlaps.
    ///
    /// # Errors
    /// Those of [`find`](Self::find) for the range, at once; a page that fails
    /// later is the iterator's last item.
    ///
    /// ```
    /// # let file = tempfile::NamedTempFile::new()?;
    /// std::fs::write(file.path(), b"one two one")?;
    /// let map = faultless::Map::open(file.path())?;
    /// let all: Vec<usize> = map.find_iter(b"one", ..)?.collect::<Result<_, _>>()?;
    /// assert_eq!(all, [0, 8]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn find_iter<'map, 'needle>(
        &'map self,
        needle: &'needle [u8],
        range: impl RangeBounds<usize>,
    ) -> Result<FindIter<'map, 'needle>> {
        self.check_readable("find_iter")?;
        let span = Span::of("find_iter", self.len(), &range)?;
        Ok(FindIter {
            map: self,
            finder: memmem::Finder::new(needle),
            next: Some(span.start()),
            end: span.end(),
        })
    }

    /// Runs a search over a span under the guard. It returns its result and the
    /// range of bytes in the span that the result depends on.
    pub(crate) fn scan<R: PartialEq>(
        &self,
        operation: &'static str,
        span: Span,
        search: impl Fn(&[u8]) -> (R, Range<usize>),
    ) -> Result<R> {
        self.check_readable(operation)?;
        let bytes = self.view.window(span).bytes();
        let look = || {
            let (found, range) = search(bytes);
            let last = bytes[range.clone()].last().copied().unwrap_or(1);
            (found, span.within(range), last)
        };
        self.guard.quick(self, span, look).or_else(|epoch| {
            let mut result = None;
            self.guard.read(self, operation, span, epoch, &mut || {
                let (found, span, last) = look();
                let same = result.as_ref() == Some(&found);
                result = Some(found);
                Look { same, span, last }
            })?;
            let Some(result) = result else { unreachable!("the guard looks at least once") };
            Ok(result)
        })
    }

    /// A forward search for something `len` bytes long.
    fn find_in(
        &self,
        operation: &'static str,
        span: Span,
        len: usize,
        search: impl Fn(&[u8]) -> Option<usize>,
    ) -> Result<Option<usize>> {
        let found = self.scan(operation, span, |bytes| {
            let found = search(bytes);
            (found, 0..found.map_or(bytes.len(), |at| at + len))
        })?;
        Ok(found.map(|at| span.start() + at))
    }
}

/// The offsets that [`Map::find_iter`] finds.
///
/// ```
/// let map = faultless::MapOptions::new().len(3).map_anonymous()?;
/// let mut zeros = map.find_iter(&[0], ..)?;
/// assert_eq!(zeros.next().transpose()?, Some(0));
/// assert_eq!(zeros.count(), 2);
/// # Ok::<(), faultless::Error>(())
/// ```
#[derive(Debug)]
pub struct FindIter<'map, 'needle> {
    map: &'map Map,
    finder: memmem::Finder<'needle>,
    next: Option<usize>,
    end: usize,
}

impl Iterator for FindIter<'_, '_> {
    type Item = Result<usize>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.next.take()?;
        let span = Span::clamped(self.end, start, self.end - start);
        let len = self.finder.needle().len();
        let found = self
            .map
            .find_in("find_iter", span, len, |bytes| self.finder.find(bytes))
            .transpose()?;
        if let Ok(at) = found {
            self.next = Some(at + len.max(1)).filter(|&next| next <= self.end);
        }
        Some(found)
    }
}

impl std::iter::FusedIterator for FindIter<'_, '_> {}

/// The last place of `needle` in `bytes`.
///
/// Looks for the needle's rarest byte from the end, at the speed of memory, and
/// compares where it stands. If that byte turns out to be frequent, so that the
/// comparisons cost more than a few passes over the bytes, it goes on with a
/// search that is slower but linear whatever the bytes are.
fn rfind(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    const FIRST_LOOK: usize = 16;
    let pair = match needle {
        [] => return Some(bytes.len()),
        &[byte] => return memrchr(byte, bytes),
        _ => Pair::new(needle)?,
    };
    let (rare, other) = (usize::from(pair.index1()), usize::from(pair.index2()));
    // The places where the rare byte may stand: `rare..end`.
    let mut end = (bytes.len().checked_sub(needle.len())? + 1) + rare;
    let all = end;
    let mut spent = 0;
    while let Some(at) = memrchr(needle[rare], &bytes[rare..end]) {
        let candidate = &bytes[at..at + needle.len()];
        if candidate[other] == needle[other] {
            let look = needle.len().min(FIRST_LOOK);
            if candidate[..look] == needle[..look] {
                if candidate == needle {
                    return Some(at);
                }
                spent += needle.len();
            }
        }
        spent += FIRST_LOOK;
        end = at + rare;
        if spent > 4096 + (all - end) {
            let rest = &bytes[..end - rare + needle.len() - 1];
            return memmem::FinderRev::new(needle).rfind(rest);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::rfind;

    /// The last place, found by looking at each.
    fn naive(bytes: &[u8], needle: &[u8]) -> Option<usize> {
        (0..=bytes.len().checked_sub(needle.len())?)
            .rev()
            .find(|&at| bytes[at..].starts_with(needle))
    }

    proptest::proptest! {
        #[test]
        fn rfind_finds_what_looking_finds(
            bytes in proptest::collection::vec(0u8..3, 0..300),
            needle in proptest::collection::vec(0u8..3, 0..9),
        ) {
            assert_eq!(rfind(&bytes, &needle), naive(&bytes, &needle));
        }

        #[test]
        fn rfind_finds_what_is_there(
            mut bytes in proptest::collection::vec(0u8..2, 20_000..30_000),
            at in 0usize..19_000,
            needle in proptest::collection::vec(0u8..2, 1..600),
        ) {
            bytes[at..at + needle.len()].copy_from_slice(&needle);
            assert_eq!(rfind(&bytes, &needle), naive(&bytes, &needle));
        }
    }
}
