//! Where lines are: from a line's number to its place and back.

use std::ops::{Range, RangeBounds};

use memchr::memchr_iter;

use crate::error::{Error, ErrorKind, Result};
use crate::map::Map;
use crate::range::Span;

/// How many bytes there are between two notes of how many lines have ended.
const BLOCK: usize = 8 << 10;
/// How many are looked at in one step, by all threads.
const STEP: usize = 64 << 20;
/// And at least by each thread.
const LEAST: usize = 1 << 20;

/// Where the lines of a range of a map are: the place of any line, and the line of
/// any place, by looking at a few KiB.
///
/// It takes 64 bits for 8 KiB of text, a fraction of a bit a line in most texts.
/// It is of the bytes that there were: after the map has changed it is to be made
/// anew.
///
/// ```
/// # let file = tempfile::NamedTempFile::new()?;
/// std::fs::write(file.path(), "one\ntwo\nthree\n")?;
/// let map = faultless::Map::open(file.path())?;
/// let index = map.line_index(..)?;
/// assert_eq!(index.len(), 3);
/// assert_eq!(map.to_vec(index.line(&map, 2)?)?, b"three\n");
/// assert_eq!(index.line_at(&map, 5)?, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct LineIndex {
    range: Range<usize>,
    /// How many lines ended before each block, and in all.
    ended: Vec<u64>,
    /// Whether the last line has no end.
    open: bool,
}

/// Makes a [`LineIndex`], part by part.
///
/// ```
/// let map = faultless::MapOptions::new().len(100).map_anonymous()?;
/// let mut indexer = faultless::LineIndexer::new(0..100);
/// while indexer.index_part(&map)? {
///     println!("{} bytes", indexer.indexed());
/// }
/// assert_eq!(indexer.finish().len(), 1);
/// # Ok::<(), faultless::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LineIndexer {
    index: LineIndex,
    next: usize,
}

impl LineIndexer {
    /// For a range of bytes.
    ///
    /// ```
    /// assert_eq!(faultless::LineIndexer::new(0..100).indexed(), 0);
    /// ```
    #[must_use]
    pub fn new(range: Range<usize>) -> Self {
        let next = range.start;
        Self { index: LineIndex { range, ended: vec![0], open: false }, next }
    }

    /// How many bytes have been looked at.
    ///
    /// ```
    /// assert_eq!(faultless::LineIndexer::new(7..100).indexed(), 0);
    /// ```
    #[must_use]
    pub fn indexed(&self) -> usize {
        self.next - self.index.range.start
    }

    /// Looks at the next part, with all the processor's cores; `false` if that was
    /// the last one.
    ///
    /// # Errors
    /// * [`Fault`](ErrorKind::Fault): a page failed.
    /// * [`OutOfRange`](ErrorKind::OutOfRange): the map has become shorter than
    ///   the range.
    /// * [`Access`](ErrorKind::Access): the map cannot be read.
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(100).map_anonymous()?;
    /// assert!(!faultless::LineIndexer::new(0..100).index_part(&map)?);
    /// # Ok::<(), faultless::Error>(())
    /// ```
    pub fn index_part(&mut self, map: &Map) -> Result<bool> {
        let Range { end, .. } = self.index.range;
        let part = self.next..end.min(self.next.saturating_add(STEP));
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let each = part.len().div_ceil(cores).max(LEAST).next_multiple_of(BLOCK);
        let pieces: Vec<Range<usize>> = part
            .clone()
            .step_by(each)
            .map(|start| start..part.end.min(start.saturating_add(each)))
            .collect();
        let counts: Vec<Result<Vec<u32>>> = match &pieces[..] {
            [piece] => vec![count(map, piece.clone())],
            pieces => std::thread::scope(|scope| {
                let start = |piece: &Range<usize>| {
                    let piece = piece.clone();
                    scope.spawn(move || count(map, piece))
                };
                let threads: Vec<_> = pieces.iter().map(start).collect();
                let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
                    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                };
                threads.into_iter().map(join).collect()
            }),
        };
        let counts = counts.into_iter().collect::<Result<Vec<_>>>()?;
        let mut ended = self.index.ended.last().copied().unwrap_or(0);
        for count in counts.into_iter().flatten() {
            ended += u64::from(count);
            self.index.ended.push(ended);
        }
        self.next = part.end;
        if self.next < end {
            return Ok(true);
        }
        let last = end.checked_sub(1).filter(|last| *last >= self.index.range.start);
        self.index.open = match last {
            Some(last) => map.get(last)? != b'\n',
            None => false,
        };
        Ok(false)
    }

    /// The index, of the parts that have been looked at.
    ///
    /// ```
    /// assert!(faultless::LineIndexer::new(0..0).finish().is_empty());
    /// ```
    #[must_use]
    pub fn finish(mut self) -> LineIndex {
        self.index.range.end = self.next;
        self.index
    }
}

/// How many lines end in each block.
fn count(map: &Map, range: Range<usize>) -> Result<Vec<u32>> {
    let mut counts = Vec::with_capacity(range.len() / BLOCK + 1);
    for start in range.clone().step_by(LEAST) {
        let span = Span::of("line_index", map.len(), &(start..range.end.min(start + LEAST)))?;
        let in_blocks = |bytes: &[u8]| -> Vec<u32> {
            bytes.chunks(BLOCK).map(|block| memchr_iter(b'\n', block).count() as u32).collect()
        };
        counts.extend(map.scan("line_index", span, |bytes| (in_blocks(bytes), 0..bytes.len()))?);
    }
    Ok(counts)
}

impl LineIndex {
    /// How many lines there are. What follows the last `\n` is one, unless it is
    /// nothing.
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(10).map_anonymous()?;
    /// assert_eq!(map.line_index(..)?.len(), 1);
    /// # Ok::<(), faultless::Error>(())
    /// ```
    #[must_use]
    pub fn len(&self) -> u64 {
        self.ends() + u64::from(self.open)
    }

    /// Whether there are no lines.
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(0).map_anonymous()?;
    /// assert!(map.line_index(..)?.is_empty());
    /// # Ok::<(), faultless::Error>(())
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn ends(&self) -> u64 {
        self.ended.last().copied().unwrap_or(0)
    }

    /// Where a line is in the map, with its end; lines are numbered from 0.
    ///
    /// # Errors
    /// * [`OutOfRange`](ErrorKind::OutOfRange): there are not so many lines.
    /// * [`Fault`](ErrorKind::Fault): a page failed.
    /// * [`Corrupt`](ErrorKind::Corrupt): the map has other lines than when the
    ///   index was made.
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(8).map_anonymous()?;
    /// map.write_at(0, b"one\ntwo\n")?;
    /// assert_eq!(map.line_index(..)?.line(&map, 1)?, 4..8);
    /// # Ok::<(), faultless::Error>(())
    /// ```
    pub fn line(&self, map: &Map, number: u64) -> Result<Range<usize>> {
        if number >= self.len() {
            let message = format!("there is no line {number} among {}", self.len());
            return Err(Error::new(ErrorKind::OutOfRange, "line", message));
        }
        let start = match number.checked_sub(1) {
            Some(before) => self.end_of(map, before)?,
            None => self.range.start,
        };
        let end = if number < self.ends() { self.end_of(map, number)? } else { self.range.end };
        Ok(start..end)
    }

    /// Where the line ends that so many have ended before.
    fn end_of(&self, map: &Map, before: u64) -> Result<usize> {
        let block = self.ended.partition_point(|ended| *ended <= before) - 1;
        let span = self.block(map, block)?;
        let nth = (before - self.ended[block]) as usize;
        let found =
            map.scan("line", span, |bytes| (memchr_iter(b'\n', bytes).nth(nth), 0..bytes.len()))?;
        found.map(|at| span.start() + at + 1).ok_or_else(|| {
            let message = "the map has other lines than when the index was made";
            Error::new(ErrorKind::Corrupt, "line", message)
        })
    }

    fn block(&self, map: &Map, block: usize) -> Result<Span> {
        let start = self.range.start + block * BLOCK;
        Span::of("line", map.len(), &(start..self.range.end.min(start + BLOCK)))
    }

    /// The number of the line that has the byte at an offset of the map.
    ///
    /// # Errors
    /// * [`OutOfRange`](ErrorKind::OutOfRange): the offset is not in the range.
    /// * [`Fault`](ErrorKind::Fault): a page failed.
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(8).map_anonymous()?;
    /// map.write_at(0, b"one\ntwo\n")?;
    /// let index = map.line_index(..)?;
    /// assert_eq!((index.line_at(&map, 3)?, index.line_at(&map, 4)?), (0, 1));
    /// # Ok::<(), faultless::Error>(())
    /// ```
    pub fn line_at(&self, map: &Map, offset: usize) -> Result<u64> {
        if !self.range.contains(&offset) {
            let message = format!("offset {offset} is outside the lines of {:?}", self.range);
            return Err(Error::new(ErrorKind::OutOfRange, "line_at", message));
        }
        let block = (offset - self.range.start) / BLOCK;
        let start = self.range.start + block * BLOCK;
        let span = Span::of("line_at", map.len(), &(start..offset))?;
        let before =
            map.scan("line_at", span, |bytes| (memchr_iter(b'\n', bytes).count(), 0..bytes.len()))?;
        Ok(self.ended[block] + before as u64)
    }
}

impl Map {
    /// Where the lines of a range are, found with all the processor's cores.
    /// [`LineIndexer`] does the same part by part.
    ///
    /// # Errors
    /// * [`OutOfRange`](ErrorKind::OutOfRange): the range is not inside the map.
    /// * [`Fault`](ErrorKind::Fault): a page failed.
    /// * [`Access`](ErrorKind::Access): the map cannot be read.
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(8).map_anonymous()?;
    /// map.write_at(0, b"one\ntwo\n")?;
    /// assert_eq!(map.line_index(4..)?.len(), 1);
    /// # Ok::<(), faultless::Error>(())
    /// ```
    pub fn line_index(&self, range: impl RangeBounds<usize>) -> Result<LineIndex> {
        self.check_readable("line_index")?;
        let span = Span::of("line_index", self.len(), &range)?;
        let mut indexer = LineIndexer::new(span.start()..span.end());
        while indexer.index_part(self)? {}
        Ok(indexer.finish())
    }
}
