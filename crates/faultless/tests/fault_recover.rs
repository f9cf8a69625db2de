//! What a fault leaves behind: the error, what raw memory shows, healing, and
//! kinds of maps.
#![allow(clippy::unwrap_used)]

mod fault_support;

use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use fault_support::areas::areas;
use fault_support::child::in_child;
use fault_support::{
    PatternFile, Stop, assert_truncated, assert_truncated_in, fault_of, page, pattern, pattern_of,
    raw_get, raw_set,
};
use faultless::{Access, Advice, ErrorKind, Fault, FaultReason, Map, MapOptions};

#[test]
fn the_error_says_what_happened() {
    in_child(|| {
        let file = PatternFile::pages(4);
        let map = file.map(Access::Read);
        file.cut(page());
        let error = map.to_vec(..).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Fault);
        assert_eq!(error.operation(), "to_vec");
        assert_eq!(error.path(), Some(file.path.as_path()));
        assert_eq!(error.raw_os_error(), None);
        let Fault { offset, reason, .. } = error.fault().unwrap();
        assert_eq!((offset, reason, reason.name()), (page(), FaultReason::Truncated, "truncated"));
        let message = error.to_string();
        assert!(message.contains("truncated"), "{message}");
        assert!(message.contains(&page().to_string()), "{message}");
        assert!(message.contains(file.path.to_str().unwrap()), "{message}");

        // The same through std::io.
        let error = map.into_cursor().read_to_end(&mut Vec::new()).unwrap_err();
        let inner = error.get_ref().unwrap().downcast_ref::<faultless::Error>().unwrap();
        assert_eq!(inner.fault().unwrap().offset, page());
    });
}

#[test]
fn the_offset_is_the_maps() {
    in_child(|| {
        let file = PatternFile::pages(8);
        let lead = page() + 100;
        let map = MapOptions::new().offset(lead as u64).open(&file.path).unwrap();
        file.cut(3 * page());
        assert_truncated(map.to_vec(..), 3 * page() - lead);
        assert_eq!(map.fault().unwrap().offset, 3 * page() - lead);
        file.cut(3 * page() + 10);
        assert_truncated(map.to_vec(..), 3 * page() + 10 - lead);
        // The file now ends before the map begins, in the map's first page.
        file.cut(page() + 50);
        assert_truncated(map.to_vec(..), 0);
        assert_truncated(map.get(0), 0);
        file.cut(5);
        assert_truncated(map.get(0), 0);
        file.regrow();
        assert_eq!(map.to_vec(..).unwrap(), pattern_of(lead..file.len));
    });
}

#[test]
fn raw_memory_reads_zeros_and_the_next_operation_reports_once() {
    in_child(|| {
        let file = PatternFile::pages(4);
        let map = file.map(Access::Write);
        file.cut(page());
        assert_eq!(map.fault(), None, "nobody has touched the lost pages");
        assert_eq!(raw_get(&map, 2 * page()), 0);
        assert_eq!(raw_get(&map, 0), pattern(0));
        let fault = map.fault().unwrap();
        assert_eq!(fault.reason, FaultReason::Truncated);
        assert!((page()..=2 * page()).contains(&fault.offset));
        assert_eq!(map.fault(), Some(fault), "asking changes nothing");

        file.regrow();
        assert!(map.fault().is_some(), "it has not been reported");
        let reported = fault_of(map.get(0));
        assert_eq!(reported.reason, FaultReason::Truncated);
        assert_eq!(map.fault(), None);
        assert_eq!(map.to_vec(..).unwrap(), pattern_of(0..file.len));
        map.flush().unwrap();
    });
}

#[test]
fn a_lost_store_through_raw_memory_is_reported_by_flush() {
    in_child(|| {
        let file = PatternFile::pages(4);
        let map = file.map(Access::Write);
        file.cut(page());
        raw_set(&map, 2 * page(), 1);
        file.regrow();
        fault_of(map.flush());
        assert_eq!(map.get(2 * page()).unwrap(), pattern(2 * page()), "the store was lost");
        map.set(2 * page(), 99).unwrap();
        map.flush().unwrap();
        assert_eq!(file.bytes()[2 * page()], 99);
    });
}

#[test]
fn flush_is_never_ok_while_pages_are_replaced() {
    in_child(|| {
        let file = PatternFile::pages(4);
        let map = file.map(Access::Write);
        file.cut(page());
        for _ in 0..3 {
            assert_truncated(map.flush(), page());
            fault_of(map.flush_range(..page(), faultless::Flush::SYNC));
            fault_of(map.flush_range(0..0, faultless::Flush::ASYNC));
        }
        raw_set(&map, 3 * page(), 1);
        for _ in 0..3 {
            fault_of(map.flush());
            fault_of(map.flush_range(..page(), faultless::Flush::ASYNC));
            map.set(0, pattern(0)).unwrap();
        }
        file.regrow_to(3 * page());
        fault_of(map.flush());
        file.regrow();
        map.flush().unwrap();
    });
}

#[test]
fn regrowing_heals_and_what_is_written_reaches_the_file() {
    in_child(|| {
        let file = PatternFile::pages(10);
        let map = file.map(Access::Write);
        let areas_before = areas();
        for cut in [5 * page(), 5 * page() + 1, 0, 9 * page() + 4000] {
            file.cut(cut);
            fault_of(map.to_vec(..));
            fault_of(map.fill(.., 1));
            file.regrow();
            assert_eq!(map.to_vec(..).unwrap(), pattern_of(0..file.len));
            assert_eq!(map.fault(), None);
            let at = file.len - 100;
            map.write_at(at, &[9; 100]).unwrap();
            map.write_at(5 * page() - 50, &[9; 100]).unwrap();
            map.flush().unwrap();
            let bytes = file.bytes();
            assert_eq!(bytes[at..], [9; 100]);
            assert_eq!(bytes[5 * page() - 50..5 * page() + 50], [9; 100]);
            file.regrow();
        }
        // One more, to notice the next cut, and none for each.
        assert!(areas() <= areas_before + 1, "{areas_before} areas became {}", areas());
    });
}

#[test]
fn a_file_made_longer_with_a_hole_has_real_zeros() {
    in_child(|| {
        let file = PatternFile::pages(4);
        let map = file.map(Access::Write);
        file.cut(page() + 10);
        fault_of(map.to_vec(..));
        file.cut(file.len);
        let mut expected = pattern_of(0..page() + 10);
        expected.resize(file.len, 0);
        assert_eq!(map.to_vec(..).unwrap(), expected);
        assert_eq!(map.count(&[0], ..).unwrap(), 3 * page() - 10);
        map.flush().unwrap();
    });
}

#[test]
fn partial_regrowth_heals_its_part() {
    in_child(|| {
        let file = PatternFile::pages(10);
        let map = file.map(Access::Write);
        file.cut(2 * page());
        assert_truncated(map.to_vec(..), 2 * page());
        file.regrow_to(6 * page());
        assert_eq!(map.to_vec(..6 * page()).unwrap(), pattern_of(0..6 * page()));
        map.set(5 * page(), 77).unwrap();
        assert_eq!(file.bytes()[5 * page()], 77);
        assert_truncated(map.get(6 * page()), 6 * page());
        assert_truncated(map.flush(), 6 * page());
        assert_eq!(map.fault().unwrap().offset, 6 * page());
        file.regrow_to(7 * page() + 5);
        assert_eq!(map.get(7 * page() + 4).unwrap(), pattern(7 * page() + 4));
        assert_truncated(map.get(7 * page() + 5), 7 * page() + 5);
        file.regrow();
        assert_eq!(map.to_vec(..).unwrap(), pattern_of(0..file.len));
    });
}

#[test]
fn resizing_makes_the_map_whole() {
    in_child(|| {
        for len in [3, 8, 12] {
            let file = PatternFile::pages(8);
            let mut map = file.map(Access::Write);
            file.cut(2 * page());
            fault_of(map.to_vec(..));
            map.resize(len * page()).unwrap();
            assert_eq!(map.fault(), None);
            let mut expected = pattern_of(0..2 * page());
            expected.resize(len * page(), 0);
            assert_eq!(map.to_vec(..).unwrap(), expected);
            map.set(len * page() - 1, 5).unwrap();
            map.flush().unwrap();
            assert_eq!(file.bytes()[len * page() - 1], 5);
        }
    });
}

#[test]
fn copying_inside_the_map_never_stores_the_zeros_of_lost_pages() {
    in_child(|| {
        let file = PatternFile::pages(16);
        for touched in [false, true] {
            file.regrow();
            let map = file.map(Access::Write);
            file.cut(8 * page());
            if touched {
                fault_of(map.get(9 * page()));
            }
            assert_truncated(map.copy_within(7 * page()..10 * page(), 0), 8 * page());
            let bytes = file.bytes();
            assert_eq!(bytes.len(), 8 * page());
            assert_eq!(bytes.iter().position(|&byte| byte == 0), None, "zeros reached the file");
        }
    });
}

#[test]
#[cfg_attr(windows, ignore = "a copy-on-write view is replaced as a whole")]
fn private_changes_before_the_cut_survive() {
    in_child(|| {
        for end in [4 * page(), 4 * page() + 100] {
            let file = PatternFile::pages(8);
            let map = file.map(Access::CopyOnWrite);
            map.write_at(page(), b"private").unwrap();
            map.write_at(4 * page() - 7, b"private").unwrap();
            file.cut(end);
            assert_truncated(map.to_vec(..), end);
            let mut expected = pattern_of(0..end);
            expected[page()..page() + 7].copy_from_slice(b"private");
            expected[4 * page() - 7..4 * page()].copy_from_slice(b"private");
            assert_eq!(map.to_vec(..end).unwrap(), expected);
            file.regrow();
            expected.extend(pattern_of(end..8 * page()));
            assert_eq!(map.to_vec(..).unwrap(), expected);
            map.write_at(7 * page(), b"private").unwrap();
            assert_eq!(map.to_vec(7 * page()..7 * page() + 7).unwrap(), b"private");
            assert_eq!(file.bytes(), pattern_of(0..8 * page()), "the file has no private byte");
        }
    });
}

#[test]
fn maps_of_one_file_fail_and_heal_each_by_itself() {
    in_child(|| {
        let file = PatternFile::pages(8);
        let maps = [
            file.map(Access::Read),
            file.map(Access::Write),
            file.map(Access::CopyOnWrite),
            MapOptions::new().offset(5 * page() as u64 + 3).len(100).open(&file.path).unwrap(),
            MapOptions::new().len(3 * page()).open(&file.path).unwrap(),
        ];
        file.cut(4 * page());
        assert_eq!(raw_get(&maps[0], 6 * page()), 0);
        assert!(maps[0].fault().is_some());
        for map in &maps[1..] {
            assert_eq!(map.fault(), None);
        }
        assert_truncated(maps[1].to_vec(..), 4 * page());
        assert_truncated(maps[2].to_vec(..), 4 * page());
        assert_truncated(maps[3].to_vec(..), 0);
        assert_eq!(maps[4].to_vec(..).unwrap(), pattern_of(0..3 * page()));
        file.regrow();
        fault_of(maps[0].to_vec(..));
        for map in &maps {
            let start = map.file_offset() as usize;
            assert_eq!(map.to_vec(..).unwrap(), pattern_of(start..start + map.len()));
        }
    });
}

#[test]
#[cfg_attr(windows, ignore = "without its file a view is replaced as a whole")]
fn a_map_without_its_file_fails_and_stays_failed() {
    in_child(|| {
        let file = PatternFile::pages(8);
        let map = MapOptions::new().keep_file(false).open(&file.path).unwrap();
        assert!(map.is_guarded());
        file.cut(4 * page());
        assert_truncated(map.to_vec(..), 4 * page());
        assert_eq!(map.to_vec(..4 * page()).unwrap(), pattern_of(0..4 * page()));
        file.cut(2 * page());
        // Nobody can be asked where the file ends: any lost byte may be named.
        assert_truncated_in(map.to_vec(..), 2 * page(), 4 * page());
        assert_truncated(map.to_vec(..3 * page()), 2 * page());
        file.regrow();
        assert_eq!(map.to_vec(..2 * page()).unwrap(), pattern_of(0..2 * page()));
        assert_truncated(map.get(3 * page()), 3 * page());
        assert_eq!(map.fault().unwrap().reason, FaultReason::Truncated);
    });
}

#[test]
#[cfg_attr(windows, ignore = "Windows removes no file that is mapped")]
fn a_removed_or_replaced_file_fails_as_any() {
    in_child(|| {
        let file = PatternFile::pages(4);
        let map = file.map(Access::Write);
        std::fs::remove_file(&file.path).unwrap();
        assert_eq!(map.to_vec(..).unwrap(), pattern_of(0..file.len));
        file.cut(page());
        assert_truncated(map.to_vec(..), page());
        file.regrow();
        assert_eq!(map.to_vec(..).unwrap(), pattern_of(0..file.len));
    });
}

/// Only Linux has files in memory without a name.
#[cfg(target_os = "linux")]
#[test]
fn memory_files_fail_as_any() {
    use std::os::fd::FromRawFd;
    in_child(|| {
        // SAFETY: makes a file, which is then owned.
        let file = unsafe {
            let fd = libc::memfd_create(c"test".as_ptr(), 0);
            assert_ne!(fd, -1);
            std::fs::File::from_raw_fd(fd)
        };
        let file = PatternFile::on(file, 4 * page());
        let map = MapOptions::new().access(Access::Write).map(&file.file).unwrap();
        for cut in [page(), page() + 1, 0] {
            file.cut(cut);
            assert_truncated(map.to_vec(..), cut);
            assert_truncated(map.flush(), cut);
            file.regrow();
            assert_eq!(map.to_vec(..).unwrap(), pattern_of(0..file.len));
        }
    });
}

#[test]
fn a_protected_map_is_replaced_with_its_protection() {
    in_child(|| {
        let file = PatternFile::pages(4);
        let mut map = file.map(Access::Write);
        map.protect(faultless::Protection::READ).unwrap();
        file.cut(page());
        assert_truncated(map.to_vec(..), page());
        assert_eq!(map.set(2 * page(), 1).unwrap_err().kind(), ErrorKind::Access);
        file.regrow();
        assert_eq!(map.to_vec(..).unwrap(), pattern_of(0..file.len));
        map.protect(faultless::Protection::READ | faultless::Protection::WRITE).unwrap();
        map.set(2 * page(), 1).unwrap();
        assert_eq!(file.bytes()[2 * page()], 1);
    });
}

#[test]
fn advised_and_locked_maps_fail_as_any() {
    in_child(|| {
        let file = PatternFile::pages(8);
        let map = file.map(Access::Write);
        let advice = if Advice::Random.is_supported() { Advice::Random } else { Advice::WillNeed };
        map.advise(2 * page()..4 * page(), advice).unwrap();
        let _ = map.lock(3 * page()..5 * page());
        file.cut(page());
        assert_truncated(map.to_vec(..), page());
        file.regrow();
        assert_eq!(map.to_vec(..).unwrap(), pattern_of(0..file.len));
    });
}

/// Two threads take turns at one map, each resizing or dropping it, while the
/// file is cut.
#[test]
#[cfg_attr(windows, ignore = "Windows cuts no file that is mapped, Wine too slowly for this")]
fn maps_that_other_threads_resize_and_drop() {
    in_child(|| {
        let file = PatternFile::pages(16);
        let open = || Arc::new(RwLock::new(file.map(Access::Write)));
        let current = Mutex::new(open());
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let stop = Stop(&done);
            for _ in 0..2 {
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        let map = Arc::clone(&current.lock().unwrap());
                        let map = map.read().unwrap();
                        for at in (0..map.len()).step_by(page()) {
                            let _ = map.get(at).map_err(|error| fault_of(Err::<(), _>(error)));
                            let _ = raw_get(&map, at);
                        }
                    }
                });
            }
            scope.spawn(|| {
                let mut cut = 0;
                while !done.load(Ordering::Relaxed) {
                    cut = (cut + 5) % 16;
                    file.cut(cut * page());
                    std::thread::yield_now();
                }
            });
            for turn in 0..2000 {
                let map = Arc::clone(&current.lock().unwrap());
                // The file may shrink again before it is mapped anew.
                if let Err(error) = map.write().unwrap().resize((turn % 16 + 1) * page()) {
                    assert!(matches!(error.kind(), ErrorKind::Fault | ErrorKind::Os), "{error}");
                }
                if turn % 3 == 0 {
                    *current.lock().unwrap() = open();
                }
            }
            drop(stop);
        });
    });
}

/// Short-lived maps of a file that shrinks: places in the registry are used
/// again and again.
#[test]
#[cfg_attr(windows, ignore = "Windows cuts no file that is mapped, Wine too slowly for this")]
fn maps_made_and_dropped_by_many_threads() {
    in_child(|| {
        let file = PatternFile::pages(4);
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let stop = Stop(&done);
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    file.cut(page());
                    file.regrow();
                }
            });
            let workers: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(|| {
                        for _ in 0..4000 {
                            let Ok(map) = MapOptions::new().len(2 * page()).open(&file.path) else {
                                continue;
                            };
                            match map.to_vec(..) {
                                Ok(bytes) => assert_eq!(bytes, pattern_of(0..2 * page())),
                                Err(error) => drop(fault_of(Err::<(), _>(error))),
                            }
                        }
                    })
                })
                .collect();
            workers.into_iter().for_each(|worker| worker.join().unwrap());
            drop(stop);
        });
        let fresh: Vec<Map> = (0..300).map(|_| file.map(Access::Read)).collect();
        file.cut(0);
        fresh.iter().for_each(|map| assert_truncated(map.get(0), 0));
    });
}
