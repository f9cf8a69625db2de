//! What accesses a map is for, and which ones its pages allow.

use std::ops::{BitOr, BitOrAssign};

use crate::os;

/// What a map may do with its bytes, and with its file's.
///
/// ```
/// use faultless::{Access, MapOptions};
/// let map = MapOptions::new().access(Access::CopyOnWrite).open(std::env::current_exe()?)?;
/// map.set(0, 7)?; // not in the file
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Access {
    /// Read only. The file need not be open for writing. Where the file's system
    /// has no shared maps, it is [a private one](crate::Map::is_private_fallback).
    #[default]
    Read,
    /// Read and write; what is written goes to the file, or, in anonymous
    /// memory, to every process that shares it.
    Write,
    /// Read and write; what is written stays in this map (`MAP_PRIVATE`). The
    /// file need not be open for writing.
    CopyOnWrite,
}

/// Which accesses the pages of a map allow. Combine with `|`.
///
/// ```
/// use faultless::Protection;
/// let both = Protection::READ | Protection::WRITE;
/// assert!(both.contains(Protection::READ));
/// assert!(!both.contains(Protection::EXECUTE));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Protection(i32);

impl Protection {
    /// No access at all: every operation on the bytes is an error.
    pub const NONE: Self = Self(os::PROT_NONE);
    /// The pages can be read.
    pub const READ: Self = Self(os::PROT_READ);
    /// The pages can be written. They can then be read too, whatever is said.
    pub const WRITE: Self = Self(os::PROT_WRITE);
    /// The pages can be executed. Some processors can then not read them,
    /// unless [`READ`](Self::READ) is said too.
    pub const EXECUTE: Self = Self(os::PROT_EXEC);

    /// Whether everything that `other` allows is allowed.
    ///
    /// ```
    /// use faultless::Protection;
    /// assert!((Protection::READ | Protection::WRITE).contains(Protection::WRITE));
    /// ```
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The number that `mmap` takes on this system.
    ///
    /// ```
    /// assert_eq!(faultless::Protection::READ.raw(), libc::PROT_READ);
    /// ```
    #[must_use]
    pub fn raw(self) -> i32 {
        self.0
    }

    /// From the number that `mmap` takes on this system (`PROT_READ` …); the inverse
    /// of [`raw`](Self::raw).
    #[must_use]
    pub fn from_raw(raw: i32) -> Self {
        Self(raw)
    }
}

impl BitOr for Protection {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Protection {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}
