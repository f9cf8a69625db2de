//! Python's integers and slices as numbers.
#![allow(unsafe_code)]

use std::ffi::c_int;

use pyo3::exceptions::PyOverflowError;
use pyo3::prelude::*;
use pyo3::{Borrowed, ffi};

use super::{Outcome, RAISED};
use crate::singletons;

/// Whether the object can stand for an integer.
#[inline(always)]
pub(crate) fn is_index(object: &Borrowed<'_, '_, PyAny>) -> bool {
    // SAFETY: the object is live.
    unsafe {
        ffi::PyLong_CheckExact(object.as_ptr()) != 0 || ffi::PyIndex_Check(object.as_ptr()) != 0
    }
}

/// Which exception an integer beyond `Py_ssize_t` is.
#[derive(Clone, Copy)]
pub(crate) enum TooLarge {
    Index,
    Type,
    Overflow,
    /// None: it stands for the nearest that is one.
    Clamp,
}

/// An index-like object as `Py_ssize_t`, with the message of indexing.
#[inline(always)]
pub(crate) fn index(object: &Borrowed<'_, '_, PyAny>, too_large: TooLarge) -> Outcome<isize> {
    match exact(object) {
        Some(value) => Ok(value),
        None => any_index(object, too_large),
    }
}

/// An integer itself, which is converted without running any code of Python's,
/// unless it is -1 or too large: that `index` has to find out.
#[inline(always)]
pub(crate) fn exact_index(object: &Borrowed<'_, '_, PyAny>) -> Option<isize> {
    // SAFETY: the object is live.
    unsafe {
        if ffi::PyLong_CheckExact(object.as_ptr()) == 0 {
            return None;
        }
        Some(ffi::PyLong_AsSsize_t(object.as_ptr())).filter(|&value| value != -1)
    }
}

/// The same for an argument, which is most often a small one.
#[inline(always)]
fn exact(object: &Borrowed<'_, '_, PyAny>) -> Option<isize> {
    singletons::small(object).map(isize::from).or_else(|| exact_index(object))
}

#[inline(never)]
fn any_index(object: &Borrowed<'_, '_, PyAny>, too_large: TooLarge) -> Outcome<isize> {
    // SAFETY: the object is live, and the exceptions always are.
    let value = unsafe {
        ffi::PyErr_Clear();
        let exception = match too_large {
            TooLarge::Index => ffi::PyExc_IndexError,
            TooLarge::Type => ffi::PyExc_TypeError,
            TooLarge::Overflow => ffi::PyExc_OverflowError,
            TooLarge::Clamp => std::ptr::null_mut(),
        };
        ffi::PyNumber_AsSsize_t(object.as_ptr(), exception)
    };
    if value == -1 { unless_raised(-1) } else { Ok(value) }
}

/// The value that also stands for an exception, if none is set.
#[cold]
#[inline(never)]
fn unless_raised<T>(value: T) -> Outcome<T> {
    // SAFETY: asks whether an exception is set.
    if unsafe { ffi::PyErr_Occurred() }.is_null() { Ok(value) } else { Err(RAISED) }
}

/// An integer argument as `Py_ssize_t`.
#[inline(always)]
pub(crate) fn size(object: &Borrowed<'_, '_, PyAny>) -> Outcome<isize> {
    match exact(object) {
        Some(value) => Ok(value),
        None => any_size(object),
    }
}

#[inline(never)]
fn any_size(object: &Borrowed<'_, '_, PyAny>) -> Outcome<isize> {
    // SAFETY: the object is live.
    let value = unsafe {
        ffi::PyErr_Clear();
        let number = ffi::PyNumber_Index(object.as_ptr());
        let number = Bound::from_owned_ptr_or_err(object.py(), number)?;
        ffi::PyLong_AsSsize_t(number.as_ptr())
    };
    if value == -1 { unless_raised(-1) } else { Ok(value) }
}

/// An integer argument as the C type `long`.
#[inline(always)]
pub(crate) fn long(object: &Borrowed<'_, '_, PyAny>) -> Outcome<std::ffi::c_long> {
    // SAFETY: the object is live.
    let value = unsafe { ffi::PyLong_AsLong(object.as_ptr()) };
    if value == -1 { unless_raised(-1) } else { Ok(value) }
}

/// An integer argument as the C type `int`.
pub(crate) fn int(object: &Borrowed<'_, '_, PyAny>) -> Outcome<c_int> {
    let too_large = || PyOverflowError::new_err("Python int too large to convert to C int");
    let value = long(object).map_err(|raised| {
        let error = PyErr::from(raised);
        if error.is_instance_of::<PyOverflowError>(object.py()) { too_large() } else { error }
    })?;
    c_int::try_from(value).map_err(|_| too_large().into())
}

/// `start`, `stop` and `step` of a slice object, not yet fitted to a length.
#[inline(always)]
pub(crate) fn unpack(slice: &Borrowed<'_, '_, PyAny>) -> Outcome<Option<(isize, isize, isize)>> {
    let (mut start, mut stop, mut step) = (0, 0, 0);
    // SAFETY: the object is live, and a slice if the first call says so.
    unsafe {
        if ffi::PySlice_Check(slice.as_ptr()) == 0 {
            return Ok(None);
        }
        let unpacked =
            ffi::PySlice_Unpack(slice.as_ptr(), &raw mut start, &raw mut stop, &raw mut step);
        if unpacked < 0 {
            return Err(RAISED);
        }
    }
    Ok(Some((start, stop, step)))
}

/// A slice fitted to a length: the first offset, and how many.
#[inline(always)]
pub(crate) fn adjust(len: usize, (start, stop, step): (isize, isize, isize)) -> (usize, usize) {
    if step == 1 {
        let len = len as isize;
        let fit = |at: isize| if at < 0 { (at + len).max(0) } else { at.min(len) };
        let (start, stop) = (fit(start), fit(stop));
        return (start as usize, (stop - start).max(0) as usize);
    }
    let (mut start, mut stop) = (start, stop);
    // SAFETY: arithmetic on numbers.
    let count = unsafe {
        let len = len as ffi::Py_ssize_t;
        ffi::PySlice_AdjustIndices(len, &raw mut start, &raw mut stop, step)
    };
    (start as usize, count as usize)
}
