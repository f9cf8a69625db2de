//! The arguments of a call: how many, which, by what name.
#![allow(unsafe_code)]

use std::ffi::c_int;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::{Borrowed, ffi};

use super::{Arg, Outcome, Raised, borrowed, int, size};

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

    /// The method's name.
    pub(crate) fn name(&self) -> &'static str {
        self.name
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

/// A call with arguments by position and by name.
pub(crate) struct Call<'a, 'py> {
    /// The object whose method it is.
    pub(crate) this: Arg<'a, 'py>,
    pub(crate) args: Args<'a, 'py>,
    named: Vec<(Bound<'py, PyAny>, Arg<'a, 'py>)>,
}

impl<'a, 'py> Call<'a, 'py> {
    /// # Safety
    /// As the convention `METH_FASTCALL | METH_KEYWORDS` has it, with `this` and
    /// `count` arguments by position.
    #[inline(always)]
    pub(crate) unsafe fn new(
        this: Arg<'a, 'py>,
        name: &'static str,
        args: *const *mut ffi::PyObject,
        count: ffi::Py_ssize_t,
        names: *mut ffi::PyObject,
    ) -> Self {
        let py = this.py();
        // SAFETY: the caller's promise.
        unsafe {
            Self {
                this,
                args: Args::new(py, name, args, count),
                named: named(py, args, count, names),
            }
        }
    }

    pub(crate) fn py(&self) -> Python<'py> {
        self.args.py
    }

    /// The arguments in the order of `names`, of which the first `positional` may
    /// be given by position.
    pub(crate) fn bind<const N: usize>(
        &self,
        names: [&str; N],
        positional: usize,
    ) -> Outcome<[Option<Arg<'a, 'py>>; N]> {
        self.args.count(0, positional)?;
        let mut bound = [None; N];
        for (nth, place) in bound.iter_mut().enumerate().take(self.args.len()) {
            *place = self.args.get(nth);
        }
        for (given, arg) in &self.named {
            let given = given.cast::<pyo3::types::PyString>().map_err(PyErr::from)?.to_cow()?;
            let name = self.args.name;
            let Some(nth) = names.iter().position(|name| *name == given) else {
                let message = format!("{name}() got an unexpected keyword argument '{given}'");
                return Err(PyTypeError::new_err(message).into());
            };
            if bound[nth].replace(*arg).is_some() {
                let message = format!("{name}() got multiple values for argument '{given}'");
                return Err(PyTypeError::new_err(message).into());
            }
        }
        Ok(bound)
    }

    /// The argument `name`, which is the only one that may be given by name.
    pub(crate) fn only(&self, name: &str) -> Outcome<Option<Arg<'a, 'py>>> {
        let mut found = None;
        for (given, arg) in &self.named {
            if given.eq(name)? {
                found = Some(*arg);
            } else {
                let method = self.args.name;
                let message = format!("{method}() got an unexpected keyword argument '{given}'");
                return Err(PyTypeError::new_err(message).into());
            }
        }
        Ok(found)
    }
}

/// The arguments by name of a call.
///
/// # Safety
/// As for `Call::new`.
#[inline]
unsafe fn named<'a, 'py>(
    py: Python<'py>,
    args: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> Vec<(Bound<'py, PyAny>, Arg<'a, 'py>)> {
    if names.is_null() {
        return Vec::new();
    }
    // SAFETY: `names` is a tuple, and the arguments of these names follow the
    // others.
    unsafe {
        let names = Borrowed::from_ptr(py, names).cast_unchecked::<pyo3::types::PyTuple>();
        let arg = |nth| Borrowed::from_ptr(py, *args.add(count as usize + nth));
        names.iter().enumerate().map(|(nth, name)| (name, arg(nth))).collect()
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
