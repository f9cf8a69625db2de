//! Methods about the pages of a map: which are in memory, bringing them there,
//! keeping them there, letting them go, and what they allow.
#![deny(unsafe_code)]

use std::ops::Range;

use faultless::Protection;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::methods::check_writable;
use super::state::{LONG, Mmap};
use super::text::callable;
use crate::errors;
use crate::glue::{self, Arg, Call, Outcome, Returned};
use crate::singletons;

/// How many bytes are brought in between two looks for signals.
const PART: usize = 32 << 20;

/// Which pages of a range of a map were in memory when `mmap.residency` looked.
#[pyclass(frozen, module = "faultless")]
pub(crate) struct Residency(faultless::Residency);

#[pymethods]
impl Residency {
    /// How many pages the range has, whole or in part.
    #[getter]
    fn pages(&self) -> usize {
        self.0.pages()
    }

    /// How many of them were in memory.
    #[getter]
    fn resident(&self) -> usize {
        self.0.resident()
    }

    /// The size of a page, in bytes.
    #[getter]
    fn page_size(&self) -> usize {
        self.0.page_size()
    }

    /// The parts of the range that were in memory: (start, end) in bytes of the map.
    fn ranges(&self) -> Vec<(usize, usize)> {
        self.0.ranges().map(|range| (range.start, range.end)).collect()
    }

    fn __repr__(&self) -> String {
        format!("<Residency: {}>", self.0)
    }
}

/// The range that `start` and `length` mean, as they were given.
fn range(
    py: Python<'_>,
    mmap: &Mmap,
    start: Option<Arg<'_, '_>>,
    length: Option<Arg<'_, '_>>,
) -> Outcome<Range<usize>> {
    let start = start.map_or(Ok(0), |arg| glue::size(&arg))?;
    let length = length.filter(|arg| !glue::is_none(arg));
    let length = length.map(|arg| glue::size(&arg)).transpose()?;
    let len = mmap.enter(py)?.len();
    let most = |given: isize, most: usize, what: &str| {
        let found = usize::try_from(given).ok().filter(|&given| given <= most);
        found.ok_or_else(|| {
            PyValueError::new_err(format!("{what} {given} is outside the map of {len} bytes"))
        })
    };
    let start = most(start, len, "start")?;
    let length = match length {
        Some(length) => most(length, len - start, &format!("start {start} with length"))?,
        None => len - start,
    };
    Ok(start..start + length)
}

/// Runs `work` on the range that the arguments mean, detached.
fn on_range<'py, R: Send>(
    mmap: &Mmap,
    call: &Call<'_, 'py>,
    work: impl FnOnce(&faultless::Map, Range<usize>) -> Result<R, faultless::Error> + Send,
) -> Outcome<R> {
    let py = call.py();
    let [start, length] = call.bind(["start", "length"], 2)?;
    let range = range(py, mmap, start, length)?;
    mmap.run(py, LONG, |map| work(map, range))?.map_err(errors::raised)
}

pub(super) fn residency<'py>(mmap: &Mmap, call: &Call<'_, 'py>) -> Returned<'py> {
    let found = on_range(mmap, call, |map, range| map.residency(range))?;
    Ok(Bound::new(call.py(), Residency(found))?.into_any())
}

pub(super) fn prefetch<'py>(mmap: &Mmap, call: &Call<'_, 'py>) -> Returned<'py> {
    let py = call.py();
    let [start, length, progress] = call.bind(["start", "length", "progress"], 2)?;
    let progress = callable(progress)?;
    let Range { start, end } = range(py, mmap, start, length)?;
    // In parts, between which nothing is in use: `progress` and the handlers of
    // signals may close the map.
    let mut done = start;
    loop {
        let part = done..end.min(done + PART);
        done = part.end;
        mmap.run(py, LONG, |map| map.prefetch(part))?.map_err(errors::raised)?;
        py.check_signals()?;
        if let Some(progress) = progress {
            progress.call1((done - start, end - start))?;
        }
        if done == end {
            return Ok(singletons::none(py));
        }
    }
}

pub(super) fn evict<'py>(mmap: &Mmap, call: &Call<'_, 'py>) -> Returned<'py> {
    on_range(mmap, call, |map, range| map.evict(range))?;
    Ok(singletons::none(call.py()))
}

pub(super) fn sync<'py>(mmap: &Mmap, call: &Call<'_, 'py>) -> Returned<'py> {
    let how = faultless::Flush::SYNC.durable();
    on_range(mmap, call, |map, range| map.flush_range(range, how))?;
    Ok(singletons::none(call.py()))
}

pub(super) fn lock<'py>(mmap: &Mmap, call: &Call<'_, 'py>) -> Returned<'py> {
    on_range(mmap, call, |map, range| map.lock(range))?;
    Ok(singletons::none(call.py()))
}

pub(super) fn unlock<'py>(mmap: &Mmap, call: &Call<'_, 'py>) -> Returned<'py> {
    on_range(mmap, call, |map, range| map.unlock(range))?;
    Ok(singletons::none(call.py()))
}

pub(super) fn protect<'py>(mmap: &Mmap, arg: Arg<'_, 'py>) -> Returned<'py> {
    // Whoever has the memory would be ended by a signal at his next access.
    const EXPORTED: &str = "mmap can't change its protection with extant buffers exported.";
    let py = arg.py();
    let wanted = glue::int(&arg)?;
    drop(mmap.enter(py)?);
    let known = Protection::READ | Protection::WRITE | Protection::EXECUTE;
    if wanted & !known.raw() != 0 {
        return Err(
            PyValueError::new_err("prot must be made of PROT_READ, PROT_WRITE, PROT_EXEC").into()
        );
    }
    let wanted = Protection::from_raw(wanted);
    if wanted.contains(Protection::WRITE) {
        check_writable(mmap)?;
    }
    let done = mmap.alone(py, EXPORTED, |map| map.protect(wanted))?;
    done.map_err(errors::raised)?;
    Ok(singletons::none(py))
}
