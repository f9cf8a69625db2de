//! `faultless.open`: a file mapped by its path.

use std::path::{Path, PathBuf};

use faultless::{Access, ErrorKind, FileIdentity, Map, MapOptions};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::constants::{ACCESS_COPY, ACCESS_READ, ACCESS_WRITE};
use crate::errors;
use crate::integer::{integer, integer_or_none};
use crate::mmap;
use crate::path::FilePath;

/// Map `length` bytes of the file at `path`, from `offset` on.
///
/// Modes are those of numpy.memmap, and one more:
///
/// - 'r': read only;
/// - 'r+': read and write, in the file;
/// - 'w+': make the file, or empty it, with `offset + length` bytes;
/// - 'x+': the same, but FileExistsError if there is one already;
/// - 'c': read and write, in memory only.
///
/// Lengths and offsets are in bytes. Any offset will do, and without a length all
/// that the file has is mapped; an empty file gives an empty map. `reserve` sets
/// address space aside, so many bytes in all, for the map to grow() and append()
/// into without moving.
#[expect(clippy::doc_markdown, reason = "Python's documentation")]
#[pyfunction]
#[pyo3(signature = (path, mode = "r", *, offset = 0, length = None, reserve = None))]
pub(crate) fn open<'py>(
    py: Python<'py>,
    path: FilePath,
    mode: &str,
    #[pyo3(from_py_with = integer)] offset: u64,
    #[pyo3(from_py_with = integer_or_none)] length: Option<usize>,
    #[pyo3(from_py_with = integer_or_none)] reserve: Option<usize>,
) -> PyResult<Bound<'py, PyAny>> {
    let FilePath(path) = path;
    let mut options = MapOptions::new();
    options.offset(offset);
    if let Some(length) = length {
        options.len(length);
    }
    if let Some(reserve) = reserve {
        options.reserve(reserve);
    }
    let opened = match mode {
        "r" | "r+" | "c" => {
            options.access(match mode {
                "r" => Access::Read,
                "c" => Access::CopyOnWrite,
                _ => Access::Write,
            });
            py.detach(|| options.open(&path))
        }
        "w+" | "x+" => {
            if length.is_none() {
                let message = format!("mode '{mode}' makes a new file and needs a length");
                return Err(PyValueError::new_err(message));
            }
            py.detach(|| match mode {
                "w+" => options.create(&path),
                _ => options.create_new(&path),
            })
        }
        _ => {
            let message = format!("mode must be 'r', 'r+', 'w+', 'x+' or 'c', not '{mode}'");
            return Err(PyValueError::new_err(message));
        }
    };
    let access = match mode {
        "r" => ACCESS_READ,
        "c" => ACCESS_COPY,
        _ => ACCESS_WRITE,
    };
    opened_map(py, &path, opened, access)
}

/// The object for a map of a file that was opened by its path.
fn opened_map<'py>(
    py: Python<'py>,
    path: &Path,
    opened: faultless::Result<Map>,
    access: i32,
) -> PyResult<Bound<'py, PyAny>> {
    let map = opened.map_err(|error| match (error.kind(), error.raw_os_error()) {
        (ErrorKind::Os, Some(errno)) => errors::os_with_path(py, errno, path),
        _ => errors::raise(py, &error),
    })?;
    let path = std::path::absolute(path).ok().map(PathBuf::into_boxed_path);
    Ok(mmap::wrap(py, map, access, path)?)
}

/// Map what a pickled map was of. `file` is its number and when it was made, in
/// nanoseconds since 1970, or None.
#[expect(clippy::needless_pass_by_value, reason = "Python's arguments")]
#[pyfunction]
pub(crate) fn _reopen(
    py: Python<'_>,
    path: PathBuf,
    access: i32,
    offset: u64,
    length: usize,
    file: (u64, Option<u64>),
) -> PyResult<Bound<'_, PyAny>> {
    let how = match access {
        ACCESS_READ => Access::Read,
        ACCESS_WRITE => Access::Write,
        _ => return Err(PyValueError::new_err(format!("access {access} cannot be pickled"))),
    };
    let mut options = MapOptions::new();
    options.access(how).offset(offset).len(length).expect_file(FileIdentity::new(file.0, file.1));
    let opened = py.detach(|| options.open(&path));
    opened_map(py, &path, opened, access)
}
