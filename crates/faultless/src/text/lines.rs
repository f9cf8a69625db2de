//! Lines, in blocks that are copied and then split.

use std::ops::{Range, RangeBounds};

use memchr::{memchr, memchr_iter, memrchr};

use crate::error::{Error, Result};
use crate::map::Map;
use crate::range::Span;
use crate::view::append;

/// Bytes that are copied at a time: so few that they, and what is made of them,
/// stay in the processor's cache. A longer line takes more.
const BLOCK: usize = 16 << 10;
/// Bytes that are looked at at a time for the end of a longer line.
const LOOK: usize = 8 << 20;

/// Blocks of whole lines of a range of a map. It has no hold on the map between
/// them.
///
/// ```
/// use faultless::LineBlocks;
/// let map = faultless::MapOptions::new().len(9).map_anonymous()?;
/// map.write_at(0, b"one\ntwo\n3")?;
/// let (mut blocks, mut bytes) = (LineBlocks::new(0..map.len()), Vec::new());
/// while blocks.read_block(&map, &mut bytes)? {
///     assert_eq!(LineBlocks::split(&bytes).count(), 3);
/// }
/// # Ok::<(), faultless::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LineBlocks {
    range: Range<usize>,
    next: usize,
    /// So many bytes of the next line have been seen without its end.
    long: usize,
}

impl LineBlocks {
    /// The lines of a range of bytes. Its first and its last one may be parts of
    /// lines.
    ///
    /// ```
    /// let blocks = faultless::LineBlocks::new(0..100);
    /// assert_eq!(blocks.read(), 0);
    /// ```
    #[must_use]
    pub fn new(range: Range<usize>) -> Self {
        Self { next: range.start, range, long: 0 }
    }

    /// How many bytes have been read.
    ///
    /// ```
    /// assert_eq!(faultless::LineBlocks::new(5..100).read(), 0);
    /// ```
    #[must_use]
    pub fn read(&self) -> usize {
        self.next - self.range.start.min(self.next)
    }

    /// Copies the next lines into `bytes`, in the place of what they were; `false`
    /// if there are none.
    ///
    /// # Errors
    /// * [`Fault`](crate::ErrorKind::Fault): a page failed; whole lines before it
    ///   have been given.
    /// * [`Access`](crate::ErrorKind::Access): the map cannot be read.
    /// * [`Os`](crate::ErrorKind::Os): not enough memory for a line.
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(0).map_anonymous()?;
    /// assert!(!faultless::LineBlocks::new(0..0).read_block(&map, &mut Vec::new())?);
    /// # Ok::<(), faultless::Error>(())
    /// ```
    pub fn read_block(&mut self, map: &Map, bytes: &mut Vec<u8>) -> Result<bool> {
        loop {
            if let Some(any) = self.read_part(map, bytes)? {
                return Ok(any);
            }
        }
    }

    /// As [`read_block`](Self::read_block), a part at a time, so that the caller can
    /// do something else, or give up, in a line that does not end for long. `None`:
    /// no line has ended yet; the next call goes on, and takes no notice of `bytes`.
    ///
    /// # Errors
    /// Those of [`read_block`](Self::read_block).
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(1 << 20).map_anonymous()?;
    /// let (mut blocks, mut bytes) = (faultless::LineBlocks::new(0..map.len()), Vec::new());
    /// assert_eq!(blocks.read_part(&map, &mut bytes)?, None);
    /// assert_eq!(blocks.read_part(&map, &mut bytes)?, Some(true));
    /// assert_eq!(bytes.len(), map.len());
    /// # Ok::<(), faultless::Error>(())
    /// ```
    pub fn read_part(&mut self, map: &Map, bytes: &mut Vec<u8>) -> Result<Option<bool>> {
        bytes.clear();
        let end = self.range.end.min(map.len());
        if self.next >= end {
            return Ok(Some(false));
        }
        if self.long != 0 {
            return self.read_long(map, end, bytes);
        }
        let mut to = end.min(self.next.saturating_add(BLOCK));
        let mut failed = copy(map, self.next..to, bytes);
        if let Some(good) = good(&failed, self.next..to) {
            to = good;
            // What is before the page that failed may end a line.
            failed = copy(map, self.next..to, bytes).and(failed);
        }
        let len = match memrchr(b'\n', bytes) {
            Some(at) if to < end => at + 1,
            _ if failed.is_err() => return failed.map(|()| None),
            // The last line may have no end.
            _ if to == end => bytes.len(),
            _ => {
                self.long = bytes.len();
                return Ok(None);
            }
        };
        bytes.truncate(len);
        self.next += len;
        Ok(Some(true))
    }

    /// Looks further for the end of a long line, and copies it when it is found:
    /// then it is known how much memory it takes.
    #[cold]
    fn read_long(&mut self, map: &Map, end: usize, bytes: &mut Vec<u8>) -> Result<Option<bool>> {
        let from = self.next.saturating_add(self.long).min(end);
        let mut to = end.min(from.saturating_add(LOOK));
        let look = |to| {
            let span = Span::of("lines", map.len(), &(from..to))?;
            map.scan("lines", span, |bytes| (memchr(b'\n', bytes), 0..bytes.len()))
        };
        let mut found = look(to);
        if let Some(good) = good(&found, from..to) {
            to = good;
            found =
                look(to).and_then(|newline| if newline.is_some() { Ok(newline) } else { found });
        }
        let line_end = match found? {
            Some(at) => from + at + 1,
            None if to == end => end,
            None => {
                self.long += to - from;
                return Ok(None);
            }
        };
        copy(map, self.next..line_end, bytes)?;
        (self.next, self.long) = (line_end, 0);
        Ok(Some(true))
    }

    /// Where the lines of a block end, each behind its newline: all of them at once,
    /// which is faster than asking for one after the other.
    ///
    /// ```
    /// let mut ends = Vec::new();
    /// faultless::LineBlocks::ends(b"one\ntwo", &mut ends);
    /// assert_eq!(ends, [4, 7]);
    /// ```
    pub fn ends(block: &[u8], ends: &mut Vec<usize>) {
        let mut start = 0;
        let chunks = block.chunks_exact(CHUNK);
        let rest = chunks.remainder();
        for chunk in chunks {
            let mut found = newlines(chunk);
            // So many at once that one step does for most chunks: how many lines end
            // in a chunk is nothing that a processor foresees.
            let mut len = ends.len();
            while found != 0 {
                ends.extend_from_slice(&std::array::from_fn::<_, AT_ONCE, _>(|_| {
                    let at = found.trailing_zeros() as usize;
                    len += usize::from(found != 0);
                    found &= found.wrapping_sub(1);
                    start + at + 1
                }));
            }
            ends.truncate(len);
            start += CHUNK;
        }
        ends.extend(memchr_iter(b'\n', rest).map(|at| start + at + 1));
        if block.last().is_some_and(|&last| last != b'\n') {
            ends.push(block.len());
        }
    }

    /// The lines of a block, each with its end.
    ///
    /// ```
    /// let mut lines = faultless::LineBlocks::split(b"one\ntwo");
    /// assert_eq!((lines.next(), lines.next()), (Some(&b"one\n"[..]), Some(&b"two"[..])));
    /// ```
    pub fn split(block: &[u8]) -> impl Iterator<Item = &[u8]> {
        let last = block.len();
        let open = last != 0 && block[last - 1] != b'\n';
        let ends = memchr_iter(b'\n', block).map(|at| at + 1).chain(open.then_some(last));
        let mut start = 0;
        ends.map(move |end| &block[std::mem::replace(&mut start, end)..end])
    }
}

/// Bytes whose newlines are found at once, as the bits of a number.
const CHUNK: usize = 64;
/// Newlines that are noted at once.
const AT_ONCE: usize = 4;

/// The newlines among some bytes: the nth bit is that of the nth byte.
fn newlines(chunk: &[u8]) -> u64 {
    const LOW: u64 = u64::MAX / 255;
    let mut found = 0;
    for (nth, eight) in chunk.chunks_exact(8).enumerate() {
        let eight = eight.try_into().map_or(0, u64::from_le_bytes) ^ (LOW * b'\n' as u64);
        // The highest bit of each byte that is zero, and no other bit.
        let zero = !(((eight & (LOW * 0x7f)) + LOW * 0x7f) | eight | (LOW * 0x7f));
        // Those bits moved together.
        let bits = (zero >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        found |= bits << (8 * nth);
    }
    found
}

/// Up to where the bytes of a range are good, if some of them failed and not all.
fn good<R>(result: &Result<R>, range: Range<usize>) -> Option<usize> {
    let offset = result.as_ref().err()?.fault()?.offset;
    (range.start < offset && offset < range.end).then_some(offset)
}

fn copy(map: &Map, range: Range<usize>, bytes: &mut Vec<u8>) -> Result<()> {
    bytes.try_reserve(range.len()).map_err(|_| {
        let message = format!("a line of {} bytes does not fit the memory", range.len());
        Error::os("lines", message, std::io::ErrorKind::OutOfMemory.into())
    })?;
    append(bytes, range.len(), |buf| map.read_exact_uninit_at(range.start, buf).map(drop))
}

impl Map {
    /// The lines of a range, without their ends: what lies between bytes `\n`. A
    /// `\r` before one stays. They are copied in blocks, ahead of the iterator.
    ///
    /// # Errors
    /// [`OutOfRange`](crate::ErrorKind::OutOfRange) at once; those of
    /// [`LineBlocks::read_block`] are the iterator's last item.
    ///
    /// ```
    /// # let file = tempfile::NamedTempFile::new()?;
    /// std::fs::write(file.path(), "one\n\nthree")?;
    /// let map = faultless::Map::open(file.path())?;
    /// let lines: Vec<Vec<u8>> = map.lines(..)?.collect::<Result<_, _>>()?;
    /// assert_eq!(lines, [&b"one"[..], b"", b"three"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn lines(&self, range: impl RangeBounds<usize>) -> Result<Lines<'_>> {
        self.check_readable("lines")?;
        let span = Span::of("lines", self.len(), &range)?;
        let blocks = LineBlocks::new(span.start()..span.end());
        Ok(Lines { map: self, blocks: Some(blocks), block: Vec::new(), at: 0 })
    }
}

/// The lines of [`Map::lines`].
///
/// ```
/// let map = faultless::MapOptions::new().len(5).map_anonymous()?;
/// assert_eq!(map.lines(..)?.next().transpose()?, Some(vec![0; 5]));
/// # Ok::<(), faultless::Error>(())
/// ```
#[derive(Debug)]
pub struct Lines<'map> {
    map: &'map Map,
    blocks: Option<LineBlocks>,
    block: Vec<u8>,
    at: usize,
}

impl Iterator for Lines<'_> {
    type Item = Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at == self.block.len() {
            self.at = 0;
            match self.blocks.as_mut()?.read_block(self.map, &mut self.block) {
                Ok(true) => {}
                ended => {
                    self.block.clear();
                    self.blocks = None;
                    return ended.err().map(Err);
                }
            }
        }
        let rest = &self.block[self.at..];
        let line = &rest[..memchr(b'\n', rest).map_or(rest.len(), |at| at + 1)];
        self.at += line.len();
        Some(Ok(line.strip_suffix(b"\n").unwrap_or(line).to_vec()))
    }
}

impl std::iter::FusedIterator for Lines<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn ends_are_those_of_the_lines(lens in proptest::collection::vec(0_usize..40, 0..30), open: bool) {
            let mut block: Vec<u8> = Vec::new();
            for (nth, len) in lens.iter().enumerate() {
                // Beside a newline only one bit of a byte may be another.
                block.extend((0..*len).map(|at| [b'\n' ^ 1, b'\n' ^ 0x80, 0, 255][(at + nth) % 4]));
                block.push(b'\n');
            }
            if open {
                block.push(b'x');
            }
            let mut ends = Vec::new();
            LineBlocks::ends(&block, &mut ends);
            let split: Vec<&[u8]> = block.split_inclusive(|byte| *byte == b'\n').collect();
            let mut end = 0;
            let expected: Vec<usize> = split.iter().map(|line| { end += line.len(); end }).collect();
            proptest::prop_assert_eq!(ends, expected);
            proptest::prop_assert!(LineBlocks::split(&block).eq(split));
        }
    }
}
