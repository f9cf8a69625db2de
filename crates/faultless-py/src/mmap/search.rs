//! `find`, `rfind`, and the searches of other methods.
#![deny(unsafe_code)]

use std::num::NonZeroUsize;
use std::ops::ControlFlow::{self, Break, Continue};
use std::ops::Range;

use faultless::Map;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::state::{LONG, Mmap};
use crate::errors;
use crate::glue::{self, Buffer, Call, Outcome, Returned, TooLarge};
use crate::singletons;

pub(super) fn find<'py>(mmap: &Mmap, call: &Call<'_, 'py>) -> Returned<'py> {
    search(mmap, call, false)
}

pub(super) fn rfind<'py>(mmap: &Mmap, call: &Call<'_, 'py>) -> Returned<'py> {
    search(mmap, call, true)
}

#[inline(always)]
fn search<'py>(mmap: &Mmap, call: &Call<'_, 'py>, reverse: bool) -> Returned<'py> {
    let py = call.py();
    call.args.count(1, 3)?;
    let Some(needle) = call.args.get(0) else {
        return Ok(singletons::none(py));
    };
    let needle = Buffer::get(&needle)?;
    let threads = match call.only("threads")? {
        Some(arg) => threads(glue::index(&arg, TooLarge::Overflow)?)?,
        None => 1,
    };
    let mut len = mmap.enter(py)?.len();
    let (mut start, mut end) = (mmap.position() as isize, len as isize);
    if let Some(from) = call.args.given(1) {
        start = glue::size(&from)?;
        // Without a start, the end is not looked at.
        if let Some(to) = call.args.given(2) {
            end = glue::size(&to)?;
        }
        // The conversions may have closed or resized the map.
        len = mmap.enter(py)?.len();
        if call.args.given(2).is_none() {
            end = len as isize;
        }
    }
    let wrap = |offset: isize| {
        if offset < 0 { (offset + len as isize).max(0) } else { offset }
    };
    let (start, end) = (wrap(start) as usize, (wrap(end) as usize).min(len));
    if start > end {
        return glue::number(py, -1);
    }
    let (needle, places) = (needle.bytes(), start..end);
    let found = if threads == 1 {
        scan(py, mmap, needle, places, reverse)?
    } else {
        scan_on(threads, py, mmap, needle, places, reverse)?
    };
    match found {
        Some(at) => glue::unsigned(py, at),
        None => glue::number(py, -1),
    }
}

/// How many threads the argument means.
fn threads(wanted: isize) -> Outcome<usize> {
    match usize::try_from(wanted) {
        Ok(0) => Ok(std::thread::available_parallelism().map_or(1, NonZeroUsize::get)),
        Ok(threads) => Ok(threads),
        Err(_) => Err(PyValueError::new_err("threads must not be negative").into()),
    }
}

/// Bytes that are searched without detaching: most matches are near, and not
/// worth it.
const NEAR: usize = 16 << 10;
/// Bytes that are searched before signals are looked at.
const PART: usize = 256 << 20;

/// Searches, a part at a time if it is long, so that Ctrl-C is heeded.
#[inline]
pub(super) fn scan(
    py: Python<'_>,
    mmap: &Mmap,
    needle: &[u8],
    bytes: Range<usize>,
    reverse: bool,
) -> Outcome<Option<usize>> {
    scan_with(py, mmap, needle.len(), bytes, reverse, move |map, range| {
        if reverse { map.rfind(needle, range) } else { map.find(needle, range) }
    })
}

/// The same on several threads, which live no longer than a part takes: a process
/// that forks has none of them.
#[cold]
fn scan_on(
    threads: usize,
    py: Python<'_>,
    mmap: &Mmap,
    needle: &[u8],
    bytes: Range<usize>,
    reverse: bool,
) -> Outcome<Option<usize>> {
    scan_with(py, mmap, needle.len(), bytes, reverse, move |map, range| {
        if reverse {
            map.rfind_on(threads, needle, range)
        } else {
            map.find_on(threads, needle, range)
        }
    })
}

#[inline(always)]
fn scan_with(
    py: Python<'_>,
    mmap: &Mmap,
    needle: usize,
    bytes: Range<usize>,
    reverse: bool,
    search: impl Fn(&Map, Range<usize>) -> faultless::Result<Option<usize>> + Copy + Send,
) -> Outcome<Option<usize>> {
    let mut most = if bytes.len() < LONG { LONG } else { NEAR };
    let mut left = Left { mmap, bytes, overlap: needle.saturating_sub(1), reverse };
    loop {
        if let Break(found) = left.search(py, most, search)? {
            return Ok(found);
        }
        py.check_signals()?;
        most = PART;
    }
}

/// The bytes that have not been searched yet.
struct Left<'a> {
    mmap: &'a Mmap,
    bytes: Range<usize>,
    /// How far a match may reach from one part into the next.
    overlap: usize,
    reverse: bool,
}

impl Left<'_> {
    /// Searches the next part, of at most so many bytes unless the needle is long.
    #[inline(always)]
    fn search(
        &mut self,
        py: Python<'_>,
        most: usize,
        search: impl FnOnce(&Map, Range<usize>) -> faultless::Result<Option<usize>> + Send,
    ) -> Outcome<ControlFlow<Option<usize>>> {
        let Range { start, end } = self.bytes;
        let len = (end - start).min(most.max(2 * self.overlap + 2));
        let (from, to) = if self.reverse { (end - len, end) } else { (start, start + len) };
        let found = self.mmap.run(py, len, move |map| {
            // The map may have become shorter while nobody looked.
            search(map, from.min(map.len())..to.min(map.len()))
        })?;
        let found = found.map_err(errors::raised)?;
        if found.is_some() || len == end - start {
            return Ok(Break(found));
        }
        if self.reverse {
            self.bytes.end = from + self.overlap;
        } else {
            self.bytes.start = to - self.overlap;
        }
        Ok(Continue(()))
    }
}
