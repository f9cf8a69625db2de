//! The constants of the standard module that this system has.

use pyo3::prelude::*;

pub(crate) const ACCESS_DEFAULT: i32 = 0;
pub(crate) const ACCESS_READ: i32 = 1;
pub(crate) const ACCESS_WRITE: i32 = 2;
pub(crate) const ACCESS_COPY: i32 = 3;

macro_rules! constants {
    ($($system:meta => $($name:ident)*;)*) => {
        /// Adds what this system has of `PROT_*`, `MAP_*`, `MS_*` and `MADV_*`.
        fn add_system(module: &Bound<'_, PyModule>) -> PyResult<()> {
            $($(
                #[cfg($system)]
                module.add(stringify!($name), libc::$name)?;
            )*)*
            Ok(())
        }
    };
}

constants! {
    unix => PROT_EXEC PROT_READ PROT_WRITE MAP_SHARED MAP_PRIVATE MAP_ANON
        MS_INVALIDATE MS_ASYNC MS_SYNC
        MADV_NORMAL MADV_RANDOM MADV_SEQUENTIAL MADV_WILLNEED MADV_DONTNEED;
    any(target_os = "linux", target_os = "android") =>
        MAP_ANONYMOUS MAP_DENYWRITE MAP_EXECUTABLE MAP_POPULATE MAP_STACK MAP_NORESERVE
        MADV_REMOVE MADV_DONTFORK MADV_DOFORK MADV_HWPOISON MADV_MERGEABLE MADV_UNMERGEABLE
        MADV_HUGEPAGE MADV_NOHUGEPAGE MADV_DONTDUMP MADV_DODUMP MADV_FREE;
    all(target_os = "linux", target_arch = "x86_64") => MAP_32BIT;
    target_os = "macos" => MAP_NORESERVE MAP_NOEXTEND MAP_HASSEMAPHORE MAP_NOCACHE MAP_JIT
        MADV_FREE MADV_FREE_REUSABLE MADV_FREE_REUSE;
    target_os = "freebsd" => MAP_STACK MAP_ALIGNED_SUPER
        MADV_FREE MADV_NOSYNC MADV_AUTOSYNC MADV_NOCORE MADV_CORE MADV_PROTECT;
}

pub(crate) fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("ACCESS_DEFAULT", ACCESS_DEFAULT)?;
    module.add("ACCESS_READ", ACCESS_READ)?;
    module.add("ACCESS_WRITE", ACCESS_WRITE)?;
    module.add("ACCESS_COPY", ACCESS_COPY)?;
    module.add("PAGESIZE", faultless::page_size())?;
    module.add("ALLOCATIONGRANULARITY", faultless::allocation_granularity())?;
    add_system(module)
}
