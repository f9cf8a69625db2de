//! `AppendLog` and `LogReader`.

use std::path::PathBuf;
use std::time::Duration;

use faultless::{AppendLogOptions, ErrorKind};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors;
use crate::glue::Buffer;
use crate::integer::{integer, integer_or_none};
use crate::mmap::LONG;
use crate::one_by_one::OneByOne;
use crate::path::FilePath;

#[cold]
fn raise(py: Python<'_>, error: &faultless::Error) -> PyErr {
    match (error.kind(), error.raw_os_error(), error.path()) {
        (ErrorKind::Os, Some(errno), Some(path)) => errors::os_with_path(py, errno, path),
        _ => errors::raise(py, error),
    }
}

/// A log of records that any number of threads and programs append to at the same time, and whose records survive the
/// program: once `append` has returned, no `kill -9` loses the record, and at no instruction does one leave half a
/// record for readers to find.
///
/// The file at `path` is made if there is none. With `max_size`, in bytes, a new file is begun when the present one
/// would become longer, and `keep` older ones stay beside it as path.1, the last one, to path.N. With `durable` every
/// record is on the disk when its append returns; without, it is after a `sync`.
///
/// ValueError if the file is something else than a log, or damaged; it is not changed.
#[expect(clippy::doc_markdown, reason = "Python's documentation")]
#[pyclass(frozen, module = "faultless")]
#[derive(Debug)]
pub(crate) struct AppendLog {
    log: faultless::AppendLog,
    path: PathBuf,
}

#[pymethods]
impl AppendLog {
    #[new]
    #[pyo3(signature = (path, *, max_size = None, keep = 5, durable = false))]
    fn new(
        py: Python<'_>,
        path: FilePath,
        #[pyo3(from_py_with = integer_or_none)] max_size: Option<usize>,
        #[pyo3(from_py_with = integer)] keep: u32,
        durable: bool,
    ) -> PyResult<Self> {
        let mut options = AppendLogOptions::new();
        if let Some(bytes) = max_size {
            options.rotate(bytes, keep);
        }
        options.durable(durable);
        // What a forked child shall find must not change with the folder.
        let path = std::path::absolute(&path.0).unwrap_or(path.0);
        let log = py.detach(|| options.open(&path)).map_err(|error| raise(py, &error))?;
        Ok(Self { log, path })
    }

    /// Append a record, any bytes, and return its offset: a number that grows with every record.
    #[pyo3(signature = (record, /))]
    fn append(&self, py: Python<'_>, record: &Bound<'_, PyAny>) -> PyResult<u64> {
        let buffer = Buffer::get(&record.as_borrowed())?;
        let bytes = buffer.bytes();
        // A short one is there before another thread could run.
        let appended = if bytes.len() < LONG && !self.log.is_durable() {
            self.log.append(bytes)
        } else {
            py.detach(|| self.log.append(bytes))
        };
        appended.map_err(|error| raise(py, &error))
    }

    /// Write everything that has been appended to the disk, and wait until it is there.
    fn sync(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.log.sync()).map_err(|error| raise(py, &error))
    }

    /// The record at an offset that `append` returned.
    #[pyo3(signature = (offset, /))]
    fn read<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = integer)] offset: u64,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let found = py.detach(|| self.log.read(offset)).map_err(|error| raise(py, &error))?;
        Ok(PyBytes::new(py, &found))
    }

    /// An iterator of (offset, record) over what has been appended so far, from the offset `start` on.
    #[pyo3(signature = (start = None))]
    fn records(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = integer_or_none)] start: Option<u64>,
    ) -> PyResult<LogReader> {
        let open = || {
            let mut reader = self.log.records()?;
            start.map_or(Ok(()), |start| reader.seek(start))?;
            Ok(reader)
        };
        let reader = py.detach(open).map_err(|error| raise(py, &error))?;
        Ok(LogReader { reader: OneByOne::new(reader), follow: false, bare: false })
    }

    fn __iter__(&self, py: Python<'_>) -> PyResult<LogReader> {
        Ok(LogReader { bare: true, ..self.records(py, None)? })
    }

    /// The offset behind the last record.
    #[getter]
    fn end(&self, py: Python<'_>) -> PyResult<u64> {
        py.detach(|| self.log.end()).map_err(|error| raise(py, &error))
    }

    /// The path of the log.
    #[getter]
    fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// Whether the log has been closed.
    #[getter]
    fn closed(&self) -> bool {
        self.log.is_closed()
    }

    /// Cut off what the file has in reserve. Any further use is a ValueError.
    #[expect(clippy::doc_markdown, reason = "Python's documentation")]
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.log.close()).map_err(|error| raise(py, &error))
    }

    fn __enter__(this: Bound<'_, Self>) -> PyResult<Bound<'_, Self>> {
        if this.get().log.is_closed() {
            return Err(PyValueError::new_err("the log has been closed"));
        }
        Ok(this)
    }

    #[pyo3(signature = (exc_type, exc_value, traceback, /))]
    fn __exit__(
        &self,
        py: Python<'_>,
        exc_type: &Bound<'_, PyAny>,
        exc_value: &Bound<'_, PyAny>,
        traceback: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let _ = (exc_type, exc_value, traceback);
        self.close(py)
    }

    fn __repr__(&self) -> String {
        let state = if self.log.is_closed() { "closed" } else { "open" };
        format!("<faultless.AppendLog {:?} {state}>", self.path.display().to_string())
    }
}

/// Reads a log without keeping anybody from appending: an iterator of (offset, record), from the offset `start` on, or
/// from the oldest record that is kept.
///
/// It ends where it has caught up with those who append; with `follow` it waits for more, until Ctrl-C. A damaged
/// record is a ValueError, and the next one the next record.
#[expect(clippy::doc_markdown, reason = "Python's documentation")]
#[pyclass(frozen, module = "faultless")]
#[derive(Debug)]
pub(crate) struct LogReader {
    reader: OneByOne<faultless::LogReader>,
    follow: bool,
    /// Whether it gives records without their offsets.
    bare: bool,
}

impl LogReader {
    fn next<'py>(&self, py: Python<'py>) -> PyResult<Option<(u64, Bound<'py, PyBytes>)>> {
        let mut bytes = Vec::new();
        let read = || self.reader.with(|reader| reader.read_next(&mut bytes));
        let Some(found) = py.detach(read) else {
            let message =
                "another thread used the reader when this process was forked; open the log anew";
            return Err(PyValueError::new_err(message));
        };
        let found = found.map_err(|error| raise(py, &error))?;
        Ok(found.map(|offset| (offset, PyBytes::new(py, &bytes))))
    }
}

#[pymethods]
impl LogReader {
    #[new]
    #[pyo3(signature = (path, *, start = None, follow = false))]
    fn new(
        py: Python<'_>,
        path: FilePath,
        #[pyo3(from_py_with = integer_or_none)] start: Option<u64>,
        follow: bool,
    ) -> PyResult<Self> {
        let open = || {
            let mut reader = faultless::LogReader::open(path.0)?;
            start.map_or(Ok(()), |start| reader.seek(start))?;
            Ok(reader)
        };
        let reader = py.detach(open).map_err(|error| raise(py, &error))?;
        Ok(Self { reader: OneByOne::new(reader), follow, bare: false })
    }

    fn __iter__(this: Bound<'_, Self>) -> Bound<'_, Self> {
        this
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let mut pause = Duration::from_millis(1);
        loop {
            match self.next(py)? {
                Some((_, record)) if self.bare => return Ok(Some(record.into_any())),
                Some(found) => return Ok(Some(found.into_pyobject(py)?.into_any())),
                None if !self.follow => return Ok(None),
                None => {}
            }
            py.detach(|| std::thread::sleep(pause));
            py.check_signals()?;
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }

    /// The next (offset, record), or None if there is none yet; it never waits.
    fn poll<'py>(&self, py: Python<'py>) -> PyResult<Option<(u64, Bound<'py, PyBytes>)>> {
        self.next(py)
    }
}
