//! The operators: `len(m)`, `m[i]`, `m[a:b] = …`, iteration, and the buffer
//! protocol.

use std::borrow::Cow;
use std::ffi::{c_int, c_void};

use pyo3::exceptions::{PyBufferError, PyIndexError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::{Borrowed, ffi};

use super::methods::{self, check_writable, copy_long, filled, out_of_range};
use super::state::{LONG, Mmap, Use};
use super::{on, on_hot, state};
use crate::constants::ACCESS_READ;
use crate::errors;
use crate::glue::{self, Arg, Buffer, Outcome, Returned, TooLarge};
use crate::singletons;

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
            let class = glue::borrowed(py, object).get_type();
            // The class itself is named with its module, a subclass is not.
            let name = if class.is(super::class(py)?) {
                Cow::Borrowed("mmap.mmap")
            } else {
                Cow::Owned(class.name()?.to_string())
            };
            let text = methods::repr(py, mmap, &name)?;
            Ok(pyo3::types::PyString::new(py, &text).into_any())
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
    unsafe { on_hot(object, |py, mmap| get(py, mmap, &glue::borrowed(py, key))) }
}

#[inline(always)]
fn get<'py>(py: Python<'py>, mmap: &Mmap, key: &Arg<'_, 'py>) -> Returned<'py> {
    match glue::exact_index(key) {
        Some(index) => {
            if let Some(map) = mmap.ready() {
                let at = offset(index, map.len());
                if let Some(byte) = at.and_then(|at| glue::peek_byte(&map, at)) {
                    return Ok(singletons::number(py, byte));
                }
            }
            get_byte(py, mmap, index)
        }
        None => get_by(py, mmap, key),
    }
}

#[inline(never)]
fn get_byte<'py>(py: Python<'py>, mmap: &Mmap, index: isize) -> Returned<'py> {
    let map = mmap.enter(py)?;
    let at = offset(index, map.len()).ok_or_else(out_of_range)?;
    let byte = map.get(at).map_err(errors::raised)?;
    Ok(singletons::number(py, byte))
}

#[inline(never)]
fn get_by<'py>(py: Python<'py>, mmap: &Mmap, key: &Arg<'_, 'py>) -> Returned<'py> {
    // Before the conversions, which may close or resize the map.
    drop(mmap.enter(py)?);
    if let Some(slice) = glue::unpack(key)? {
        return get_slice(py, mmap, slice);
    }
    if !glue::is_index(key) {
        return Err(PyTypeError::new_err("mmap indices must be integers").into());
    }
    get_byte(py, mmap, glue::index(key, TooLarge::Index)?)
}

#[inline(always)]
fn get_slice<'py>(py: Python<'py>, mmap: &Mmap, slice: (isize, isize, isize)) -> Returned<'py> {
    loop {
        let map = mmap.enter(py)?;
        let (start, count) = glue::adjust(map.len(), slice);
        if slice.2 == 1 && count < LONG {
            // Straight from the map, when nothing is wrong with it.
            if let Some(copied) = glue::peek_bytes(py, &map, start, count) {
                return copied;
            }
        }
        drop(map);
        let copied = if slice.2 == 1 {
            copy_long(py, mmap, start, count)?
        } else {
            strided(py, mmap, start, count, slice.2)?
        };
        if let Some(copied) = copied {
            return Ok(copied);
        }
    }
}

#[inline(never)]
fn strided<'py>(
    py: Python<'py>,
    mmap: &Mmap,
    start: usize,
    count: usize,
    step: isize,
) -> Outcome<Option<Bound<'py, PyAny>>> {
    filled(py, mmap, count, |map, buf| map.read_strided_at(start, step, buf).map(drop))
}

unsafe extern "C" fn assign_subscript(
    object: *mut ffi::PyObject,
    key: *mut ffi::PyObject,
    value: *mut ffi::PyObject,
) -> c_int {
    // SAFETY: Python calls it as a slot; a null value means deletion.
    unsafe {
        on_hot(object, |py, mmap| {
            let value = (!value.is_null()).then(|| glue::borrowed(py, value));
            set(py, mmap, &glue::borrowed(py, key), value)
        })
    }
}

#[inline(always)]
fn set(py: Python<'_>, mmap: &Mmap, key: &Arg<'_, '_>, value: Option<Arg<'_, '_>>) -> Outcome<()> {
    if let (Some(byte), Some(map)) = (value.as_ref().and_then(singletons::small), mmap.ready()) {
        let at = glue::exact_index(key).and_then(|index| offset(index, map.len()));
        if mmap.access != ACCESS_READ && at.is_some_and(|at| map.poke(at, byte)) {
            return Ok(());
        }
    }
    set_by(py, mmap, key, value)
}

fn set_byte(py: Python<'_>, mmap: &Mmap, index: isize, byte: u8) -> Outcome<()> {
    check_writable(mmap)?;
    let map = mmap.enter(py)?;
    let at = offset(index, map.len()).ok_or_else(out_of_range)?;
    map.set(at, byte).map_err(errors::raised)
}

#[inline(never)]
fn set_by(
    py: Python<'_>,
    mmap: &Mmap,
    key: &Arg<'_, '_>,
    value: Option<Arg<'_, '_>>,
) -> Outcome<()> {
    check_writable(mmap)?;
    if let Some(slice) = glue::unpack(key)? {
        return set_slice(py, mmap, slice, value);
    }
    if !glue::is_index(key) {
        return Err(PyTypeError::new_err("mmap indices must be integer").into());
    }
    let index = glue::index(key, TooLarge::Index)?;
    let Some(value) = value else {
        return Err(PyTypeError::new_err("mmap doesn't support item deletion").into());
    };
    if !glue::is_index(&value) {
        let has = |map: Use<'_>| offset(index, map.len()).is_some();
        if methods::index_first() && !mmap.enter(py).is_ok_and(has) && !mmap.is_closed() {
            return Err(out_of_range());
        }
        return Err(PyTypeError::new_err("mmap item value must be an int").into());
    }
    let value = glue::index(&value, TooLarge::Type)?;
    let byte = u8::try_from(value)
        .map_err(|_| PyValueError::new_err("mmap item value must be in range(0, 256)"))?;
    // The conversions may have closed or resized the map.
    set_byte(py, mmap, index, byte)
}

#[inline(always)]
fn set_slice(
    py: Python<'_>,
    mmap: &Mmap,
    slice: (isize, isize, isize),
    value: Option<Arg<'_, '_>>,
) -> Outcome<()> {
    let Some(value) = value else {
        return Err(PyTypeError::new_err("mmap object doesn't support slice deletion").into());
    };
    let buffer = Buffer::get(&value)?;
    let bytes = buffer.bytes();
    let map = mmap.enter(py)?;
    let (start, count) = glue::adjust(map.len(), slice);
    if count != bytes.len() {
        return Err(PyIndexError::new_err("mmap slice assignment is wrong size").into());
    }
    if slice.2 == 1 && count < LONG {
        return map.write_at(start, bytes).map_err(errors::raised);
    }
    drop(map);
    set_long(py, mmap, start, slice.2, bytes)
}

#[inline(never)]
fn set_long(py: Python<'_>, mmap: &Mmap, start: usize, step: isize, bytes: &[u8]) -> Outcome<()> {
    mmap.run(py, bytes.len(), |map| {
        if step == 1 {
            map.write_at(start, bytes)
        } else {
            map.write_strided_at(start, step, bytes)
        }
    })?
    .map_err(errors::raised)
}

unsafe extern "C" fn item(
    object: *mut ffi::PyObject,
    index: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    // SAFETY: Python calls it as a slot.
    unsafe {
        on_hot(object, |py, mmap| {
            let at = usize::try_from(index).unwrap_or(usize::MAX);
            match mmap.ready().and_then(|map| glue::peek_byte(&map, at)) {
                Some(byte) => Ok(singletons::byte(py, byte)),
                None => item_anywhere(py, mmap, at),
            }
        })
    }
}

/// A byte past the end, where iteration ends, or of a page that fails.
#[inline(never)]
fn item_anywhere<'py>(py: Python<'py>, mmap: &Mmap, at: usize) -> Returned<'py> {
    let map = mmap.enter(py)?;
    if at >= map.len() {
        return Err(out_of_range());
    }
    Ok(singletons::byte(py, map.get(at).map_err(errors::raised)?))
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
                return Err(PyTypeError::new_err(message).into());
            }
            let value = Borrowed::<PyAny>::from_ptr(py, value);
            let byte = match value.cast::<pyo3::types::PyBytes>() {
                Ok(bytes) if bytes.as_bytes().len() == 1 => bytes.as_bytes()[0],
                _ => {
                    let message = "mmap assignment must be length-1 bytes()";
                    return Err(PyIndexError::new_err(message).into());
                }
            };
            check_writable(mmap)?;
            map.set(at, byte).map_err(errors::raised)
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
                return Err(PyBufferError::new_err(message).into());
            }
            if !map.is_anonymous() {
                // From now on pages may fail outside of any method.
                mmap.look_after_guard();
            }
            let memory = (map.as_mut_ptr(), map.len());
            let readonly = mmap.access == ACCESS_READ || !map.is_writable();
            glue::fill_buffer(view, object, memory, readonly, flags)?;
            mmap.export(1);
            Ok(())
        })
    }
}

unsafe extern "C" fn release_buffer(object: *mut ffi::PyObject, _: *mut ffi::Py_buffer) {
    // SAFETY: Python calls it as a slot, once for each buffer.
    unsafe { state(object).export(-1) };
}
