//! The constants of the standard module that this system has.

use pyo3::prelude::*;

pub(crate) const ACCESS_DEFAULT: i32 = 0;
pub(crate) const ACCESS_READ: i32 = 1;
pub(crate) const ACCESS_WRITE: i32 = 2;
pub(crate) const ACCESS_COPY: i32 = 3;

macro_rules! constants {
    ($($system:meta => $($name:ident)*;)*) => {
        /// Adds what this system has of `PROT_*`, `MAP_*`, `MS_*` and `MADV_*`.
        #[cfg_attr(windows, expect(unused_variables, reason = "it has none of them"))]
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
    unix => PROT_EXEC PROT_READ PROT_WRITE MAP_SHARED MAP_PRIVATE MAP_ANON MAP_ANONYMOUS
        MS_INVALIDATE MS_ASYNC MS_SYNC
        MADV_NORMAL MADV_RANDOM MADV_SEQUENTIAL MADV_WILLNEED MADV_DONTNEED MADV_FREE;
    any(target_os = "linux", target_os = "android") =>
        MAP_DENYWRITE MAP_EXECUTABLE MAP_POPULATE MAP_STACK MAP_NORESERVE
        MADV_REMOVE MADV_DONTFORK MADV_DOFORK MADV_HWPOISON MADV_MERGEABLE MADV_UNMERGEABLE
        MADV_HUGEPAGE MADV_NOHUGEPAGE MADV_DONTDUMP MADV_DODUMP;
    all(target_os = "linux", any(target_arch = "x86", target_arch = "x86_64")) => MAP_32BIT;
    target_vendor = "apple" => MAP_NORESERVE MAP_NOEXTEND MAP_HASSEMAPHORE MAP_NOCACHE MAP_JIT
        MADV_FREE_REUSABLE MADV_FREE_REUSE;
    target_os = "freebsd" => MAP_STACK MAP_HASSEMAPHORE MAP_ALIGNED_SUPER
        MADV_NOSYNC MADV_AUTOSYNC MADV_NOCORE MADV_CORE MADV_PROTECT;
    all(target_os = "freebsd", target_pointer_width = "64") => MAP_32BIT;
    target_os = "netbsd" => MAP_STACK MAP_NORESERVE MAP_HASSEMAPHORE;
    target_os = "openbsd" => MAP_STACK MAP_CONCEAL;
}

/// What macOS has and the bindings to its C library lack.
#[cfg(target_vendor = "apple")]
const APPLE: [(&str, i32); 6] = [
    ("MAP_RESILIENT_CODESIGN", 0x2000),
    ("MAP_RESILIENT_MEDIA", 0x4000),
    ("MAP_32BIT", 0x8000),
    ("MAP_TRANSLATED_ALLOW_EXECUTE", 0x2_0000),
    ("MAP_UNIX03", 0x4_0000),
    ("MAP_TPRO", 0x8_0000),
];

pub(crate) fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("ACCESS_DEFAULT", ACCESS_DEFAULT)?;
    module.add("ACCESS_READ", ACCESS_READ)?;
    module.add("ACCESS_WRITE", ACCESS_WRITE)?;
    module.add("ACCESS_COPY", ACCESS_COPY)?;
    module.add("PAGESIZE", faultless::page_size())?;
    module.add("ALLOCATIONGRANULARITY", faultless::allocation_granularity())?;
    #[cfg(target_vendor = "apple")]
    for (name, value) in APPLE {
        module.add(name, value)?;
    }
    add_system(module)
}
