//! The C API, fenced: everything that handles raw pointers to Python objects
//! outside the class's own slots. What it offers is safe to call.
#![allow(unsafe_code)]
#![expect(clippy::disallowed_methods, reason = "Python's memory, which is not a map's")]

use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use pyo3::exceptions::{PyOverflowError, PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::{Borrowed, ffi};

/// What a method returns.
pub(crate) type Returned<'py> = PyResult<Bound<'py, PyAny>>;

/// What a C function returns, and what stands for an exception in it.
pub(crate) trait Output {
    type Raw;
    const RAISED: Self::Raw;
    fn into_raw(self) -> Self::Raw;
}

impl Output for Bound<'_, PyAny> {
    type Raw = *mut ffi::PyObject;
    const RAISED: Self::Raw = ptr::null_mut();

    #[inline(always)]
    fn into_raw(self) -> Self::Raw {
        self.into_ptr()
    }
}

impl Output for () {
    type Raw = c_int;
    const RAISED: c_int = -1;

    #[inline(always)]
    fn into_raw(self) -> c_int {
        0
    }
}

impl Output for usize {
    type Raw = ffi::Py_ssize_t;
    const RAISED: ffi::Py_ssize_t = -1;

    #[inline(always)]
    fn into_raw(self) -> ffi::Py_ssize_t {
        self as ffi::Py_ssize_t
    }
}

/// Runs the body of a function that Python calls so often that even a landing pad
/// counts: an error becomes the current exception. The body must not panic; if it
/// does, the process ends here, at the border to C.
///
/// # Safety
/// The thread must be attached to the interpreter.
#[inline(always)]
pub(crate) unsafe fn enter_hot<'py, R: Output>(
    body: impl FnOnce(Python<'py>) -> PyResult<R>,
) -> R::Raw {
    // SAFETY: the caller's promise.
    match body(unsafe { Python::assume_attached() }) {
        Ok(result) => result.into_raw(),
        Err(error) => {
            restore(error);
            R::RAISED
        }
    }
}

/// Runs the body of a function that Python calls: an error becomes the current
/// exception, and a panic does not get out.
///
/// # Safety
/// The thread must be attached to the interpreter.
#[inline(always)]
pub(crate) unsafe fn enter<'py, R: Output>(
    body: impl FnOnce(Python<'py>) -> PyResult<R>,
) -> R::Raw {
    // SAFETY: the caller's promise.
    let py = unsafe { Python::assume_attached() };
    match catch_unwind(AssertUnwindSafe(|| body(py))) {
        Ok(Ok(result)) => result.into_raw(),
        Ok(Err(error)) => {
            restore(error);
            R::RAISED
        }
        Err(_) => {
            restore(PyRuntimeError::new_err(
                "faultless: an internal check failed; please report it",
            ));
            R::RAISED
        }
    }
}

#[cold]
fn restore(error: PyErr) {
    Python::attach(|py| error.restore(py));
}

/// The arguments of a call, by position.
pub(crate) struct Args<'a, 'py> {
    pub(crate) py: Python<'py>,
    name: &'static str,
    args: &'a [*mut ffi::PyObject],
}

impl<'a, 'py> Args<'a, 'py> {
    /// # Safety
    /// `count` objects at `args`, which live for `'a`.
    #[inline(always)]
    pub(crate) unsafe fn new(
        py: Python<'py>,
        name: &'static str,
        args: *const *mut ffi::PyObject,
        count: ffi::Py_ssize_t,
    ) -> Self {
        let args = if count == 0 {
            &[]
        } else {
            // SAFETY: the caller's promise.
            unsafe { std::slice::from_raw_parts(args, count as usize) }
        };
        Self { py, name, args }
    }

    pub(crate) fn len(&self) -> usize {
        self.args.len()
    }

    /// Checks how many there are.
    #[inline(always)]
    pub(crate) fn count(&self, least: usize, most: usize) -> PyResult<usize> {
        let count = self.args.len();
        if count >= least && count <= most { Ok(count) } else { Err(self.miscounted(least, most)) }
    }

    #[cold]
    fn miscounted(&self, least: usize, most: usize) -> PyErr {
        let (name, got) = (self.name, self.args.len());
        let (bound, number) = match () {
            () if least == most => ("", least),
            () if got < least => ("at least ", least),
            () => ("at most ", most),
        };
        let plural = if number == 1 { "" } else { "s" };
        PyTypeError::new_err(format!("{name} expected {bound}{number} argument{plural}, got {got}"))
    }

    #[inline(always)]
    pub(crate) fn get(&self, index: usize) -> Option<Borrowed<'a, 'py, PyAny>> {
        // SAFETY: the arguments of the running call are live objects.
        self.args.get(index).map(|&arg| unsafe { Borrowed::from_ptr(self.py, arg) })
    }

    /// An argument, where one that is left out is as good as `None`.
    #[inline(always)]
    pub(crate) fn given(&self, index: usize) -> Option<Borrowed<'a, 'py, PyAny>> {
        self.get(index).filter(|arg| !is_none(arg))
    }

    /// An argument as the C type `Py_ssize_t`.
    #[inline(always)]
    pub(crate) fn size(&self, index: usize, default: isize) -> PyResult<isize> {
        self.get(index).map_or(Ok(default), |arg| size(&arg))
    }

    /// An argument as the C type `int`.
    pub(crate) fn int(&self, index: usize, default: c_int) -> PyResult<c_int> {
        self.get(index).map_or(Ok(default), |arg| int(&arg))
    }
}

#[inline(always)]
pub(crate) fn is_none(object: &Borrowed<'_, '_, PyAny>) -> bool {
    // SAFETY: compares addresses.
    object.as_ptr() == unsafe { ffi::Py_None() }
}

/// Whether the object can stand for an integer.
#[inline(always)]
pub(crate) fn is_index(object: &Borrowed<'_, '_, PyAny>) -> bool {
    // SAFETY: the object is live.
    unsafe {
        ffi::PyLong_CheckExact(object.as_ptr()) != 0 || ffi::PyIndex_Check(object.as_ptr()) != 0
    }
}

#[inline(always)]
fn checked(py: Python<'_>, value: isize) -> PyResult<isize> {
    if value == -1 { PyErr::take(py).map_or(Ok(-1), Err) } else { Ok(value) }
}

/// Which exception an integer beyond `Py_ssize_t` is.
#[derive(Clone, Copy)]
pub(crate) enum TooLarge {
    Index,
    Type,
    Overflow,
}

/// An index-like object as `Py_ssize_t`, with the message of indexing.
#[inline(always)]
pub(crate) fn index(object: &Borrowed<'_, '_, PyAny>, too_large: TooLarge) -> PyResult<isize> {
    // SAFETY: the object is live, and the exceptions always are.
    let value = unsafe {
        if ffi::PyLong_CheckExact(object.as_ptr()) != 0 {
            let value = ffi::PyLong_AsSsize_t(object.as_ptr());
            if value != -1 {
                return Ok(value);
            }
            ffi::PyErr_Clear();
        }
        let exception = match too_large {
            TooLarge::Index => ffi::PyExc_IndexError,
            TooLarge::Type => ffi::PyExc_TypeError,
            TooLarge::Overflow => ffi::PyExc_OverflowError,
        };
        ffi::PyNumber_AsSsize_t(object.as_ptr(), exception)
    };
    checked(object.py(), value)
}

/// An integer argument as `Py_ssize_t`.
#[inline(always)]
pub(crate) fn size(object: &Borrowed<'_, '_, PyAny>) -> PyResult<isize> {
    // SAFETY: the object is live. An integer itself needs no conversion.
    unsafe {
        if ffi::PyLong_CheckExact(object.as_ptr()) != 0 {
            return checked(object.py(), ffi::PyLong_AsSsize_t(object.as_ptr()));
        }
        let number = ffi::PyNumber_Index(object.as_ptr());
        let number = Bound::from_owned_ptr_or_err(object.py(), number)?;
        checked(object.py(), ffi::PyLong_AsSsize_t(number.as_ptr()))
    }
}

/// An integer argument as the C type `long`.
pub(crate) fn long(object: &Borrowed<'_, '_, PyAny>) -> PyResult<std::ffi::c_long> {
    // SAFETY: the object is live.
    let value = unsafe { ffi::PyLong_AsLong(object.as_ptr()) };
    if value == -1 { PyErr::take(object.py()).map_or(Ok(-1), Err) } else { Ok(value) }
}

/// An integer argument as the C type `int`.
pub(crate) fn int(object: &Borrowed<'_, '_, PyAny>) -> PyResult<c_int> {
    const MESSAGE: &str = "Python int too large to convert to C int";
    let value = long(object).map_err(|error| {
        if error.is_instance_of::<PyOverflowError>(object.py()) {
            PyOverflowError::new_err(MESSAGE)
        } else {
            error
        }
    })?;
    c_int::try_from(value).map_err(|_| PyOverflowError::new_err(MESSAGE))
}

#[inline(always)]
pub(crate) fn none(py: Python<'_>) -> Bound<'_, PyAny> {
    // SAFETY: None is always live.
    unsafe { Borrowed::from_ptr(py, ffi::Py_None()) }.to_owned()
}

#[inline(always)]
pub(crate) fn number(py: Python<'_>, value: isize) -> Returned<'_> {
    // SAFETY: makes a new object, or fails for want of memory.
    unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyLong_FromSsize_t(value)) }
}

/// A new bytes object of `len` bytes, which `fill` sets. What `fill` did not set
/// it must not return success for.
#[inline(always)]
pub(crate) fn bytes<'py>(
    py: Python<'py>,
    len: usize,
    fill: impl FnOnce(&mut [MaybeUninit<u8>]) -> PyResult<()>,
) -> Returned<'py> {
    // SAFETY: makes a new object of that many bytes, which nobody else sees
    // before it is returned.
    unsafe {
        let object = ffi::PyBytes_FromStringAndSize(ptr::null(), len as ffi::Py_ssize_t);
        let object = Bound::from_owned_ptr_or_err(py, object)?;
        let start = ffi::PyBytes_AsString(object.as_ptr()).cast();
        fill(std::slice::from_raw_parts_mut(start, len))?;
        Ok(object)
    }
}

/// A bytes object of one byte; they exist already.
#[inline(always)]
pub(crate) fn byte(py: Python<'_>, byte: u8) -> Returned<'_> {
    // SAFETY: copies one byte.
    unsafe {
        let object = ffi::PyBytes_FromStringAndSize((&raw const byte).cast(), 1);
        Bound::from_owned_ptr_or_err(py, object)
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
    pub(crate) fn get(object: &Borrowed<'a, '_, PyAny>) -> PyResult<Self> {
        let pointer = object.as_ptr();
        // SAFETY: the object is live. The bytes of a bytes object never move.
        unsafe {
            if ffi::PyBytes_CheckExact(pointer) != 0 {
                let start = ffi::PyBytes_AsString(pointer).cast();
                let len = ffi::PyBytes_Size(pointer) as usize;
                return Ok(Self { bytes: std::slice::from_raw_parts(start, len), view: None });
            }
            let mut view = ffi::Py_buffer::new();
            if ffi::PyObject_GetBuffer(pointer, &raw mut view, ffi::PyBUF_SIMPLE) != 0 {
                return Err(PyErr::fetch(object.py()));
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

/// `start`, `stop` and `step` of a slice object, not yet fitted to a length.
#[inline(always)]
pub(crate) fn unpack(slice: &Borrowed<'_, '_, PyAny>) -> PyResult<Option<(isize, isize, isize)>> {
    let (mut start, mut stop, mut step) = (0, 0, 0);
    // SAFETY: the object is live, and a slice if the first call says so.
    unsafe {
        if ffi::PySlice_Check(slice.as_ptr()) == 0 {
            return Ok(None);
        }
        let unpacked =
            ffi::PySlice_Unpack(slice.as_ptr(), &raw mut start, &raw mut stop, &raw mut step);
        if unpacked < 0 {
            return Err(PyErr::fetch(slice.py()));
        }
    }
    Ok(Some((start, stop, step)))
}

/// A slice fitted to a length: the first offset, and how many.
#[inline(always)]
pub(crate) fn adjust(len: usize, (start, stop, step): (isize, isize, isize)) -> (usize, usize) {
    let (mut start, mut stop) = (start, stop);
    // SAFETY: arithmetic on numbers.
    let count = unsafe {
        let len = len as ffi::Py_ssize_t;
        ffi::PySlice_AdjustIndices(len, &raw mut start, &raw mut stop, step)
    };
    (start as usize, count as usize)
}

/// The `OSError` for a number of the system's.
#[cold]
pub(crate) fn os_error(py: Python<'_>, errno: i32) -> PyErr {
    let call = || -> PyResult<Bound<'_, PyAny>> {
        let text = py.import("os")?.call_method1("strerror", (errno,))?;
        py.get_type::<pyo3::exceptions::PyOSError>().call1((errno, text))
    };
    call().map_or_else(|error| error, PyErr::from_value)
}

/// Fills in a buffer over `len` bytes at `start` that `owner` keeps in place.
///
/// # Safety
/// The bytes must stay where they are until the buffer is released, and `view`
/// must be what Python handed to the slot.
pub(crate) unsafe fn fill_buffer(
    py: Python<'_>,
    view: *mut ffi::Py_buffer,
    owner: *mut ffi::PyObject,
    (start, len): (*mut u8, usize),
    readonly: bool,
    flags: c_int,
) -> PyResult<()> {
    // SAFETY: the caller's promise.
    let filled = unsafe {
        let (start, len) = (start.cast::<c_void>(), len as ffi::Py_ssize_t);
        ffi::PyBuffer_FillInfo(view, owner, start, len, c_int::from(readonly), flags)
    };
    if filled < 0 { Err(PyErr::fetch(py)) } else { Ok(()) }
}

/// An argument of the running call.
pub(crate) type Arg<'a, 'py> = Borrowed<'a, 'py, PyAny>;

/// The arguments that were given by name.
pub(crate) struct Named<'a, 'py>(Vec<(Bound<'py, PyAny>, Arg<'a, 'py>)>);

/// The arguments by name of a call with `count` arguments by position.
///
/// # Safety
/// As the convention `METH_FASTCALL | METH_KEYWORDS` has it.
#[inline]
pub(crate) unsafe fn named<'a, 'py>(
    py: Python<'py>,
    args: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> Named<'a, 'py> {
    if names.is_null() {
        return Named(Vec::new());
    }
    // SAFETY: `names` is a tuple, and the arguments of these names follow the
    // others.
    unsafe {
        let names = Borrowed::from_ptr(py, names).cast_unchecked::<pyo3::types::PyTuple>();
        let arg = |nth| Borrowed::from_ptr(py, *args.add(count as usize + nth));
        Named(names.iter().enumerate().map(|(nth, name)| (name, arg(nth))).collect())
    }
}

impl<'a, 'py> Named<'a, 'py> {
    /// The argument `name`, which is the only one that may be given.
    pub(crate) fn only(&self, method: &str, name: &str) -> PyResult<Option<Arg<'a, 'py>>> {
        let mut found = None;
        for (given, arg) in &self.0 {
            if given.eq(name)? {
                found = Some(*arg);
            } else {
                let message = format!("{method}() got an unexpected keyword argument '{given}'");
                return Err(PyTypeError::new_err(message));
            }
        }
        Ok(found)
    }
}

/// The arguments of a constructor.
pub(crate) struct ConstructorArgs<'a, 'py> {
    pub(crate) py: Python<'py>,
    args: Borrowed<'a, 'py, pyo3::types::PyTuple>,
    named: Option<Borrowed<'a, 'py, pyo3::types::PyDict>>,
}

/// # Safety
/// `args` is a tuple, `named` a dictionary or null; both live for `'a`.
pub(crate) unsafe fn constructor_args<'a, 'py>(
    py: Python<'py>,
    args: *mut ffi::PyObject,
    named: *mut ffi::PyObject,
) -> PyResult<ConstructorArgs<'a, 'py>> {
    // SAFETY: the caller's promise.
    unsafe {
        let args = Borrowed::from_ptr(py, args).cast_unchecked();
        let named = (!named.is_null()).then(|| Borrowed::from_ptr(py, named).cast_unchecked());
        Ok(ConstructorArgs { py, args, named })
    }
}

impl<'a, 'py> ConstructorArgs<'a, 'py> {
    /// The arguments in the order of `names`, of which the first `positional`
    /// may be given by position.
    pub(crate) fn bind<const N: usize>(
        &self,
        names: [&str; N],
        positional: usize,
    ) -> PyResult<[Option<Arg<'a, 'py>>; N]> {
        let mut bound = [None; N];
        let given = self.args.len();
        if given > positional {
            return Err(PyTypeError::new_err(format!(
                "function takes at most {positional} positional arguments ({given} given)"
            )));
        }
        for (nth, place) in bound.iter_mut().take(given).enumerate() {
            // SAFETY: the tuple has that many, and keeps them alive.
            *place = Some(unsafe {
                Borrowed::from_ptr(
                    self.py,
                    ffi::PyTuple_GetItem(self.args.as_ptr(), nth as ffi::Py_ssize_t),
                )
            });
        }
        let Some(named) = self.named else {
            return Ok(bound);
        };
        for (key, value) in named.iter() {
            let key = key.cast_into::<pyo3::types::PyString>()?;
            let key = key.to_cow()?;
            let Some(nth) = names.iter().position(|name| *name == key) else {
                return Err(PyTypeError::new_err(format!(
                    "this function got an unexpected keyword argument '{key}'"
                )));
            };
            if bound[nth].is_some() {
                let position = nth + 1;
                return Err(PyTypeError::new_err(format!(
                    "argument for function given by name ('{key}') and position ({position})"
                )));
            }
            // SAFETY: the dictionary keeps it alive.
            bound[nth] = Some(unsafe { Borrowed::from_ptr(self.py, value.as_ptr()) });
        }
        Ok(bound)
    }
}

#[inline(always)]
pub(crate) fn truth(py: Python<'_>, value: bool) -> Bound<'_, PyAny> {
    // SAFETY: the two are always live.
    let object = unsafe { if value { ffi::Py_True() } else { ffi::Py_False() } };
    // SAFETY: as above.
    unsafe { Borrowed::from_ptr(py, object) }.to_owned()
}

/// Raises an audit event, as `sys.audit` does.
pub(crate) fn audit<'py>(
    py: Python<'py>,
    event: &str,
    (fd, length, access, offset): (i32, usize, i32, u64),
) -> PyResult<()> {
    static AUDIT: pyo3::sync::PyOnceLock<Py<PyAny>> = pyo3::sync::PyOnceLock::new();
    let audit =
        AUDIT.get_or_try_init(py, || py.import("sys")?.getattr("audit").map(Bound::unbind))?;
    audit.call1(py, (event, fd, length, access, offset)).map(drop)
}

/// A file of the caller's, by its number.
pub(crate) type File = std::os::fd::BorrowedFd<'static>;

/// The number as a file; whether there is one, the system will tell.
pub(crate) fn file(fd: c_int) -> Option<File> {
    // SAFETY: it is only used during the call that it was passed to, whose caller
    // has to keep it open; a number that is no open file is an error of the
    // system's calls.
    (fd >= 0).then(|| unsafe { std::os::fd::BorrowedFd::borrow_raw(fd) })
}

/// The length in bytes of a regular file; `None` for what is none.
pub(crate) fn regular_size(file: File) -> Option<u64> {
    use std::os::fd::AsRawFd;
    let mut stat = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: fstat fills in the structure, or fails.
    unsafe {
        (libc::fstat(file.as_raw_fd(), stat.as_mut_ptr()) == 0)
            .then(|| stat.assume_init())
            .filter(|stat| stat.st_mode & libc::S_IFMT == libc::S_IFREG)
            .and_then(|stat| u64::try_from(stat.st_size).ok())
    }
}

/// Gives the system any advice about a range of a map.
pub(crate) fn advise(
    map: &faultless::Map,
    range: std::ops::Range<usize>,
    advice: c_int,
) -> Result<(), faultless::Error> {
    // SAFETY: whoever calls from Python knows what the advice does; no reference
    // into the map exists here, and exported memory is Python's to answer for.
    unsafe { map.raw_advise(range, advice) }
}
