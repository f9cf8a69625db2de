//! The C API, fenced: everything that handles raw pointers to Python objects
//! outside the class's own slots. What it offers is safe to call.
#![allow(unsafe_code)]
#![expect(clippy::disallowed_methods, reason = "Python's memory, which is not a map's")]

use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use pyo3::exceptions::{PyOverflowError, PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::{Borrowed, ffi};

use crate::singletons;

/// That an exception is set: what stands for it in the code between C and the
/// core, where a whole `PyErr` in every result would cost more than the work.
#[derive(Debug)]
pub(crate) struct Raised(());

impl Raised {
    /// Forgets the exception.
    pub(crate) fn clear(self) {
        drop(PyErr::from(self));
    }
}

impl From<PyErr> for Raised {
    #[cold]
    #[inline(never)]
    fn from(error: PyErr) -> Self {
        Python::attach(|py| error.restore(py));
        Self(())
    }
}

impl From<Raised> for PyErr {
    #[cold]
    #[inline(never)]
    fn from(_: Raised) -> Self {
        Python::attach(Self::fetch)
    }
}

/// The exception that the interpreter has just set.
pub(crate) const RAISED: Raised = Raised(());

/// A result whose error is the exception that is set.
pub(crate) type Outcome<T> = Result<T, Raised>;

/// What a method returns.
pub(crate) type Returned<'py> = Outcome<Bound<'py, PyAny>>;

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
/// counts. The body must not panic; if it does, the process ends here, at the
/// border to C.
///
/// # Safety
/// The thread must be attached to the interpreter.
#[inline(always)]
pub(crate) unsafe fn enter_hot<'py, R: Output>(
    body: impl FnOnce(Python<'py>) -> Outcome<R>,
) -> R::Raw {
    // SAFETY: the caller's promise.
    body(unsafe { Python::assume_attached() }).map_or(R::RAISED, Output::into_raw)
}

/// Runs the body of a function that Python calls; a panic does not get out.
///
/// # Safety
/// The thread must be attached to the interpreter.
#[inline(always)]
pub(crate) unsafe fn enter<'py, R: Output>(body: impl FnOnce(Python<'py>) -> Outcome<R>) -> R::Raw {
    // SAFETY: the caller's promise.
    let py = unsafe { Python::assume_attached() };
    let done = catch_unwind(AssertUnwindSafe(|| body(py))).unwrap_or_else(|_| {
        let message = "faultless: an internal check failed; please report it";
        Err(PyRuntimeError::new_err(message).into())
    });
    done.map_or(R::RAISED, Output::into_raw)
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
    pub(crate) fn count(&self, least: usize, most: usize) -> Outcome<usize> {
        let count = self.args.len();
        if count >= least && count <= most { Ok(count) } else { Err(self.miscounted(least, most)) }
    }

    #[cold]
    #[inline(never)]
    fn miscounted(&self, least: usize, most: usize) -> Raised {
        let (name, got) = (self.name, self.args.len());
        let (bound, number) = match () {
            () if least == most => ("", least),
            () if got < least => ("at least ", least),
            () => ("at most ", most),
        };
        let plural = if number == 1 { "" } else { "s" };
        PyTypeError::new_err(format!("{name} expected {bound}{number} argument{plural}, got {got}"))
            .into()
    }

    #[inline(always)]
    pub(crate) fn get(&self, index: usize) -> Option<Borrowed<'a, 'py, PyAny>> {
        // SAFETY: the arguments of the running call are live objects.
        self.args.get(index).map(|&arg| unsafe { borrowed(self.py, arg) })
    }

    /// An argument, where one that is left out is as good as `None`.
    #[inline(always)]
    pub(crate) fn given(&self, index: usize) -> Option<Borrowed<'a, 'py, PyAny>> {
        self.get(index).filter(|arg| !is_none(arg))
    }

    /// An argument as the C type `Py_ssize_t`.
    #[inline(always)]
    pub(crate) fn size(&self, index: usize, default: isize) -> Outcome<isize> {
        self.get(index).map_or(Ok(default), |arg| size(&arg))
    }

    /// An argument as the C type `int`.
    pub(crate) fn int(&self, index: usize, default: c_int) -> Outcome<c_int> {
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

/// Which exception an integer beyond `Py_ssize_t` is.
#[derive(Clone, Copy)]
pub(crate) enum TooLarge {
    Index,
    Type,
    Overflow,
}

/// An index-like object as `Py_ssize_t`, with the message of indexing.
#[inline(always)]
pub(crate) fn index(object: &Borrowed<'_, '_, PyAny>, too_large: TooLarge) -> Outcome<isize> {
    match exact_index(object) {
        Some(value) => Ok(value),
        None => any_index(object, too_large),
    }
}

/// An integer itself, which is converted without running any code of Python's,
/// unless it is -1 or too large: that `index` has to find out.
#[inline(always)]
pub(crate) fn exact_index(object: &Borrowed<'_, '_, PyAny>) -> Option<isize> {
    // SAFETY: the object is live.
    unsafe {
        if ffi::PyLong_CheckExact(object.as_ptr()) == 0 {
            return None;
        }
        Some(ffi::PyLong_AsSsize_t(object.as_ptr())).filter(|&value| value != -1)
    }
}

#[inline(never)]
fn any_index(object: &Borrowed<'_, '_, PyAny>, too_large: TooLarge) -> Outcome<isize> {
    // SAFETY: the object is live, and the exceptions always are.
    let value = unsafe {
        ffi::PyErr_Clear();
        let exception = match too_large {
            TooLarge::Index => ffi::PyExc_IndexError,
            TooLarge::Type => ffi::PyExc_TypeError,
            TooLarge::Overflow => ffi::PyExc_OverflowError,
        };
        ffi::PyNumber_AsSsize_t(object.as_ptr(), exception)
    };
    if value == -1 { unless_raised(-1) } else { Ok(value) }
}

/// The value that also stands for an exception, if none is set.
#[cold]
#[inline(never)]
fn unless_raised<T>(value: T) -> Outcome<T> {
    // SAFETY: asks whether an exception is set.
    if unsafe { ffi::PyErr_Occurred() }.is_null() { Ok(value) } else { Err(RAISED) }
}

/// An integer argument as `Py_ssize_t`.
#[inline(always)]
pub(crate) fn size(object: &Borrowed<'_, '_, PyAny>) -> Outcome<isize> {
    match exact_index(object) {
        Some(value) => Ok(value),
        None => any_size(object),
    }
}

#[inline(never)]
fn any_size(object: &Borrowed<'_, '_, PyAny>) -> Outcome<isize> {
    // SAFETY: the object is live.
    let value = unsafe {
        ffi::PyErr_Clear();
        let number = ffi::PyNumber_Index(object.as_ptr());
        let number = Bound::from_owned_ptr_or_err(object.py(), number)?;
        ffi::PyLong_AsSsize_t(number.as_ptr())
    };
    if value == -1 { unless_raised(-1) } else { Ok(value) }
}

/// An integer argument as the C type `long`.
#[inline(always)]
pub(crate) fn long(object: &Borrowed<'_, '_, PyAny>) -> Outcome<std::ffi::c_long> {
    // SAFETY: the object is live.
    let value = unsafe { ffi::PyLong_AsLong(object.as_ptr()) };
    if value == -1 { unless_raised(-1) } else { Ok(value) }
}

/// An integer argument as the C type `int`.
pub(crate) fn int(object: &Borrowed<'_, '_, PyAny>) -> Outcome<c_int> {
    let too_large = || PyOverflowError::new_err("Python int too large to convert to C int");
    let value = long(object).map_err(|raised| {
        let error = PyErr::from(raised);
        if error.is_instance_of::<PyOverflowError>(object.py()) { too_large() } else { error }
    })?;
    c_int::try_from(value).map_err(|_| too_large().into())
}

#[inline(always)]
pub(crate) fn number(py: Python<'_>, value: isize) -> Returned<'_> {
    // SAFETY: makes a new object, or fails for want of memory.
    unsafe { owned(py, ffi::PyLong_FromSsize_t(value)) }
}

/// An offset or a length as an integer.
#[inline(always)]
pub(crate) fn unsigned(py: Python<'_>, value: usize) -> Returned<'_> {
    match u8::try_from(value) {
        Ok(byte) => Ok(singletons::number(py, byte)),
        // SAFETY: makes a new object, or fails for want of memory.
        Err(_) => unsafe { owned(py, ffi::PyLong_FromSize_t(value)) },
    }
}

/// A new reference, or, if it is null, the exception that is set.
///
/// # Safety
/// As a function of the C API returns it.
#[inline(always)]
unsafe fn owned(py: Python<'_>, object: *mut ffi::PyObject) -> Returned<'_> {
    // SAFETY: the caller's promise.
    unsafe { Bound::from_owned_ptr_or_opt(py, object) }.ok_or(RAISED)
}

/// An object that Python passed, for the length of the call.
///
/// # Safety
/// It must be live for that long.
#[inline(always)]
pub(crate) unsafe fn borrowed<'a, 'py>(
    py: Python<'py>,
    object: *mut ffi::PyObject,
) -> Arg<'a, 'py> {
    // SAFETY: the caller's promise; a live object is not null.
    unsafe { Borrowed::from_ptr_or_opt(py, object).unwrap_unchecked() }
}

/// A copy of bytes that may change or fail meanwhile, as a bytes object: the
/// caller sees to that.
///
/// # Safety
/// The bytes must be there to be read.
#[inline(always)]
pub(crate) unsafe fn bytes_from(py: Python<'_>, from: *const u8, len: usize) -> Returned<'_> {
    // SAFETY: copies the bytes.
    unsafe { owned(py, ffi::PyBytes_FromStringAndSize(from.cast(), len as ffi::Py_ssize_t)) }
}

/// A new bytes object of `len` bytes, which `fill` sets. What `fill` did not set
/// it must not return success for.
#[inline(always)]
pub(crate) fn bytes<'py>(
    py: Python<'py>,
    len: usize,
    fill: impl FnOnce(&mut [MaybeUninit<u8>]) -> Outcome<()>,
) -> Returned<'py> {
    // SAFETY: makes a new object of that many bytes, which nobody else sees
    // before it is returned.
    unsafe {
        let object = bytes_from(py, ptr::null(), len)?;
        let start = ffi::PyBytes_AsString(object.as_ptr()).cast();
        fill(std::slice::from_raw_parts_mut(start, len))?;
        Ok(object)
    }
}

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
        // SAFETY: the map has the byte while it is borrowed, if it has it.
        (!bytes.is_empty()).then(|| (unsafe { bytes.cast::<u8>().read() }, 1))
    })
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
                let (mut start, mut len) = (ptr::null_mut(), 0);
                ffi::PyBytes_AsStringAndSize(pointer, &raw mut start, &raw mut len);
                let bytes = std::slice::from_raw_parts(start.cast(), len as usize);
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

/// `start`, `stop` and `step` of a slice object, not yet fitted to a length.
#[inline(always)]
pub(crate) fn unpack(slice: &Borrowed<'_, '_, PyAny>) -> Outcome<Option<(isize, isize, isize)>> {
    let (mut start, mut stop, mut step) = (0, 0, 0);
    // SAFETY: the object is live, and a slice if the first call says so.
    unsafe {
        if ffi::PySlice_Check(slice.as_ptr()) == 0 {
            return Ok(None);
        }
        let unpacked =
            ffi::PySlice_Unpack(slice.as_ptr(), &raw mut start, &raw mut stop, &raw mut step);
        if unpacked < 0 {
            return Err(RAISED);
        }
    }
    Ok(Some((start, stop, step)))
}

/// A slice fitted to a length: the first offset, and how many.
#[inline(always)]
pub(crate) fn adjust(len: usize, (start, stop, step): (isize, isize, isize)) -> (usize, usize) {
    if step == 1 {
        let len = len as isize;
        let fit = |at: isize| if at < 0 { (at + len).max(0) } else { at.min(len) };
        let (start, stop) = (fit(start), fit(stop));
        return (start as usize, (stop - start).max(0) as usize);
    }
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

/// How far the system's coarse clock is, which takes no system call and counts
/// in milliseconds; `None` where there is no such clock.
#[inline(always)]
pub(crate) fn tick() -> Option<i64> {
    #[cfg(target_os = "linux")]
    #[allow(clippy::useless_conversion, reason = "the fields are narrower on some platforms")]
    {
        let mut now = MaybeUninit::<libc::timespec>::uninit();
        // SAFETY: fills in the structure, or fails.
        unsafe {
            (libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, now.as_mut_ptr()) == 0).then(|| {
                let now = now.assume_init();
                i64::from(now.tv_sec) << 32 | i64::from(now.tv_nsec)
            })
        }
    }
    #[cfg(not(target_os = "linux"))]
    None
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
    pub(crate) fn only(&self, method: &str, name: &str) -> Outcome<Option<Arg<'a, 'py>>> {
        let mut found = None;
        for (given, arg) in &self.0 {
            if given.eq(name)? {
                found = Some(*arg);
            } else {
                let message = format!("{method}() got an unexpected keyword argument '{given}'");
                return Err(PyTypeError::new_err(message).into());
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

/// Raises an audit event, as `sys.audit` does.
pub(crate) fn audit<'py>(
    py: Python<'py>,
    event: &Bound<'py, pyo3::types::PyString>,
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
