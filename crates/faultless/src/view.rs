//! Access to mapped bytes: the only module that reads and writes them.
//!
//! The memory is shared with whoever else maps or writes the file, so its bytes
//! can change at any moment. Nothing here depends on their staying the same, and
//! no reference to them outlives the call that makes it.
#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicI32, AtomicU32};
#[cfg(target_has_atomic = "64")]
use std::sync::atomic::{AtomicI64, AtomicU64};

use crate::guard::Look;
use crate::os::{self, Mapping};
use crate::range::Span;
use crate::stride;

/// The bytes of a map: where they are and how many.
#[derive(Debug)]
pub(crate) struct View {
    start: NonNull<u8>,
    len: usize,
    /// Bytes that can be touched: the map's own, and what was made ready behind
    /// them for it to grow into.
    reach: usize,
}

// SAFETY: the pointer stands for memory that is not tied to a thread.
unsafe impl Send for View {}
// SAFETY: shared access reads and writes bytes as processes do that share a
// file: by plain copies of memory, with no claim on what a racing copy sees.
unsafe impl Sync for View {}

impl View {
    /// The `len` bytes that lie `lead` bytes into a mapping.
    pub(crate) fn new(mapping: &Mapping, lead: usize, len: usize) -> Self {
        debug_assert!(len == 0 || lead + len <= mapping.len());
        let lead = if mapping.len() == 0 { 0 } else { lead };
        let start = mapping.base().wrapping_add(lead);
        Self { start: NonNull::new(start).unwrap_or(NonNull::dangling()), len, reach: len }
    }

    /// Sets the map's length, of at most `reach` bytes that the mapping has.
    #[inline(always)]
    pub(crate) fn set_len(&mut self, len: usize, reach: usize) {
        debug_assert!(len <= reach);
        self.len = len;
        self.reach = reach;
    }

    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[inline(always)]
    pub(crate) fn start(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    /// Whether no border of pages lies inside a span.
    #[inline(always)]
    pub(crate) fn is_in_one_page(&self, span: Span) -> bool {
        span.len() <= self.left_in_page(span)
    }

    /// What of a span is in the page that it begins in.
    #[inline(always)]
    pub(crate) fn in_page(&self, span: Span) -> Span {
        span.within(0..span.len().min(self.left_in_page(span)))
    }

    /// How many bytes the page has from a span's first on; pages have at least
    /// 4 KiB.
    #[inline(always)]
    fn left_in_page(&self, span: Span) -> usize {
        PAGE - self.start.as_ptr().addr().wrapping_add(span.start()) % PAGE
    }

    /// The bytes of a span of this map.
    #[inline(always)]
    pub(crate) fn window(&self, span: Span) -> Window<'_> {
        debug_assert!(span.end() <= self.len);
        Window {
            // SAFETY: the span was checked against this map's length, which
            // cannot change while the map is borrowed.
            start: unsafe { self.start.add(span.start()) },
            len: span.len(),
            span,
            map: PhantomData,
        }
    }

    /// The bytes of a span, to write to; safe because the map is borrowed
    /// exclusively and the caller made sure that nobody outside has them.
    pub(crate) fn slice_mut(&mut self, span: Span) -> &mut [u8] {
        debug_assert!(span.end() <= self.len);
        // SAFETY: the span was checked against this map's length, and the bytes
        // are initialised.
        #[expect(clippy::disallowed_methods, reason = "this is the module for it")]
        unsafe {
            std::slice::from_raw_parts_mut(self.start.as_ptr().add(span.start()), span.len())
        }
    }

    /// Copies the bytes of a shorter map to the beginning of this one, which has
    /// no other user yet.
    pub(crate) fn copy_from(&self, shorter: &Self) {
        let len = shorter.len.min(self.len);
        // SAFETY: both maps have that many bytes, and are different memory.
        unsafe { self.start().copy_from_nonoverlapping(shorter.start(), len) };
    }

    /// The last byte that can be touched, of a map that has any.
    #[inline]
    pub(crate) fn last(&self) -> u8 {
        // SAFETY: inside the mapping. Volatile, because it is read to see whether
        // it can be.
        unsafe { self.start.as_ptr().add(self.reach - 1).read_volatile() }
    }
}

/// No system's pages are smaller.
const PAGE: usize = 4 << 10;

/// How many bytes are a few.
const FEW: usize = 64;

/// Copies `len` bytes, at least one and at most [`FEW`], which may overlap: the
/// first and the last of them, with all that lies between in one or the other.
///
/// # Safety
/// `from` must be valid for reading that many, `to` for writing.
#[inline(always)]
unsafe fn copy_few(from: *const u8, to: *mut u8, len: usize) {
    macro_rules! ends {
        ($size:literal) => {{
            // SAFETY: `len` is at least the size, and arrays of bytes lie anywhere.
            // Both are read before either is written.
            unsafe {
                let first = from.cast::<[u8; $size]>().read();
                let last = from.add(len - $size).cast::<[u8; $size]>().read();
                to.cast::<[u8; $size]>().write(first);
                to.add(len - $size).cast::<[u8; $size]>().write(last);
            }
        }};
    }
    debug_assert!(0 < len && len <= FEW);
    match len {
        32.. => ends!(32),
        16.. => ends!(16),
        8.. => ends!(8),
        4.. => ends!(4),
        2.. => ends!(2),
        _ => ends!(1),
    }
}

/// From how many bytes on a copy is more than the processor's cache holds.
pub(crate) const STREAMED: usize = 8 << 20;

/// How far ahead of a copy its bytes are brought into the cache.
const AHEAD: usize = 1 << 10;

/// How many bytes the processor's cache has or has not.
const LINE: usize = 64;

/// Copies with stores that go past the processor's cache, where it has them: memory
/// that is not in the cache need not be read first to be overwritten. The C library
/// does so too, but decides by the length of one call. Before each line it is asked
/// which bytes to bring into the cache; they may be missing.
///
/// # Safety
/// `from` can be read and `to` written for `len` bytes, which do not overlap.
#[cfg_attr(not(target_arch = "x86_64"), expect(unused_variables, reason = "nothing tells it"))]
unsafe fn stream(from: *const u8, to: *mut u8, len: usize, soon: impl Fn(usize) -> *const u8) {
    #[cfg(target_arch = "x86_64")]
    let done = {
        use std::arch::x86_64::{
            __m128i, _MM_HINT_T0, _mm_loadu_si128, _mm_prefetch, _mm_sfence, _mm_stream_si128,
        };

        let lead = to.align_offset(LINE).min(len);
        // SAFETY: the caller's promise; `lead` bytes make `to` aligned, and lines are
        // copied as long as there is a whole one.
        unsafe {
            to.copy_from_nonoverlapping(from, lead);
            let mut at = lead;
            while len - at >= LINE {
                _mm_prefetch::<_MM_HINT_T0>(soon(at).cast());
                let (from, to) = (from.add(at).cast::<__m128i>(), to.add(at).cast::<__m128i>());
                let line = [0, 1, 2, 3].map(|nth| _mm_loadu_si128(from.add(nth)));
                for (nth, &word) in line.iter().enumerate() {
                    _mm_stream_si128(to.add(nth), word);
                }
                at += LINE;
            }
            // Such stores are ordered with nothing, unless they are told to be.
            _mm_sfence();
            at
        }
    };
    #[cfg(not(target_arch = "x86_64"))]
    let done = 0;
    // SAFETY: the caller's promise, of what is left.
    unsafe { to.add(done).copy_from_nonoverlapping(from.add(done), len - done) };
}

/// Some bytes of a map, for the length of one operation.
#[derive(Clone, Copy)]
pub(crate) struct Window<'map> {
    start: NonNull<u8>,
    len: usize,
    span: Span,
    map: PhantomData<&'map View>,
}

impl<'map> Window<'map> {
    /// Copies all of it out.
    #[inline(always)]
    pub(crate) fn copy_to<'out>(&self, out: &'out mut [MaybeUninit<u8>]) -> &'out mut [u8] {
        assert!(out.len() == self.len, "a window is copied as a whole");
        // SAFETY: both have `len` bytes; `out` is borrowed exclusively, and no
        // reference to the map's own bytes exists, so they do not overlap.
        // Afterwards every byte of `out` is set.
        unsafe {
            self.start.as_ptr().copy_to_nonoverlapping(out.as_mut_ptr().cast(), self.len);
            &mut *(std::ptr::from_mut(out) as *mut [u8])
        }
    }

    /// The last byte, as it is now.
    #[inline(always)]
    pub(crate) fn last(&self) -> Option<u8> {
        let last = self.len.checked_sub(1)?;
        // SAFETY: inside the window. Volatile: not what was read before.
        Some(unsafe { self.start.as_ptr().add(last).read_volatile() })
    }

    /// Copies `bytes` over all of it. They may be bytes of the same map, seen
    /// through memory that was exported.
    #[inline(always)]
    pub(crate) fn copy_from(&self, bytes: &[u8]) {
        assert!(bytes.len() == self.len, "a window is copied as a whole");
        if self.len >= STREAMED {
            return self.copy_long_from(bytes);
        }
        // SAFETY: both have `len` bytes.
        unsafe { self.start.as_ptr().copy_from(bytes.as_ptr(), self.len) };
    }

    #[cold]
    #[inline(never)]
    fn copy_long_from(&self, bytes: &[u8]) {
        if self.is_apart(bytes.as_ptr()) {
            return self.stream_from(bytes, bytes.as_ptr().wrapping_add(AHEAD));
        }
        // SAFETY: both have `len` bytes.
        unsafe { self.start.as_ptr().copy_from(bytes.as_ptr(), self.len) };
    }

    /// Whether as many bytes elsewhere do not overlap it.
    fn is_apart(&self, other: *const u8) -> bool {
        self.start.as_ptr().addr().abs_diff(other.addr()) >= self.len
    }

    /// Whether it has a few bytes, which are copied fastest where they are needed.
    #[inline(always)]
    pub(crate) fn is_few(&self) -> bool {
        (1..=FEW).contains(&self.len)
    }

    /// As [`copy_to`](Self::copy_to), of a few bytes.
    #[inline(always)]
    pub(crate) fn copy_few_to(&self, out: &mut [MaybeUninit<u8>]) {
        assert!(out.len() == self.len && self.is_few(), "a window is copied as a whole");
        // SAFETY: both have `len` bytes.
        unsafe { copy_few(self.start.as_ptr(), out.as_mut_ptr().cast(), self.len) };
    }

    /// As [`copy_from`](Self::copy_from), of a few bytes.
    #[inline(always)]
    pub(crate) fn copy_few_from(&self, bytes: &[u8]) {
        assert!(bytes.len() == self.len && self.is_few(), "a window is copied as a whole");
        // SAFETY: both have `len` bytes.
        unsafe { copy_few(bytes.as_ptr(), self.start.as_ptr(), self.len) };
    }

    /// Copies all of it to another window of the same map and the same length;
    /// the two may overlap.
    #[inline]
    pub(crate) fn move_to(&self, to: &Self) {
        assert!(to.len == self.len, "a window is moved as a whole");
        // SAFETY: both have `len` bytes.
        unsafe { to.start.as_ptr().copy_from(self.start.as_ptr(), self.len) };
    }

    /// As [`copy_from`](Self::copy_from), of a part of more than the processor's
    /// cache holds: past it. The bytes do not overlap the window; those at `soon`
    /// will be needed next.
    pub(crate) fn stream_from(&self, bytes: &[u8], soon: *const u8) {
        assert!(bytes.len() == self.len, "a window is copied as a whole");
        let soon = |at| soon.wrapping_add(at);
        // SAFETY: both have `len` bytes, and do not overlap.
        unsafe { stream(bytes.as_ptr(), self.start.as_ptr(), self.len, soon) };
    }

    /// As [`move_to`](Self::move_to), of a part of more than the processor's cache
    /// holds: past it, if the two do not overlap. As many bytes at `next` will be
    /// touched next, page by page.
    pub(crate) fn stream_to(&self, to: &Self, next: *const u8) {
        assert!(to.len == self.len, "a window is moved as a whole");
        if !self.is_apart(to.start.as_ptr()) {
            return self.move_to(to);
        }
        let from = self.start.as_ptr();
        let soon = |at| {
            if at % PAGE < LINE { next.wrapping_add(at) } else { from.wrapping_add(at + AHEAD) }
        };
        // SAFETY: both have `len` bytes, and do not overlap.
        unsafe { stream(from, to.start.as_ptr(), self.len, soon) };
    }

    /// Where as many bytes lie behind it, or before it. Not to be read: there may be
    /// none.
    pub(crate) fn neighbour(&self, before: bool) -> *const u8 {
        let start = self.start.as_ptr();
        if before { start.wrapping_sub(self.len) } else { start.wrapping_add(self.len) }
    }

    /// Touches every page, to see whether it can be had.
    pub(crate) fn touch(&self) -> Look {
        let mut at = 0;
        while at < self.len {
            // SAFETY: inside the window. Volatile: the reading is what matters.
            unsafe { self.start.as_ptr().add(at).read_volatile() };
            at += os::page_size();
        }
        Look { same: true, span: self.span, last: self.last().unwrap_or(1) }
    }

    /// Copies `bytes` to every `step`-th byte, from the first or the last on.
    /// What lies between is not touched: it may be somebody else's.
    pub(crate) fn scatter(&self, step: isize, bytes: &[u8]) {
        let Some(last) = self.len.checked_sub(1).filter(|_| !bytes.is_empty()) else {
            return;
        };
        assert!((bytes.len() - 1) * step.unsigned_abs() <= last, "a window fits its stride");
        if step == -1 {
            return self.copy_reversed(bytes);
        }
        let mut at = self.start.as_ptr().wrapping_add(if step > 0 { 0 } else { last });
        for byte in bytes {
            // SAFETY: inside the window, as was just seen; what the pointer is after
            // the last byte does not matter.
            unsafe { at.write(*byte) };
            at = at.wrapping_offset(step);
        }
    }

    /// Copies `bytes` over the end of it, the first to the last place.
    fn copy_reversed(&self, bytes: &[u8]) {
        const WIDE: usize = 16;
        assert!(bytes.len() <= self.len, "a window fits what is copied to it");
        let mut left = self.len;
        let mut words = bytes.chunks_exact(WIDE);
        let mut wide = [0; WIDE];
        for word in words.by_ref() {
            wide.copy_from_slice(word);
            left -= WIDE;
            // SAFETY: inside the window, which has as many bytes.
            unsafe { self.start.as_ptr().add(left).cast::<[u8; WIDE]>().write(stride::turn(wide)) };
        }
        for byte in words.remainder() {
            left -= 1;
            // SAFETY: as above.
            unsafe { self.start.as_ptr().add(left).write(*byte) };
        }
    }

    #[inline]
    pub(crate) fn fill(&self, byte: u8) {
        // SAFETY: the window has `len` bytes.
        unsafe { self.start.as_ptr().write_bytes(byte, self.len) };
    }

    /// The bytes as a slice, for code that only looks at them: searches and
    /// comparisons. They may change meanwhile; what is found is then what was
    /// there at some moment.
    #[inline]
    pub(crate) fn bytes(&self) -> &'map [u8] {
        // SAFETY: the window has `len` bytes, initialised by whoever wrote them,
        // and the map stays mapped while it is borrowed. That other programs may
        // write them is the nature of a mapped file: the code that gets the slice
        // reads each byte it decides on once.
        #[expect(clippy::disallowed_methods, reason = "this is the module for it")]
        unsafe {
            std::slice::from_raw_parts(self.start.as_ptr(), self.len)
        }
    }
}

/// Copying a window out, and doing it again to see whether it is still the same.
pub(crate) struct Copier<'map, 'out> {
    window: Window<'map>,
    step: isize,
    out: &'out mut [MaybeUninit<u8>],
    filled: bool,
}

impl<'map> Window<'map> {
    /// All of the window, in order.
    #[inline(always)]
    pub(crate) fn copier<'out>(self, out: &'out mut [MaybeUninit<u8>]) -> Copier<'map, 'out> {
        Copier { window: self, step: 1, out, filled: false }
    }

    /// Every `step`-th byte: from the first of the window on or, backwards, from
    /// its last. The window has just the bytes between.
    pub(crate) fn strided_copier<'out>(
        self,
        step: isize,
        out: &'out mut [MaybeUninit<u8>],
    ) -> Copier<'map, 'out> {
        let apart = step.unsigned_abs();
        assert!(out.is_empty() || (out.len() - 1) * apart < self.len, "a window fits its stride");
        Copier { window: self, step, out, filled: false }
    }
}

impl<'out> Copier<'_, 'out> {
    #[inline(always)]
    pub(crate) fn look(&mut self) -> Look {
        if self.step != 1 {
            return self.look_strided();
        }
        if self.filled {
            return self.look_again();
        }
        self.window.copy_to(self.out);
        self.filled = true;
        // As it is now, for it may have been copied first, and the file cut then.
        let last = self.window.last().unwrap_or(1);
        Look { same: false, span: self.window.span, last }
    }

    #[cold]
    fn look_again(&mut self) -> Look {
        // SAFETY: filled by the first look.
        let before = unsafe { &*(std::ptr::from_ref(self.out) as *const [u8]) };
        let same = self.window.bytes() == before;
        if !same {
            self.window.copy_to(self.out);
        }
        Look { same, span: self.window.span, last: 0 }
    }

    fn look_strided(&mut self) -> Look {
        let same = self.filled && self.is_same_strided();
        if !same {
            stride::gather(self.window.bytes(), self.step, self.out);
        }
        self.filled = true;
        // Any of the bytes may have been one that the file does not have.
        Look { same, span: self.window.span, last: 0 }
    }

    #[cold]
    fn is_same_strided(&self) -> bool {
        // SAFETY: filled by the look before.
        let before = unsafe { &*(std::ptr::from_ref(&*self.out) as *const [u8]) };
        let bytes = self.window.bytes().iter();
        let apart = self.step.unsigned_abs();
        match self.step {
            1.. => bytes.step_by(apart).eq(before),
            _ => bytes.rev().step_by(apart).eq(before),
        }
    }

    /// The bytes, after a look.
    #[inline(always)]
    pub(crate) fn finish(self) -> &'out mut [u8] {
        assert!(self.filled, "nothing was copied");
        initialised(self.out)
    }
}

/// Memory of which every byte has just been set.
#[inline(always)]
pub(crate) fn initialised(out: &mut [MaybeUninit<u8>]) -> &mut [u8] {
    // SAFETY: the callers are those that fill it, in this crate.
    unsafe { &mut *(std::ptr::from_mut(out) as *mut [u8]) }
}

/// Appends `len` bytes that `fill` sets; room for them is reserved. If `fill`
/// fails nothing is appended.
pub(crate) fn append<E>(
    bytes: &mut Vec<u8>,
    len: usize,
    fill: impl FnOnce(&mut [MaybeUninit<u8>]) -> Result<(), E>,
) -> Result<(), E> {
    let start = bytes.len();
    fill(&mut bytes.spare_capacity_mut()[..len])?;
    // SAFETY: the capacity is there, and `fill` set the bytes.
    unsafe { bytes.set_len(start + len) };
    Ok(())
}

/// Initialised memory as memory that need not be. Only for code that sets all
/// of it or leaves it as it is.
#[inline(always)]
pub(crate) fn as_uninit(buf: &mut [u8]) -> &mut [MaybeUninit<u8>] {
    // SAFETY: the layout is the same, and nothing in this crate makes a byte of
    // it uninitialised.
    unsafe { &mut *(std::ptr::from_mut(buf) as *mut [MaybeUninit<u8>]) }
}

/// A type of the standard library for atomic access to a number.
///
/// # Safety
/// Any bytes of its size, suitably aligned, are a value of it, and it may be
/// changed while it is shared.
#[allow(unreachable_pub, reason = "Rust 1.85 does not see that a sealed trait reaches it")]
pub unsafe trait AtomicCell {}

// SAFETY: an integer in a cell.
unsafe impl AtomicCell for AtomicU32 {}
// SAFETY: an integer in a cell.
unsafe impl AtomicCell for AtomicI32 {}
#[cfg(target_has_atomic = "64")]
// SAFETY: an integer in a cell.
unsafe impl AtomicCell for AtomicU64 {}
#[cfg(target_has_atomic = "64")]
// SAFETY: an integer in a cell.
unsafe impl AtomicCell for AtomicI64 {}

impl<'map> Window<'map> {
    /// The window as one number. In a map that cannot be written only relaxed
    /// loads of it are allowed.
    #[inline(always)]
    pub(crate) fn atomic<C: AtomicCell>(&self) -> &'map C {
        let cell = self.start.as_ptr().cast::<C>();
        assert!(self.len == size_of::<C>() && cell.is_aligned(), "a number, aligned");
        // SAFETY: the window has as many bytes, which are aligned and stay mapped
        // while the map is borrowed. Others may change them: it is a cell.
        unsafe { &*cell }
    }
}
