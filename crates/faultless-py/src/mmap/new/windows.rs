//! `mmap(fileno, length, tagname=None, access=ACCESS_DEFAULT, offset=0, *, trackfd=True)`.
#![deny(unsafe_code)]

use std::ffi::CStr;

use faultless::{Access, ErrorKind, MapOptions, Protection};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

use super::{needed, parsed_int, positive_length, positive_offset};
use crate::constants::{ACCESS_COPY, ACCESS_DEFAULT, ACCESS_READ, ACCESS_WRITE};
use crate::errors;
use crate::glue::{self, ConstructorArgs};
use crate::mmap::state::Mmap;
use crate::system::{self, File};

/// The class's documentation begins with it.
pub(in crate::mmap) const SIGNATURE: &CStr =
    c"mmap(fileno, length, tagname=None, access=ACCESS_DEFAULT, offset=0, *, trackfd=True)\n\n\
Map `length` bytes of the file descriptor `fileno`, from `offset` on.\n\n\
A length of 0 means all that the file has, and a greater one than that makes the file\n\
longer. -1 as `fileno` maps memory that belongs to no file. Maps of one `tagname` are\n\
of the same memory. `offset` is a multiple of ALLOCATIONGRANULARITY. Lengths and\n\
offsets are in bytes.\n\n\
A page that fails, because the disk or the network gave an error, raises FaultError in\n\
whatever method or operator met it.";

/// The parameters by position; the last is by name only.
const NAMES: [&str; 6] = ["fileno", "length", "tagname", "access", "offset", "trackfd"];
const POSITIONAL: usize = 5;

pub(in crate::mmap) fn make(args: &ConstructorArgs<'_, '_>) -> PyResult<Mmap> {
    let py = args.py;
    let [fileno, length, tag, access, offset, trackfd] = args.bind(NAMES, POSITIONAL)?;
    let (fileno, length) = needed(fileno, length)?;
    let fd = parsed_int(&fileno)?;
    let length = glue::size(&length)?;
    let access = access.map_or(Ok(ACCESS_DEFAULT), |arg| parsed_int(&arg))?;
    let offset = offset.map_or(Ok(0), |arg| glue::size(&arg))?;
    let tracked = trackfd.map_or(Ok(true), |arg| arg.is_truthy())?;
    let offset = offset as i64;
    system::audit(py, (fd, length, access, offset))?;

    let how = match access {
        ACCESS_READ => Access::Read,
        ACCESS_COPY => Access::CopyOnWrite,
        ACCESS_DEFAULT | ACCESS_WRITE => Access::Write,
        _ => return Err(PyValueError::new_err("mmap invalid access parameter.")),
    };
    let length = positive_length(length)?;
    let offset = positive_offset(offset)?;
    // The standard takes 0 for no file, too.
    let file = if fd == -1 || fd == 0 { None } else { Some(system::file(py, fd)?) };
    let size = file.map(system::size).transpose()?;
    let length = match size {
        Some(0) if length == 0 => {
            return Err(PyValueError::new_err("cannot mmap an empty file"));
        }
        Some(size) if length == 0 && offset >= size => {
            return Err(PyValueError::new_err("mmap offset is greater than file size"));
        }
        Some(size) if length == 0 => usize::try_from(size - offset)
            .map_err(|_| PyValueError::new_err("mmap length is too large"))?,
        _ => length,
    };
    let mut options = MapOptions::new();
    options.access(how).extend(true).len(length).offset(offset).keep_file(tracked);
    let mut tag_len = 0;
    if let Some(tag) = tag.filter(|tag| !glue::is_none(tag)) {
        if !tag.is_instance_of::<pyo3::types::PyString>() {
            let kind = tag.get_type().name()?;
            let message = format!("expected str or None for 'tagname', not {kind:.200}");
            return Err(PyTypeError::new_err(message));
        }
        let tag = tag.extract::<String>()?;
        tag_len = tag.encode_utf16().count() + 1;
        options.tag_name(tag);
    }
    if offset % faultless::allocation_granularity() as u64 != 0 {
        return Err(errors::os(py, system::MISALIGNED));
    }
    let map = py.detach(|| match file {
        Some(file) => options.map(&file),
        None => memory(&mut options, how),
    });
    let map = map.map_err(|error| not_made(py, &error, file))?;
    let mut mmap = Mmap::new(map, access, tracked, offset);
    mmap.tag_len = tag_len;
    Ok(mmap)
}

fn memory(options: &mut MapOptions, how: Access) -> Result<faultless::Map, faultless::Error> {
    if how == Access::Read {
        options.protection(Protection::READ);
    }
    options.map_anonymous()
}

#[cold]
fn not_made(py: Python<'_>, error: &faultless::Error, file: Option<File>) -> PyErr {
    match (error.kind(), error.raw_os_error()) {
        (_, Some(number)) => errors::os(py, number),
        // More than the file has, or than the address space.
        (ErrorKind::OutOfRange, None) => errors::os(py, system::NO_MEMORY),
        _ if file.is_some() => errors::raise(py, error),
        _ => errors::os(py, system::INVALID),
    }
}
