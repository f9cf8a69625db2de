//! What the extension asks of the system itself, on Windows.
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::os::windows::io::{BorrowedHandle, RawHandle};

use pyo3::prelude::*;

/// An argument that the system does not take: `ERROR_INVALID_PARAMETER`.
pub(crate) const INVALID: i32 = 87;
/// `ERROR_NOT_ENOUGH_MEMORY`; also what it says to a map that is longer than its
/// file, if it may not make that longer.
pub(crate) const NO_MEMORY: i32 = 8;
/// What it says to a map of no bytes: `ERROR_FILE_INVALID`.
pub(crate) const NO_BYTES: i32 = 1006;
/// What it says to an offset that is not a multiple of its granularity:
/// `ERROR_MAPPED_ALIGNMENT`.
pub(crate) const MISALIGNED: i32 = 1132;

/// The `OSError` for a number of the system's. Python finds the class and the
/// `errno` that go with it.
#[cold]
pub(crate) fn os_error(py: Python<'_>, number: i32) -> PyErr {
    let call = || -> PyResult<Bound<'_, PyAny>> {
        let text = py.import("ctypes")?.call_method1("FormatError", (number,))?;
        // As Python ends its own.
        let text = text.call_method1("rstrip", (". \t\r\n",))?;
        py.get_type::<pyo3::exceptions::PyOSError>().call1((0, text, py.None(), number))
    };
    call().map_or_else(|error| error, PyErr::from_value)
}

/// A file of the caller's, by its number.
pub(crate) type File = BorrowedHandle<'static>;

/// The number as a file. The numbers are those of Python's own C library.
pub(crate) fn file(py: Python<'_>, fd: c_int) -> PyResult<File> {
    let handle: isize = py.import("msvcrt")?.call_method1("get_osfhandle", (fd,))?.extract()?;
    // SAFETY: it is only used during the call that the number was passed to, whose
    // caller has to keep it open; what is no handle is an error of the system's
    // calls.
    Ok(unsafe { BorrowedHandle::borrow_raw(handle as RawHandle) })
}

/// The number of a file; `None` where files have none that other modules know.
pub(crate) fn number_of(_file: &std::fs::File) -> Option<c_int> {
    None
}

/// The length in bytes of a file.
pub(crate) fn size(file: File) -> std::io::Result<u64> {
    std::fs::File::from(file.try_clone_to_owned()?).metadata().map(|data| data.len())
}

/// Raises the audit event of a new map.
pub(crate) fn audit(
    py: Python<'_>,
    (fd, length, access, offset): (c_int, isize, c_int, i64),
) -> PyResult<()> {
    let audit = py.import("sys")?.getattr("audit")?;
    audit.call1((pyo3::intern!(py, "mmap.__new__"), fd, length, access, offset)).map(drop)
}
