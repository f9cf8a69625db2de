//! `faultless.shared`: memory that processes find by a name.

use std::path::Path;

use faultless::{Create, ErrorKind, MapOptions};
use pyo3::prelude::*;

use crate::constants::ACCESS_WRITE;
use crate::errors;
use crate::integer::integer;
use crate::mmap;

/// Map memory that other processes find by its name.
///
/// - create=True: make it; FileExistsError if there is memory of that name;
/// - create=False: find it; FileNotFoundError if there is none;
/// - create=None: find it, or else make it.
///
/// New memory has `length` bytes, all zero. Of memory that is there, the first
/// `length` bytes are mapped, or all of it if `length` is 0. It stays until its name
/// is taken away with `unlink_shared` and nobody has it mapped any more; on Windows,
/// until nobody has it mapped.
///
/// A name has 1 to 250 bytes in UTF-8, 30 on macOS, and no slash, backslash or NUL.
#[expect(clippy::doc_markdown, reason = "Python's documentation")]
#[pyfunction]
#[pyo3(signature = (name, length = 0, *, create = None))]
pub(crate) fn shared<'py>(
    py: Python<'py>,
    name: &str,
    #[pyo3(from_py_with = integer)] length: usize,
    create: Option<bool>,
) -> PyResult<Bound<'py, PyAny>> {
    let mut options = MapOptions::new();
    options.len(length).name(
        name,
        match create {
            Some(true) => Create::New,
            Some(false) => Create::Never,
            None => Create::IfMissing,
        },
    );
    let map = py.detach(|| options.map_anonymous()).map_err(|error| raise(py, &error, name))?;
    Ok(mmap::wrap(py, map, ACCESS_WRITE, None)?)
}

/// Take a name of shared memory away.
///
/// Nobody finds it any more; the memory is given back when nobody has it mapped.
/// FileNotFoundError if there is none of that name. On Windows a name goes away with
/// the last map, and this does nothing.
#[expect(clippy::doc_markdown, reason = "Python's documentation")]
#[pyfunction]
#[pyo3(signature = (name, /))]
pub(crate) fn unlink_shared(py: Python<'_>, name: &str) -> PyResult<()> {
    faultless::unlink_shared(name).map_err(|error| raise(py, &error, name))
}

/// The system's errors name the memory as they would a file.
#[cold]
fn raise(py: Python<'_>, error: &faultless::Error, name: &str) -> PyErr {
    match (error.kind(), error.raw_os_error()) {
        (ErrorKind::Os, Some(errno)) => errors::os_with_path(py, errno, Path::new(name)),
        _ => errors::raise(py, error),
    }
}
