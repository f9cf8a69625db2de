//! The methods and properties of the class: conversions, checks in the order of
//! the standard's, messages.
#![deny(unsafe_code)]

use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, Ordering};

use faultless::{ErrorKind, Flush};
use pyo3::exceptions::{
    PyIndexError, PyNotImplementedError, PyOverflowError, PyTypeError, PyValueError,
};
use pyo3::prelude::*;

use super::search::scan;
pub(super) use super::search::{find, rfind};
use super::state::{LONG, Mmap};
use crate::constants::{ACCESS_COPY, ACCESS_READ, ACCESS_WRITE};
use crate::errors;
use crate::glue::{self, Arg, Args, Buffer, Call, Outcome, Raised, Returned, TooLarge};
use crate::{singletons, system};

/// Before 3.14 the interpreter's own tests expect an index that is out of range
/// to be noticed before a value that is no integer.
static INDEX_FIRST: AtomicBool = AtomicBool::new(false);
/// Before 3.15 they expect `size()` without a file to be an `OSError`.
static SIZE_IS_OS_ERROR: AtomicBool = AtomicBool::new(false);

pub(super) fn look_at_version(py: Python<'_>) {
    INDEX_FIRST.store(py.version_info() < (3, 14), Ordering::Relaxed);
    SIZE_IS_OS_ERROR.store(py.version_info() < (3, 15), Ordering::Relaxed);
}

pub(super) fn index_first() -> bool {
    INDEX_FIRST.load(Ordering::Relaxed)
}

#[inline(always)]
pub(super) fn check_writable(mmap: &Mmap) -> Outcome<()> {
    if mmap.access == ACCESS_READ { Err(not_writable()) } else { Ok(()) }
}

#[cold]
#[inline(never)]
fn not_writable() -> Raised {
    PyTypeError::new_err("mmap can't modify a readonly memory map.").into()
}

/// An exception that ends a method, made where it is not in the way.
macro_rules! cold_error {
    ($name:ident, $exception:ident, $message:literal) => {
        #[cold]
        #[inline(never)]
        pub(super) fn $name() -> Raised {
            $exception::new_err($message).into()
        }
    };
}

cold_error!(out_of_range, PyIndexError, "mmap index out of range");
cold_error!(read_past_the_end, PyValueError, "read byte out of range");
cold_error!(write_past_the_end, PyValueError, "write byte out of range");
cold_error!(data_out_of_range, PyValueError, "data out of range");
cold_error!(move_out_of_range, PyValueError, "source, destination, or count out of range");
cold_error!(seek_out_of_range, PyValueError, "seek out of range");

/// A copy of `count` bytes from `start` on. `None`: the map has become shorter
/// since the caller looked, who looks again.
#[inline(always)]
pub(super) fn copy<'py>(
    py: Python<'py>,
    mmap: &Mmap,
    start: usize,
    count: usize,
) -> Outcome<Option<Bound<'py, PyAny>>> {
    if count < LONG {
        let map = mmap.enter(py)?;
        // Straight from the map, when nothing is wrong with it.
        if let Some(copied) = glue::peek_bytes(py, &map, start, count) {
            return copied.map(Some);
        }
    }
    copy_long(py, mmap, start, count)
}

#[inline(never)]
pub(super) fn copy_long<'py>(
    py: Python<'py>,
    mmap: &Mmap,
    start: usize,
    count: usize,
) -> Outcome<Option<Bound<'py, PyAny>>> {
    let read = |map: &faultless::Map, buf: &mut [_]| map.read_exact_uninit_at(start, buf).map(drop);
    filled(py, mmap, count, read)
}

/// New bytes that `read` fills from the map; `None` as for `copy`.
#[inline]
pub(super) fn filled<'py>(
    py: Python<'py>,
    mmap: &Mmap,
    count: usize,
    read: impl FnOnce(&faultless::Map, &mut [MaybeUninit<u8>]) -> Result<(), faultless::Error> + Send,
) -> Outcome<Option<Bound<'py, PyAny>>> {
    let mut shrunk = false;
    let copied = glue::bytes(py, count, |buf| {
        mmap.run(py, count, |map| read(map, buf))?.map_err(|error| {
            shrunk = error.kind() == ErrorKind::OutOfRange;
            errors::raised(error)
        })
    });
    match copied {
        Err(raised) if shrunk => {
            raised.clear();
            Ok(None)
        }
        copied => copied.map(Some),
    }
}

pub(super) fn close<'py>(py: Python<'py>, mmap: &Mmap) -> Returned<'py> {
    mmap.close(py)?;
    Ok(singletons::none(py))
}

pub(super) fn closed<'py>(py: Python<'py>, mmap: &Mmap) -> Returned<'py> {
    Ok(singletons::truth(py, mmap.is_closed()))
}

pub(super) fn fault<'py>(py: Python<'py>, mmap: &Mmap) -> Returned<'py> {
    let fault = mmap.enter(py)?.fault();
    match fault {
        Some(fault) => Ok((fault.offset, fault.reason.name()).into_pyobject(py)?.into_any()),
        None => Ok(singletons::none(py)),
    }
}

pub(super) fn private_fallback<'py>(py: Python<'py>, mmap: &Mmap) -> Returned<'py> {
    Ok(singletons::truth(py, mmap.enter(py)?.is_private_fallback()))
}

/// The object, and its tag as the standard module keeps it.
#[cfg(windows)]
pub(super) fn sizeof<'py>(
    py: Python<'py>,
    mmap: &Mmap,
    object: &Bound<'py, PyAny>,
) -> Returned<'py> {
    let plain = py.get_type::<PyAny>().call_method1("__sizeof__", (object,))?;
    // Before 3.13 it has the tag in bytes.
    let unit = if py.version_info() >= (3, 13) { 2 } else { 1 };
    Ok(plain.add(mmap.tag_len * unit)?)
}

pub(super) fn guarded<'py>(py: Python<'py>, mmap: &Mmap) -> Returned<'py> {
    Ok(singletons::truth(py, mmap.enter(py)?.is_guarded()))
}

pub(super) fn flush<'py>(mmap: &Mmap, call: &Call<'_, 'py>) -> Returned<'py> {
    let py = call.py();
    if call.args.len() > 2 {
        let got = call.args.len();
        let message = format!("flush() takes at most 2 positional arguments ({got} given)");
        return Err(PyTypeError::new_err(message).into());
    }
    let offset = call.args.size(0, 0)?;
    let size = call.args.size(1, -1)?;
    let flags = call.only("flags")?.map_or(Ok(0), |arg| glue::int(&arg))?;
    let len = mmap.enter(py)?.len() as isize;
    let size = if size == -1 { len - offset } else { size };
    if size < 0 || offset < 0 || len - offset < size {
        return Err(PyValueError::new_err("flush values out of range").into());
    }
    let (offset, size) = (offset as usize, size as usize);
    let how = how_to_flush(flags);
    let written = if mmap.access == ACCESS_READ || mmap.access == ACCESS_COPY {
        // Nothing to write; but a map that is hurt says so.
        mmap.run(py, 0, |map| map.flush_range(..0, how))?
    } else {
        if cfg!(unix) && offset % faultless::page_size() != 0 {
            return Err(errors::os(py, system::INVALID).into());
        }
        mmap.run(py, LONG, |map| map.flush_range(offset..offset + size, how))?
    };
    written.map_err(errors::raised)?;
    Ok(singletons::none(py))
}

#[cfg(unix)]
fn how_to_flush(flags: i32) -> Flush {
    if flags == 0 { Flush::SYNC } else { Flush::from_raw(flags) }
}

/// Windows has no flags for it.
#[cfg(windows)]
fn how_to_flush(_flags: i32) -> Flush {
    Flush::SYNC
}

#[cfg(unix)]
pub(super) fn madvise<'py>(mmap: &Mmap, args: &Args<'_, 'py>) -> Returned<'py> {
    let py = args.py;
    args.count(1, 3)?;
    let option = args.int(0, 0)?;
    let start = args.size(1, 0)?;
    drop(mmap.enter(py)?);
    let length = args.given(2).map(|arg| glue::size(&arg)).transpose()?;
    let len = mmap.enter(py)?.len() as isize;
    let length = length.unwrap_or(len);
    if start < 0 || start >= len {
        return Err(PyValueError::new_err("madvise start out of bounds").into());
    }
    if length < 0 {
        return Err(PyValueError::new_err("madvise length invalid").into());
    }
    if isize::MAX - start < length {
        return Err(PyOverflowError::new_err("madvise length too large").into());
    }
    let (start, length) = (start as usize, length.min(len - start) as usize);
    mmap.run(py, length, |map| system::advise(map, start..start + length, option))?
        .map_err(errors::raised)?;
    Ok(singletons::none(py))
}

pub(super) fn move_<'py>(mmap: &Mmap, args: &Args<'_, 'py>) -> Returned<'py> {
    let py = args.py;
    args.count(3, 3)?;
    let (to, from, count) = (args.size(0, 0)?, args.size(1, 0)?, args.size(2, 0)?);
    let len = mmap.enter(py)?.len() as isize;
    check_writable(mmap)?;
    if to < 0 || from < 0 || count < 0 || len - to < count || len - from < count {
        return Err(move_out_of_range());
    }
    let (to, from, count) = (to as usize, from as usize, count as usize);
    let moved = mmap.run(py, count, move |map| map.copy_within(from..from + count, to))?;
    moved.map_err(errors::raised)?;
    Ok(singletons::none(py))
}

pub(super) fn read<'py>(mmap: &Mmap, args: &Args<'_, 'py>) -> Returned<'py> {
    let py = args.py;
    args.count(0, 1)?;
    let wanted = match args.given(0) {
        None => -1,
        Some(arg) if glue::is_index(&arg) => glue::index(&arg, TooLarge::Overflow)?,
        Some(arg) => return Err(not_a_count(&arg)),
    };
    loop {
        let len = mmap.enter(py)?.len();
        let start = mmap.position();
        let left = len.saturating_sub(start);
        let count = usize::try_from(wanted).map_or(left, |wanted| wanted.min(left));
        if count == 0 {
            return glue::bytes(py, 0, |_| Ok(()));
        }
        // The bytes are this call's from now on, whoever else reads.
        if mmap.claim(start, start + count) {
            match copy(py, mmap, start, count) {
                Ok(Some(copied)) => return Ok(copied),
                failed => {
                    mmap.advance(start + count, start);
                    failed?;
                }
            }
        }
    }
}

#[cold]
#[inline(never)]
fn not_a_count(arg: &Arg<'_, '_>) -> Raised {
    match arg.get_type().name() {
        Ok(kind) => {
            let message = format!("argument should be integer or None, not '{kind}'");
            PyTypeError::new_err(message).into()
        }
        Err(error) => error.into(),
    }
}

#[inline(always)]
pub(super) fn read_byte<'py>(py: Python<'py>, mmap: &Mmap) -> Returned<'py> {
    if let Some(map) = mmap.ready() {
        let at = mmap.position();
        if let Some(byte) = glue::peek_byte(&map, at) {
            if mmap.claim(at, at + 1) {
                return Ok(singletons::number(py, byte));
            }
        }
    }
    read_byte_anywhere(py, mmap)
}

/// A byte at the end, or of a page that fails.
#[inline(never)]
fn read_byte_anywhere<'py>(py: Python<'py>, mmap: &Mmap) -> Returned<'py> {
    let map = mmap.enter(py)?;
    loop {
        let at = mmap.position();
        if at >= map.len() {
            return Err(read_past_the_end());
        }
        if mmap.claim(at, at + 1) {
            let byte = map.get(at).map_err(|error| mmap.unclaim(at, at + 1, error))?;
            return Ok(singletons::number(py, byte));
        }
    }
}

#[inline(always)]
pub(super) fn readline<'py>(py: Python<'py>, mmap: &Mmap) -> Returned<'py> {
    if let Some(map) = mmap.ready() {
        let start = mmap.position();
        if let Some(line) = glue::peek_line(py, &map, start) {
            let line = line?;
            if mmap.claim(start, start + line.1) {
                return Ok(line.0);
            }
        }
    }
    readline_anywhere(py, mmap)
}

/// A line that is not in one page, or in one that fails.
#[inline(never)]
fn readline_anywhere<'py>(py: Python<'py>, mmap: &Mmap) -> Returned<'py> {
    loop {
        let len = mmap.enter(py)?.len();
        let start = mmap.position();
        if start >= len {
            return glue::bytes(py, 0, |_| Ok(()));
        }
        let newline = scan(py, mmap, b"\n", start..len, false)?;
        let end = newline.map_or(len, |at| at + 1);
        if mmap.advance(start, end) {
            match copy(py, mmap, start, end - start) {
                Ok(Some(line)) => return Ok(line),
                failed => {
                    mmap.advance(end, start);
                    failed?;
                }
            }
        }
    }
}

pub(super) fn resize<'py>(mmap: &Mmap, arg: Arg<'_, 'py>) -> Returned<'py> {
    let size = glue::size(&arg)?;
    resize_to(arg.py(), mmap, size, false)?;
    Ok(singletons::none(arg.py()))
}

/// Makes the map and its file so long. `empty`: whether a map of nothing will do.
pub(super) fn resize_to(py: Python<'_>, mmap: &Mmap, size: isize, empty: bool) -> Outcome<()> {
    const EXPORTED: &str = "mmap can't resize with extant buffers exported.";
    let (anonymous, offset, len) = {
        let map = mmap.enter(py)?;
        (map.is_anonymous(), map.file_offset(), map.len())
    };
    if mmap.is_exported() {
        return Err(pyo3::exceptions::PyBufferError::new_err(EXPORTED).into());
    }
    if !mmap.tracked {
        return Err(PyValueError::new_err("mmap can't resize with trackfd=False.").into());
    }
    if mmap.access == ACCESS_READ || mmap.access == ACCESS_COPY {
        let message = "mmap can't resize a readonly or copy-on-write memory map.";
        return Err(PyTypeError::new_err(message).into());
    }
    let size = usize::try_from(size)
        .ok()
        .filter(|&size| size as u64 <= isize::MAX as u64 - offset)
        .ok_or_else(|| PyValueError::new_err("new size out of range"))?;
    let resized = mmap.alone(py, EXPORTED, |map| {
        if size == 0 && !empty {
            // The standard truncates the file, and only then finds that there
            // is no map of nothing.
            if let Some(file) = map.file() {
                file.set_len(offset)?;
            }
            return Err(std::io::Error::from_raw_os_error(system::NO_BYTES));
        }
        map.resize(size).map_err(|error| match (error.kind(), error.raw_os_error()) {
            (_, Some(errno)) => std::io::Error::from_raw_os_error(errno),
            _ => error.into(),
        })
    })?;
    resized.map_err(|error| match error.raw_os_error() {
        Some(errno) => errors::os(py, errno),
        None if anonymous && size > len => {
            PyValueError::new_err("mmap: can't expand a shared anonymous mapping")
        }
        None => errors::os(py, system::NO_MEMORY),
    })?;
    Ok(())
}

pub(super) fn seek<'py>(mmap: &Mmap, args: &Args<'_, 'py>) -> Returned<'py> {
    let py = args.py;
    args.count(1, 2)?;
    let (by, whence) = (args.size(0, 0)?, args.int(1, 0)?);
    let len = mmap.enter(py)?.len();
    let base = match whence {
        0 => 0,
        1 => mmap.position(),
        2 => len,
        _ => return Err(PyValueError::new_err("unknown seek type").into()),
    };
    match base.checked_add_signed(by) {
        Some(to) if to <= len => {
            mmap.set_position(to);
            glue::unsigned(py, to)
        }
        _ => Err(seek_out_of_range()),
    }
}

pub(super) fn seekable<'py>(py: Python<'py>, _: &Mmap) -> Returned<'py> {
    Ok(singletons::truth(py, true))
}

pub(super) fn set_name<'py>(mmap: &Mmap, arg: Arg<'_, 'py>) -> Returned<'py> {
    // What fits the system's limit beside the prefix.
    const LONGEST: usize = 66;
    let py = arg.py();
    let Ok(name) = arg.cast::<pyo3::types::PyString>() else {
        let kind = match arg.get_type().name()?.to_string() {
            _ if glue::is_none(&arg) => "None".to_owned(),
            kind => kind,
        };
        let message = format!("set_name() argument must be str, not {kind}");
        return Err(PyTypeError::new_err(message).into());
    };
    let name = name.to_cow()?;
    if name.contains('\0') {
        return Err(PyValueError::new_err("embedded null character").into());
    }
    if name.len() > LONGEST {
        return Err(PyValueError::new_err("name is too long").into());
    }
    let map = match mmap.enter(py) {
        Ok(map) => map,
        // The standard does not look.
        Err(raised) if mmap.is_closed() => {
            raised.clear();
            return Ok(singletons::none(py));
        }
        Err(raised) => return Err(raised),
    };
    if !map.is_anonymous() {
        let message = "Cannot set annotation on non-anonymous mappings";
        return Err(PyValueError::new_err(message).into());
    }
    let dev_mode: bool = py.import("sys")?.getattr("flags")?.getattr("dev_mode")?.extract()?;
    if dev_mode {
        let full = std::ffi::CString::new(format!("cpython:mmap:{name}")).map_err(PyErr::from)?;
        map.set_name(&full).map_err(|error| match error.raw_os_error() {
            Some(errno) => errors::os(py, errno),
            None => PyNotImplementedError::new_err(error.to_string()),
        })?;
    }
    Ok(singletons::none(py))
}

pub(super) fn size<'py>(py: Python<'py>, mmap: &Mmap) -> Returned<'py> {
    let map = mmap.enter(py)?;
    if !mmap.tracked {
        let message = "can't get size with trackfd=False";
        return Err(if SIZE_IS_OS_ERROR.load(Ordering::Relaxed) {
            errors::unsupported(py, message, libc::EBADF)
        } else {
            PyValueError::new_err(message)
        }
        .into());
    }
    if map.is_anonymous() {
        return glue::unsigned(py, map.len());
    }
    let size = map.file_len().map_err(errors::raised)?;
    glue::number(py, size as isize)
}

pub(super) fn tell<'py>(py: Python<'py>, mmap: &Mmap) -> Returned<'py> {
    drop(mmap.enter(py)?);
    glue::unsigned(py, mmap.position())
}

pub(super) fn write<'py>(mmap: &Mmap, arg: Arg<'_, 'py>) -> Returned<'py> {
    let py = arg.py();
    let buffer = Buffer::get(&arg)?;
    let bytes = buffer.bytes();
    loop {
        let len = mmap.enter(py)?.len();
        check_writable(mmap)?;
        let start = mmap.position();
        if len.checked_sub(start).is_none_or(|room| room < bytes.len()) {
            return Err(data_out_of_range());
        }
        let end = start + bytes.len();
        if mmap.claim(start, end) {
            let written = mmap.run(py, bytes.len(), |map| map.write_at(start, bytes))?;
            written.map_err(|error| mmap.unclaim(start, end, error))?;
            return glue::unsigned(py, bytes.len());
        }
    }
}

pub(super) fn write_byte<'py>(mmap: &Mmap, arg: Arg<'_, 'py>) -> Returned<'py> {
    if let (Some(byte), Some(map)) = (singletons::small(&arg), mmap.ready()) {
        let at = mmap.position();
        if mmap.access != ACCESS_READ && map.poke(at, byte) && mmap.claim(at, at + 1) {
            return Ok(singletons::none(arg.py()));
        }
    }
    write_byte_anywhere(mmap, arg)
}

/// A byte at the end, or to a page that fails, or what is no byte.
#[inline(never)]
fn write_byte_anywhere<'py>(mmap: &Mmap, arg: Arg<'_, 'py>) -> Returned<'py> {
    let py = arg.py();
    let value = glue::long(&arg)?;
    let Ok(byte) = u8::try_from(value) else {
        return Err(not_a_byte(value < 0));
    };
    let map = mmap.enter(py)?;
    check_writable(mmap)?;
    loop {
        let at = mmap.position();
        if at >= map.len() {
            return Err(write_past_the_end());
        }
        if mmap.claim(at, at + 1) {
            map.set(at, byte).map_err(|error| mmap.unclaim(at, at + 1, error))?;
            return Ok(singletons::none(py));
        }
    }
}

#[cold]
#[inline(never)]
fn not_a_byte(negative: bool) -> Raised {
    PyOverflowError::new_err(if negative {
        "unsigned byte integer is less than minimum"
    } else {
        "unsigned byte integer is greater than maximum"
    })
    .into()
}

pub(super) fn enter<'py>(py: Python<'py>, mmap: &Mmap, this: &Arg<'_, 'py>) -> Returned<'py> {
    drop(mmap.enter(py)?);
    Ok((**this).clone())
}

pub(super) fn exit<'py>(mmap: &Mmap, args: &Args<'_, 'py>) -> Returned<'py> {
    args.count(3, 3)?;
    close(args.py, mmap)
}

/// `<mmap.mmap closed=False, access=…>`, with the name of the class.
pub(super) fn repr(py: Python<'_>, mmap: &Mmap, name: &str) -> Outcome<String> {
    if mmap.is_closed() {
        return Ok(format!("<{name} closed=True>"));
    }
    let access = match mmap.access {
        ACCESS_READ => "ACCESS_READ",
        ACCESS_WRITE => "ACCESS_WRITE",
        ACCESS_COPY => "ACCESS_COPY",
        _ => "ACCESS_DEFAULT",
    };
    let map = mmap.enter(py)?;
    let (length, position, offset) = (map.len(), mmap.position(), mmap.offset);
    Ok(format!(
        "<{name} closed=False, access={access}, length={length}, pos={position}, offset={offset}>"
    ))
}
