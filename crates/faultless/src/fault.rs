//! What a failed page is called outside, and the switch that turns the guard off.

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};

/// Why a page of a map failed. More reasons may come.
///
/// ```
/// assert_eq!(faultless::FaultReason::Truncated.name(), "truncated");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum FaultReason {
    /// The file is now shorter than the map: somebody truncated it.
    Truncated = 1,
    /// The disk, the network or the device gave an error.
    Io = 2,
    /// There was no space on the file system, or no memory, for the page.
    NoSpace = 3,
    /// The memory itself is broken (`BUS_MCEERR_AR`); what it held is lost.
    Hardware = 4,
}

impl FaultReason {
    pub(crate) fn from_u8(value: u8) -> Self {
        match value {
            1 => Self::Truncated,
            3 => Self::NoSpace,
            4 => Self::Hardware,
            _ => Self::Io,
        }
    }

    /// A stable name, for messages and for other languages: `"truncated"`,
    /// `"io"`, `"no space"`, `"hardware"`.
    ///
    /// ```
    /// assert_eq!(faultless::FaultReason::NoSpace.name(), "no space");
    /// ```
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::Io => "io",
            Self::NoSpace => "no space",
            Self::Hardware => "hardware",
        }
    }
}

/// A page that failed: where in the map, and why.
///
/// ```
/// use faultless::{FaultReason, Map};
/// let file = tempfile::NamedTempFile::new()?;
/// std::fs::write(file.path(), [1; 100_000])?;
/// let map = Map::open(file.path())?;
/// file.as_file().set_len(10)?;
/// let fault = map.get(50_000).unwrap_err().fault().expect("a page failed");
/// assert_eq!((fault.offset, fault.reason), (10, FaultReason::Truncated));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Fault {
    /// Offset in the map, in bytes, of the first byte that cannot be had.
    pub offset: usize,
    /// Why it cannot be had.
    pub reason: FaultReason,
}

impl Fault {
    pub(crate) fn new(offset: usize, reason: FaultReason) -> Self {
        Self { offset, reason }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let offset = self.offset;
        match self.reason {
            FaultReason::Truncated => {
                write!(f, "the file was truncated: the map has no bytes from offset {offset} on")
            }
            FaultReason::Io => write!(f, "input/output error at offset {offset} of the map"),
            FaultReason::NoSpace => {
                write!(f, "no space or memory for the page at offset {offset} of the map")
            }
            FaultReason::Hardware => {
                write!(f, "memory failure at offset {offset} of the map")
            }
        }
    }
}

const UNSET: u8 = 0;
const ON: u8 = 1;
const OFF: u8 = 2;
static GUARD: AtomicU8 = AtomicU8::new(UNSET);

/// Turns the guard on or off for the maps made from now on, and returns how it
/// was. With the guard off no signal handler is installed for new maps, and a
/// failing page ends the process, as it does without this crate:
/// [`Map::is_guarded`](crate::Map::is_guarded) says `false`.
///
/// It is for programs that own `SIGBUS`. The environment variable
/// `FAULTLESS_GUARD=0` turns it off from the start.
///
/// ```
/// let before = faultless::set_guard(false);
/// let map = faultless::Map::open(std::env::current_exe()?)?;
/// assert!(!map.is_guarded());
/// faultless::set_guard(before);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn set_guard(on: bool) -> bool {
    let before = guard_is_on();
    GUARD.store(if on { ON } else { OFF }, Ordering::Relaxed);
    before
}

pub(crate) fn guard_is_on() -> bool {
    match GUARD.load(Ordering::Relaxed) {
        ON => true,
        OFF => false,
        _ => {
            let off = std::env::var_os("FAULTLESS_GUARD")
                .is_some_and(|value| value == "0" || value == "off");
            GUARD.store(if off { OFF } else { ON }, Ordering::Relaxed);
            !off
        }
    }
}
