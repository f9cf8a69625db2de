//! A position in a map, to read, write and seek as in a file.

use std::borrow::Borrow;
use std::io::{self, BufRead, Read, Seek, SeekFrom, Write};

use crate::map::Map;

/// Bytes that are copied out at a time for [`BufRead`].
const BUFFER: usize = 16 << 10;

/// A map with a position: what [`std::io::Cursor`] is for slices. Made by
/// [`Map::cursor`] or [`Map::into_cursor`].
///
/// The buffer that [`BufRead`] gives out is the cursor's own copy, so lines stay
/// what they were read as. Writing at the position never makes the map longer:
/// at its end `write` returns 0.
///
/// ```
/// use std::io::{BufRead, Read, Seek, SeekFrom, Write};
///
/// let map = faultless::MapOptions::new().len(12).map_anonymous()?;
/// let mut cursor = map.cursor();
/// cursor.write_all(b"one\ntwo\n")?;
///
/// cursor.seek(SeekFrom::Start(0))?;
/// let mut line = String::new();
/// cursor.read_line(&mut line)?;
/// assert_eq!(line, "one\n");
/// assert_eq!(cursor.position(), 4);
///
/// let mut rest = Vec::new();
/// cursor.read_to_end(&mut rest)?;
/// assert_eq!(rest, b"two\n\0\0\0\0");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Cursor<M> {
    map: M,
    position: u64,
    /// Bytes of the map that lie just before `position + unread.len()`.
    buffer: Vec<u8>,
    /// Where in the buffer the position is.
    consumed: usize,
}

impl Map {
    /// A cursor at the beginning of the map.
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(4).map_anonymous()?;
    /// assert_eq!(map.cursor().position(), 0);
    /// # Ok::<(), faultless::Error>(())
    /// ```
    #[must_use]
    pub fn cursor(&self) -> Cursor<&Self> {
        Cursor::new(self)
    }

    /// A cursor at the beginning of the map, which it owns.
    ///
    /// ```
    /// use std::io::Read;
    /// let map = faultless::MapOptions::new().len(4).map_anonymous()?;
    /// let mut bytes = Vec::new();
    /// map.into_cursor().read_to_end(&mut bytes)?;
    /// assert_eq!(bytes, [0; 4]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn into_cursor(self) -> Cursor<Self> {
        Cursor::new(self)
    }
}

impl<M: Borrow<Map>> Cursor<M> {
    fn new(map: M) -> Self {
        Self { map, position: 0, buffer: Vec::new(), consumed: 0 }
    }

    /// The position, in bytes from the map's beginning; it may be past its end.
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(4).map_anonymous()?;
    /// let mut cursor = map.cursor();
    /// cursor.set_position(3);
    /// assert_eq!(cursor.position(), 3);
    /// # Ok::<(), faultless::Error>(())
    /// ```
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Moves to a position, in bytes from the map's beginning. Past the end
    /// there is nothing to read.
    ///
    /// ```
    /// use std::io::Read;
    /// let map = faultless::MapOptions::new().len(4).map_anonymous()?;
    /// let mut cursor = map.cursor();
    /// cursor.set_position(100);
    /// assert_eq!(cursor.read(&mut [0; 8])?, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_position(&mut self, position: u64) {
        self.forget();
        self.position = position;
    }

    /// The map.
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(4).map_anonymous()?;
    /// assert_eq!(map.cursor().map().len(), 4);
    /// # Ok::<(), faultless::Error>(())
    /// ```
    pub fn map(&self) -> &Map {
        self.map.borrow()
    }

    /// Gives the map back.
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(4).map_anonymous()?;
    /// let map = map.into_cursor().into_inner();
    /// assert_eq!(map.len(), 4);
    /// # Ok::<(), faultless::Error>(())
    /// ```
    pub fn into_inner(self) -> M {
        self.map
    }

    fn unread(&self) -> &[u8] {
        &self.buffer[self.consumed..]
    }

    fn forget(&mut self) {
        self.buffer.clear();
        self.consumed = 0;
    }

    fn offset(&self) -> usize {
        usize::try_from(self.position).unwrap_or(usize::MAX)
    }
}

impl<M: Borrow<Map>> Read for Cursor<M> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if !self.unread().is_empty() {
            let count = self.unread().read(buf)?;
            self.consume(count);
            return Ok(count);
        }
        let count = self.map.borrow().read_at(self.offset(), buf)?;
        self.position += count as u64;
        Ok(count)
    }

    fn read_to_end(&mut self, buf: &mut Vec<u8>) -> io::Result<usize> {
        let map = self.map.borrow();
        let rest = map.to_vec(self.offset().min(map.len())..)?;
        self.forget();
        self.position += rest.len() as u64;
        if buf.is_empty() {
            *buf = rest;
            return Ok(buf.len());
        }
        buf.extend_from_slice(&rest);
        Ok(rest.len())
    }
}

impl<M: Borrow<Map>> BufRead for Cursor<M> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.unread().is_empty() {
            let offset = self.offset();
            self.consumed = 0;
            self.buffer.resize(BUFFER, 0);
            match self.map.borrow().read_at(offset, &mut self.buffer) {
                Ok(count) => self.buffer.truncate(count),
                Err(error) => {
                    self.forget();
                    return Err(error.into());
                }
            }
        }
        Ok(self.unread())
    }

    fn consume(&mut self, count: usize) {
        let count = count.min(self.unread().len());
        self.consumed += count;
        self.position += count as u64;
    }
}

impl<M: Borrow<Map>> Write for Cursor<M> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let map = self.map.borrow();
        let offset = self.offset();
        let count = bytes.len().min(map.len().saturating_sub(offset));
        if count == 0 {
            map.check_writable("write")?;
            return Ok(0);
        }
        map.write_at(offset, &bytes[..count])?;
        self.forget();
        self.position += count as u64;
        Ok(count)
    }

    /// Waits until what was written is in the file: [`Map::flush`].
    fn flush(&mut self) -> io::Result<()> {
        Ok(self.map.borrow().flush()?)
    }
}

impl<M: Borrow<Map>> Seek for Cursor<M> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
            SeekFrom::End(by) => (self.map.borrow().len() as u64).checked_add_signed(by),
        };
        let Some(position) = position else {
            let message = "seek to a negative or overflowing position";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        };
        self.set_position(position);
        Ok(position)
    }

    fn stream_position(&mut self) -> io::Result<u64> {
        Ok(self.position)
    }
}
