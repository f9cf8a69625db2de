//! `faultless.open`: a file mapped by its path.

use std::path::PathBuf;

use faultless::{Access, ErrorKind, MapOptions};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::constants::{ACCESS_COPY, ACCESS_READ, ACCESS_WRITE};
use crate::errors;
use crate::mmap;

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
#[expect(
    clippy::doc_markdown,
    clippy::needless_pass_by_value,
    reason = "Python's documentation, and Python's arguments"
)]
#[pyfunction]
#[pyo3(signature = (path, mode = "r", *, offset = 0, length = None, reserve = None))]
pub(crate) fn open<'py>(
    py: Python<'py>,
    path: PathBuf,
    mode: &str,
    offset: u64,
    length: Option<usize>,
    reserve: Option<usize>,
) -> PyResult<Bound<'py, PyAny>> {
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
    let map = opened.map_err(|error| match (error.kind(), error.raw_os_error()) {
        (ErrorKind::Os, Some(errno)) => errors::os_with_path(py, errno, &path),
        _ => errors::raise(py, &error),
    })?;
    let access = match mode {
        "r" => ACCESS_READ,
        "c" => ACCESS_COPY,
        _ => ACCESS_WRITE,
    };
    Ok(mmap::wrap(py, map, access)?)
}
