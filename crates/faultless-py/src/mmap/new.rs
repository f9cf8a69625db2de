//! The constructor: `mmap(fileno, length, …)` as the standard module has it on
//! Unix, check by check.
#![deny(unsafe_code)]

use faultless::{ErrorKind, MapOptions, Protection};
use pyo3::exceptions::{PyOverflowError, PyTypeError, PyValueError};
use pyo3::prelude::*;

use super::state::Mmap;
use crate::constants::{ACCESS_COPY, ACCESS_DEFAULT, ACCESS_READ, ACCESS_WRITE};
use crate::errors;
use crate::glue::{self, ConstructorArgs};

const RW: i32 = libc::PROT_READ | libc::PROT_WRITE;

/// The parameters by position; the last is by name only.
const NAMES: [&str; 7] = ["fileno", "length", "flags", "prot", "access", "offset", "trackfd"];
const POSITIONAL: usize = 6;

pub(super) fn make(args: &ConstructorArgs<'_, '_>) -> PyResult<Mmap> {
    let py = args.py;
    let [fileno, length, flags, prot, access, offset, trackfd] = args.bind(NAMES, POSITIONAL)?;
    let int = |given: Option<_>, default| given.map_or(Ok(default), |arg| parsed_int(&arg));
    let (Some(fileno), Some(length)) = (fileno, length) else {
        let (name, position) = if fileno.is_none() { ("fileno", 1) } else { ("length", 2) };
        return Err(PyTypeError::new_err(format!(
            "function missing required argument '{name}' (pos {position})"
        )));
    };
    let fd = parsed_int(&fileno)?;
    let length = glue::size(&length)?;
    let flags = int(flags, libc::MAP_SHARED)?;
    let prot = int(prot, RW)?;
    let access = int(access, ACCESS_DEFAULT)?;
    let offset = offset.map_or(Ok(0), |arg| glue::long(&arg))?;
    let tracked = trackfd.map_or(Ok(true), |arg| arg.is_truthy())?;

    let length = usize::try_from(length)
        .map_err(|_| PyOverflowError::new_err("memory mapped length must be positive"))?;
    let offset = u64::try_from(offset)
        .map_err(|_| PyOverflowError::new_err("memory mapped offset must be positive"))?;
    if access != ACCESS_DEFAULT && (flags != libc::MAP_SHARED || prot != RW) {
        let message = "mmap can't specify both access and flags, prot.";
        return Err(PyValueError::new_err(message));
    }
    let read_only = access == ACCESS_READ;
    let (flags, prot, access) = match access {
        ACCESS_READ => (libc::MAP_SHARED, libc::PROT_READ, access),
        ACCESS_WRITE => (libc::MAP_SHARED, RW, access),
        ACCESS_COPY => (libc::MAP_PRIVATE, RW, access),
        ACCESS_DEFAULT if prot & RW == RW => (flags, prot, access),
        ACCESS_DEFAULT if prot & libc::PROT_WRITE != 0 => (flags, prot, ACCESS_WRITE),
        ACCESS_DEFAULT => (flags, prot, ACCESS_READ),
        _ => return Err(PyValueError::new_err("mmap invalid access parameter.")),
    };
    glue::audit(py, (fd, length, access, offset))?;

    let mut options = MapOptions::new();
    options.protection(Protection::from_raw(prot)).keep_file(tracked);
    // Who asks for no flags takes a private map where there is no shared one.
    if !read_only || fd == -1 {
        options.raw_flags(flags);
    }
    if length != 0 {
        options.len(length);
    }
    let aligned = offset % faultless::allocation_granularity() as u64 == 0;
    let invalid = || errors::os(py, libc::EINVAL);
    if fd == -1 {
        if length == 0 || !aligned {
            return Err(invalid());
        }
        let map = py.detach(|| options.map_anonymous());
        let map = map.map_err(|error| not_made(py, &error))?;
        return Ok(Mmap::new(map, access, tracked, offset));
    }
    let Some(file) = glue::file(fd) else {
        return Err(errors::os(py, libc::EBADF));
    };
    // As the standard module documents for macOS.
    #[cfg(target_vendor = "apple")]
    {
        use std::os::fd::AsFd;
        let _ = file.as_fd().try_clone_to_owned().map(|fd| std::fs::File::from(fd).sync_all());
    }
    if !aligned {
        return Err(misfit(file, length, offset).unwrap_or_else(invalid));
    }
    options.offset(offset);
    let map = py.detach(|| options.map(&file)).map_err(|error| match error.kind() {
        ErrorKind::OutOfRange => misfit(file, length, offset).unwrap_or_else(invalid),
        _ => not_made(py, &error),
    })?;
    // The core makes an empty map of nothing, which the standard refuses.
    if map.is_empty() {
        return Err(misfit(file, length, offset).unwrap_or_else(invalid));
    }
    Ok(Mmap::new(map, access, tracked, offset))
}

/// An argument that the constructor's format calls an `int`.
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

/// What the standard says of a length and an offset that do not fit a regular
/// file.
#[cold]
fn misfit(file: glue::File, length: usize, offset: u64) -> Option<PyErr> {
    let size = glue::regular_size(file)?;
    let message = if length == 0 && size == 0 {
        "cannot mmap an empty file"
    } else if length == 0 && offset >= size {
        "mmap offset is greater than file size"
    } else if length == 0 && size - offset > isize::MAX as u64 {
        "mmap length is too large"
    } else if length != 0 && (offset > size || size - offset < length as u64) {
        "mmap length is greater than file size"
    } else {
        return None;
    };
    Some(PyValueError::new_err(message))
}

#[cold]
fn not_made(py: Python<'_>, error: &faultless::Error) -> PyErr {
    match (error.kind(), error.raw_os_error()) {
        (_, Some(errno)) => errors::os(py, errno),
        // More than the address space: what the system would answer.
        (ErrorKind::OutOfRange, None) => errors::os(py, libc::ENOMEM),
        _ => errors::os(py, libc::EINVAL),
    }
}
