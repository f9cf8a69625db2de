//! Pages that the system cannot read in, as it tells of them on Windows: an
//! exception that names the page and the reason. The tests raise it themselves.
#![allow(clippy::unwrap_used)]
#![cfg(windows)]

mod fault_support;

use std::os::windows::io::AsRawHandle;

use fault_support::areas::areas;
use fault_support::child::{expect_code, in_child};
use fault_support::{PatternFile, assert_truncated, fault_of, page, pattern, pattern_of, raw_get};
use faultless::{Access, FaultReason, Map, MapOptions};
use windows_sys::Win32::Foundation::{
    CloseHandle, EXCEPTION_ACCESS_VIOLATION, EXCEPTION_IN_PAGE_ERROR, NTSTATUS,
    STATUS_DEVICE_DATA_ERROR, STATUS_DISK_FULL, STATUS_END_OF_FILE, STATUS_INSUFFICIENT_RESOURCES,
    STATUS_IO_DEVICE_ERROR,
};
use windows_sys::Win32::System::Diagnostics::Debug::RaiseException;
use windows_sys::Win32::System::Memory::{
    MEM_PRESERVE_PLACEHOLDER, MEMORY_MAPPED_VIEW_ADDRESS, UnmapViewOfFileEx,
};

/// Says that the page at an address could not be read in.
fn fail_at(address: *const u8, status: NTSTATUS) {
    let information = [0, address.addr(), status as u32 as usize];
    // SAFETY: raises an exception; the arguments are copied.
    unsafe { RaiseException(EXCEPTION_IN_PAGE_ERROR as u32, 0, 3, information.as_ptr()) };
}

/// The beginning of a map's only view.
fn start_of(map: &Map) -> MEMORY_MAPPED_VIEW_ADDRESS {
    MEMORY_MAPPED_VIEW_ADDRESS { Value: map.as_ptr().cast_mut().cast() }
}

fn fail(map: &Map, offset: usize, status: NTSTATUS) {
    assert!(offset < map.len());
    fail_at(map.as_ptr().wrapping_add(offset), status);
}

#[test]
fn the_reason_is_the_systems() {
    in_child(|| {
        for (status, reason) in [
            (STATUS_IO_DEVICE_ERROR, FaultReason::Io),
            (STATUS_DEVICE_DATA_ERROR, FaultReason::Io),
            (STATUS_DISK_FULL, FaultReason::NoSpace),
            (STATUS_INSUFFICIENT_RESOURCES, FaultReason::NoSpace),
            (STATUS_END_OF_FILE, FaultReason::Truncated),
            (0xC000_0709_u32 as NTSTATUS, FaultReason::Hardware),
        ] {
            let file = PatternFile::pages(8);
            let map = file.map(Access::Read);
            fail(&map, 3 * page() + 5, status);
            let fault = map.fault().unwrap();
            assert_eq!((fault.offset, fault.reason), (3 * page(), reason));
            assert_eq!(fault_of(map.get(0)), fault);
            // The file itself is well, so the map is again.
            assert_eq!(map.to_vec(..).unwrap(), pattern_of(0..file.len));
            assert_eq!(map.fault(), None);
        }
    });
}

#[test]
fn one_page_is_replaced_and_the_others_stay() {
    in_child(|| {
        let file = PatternFile::new(40 * page() + 100);
        for lead in [0, 70_000] {
            let mut options = MapOptions::new();
            let map = options.access(Access::Write).offset(lead as u64).open(&file.path).unwrap();
            map.set(7 * page() - 1 - lead % page(), 1).unwrap();
            for nth in [3, 0] {
                fail(&map, nth * page(), STATUS_IO_DEVICE_ERROR);
            }
            let shown: Vec<u8> = (0..map.len()).map(|at| raw_get(&map, at)).collect();
            let dead = |at: usize| {
                let page_of = |at| (at + lead % (64 << 10)) / page();
                [0, 3 * page()].iter().any(|&failed| page_of(at) == page_of(failed))
            };
            for (at, &byte) in shown.iter().enumerate() {
                let expected = if dead(at) { 0 } else { pattern(lead + at) };
                let expected = if at == 7 * page() - 1 - lead % page() { 1 } else { expected };
                assert_eq!(byte, expected, "at {at} of the map from {lead} on");
            }
            fault_of(map.flush());
            map.flush().unwrap();
            file.regrow();
            assert_eq!(map.to_vec(..).unwrap(), pattern_of(lead..file.len));
        }
    });
}

#[test]
fn failures_and_repairs_leave_no_allocation_behind() {
    in_child(|| {
        let file = PatternFile::pages(200);
        let map = file.map(Access::Write);
        let before = areas();
        for round in 0..50 {
            for nth in 0..20 {
                fail(&map, (nth * 37 + round) % 200 * page(), STATUS_IO_DEVICE_ERROR);
            }
            assert!(areas() <= before + 18);
            fault_of(map.get(0));
            assert_eq!(map.to_vec(..).unwrap(), pattern_of(0..file.len));
        }
        assert!(areas() <= before, "{before} became {}", areas());
        map.fill(.., 7).unwrap();
        map.flush().unwrap();
        assert_eq!(file.bytes(), vec![7; file.len]);
    });
}

#[test]
fn private_changes_are_reported_as_lost() {
    in_child(|| {
        let file = PatternFile::pages(8);
        let map = file.map(Access::CopyOnWrite);
        map.write_at(0, b"private").unwrap();
        fail(&map, 5 * page(), STATUS_IO_DEVICE_ERROR);
        assert_eq!((raw_get(&map, 0), raw_get(&map, 7 * page())), (0, 0), "all of it is gone");
        fault_of(map.get(0));
        assert_eq!(map.to_vec(..).unwrap(), pattern_of(0..file.len));
        map.write_at(0, b"private").unwrap();
        assert_eq!(file.bytes(), pattern_of(0..file.len));
    });
}

#[test]
fn a_map_without_its_file_is_gone_as_a_whole() {
    in_child(|| {
        let file = PatternFile::pages(8);
        let map = MapOptions::new().keep_file(false).open(&file.path).unwrap();
        assert!(map.is_guarded());
        fail(&map, 5 * page(), STATUS_IO_DEVICE_ERROR);
        for _ in 0..3 {
            assert_eq!(fault_of(map.get(0)).reason, FaultReason::Io);
            assert_eq!(fault_of(map.get(7 * page())).reason, FaultReason::Io);
        }
    });
}

/// What the system did not map again when something beside it was replaced.
#[test]
fn pages_that_are_not_there_are_mapped_when_they_are_touched() {
    in_child(|| {
        let file = PatternFile::pages(8);
        let map = file.map(Access::Write);
        let unmap = || {
            // SAFETY: nobody reads the pages, and their addresses stay the map's.
            let done = unsafe { UnmapViewOfFileEx(start_of(&map), MEM_PRESERVE_PLACEHOLDER) };
            assert_ne!(done, 0);
        };
        unmap();
        assert_eq!(map.get(3 * page()).unwrap(), pattern(3 * page()));
        assert_eq!(map.fault(), None);
        unmap();
        map.set(5, 1).unwrap();
        unmap();
        file.cut(2 * page());
        assert_truncated(map.get(7 * page()), 2 * page());
        assert_eq!((raw_get(&map, 5), raw_get(&map, 7 * page())), (1, 0));
        file.regrow();
        assert_eq!(map.to_vec(..).unwrap(), pattern_of(0..file.len));
    });
}

/// A failure of the system's while pages are replaced: what is lost is reported.
#[test]
fn a_file_that_was_closed_cannot_be_mapped_again() {
    in_child(|| {
        let file = PatternFile::pages(8);
        let map = file.map(Access::Read);
        // SAFETY: it is an error of the program's, which the test is about; it has no
        // other handle that this could be.
        assert_ne!(unsafe { CloseHandle(map.file().unwrap().as_raw_handle()) }, 0);
        fail(&map, 5 * page() + 9, STATUS_IO_DEVICE_ERROR);
        assert_eq!((raw_get(&map, 0), raw_get(&map, 7 * page())), (0, 0), "all of it is gone");
        let _ = map.get(0);
        for _ in 0..2 {
            for at in [0, 4, 5, 7] {
                let fault = fault_of(map.get(at * page()));
                assert_eq!((fault.offset, fault.reason), (at * page(), FaultReason::NoSpace));
            }
        }
    });
}

#[test]
fn threads_that_fail_at_once_and_read_meanwhile() {
    in_child(|| {
        let file = PatternFile::pages(64);
        let map = file.map(Access::Read);
        std::thread::scope(|scope| {
            for thread in 0..3 {
                let map = &map;
                scope.spawn(move || {
                    for round in 0..200 {
                        fail(map, (round * 7 + thread * 20) % 64 * page(), STATUS_IO_DEVICE_ERROR);
                        // The pages of the views are not there for moments.
                        for at in (0..map.len()).step_by(page()) {
                            let byte = raw_get(map, at + 9);
                            assert!(byte == 0 || byte == pattern(at + 9), "{byte} at {at}");
                        }
                        match map.to_vec(..) {
                            Ok(bytes) => assert_eq!(bytes, pattern_of(0..64 * page())),
                            Err(error) => drop(fault_of(Err::<(), _>(error))),
                        }
                    }
                });
            }
        });
        let _ = map.get(0);
        assert_eq!(map.to_vec(..).unwrap(), pattern_of(0..file.len));
        assert_eq!(map.fault(), None);
    });
}

#[test]
fn others_get_what_is_not_in_a_map() {
    expect_code(EXCEPTION_IN_PAGE_ERROR, || {
        let file = PatternFile::pages(4);
        let map = file.map(Access::Read);
        fail(&map, 0, STATUS_IO_DEVICE_ERROR);
        fault_of(map.get(0));
        fail_at(file.path.as_os_str().as_encoded_bytes().as_ptr(), STATUS_IO_DEVICE_ERROR);
    });
}

#[test]
fn writing_to_what_is_read_only_ends_the_process() {
    expect_code(EXCEPTION_ACCESS_VIOLATION, || {
        let file = PatternFile::pages(4);
        let map = file.map(Access::Read);
        assert_eq!(map.get(0).unwrap(), pattern(0));
        // SAFETY: it ends the process, as the test says.
        unsafe { map.as_mut_ptr().write_volatile(1) };
    });
}
