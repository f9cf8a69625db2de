//! Memory of other objects that a map's bytes are read into.
#![allow(unsafe_code)]
#![expect(clippy::disallowed_methods, reason = "Python's memory, which is not a map's")]

use pyo3::exceptions::{PyBufferError, PyTypeError};
use pyo3::ffi;
use pyo3::prelude::*;

use crate::glue::{Arg, Outcome};

/// The bytes of an object that lets them be written, for as long as it is kept.
pub(crate) struct Target {
    view: ffi::Py_buffer,
}

impl Target {
    pub(crate) fn get(object: &Arg<'_, '_>) -> Outcome<Self> {
        let mut view = ffi::Py_buffer::new();
        // SAFETY: the object is live.
        let got =
            unsafe { ffi::PyObject_GetBuffer(object.as_ptr(), &raw mut view, ffi::PyBUF_WRITABLE) };
        if got == 0 {
            return Ok(Self { view });
        }
        let py = object.py();
        let error = PyErr::fetch(py);
        let refused = error.is_instance_of::<PyBufferError>(py);
        if refused || error.is_instance_of::<PyTypeError>(py) {
            let kind = object.get_type().name()?;
            let message = format!("argument must be read-write bytes-like object, not {kind}");
            return Err(PyTypeError::new_err(message).into());
        }
        Err(error.into())
    }

    pub(crate) fn len(&self) -> usize {
        self.view.len as usize
    }

    /// Whether any of the bytes lies among `len` at `start`.
    pub(crate) fn overlaps(&self, start: *const u8, len: usize) -> bool {
        let (mine, start) = (self.view.buf.addr(), start.addr());
        mine < start + len && start < mine + self.len()
    }

    /// The bytes. They must not be a map's own.
    pub(crate) fn bytes(&mut self) -> &mut [u8] {
        if self.len() == 0 {
            return &mut [];
        }
        // SAFETY: the object keeps as many bytes in place while the buffer is held.
        // Other threads of Python may use them meanwhile, as with any buffer.
        unsafe { std::slice::from_raw_parts_mut(self.view.buf.cast(), self.len()) }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // SAFETY: it was got, and is given back once, attached.
        unsafe { ffi::PyBuffer_Release(&raw mut self.view) };
    }
}
