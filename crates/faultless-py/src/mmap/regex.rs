//! The match objects of `mmap.finditer`.
#![deny(unsafe_code)]

use std::ops::Range;
use std::sync::Arc;

use faultless::RegexMatch;
use pyo3::Borrowed;
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};

use crate::glue::{self, TooLarge};

/// What a regular expression matched: as a match of `re`, with offsets in the map. Its bytes were copied when it was
/// found.
#[pyclass(frozen, module = "faultless")]
pub(crate) struct Match {
    found: RegexMatch,
    names: Arc<[Option<String>]>,
}

/// A group by its number or its name.
enum Group {
    Number(isize),
    Name(String),
}

impl<'py> FromPyObject<'_, 'py> for Group {
    type Error = PyErr;

    /// What is neither is no such group, as for `re`.
    fn extract(group: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if glue::is_index(&group) {
            return Ok(Self::Number(glue::index(&group, TooLarge::Clamp)?));
        }
        group.extract().map(Self::Name).map_err(|_| no_such_group())
    }
}

#[cold]
fn no_such_group() -> PyErr {
    PyIndexError::new_err("no such group")
}

impl Match {
    pub(super) fn new(found: RegexMatch, names: Arc<[Option<String>]>) -> Self {
        Self { found, names }
    }

    fn number(&self, group: Option<&Group>) -> PyResult<usize> {
        let number = match group {
            None => Some(0),
            Some(Group::Number(number)) => usize::try_from(*number).ok(),
            Some(Group::Name(name)) => {
                self.names.iter().position(|known| known.as_ref() == Some(name))
            }
        };
        let number = number.filter(|number| *number < self.found.groups());
        number.ok_or_else(no_such_group)
    }

    fn place(&self, group: Option<&Group>) -> PyResult<Option<Range<usize>>> {
        Ok(self.found.group(self.number(group)?).map(|(range, _)| range))
    }

    /// A group's bytes, or the default.
    fn bytes<'py>(
        &self,
        py: Python<'py>,
        number: usize,
        default: Option<&Bound<'py, PyAny>>,
    ) -> Bound<'py, PyAny> {
        match (self.found.group(number), default) {
            (Some((_, bytes)), _) => PyBytes::new(py, bytes).into_any(),
            (None, Some(default)) => default.clone(),
            (None, None) => py.None().into_bound(py),
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "Python's arguments")]
#[pymethods]
impl Match {
    /// Where a group begins in the map, or -1 if it took no part in the match.
    #[pyo3(signature = (group = None, /))]
    fn start(&self, group: Option<Group>) -> PyResult<isize> {
        Ok(self.place(group.as_ref())?.map_or(-1, |range| range.start as isize))
    }

    /// Where a group ends in the map, or -1.
    #[pyo3(signature = (group = None, /))]
    fn end(&self, group: Option<Group>) -> PyResult<isize> {
        Ok(self.place(group.as_ref())?.map_or(-1, |range| range.end as isize))
    }

    /// (start, end) of a group in the map, or (-1, -1).
    #[pyo3(signature = (group = None, /))]
    fn span(&self, group: Option<Group>) -> PyResult<(isize, isize)> {
        let place = self.place(group.as_ref())?;
        Ok(place.map_or((-1, -1), |range| (range.start as isize, range.end as isize)))
    }

    /// The bytes of a group, by number or name, or a tuple of those of several; None for one that took no part.
    #[pyo3(signature = (*groups))]
    fn group<'py>(&self, py: Python<'py>, groups: Vec<Group>) -> PyResult<Bound<'py, PyAny>> {
        let bytes = |group| Ok(self.bytes(py, self.number(group)?, None));
        match &groups[..] {
            [] => bytes(None),
            [group] => bytes(Some(group)),
            groups => {
                let all: PyResult<Vec<_>> = groups.iter().map(|group| bytes(Some(group))).collect();
                Ok(PyTuple::new(py, all?)?.into_any())
            }
        }
    }

    /// The bytes of all groups but group 0.
    #[pyo3(signature = (default = None))]
    fn groups<'py>(
        &self,
        py: Python<'py>,
        default: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, (1..self.found.groups()).map(|number| self.bytes(py, number, default)))
    }

    /// The bytes of the groups that have names.
    #[pyo3(signature = (default = None))]
    fn groupdict<'py>(
        &self,
        py: Python<'py>,
        default: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let found = PyDict::new(py);
        for (number, name) in self.names.iter().enumerate() {
            if let Some(name) = name {
                found.set_item(name, self.bytes(py, number, default))?;
            }
        }
        Ok(found)
    }

    fn __getitem__<'py>(&self, py: Python<'py>, group: Group) -> PyResult<Bound<'py, PyAny>> {
        Ok(self.bytes(py, self.number(Some(&group))?, None))
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let Range { start, end } = self.found.range();
        let bytes = PyBytes::new(py, &self.found.bytes()[..self.found.bytes().len().min(50)]);
        Ok(format!("<faultless.Match span=({start}, {end}), match={}>", bytes.repr()?))
    }
}
