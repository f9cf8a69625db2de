//! What several of the tests need.
#![allow(dead_code, reason = "no test needs all of it")]

pub(crate) mod areas;
pub(crate) mod model;
pub(crate) mod naive;
pub(crate) mod program;

use std::io::Write;

use faultless::{Access, Error, ErrorKind, Map, MapOptions, Result};
use proptest::prelude::ProptestConfig;
use tempfile::NamedTempFile;

/// A temporary file with these bytes.
pub(crate) fn file(bytes: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file
}

/// A temporary file with these bytes, and a map of all of it that writes to it.
pub(crate) fn writable(bytes: &[u8]) -> (NamedTempFile, Map) {
    let file = file(bytes);
    let map = MapOptions::new().access(Access::Write).open(file.path()).unwrap();
    (file, map)
}

/// Private memory with these bytes.
pub(crate) fn anonymous(bytes: &[u8]) -> Map {
    let map = MapOptions::new().len(bytes.len()).map_anonymous().unwrap();
    map.write_at(0, bytes).unwrap();
    map
}

/// Bytes that are the same nowhere near each other, nor at the same place of
/// two pages.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8 ^ (at >> 10) as u8).collect()
}

/// How often a property is tried. What fails is shown whole, and kept nowhere.
pub(crate) fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..ProptestConfig::default()
    }
}

/// The kind of error that a result is.
#[track_caller]
pub(crate) fn kind<T>(result: Result<T>) -> ErrorKind {
    match result {
        Ok(_) => panic!("it went well, and should not"),
        Err(error) => error.kind(),
    }
}

/// Whether it went well. The errors of the system named here may keep it from
/// doing so; no others.
#[track_caller]
pub(crate) fn went_well(what: &str, result: Result<()>, tolerated: &[i32]) -> bool {
    match result {
        Ok(()) => true,
        Err(error) if is_any_of(&error, tolerated) => {
            skip(&format!("{what}: {error}"));
            false
        }
        Err(error) => panic!("{what}: {error}"),
    }
}

pub(crate) fn is_any_of(error: &Error, numbers: &[i32]) -> bool {
    error.raw_os_error().is_some_and(|number| numbers.contains(&number))
}

/// Says why something is not tested here.
#[expect(clippy::print_stderr, reason = "the reason for a skip is shown")]
pub(crate) fn skip(reason: &str) {
    eprintln!("skipped: {reason}");
}

#[cfg(unix)]
mod system {
    use std::fs::File;

    /// What the system may say to locking, past the limit of locked memory.
    pub(crate) const LOCK_LIMITS: &[i32] = &[libc::EPERM, libc::ENOMEM, libc::EAGAIN];
    /// What it may say to advice: it does not know it, or it does not fit.
    pub(crate) const UNKNOWN_ADVICE: &[i32] = &[libc::EINVAL];
    pub(crate) const POPULATE_OR_COLLAPSE: &[i32] =
        &[libc::EINVAL, libc::EFAULT, libc::ENOMEM, libc::EAGAIN, libc::EBUSY];
    /// No huge page is free, or none can be had.
    pub(crate) const NO_HUGE_PAGES: &[i32] = &[libc::ENOMEM, libc::EINVAL];
    use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
    use std::os::unix::fs::MetadataExt;

    pub(crate) fn borrowed(file: &File) -> BorrowedFd<'_> {
        file.as_fd()
    }

    /// The number that the process knows an open file by.
    pub(crate) fn number(file: &File) -> usize {
        file.as_raw_fd() as usize
    }

    /// Bytes that a file has on its disk.
    pub(crate) fn allocated(file: &File) -> u64 {
        file.metadata().unwrap().blocks() * 512
    }
}

#[cfg(windows)]
mod system {
    use std::fs::File;
    use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle};

    use windows_sys::Win32::Foundation as codes;
    use windows_sys::Win32::Storage::FileSystem::{
        FILE_STANDARD_INFO, FileStandardInfo, GetFileInformationByHandleEx,
    };

    /// What the system may say to locking: nothing, for the working set grows.
    pub(crate) const LOCK_LIMITS: &[i32] = &[];
    pub(crate) const UNKNOWN_ADVICE: &[i32] = &[];
    pub(crate) const POPULATE_OR_COLLAPSE: &[i32] = &[];
    /// No large page is free, none can be had, or the user may not have any.
    pub(crate) const NO_HUGE_PAGES: &[i32] = &[
        codes::ERROR_PRIVILEGE_NOT_HELD as i32,
        codes::ERROR_NO_SYSTEM_RESOURCES as i32,
        codes::ERROR_INVALID_PARAMETER as i32,
    ];

    pub(crate) fn borrowed(file: &File) -> BorrowedHandle<'_> {
        file.as_handle()
    }

    /// The number that the process knows an open file by.
    pub(crate) fn number(file: &File) -> usize {
        file.as_raw_handle().addr()
    }

    /// Bytes that a file has on its disk.
    pub(crate) fn allocated(file: &File) -> u64 {
        let mut info = FILE_STANDARD_INFO::default();
        let size = size_of::<FILE_STANDARD_INFO>() as u32;
        let into = (&raw mut info).cast();
        // SAFETY: fills in the structure that the number before it means.
        let filled = unsafe {
            GetFileInformationByHandleEx(file.as_raw_handle(), FileStandardInfo, into, size)
        };
        assert_ne!(filled, 0, "{}", std::io::Error::last_os_error());
        info.AllocationSize as u64
    }
}

#[allow(unused_imports, reason = "no test needs all of it")]
pub(crate) use system::*;

/// What Linux says of the memory area at an address: a line of
/// `/proc/self/maps`, and those that `/proc/self/smaps` has on it.
#[cfg(target_os = "linux")]
pub(crate) fn area(address: *const u8) -> Vec<String> {
    let text = std::fs::read_to_string("/proc/self/smaps").unwrap();
    let mut lines = text.lines().map(str::to_owned).skip_while(|line| {
        let bounds = line.split_once(' ').and_then(|(bounds, _)| bounds.split_once('-'));
        let hex = |text| usize::from_str_radix(text, 16).ok();
        let inside = bounds
            .and_then(|(start, end)| Some(hex(start)?..hex(end)?))
            .is_some_and(|area| area.contains(&address.addr()));
        !inside
    });
    let head = lines.next().expect("an area at the address");
    let rest = lines.take_while(|line| line.split(' ').next().unwrap().ends_with(':'));
    std::iter::once(head).chain(rest).collect()
}

/// Whether Linux has set a flag, two letters, on the area at an address.
#[cfg(target_os = "linux")]
pub(crate) fn has_flag(address: *const u8, flag: &str) -> bool {
    let lines = area(address);
    let flags = lines.iter().find_map(|line| line.strip_prefix("VmFlags:")).expect("its flags");
    flags.split_whitespace().any(|has| has == flag)
}

/// Bytes of the area at an address that are in memory.
#[cfg(target_os = "linux")]
pub(crate) fn resident(address: *const u8) -> usize {
    let lines = area(address);
    let line = lines.iter().find_map(|line| line.strip_prefix("Rss:")).expect("its size");
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}
