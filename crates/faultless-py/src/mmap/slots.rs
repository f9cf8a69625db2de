//! The operators: `len(m)`, `m[i]`, `m[a:b] = …`, iteration, and the buffer
//! protocol.

use std::ffi::{c_int, c_void};

use pyo3::exceptions::{PyBufferError, PyIndexError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::{Borrowed, ffi};

use super::methods::{self, check_writable, copy, filled, out_of_range};
use super::state::{Mmap, Use};
use super::{on, on_hot, state};
use crate::constants::ACCESS_READ;
use crate::errors::raise;
use crate::glue::{self, Arg, Buffer, Returned, TooLarge};

pub(super) fn table() -> Vec<(c_int, *mut c_void)> {
    vec![
        (ffi::Py_tp_repr, repr as *mut c_void),
        (ffi::Py_mp_length, length as *mut c_void),
        (ffi::Py_sq_length, length as *mut c_void),
        (ffi::Py_mp_subscript, subscript as *mut c_void),
        (ffi::Py_mp_ass_subscript, assign_subscript as *mut c_void),
        (ffi::Py_sq_item, item as *mut c_void),
        (ffi::Py_sq_ass_item, assign_item as *mut c_void),
        (ffi::Py_bf_getbuffer, get_buffer as *mut c_void),
        (ffi::Py_bf_releasebuffer, release_buffer as *mut c_void),
    ]
}

unsafe extern "C" fn repr(object: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: Python calls it as a slot.
    unsafe {
        on(object, |py, mmap| {
            let class = Borrowed::<PyAny>::from_ptr(py, object).get_type();
            let name = class.name()?.to_string();
            // The standard class is named with its module, a subclass is not.
            let full = if class.getattr("__base__")?.is(py.get_type::<PyAny>()) {
                format!("mmap.{name}")
            } else {
                name
            };
            let text = methods::repr(py, mmap, &full)?;
            Ok(text.into_pyobject(py)?.into_any())
        })
    }
}

unsafe extern "C" fn length(object: *mut ffi::PyObject) -> ffi::Py_ssize_t {
    // SAFETY: Python calls it as a slot.
    unsafe { on_hot(object, |py, mmap| Ok(mmap.enter(py)?.len())) }
}

/// The offset that an index means, if the map has it.
#[inline(always)]
fn offset(index: isize, len: usize) -> Option<usize> {
    let offset = if index < 0 { index.wrapping_add_unsigned(len) } else { index } as usize;
    (offset < len).then_some(offset)
}

unsafe extern "C" fn subscript(
    object: *mut ffi::PyObject,
    key: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: Python calls it as a slot.
    unsafe { on_hot(object, |py, mmap| get(py, mmap, &Borrowed::from_ptr(py, key))) }
}

#[inline(always)]
fn get<'py>(py: Python<'py>, mmap: &Mmap, key: &Arg<'_, 'py>) -> Returned<'py> {
    drop(mmap.enter(py)?);
    if glue::is_index(key) {
        let index = glue::index(key, TooLarge::Index)?;
        let map = mmap.enter(py)?;
        let at = offset(index, map.len()).ok_or_else(out_of_range)?;
        let byte = map.get(at).map_err(|error| raise(py, &error))?;
        return glue::number(py, isize::from(byte));
    }
    get_slice(py, mmap, key)
}

#[inline(never)]
fn get_slice<'py>(py: Python<'py>, mmap: &Mmap, key: &Arg<'_, 'py>) -> Returned<'py> {
    let Some(slice) = glue::unpack(key)? else {
        return Err(PyTypeError::new_err("mmap indices must be integers"));
    };
    loop {
        let len = mmap.enter(py)?.len();
        let (start, count) = glue::adjust(len, slice);
        let copied = if slice.2 == 1 {
            copy(py, mmap, start, count)?
        } else {
            filled(py, mmap, count, |map, buf| map.read_strided_at(start, slice.2, buf).map(drop))?
        };
        if let Some(copied) = copied {
            return Ok(copied);
        }
    }
}

unsafe extern "C" fn assign_subscript(
    object: *mut ffi::PyObject,
    key: *mut ffi::PyObject,
    value: *mut ffi::PyObject,
) -> c_int {
    // SAFETY: Python calls it as a slot; a null value means deletion.
    unsafe {
        on_hot(object, |py, mmap| {
            let value = (!value.is_null()).then(|| Borrowed::from_ptr(py, value));
            set(py, mmap, &Borrowed::from_ptr(py, key), value)
        })
    }
}

#[inline(always)]
fn set(py: Python<'_>, mmap: &Mmap, key: &Arg<'_, '_>, value: Option<Arg<'_, '_>>) -> PyResult<()> {
    check_writable(mmap)?;
    if !glue::is_index(key) {
        return set_slice(py, mmap, key, value);
    }
    let index = glue::index(key, TooLarge::Index)?;
    let Some(value) = value else {
        return Err(PyTypeError::new_err("mmap doesn't support item deletion"));
    };
    if !glue::is_index(&value) {
        let has = |map: Use<'_>| offset(index, map.len()).is_some();
        if methods::index_first() && !mmap.enter(py).is_ok_and(has) && !mmap.is_closed() {
            return Err(out_of_range());
        }
        return Err(PyTypeError::new_err("mmap item value must be an int"));
    }
    let value = glue::index(&value, TooLarge::Type)?;
    let byte = u8::try_from(value)
        .map_err(|_| PyValueError::new_err("mmap item value must be in range(0, 256)"))?;
    // The conversions may have closed or resized the map.
    let map = mmap.enter(py)?;
    let at = offset(index, map.len()).ok_or_else(out_of_range)?;
    map.set(at, byte).map_err(|error| raise(py, &error))
}

#[inline(never)]
fn set_slice(
    py: Python<'_>,
    mmap: &Mmap,
    key: &Arg<'_, '_>,
    value: Option<Arg<'_, '_>>,
) -> PyResult<()> {
    let Some(slice) = glue::unpack(key)? else {
        return Err(PyTypeError::new_err("mmap indices must be integer"));
    };
    let Some(value) = value else {
        return Err(PyTypeError::new_err("mmap object doesn't support slice deletion"));
    };
    let buffer = Buffer::get(&value)?;
    let bytes = buffer.bytes();
    let len = mmap.enter(py)?.len();
    let (start, count) = glue::adjust(len, slice);
    if count != bytes.len() {
        return Err(PyIndexError::new_err("mmap slice assignment is wrong size"));
    }
    mmap.run(py, count, |map| {
        if slice.2 == 1 {
            map.write_at(start, bytes)
        } else {
            map.write_strided_at(start, slice.2, bytes)
        }
    })?
    .map_err(|error| raise(py, &error))
}

unsafe extern "C" fn item(
    object: *mut ffi::PyObject,
    index: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    // SAFETY: Python calls it as a slot.
    unsafe {
        on_hot(object, |py, mmap| {
            let map = mmap.enter(py)?;
            let at = usize::try_from(index).ok().filter(|&at| at < map.len());
            let byte = map.get(at.ok_or_else(out_of_range)?).map_err(|error| raise(py, &error))?;
            glue::byte(py, byte)
        })
    }
}

unsafe extern "C" fn assign_item(
    object: *mut ffi::PyObject,
    index: ffi::Py_ssize_t,
    value: *mut ffi::PyObject,
) -> c_int {
    // SAFETY: Python calls it as a slot; a null value means deletion.
    unsafe {
        on_hot(object, |py, mmap| {
            let map = mmap.enter(py)?;
            let at = usize::try_from(index).ok().filter(|&at| at < map.len());
            let at = at.ok_or_else(out_of_range)?;
            if value.is_null() {
                let message = "mmap object doesn't support item deletion";
                return Err(PyTypeError::new_err(message));
            }
            let value = Borrowed::<PyAny>::from_ptr(py, value);
            let byte = match value.cast::<pyo3::types::PyBytes>() {
                Ok(bytes) if bytes.as_bytes().len() == 1 => bytes.as_bytes()[0],
                _ => {
                    let message = "mmap assignment must be length-1 bytes()";
                    return Err(PyIndexError::new_err(message));
                }
            };
            check_writable(mmap)?;
            map.set(at, byte).map_err(|error| raise(py, &error))
        })
    }
}

unsafe extern "C" fn get_buffer(
    object: *mut ffi::PyObject,
    view: *mut ffi::Py_buffer,
    flags: c_int,
) -> c_int {
    // SAFETY: Python calls it as a slot. The memory stays while it is exported:
    // closing and resizing look at the count.
    unsafe {
        on_hot(object, |py, mmap| {
            let map = mmap.enter(py)?;
            if !map.is_readable() {
                let message = "the map's protection does not allow it to be read";
                return Err(PyBufferError::new_err(message));
            }
            if !map.is_anonymous() {
                // From now on pages may fail outside of any method.
                faultless::ensure_guard();
            }
            let memory = (map.as_mut_ptr(), map.len());
            let readonly = mmap.access == ACCESS_READ;
            glue::fill_buffer(py, view, object, memory, readonly, flags)?;
            mmap.export(1);
            Ok(())
        })
    }
}

unsafe extern "C" fn release_buffer(object: *mut ffi::PyObject, _: *mut ffi::Py_buffer) {
    // SAFETY: Python calls it as a slot, once for each buffer.
    unsafe { state(object).export(-1) };
}
