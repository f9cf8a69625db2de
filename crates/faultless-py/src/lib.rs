//! The extension module of the Python package `faultless`: the class `mmap`
//! over [`faultless::Map`], and what goes with it.
//!
//! Logic that Rust programs want too is in the core crate. Here are Python's
//! conventions: conversions of arguments, the order of checks, messages, and who
//! may close or resize a map while others use it.
#![deny(unsafe_code)]

mod constants;
mod errors;
mod forks;
mod glue;
mod integer;
mod log;
mod mmap;
mod one_by_one;
mod open;
mod path;
mod shared;
mod singletons;
#[cfg_attr(unix, path = "system/unix.rs")]
#[cfg_attr(windows, path = "system/windows.rs")]
mod system;
mod target;

use pyo3::prelude::*;

/// The native part of the package `faultless`.
#[pymodule(gil_used = false)]
mod _native {
    use pyo3::prelude::*;

    use crate::{constants, forks, glue, mmap, singletons};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        forks::watch();
        singletons::find(module.py())?;
        glue::find_bytes(module.py());
        constants::add(module)?;
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add("mmap", mmap::class(module.py())?)?;
        Ok(())
    }

    #[pymodule_export]
    use super::{ensure_guard, set_guard};
    #[pymodule_export]
    use crate::log::{AppendLog, LogReader};
    #[pymodule_export]
    use crate::mmap::{Atomic, LineIndex, Match, Residency};
    #[pymodule_export]
    use crate::open::{_reopen, open};
    #[pymodule_export]
    use crate::shared::{shared, unlink_shared};
}

/// Turn the guard against failing pages on or off for maps made from now on.
#[pyfunction]
fn set_guard(on: bool) -> bool {
    faultless::set_guard(on)
}

/// Make sure that SIGBUS comes to faultless first; whether it does.
#[pyfunction]
fn ensure_guard() -> bool {
    faultless::ensure_guard()
}
