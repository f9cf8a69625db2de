//! The constructor: `mmap(fileno, length, …)` as the standard module has it on
//! this system, check by check.
#![deny(unsafe_code)]

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod system;

pub(super) use system::{SIGNATURE, make};

use pyo3::exceptions::{PyOverflowError, PyTypeError};
use pyo3::prelude::*;

use crate::glue;

/// The two arguments that there have to be.
fn needed<'a, 'py>(
    fileno: Option<glue::Arg<'a, 'py>>,
    length: Option<glue::Arg<'a, 'py>>,
) -> PyResult<(glue::Arg<'a, 'py>, glue::Arg<'a, 'py>)> {
    match (fileno, length) {
        (Some(fileno), Some(length)) => Ok((fileno, length)),
        (fileno, _) => {
            let (name, position) = if fileno.is_none() { ("fileno", 1) } else { ("length", 2) };
            Err(PyTypeError::new_err(format!(
                "function missing required argument '{name}' (pos {position})"
            )))
        }
    }
}

/// An argument that the constructor's format calls an `int`.
#[allow(clippy::useless_conversion, reason = "a long has 64 bits on some systems")]
fn parsed_int(arg: &glue::Arg<'_, '_>) -> PyResult<i32> {
    let value = glue::long(arg)?;
    i32::try_from(value).map_err(|_| {
        PyOverflowError::new_err(if value < 0 {
            "signed integer is less than minimum"
        } else {
            "signed integer is greater than maximum"
        })
    })
}

fn positive_length(length: isize) -> PyResult<usize> {
    usize::try_from(length)
        .map_err(|_| PyOverflowError::new_err("memory mapped length must be positive"))
}

fn positive_offset(offset: i64) -> PyResult<u64> {
    u64::try_from(offset)
        .map_err(|_| PyOverflowError::new_err("memory mapped offset must be positive"))
}
