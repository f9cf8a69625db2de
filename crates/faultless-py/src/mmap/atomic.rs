//! `mmap.atomic`: numbers that threads and processes change at the same time.
#![deny(unsafe_code)]

use std::time::{Duration, Instant};

use faultless::{ErrorKind, Map};
use pyo3::exceptions::{PyIndexError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

use super::extras::Owner;
use super::methods::check_writable;
use super::state::{LONG, Mmap};
use crate::errors::raise;
use crate::glue::{self, Arg, Args, Returned, TooLarge};
use crate::integer::integer;

/// How long a wait is at a time: so long at most does it take to heed Ctrl-C,
/// and so long does closing the map have to wait.
const SLICE: Duration = Duration::from_millis(50);

#[derive(Clone, Copy)]
enum Kind {
    U32,
    I32,
    U64,
    I64,
}

const KINDS: [(&str, Kind); 4] =
    [("u32", Kind::U32), ("i32", Kind::I32), ("u64", Kind::U64), ("i64", Kind::I64)];

/// Does the same with a number of each kind.
macro_rules! each {
    ($kind:expr, $number:ident => $body:expr) => {
        match $kind {
            Kind::U32 => {
                type $number = u32;
                $body
            }
            Kind::I32 => {
                type $number = i32;
                $body
            }
            Kind::U64 => {
                type $number = u64;
                $body
            }
            Kind::I64 => {
                type $number = i64;
                $body
            }
        }
    };
}

/// Changes the number by one of its methods, and returns what it was.
macro_rules! fetch {
    ($self:ident, $py:ident, $value:ident, $method:ident) => {
        each!($self.kind, N => {
            let value = N::bits($value)?;
            let old = $self.change($py, |map| map.atomic::<N>($self.offset)?.$method(value))?;
            Ok(old.into_pyobject($py)?.into_any())
        })
    };
}

/// A number whose bits an integer stands for, with or without a sign.
trait Bits: Sized {
    fn bits(arg: &Bound<'_, PyAny>) -> PyResult<Self>;
}

macro_rules! bits {
    ($($number:ty: $other:ty)*) => {$(
        impl Bits for $number {
            fn bits(arg: &Bound<'_, PyAny>) -> PyResult<Self> {
                arg.extract()
                    .or_else(|_| arg.extract::<$other>().map(|n| n as Self))
                    .or_else(|_| integer(arg))
            }
        }
    )*};
}

bits! { u32: i32 i32: u32 u64: i64 i64: u64 }

/// A number in a map that threads and processes may change at the same time.
///
/// It does not keep its map open.
#[pyclass(frozen, module = "faultless")]
pub(crate) struct Atomic {
    map: Owner,
    kind: Kind,
    offset: usize,
}

impl Atomic {
    fn read<R>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&Map) -> Result<R, faultless::Error>,
    ) -> PyResult<R> {
        let map = self.map.mmap(py).enter(py)?;
        work(&map).map_err(|error| raise_at(py, &error))
    }

    fn change<R>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&Map) -> Result<R, faultless::Error>,
    ) -> PyResult<R> {
        let mmap = self.map.mmap(py);
        let map = mmap.enter(py)?;
        check_writable(mmap)?;
        work(&map).map_err(|error| raise_at(py, &error))
    }
}

/// As `raise`; a place that the map has not, or not any more, is an `IndexError`.
#[cold]
fn raise_at(py: Python<'_>, error: &faultless::Error) -> PyErr {
    match error.kind() {
        ErrorKind::OutOfRange => PyIndexError::new_err(error.to_string()),
        _ => raise(py, error),
    }
}

#[pymethods]
impl Atomic {
    /// The number.
    fn load<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        each!(self.kind, N => {
            let value = self.read(py, |map| map.atomic::<N>(self.offset)?.load())?;
            Ok(value.into_pyobject(py)?.into_any())
        })
    }

    /// Set the number. `OverflowError` for one that has no room.
    #[pyo3(signature = (value, /))]
    fn store(&self, py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        each!(self.kind, N => {
            let value = integer::<N>(value)?;
            self.change(py, |map| map.atomic::<N>(self.offset)?.store(value))
        })
    }

    /// Add to the number, going round at its ends, and return what it was.
    #[pyo3(signature = (value, /))]
    fn fetch_add<'py>(
        &self,
        py: Python<'py>,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        fetch!(self, py, value, fetch_add)
    }

    /// Clear the bits that the value has not, and return what the number was.
    #[pyo3(signature = (value, /))]
    fn fetch_and<'py>(
        &self,
        py: Python<'py>,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        fetch!(self, py, value, fetch_and)
    }

    /// Set the bits that the value has, and return what the number was.
    #[pyo3(signature = (value, /))]
    fn fetch_or<'py>(
        &self,
        py: Python<'py>,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        fetch!(self, py, value, fetch_or)
    }

    /// Set the number to `new` if it is `expected`: (whether it was, what it was).
    #[pyo3(signature = (expected, new, /))]
    fn compare_exchange<'py>(
        &self,
        py: Python<'py>,
        expected: &Bound<'_, PyAny>,
        new: &Bound<'_, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        each!(self.kind, N => {
            let (expected, new) = (integer::<N>(expected)?, integer::<N>(new)?);
            let done = self.change(py, |map| {
                map.atomic::<N>(self.offset)?.compare_exchange(expected, new)
            })?;
            let (Ok(old) | Err(old)) = done;
            Ok((done.is_ok(), old).into_pyobject(py)?.into_any())
        })
    }

    /// Wait while the number is `expected`, for `timeout` seconds at most.
    ///
    /// False if the time is over, True if the number was another or somebody called
    /// `wake()`: look again then. Other threads run meanwhile. Closing the map ends it
    /// with a `ValueError`. Numbers of 32 bits only.
    #[pyo3(signature = (expected, timeout = None))]
    fn wait(
        &self,
        py: Python<'_>,
        expected: &Bound<'_, PyAny>,
        timeout: Option<f64>,
    ) -> PyResult<bool> {
        if timeout.is_some_and(f64::is_nan) {
            return Err(PyValueError::new_err("timeout must be a number"));
        }
        // A time that no clock shows never comes.
        let end = timeout.and_then(|seconds| {
            let timeout = Duration::try_from_secs_f64(seconds.max(0.0)).ok()?;
            Instant::now().checked_add(timeout)
        });
        match self.kind {
            Kind::U32 => {
                let expected = integer(expected)?;
                self.wait_in_slices(py, end, |map, slice| {
                    map.atomic::<u32>(self.offset)?.wait(expected, Some(slice))
                })
            }
            Kind::I32 => {
                let expected = integer(expected)?;
                self.wait_in_slices(py, end, |map, slice| {
                    map.atomic::<i32>(self.offset)?.wait(expected, Some(slice))
                })
            }
            Kind::U64 | Kind::I64 => Err(only_32_bits()),
        }
    }

    /// Wake up to `count` of those that wait for this number, in any process.
    ///
    /// Returns how many.
    /// Numbers of 32 bits only.
    #[pyo3(signature = (count = 1))]
    fn wake(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = integer)] count: usize,
    ) -> PyResult<usize> {
        match self.kind {
            Kind::U32 => self.read(py, |map| map.atomic::<u32>(self.offset)?.wake(count)),
            Kind::I32 => self.read(py, |map| map.atomic::<i32>(self.offset)?.wake(count)),
            Kind::U64 | Kind::I64 => Err(only_32_bits()),
        }
    }

    fn __repr__(&self) -> String {
        let name = KINDS[self.kind as usize].0;
        format!("<Atomic {name} at offset {}>", self.offset)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(self.map.object())
    }
}

impl Atomic {
    fn wait_in_slices(
        &self,
        py: Python<'_>,
        end: Option<Instant>,
        wait: impl Fn(&Map, Duration) -> Result<bool, faultless::Error> + Sync,
    ) -> PyResult<bool> {
        let mmap = self.map.mmap(py);
        loop {
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            let slice = left.map_or(SLICE, |left| left.min(SLICE));
            let woken = mmap.run(py, LONG, |map| wait(map, slice))?;
            if woken.map_err(|error| raise_at(py, &error))? {
                return Ok(true);
            }
            py.check_signals()?;
            if left.is_some_and(|left| left <= slice) {
                return Ok(false);
            }
        }
    }
}

fn only_32_bits() -> PyErr {
    PyTypeError::new_err("only numbers of 32 bits can be waited for")
}

pub(super) fn atomic<'py>(mmap: &Mmap, this: &Arg<'_, 'py>, args: &Args<'_, 'py>) -> Returned<'py> {
    let py = args.py;
    args.count(2, 2)?;
    let (Some(name), Some(offset)) = (args.get(0), args.get(1)) else {
        unreachable!("they were counted");
    };
    let name: String = name.extract()?;
    let offset = glue::index(&offset, TooLarge::Clamp)?;
    let Some(&(_, kind)) = KINDS.iter().find(|(known, _)| *known == name) else {
        let message = format!("kind must be 'u64', 'i64', 'u32' or 'i32', not '{name}'");
        return Err(PyValueError::new_err(message).into());
    };
    let map = mmap.enter(py)?;
    let offset = usize::try_from(offset).map_err(|_| {
        PyIndexError::new_err(format!("atomic: offset {offset} is outside the map"))
    })?;
    each!(kind, N => map.atomic::<N>(offset).map(drop)).map_err(|error| raise_at(py, &error))?;
    drop(map);
    let atomic = Atomic { map: Owner::new(this)?, kind, offset };
    Ok(Bound::new(py, atomic)?.into_any())
}
