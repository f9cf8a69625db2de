//! Which process this is, without asking the system: how often it and those it
//! came from have forked.
#![allow(unsafe_code)]

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

static FORKS: AtomicU32 = AtomicU32::new(0);

/// A number that a child process has not in common with its parent.
#[inline(always)]
pub(crate) fn count() -> u32 {
    FORKS.load(Relaxed)
}

/// Begins to count, once for the process. On Windows none forks.
pub(crate) fn watch() {
    #[cfg(unix)]
    {
        extern "C" fn forked() {
            FORKS.fetch_add(1, Relaxed);
        }
        // SAFETY: the function may run in a child process at any time.
        unsafe { libc::pthread_atfork(None, None, Some(forked)) };
    }
}
