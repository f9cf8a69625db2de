//! Single bytes and numbers.

use crate::error::Result;
use crate::guard::Look;
use crate::map::Map;
use crate::range::Span;
use crate::view::as_uninit;

mod sealed {
    /// A number and its bytes in native order.
    pub trait Bytes: Copy {
        const LEN: usize;
        /// An array of as many bytes.
        type Bytes: Copy + Default + Eq + AsRef<[u8]> + AsMut<[u8]>;
        fn from_bytes(bytes: Self::Bytes) -> Self;
        fn to_bytes(self) -> Self::Bytes;
        /// Native to little-endian order, or back: the same thing.
        fn swap_le(self) -> Self;
        /// Native to big-endian order, or back.
        fn swap_be(self) -> Self;
    }
}

/// A number that can be [loaded](Map::load_le) from a map and
/// [stored](Map::store_le) to one: the integers and floats with a fixed size.
///
/// ```
/// fn sum<T: faultless::Scalar + std::ops::Add<Output = T>>(map: &faultless::Map) -> faultless::Result<T> {
///     Ok(map.load_le::<T>(0)? + map.load_le::<T>(8)?)
/// }
/// let map = faultless::MapOptions::new().len(16).map_anonymous()?;
/// map.store_le(8, 5u64)?;
/// assert_eq!(sum::<u64>(&map)?, 5);
/// # Ok::<(), faultless::Error>(())
/// ```
pub trait Scalar: sealed::Bytes {}

macro_rules! scalar {
    ($($number:ty: $bits:ty)*) => {$(
        impl sealed::Bytes for $number {
            const LEN: usize = size_of::<Self>();

            type Bytes = [u8; size_of::<Self>()];

            #[inline(always)]
            fn from_bytes(bytes: Self::Bytes) -> Self {
                Self::from_ne_bytes(bytes)
            }

            #[inline(always)]
            fn to_bytes(self) -> Self::Bytes {
                self.to_ne_bytes()
            }

            #[inline(always)]
            fn swap_le(self) -> Self {
                Self::from_ne_bytes(<$bits>::from_le_bytes(self.to_ne_bytes()).to_ne_bytes())
            }

            #[inline(always)]
            fn swap_be(self) -> Self {
                Self::from_ne_bytes(<$bits>::from_be_bytes(self.to_ne_bytes()).to_ne_bytes())
            }
        }

        impl Scalar for $number {}
    )*};
}

scalar! {
    u8: u8 i8: u8 u16: u16 i16: u16 u32: u32 i32: u32 u64: u64 i64: u64 u128: u128 i128: u128
    f32: u32 f64: u64
}

impl Map {
    /// The byte at `offset`.
    ///
    /// # Errors
    /// As [`read_exact_at`](Self::read_exact_at).
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(8).map_anonymous()?;
    /// assert_eq!(map.get(7)?, 0);
    /// assert!(map.get(8).is_err());
    /// # Ok::<(), faultless::Error>(())
    /// ```
    #[inline(always)]
    pub fn get(&self, offset: usize) -> Result<u8> {
        self.load("get", offset)
    }

    /// Sets the byte at `offset`.
    ///
    /// # Errors
    /// As [`write_at`](Self::write_at).
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(8).map_anonymous()?;
    /// map.set(7, 42)?;
    /// assert_eq!(map.get(7)?, 42);
    /// # Ok::<(), faultless::Error>(())
    /// ```
    #[inline(always)]
    pub fn set(&self, offset: usize, byte: u8) -> Result<()> {
        self.store("set", offset, byte)
    }

    #[inline(always)]
    fn load<T: Scalar>(&self, operation: &'static str, offset: usize) -> Result<T> {
        self.check_readable(operation)?;
        let span = Span::exact(operation, self.len(), offset, T::LEN)?;
        let quick = self.guard.quick(self, span, || {
            let bytes = self.number::<T>(span);
            (bytes, span, bytes.as_ref()[T::LEN - 1])
        });
        match quick {
            Ok(bytes) => Ok(T::from_bytes(bytes)),
            Err(epoch) => self.load_carefully(operation, span, epoch),
        }
    }

    #[inline(never)]
    fn load_carefully<T: Scalar>(
        &self,
        operation: &'static str,
        span: Span,
        epoch: usize,
    ) -> Result<T> {
        let mut bytes = T::Bytes::default();
        self.guard.read(self, operation, span, epoch, &mut || {
            let before = std::mem::replace(&mut bytes, self.number::<T>(span));
            Look { same: bytes == before, span, last: 0 }
        })?;
        Ok(T::from_bytes(bytes))
    }

    /// The bytes of a span, which are a number's.
    #[inline(always)]
    fn number<T: Scalar>(&self, span: Span) -> T::Bytes {
        let mut bytes = T::Bytes::default();
        self.view.window(span).copy_to(as_uninit(bytes.as_mut()));
        bytes
    }

    #[inline(always)]
    fn store<T: Scalar>(&self, operation: &'static str, offset: usize, number: T) -> Result<()> {
        self.check_writable(operation)?;
        let span = Span::exact(operation, self.len(), offset, T::LEN)?;
        let epoch = self.guard.write(self, operation, span)?;
        self.view.window(span).copy_from(number.to_bytes().as_ref());
        self.guard.wrote(self, operation, span, epoch)
    }

    /// The number at `offset`, stored with its least significant byte first.
    /// No alignment is asked of the offset.
    ///
    /// # Errors
    /// As [`read_exact_at`](Self::read_exact_at).
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(8).map_anonymous()?;
    /// map.write_at(1, &[0x34, 0x12])?;
    /// assert_eq!(map.load_le::<u16>(1)?, 0x1234);
    /// # Ok::<(), faultless::Error>(())
    /// ```
    #[inline]
    pub fn load_le<T: Scalar>(&self, offset: usize) -> Result<T> {
        self.load::<T>("load_le", offset).map(T::swap_le)
    }

    /// The number at `offset`, stored with its most significant byte first.
    ///
    /// # Errors
    /// As [`read_exact_at`](Self::read_exact_at).
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(8).map_anonymous()?;
    /// map.write_at(1, &[0x12, 0x34])?;
    /// assert_eq!(map.load_be::<u16>(1)?, 0x1234);
    /// # Ok::<(), faultless::Error>(())
    /// ```
    #[inline]
    pub fn load_be<T: Scalar>(&self, offset: usize) -> Result<T> {
        self.load::<T>("load_be", offset).map(T::swap_be)
    }

    /// The number at `offset`, stored in this machine's order of bytes.
    ///
    /// # Errors
    /// As [`read_exact_at`](Self::read_exact_at).
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(8).map_anonymous()?;
    /// map.store_ne(0, 1.5f64)?;
    /// assert_eq!(map.load_ne::<f64>(0)?, 1.5);
    /// # Ok::<(), faultless::Error>(())
    /// ```
    #[inline]
    pub fn load_ne<T: Scalar>(&self, offset: usize) -> Result<T> {
        self.load("load_ne", offset)
    }

    /// Stores a number at `offset` with its least significant byte first. No
    /// alignment is asked of the offset.
    ///
    /// # Errors
    /// As [`write_at`](Self::write_at).
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(8).map_anonymous()?;
    /// map.store_le(1, 0x1234u16)?;
    /// assert_eq!(map.to_vec(1..3)?, [0x34, 0x12]);
    /// # Ok::<(), faultless::Error>(())
    /// ```
    #[inline]
    pub fn store_le<T: Scalar>(&self, offset: usize, number: T) -> Result<()> {
        self.store("store_le", offset, number.swap_le())
    }

    /// Stores a number at `offset` with its most significant byte first.
    ///
    /// # Errors
    /// As [`write_at`](Self::write_at).
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(8).map_anonymous()?;
    /// map.store_be(1, 0x1234u16)?;
    /// assert_eq!(map.to_vec(1..3)?, [0x12, 0x34]);
    /// # Ok::<(), faultless::Error>(())
    /// ```
    #[inline]
    pub fn store_be<T: Scalar>(&self, offset: usize, number: T) -> Result<()> {
        self.store("store_be", offset, number.swap_be())
    }

    /// Stores a number at `offset` in this machine's order of bytes.
    ///
    /// # Errors
    /// As [`write_at`](Self::write_at).
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(8).map_anonymous()?;
    /// map.store_ne(0, -5i32)?;
    /// assert_eq!(map.load_ne::<i32>(0)?, -5);
    /// # Ok::<(), faultless::Error>(())
    /// ```
    #[inline]
    pub fn store_ne<T: Scalar>(&self, offset: usize, number: T) -> Result<()> {
        self.store("store_ne", offset, number)
    }
}
