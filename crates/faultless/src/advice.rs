//! What the system may expect of a map's pages, and giving pages up.

use std::ops::RangeBounds;

use crate::error::{Error, ErrorKind, Result};
use crate::map::Map;
use crate::os::{self, advice as raw};
use crate::range::Span;

macro_rules! advice {
    (
        $(#[$about:meta])* $name:ident {
            $($(#[$doc:meta])* $variant:ident = $raw:ident,)*
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$doc])* $variant,)*
        }

        impl $name {
            /// Every one there is, on any system.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            fn raw(self) -> Option<i32> {
                match self {
                    $(Self::$variant => raw::$raw,)*
                }
            }

            /// Whether this system has it. An old kernel may still refuse what
            /// newer ones take.
            #[must_use]
            pub fn is_supported(self) -> bool {
                self.raw().is_some()
            }
        }
    };
}

advice! {
    /// What the program will do with some pages of a map, for
    /// [`Map::advise`]. None changes what the map's bytes are.
    ///
    /// See [madvise(2)](https://man7.org/linux/man-pages/man2/madvise.2.html),
    /// [posix_madvise](https://pubs.opengroup.org/onlinepubs/9799919799/functions/posix_madvise.html).
    ///
    /// ```
    /// use faultless::Advice;
    /// assert!(Advice::Normal.is_supported() || cfg!(not(unix)));
    /// ```
    Advice {
        /// No particular expectation: the default.
        Normal = NORMAL,
        /// Pages will be used in random order: do not read ahead.
        Random = RANDOM,
        /// Pages will be used in order, once: read ahead, drop behind.
        Sequential = SEQUENTIAL,
        /// Pages will be used soon: start reading them.
        WillNeed = WILLNEED,
        /// Child processes do not inherit the pages. Linux.
        DontFork = DONTFORK,
        /// Undoes [`DontFork`](Self::DontFork). Linux.
        DoFork = DOFORK,
        /// Pages with the same content may be merged. Linux.
        Mergeable = MERGEABLE,
        /// Undoes [`Mergeable`](Self::Mergeable). Linux.
        Unmergeable = UNMERGEABLE,
        /// Use huge pages where possible. Linux.
        HugePage = HUGEPAGE,
        /// Do not use huge pages. Linux.
        NoHugePage = NOHUGEPAGE,
        /// Leave the pages out of core dumps. Linux.
        DontDump = DONTDUMP,
        /// Undoes [`DontDump`](Self::DontDump). Linux.
        DoDump = DODUMP,
        /// The pages are first to go when memory is short. Linux 5.4.
        Cold = COLD,
        /// Take the pages out of memory now. Linux 5.4.
        PageOut = PAGEOUT,
        /// Read the pages in now and wait. Linux 5.14.
        PopulateRead = POPULATE_READ,
        /// Make the pages writable now and wait. Linux 5.14.
        PopulateWrite = POPULATE_WRITE,
        /// Make huge pages of the pages now. Linux 6.1.
        Collapse = COLLAPSE,
        /// Child processes see zeros in place of the pages. Linux 4.14.
        WipeOnFork = WIPEONFORK,
        /// Undoes [`WipeOnFork`](Self::WipeOnFork). Linux 4.14.
        KeepOnFork = KEEPONFORK,
        /// Do not write the pages to the file before they must be. FreeBSD.
        NoSync = NOSYNC,
        /// Undoes [`NoSync`](Self::NoSync). FreeBSD.
        AutoSync = AUTOSYNC,
        /// Leave the pages out of core dumps. FreeBSD.
        NoCore = NOCORE,
        /// Undoes [`NoCore`](Self::NoCore). FreeBSD.
        Core = CORE,
        /// Pages that were given up as [`Reusable`](Discard::Reusable) will be used
        /// again, and count as the program's again. macOS.
        Reuse = FREE_REUSE,
    }
}

advice! {
    /// How some pages of a map are given up, for [`Map::discard`]: their bytes
    /// may change.
    Discard {
        /// Drop the pages. On Linux anonymous memory and changes of a copy-on-write
        /// map are lost, and other bytes are read from the file again; macOS and the
        /// BSDs only take it as a hint, and keep what was written.
        DontNeed = DONTNEED,
        /// The pages' content may be lost when memory is short. Private
        /// anonymous memory.
        Free = FREE,
        /// As [`Free`](Self::Free), and the pages no longer count as the program's
        /// memory. macOS.
        Reusable = FREE_REUSABLE,
        /// Make a hole in the file or the shared memory: the bytes are zeros,
        /// in the file too. Linux.
        Remove = REMOVE,
    }
}

impl Map {
    /// Tells the system what to expect of a range, in bytes. Whole pages are
    /// meant; no alignment is asked of the range.
    ///
    /// # Errors
    /// * [`OutOfRange`](ErrorKind::OutOfRange): the range is not inside the map.
    /// * [`Unsupported`](ErrorKind::Unsupported): not on this system.
    /// * [`Os`](ErrorKind::Os): the kernel refused, for example with `EINVAL` for
    ///   an advice it does not know or this kind of memory has no use for.
    ///
    /// See [madvise(2)](https://man7.org/linux/man-pages/man2/madvise.2.html).
    ///
    /// ```
    /// use faultless::Advice;
    /// let map = faultless::Map::open(std::env::current_exe()?)?;
    /// if Advice::Sequential.is_supported() {
    ///     map.advise(.., Advice::Sequential)?;
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn advise(&self, range: impl RangeBounds<usize>, advice: Advice) -> Result<()> {
        let span = Span::of("advise", self.len(), &range)?;
        let raw = advice.raw().ok_or_else(|| unsupported("advise", &advice))?;
        if let Advice::DontFork | Advice::DoFork = advice {
            self.guard.set_dont_fork(advice == Advice::DontFork);
        }
        if advice == Advice::WillNeed {
            self.guard.watch(span);
        }
        self.advise_span("advise", span, raw)
    }

    /// Gives a range, in bytes, up. Whole pages are meant, and so is what lies
    /// beside the range in its first and last page: align it to
    /// [`page_size`](crate::page_size) to lose no more than meant.
    ///
    /// # Errors
    /// Those of [`advise`](Self::advise), and
    /// [`Access`](ErrorKind::Access) for [`Discard::Remove`] on a map that
    /// cannot be written.
    ///
    /// ```
    /// use faultless::{Discard, MapOptions};
    /// let mut map = MapOptions::new().len(1 << 20).map_anonymous()?;
    /// map.fill(.., 1)?;
    /// if Discard::DontNeed.is_supported() {
    ///     map.discard(.., Discard::DontNeed)?;
    /// }
    /// # Ok::<(), faultless::Error>(())
    /// ```
    pub fn discard(&mut self, range: impl RangeBounds<usize>, how: Discard) -> Result<()> {
        let span = Span::of("discard", self.len(), &range)?;
        let raw = how.raw().ok_or_else(|| unsupported("discard", &how))?;
        if how == Discard::Remove {
            self.check_writable("discard")?;
        }
        self.advise_span("discard", span, raw)
    }

    fn advise_span(&self, operation: &'static str, span: Span, advice: i32) -> Result<()> {
        if span.is_empty() {
            return Ok(());
        }
        let (start, len) = self.pages(span);
        os::advise(start, len, advice).map_err(|error| {
            self.os_error(operation, format!("the system refused advice {advice}"), error)
        })
    }
}

#[cold]
fn unsupported(operation: &'static str, advice: &dyn std::fmt::Debug) -> Error {
    let message = format!("this system has no advice {advice:?}");
    Error::new(ErrorKind::Unsupported, operation, message)
}
