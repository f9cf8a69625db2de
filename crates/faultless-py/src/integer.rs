//! Integers as arguments.

use std::fmt::Display;

use pyo3::exceptions::PyOverflowError;
use pyo3::prelude::*;

/// A number of so many bits.
pub(crate) trait Number:
    for<'a, 'py> FromPyObject<'a, 'py, Error = PyErr> + Display
{
    const MIN: Self;
    const MAX: Self;
}

macro_rules! numbers {
    ($($number:ty)*) => {$(
        impl Number for $number {
            const MIN: Self = Self::MIN;
            const MAX: Self = Self::MAX;
        }
    )*};
}

numbers! { u32 i32 u64 i64 usize }

/// An integer argument. One that has no room is an `OverflowError` that says what has.
pub(crate) fn integer<N: Number>(arg: &Bound<'_, PyAny>) -> PyResult<N> {
    arg.extract().map_err(|error: PyErr| {
        if !error.is_instance_of::<PyOverflowError>(arg.py()) {
            return error;
        }
        let message = format!("{arg} is not an integer from {} to {}", N::MIN, N::MAX);
        PyOverflowError::new_err(message)
    })
}

/// An integer argument, or None.
pub(crate) fn integer_or_none<N: Number>(arg: &Bound<'_, PyAny>) -> PyResult<Option<N>> {
    if arg.is_none() { Ok(None) } else { integer(arg).map(Some) }
}
