//! What makes a map a whole file object, as those of the module `io` are.
#![deny(unsafe_code)]

use faultless::ErrorKind;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString};

use super::methods::{self, resize_to};
use super::state::Mmap;
use crate::constants::ACCESS_READ;
use crate::errors;
use crate::glue::{self, Arg, Args, Outcome, Returned, TooLarge};
use crate::singletons;
use crate::system;
use crate::target::Target;

pub(super) fn readable<'py>(py: Python<'py>, mmap: &Mmap) -> Returned<'py> {
    Ok(singletons::truth(py, mmap.enter(py)?.is_readable()))
}

fn is_writable(py: Python<'_>, mmap: &Mmap) -> Outcome<bool> {
    let map = mmap.enter(py)?;
    Ok(mmap.access != ACCESS_READ && map.is_writable())
}

pub(super) fn writable<'py>(py: Python<'py>, mmap: &Mmap) -> Returned<'py> {
    Ok(singletons::truth(py, is_writable(py, mmap)?))
}

pub(super) fn isatty<'py>(py: Python<'py>, mmap: &Mmap) -> Returned<'py> {
    drop(mmap.enter(py)?);
    Ok(singletons::truth(py, false))
}

pub(super) fn fileno<'py>(py: Python<'py>, mmap: &Mmap) -> Returned<'py> {
    let map = mmap.enter(py)?;
    match map.file().and_then(system::number_of) {
        Some(number) => glue::number(py, number as isize),
        None => Err(errors::unsupported(py, "the map keeps no file", libc::EBADF).into()),
    }
}

pub(super) fn name<'py>(py: Python<'py>, mmap: &Mmap) -> Returned<'py> {
    match mmap.enter(py)?.path() {
        Some(path) => Ok(path.into_os_string().into_pyobject(py).map_err(PyErr::from)?.into_any()),
        None => Ok(singletons::none(py)),
    }
}

pub(super) fn mode<'py>(py: Python<'py>, mmap: &Mmap) -> Returned<'py> {
    let mode = if is_writable(py, mmap)? { "rb+" } else { "rb" };
    Ok(PyString::new(py, mode).into_any())
}

pub(super) fn readinto<'py>(mmap: &Mmap, arg: Arg<'_, 'py>) -> Returned<'py> {
    let py = arg.py();
    let mut target = Target::get(&arg)?;
    loop {
        let len = mmap.enter(py)?.len();
        let start = mmap.position();
        let count = len.saturating_sub(start).min(target.len());
        if count == 0 {
            return glue::unsigned(py, 0);
        }
        if mmap.claim(start, start + count) {
            match fill(py, mmap, start, count, &mut target)? {
                Ok(()) => return glue::unsigned(py, count),
                // The map has become shorter since.
                Err(error) if error.kind() == ErrorKind::OutOfRange => {
                    mmap.advance(start + count, start);
                }
                Err(error) => return Err(mmap.unclaim(start, start + count, error)),
            }
        }
    }
}

fn fill(
    py: Python<'_>,
    mmap: &Mmap,
    start: usize,
    count: usize,
    target: &mut Target,
) -> Outcome<faultless::Result<()>> {
    // Memory of this very map is copied twice: once out of the map.
    let own = {
        let map = mmap.enter(py)?;
        target.overlaps(map.as_ptr(), map.len())
    };
    if own {
        return mmap
            .run(py, count, |map| map.to_vec(start..start + count))
            .map(|copied| copied.map(|bytes| target.bytes()[..count].copy_from_slice(&bytes)));
    }
    let bytes = &mut target.bytes()[..count];
    mmap.run(py, count, |map| map.read_exact_at(start, bytes))
}

pub(super) fn readlines<'py>(mmap: &Mmap, args: &Args<'_, 'py>) -> Returned<'py> {
    let py = args.py;
    args.count(0, 1)?;
    let hint = args.given(0).map_or(Ok(-1), |arg| glue::index(&arg, TooLarge::Overflow))?;
    let hint = usize::try_from(hint).ok().filter(|&hint| hint > 0).unwrap_or(usize::MAX);
    drop(mmap.enter(py)?);
    let (lines, start) = (PyList::empty(py), mmap.position());
    let mut bytes = 0;
    let read = add_lines(mmap, &lines, hint, &mut bytes);
    if read.is_err() {
        // The lines that were read so far are lost, and can be read again.
        mmap.advance(start + bytes, start);
    }
    read.map(|()| lines.into_any())
}

fn add_lines(
    mmap: &Mmap,
    lines: &Bound<'_, PyList>,
    hint: usize,
    bytes: &mut usize,
) -> Outcome<()> {
    let py = lines.py();
    while *bytes < hint {
        let line = methods::readline(py, mmap)?;
        let len = line.len()?;
        if len == 0 {
            break;
        }
        *bytes += len;
        lines.append(line)?;
        if lines.len() % (1 << 16) == 0 {
            py.check_signals()?;
        }
    }
    Ok(())
}

pub(super) fn writelines<'py>(mmap: &Mmap, arg: Arg<'_, 'py>) -> Returned<'py> {
    let py = arg.py();
    drop(mmap.enter(py)?);
    for line in arg.try_iter()? {
        methods::write(mmap, line?.as_borrowed())?;
    }
    Ok(singletons::none(py))
}

pub(super) fn truncate<'py>(mmap: &Mmap, args: &Args<'_, 'py>) -> Returned<'py> {
    let py = args.py;
    args.count(0, 1)?;
    let size = match args.given(0) {
        Some(size) => glue::index(&size, TooLarge::Overflow)?,
        None => mmap.position() as isize,
    };
    if size < 0 {
        return Err(PyValueError::new_err(format!("negative size value {size}")).into());
    }
    resize_to(py, mmap, size, true)?;
    glue::number(py, size)
}
