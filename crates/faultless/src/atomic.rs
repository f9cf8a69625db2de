//! Numbers that threads and processes change at the same time.

use std::fmt;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering::*, fence};
#[cfg(target_has_atomic = "64")]
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::time::{Duration, Instant};

use crate::error::Result;
use crate::guard::Look;
use crate::map::Map;
use crate::os;
use crate::range::Span;

/// How long a wait sleeps before it looks whether its page is still there.
const SLICE: Duration = Duration::from_millis(500);
/// The longest pause between two looks where the system cannot wait.
const LONGEST_PAUSE: Duration = Duration::from_millis(5);

mod sealed {
    use crate::view::AtomicCell;

    /// A number, and the standard library's type for atomic access to it.
    pub trait Atomic: Copy + Eq {
        type Cell: AtomicCell;
        const LEN: usize = size_of::<Self>();
        /// The byte at the highest address.
        fn last_byte(self) -> u8;
        /// The bits, if there are 32.
        fn bits(self) -> Option<u32>;
        fn load(cell: &Self::Cell, writable: bool) -> Self;
        fn store(cell: &Self::Cell, value: Self);
        fn fetch_add(cell: &Self::Cell, value: Self) -> Self;
        fn fetch_and(cell: &Self::Cell, value: Self) -> Self;
        fn fetch_or(cell: &Self::Cell, value: Self) -> Self;
        fn compare_exchange(cell: &Self::Cell, expected: Self, new: Self) -> Result<Self, Self>;
    }
}

/// A number that a map can give [atomic access](Map::atomic) to: `u32`, `i32`,
/// `u64`, `i64`; the latter two on processors that have such access to 64 bits,
/// which are nearly all.
///
/// ```
/// fn count<T: faultless::AtomicScalar + From<u8>>(map: &faultless::Map) -> faultless::Result<T> {
///     map.atomic::<T>(0)?.fetch_add(T::from(1))
/// }
/// let map = faultless::MapOptions::new().len(8).map_anonymous()?;
/// assert_eq!((count::<u64>(&map)?, count::<u64>(&map)?), (0, 1));
/// # Ok::<(), faultless::Error>(())
/// ```
pub trait AtomicScalar: sealed::Atomic {}

macro_rules! atomic {
    ($($number:ty: $cell:ty, $bits:expr;)*) => {$(
        impl sealed::Atomic for $number {
            type Cell = $cell;

            #[inline(always)]
            fn last_byte(self) -> u8 {
                let bytes = self.to_ne_bytes();
                bytes[bytes.len() - 1]
            }

            fn bits(self) -> Option<u32> {
                let bits: fn(Self) -> Option<u32> = $bits;
                bits(self)
            }

            #[inline(always)]
            fn load(cell: &$cell, writable: bool) -> Self {
                if writable {
                    return cell.load(SeqCst);
                }
                // Memory that cannot be written allows no stronger load.
                let value = cell.load(Relaxed);
                fence(SeqCst);
                value
            }

            #[inline(always)]
            fn store(cell: &$cell, value: Self) {
                cell.store(value, SeqCst);
            }

            #[inline(always)]
            fn fetch_add(cell: &$cell, value: Self) -> Self {
                cell.fetch_add(value, SeqCst)
            }

            #[inline(always)]
            fn fetch_and(cell: &$cell, value: Self) -> Self {
                cell.fetch_and(value, SeqCst)
            }

            #[inline(always)]
            fn fetch_or(cell: &$cell, value: Self) -> Self {
                cell.fetch_or(value, SeqCst)
            }

            #[inline(always)]
            fn compare_exchange(cell: &$cell, expected: Self, new: Self) -> Result<Self, Self> {
                cell.compare_exchange(expected, new, SeqCst, SeqCst)
            }
        }

        impl AtomicScalar for $number {}
    )*};
}

atomic! {
    u32: AtomicU32, Some;
    i32: AtomicI32, |value| Some(value as u32);
}

#[cfg(target_has_atomic = "64")]
atomic! {
    u64: AtomicU64, |_| None;
    i64: AtomicI64, |_| None;
}

/// A number in a map that threads and processes may change at the same time;
/// made by [`Map::atomic`]. All accesses are in one order (`SeqCst`).
#[derive(Clone, Copy)]
pub struct Atomic<'map, T> {
    map: &'map Map,
    span: Span,
    number: std::marker::PhantomData<T>,
}

impl<T> fmt::Debug for Atomic<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Atomic").field("offset", &self.span.start()).finish_non_exhaustive()
    }
}

impl Map {
    /// The number at `offset`, in bytes, for atomic access: in this machine's
    /// order of bytes, at a place in the file that is a multiple of the
    /// number's size. Processes that share the file, or the memory, share it.
    ///
    /// # Errors
    /// * [`OutOfRange`](crate::ErrorKind::OutOfRange): the number is not inside
    ///   the map.
    /// * [`InvalidInput`](crate::ErrorKind::InvalidInput): the place is not a
    ///   multiple of its size.
    ///
    /// ```
    /// use std::sync::Arc;
    /// let map = Arc::new(faultless::MapOptions::new().len(4096).map_anonymous()?);
    /// let threads = [(); 2].map(|()| {
    ///     let map = Arc::clone(&map);
    ///     std::thread::spawn(move || {
    ///         (0..1000).try_for_each(|_| map.atomic::<u64>(8)?.fetch_add(1).map(drop))
    ///     })
    /// });
    /// for thread in threads {
    ///     thread.join().unwrap()?;
    /// }
    /// assert_eq!(map.atomic::<u64>(8)?.load()?, 2000);
    /// # Ok::<(), faultless::Error>(())
    /// ```
    pub fn atomic<T: AtomicScalar>(&self, offset: usize) -> Result<Atomic<'_, T>> {
        let lead = self.layout.placement.lead;
        let span = Span::aligned("atomic", self.len(), lead, offset, T::LEN)?;
        Ok(Atomic { map: self, span, number: std::marker::PhantomData })
    }
}

impl<T: AtomicScalar> Atomic<'_, T> {
    /// The number.
    ///
    /// # Errors
    /// * [`Fault`](crate::ErrorKind::Fault): its page failed.
    /// * [`Access`](crate::ErrorKind::Access): the map cannot be read.
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(8).map_anonymous()?;
    /// assert_eq!(map.atomic::<i32>(4)?.load()?, 0);
    /// # Ok::<(), faultless::Error>(())
    /// ```
    #[inline]
    pub fn load(&self) -> Result<T> {
        self.map.check_readable("load")?;
        let writable = self.map.is_writable();
        let cell = self.cell();
        let quick = self.map.guard.quick(self.map, self.span, || {
            let value = T::load(cell, writable);
            (value, self.span, value.last_byte())
        });
        quick.or_else(|epoch| self.load_carefully(epoch))
    }

    #[cold]
    fn load_carefully(&self, epoch: usize) -> Result<T> {
        let mut value = None;
        self.map.guard.read(self.map, "load", self.span, epoch, &mut || {
            value = Some(T::load(self.cell(), self.map.is_writable()));
            // Another number than the look before saw is as good: it is one load.
            Look { same: true, span: self.span, last: 0 }
        })?;
        value.map_or_else(|| self.load(), Ok)
    }

    /// Sets the number.
    ///
    /// # Errors
    /// * [`Fault`](crate::ErrorKind::Fault): its page failed; the number may
    ///   have been set.
    /// * [`Access`](crate::ErrorKind::Access): the map cannot be written.
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(8).map_anonymous()?;
    /// map.atomic(4)?.store(-5i32)?;
    /// assert_eq!(map.load_ne::<i32>(4)?, -5);
    /// # Ok::<(), faultless::Error>(())
    /// ```
    #[inline]
    pub fn store(&self, value: T) -> Result<()> {
        self.change("store", |cell| T::store(cell, value))
    }

    /// Adds to the number, going round at its ends, and returns what it was.
    ///
    /// # Errors
    /// As [`store`](Self::store).
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(8).map_anonymous()?;
    /// let number = map.atomic::<u32>(0)?;
    /// assert_eq!((number.fetch_add(5)?, number.fetch_add(u32::MAX)?, number.load()?), (0, 5, 4));
    /// # Ok::<(), faultless::Error>(())
    /// ```
    #[inline]
    pub fn fetch_add(&self, value: T) -> Result<T> {
        self.change("fetch_add", |cell| T::fetch_add(cell, value))
    }

    /// Clears the bits that `value` has not, and returns what the number was.
    ///
    /// # Errors
    /// As [`store`](Self::store).
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(8).map_anonymous()?;
    /// let flags = map.atomic::<u64>(0)?;
    /// flags.store(0b111)?;
    /// assert_eq!((flags.fetch_and(!0b010)?, flags.load()?), (0b111, 0b101));
    /// # Ok::<(), faultless::Error>(())
    /// ```
    #[inline]
    pub fn fetch_and(&self, value: T) -> Result<T> {
        self.change("fetch_and", |cell| T::fetch_and(cell, value))
    }

    /// Sets the bits that `value` has, and returns what the number was.
    ///
    /// # Errors
    /// As [`store`](Self::store).
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(8).map_anonymous()?;
    /// let flags = map.atomic::<u64>(0)?;
    /// assert_eq!((flags.fetch_or(0b101)?, flags.fetch_or(0b010)?, flags.load()?), (0, 0b101, 0b111));
    /// # Ok::<(), faultless::Error>(())
    /// ```
    #[inline]
    pub fn fetch_or(&self, value: T) -> Result<T> {
        self.change("fetch_or", |cell| T::fetch_or(cell, value))
    }

    /// Sets the number to `new` if it is `expected`. The inner result has what it
    /// was: `Ok` if it was set, `Err` if it was another.
    ///
    /// # Errors
    /// As [`store`](Self::store).
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(8).map_anonymous()?;
    /// let owner = map.atomic::<u32>(0)?;
    /// assert_eq!(owner.compare_exchange(0, 17)?, Ok(0));
    /// assert_eq!(owner.compare_exchange(0, 18)?, Err(17));
    /// # Ok::<(), faultless::Error>(())
    /// ```
    #[inline]
    pub fn compare_exchange(&self, expected: T, new: T) -> Result<Result<T, T>> {
        self.change("compare_exchange", |cell| T::compare_exchange(cell, expected, new))
    }

    #[inline(always)]
    fn change<R>(&self, operation: &'static str, change: impl FnOnce(&T::Cell) -> R) -> Result<R> {
        self.map.check_writable(operation)?;
        let epoch = self.map.guard.write(self.map, operation, self.span)?;
        let result = change(self.cell());
        self.map.guard.wrote(self.map, operation, self.span, epoch)?;
        Ok(result)
    }

    #[inline(always)]
    fn cell(&self) -> &T::Cell {
        self.map.view.window(self.span).atomic()
    }
}

macro_rules! wait {
    ($($number:ty)*) => {$(
        impl Atomic<'_, $number> {
            /// Waits while the number is `expected`, until somebody
            /// [wakes](Self::wake) the waiters or `timeout` is over, and returns
            /// `false` only in the latter case. If it is another number to begin
            /// with, there is no waiting. Being woken does not mean that the number
            /// is another now: look again.
            ///
            /// Who changes the number first and wakes then wakes every waiter that
            /// the change concerns: none is lost, in any process.
            ///
            /// # Platforms
            /// Linux and Android wait in the kernel (futex). Elsewhere the number is
            /// looked at again and again, with pauses of up to 5 ms, until it is
            /// another.
            ///
            /// # Errors
            /// * [`Fault`](crate::ErrorKind::Fault): the number's page failed,
            ///   which is noticed after half a second at the latest.
            /// * [`Access`](crate::ErrorKind::Access): the map cannot be read.
            ///
            /// See [futex(2)](https://man7.org/linux/man-pages/man2/futex.2.html).
            ///
            /// ```
            /// use std::time::Duration;
            /// let map = faultless::MapOptions::new().len(4096).map_anonymous()?;
            #[doc = concat!("let number = map.atomic::<", stringify!($number), ">(0)?;")]
            /// assert!(number.wait(7, None)?);
            /// assert!(!number.wait(0, Some(Duration::from_millis(1)))?);
            /// std::thread::scope(|scope| {
            ///     scope.spawn(|| number.store(1).and_then(|()| number.wake(1)));
            ///     while number.load()? == 0 {
            ///         number.wait(0, None)?;
            ///     }
            ///     Ok::<(), faultless::Error>(())
            /// })?;
            /// # Ok::<(), faultless::Error>(())
            /// ```
            pub fn wait(&self, expected: $number, timeout: Option<Duration>) -> Result<bool> {
                self.wait_while(expected, timeout)
            }

            /// Wakes up to `count` of those that [wait](Self::wait) at this place,
            /// in any process, and returns how many. Where the system has no such
            /// call nobody is woken, and nobody has to be.
            ///
            /// # Errors
            /// * [`Fault`](crate::ErrorKind::Fault): the number's page failed.
            /// * [`Access`](crate::ErrorKind::Access): the map cannot be read.
            ///
            /// ```
            /// let map = faultless::MapOptions::new().len(4096).map_anonymous()?;
            #[doc = concat!("let number = map.atomic::<", stringify!($number), ">(0)?;")]
            /// number.store(1)?;
            /// assert_eq!(number.wake(1)?, 0);
            /// # Ok::<(), faultless::Error>(())
            /// ```
            pub fn wake(&self, count: usize) -> Result<usize> {
                self.wake_waiters(count)
            }
        }
    )*};
}

wait! { u32 i32 }

impl<T: AtomicScalar> Atomic<'_, T> {
    fn address(&self) -> *mut u8 {
        self.map.view.start().wrapping_add(self.span.start())
    }

    fn wait_while(&self, expected: T, timeout: Option<Duration>) -> Result<bool> {
        let end = timeout.map(|timeout| Instant::now().checked_add(timeout));
        let mut pause = Duration::from_micros(1);
        loop {
            // What a failing page is noticed by, before and after each slice.
            if self.load()? != expected {
                return Ok(true);
            }
            // A time that no clock shows never comes.
            let left = match end.flatten() {
                Some(end) => end.saturating_duration_since(Instant::now()),
                None => Duration::MAX,
            };
            if left.is_zero() {
                return Ok(false);
            }
            let Some(bits) = expected.bits() else {
                return Ok(true);
            };
            match os::wait(self.address(), bits, left.min(SLICE)) {
                Ok(true) => return self.load().map(|_| true),
                Ok(false) => {}
                Err(_) => {
                    std::thread::sleep(pause.min(left));
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    fn wake_waiters(&self, count: usize) -> Result<usize> {
        self.load()?;
        let woken = os::wake(self.address(), count);
        // The page may have failed since, and nobody was found there.
        self.load()?;
        Ok(woken)
    }
}
