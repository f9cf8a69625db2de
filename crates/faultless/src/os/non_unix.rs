//! What the back ends other than Unix's have in common: numbers of our own for what the
//! system has none for, and what it lacks.

use std::io;

use super::{BorrowedFile, Populated};

pub(crate) const PROT_NONE: i32 = 0;
pub(crate) const PROT_READ: i32 = 1;
pub(crate) const PROT_WRITE: i32 = 2;
pub(crate) const PROT_EXEC: i32 = 4;
pub(crate) const SHARED: i32 = 1;
pub(crate) const PRIVATE: i32 = 2;
pub(crate) const PLACED: i32 = 0;
pub(crate) const NO_RESERVE: i32 = 0;
pub(crate) const STACK: i32 = 0;
pub(crate) const ASYNC: i32 = 1;
pub(crate) const INVALIDATE: i32 = 2;
/// The longest name of memory, in bytes.
pub(crate) const NAME_MAX: usize = 250;

pub(super) fn unsupported<T>() -> io::Result<T> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Every file system has shared maps.
pub(crate) fn has_no_shared_maps(_error: &io::Error) -> bool {
    false
}

pub(crate) fn populate(_start: *mut u8, _len: usize) -> io::Result<Populated> {
    Ok(Populated::Unsupported)
}

pub(crate) fn tells_residency(_file: BorrowedFile<'_>) -> bool {
    true
}

pub(crate) fn cached_pages(_file: BorrowedFile<'_>, _offset: u64, _len: u64) -> io::Result<u64> {
    unsupported()
}

pub(crate) fn forget(_file: BorrowedFile<'_>, _offset: u64, _len: u64) {}

/// Windows has this (`WaitOnAddress`) between the threads of one process only.
pub(crate) fn wait(
    _address: *mut u8,
    _expected: u32,
    _timeout: std::time::Duration,
) -> io::Result<bool> {
    unsupported()
}

pub(crate) fn wake(_address: *mut u8, _count: usize) -> usize {
    0
}

/// Nothing can be sealed.
pub(crate) fn is_sealed(_file: BorrowedFile<'_>) -> bool {
    false
}
