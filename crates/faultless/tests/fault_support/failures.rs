//! How often pages failed, as the system tells of it.

use std::sync::atomic::{AtomicUsize, Ordering};

static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Failures since the last call.
pub(crate) fn failures() -> usize {
    COUNT.swap(0, Ordering::Relaxed)
}

/// Counts signals from now on, before the present handler has them.
#[cfg(unix)]
pub(crate) fn count_failures() {
    super::signals::stand_before(|| {
        COUNT.fetch_add(1, Ordering::Relaxed);
    });
}

/// Counts exceptions from now on, before the present handlers have them.
#[cfg(windows)]
pub(crate) fn count_failures() {
    use windows_sys::Win32::Foundation::{EXCEPTION_ACCESS_VIOLATION, EXCEPTION_IN_PAGE_ERROR};
    use windows_sys::Win32::System::Diagnostics::Debug::{
        AddVectoredExceptionHandler, EXCEPTION_CONTINUE_SEARCH, EXCEPTION_POINTERS,
    };

    unsafe extern "system" fn count(pointers: *mut EXCEPTION_POINTERS) -> i32 {
        // SAFETY: the system gives valid pointers.
        let code = unsafe { (*(*pointers).ExceptionRecord).ExceptionCode };
        if matches!(code, EXCEPTION_ACCESS_VIOLATION | EXCEPTION_IN_PAGE_ERROR) {
            COUNT.fetch_add(1, Ordering::Relaxed);
        }
        EXCEPTION_CONTINUE_SEARCH
    }
    // SAFETY: the handler only counts, and hands everything on.
    assert!(!unsafe { AddVectoredExceptionHandler(1, Some(count)) }.is_null());
}
