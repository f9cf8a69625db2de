//! The C API, fenced: everything that handles raw pointers to Python objects
//! outside the class's own slots. What it offers is safe to call.
#![allow(unsafe_code)]
#![expect(clippy::disallowed_methods, reason = "Python's memory, which is not a map's")]

mod args;
mod buffer;
mod convert;

use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::{Borrowed, ffi};

use crate::singletons;

pub(crate) use args::{Args, Call, ConstructorArgs, constructor_args, is_none};
pub(crate) use buffer::{Buffer, fill_buffer, find_bytes, peek_byte, peek_bytes, peek_line};
pub(crate) use convert::{TooLarge, adjust, exact_index, index, int, is_index, long, size, unpack};

/// That an exception is set: what stands for it in the code between C and the
/// core, where a whole `PyErr` in every result would cost more than the work.
#[derive(Debug)]
pub(crate) struct Raised(());

impl Raised {
    /// Forgets the exception.
    pub(crate) fn clear(self) {
        forget(PyErr::from(self));
    }
}

/// Lets go of an exception that is not raised: at once, and not with `PyO3`'s next
/// call, which may never come.
#[cold]
pub(crate) fn forget(error: PyErr) {
    Python::attach(|_| drop(error));
}

impl From<PyErr> for Raised {
    #[cold]
    #[inline(never)]
    fn from(error: PyErr) -> Self {
        Python::attach(|py| error.restore(py));
        Self(())
    }
}

impl From<Raised> for PyErr {
    #[cold]
    #[inline(never)]
    fn from(_: Raised) -> Self {
        Python::attach(Self::fetch)
    }
}

/// The exception that the interpreter has just set.
pub(crate) const RAISED: Raised = Raised(());

/// A result whose error is the exception that is set.
pub(crate) type Outcome<T> = Result<T, Raised>;

/// What a method returns.
pub(crate) type Returned<'py> = Outcome<Bound<'py, PyAny>>;

/// What a C function returns, and what stands for an exception in it.
pub(crate) trait Output {
    type Raw;
    const RAISED: Self::Raw;
    fn into_raw(self) -> Self::Raw;
}

impl Output for Bound<'_, PyAny> {
    type Raw = *mut ffi::PyObject;
    const RAISED: Self::Raw = ptr::null_mut();

    #[inline(always)]
    fn into_raw(self) -> Self::Raw {
        self.into_ptr()
    }
}

/// The next item of an iterator; null without an exception is its end.
impl Output for Option<Bound<'_, PyAny>> {
    type Raw = *mut ffi::PyObject;
    const RAISED: Self::Raw = ptr::null_mut();

    #[inline(always)]
    fn into_raw(self) -> Self::Raw {
        self.map_or(ptr::null_mut(), Bound::into_ptr)
    }
}

impl Output for () {
    type Raw = c_int;
    const RAISED: c_int = -1;

    #[inline(always)]
    fn into_raw(self) -> c_int {
        0
    }
}

impl Output for usize {
    type Raw = ffi::Py_ssize_t;
    const RAISED: ffi::Py_ssize_t = -1;

    #[inline(always)]
    fn into_raw(self) -> ffi::Py_ssize_t {
        self as ffi::Py_ssize_t
    }
}

/// Runs the body of a function that Python calls so often that even a landing pad
/// counts. The body must not panic; if it does, the process ends here, at the
/// border to C.
///
/// # Safety
/// The thread must be attached to the interpreter.
#[inline(always)]
pub(crate) unsafe fn enter_hot<'py, R: Output>(
    body: impl FnOnce(Python<'py>) -> Outcome<R>,
) -> R::Raw {
    // SAFETY: the caller's promise.
    body(unsafe { Python::assume_attached() }).map_or(R::RAISED, Output::into_raw)
}

/// Runs the body of a function that Python calls; a panic does not get out.
///
/// # Safety
/// The thread must be attached to the interpreter.
#[inline(always)]
pub(crate) unsafe fn enter<'py, R: Output>(body: impl FnOnce(Python<'py>) -> Outcome<R>) -> R::Raw {
    // SAFETY: the caller's promise.
    let py = unsafe { Python::assume_attached() };
    let done = catch_unwind(AssertUnwindSafe(|| body(py))).unwrap_or_else(|_| {
        let message = "faultless: an internal check failed; please report it";
        Err(PyRuntimeError::new_err(message).into())
    });
    done.map_or(R::RAISED, Output::into_raw)
}

/// An argument of the running call.
pub(crate) type Arg<'a, 'py> = Borrowed<'a, 'py, PyAny>;

#[inline(always)]
pub(crate) fn number(py: Python<'_>, value: isize) -> Returned<'_> {
    // SAFETY: makes a new object, or fails for want of memory.
    unsafe { owned(py, ffi::PyLong_FromSsize_t(value)) }
}

/// An offset or a length as an integer.
#[inline(always)]
pub(crate) fn unsigned(py: Python<'_>, value: usize) -> Returned<'_> {
    match u8::try_from(value) {
        Ok(byte) => Ok(singletons::number(py, byte)),
        // SAFETY: makes a new object, or fails for want of memory.
        Err(_) => unsafe { owned(py, ffi::PyLong_FromSize_t(value)) },
    }
}

/// A new reference, or, if it is null, the exception that is set.
///
/// # Safety
/// As a function of the C API returns it.
#[inline(always)]
unsafe fn owned(py: Python<'_>, object: *mut ffi::PyObject) -> Returned<'_> {
    // SAFETY: the caller's promise.
    unsafe { Bound::from_owned_ptr_or_opt(py, object) }.ok_or(RAISED)
}

/// An object that Python passed, for the length of the call.
///
/// # Safety
/// It must be live for that long.
#[inline(always)]
pub(crate) unsafe fn borrowed<'a, 'py>(
    py: Python<'py>,
    object: *mut ffi::PyObject,
) -> Arg<'a, 'py> {
    // SAFETY: the caller's promise; a live object is not null.
    unsafe { Borrowed::from_ptr_or_opt(py, object).unwrap_unchecked() }
}

/// A copy of bytes that may change or fail meanwhile, as a bytes object: the
/// caller sees to that.
///
/// # Safety
/// The bytes must be there to be read.
#[inline(always)]
pub(crate) unsafe fn bytes_from(py: Python<'_>, from: *const u8, len: usize) -> Returned<'_> {
    // SAFETY: copies the bytes.
    unsafe { owned(py, ffi::PyBytes_FromStringAndSize(from.cast(), len as ffi::Py_ssize_t)) }
}

/// A copy of bytes as a bytes object.
#[inline(always)]
pub(crate) fn bytes_of<'py>(py: Python<'py>, bytes: &[u8]) -> Returned<'py> {
    // SAFETY: the bytes are there.
    unsafe { bytes_from(py, bytes.as_ptr(), bytes.len()) }
}

/// A new bytes object of `len` bytes, which `fill` sets. What `fill` did not set
/// it must not return success for.
#[inline(always)]
pub(crate) fn bytes<'py>(
    py: Python<'py>,
    len: usize,
    fill: impl FnOnce(&mut [MaybeUninit<u8>]) -> Outcome<()>,
) -> Returned<'py> {
    // SAFETY: makes a new object of that many bytes, which nobody else sees
    // before it is returned.
    unsafe {
        let object = bytes_from(py, ptr::null(), len)?;
        let start = ffi::PyBytes_AsString(object.as_ptr()).cast();
        fill(std::slice::from_raw_parts_mut(start, len))?;
        Ok(object)
    }
}

/// How far the system's coarse clock is, which takes no system call and counts
/// in milliseconds; `None` where there is no such clock.
#[inline(always)]
pub(crate) fn tick() -> Option<i64> {
    #[cfg(target_os = "linux")]
    #[allow(clippy::useless_conversion, reason = "the fields are narrower on some platforms")]
    {
        let mut now = MaybeUninit::<libc::timespec>::uninit();
        // SAFETY: fills in the structure, or fails.
        unsafe {
            (libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, now.as_mut_ptr()) == 0).then(|| {
                let now = now.assume_init();
                i64::from(now.tv_sec) << 32 | i64::from(now.tv_nsec)
            })
        }
    }
    #[cfg(not(target_os = "linux"))]
    None
}
