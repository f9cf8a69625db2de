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
use crate::glue::{Arg, Args, Call, Returned};

/// `mmap.array`, which is written in Python.
pub(super) fn array<'py>(mmap: &Mmap, call: &Call<'_, 'py>) -> Returned<'py> {
    const NAMES: [&str; 3] = ["dtype", "shape", "offset"];
    static ARRAY: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = call.py();
    let given = PyDict::new(py);
    for (name, arg) in NAMES.iter().zip(call.bind(NAMES, NAMES.len())?) {
        if let Some(arg) = arg {
            given.set_item(name, arg)?;
        }
    }
    drop(mmap.enter(py)?);
    Ok(ARRAY.import(py, "faultless._array", "array")?.call((&*call.this,), Some(&given))?)
}

/// For pickle and copy. What was not opened by a path is refused as the standard
/// refuses every map, and so are objects of subclasses, unless they have a way of
/// their own; a note says what to do.
pub(super) fn reduce_ex<'py>(
    mmap: &Mmap,
    this: &Arg<'_, 'py>,
    args: &Args<'_, 'py>,
) -> Returned<'py> {
    const NOTE: &str = "It was not opened by a path. faultless.open(path) makes maps that are pickled \
        as a reference to their file.";
    let py = args.py;
    args.count(1, 1)?;
    let Some(path) = &mmap.path else {
        let object = py.get_type::<PyAny>();
        return Ok(object.call_method1("__reduce_ex__", (&**this, args.get(0))).inspect_err(
            |error| {
                if error.is_instance_of::<PyTypeError>(py) {
                    // Without it, the error is what it is.
                    let _ = error.value(py).call_method1("add_note", (NOTE,));
                }
            },
        )?);
    };
    let map = mmap.enter(py)?;
    if mmap.access == ACCESS_COPY {
        let message = "cannot pickle 'mmap.mmap' object: what is written to a copy-on-write map \
            is nowhere else; copy it with bytes(), or open the file with 'r'";
        return Err(PyTypeError::new_err(message).into());
    }
    let file = map.file_identity().map_err(errors::raised)?;
    let writable = mmap.access != ACCESS_READ && map.is_writable();
    let access = if writable { ACCESS_WRITE } else { ACCESS_READ };
    let (file, len) = ((file.number(), file.born()), map.len());
    drop(map);
    let reopen = py.import("faultless._native")?.getattr("_reopen")?;
    let arguments = (path.as_os_str(), access, mmap.offset, len, file);
    Ok((reopen, arguments).into_pyobject(py)?.into_any())
}
