//! What the extension asks of the system itself, on Unix.
#![allow(unsafe_code)]

use std::ffi::{c_char, c_int, c_longlong, c_void};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};

use pyo3::exceptions::PyRuntimeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::glue::{Outcome, RAISED};

/// An argument that the system does not take.
pub(crate) const INVALID: i32 = libc::EINVAL;
pub(crate) const NO_MEMORY: i32 = libc::ENOMEM;
/// What the system says to a map of no bytes.
pub(crate) const NO_BYTES: i32 = libc::EINVAL;

/// The `OSError` for a number of the system's.
#[cold]
pub(crate) fn os_error(py: Python<'_>, errno: i32) -> PyErr {
    let call = || -> PyResult<Bound<'_, PyAny>> {
        let text = py.import("os")?.call_method1("strerror", (errno,))?;
        py.get_type::<pyo3::exceptions::PyOSError>().call1((errno, text))
    };
    call().map_or_else(|error| error, PyErr::from_value)
}

/// A file of the caller's, by its number.
pub(crate) type File = BorrowedFd<'static>;

/// The number as a file; whether there is one, the system will tell.
pub(crate) fn file(fd: c_int) -> Option<File> {
    // SAFETY: it is only used during the call that it was passed to, whose caller
    // has to keep it open; a number that is no open file is an error of the
    // system's calls.
    (fd >= 0).then(|| unsafe { BorrowedFd::borrow_raw(fd) })
}

/// The number of a file; `None` where files have none that other modules know.
pub(crate) fn number_of(file: &std::fs::File) -> Option<c_int> {
    Some(file.as_raw_fd())
}

/// The length in bytes of a regular file; `None` for what is none.
pub(crate) fn regular_size(file: File) -> Option<u64> {
    let mut stat = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: fstat fills in the structure, or fails.
    unsafe {
        (libc::fstat(file.as_raw_fd(), stat.as_mut_ptr()) == 0)
            .then(|| stat.assume_init())
            .filter(|stat| stat.st_mode & libc::S_IFMT == libc::S_IFREG)
            .and_then(|stat| u64::try_from(stat.st_size).ok())
    }
}

/// Gives the system any advice about a range of a map.
pub(crate) fn advise(
    map: &faultless::Map,
    range: std::ops::Range<usize>,
    advice: c_int,
) -> Result<(), faultless::Error> {
    // SAFETY: whoever calls from Python knows what the advice does; no reference
    // into the map exists here, and exported memory is Python's to answer for.
    unsafe { map.raw_advise(range, advice) }
}

/// Raises the audit event of a new map.
pub(crate) fn audit(
    py: Python<'_>,
    (fd, length, access, offset): (c_int, usize, c_int, u64),
) -> Outcome<()> {
    type Audit = unsafe extern "C" fn(*const c_char, *const c_char, ...) -> c_int;
    static AUDIT: PyOnceLock<Audit> = PyOnceLock::new();
    let audit = AUDIT.get_or_try_init(py, || {
        // In the stable interface since 3.13; it has been the same since 3.8.
        // SAFETY: looks a name up among those of the process.
        let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"PySys_Audit".as_ptr()) };
        if found.is_null() {
            return Err(PyRuntimeError::new_err("the interpreter has no PySys_Audit"));
        }
        // SAFETY: a function of this type.
        Ok(unsafe { std::mem::transmute::<*mut c_void, Audit>(found) })
    })?;
    let (length, offset) = (length as ffi::Py_ssize_t, offset as c_longlong);
    // SAFETY: the arguments are of the types that the format names.
    let raised =
        unsafe { audit(c"mmap.__new__".as_ptr(), c"iniL".as_ptr(), fd, length, access, offset) };
    if raised == 0 { Ok(()) } else { Err(RAISED) }
}
