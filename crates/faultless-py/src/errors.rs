//! Errors of the core as Python's exceptions.

use pyo3::exceptions::{PyImportError, PyMemoryError, PyOSError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

use crate::glue::Raised;
use crate::system;

/// `mmap closed or invalid`: every method of a closed map.
#[cold]
#[inline(never)]
pub(crate) fn closed() -> Raised {
    PyValueError::new_err("mmap closed or invalid").into()
}

/// The error that the system's number stands for, with its own message and, for
/// some numbers, its own class.
#[cold]
pub(crate) fn os(py: Python<'_>, errno: i32) -> PyErr {
    system::os_error(py, errno)
}

/// An error of an operation on an open map.
#[cold]
pub(crate) fn raise(py: Python<'_>, error: &faultless::Error) -> PyErr {
    if let Some(fault) = error.fault() {
        let raised = fault_error(py).and_then(|class| {
            let path = error.path().map(|path| path.as_os_str());
            class.call1((fault.to_string(), fault.offset, fault.reason.name(), path))
        });
        return raised.map_or_else(|error| error, PyErr::from_value);
    }
    match (error.kind(), error.raw_os_error()) {
        (_, Some(errno)) => os(py, errno),
        (faultless::ErrorKind::Os, None) if is_memory(error) => {
            PyMemoryError::new_err(error.to_string())
        }
        (faultless::ErrorKind::Access, None) => PyTypeError::new_err(
            "mmap can't access a memory map whose protection does not allow it.",
        ),
        (faultless::ErrorKind::Os | faultless::ErrorKind::Unsupported, None) => {
            PyOSError::new_err(error.to_string())
        }
        _ => PyValueError::new_err(error.to_string()),
    }
}

fn is_memory(error: &faultless::Error) -> bool {
    let source = std::error::Error::source(error);
    let source = source.and_then(|source| source.downcast_ref::<std::io::Error>());
    source.is_some_and(|source| source.kind() == std::io::ErrorKind::OutOfMemory)
}

/// The same where it ends a function that has to be fast.
#[cold]
#[inline(never)]
#[expect(clippy::needless_pass_by_value, reason = "it is dropped here, out of the way")]
pub(crate) fn raised(error: faultless::Error) -> Raised {
    Python::attach(|py| raise(py, &error).into())
}

/// `faultless.FaultError`, which is written in Python.
fn fault_error(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    CLASS.import(py, "faultless._fault", "FaultError").map_err(|error| {
        let new = PyImportError::new_err("the package faultless is not complete");
        new.set_cause(py, Some(error));
        new
    })
}

/// An `io.UnsupportedOperation`, which is an `OSError` and a `ValueError`, with
/// the text of the one and the number of the other.
#[cold]
pub(crate) fn unsupported(py: Python<'_>, message: &str, errno: i32) -> PyErr {
    let make = || -> PyResult<PyErr> {
        let error = py.import("io")?.getattr("UnsupportedOperation")?.call1((message,))?;
        error.setattr("errno", errno)?;
        Ok(PyErr::from_value(error))
    };
    make().unwrap_or_else(|error| error)
}

/// An `OSError` that names the file.
#[cold]
pub(crate) fn os_with_path(py: Python<'_>, errno: i32, path: &std::path::Path) -> PyErr {
    let error = os(py, errno);
    match error.value(py).setattr("filename", path.as_os_str()) {
        Ok(()) => error,
        Err(error) => error,
    }
}
