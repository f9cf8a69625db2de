//! Memory-mapped files that never crash the process.
//!
//! A [`Map`] is a file seen as memory, or memory alone. Making one and using it
//! needs no `unsafe`: its methods copy bytes in and out, search, compare and
//! move them, and a page that fails meanwhile, because somebody truncated the
//! file, the disk gave an error or is full, is an [`Error`] of kind
//! [`Fault`](ErrorKind::Fault) that says where and why. Everywhere else it is a
//! `SIGBUS` that ends the program.
//!
//! ```
//! use faultless::{Access, Map, MapOptions};
//!
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("data");
//! std::fs::write(&path, b"some text, and more")?;
//!
//! let map = Map::open(&path)?;
//! assert_eq!(map.find(b"text", ..)?, Some(5));
//! assert_eq!(map.to_vec(5..9)?, b"text");
//!
//! let map = MapOptions::new().access(Access::Write).open(&path)?;
//! map.write_at(5, b"TEXT")?;
//! map.flush()?;
//! assert_eq!(std::fs::read(&path)?, b"some TEXT, and more");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Why no slices
//!
//! Other programs may write or truncate a mapped file at any moment, which no
//! `&[u8]` allows. A slice of a file's pages is therefore only to be had with
//! [`unsafe`](Map::as_slice), or where the system vouches for the bytes
//! ([`Map::immutable_slice`]). Copying costs less than it seems: the guard adds
//! nothing that can be measured to a search, and a copy of a few bytes is a few
//! instructions.
//!
//! # Crate features
//!
//! - `aho-corasick`: searches for several needles at once, `FindAny`.
//! - `log`: a log of records that survives its program, `AppendLog` and
//!   `LogReader`.
//! - `regex`: searches for regular expressions, `FindRegex`.
//! - `rayon`: searches on all threads of a pool of the crate of that name,
//!   `Map::par_find`, `par_rfind` and `par_count`.
#![deny(unsafe_code)]
#![doc(test(attr(deny(warnings))))]
#![cfg_attr(test, allow(clippy::unwrap_used))]
#![cfg_attr(
    not(any(unix, windows)),
    allow(dead_code, reason = "where nothing can be mapped, no page fails and nothing is mended")
)]

mod advice;
mod atomic;
mod bytes;
mod cursor;
mod error;
mod fault;
mod flush;
mod grow;
mod guard;
mod identity;
#[cfg(all(feature = "log", target_has_atomic = "64"))]
mod log;
mod map;
mod needle;
mod options;
mod os;
mod parallel;
mod range;
mod raw;
#[cfg_attr(not(unix), allow(dead_code, reason = "only signal handlers need all of it"))]
mod registry;
mod residency;
mod resize;
mod scalar;
mod search;
mod shared;
mod stride;
mod text;
mod view;

pub use advice::{Advice, Discard};
pub use atomic::{Atomic, AtomicScalar};
pub use cursor::Cursor;
pub use error::{Error, ErrorKind, Result};
pub use fault::{Fault, FaultReason, set_guard};
pub use flush::Flush;
pub use guard::ensure_guard;
pub use identity::FileIdentity;
#[cfg(all(feature = "log", target_has_atomic = "64"))]
pub use log::{AppendLog, AppendLogOptions, LogReader, Record};
pub use map::{Map, allocation_granularity, page_size};
pub use options::{Access, HugePages, MapOptions, Protection};
pub use residency::Residency;
pub use scalar::Scalar;
pub use search::FindIter;
pub use shared::{Create, unlink_shared};
pub use text::{FindAll, LineBlocks, LineIndex, LineIndexer, Lines, Matches, PartSearch};
#[cfg(feature = "aho-corasick")]
pub use text::{FindAny, Found};
#[cfg(feature = "regex")]
pub use text::{FindRegex, RegexMatch};

/// The examples of the README and of the pages are tests, too.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
#[doc = include_str!("../../../docs/arrays.md")]
#[doc = include_str!("../../../docs/atomics.md")]
#[doc = include_str!("../../../docs/concepts/durability.md")]
#[doc = include_str!("../../../docs/faults.md")]
#[doc = include_str!("../../../docs/growth.md")]
#[doc = include_str!("../../../docs/index.md")]
#[cfg_attr(feature = "log", doc = include_str!("../../../docs/log.md"))]
#[doc = include_str!("../../../docs/migrating/memmap2.md")]
#[doc = include_str!("../../../docs/page-cache.md")]
#[doc = include_str!("../../../docs/shared-memory.md")]
#[cfg_attr(all(feature = "aho-corasick", feature = "regex"), doc = include_str!("../../../docs/text.md"))]
#[doc = include_str!("../../../docs/tutorial.md")]
struct Pages;
