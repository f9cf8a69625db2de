//! The iterator of `mmap.lines`: a type of its own, written for C, because a loop
//! over lines spends its time in getting the next one.
//!
//! It copies a block of the map and finds all its lines at a time. Each becomes an
//! object when it is asked for and not before: then the next one gets the memory
//! that it leaves, which is still in the processor's cache.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, Ordering::*};

use faultless::LineBlocks;
use pyo3::exceptions::PyValueError;

use super::extras::Owner;
use super::state::PARALLEL;
use super::text::range_and_progress;
use super::*;
use crate::errors;

#[repr(C)]
struct LinesObject {
    head: ffi::PyObject,
    lines: Lines,
}

struct Lines {
    map: Owner,
    progress: Option<Py<PyAny>>,
    total: usize,
    keepends: bool,
    /// Whether a thread is at work on the block. With a global lock that can only be
    /// seen while another one waits for the next block.
    busy: AtomicBool,
    block: UnsafeCell<Block>,
}

struct Block {
    /// `None` after the last block, or an error.
    blocks: Option<LineBlocks>,
    bytes: Vec<u8>,
    /// Where its lines end.
    ends: Vec<usize>,
    /// Which one is next, and where it begins.
    next: usize,
    start: usize,
}

/// The block to oneself.
struct Working<'a>(&'a Lines);

impl<'a> Working<'a> {
    #[inline(always)]
    fn begin(lines: &'a Lines) -> Option<Self> {
        let busy = if PARALLEL {
            lines.busy.swap(true, Acquire)
        } else {
            let busy = lines.busy.load(Relaxed);
            lines.busy.store(true, Relaxed);
            busy
        };
        (!busy).then_some(Self(lines))
    }

    #[inline(always)]
    fn block(&mut self) -> &mut Block {
        // SAFETY: `busy` was not set before, and keeps others out while this lives.
        unsafe { &mut *self.0.block.get() }
    }
}

impl Drop for Working<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        self.0.busy.store(false, Release);
    }
}

impl Lines {
    #[inline(always)]
    fn next<'py>(&self, py: Python<'py>) -> Outcome<Option<Bound<'py, PyAny>>> {
        let mut working = Working::begin(self).ok_or_else(in_use)?;
        let block = working.block();
        if block.next == block.ends.len() && !self.fill(py, block)? {
            return Ok(None);
        }
        let Some(&end) = block.ends.get(block.next) else { return Ok(None) };
        let Some(line) = block.bytes.get(block.start..end) else { return Ok(None) };
        (block.next, block.start) = (block.next + 1, end);
        let line = if self.keepends { line } else { line.strip_suffix(b"\n").unwrap_or(line) };
        glue::bytes_of(py, line).map(Some)
    }

    /// Reads the next block; `false` if there is none.
    #[cold]
    #[inline(never)]
    fn fill(&self, py: Python<'_>, block: &mut Block) -> Outcome<bool> {
        // Back only if there is more to come.
        let Some(mut blocks) = block.blocks.take() else { return Ok(false) };
        let bytes = &mut block.bytes;
        loop {
            let read = self.map.mmap(py).run(py, LONG, |map| blocks.read_part(map, bytes))?;
            let read = read.map_err(errors::raised)?;
            if read == Some(false) {
                block.bytes = Vec::new();
                return Ok(false);
            }
            if let Some(progress) = &self.progress {
                progress.call1(py, (blocks.read().min(self.total), self.total))?;
            }
            py.check_signals()?;
            if read.is_some() {
                break;
            }
        }
        block.ends.clear();
        LineBlocks::ends(&block.bytes, &mut block.ends);
        (block.next, block.start) = (0, 0);
        block.blocks = Some(blocks);
        Ok(true)
    }
}

#[cold]
#[inline(never)]
fn in_use() -> glue::Raised {
    PyValueError::new_err("the iterator is in use already").into()
}

pub(super) fn lines<'py>(mmap: &Mmap, call: &Call<'_, 'py>) -> Returned<'py> {
    let py = call.py();
    let [start, end, keepends, progress] =
        call.bind(["start", "end", "keepends", "progress"], 2)?;
    let keepends = keepends.map_or(Ok(false), |arg| arg.is_truthy())?;
    let (range, progress) = range_and_progress(py, mmap, [start, end, progress])?;
    let lines = Lines {
        map: Owner::new(&call.this)?,
        progress,
        total: range.len(),
        keepends,
        busy: AtomicBool::new(false),
        block: UnsafeCell::new(Block {
            blocks: Some(LineBlocks::new(range)),
            bytes: Vec::new(),
            ends: Vec::new(),
            next: 0,
            start: 0,
        }),
    };
    static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let class = CLASS.get_or_try_init(py, || make_class(py).map(Bound::unbind))?;
    // SAFETY: the memory is zeroed, large enough, and not seen by anybody before
    // its field is written.
    unsafe {
        let object = ffi::PyType_GenericAlloc(class.as_ptr().cast(), 0);
        let object = Bound::from_owned_ptr_or_err(py, object)?;
        (&raw mut (*object.as_ptr().cast::<LinesObject>()).lines).write(lines);
        Ok(object)
    }
}

fn make_class(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    let slots = [
        (ffi::Py_tp_iter, ffi::PyObject_SelfIter as *mut c_void),
        (ffi::Py_tp_iternext, next as *mut c_void),
        (ffi::Py_tp_dealloc, deallocate as *mut c_void),
        (ffi::Py_tp_traverse, traverse as *mut c_void),
    ];
    let flags = ffi::Py_TPFLAGS_DISALLOW_INSTANTIATION;
    // SAFETY: the slots are functions for a `LinesObject`.
    unsafe { make_type::<LinesObject>(py, c"faultless._Lines", flags, &slots) }
}

unsafe extern "C" fn next(object: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: Python calls it with a live object of the class.
    unsafe { glue::enter_hot(|py| (*object.cast::<LinesObject>()).lines.next(py)) }
}

unsafe extern "C" fn traverse(
    object: *mut ffi::PyObject,
    visit: ffi::visitproc,
    context: *mut c_void,
) -> c_int {
    // SAFETY: Python calls it with a live object and a function for what it
    // refers to.
    unsafe {
        let lines = &(*object.cast::<LinesObject>()).lines;
        let progress = lines.progress.as_ref().map_or(ptr::null_mut(), Py::as_ptr);
        for referred in [ffi::Py_TYPE(object).cast(), lines.map.object().as_ptr(), progress] {
            if !referred.is_null() {
                let stop = visit(referred, context);
                if stop != 0 {
                    return stop;
                }
            }
        }
        0
    }
}

unsafe extern "C" fn deallocate(object: *mut ffi::PyObject) {
    // SAFETY: Python calls it once, when nobody else has the object.
    unsafe {
        ffi::PyObject_GC_UnTrack(object.cast());
        let lines = &raw mut (*object.cast::<LinesObject>()).lines;
        // Otherwise the map would be kept until PyO3's next call.
        Python::attach(|_| ptr::drop_in_place(lines));
        give_back(object);
    }
}
