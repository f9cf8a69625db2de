//! Finding bytes: forwards, backwards, all of them.

use std::ops::{Range, RangeBounds};

use memchr::memmem;

use crate::error::Result;
use crate::guard::Look;
use crate::map::Map;
use crate::needle::Needle;
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
        let needle = Needle::new(needle);
        self.find_in("find", span, needle.len(), |bytes| needle.find(bytes))
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
        let needle = Needle::new(needle);
        self.rfind_in("rfind", span, |bytes| needle.rfind(bytes))
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
        let needle = Needle::new(needle);
        self.scan("count", span, |bytes| {
            let (count, _) = needle.count(bytes);
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
    pub(crate) fn find_in(
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

    /// A search from the end.
    pub(crate) fn rfind_in(
        &self,
        operation: &'static str,
        span: Span,
        search: impl Fn(&[u8]) -> Option<usize>,
    ) -> Result<Option<usize>> {
        let found = self.scan(operation, span, |bytes| {
            let found = search(bytes);
            (found, found.unwrap_or(0)..bytes.len())
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
