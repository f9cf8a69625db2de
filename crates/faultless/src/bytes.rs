//! Bytes in and out: copies, every n-th byte, moves and comparisons.

use std::cmp::Ordering;
use std::io;
use std::mem::MaybeUninit;
use std::ops::RangeBounds;

use crate::error::{Error, Result};
use crate::guard::Guard;
use crate::map::Map;
use crate::os;
use crate::range::Span;
use crate::view::{STREAMED, append, as_uninit, initialised};

const MOVE: &str = "copy_within";

/// How many bytes are moved at a time.
const MOVED: usize = 1 << 20;

/// How many of them, if through a buffer.
const BUFFERED: usize = 16 << 10;

/// From how many bytes on memory may have a whole huge page in it.
const LARGE: usize = 2 << 20;

/// Tells the system that new memory will be filled, if it is worth it.
#[inline(always)]
fn expect_filling(memory: &mut [MaybeUninit<u8>]) {
    if memory.len() >= LARGE {
        os::expect_filling(memory);
    }
}

impl Map {
    /// Copies bytes from `offset` on into `buf`, as many as the map has, and
    /// returns how many: fewer than asked for at the end of the map, none past
    /// it, as [`std::os::unix::fs::FileExt::read_at`] does.
    ///
    /// # Errors
    /// * [`Fault`](crate::ErrorKind::Fault): a page failed; what is in `buf` means
    ///   nothing.
    /// * [`Access`](crate::ErrorKind::Access): the map cannot be read.
    ///
    /// ```
    /// # let file = tempfile::NamedTempFile::new()?;
    /// std::fs::write(file.path(), b"0123456789")?;
    /// let map = faultless::Map::open(file.path())?;
    /// let mut buf = [0; 4];
    /// assert_eq!(map.read_at(3, &mut buf)?, 4);
    /// assert_eq!(&buf, b"3456");
    /// assert_eq!(map.read_at(8, &mut buf)?, 2);
    /// assert_eq!(map.read_at(100, &mut buf)?, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline(always)]
    pub fn read_at(&self, offset: usize, buf: &mut [u8]) -> Result<usize> {
        self.check_readable("read_at")?;
        let span = Span::clamped(self.len(), offset, buf.len());
        self.copy_out("read_at", span, as_uninit(&mut buf[..span.len()]))?;
        Ok(span.len())
    }

    /// Fills `buf` with the bytes from `offset` on.
    ///
    /// # Errors
    /// As [`read_at`](Self::read_at), and
    /// [`OutOfRange`](crate::ErrorKind::OutOfRange) if the map has not that many
    /// bytes there: then `buf` is untouched.
    ///
    /// ```
    /// # let file = tempfile::NamedTempFile::new()?;
    /// std::fs::write(file.path(), b"0123456789")?;
    /// let map = faultless::Map::open(file.path())?;
    /// let mut buf = [0; 4];
    /// map.read_exact_at(6, &mut buf)?;
    /// assert_eq!(&buf, b"6789");
    /// assert!(map.read_exact_at(7, &mut buf).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn read_exact_at(&self, offset: usize, buf: &mut [u8]) -> Result<()> {
        self.copy_out_exact(offset, as_uninit(buf)).map(drop)
    }

    /// As [`read_exact_at`](Self::read_exact_at), into memory that has not been
    /// initialised, which is returned as the bytes it then is. Some megabytes that
    /// nobody has touched yet come in huge pages, where the system has them for
    /// whoever asks (Linux: `MADV_HUGEPAGE`): that is several times as fast.
    ///
    /// # Errors
    /// As [`read_exact_at`](Self::read_exact_at).
    ///
    /// ```
    /// use std::mem::MaybeUninit;
    /// let map = faultless::MapOptions::new().len(10).map_anonymous()?;
    /// let mut buf = [MaybeUninit::uninit(); 4];
    /// assert_eq!(map.read_exact_uninit_at(2, &mut buf)?, [0; 4]);
    /// # Ok::<(), faultless::Error>(())
    /// ```
    #[inline(always)]
    pub fn read_exact_uninit_at<'buf>(
        &self,
        offset: usize,
        buf: &'buf mut [MaybeUninit<u8>],
    ) -> Result<&'buf mut [u8]> {
        expect_filling(buf);
        self.copy_out_exact(offset, buf)
    }

    #[inline(always)]
    fn copy_out_exact<'buf>(
        &self,
        offset: usize,
        buf: &'buf mut [MaybeUninit<u8>],
    ) -> Result<&'buf mut [u8]> {
        const OPERATION: &str = "read_exact_at";
        self.check_readable(OPERATION)?;
        let span = Span::exact(OPERATION, self.len(), offset, buf.len())?;
        self.copy_out(OPERATION, span, buf)
    }

    /// Copies of a few bytes are done in place: a call of `memcpy`, and keeping
    /// everything over it, takes longer than the bytes and the guard together.
    #[inline(always)]
    fn copy_out<'buf>(
        &self,
        operation: &'static str,
        span: Span,
        buf: &'buf mut [MaybeUninit<u8>],
    ) -> Result<&'buf mut [u8]> {
        let window = self.view.window(span);
        let copied = if self.guard.is_within(self, span) {
            // Without a closure, which some callers would be given as a function.
            let epoch = self.guard.epoch();
            let stands = Guard::is_sound_at(epoch) && {
                if window.is_few() {
                    window.copy_few_to(buf);
                } else {
                    window.copy_to(buf);
                }
                // As it is now, for it may have been copied first, and the file cut then.
                self.guard.stands(self, epoch, span, window.last().unwrap_or(1))
            };
            if stands { Ok(()) } else { Err(epoch) }
        } else {
            self.copy_out_across(span, buf)
        };
        if let Err(epoch) = copied {
            self.copy_out_carefully(operation, span, epoch, buf)?;
        }
        Ok(initialised(buf))
    }

    #[inline(never)]
    fn copy_out_across(&self, span: Span, buf: &mut [MaybeUninit<u8>]) -> Result<(), usize> {
        let window = self.view.window(span);
        self.guard.quick_across(self, || {
            window.copy_to(buf);
            ((), span, window.last().unwrap_or(1))
        })
    }

    #[cold]
    #[inline(never)]
    fn copy_out_carefully(
        &self,
        operation: &'static str,
        span: Span,
        epoch: usize,
        buf: &mut [MaybeUninit<u8>],
    ) -> Result<()> {
        let mut copy = self.view.window(span).copier(buf);
        self.guard.read(self, operation, span, epoch, &mut || copy.look())
    }

    /// The bytes of a range, copied.
    ///
    /// # Errors
    /// * [`OutOfRange`](crate::ErrorKind::OutOfRange): the range is not inside
    ///   the map.
    /// * [`Fault`](crate::ErrorKind::Fault): a page failed.
    /// * [`Access`](crate::ErrorKind::Access): the map cannot be read.
    /// * [`Os`](crate::ErrorKind::Os): not enough memory for the copy.
    ///
    /// ```
    /// # let file = tempfile::NamedTempFile::new()?;
    /// std::fs::write(file.path(), b"0123456789")?;
    /// let map = faultless::Map::open(file.path())?;
    /// assert_eq!(map.to_vec(7..)?, b"789");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to_vec(&self, range: impl RangeBounds<usize>) -> Result<Vec<u8>> {
        self.check_readable("to_vec")?;
        let span = Span::of("to_vec", self.len(), &range)?;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(span.len()).map_err(|_| {
            let message = format!("{} bytes do not fit the memory", span.len());
            Error::os("to_vec", message, io::ErrorKind::OutOfMemory.into())
        })?;
        append(&mut bytes, span.len(), |buf| {
            expect_filling(buf);
            self.copy_out("to_vec", span, buf).map(drop)
        })?;
        Ok(bytes)
    }

    /// Copies `bytes` into the map at `offset`: all of them, or, if the map has
    /// not that much room there, none.
    ///
    /// # Errors
    /// * [`OutOfRange`](crate::ErrorKind::OutOfRange): nothing was written.
    /// * [`Access`](crate::ErrorKind::Access): the map cannot be written.
    /// * [`Fault`](crate::ErrorKind::Fault): a page failed; some of the bytes may
    ///   have been written.
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(8).map_anonymous()?;
    /// map.write_at(4, b"abcd")?;
    /// assert!(map.write_at(5, b"abcd").is_err());
    /// assert_eq!(map.to_vec(..)?, b"\0\0\0\0abcd");
    /// # Ok::<(), faultless::Error>(())
    /// ```
    #[inline(always)]
    pub fn write_at(&self, offset: usize, bytes: &[u8]) -> Result<()> {
        self.check_writable("write_at")?;
        let span = Span::exact("write_at", self.len(), offset, bytes.len())?;
        let window = self.view.window(span);
        let Some(epoch) = self.guard.quick_write(self, span) else {
            return self.write_carefully("write_at", span, bytes);
        };
        if window.is_few() {
            window.copy_few_from(bytes);
        } else {
            window.copy_from(bytes);
        }
        self.guard.wrote(self, "write_at", span, epoch)
    }

    #[cold]
    #[inline(never)]
    fn write_carefully(&self, operation: &'static str, span: Span, bytes: &[u8]) -> Result<()> {
        let epoch = self.guard.write(self, operation, span)?;
        self.view.window(span).copy_from(bytes);
        self.guard.wrote(self, operation, span, epoch)
    }

    /// Copies every `step`-th byte from `offset` on, backwards if `step` is
    /// negative, into memory that need not be initialised; it is returned as the
    /// bytes it then is. It is what `m[offset::step]` means in Python, where no
    /// bytes are never out of range.
    ///
    /// # Errors
    /// As [`read_exact_at`](Self::read_exact_at), and
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for a step of 0.
    ///
    /// ```
    /// use std::mem::MaybeUninit;
    /// let map = faultless::MapOptions::new().len(8).map_anonymous()?;
    /// map.write_at(0, b"abcdefgh")?;
    /// let mut buf = [MaybeUninit::uninit(); 3];
    /// assert_eq!(map.read_strided_at(7, -3, &mut buf)?, b"heb");
    /// # Ok::<(), faultless::Error>(())
    /// ```
    pub fn read_strided_at<'buf>(
        &self,
        offset: usize,
        step: isize,
        buf: &'buf mut [MaybeUninit<u8>],
    ) -> Result<&'buf mut [u8]> {
        const OPERATION: &str = "read_strided_at";
        self.check_readable(OPERATION)?;
        let span = Span::strided(OPERATION, self.len(), offset, step, buf.len())?;
        expect_filling(buf);
        let epoch = self.guard.epoch();
        let mut copy = self.view.window(span).strided_copier(step, buf);
        self.guard.read(self, OPERATION, span, epoch, &mut || copy.look())?;
        Ok(copy.finish())
    }

    /// Copies `bytes` to every `step`-th byte from `offset` on, backwards if
    /// `step` is negative.
    ///
    /// # Errors
    /// As [`write_at`](Self::write_at), and
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for a step of 0.
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(8).map_anonymous()?;
    /// map.write_strided_at(0, 2, b"abcd")?;
    /// assert_eq!(map.to_vec(..)?, b"a\0b\0c\0d\0");
    /// # Ok::<(), faultless::Error>(())
    /// ```
    pub fn write_strided_at(&self, offset: usize, step: isize, bytes: &[u8]) -> Result<()> {
        const OPERATION: &str = "write_strided_at";
        self.check_writable(OPERATION)?;
        let span = Span::strided(OPERATION, self.len(), offset, step, bytes.len())?;
        let epoch = self.guard.write(self, OPERATION, span)?;
        self.view.window(span).scatter(step, bytes);
        self.guard.wrote(self, OPERATION, span, epoch)
    }

    /// Copies the bytes of `from` to `to` and what follows, as if through a
    /// buffer: the two may overlap. It is the `move` of Python's `mmap`.
    ///
    /// # Errors
    /// * [`OutOfRange`](crate::ErrorKind::OutOfRange): either range is not inside
    ///   the map; nothing was changed.
    /// * [`Access`](crate::ErrorKind::Access): the map cannot be read and written.
    /// * [`Fault`](crate::ErrorKind::Fault): a page failed.
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(8).map_anonymous()?;
    /// map.write_at(0, b"abcdefgh")?;
    /// map.copy_within(0..4, 2)?;
    /// assert_eq!(map.to_vec(..)?, b"ababcdgh");
    /// # Ok::<(), faultless::Error>(())
    /// ```
    pub fn copy_within(&self, from: impl RangeBounds<usize>, to: usize) -> Result<()> {
        self.check_readable(MOVE)?;
        self.check_writable(MOVE)?;
        let from = Span::of(MOVE, self.len(), &from)?;
        let to = Span::exact(MOVE, self.len(), to, from.len())?;
        let direct = self.guard.is_sound() && !(self.layout.shared() && self.guard.is_registered());
        match (direct, from.len()) {
            (true, ..=MOVED) => self.move_part(from, to, None),
            (true, _) => self.move_parts(from, to),
            (false, _) => self.move_buffered(from, to),
        }
    }

    /// Moves in parts, and each is seen to be there before it is moved.
    #[inline(never)]
    fn move_parts(&self, from: Span, to: Span) -> Result<()> {
        let backwards = to.start() > from.start();
        let streamed = (from.len() >= STREAMED).then_some(backwards);
        from.parts(MOVED, backwards).try_for_each(|(skipped, part)| {
            self.move_part(part, to.part(skipped, part.len()), streamed)
        })
    }

    /// Moves a part that is seen to be there first. `streamed`: past the processor's
    /// cache, and whether the next part is the one before it.
    #[inline(always)]
    fn move_part(&self, from: Span, to: Span, streamed: Option<bool>) -> Result<()> {
        let epoch = self.guard.write(self, MOVE, to)?;
        let (source, target) = (self.view.window(from), self.view.window(to));
        let touched = self.guard.quick(self, from, || {
            let seen = source.touch();
            ((), seen.span, seen.last)
        });
        touched
            .or_else(|epoch| self.guard.read(self, MOVE, from, epoch, &mut || source.touch()))?;
        match streamed {
            Some(backwards) => source.stream_to(&target, source.neighbour(backwards)),
            None => source.move_to(&target),
        }
        self.guard.wrote(self, MOVE, to, epoch)
    }

    /// Moves through a buffer that stays in the processor's cache: a page that
    /// fails on the way reads as zeros, which must not get into the file.
    #[inline(never)]
    fn move_buffered(&self, from: Span, to: Span) -> Result<()> {
        let backwards = to.start() > from.start();
        let mut buffer = Vec::with_capacity(from.len().min(BUFFERED));
        from.parts(BUFFERED, backwards).try_for_each(|(skipped, part)| {
            buffer.clear();
            append(&mut buffer, part.len(), |buf| self.copy_out(MOVE, part, buf).map(drop))?;
            let to = to.part(skipped, part.len());
            let epoch = self.guard.write(self, MOVE, to)?;
            let (source, target) = (self.view.window(part), self.view.window(to));
            if from.len() >= STREAMED {
                target.stream_from(&buffer, source.neighbour(backwards));
            } else {
                target.copy_from(&buffer);
            }
            self.guard.wrote(self, MOVE, to, epoch)
        })
    }

    /// Sets every byte of a range to `byte`.
    ///
    /// # Errors
    /// As [`write_at`](Self::write_at).
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(4).map_anonymous()?;
    /// map.fill(1..3, b'x')?;
    /// assert_eq!(map.to_vec(..)?, b"\0xx\0");
    /// # Ok::<(), faultless::Error>(())
    /// ```
    pub fn fill(&self, range: impl RangeBounds<usize>, byte: u8) -> Result<()> {
        self.check_writable("fill")?;
        let span = Span::of("fill", self.len(), &range)?;
        let epoch = self.guard.write(self, "fill", span)?;
        self.view.window(span).fill(byte);
        self.guard.wrote(self, "fill", span, epoch)
    }

    /// Compares the bytes of a range with `bytes`, in the order of dictionaries:
    /// at the first difference, then by length.
    ///
    /// # Errors
    /// As [`to_vec`](Self::to_vec).
    ///
    /// ```
    /// use std::cmp::Ordering;
    /// let map = faultless::MapOptions::new().len(4).map_anonymous()?;
    /// map.write_at(0, b"abcd")?;
    /// assert_eq!(map.compare(..3, b"abc")?, Ordering::Equal);
    /// assert_eq!(map.compare(.., b"abd")?, Ordering::Less);
    /// # Ok::<(), faultless::Error>(())
    /// ```
    pub fn compare(&self, range: impl RangeBounds<usize>, bytes: &[u8]) -> Result<Ordering> {
        self.check_readable("compare")?;
        let span = Span::of("compare", self.len(), &range)?;
        self.scan("compare", span, |map| {
            let order = map.cmp(bytes);
            // What decided may have been any byte.
            (order, 0..map.len())
        })
    }
}
