//! `find_all`, `find_any`, `finditer`, `lines` and `line_index`: iterators that
//! search or copy ahead, a part at a time.
//!
//! What Python sees is `itertools.chain` over lists, one a part: taking an item
//! out of a list is faster than any method that is written here.
#![deny(unsafe_code)]

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use faultless::{ErrorKind, FindAll, FindAny, FindRegex, LineIndexer, Map, PartSearch};
use pyo3::exceptions::{PyIndexError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyList, PyString};
use pyo3::{PyTraverseError, PyVisit};

use super::extras::Owner;
use super::regex::Match;
use super::state::Mmap;
use crate::errors;
use crate::glue::{self, Arg, Buffer, Call, Outcome, Returned, TooLarge};

/// A search whose parts become lists.
trait Steps: Send {
    /// Works on the next part; `false` if that was the last one.
    fn step(&mut self, map: &Map) -> faultless::Result<bool>;
    /// What has been found since, as a list.
    fn take<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyList>>;
    /// How many bytes the next part has, about, and how many are done.
    fn next(&self) -> usize;
    fn done(&self) -> usize;
}

/// A search of the core, and how one of its results becomes an object.
struct Searching<S: PartSearch, F> {
    search: S,
    found: Vec<S::Found>,
    object: F,
}

fn searching<S: PartSearch, F>(search: S, object: F) -> Searching<S, F>
where
    F: Fn(Python<'_>, S::Found) -> PyResult<Bound<'_, PyAny>>,
{
    Searching { search, found: Vec::new(), object }
}

impl<S, F> Steps for Searching<S, F>
where
    S: PartSearch<Found: Send> + Send,
    F: Fn(Python<'_>, S::Found) -> PyResult<Bound<'_, PyAny>> + Send,
{
    fn step(&mut self, map: &Map) -> faultless::Result<bool> {
        self.search.search_part(map, &mut self.found)
    }

    fn take<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let objects: PyResult<Vec<_>> =
            self.found.drain(..).map(|found| (self.object)(py, found)).collect();
        PyList::new(py, objects?)
    }

    fn next(&self) -> usize {
        self.search.next_part()
    }

    fn done(&self) -> usize {
        self.search.searched()
    }
}

/// An iterator of lists, one for each part of a search that has results.
#[pyclass(frozen, module = "faultless", name = "_Parts")]
pub(crate) struct Parts {
    map: Owner,
    /// Not here while a thread is at work with it, or when it has ended.
    state: Mutex<Option<Box<dyn Steps>>>,
    ended: AtomicBool,
    progress: Option<Py<PyAny>>,
    total: usize,
}

/// Notes, when it is dropped, that an iterator has come to its end, or to an
/// error, which ends it.
struct Ended<'a>(&'a AtomicBool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

impl Parts {
    /// Nobody holds it longer than a moment, and nobody waits for the interpreter
    /// with it.
    fn state(&self) -> MutexGuard<'_, Option<Box<dyn Steps>>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Parts {
    fn __iter__(this: Bound<'_, Self>) -> Bound<'_, Self> {
        this
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyList>>> {
        let taken = self.state().take();
        let Some(mut steps) = taken else {
            // Or `progress` asks for the next part, which is not there yet.
            return match self.ended.load(Relaxed) {
                true => Ok(None),
                false => Err(PyValueError::new_err("the iterator is in use already")),
            };
        };
        let ended = Ended(&self.ended);
        let mmap = self.map.mmap(py);
        loop {
            let stepped = mmap.run(py, steps.next(), |map| steps.step(map)).map_err(PyErr::from)?;
            let more = stepped.map_err(|error| errors::raise(py, &error))?;
            let list = steps.take(py)?;
            if let Some(progress) = &self.progress {
                progress.call1(py, (steps.done().min(self.total), self.total))?;
            }
            py.check_signals()?;
            if !list.is_empty() {
                if more {
                    *self.state() = Some(steps);
                    std::mem::forget(ended);
                }
                return Ok(Some(list));
            }
            if !more {
                return Ok(None);
            }
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Some(progress) = &self.progress {
            visit.call(progress)?;
        }
        visit.call(self.map.object())
    }
}

/// The argument `progress`.
pub(super) fn callable<'a, 'py>(progress: Option<Arg<'a, 'py>>) -> Outcome<Option<Arg<'a, 'py>>> {
    let progress = progress.filter(|arg| !glue::is_none(arg));
    match progress {
        Some(progress) if !progress.is_callable() => {
            Err(PyTypeError::new_err("progress must be callable, or None").into())
        }
        _ => Ok(progress),
    }
}

/// The range that `start` and `end` mean, as slices have it, and the callable for
/// progress.
pub(super) fn range_and_progress(
    py: Python<'_>,
    mmap: &Mmap,
    [start, end, progress]: [Option<Arg<'_, '_>>; 3],
) -> Outcome<(Range<usize>, Option<Py<PyAny>>)> {
    let given = |arg: Option<Arg<'_, '_>>| {
        let given = arg.filter(|arg| !glue::is_none(arg));
        given.map(|arg| glue::index(&arg, TooLarge::Clamp)).transpose()
    };
    let (start, end) = (given(start)?, given(end)?);
    let progress = callable(progress)?;
    let len = mmap.enter(py)?.len();
    let place = |offset: Option<isize>, default: usize| match offset {
        None => default,
        Some(offset) if offset < 0 => len.saturating_add_signed(offset),
        Some(offset) => offset.unsigned_abs().min(len),
    };
    let (start, end) = (place(start, 0), place(end, len));
    Ok((start..end.max(start), progress.map(|progress| progress.to_owned().unbind())))
}

/// The iterator over the results.
fn chain<'py>(
    py: Python<'py>,
    this: &Arg<'_, 'py>,
    (range, progress): (Range<usize>, Option<Py<PyAny>>),
    steps: impl Steps + 'static,
) -> Returned<'py> {
    static CHAIN: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let parts = Parts {
        map: Owner::new(this)?,
        state: Mutex::new(Some(Box::new(steps))),
        ended: false.into(),
        progress,
        total: range.len(),
    };
    let chain = CHAIN.get_or_try_init(py, || -> PyResult<_> {
        Ok(py.import("itertools")?.getattr("chain")?.getattr("from_iterable")?.unbind())
    })?;
    Ok(chain.bind(py).call1((parts,))?)
}

/// What an argument that is no option is missing for.
fn missing(call: &Call<'_, '_>, name: &str) -> glue::Raised {
    let message = format!("{}() missing required argument '{name}' (pos 1)", call.args.name());
    PyTypeError::new_err(message).into()
}

#[cold]
fn wrong_type(wanted: &str, arg: &Arg<'_, '_>) -> glue::Raised {
    match arg.get_type().name() {
        Ok(kind) => PyTypeError::new_err(format!("{wanted}, not '{kind}'")).into(),
        Err(error) => error.into(),
    }
}

pub(super) fn find_all<'py>(mmap: &Mmap, call: &Call<'_, 'py>) -> Returned<'py> {
    let py = call.py();
    let [sub, start, end, overlapping, progress] =
        call.bind(["sub", "start", "end", "overlapping", "progress"], 3)?;
    let needle = Buffer::get(&sub.ok_or_else(|| missing(call, "sub"))?)?;
    let overlapping = overlapping.map_or(Ok(false), |arg| arg.is_truthy())?;
    let (range, progress) = range_and_progress(py, mmap, [start, end, progress])?;
    let search = FindAll::new(needle.bytes(), range.clone());
    let search = if overlapping { search.overlapping() } else { search };
    let steps = searching(search, |py, at| Ok(at.into_pyobject(py)?.into_any()));
    chain(py, &call.this, (range, progress), steps)
}

pub(super) fn find_any<'py>(mmap: &Mmap, call: &Call<'_, 'py>) -> Returned<'py> {
    let py = call.py();
    let [subs, start, end, progress] = call.bind(["subs", "start", "end", "progress"], 3)?;
    let subs = subs.ok_or_else(|| missing(call, "subs"))?;
    if subs.is_instance_of::<PyBytes>() || subs.is_instance_of::<PyString>() {
        return Err(wrong_type("subs must be several, such as a list of bytes", &subs));
    }
    let mut needles = Vec::new();
    for sub in subs.try_iter()? {
        needles.push(Buffer::get(&sub?.as_borrowed())?.bytes().to_vec());
    }
    let (range, progress) = range_and_progress(py, mmap, [start, end, progress])?;
    let search = FindAny::new(&needles, range.clone()).map_err(errors::raised)?;
    let steps = searching(search, |py, found| {
        Ok((found.offset, found.needle).into_pyobject(py)?.into_any())
    });
    chain(py, &call.this, (range, progress), steps)
}

pub(super) fn finditer<'py>(mmap: &Mmap, call: &Call<'_, 'py>) -> Returned<'py> {
    let py = call.py();
    let [pattern, start, end, progress] = call.bind(["pattern", "start", "end", "progress"], 3)?;
    let pattern = pattern.ok_or_else(|| missing(call, "pattern"))?;
    let pattern: String = match pattern.extract() {
        Ok(text) => text,
        Err(_) => {
            let bytes = Buffer::get(&pattern).map_err(|raised| {
                raised.clear();
                wrong_type("the pattern must be str or bytes", &pattern)
            })?;
            let text = std::str::from_utf8(bytes.bytes());
            text.map_err(|_| {
                PyValueError::new_err("the pattern is not UTF-8; write \\xFF for a byte")
            })?
            .to_owned()
        }
    };
    let (range, progress) = range_and_progress(py, mmap, [start, end, progress])?;
    let search = FindRegex::new(&pattern, range.clone()).map_err(errors::raised)?;
    let names: std::sync::Arc<[Option<String>]> =
        search.names().map(|name| name.map(str::to_owned)).collect();
    let steps = searching(search, move |py, found| {
        Ok(Bound::new(py, Match::new(found, names.clone()))?.into_any())
    });
    chain(py, &call.this, (range, progress), steps)
}

pub(super) fn line_index<'py>(mmap: &Mmap, call: &Call<'_, 'py>) -> Returned<'py> {
    let py = call.py();
    let [start, end, progress] = call.bind(["start", "end", "progress"], 2)?;
    let (range, progress) = range_and_progress(py, mmap, [start, end, progress])?;
    let total = range.len();
    let mut indexer = LineIndexer::new(range);
    loop {
        let more = mmap.run(py, total, |map| indexer.index_part(map))?.map_err(errors::raised)?;
        if let Some(progress) = &progress {
            progress.call1(py, (indexer.indexed(), total))?;
        }
        py.check_signals()?;
        if !more {
            break;
        }
    }
    let index = LineIndex { map: Owner::new(&call.this)?, index: indexer.finish() };
    Ok(Bound::new(py, index)?.into_any())
}

/// Where the lines of a map are: `index[n]` is the nth line without its end, `len(index)` how many there are. It is of
/// the bytes that there were when `mmap.line_index` made it, and does not keep the map open.
#[pyclass(frozen, module = "faultless")]
pub(crate) struct LineIndex {
    map: Owner,
    index: faultless::LineIndex,
}

impl LineIndex {
    fn range(&self, py: Python<'_>, number: &Bound<'_, PyAny>) -> PyResult<Range<usize>> {
        let number = glue::index(&number.as_borrowed(), TooLarge::Clamp)?;
        let len = self.index.len();
        let number = if number < 0 {
            len.checked_add_signed(number as i64).filter(|number| *number < len)
        } else {
            Some(number as u64)
        };
        let out =
            || PyIndexError::new_err(format!("line index out of range: there are {len} lines"));
        let number = number.filter(|number| *number < len).ok_or_else(out)?;
        let line = self.map.mmap(py).run(py, 0, |map| self.index.line(map, number));
        line.map_err(PyErr::from)?.map_err(|error| errors::raise(py, &error))
    }
}

#[pymethods]
impl LineIndex {
    fn __len__(&self) -> usize {
        usize::try_from(self.index.len()).unwrap_or(usize::MAX)
    }

    fn __getitem__<'py>(
        &self,
        py: Python<'py>,
        number: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let range = self.range(py, number)?;
        let len = range.len();
        let read = self.map.mmap(py).run(py, len, |map| map.to_vec(range));
        let line = read.map_err(PyErr::from)?.map_err(|error| errors::raise(py, &error))?;
        Ok(PyBytes::new(py, line.strip_suffix(b"\n").unwrap_or(&line)))
    }

    /// (start, end) in the map of a line with its end.
    #[pyo3(signature = (number, /))]
    fn span(&self, py: Python<'_>, number: &Bound<'_, PyAny>) -> PyResult<(usize, usize)> {
        self.range(py, number).map(|range| (range.start, range.end))
    }

    /// The number of the line that has the byte at an offset of the map.
    #[pyo3(signature = (offset, /))]
    fn line_at(&self, py: Python<'_>, offset: &Bound<'_, PyAny>) -> PyResult<u64> {
        let offset = glue::index(&offset.as_borrowed(), TooLarge::Clamp)?;
        let Ok(offset) = usize::try_from(offset) else {
            return Err(PyIndexError::new_err(format!("offset {offset} is outside the map")));
        };
        let found = self.map.mmap(py).run(py, 0, |map| self.index.line_at(map, offset));
        found.map_err(PyErr::from)?.map_err(|error| match error.kind() {
            ErrorKind::OutOfRange => PyIndexError::new_err(error.to_string()),
            _ => errors::raise(py, &error),
        })
    }

    fn __repr__(&self) -> String {
        format!("<LineIndex of {} lines>", self.index.len())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(self.map.object())
    }
}
