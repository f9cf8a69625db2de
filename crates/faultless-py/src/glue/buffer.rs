//! Bytes that Python has, and bytes for Python: the buffer protocol, both ways,
//! and copies straight from a map.
#![allow(unsafe_code)]
#![expect(clippy::disallowed_methods, reason = "Python's memory, which is not a map's")]

use std::ffi::c_int;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use pyo3::{Borrowed, ffi};

use super::{Outcome, RAISED, Returned, bytes_from};

/// A copy of `count` bytes of a map straight into a new object; `None` if the map
/// has to be read with more care, or has not that many.
#[inline(always)]
pub(crate) fn peek_bytes<'py>(
    py: Python<'py>,
    map: &faultless::Map,
    start: usize,
    count: usize,
) -> Option<Returned<'py>> {
    map.peek(start, count, |bytes| {
        // SAFETY: the map has these bytes while it is borrowed.
        (bytes.len() == count).then(|| (unsafe { bytes_from(py, bytes.cast(), count) }, count))
    })
}

/// The line that begins at `start`, and its length, if it ends in the same page;
/// `None` as for [`peek_bytes`].
#[inline(always)]
pub(crate) fn peek_line<'py>(
    py: Python<'py>,
    map: &faultless::Map,
    start: usize,
) -> Option<Outcome<(Bound<'py, PyAny>, usize)>> {
    map.peek(start, usize::MAX, |bytes| {
        let from: *const u8 = bytes.cast();
        // SAFETY: the map has these bytes while it is borrowed. They may change
        // meanwhile: then the newline was there at some moment.
        let newline = unsafe { libc::memchr(from.cast(), c_int::from(b'\n'), bytes.len()) };
        let len = (!newline.is_null()).then(|| newline.addr() - from.addr() + 1)?;
        // SAFETY: as above.
        let line = unsafe { bytes_from(py, from, len) };
        Some((line.map(|line| (line, len)), len))
    })
}

/// The byte at an offset; `None` as for [`peek_bytes`].
#[inline(always)]
pub(crate) fn peek_byte(map: &faultless::Map, at: usize) -> Option<u8> {
    map.peek(at, 1, |bytes| {
        // SAFETY: the map has the byte while it is borrowed.
        Some((unsafe { bytes.cast::<u8>().read() }, 1))
    })
}

/// Where a bytes object has its bytes, from its own address on: the same in all, in
/// every Python that is known. 0: not known, it has to be asked.
static BYTES_AT: AtomicUsize = AtomicUsize::new(0);

/// Looks it up, once for the process.
pub(crate) fn find_bytes(py: Python<'_>) {
    let known = py.version_info() < (3, 16);
    let at = [0, 1, 1 << 10, 1 << 20].map(|len| {
        let object = PyBytes::new(py, &vec![0; len]);
        object.as_bytes().as_ptr().addr() - object.as_ptr().addr()
    });
    if known && at.iter().all(|&other| other == at[0]) {
        BYTES_AT.store(at[0], Relaxed);
    }
}

/// The bytes of an object that has the buffer protocol, for as long as it is
/// kept.
pub(crate) struct Buffer<'a> {
    bytes: &'a [u8],
    view: Option<ffi::Py_buffer>,
}

// SAFETY: the bytes stay where they are while the buffer is held, and it is
// given back by the thread that is attached.
unsafe impl Sync for Buffer<'_> {}

impl<'a> Buffer<'a> {
    /// The bytes of `object`, which lives for `'a`.
    #[inline(always)]
    pub(crate) fn get(object: &Borrowed<'a, '_, PyAny>) -> Outcome<Self> {
        let pointer = object.as_ptr();
        // SAFETY: the object is live. The bytes of a bytes object never move.
        unsafe {
            if ffi::PyBytes_CheckExact(pointer) != 0 {
                let start = match BYTES_AT.load(Relaxed) {
                    0 => ffi::PyBytes_AsString(pointer).cast(),
                    at => pointer.cast::<u8>().add(at),
                };
                let bytes = std::slice::from_raw_parts(start, ffi::Py_SIZE(pointer) as usize);
                return Ok(Self { bytes, view: None });
            }
            let mut view = ffi::Py_buffer::new();
            if ffi::PyObject_GetBuffer(pointer, &raw mut view, ffi::PyBUF_SIMPLE) != 0 {
                return Err(RAISED);
            }
            let bytes = if view.len == 0 {
                &[]
            } else {
                std::slice::from_raw_parts(view.buf.cast(), view.len as usize)
            };
            Ok(Self { bytes, view: Some(view) })
        }
    }

    #[inline(always)]
    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes
    }
}

impl Drop for Buffer<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        if let Some(view) = &mut self.view {
            // SAFETY: it was got, and is given back once.
            unsafe { ffi::PyBuffer_Release(view) };
        }
    }
}

/// Fills in a buffer over `len` bytes at `start` that `owner` keeps in place, as
/// `PyBuffer_FillInfo` does, which is called for what is refused.
///
/// # Safety
/// The bytes must stay where they are until the buffer is released, and `view`
/// must be what Python handed to the slot.
#[inline(always)]
pub(crate) unsafe fn fill_buffer(
    view: *mut ffi::Py_buffer,
    owner: *mut ffi::PyObject,
    (start, len): (*mut u8, usize),
    readonly: bool,
    flags: c_int,
) -> Outcome<()> {
    let asks_for = |what: c_int| flags & what == what;
    // SAFETY: the caller's promise.
    unsafe {
        let refused = readonly && asks_for(ffi::PyBUF_WRITABLE);
        // Those two are for another call.
        if view.is_null() || refused || flags == ffi::PyBUF_READ || flags == ffi::PyBUF_WRITE {
            let (start, len) = (start.cast(), len as ffi::Py_ssize_t);
            let readonly = c_int::from(readonly);
            let filled = ffi::PyBuffer_FillInfo(view, owner, start, len, readonly, flags);
            return if filled < 0 { Err(RAISED) } else { Ok(()) };
        }
        let if_asked = |what, pointer| if asks_for(what) { pointer } else { ptr::null_mut() };
        (*view).obj = another(owner);
        (*view).buf = start.cast();
        (*view).len = len as ffi::Py_ssize_t;
        (*view).itemsize = 1;
        (*view).readonly = c_int::from(readonly);
        (*view).ndim = 1;
        (*view).format =
            if asks_for(ffi::PyBUF_FORMAT) { c"B".as_ptr().cast_mut() } else { ptr::null_mut() };
        (*view).shape = if_asked(ffi::PyBUF_ND, &raw mut (*view).len);
        (*view).strides = if_asked(ffi::PyBUF_STRIDES, &raw mut (*view).itemsize);
        (*view).suboffsets = ptr::null_mut();
        (*view).internal = ptr::null_mut();
    }
    Ok(())
}

/// One more reference to an object, which is not immortal.
///
/// # Safety
/// It must be live.
#[inline(always)]
unsafe fn another(object: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: the caller's promise. With a global lock the count is a plain
    // number, as the stable interface of 3.11 has it.
    unsafe {
        #[cfg(all(not(Py_3_12), not(Py_GIL_DISABLED)))]
        {
            (*object).ob_refcnt += 1;
        }
        #[cfg(any(Py_3_12, Py_GIL_DISABLED))]
        ffi::Py_INCREF(object);
    }
    object
}
