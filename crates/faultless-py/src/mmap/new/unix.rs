//! `mmap(fileno, length, flags=…, prot=…, access=…, offset=0, *, trackfd=True)`.
#![deny(unsafe_code)]

use std::ffi::CStr;

use faultless::{ErrorKind, MapOptions, Protection};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::{needed, parsed_int, positive_length, positive_offset};
use crate::constants::{ACCESS_COPY, ACCESS_DEFAULT, ACCESS_READ, ACCESS_WRITE};
use crate::errors;
use crate::glue::{self, ConstructorArgs};
use crate::mmap::state::Mmap;
use crate::system::{self, File};

/// The class's documentation begins with it.
pub(in crate::mmap) const SIGNATURE: &CStr =
    c"mmap(fileno, length, flags=MAP_SHARED, prot=PROT_WRITE|PROT_READ, \
access=ACCESS_DEFAULT, offset=0, *, trackfd=True)\n\n\
Map `length` bytes of the file descriptor `fileno`, from `offset` on.\n\n\
A length of 0 means all that the file has. -1 as `fileno` maps memory that belongs\n\
to no file, and is shared with child processes. `offset` is a multiple of\n\
ALLOCATIONGRANULARITY. Lengths and offsets are in bytes.\n\n\
A page that fails, because somebody truncated the file or the disk gave an error,\n\
raises FaultError in whatever method or operator met it.";

const RW: i32 = libc::PROT_READ | libc::PROT_WRITE;

/// The parameters by position; the last is by name only.
const NAMES: [&str; 7] = ["fileno", "length", "flags", "prot", "access", "offset", "trackfd"];
const POSITIONAL: usize = 6;

pub(in crate::mmap) fn make(args: &ConstructorArgs<'_, '_>) -> PyResult<Mmap> {
    let py = args.py;
    let [fileno, length, flags, prot, access, offset, trackfd] = args.bind(NAMES, POSITIONAL)?;
    let int = |given: Option<_>, default| given.map_or(Ok(default), |arg| parsed_int(&arg));
    let (fileno, length) = needed(fileno, length)?;
    let fd = parsed_int(&fileno)?;
    let length = glue::size(&length)?;
    let flags = int(flags, libc::MAP_SHARED)?;
    let prot = int(prot, RW)?;
    let access = int(access, ACCESS_DEFAULT)?;
    let offset = offset.map_or(Ok(0), |arg| glue::long(&arg))?;
    let tracked = trackfd.map_or(Ok(true), |arg| arg.is_truthy())?;

    let length = positive_length(length)?;
    let offset = positive_offset(offset)?;
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
    system::audit(py, (fd, length, access, offset))?;

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
    let invalid = || errors::os(py, system::INVALID);
    if fd == -1 {
        if length == 0 || !aligned {
            return Err(invalid());
        }
        let map = py.detach(|| options.map_anonymous());
        let map = map.map_err(|error| not_made(py, &error))?;
        return Ok(Mmap::new(map, access, tracked, offset));
    }
    let Some(file) = system::file(fd) else {
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

/// What the standard says of a length and an offset that do not fit a regular
/// file.
#[cold]
fn misfit(file: File, length: usize, offset: u64) -> Option<PyErr> {
    let size = system::regular_size(file)?;
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
        (ErrorKind::OutOfRange, None) => errors::os(py, system::NO_MEMORY),
        _ => errors::os(py, system::INVALID),
    }
}
