//! Objects that the interpreter makes once and keeps: None, True, False, small
//! integers, bytes objects of one byte. Handing one out is a load, and takes no
//! call.
#![allow(unsafe_code)]

use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering::Relaxed};

use pyo3::prelude::*;
use pyo3::{Borrowed, ffi};

struct Table {
    numbers: [AtomicPtr<ffi::PyObject>; 256],
    bytes: [AtomicPtr<ffi::PyObject>; 256],
}

static TABLE: Table = Table {
    numbers: [const { AtomicPtr::new(ptr::null_mut()) }; 256],
    bytes: [const { AtomicPtr::new(ptr::null_mut()) }; 256],
};

/// Looks them up, once for the process.
pub(crate) fn find(py: Python<'_>) -> PyResult<()> {
    IMMORTAL.store(py.version_info() >= (3, 12), Relaxed);
    for byte in 0..=u8::MAX {
        // SAFETY: new references, which are kept for ever.
        let (number, bytes) = unsafe {
            let number = ffi::PyLong_FromLong(byte.into());
            let bytes = ffi::PyBytes_FromStringAndSize((&raw const byte).cast(), 1);
            let number = Bound::from_owned_ptr_or_err(py, number)?.into_ptr();
            (number, Bound::from_owned_ptr_or_err(py, bytes)?.into_ptr())
        };
        TABLE.numbers[usize::from(byte)].store(number, Relaxed);
        TABLE.bytes[usize::from(byte)].store(bytes, Relaxed);
    }
    let addr = |byte: usize| TABLE.numbers[byte].load(Relaxed).addr();
    if (0..256).all(|byte| addr(byte) == addr(0).wrapping_add(byte * APART)) {
        ROW.store(addr(0), Relaxed);
    }
    Ok(())
}

/// How far apart the small integers lie where the interpreter has them in a row, as
/// all that are known do: a head, one word or two, and padding.
const APART: usize = 4 * size_of::<usize>();

/// Where the row begins in which the integers from 0 to 255 lie, if they do: then
/// an object's address says which of them it is. Else an address that no object has.
static ROW: AtomicUsize = AtomicUsize::new(usize::MAX - 256 * APART);

/// The value of an integer from 0 to 255, found without a call. `None`: it may be
/// another object, or the interpreter has them elsewhere.
#[inline(always)]
pub(crate) fn small(object: &Borrowed<'_, '_, PyAny>) -> Option<u8> {
    // Nothing else can lie in the row: each of them has its own memory.
    let into = object.as_ptr().addr().wrapping_sub(ROW.load(Relaxed));
    u8::try_from(into / APART).ok()
}

/// Whether the interpreter's singletons are immortal, as from 3.12 on: their
/// references are not counted.
static IMMORTAL: AtomicBool = AtomicBool::new(false);

/// A new reference to a singleton.
///
/// # Safety
/// It must be one.
#[inline(always)]
unsafe fn singleton(py: Python<'_>, object: *mut ffi::PyObject) -> Bound<'_, PyAny> {
    // SAFETY: the caller's promise. An interpreter without immortal objects has a
    // global lock, and counts in this field.
    unsafe {
        #[cfg(not(Py_3_12))]
        if !IMMORTAL.load(Relaxed) {
            (*object).ob_refcnt += 1;
        }
        Bound::from_owned_ptr_or_opt(py, object).unwrap_unchecked()
    }
}

#[inline(always)]
pub(crate) fn none(py: Python<'_>) -> Bound<'_, PyAny> {
    // SAFETY: None is one.
    unsafe { singleton(py, ffi::Py_None()) }
}

#[inline(always)]
pub(crate) fn truth(py: Python<'_>, value: bool) -> Bound<'_, PyAny> {
    // SAFETY: the two are singletons.
    unsafe { singleton(py, if value { ffi::Py_True() } else { ffi::Py_False() }) }
}

/// A byte as an integer.
#[inline(always)]
pub(crate) fn number(py: Python<'_>, byte: u8) -> Bound<'_, PyAny> {
    // SAFETY: looked up when the class was made.
    unsafe { singleton(py, TABLE.numbers[usize::from(byte)].load(Relaxed)) }
}

/// A bytes object of one byte.
#[inline(always)]
pub(crate) fn byte(py: Python<'_>, byte: u8) -> Bound<'_, PyAny> {
    // SAFETY: looked up when the class was made.
    unsafe { singleton(py, TABLE.bytes[usize::from(byte)].load(Relaxed)) }
}
