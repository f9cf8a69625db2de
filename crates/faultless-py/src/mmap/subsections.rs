//! What a map has of the methods of `bytes` that look for a part: with their
//! arguments and their messages.
#![deny(unsafe_code)]

use std::cmp::Ordering;
use std::ops::Range;

use faultless::Map;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::search::scan;
use super::state::Mmap;
use crate::errors;
use crate::glue::{self, Arg, Buffer, Call, Outcome, Raised, Returned, TooLarge};
use crate::singletons;

const NAMES: [&str; 3] = ["sub", "start", "end"];

/// What is looked for: bytes, or an integer that is one.
enum Sub<'a> {
    Byte([u8; 1]),
    Bytes(Buffer<'a>),
}

impl<'a> Sub<'a> {
    fn get(arg: &Arg<'a, '_>) -> Outcome<Self> {
        match Buffer::get(arg) {
            Ok(bytes) => Ok(Self::Bytes(bytes)),
            Err(raised) if !glue::is_index(arg) => {
                raised.clear();
                let kind = arg.get_type().name()?;
                let message =
                    format!("argument should be integer or bytes-like object, not '{kind}'");
                Err(PyTypeError::new_err(message).into())
            }
            Err(raised) => {
                raised.clear();
                let value = glue::index(arg, TooLarge::Clamp)?;
                let byte = u8::try_from(value)
                    .map_err(|_| PyValueError::new_err("byte must be in range(0, 256)"))?;
                Ok(Self::Byte([byte]))
            }
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::Byte(byte) => byte,
            Self::Bytes(bytes) => bytes.bytes(),
        }
    }
}

/// Where to look, as slices have it; `None`: the start lies behind the end, or
/// behind the map.
fn places(
    py: Python<'_>,
    mmap: &Mmap,
    start: Option<Arg<'_, '_>>,
    end: Option<Arg<'_, '_>>,
) -> Outcome<Option<Range<usize>>> {
    let convert = |arg: Option<Arg<'_, '_>>, default| {
        let given = arg.filter(|arg| !glue::is_none(arg));
        given.map_or(Ok(default), |arg| glue::index(&arg, TooLarge::Clamp))
    };
    let (start, end) = (convert(start, 0)?, convert(end, isize::MAX)?);
    // The conversions may have closed or resized the map.
    let len = mmap.enter(py)?.len();
    let wrap = |at: isize| {
        if at < 0 { at.saturating_add_unsigned(len).max(0) as usize } else { at as usize }
    };
    let (start, end) = (wrap(start), wrap(end).min(len));
    Ok((start <= end).then_some(start..end))
}

pub(super) fn count<'py>(mmap: &Mmap, call: &Call<'_, 'py>) -> Returned<'py> {
    let py = call.py();
    let [sub, start, end] = call.bind(NAMES, 3)?;
    let sub = Sub::get(&sub.ok_or_else(|| missing(call))?)?;
    let Some(places) = places(py, mmap, start, end)? else {
        return glue::unsigned(py, 0);
    };
    glue::unsigned(py, count_in(py, mmap, sub.bytes(), places)?)
}

/// Counts, a part at a time, so that Ctrl-C is heeded.
fn count_in(
    py: Python<'_>,
    mmap: &Mmap,
    needle: &[u8],
    Range { mut start, end }: Range<usize>,
) -> Outcome<usize> {
    const PART: usize = 16 << 20;
    if needle.is_empty() {
        return Ok(end - start + 1);
    }
    let mut found = 0;
    loop {
        let part = (end - start).min(PART.max(2 * needle.len()));
        let counted = mmap.run(py, part, |map| count_part(map, needle, start, start + part))?;
        let (count, next) = counted.map_err(errors::raised)?;
        found += count;
        if start + part == end {
            return Ok(found);
        }
        // A match may stand across the border, but not in what was counted.
        start = next.max(start + part - (needle.len() - 1));
        py.check_signals()?;
    }
}

/// How often, and where the last one ends.
fn count_part(
    map: &Map,
    needle: &[u8],
    start: usize,
    end: usize,
) -> faultless::Result<(usize, usize)> {
    // The map may have become shorter while nobody looked.
    let (start, end) = (start.min(map.len()), end.min(map.len()));
    if needle.len() == 1 {
        return Ok((map.count(needle, start..end)?, start));
    }
    map.find_iter(needle, start..end)?
        .try_fold((0, start), |(count, _), at| Ok((count + 1, at? + needle.len())))
}

pub(super) fn index<'py>(mmap: &Mmap, call: &Call<'_, 'py>) -> Returned<'py> {
    find(mmap, call, false)
}

pub(super) fn rindex<'py>(mmap: &Mmap, call: &Call<'_, 'py>) -> Returned<'py> {
    find(mmap, call, true)
}

fn find<'py>(mmap: &Mmap, call: &Call<'_, 'py>, reverse: bool) -> Returned<'py> {
    let py = call.py();
    let [sub, start, end] = call.bind(NAMES, 3)?;
    let sub = Sub::get(&sub.ok_or_else(|| missing(call))?)?;
    let found = match places(py, mmap, start, end)? {
        Some(places) => scan(py, mmap, sub.bytes(), places, reverse)?,
        None => None,
    };
    let found = found.ok_or_else(|| PyValueError::new_err("subsection not found"))?;
    glue::unsigned(py, found)
}

#[cold]
fn missing(call: &Call<'_, '_>) -> Raised {
    let name = call.args.name();
    PyTypeError::new_err(format!("{name} expected at least 1 argument, got 0")).into()
}

pub(super) fn startswith<'py>(mmap: &Mmap, call: &Call<'_, 'py>) -> Returned<'py> {
    let given = call.bind(["prefix", "start", "end"], 3)?;
    any_matches(mmap, call, given, |range, len| range.start..range.start + len)
}

pub(super) fn endswith<'py>(mmap: &Mmap, call: &Call<'_, 'py>) -> Returned<'py> {
    let given = call.bind(["suffix", "start", "end"], 3)?;
    any_matches(mmap, call, given, |range, len| range.end - len..range.end)
}

/// Whether one of the affixes stands where `place` says.
fn any_matches<'py>(
    mmap: &Mmap,
    call: &Call<'_, 'py>,
    [affixes, start, end]: [Option<Arg<'_, 'py>>; 3],
    place: fn(&Range<usize>, usize) -> Range<usize>,
) -> Returned<'py> {
    let py = call.py();
    let affixes = affixes.ok_or_else(|| missing(call))?;
    let matches = |affix: &Arg<'_, 'py>| -> Outcome<bool> {
        let bytes = Buffer::get(affix).map_err(|raised| not_an_affix(call, affix, raised))?;
        let bytes = bytes.bytes();
        let Some(places) = places(py, mmap, start, end)? else {
            return Ok(false);
        };
        if places.len() < bytes.len() {
            return Ok(false);
        }
        let range = place(&places, bytes.len());
        let order = mmap.run(py, bytes.len(), |map| map.compare(range, bytes))?;
        Ok(order.map_err(errors::raised)? == Ordering::Equal)
    };
    let found = match affixes.cast::<PyTuple>() {
        Ok(tuple) => {
            drop(mmap.enter(py)?);
            let mut found = false;
            for affix in tuple.iter_borrowed() {
                found = matches(&affix)?;
                if found {
                    break;
                }
            }
            found
        }
        Err(_) => matches(&affixes)?,
    };
    Ok(singletons::truth(py, found))
}

#[cold]
fn not_an_affix(call: &Call<'_, '_>, affix: &Arg<'_, '_>, raised: Raised) -> Raised {
    raised.clear();
    let name = call.args.name();
    match affix.get_type().name() {
        Ok(kind) => {
            let message = format!("{name} first arg must be bytes or a tuple of bytes, not {kind}");
            PyTypeError::new_err(message).into()
        }
        Err(error) => error.into(),
    }
}
