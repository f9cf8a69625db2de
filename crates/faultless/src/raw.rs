//! The map's memory itself, for code that answers for it; and the few cases in
//! which a slice of it is safe.
#![allow(unsafe_code)]

use std::ops::RangeBounds;

use crate::error::Result;
use crate::map::Map;
use crate::os;
use crate::range::Span;

impl Map {
    /// Address of the first byte. It is valid until the map is
    /// [resized](Map::resize) or dropped; for an empty map it points to nothing.
    ///
    /// Through it a failing page reads as zeros, and what is stored there is
    /// lost, if the map is [guarded](Map::is_guarded); the next operation and
    /// [`flush`](Map::flush) report it, and [`fault`](Map::fault) tells.
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(8).map_anonymous()?;
    /// map.set(0, 5)?;
    /// // SAFETY: the map has a byte there, and lives.
    /// assert_eq!(unsafe { map.as_ptr().read() }, 5);
    /// # Ok::<(), faultless::Error>(())
    /// ```
    #[inline]
    #[must_use]
    pub fn as_ptr(&self) -> *const u8 {
        self.view.start()
    }

    /// As [`as_ptr`](Self::as_ptr), to write through. Writing to a map that is
    /// not [writable](Map::is_writable) ends the process.
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(8).map_anonymous()?;
    /// // SAFETY: the map has a byte there, lives, and can be written.
    /// unsafe { map.as_mut_ptr().write(5) };
    /// assert_eq!(map.get(0)?, 5);
    /// # Ok::<(), faultless::Error>(())
    /// ```
    #[inline]
    #[must_use]
    pub fn as_mut_ptr(&self) -> *mut u8 {
        self.view.start()
    }

    /// Hands up to `len` bytes from `offset` on to `look`, in place, and returns
    /// what it returned: for bindings that copy bytes into objects of another
    /// language without a copy between.
    ///
    /// `look` gets at least one byte, and no more than up to the end of a page of 4
    /// KiB or of the map. It returns its result and on how many of the bytes, from
    /// the first on, this depends; or `None`. The bytes can change while it looks.
    /// If it depends on none, if one of them could not be had, if there is any doubt
    /// about it, or if the map has no such byte or cannot be read, the result is
    /// dropped and `None` returned: then an operation such as
    /// [`read_at`](Self::read_at) has the answer or the error.
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(8).map_anonymous()?;
    /// map.write_at(0, b"ab\ncd")?;
    /// let first = map.peek(0, 2, |bytes| {
    ///     // SAFETY: the bytes are there while `look` runs.
    ///     Some((unsafe { bytes.cast::<u8>().read() }, 1))
    /// });
    /// assert_eq!(first, Some(b'a'));
    /// # Ok::<(), faultless::Error>(())
    /// ```
    #[inline(always)]
    pub fn peek<T>(
        &self,
        offset: usize,
        len: usize,
        look: impl FnOnce(*const [u8]) -> Option<(T, usize)>,
    ) -> Option<T> {
        if offset >= self.len() || len == 0 || !self.is_readable() {
            return None;
        }
        let span = self.view.in_page(Span::clamped(self.len(), offset, len));
        self.guard.glimpse(self, || {
            let window = self.view.window(span);
            let (result, used) = look(window.bytes())?;
            let used = (1..=span.len()).contains(&used).then(|| span.part(0, used))?;
            Some((result, used, self.view.window(used).last()?))
        })
    }

    /// Stores a byte at `offset`, if nothing is in the way, and returns whether it
    /// did: for bindings that call it more often than anything else.
    ///
    /// If the map cannot be written or has no such byte, if a page failed, or if
    /// there is any doubt about it, it returns `false`: then [`set`](Self::set) does
    /// it or has the error.
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(8).map_anonymous()?;
    /// assert!(map.poke(7, 42) && !map.poke(8, 42));
    /// assert_eq!(map.get(7)?, 42);
    /// # Ok::<(), faultless::Error>(())
    /// ```
    #[inline(always)]
    #[must_use]
    pub fn poke(&self, offset: usize, byte: u8) -> bool {
        let Some(span) = Span::byte(self.len(), offset) else { return false };
        if !self.is_writable() {
            return false;
        }
        let Some(epoch) = self.guard.quick_write(self, span) else { return false };
        self.view.window(span).copy_from(&[byte]);
        self.guard.is_still(epoch)
    }

    /// A range of the map as a slice.
    ///
    /// # Errors
    /// * [`OutOfRange`](crate::ErrorKind::OutOfRange): the range is not inside
    ///   the map.
    /// * [`Access`](crate::ErrorKind::Access): the map cannot be read.
    ///
    /// # Safety
    /// While the slice lives, nobody may change these bytes: not through this
    /// map, not through another map of the file in any process, and not through
    /// the file. A page that fails reads as zeros, which is such a change.
    ///
    /// ```
    /// let map = faultless::Map::open(std::env::current_exe()?)?;
    /// // SAFETY: nobody writes the file of a running program.
    /// let magic = unsafe { map.as_slice(..4)? };
    /// assert_eq!(magic.len(), 4);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub unsafe fn as_slice(&self, range: impl RangeBounds<usize>) -> Result<&[u8]> {
        self.check_readable("as_slice")?;
        let span = Span::of("as_slice", self.len(), &range)?;
        Ok(self.view.window(span).bytes())
    }

    /// A range of the map as a slice to write to.
    ///
    /// # Errors
    /// As [`as_slice`](Self::as_slice), and [`Access`](crate::ErrorKind::Access)
    /// for a map that cannot be written.
    ///
    /// # Safety
    /// While the slice lives, nobody else may read or change these bytes, in any
    /// process.
    ///
    /// ```
    /// let mut map = faultless::MapOptions::new().len(8).map_anonymous()?;
    /// // SAFETY: private memory, and nobody else has its address.
    /// unsafe { map.as_mut_slice(2..4)? }.fill(9);
    /// assert_eq!(map.to_vec(..5)?, [0, 0, 9, 9, 0]);
    /// # Ok::<(), faultless::Error>(())
    /// ```
    pub unsafe fn as_mut_slice(&mut self, range: impl RangeBounds<usize>) -> Result<&mut [u8]> {
        self.check_readable("as_mut_slice")?;
        self.check_writable("as_mut_slice")?;
        let span = Span::of("as_mut_slice", self.len(), &range)?;
        Ok(self.view.slice_mut(span))
    }

    /// The whole map as a slice, if nobody can change its bytes while it is
    /// borrowed: a read-only map of a memfd that is sealed against writing and
    /// shrinking, or private anonymous memory that was made read-only with
    /// [`protect`](Map::protect). `None` for any other map.
    ///
    /// See [`F_ADD_SEALS`](https://man7.org/linux/man-pages/man2/F_GET_SEALS.2const.html).
    ///
    /// ```
    /// use faultless::{MapOptions, Protection};
    /// let mut map = MapOptions::new().len(4).map_anonymous()?;
    /// map.write_at(0, b"abcd")?;
    /// assert!(map.immutable_slice().is_none());
    /// map.protect(Protection::READ)?;
    /// assert_eq!(map.immutable_slice(), Some(b"abcd".as_slice()));
    /// # Ok::<(), faultless::Error>(())
    /// ```
    #[must_use]
    pub fn immutable_slice(&self) -> Option<&[u8]> {
        let fixed = self.is_empty()
            || self.is_private_memory()
            || self.file().is_some_and(|file| os::is_sealed(os::borrow(file)));
        let whole = Span::clamped(self.len(), 0, self.len());
        (self.is_readable() && !self.is_writable() && fixed)
            .then(|| self.view.window(whole).bytes())
    }

    /// The whole map as a slice to write to, if nobody else can see its bytes
    /// while it is borrowed: private anonymous memory. `None` for any other map.
    ///
    /// ```
    /// let mut map = faultless::MapOptions::new().len(4).map_anonymous()?;
    /// map.private_slice_mut().expect("private memory").copy_from_slice(b"abcd");
    /// assert_eq!(map.to_vec(..)?, b"abcd");
    /// # Ok::<(), faultless::Error>(())
    /// ```
    #[must_use]
    pub fn private_slice_mut(&mut self) -> Option<&mut [u8]> {
        let whole = Span::clamped(self.len(), 0, self.len());
        (self.is_private_memory() && self.is_readable() && self.is_writable())
            .then(|| self.view.slice_mut(whole))
    }

    /// Gives the system a number of its own as advice. `range`, in bytes, is
    /// taken as it is, with no alignment, but that a range from the map's
    /// beginning begins at the page that the map begins in.
    ///
    /// # Errors
    /// * [`OutOfRange`](crate::ErrorKind::OutOfRange): the range is not inside
    ///   the map.
    /// * [`Os`](crate::ErrorKind::Os): the system refused, for example with
    ///   `EINVAL` for a range that does not begin at a page.
    ///
    /// # Safety
    /// The advice must not take away or change bytes that somebody relies on:
    /// see [madvise(2)](https://man7.org/linux/man-pages/man2/madvise.2.html).
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(1 << 16).map_anonymous()?;
    /// // SAFETY: MADV_NORMAL changes nothing.
    /// unsafe { map.raw_advise(.., 0)? };
    /// # Ok::<(), faultless::Error>(())
    /// ```
    #[cfg(unix)]
    pub unsafe fn raw_advise(&self, range: impl RangeBounds<usize>, advice: i32) -> Result<()> {
        let span = Span::of("advise", self.len(), &range)?;
        if self.is_empty() {
            return Ok(());
        }
        let lead = self.layout.placement.lead;
        let skipped = if span.start() == 0 { 0 } else { lead + span.start() };
        let start = self.mapping.base().wrapping_add(skipped);
        os::advise(start, lead + span.end() - skipped, advice).map_err(|error| {
            self.os_error("advise", format!("the system refused advice {advice}"), error)
        })
    }

    fn is_private_memory(&self) -> bool {
        self.layout.anonymous() && !self.layout.shared() && self.layout.page == os::page_size()
    }
}
