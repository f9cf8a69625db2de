//! Growing a map in place, into address space that `faultless.open` reserved for
//! it: memory that is exported stays where it is.
#![deny(unsafe_code)]

use pyo3::exceptions::PyValueError;

use super::methods::check_writable;
use super::state::Mmap;
use crate::errors;
use crate::glue::{self, Arg, Buffer, Returned};
use crate::singletons;

pub(super) fn grow<'py>(mmap: &Mmap, arg: Arg<'_, 'py>) -> Returned<'py> {
    let py = arg.py();
    let len = usize::try_from(glue::size(&arg)?)
        .map_err(|_| PyValueError::new_err("new length out of range"))?;
    check_writable(mmap)?;
    mmap.in_turn(py, |map| map.grow(len))?.map_err(errors::raised)?;
    Ok(singletons::none(py))
}

pub(super) fn append<'py>(mmap: &Mmap, arg: Arg<'_, 'py>) -> Returned<'py> {
    let py = arg.py();
    let buffer = Buffer::get(&arg)?;
    check_writable(mmap)?;
    let start = mmap.in_turn(py, |map| map.append(buffer.bytes()))?.map_err(errors::raised)?;
    glue::unsigned(py, start)
}
