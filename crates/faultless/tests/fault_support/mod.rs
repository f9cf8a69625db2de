//! What the fault tests share: child processes to fail in, a file with a known
//! pattern, and every operation on it.
#![allow(dead_code, reason = "no test uses all of it")]

#[path = "../common/areas.rs"]
pub(crate) mod areas;
pub(crate) mod child;
#[cfg(unix)]
pub(crate) mod disks;
pub(crate) mod failures;
pub(crate) mod files;
#[cfg(unix)]
pub(crate) mod fuse;
#[cfg(unix)]
pub(crate) mod handlers;
pub(crate) mod operations;
#[path = "../common/program.rs"]
pub(crate) mod program;
#[cfg(unix)]
pub(crate) mod signals;

use std::fs::{File, OpenOptions};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use faultless::{Access, Error, ErrorKind, Fault, FaultReason, Map, MapOptions};

pub(crate) const PERIOD: usize = 1021;
/// So many bytes at the start of each period are the same, for `fill`.
pub(crate) const RUN: usize = 64;
pub(crate) const RUN_BYTE: u8 = 0xF0;

/// The byte that a test file has at an offset: never zero, and, outside the
/// runs, never the byte of the runs.
pub(crate) fn pattern(offset: usize) -> u8 {
    let place = offset % PERIOD;
    // A different step in each part, so that no long part repeats.
    if place < RUN { RUN_BYTE } else { (place * (1 + place / 239) % 239) as u8 + 1 }
}

pub(crate) fn pattern_of(range: Range<usize>) -> Vec<u8> {
    range.map(pattern).collect()
}

/// A file of the pattern in a folder of its own, removed when it is dropped.
pub(crate) struct PatternFile {
    pub(crate) file: File,
    pub(crate) path: PathBuf,
    pub(crate) len: usize,
    _folder: Option<tempfile::TempDir>,
}

impl PatternFile {
    pub(crate) fn new(len: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut file = Self::at(folder.path().join("pattern"), len);
        file._folder = Some(folder);
        file
    }

    pub(crate) fn pages(pages: usize) -> Self {
        Self::new(pages * faultless::page_size())
    }

    pub(crate) fn at(path: PathBuf, len: usize) -> Self {
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path);
        Self { path, ..Self::on(file.unwrap(), len) }
    }

    /// Fills an open file with the pattern.
    pub(crate) fn on(file: File, len: usize) -> Self {
        let file = Self { file, path: PathBuf::new(), len, _folder: None };
        file.regrow();
        file
    }

    pub(crate) fn map(&self, access: Access) -> Map {
        MapOptions::new().access(access).open(&self.path).unwrap()
    }

    pub(crate) fn cut(&self, len: usize) {
        files::set_len(&self.file, &self.path, len);
    }

    /// Writes the pattern over the whole file, from the start to the end, so
    /// that no byte of it is ever a hole.
    pub(crate) fn regrow(&self) {
        self.regrow_to(self.len);
    }

    pub(crate) fn regrow_to(&self, len: usize) {
        files::write_all_at(&self.file, &pattern_of(0..len), 0);
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        std::fs::read(&self.path).unwrap()
    }
}

pub(crate) fn page() -> usize {
    faultless::page_size()
}

/// The fault that a result must be.
#[track_caller]
pub(crate) fn fault_of<T: std::fmt::Debug>(result: Result<T, Error>) -> Fault {
    let error = result.expect_err("a page failed under it");
    assert_eq!(error.kind(), ErrorKind::Fault, "{error}");
    error.fault().expect("an error of kind Fault has one")
}

#[track_caller]
pub(crate) fn assert_truncated<T: std::fmt::Debug>(result: Result<T, Error>, offset: usize) {
    let fault = fault_of(result);
    assert_eq!((fault.offset, fault.reason), (offset, FaultReason::Truncated));
}

/// As [`assert_truncated`], where the error may name any byte from the file's end
/// to the one asked for.
#[track_caller]
pub(crate) fn assert_truncated_in<T: std::fmt::Debug>(
    result: Result<T, Error>,
    end: usize,
    at: usize,
) {
    let fault = fault_of(result);
    assert_eq!(fault.reason, FaultReason::Truncated);
    assert!((end..=at).contains(&fault.offset), "{end}..={at} has not {}", fault.offset);
}

/// Says, when it is dropped, that others are to stop: also when a test panics.
pub(crate) struct Stop<'flag>(pub(crate) &'flag AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A byte read as other code reads memory that a map gave it the address of.
pub(crate) fn raw_get(map: &Map, offset: usize) -> u8 {
    assert!(offset < map.len());
    // SAFETY: inside the map, which lives; guarded, the read cannot fail.
    unsafe { map.as_ptr().add(offset).read_volatile() }
}

pub(crate) fn raw_set(map: &Map, offset: usize, byte: u8) {
    assert!(offset < map.len() && map.is_writable());
    // SAFETY: inside the map, which lives and can be written.
    unsafe { map.as_mut_ptr().add(offset).write_volatile(byte) };
}
