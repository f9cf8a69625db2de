//! The map's bytes in other hands without a copy: as a `NumPy` array, and as
//! a pickle that only says where they are.
#![deny(unsafe_code)]

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;

use super::state::Mmap;
use crate::constants::{ACCESS_COPY, ACCESS_READ, ACCESS_WRITE};
use crate::errors;
use crate::glue::{Arg, Args, Named, Returned};

/// `mmap.array`, which is written in Python.
pub(super) fn array<'py>(
    mmap: &Mmap,
    this: &Arg<'_, 'py>,
    args: &Args<'_, 'py>,
    named: &Named<'_, 'py>,
) -> Returned<'py> {
    const NAMES: [&str; 3] = ["dtype", "shape", "offset"];
    static ARRAY: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = args.py;
    let given = PyDict::new(py);
    for (name, arg) in NAMES.iter().zip(named.bind(args, NAMES, NAMES.len())?) {
        if let Some(arg) = arg {
            given.set_item(name, arg)?;
        }
    }
    drop(mmap.enter(py)?);
    Ok(ARRAY.import(py, "faultless._array", "array")?.call((&**this,), Some(&given))?)
}

pub(super) fn reduce<'py>(py: Python<'py>, mmap: &Mmap) -> Returned<'py> {
    let map = mmap.enter(py)?;
    let refuse = |why| {
        let message = format!("cannot pickle 'mmap.mmap' object: {why}");
        Err(PyTypeError::new_err(message).into())
    };
    if mmap.access == ACCESS_COPY {
        return refuse(
            "what is written to a copy-on-write map is nowhere else; copy it with bytes(), or open with 'r'",
        );
    }
    let Some(path) = &mmap.path else {
        return refuse("it was not opened by a path; faultless.open() makes maps that can be");
    };
    let file = map.file_identity().map_err(errors::raised)?;
    let writable = mmap.access != ACCESS_READ && map.is_writable();
    let access = if writable { ACCESS_WRITE } else { ACCESS_READ };
    let (file, len) = ((file.number(), file.born()), map.len());
    drop(map);
    let reopen = py.import("faultless._native")?.getattr("_reopen")?;
    let arguments = (path.as_os_str(), access, mmap.offset, len, file);
    Ok((reopen, arguments).into_pyobject(py)?.into_any())
}
