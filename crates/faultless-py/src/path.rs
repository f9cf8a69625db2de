//! Paths as arguments.

use std::path::PathBuf;

use pyo3::Borrowed;
use pyo3::prelude::*;

/// What `open` of Python takes for a path: a `str`, `bytes`, or an object that gives
/// one of them.
pub(crate) struct FilePath(pub(crate) PathBuf);

impl<'py> FromPyObject<'_, 'py> for FilePath {
    type Error = PyErr;

    fn extract(path: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(path) = path.extract() {
            return Ok(Self(path));
        }
        let decoded = path.py().import("os")?.getattr("fsdecode")?.call1((path,))?;
        Ok(Self(decoded.extract()?))
    }
}
