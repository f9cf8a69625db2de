//! Pages that fail while they are asked about, brought in or let go.
#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

mod fault_support;

use std::fs::File;

use fault_support::child::{in_child, in_child_with, skip};
use fault_support::disks::mount_point;
use fault_support::fuse::FailingFile;
use fault_support::{PatternFile, assert_truncated, fault_of, page, pattern_of, raw_get};
use faultless::{Access, FaultReason, Map, MapOptions};

type Operation = fn(&Map, std::ops::Range<usize>) -> faultless::Result<()>;

/// Inside a page.
const END: usize = 100_000;

fn cut_file() -> (PatternFile, Map) {
    let file = PatternFile::pages(64);
    let map = file.map(Access::Read);
    file.cut(END);
    (file, map)
}

#[test]
fn a_file_that_was_truncated() {
    in_child(|| {
        let operations: [(&str, Operation); 4] = [
            ("residency", |map, range| map.residency(range).map(drop)),
            ("prefetch", |map, range| map.prefetch(range)),
            ("evict", |map, range| map.evict(range)),
            ("lock", |map, range| map.lock(range)),
        ];
        for (name, operation) in operations {
            for touched in [false, true] {
                let (file, map) = cut_file();
                if touched {
                    assert_eq!(raw_get(&map, 50 * page()), 0);
                    assert_truncated(map.get(50 * page()), END);
                }
                assert_truncated(operation(&map, 0..map.len()), END);
                assert_truncated(operation(&map, END - 1..END + 1), END);
                assert_truncated(operation(&map, map.len() - 1..map.len()), END);
                let error = operation(&map, END..map.len()).unwrap_err();
                assert_eq!((error.operation(), error.path()), (name, Some(file.path.as_path())));
                operation(&map, 0..END).unwrap();
                assert_eq!(map.to_vec(..END).unwrap(), pattern_of(0..END));

                file.regrow();
                operation(&map, 0..map.len()).unwrap();
                assert_eq!(map.to_vec(..).unwrap(), pattern_of(0..map.len()));
                assert_eq!(map.fault(), None);
            }
        }
    });
}

#[test]
fn prefetch_sees_a_disk_that_fails() {
    in_child(|| {
        let bad = FailingFile::mount(&mount_point(), 16 * page())
            .unwrap_or_else(|error| skip(&format!("cannot mount a file system: {error}")));
        let map = Map::open(&bad.path).unwrap();
        bad.make_bad(|page| page >= 5);
        map.prefetch(..2 * page()).unwrap();
        let fault = fault_of(map.prefetch(..));
        assert_eq!((fault.offset, fault.reason), (5 * page(), FaultReason::Io));
        assert_eq!(fault_of(map.lock(4 * page()..)).offset, 5 * page());
        bad.make_bad(|_| false);
        map.prefetch(..).unwrap();
        assert_eq!(map.fault(), None);
        assert_eq!(map.to_vec(..).unwrap(), pattern_of(0..map.len()));
    });
}

/// What the guard is off for: the page is an error all the same, and nothing
/// dies, because the system says so instead of the signal.
#[test]
fn prefetch_without_the_guard() {
    in_child_with(&[("FAULTLESS_GUARD", "0")], || {
        let bad = FailingFile::mount(&mount_point(), 16 * page())
            .unwrap_or_else(|error| skip(&format!("cannot mount a file system: {error}")));
        let map = Map::open(&bad.path).unwrap();
        assert!(!map.is_guarded());
        bad.make_bad(|page| page == 5);
        let fault = fault_of(map.prefetch(..));
        assert_eq!((fault.offset, fault.reason), (5 * page(), FaultReason::Io));
        bad.make_bad(|_| false);
        map.prefetch(..).unwrap();

        let (file, map) = cut_file();
        assert_truncated(map.prefetch(..), END);
        map.prefetch(..END).unwrap();
        file.regrow();
        map.prefetch(..).unwrap();
    });
}

/// The kernel tells what is in memory only to the owner and the writers of a
/// file, and says "all" to others.
#[test]
fn residency_is_not_told_to_others() {
    in_child(|| {
        // SAFETY: changes who this process is.
        if unsafe { libc::geteuid() } != 0 {
            skip("only the superuser can be somebody else");
        }
        let file = PatternFile::pages(64);
        file.file.sync_all().unwrap();
        let map = MapOptions::new().map(&File::open(&file.path).unwrap()).unwrap();
        map.evict(..).unwrap();
        map.prefetch(..1).unwrap();
        let truth = map.residency(..).unwrap();
        // SAFETY: as above.
        assert_eq!(unsafe { libc::seteuid(65534) }, 0);
        match map.residency(..) {
            Ok(told) => assert_eq!(told, truth),
            Err(error) => assert_eq!(error.raw_os_error(), Some(libc::EPERM), "{error}"),
        }
    });
}
