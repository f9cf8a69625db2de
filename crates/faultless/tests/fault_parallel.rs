//! Searches on several threads while pages fail: the error of the search on one.
#![allow(clippy::unwrap_used)]

mod fault_support;

use std::sync::atomic::{AtomicBool, Ordering};

use fault_support::child::in_child;
use fault_support::{PatternFile, assert_truncated, fault_of, files, page};
use faultless::{Access, FaultReason, Map, Result};

const LEN: usize = 8 << 20;
const NEEDLE: &[u8] = b"needle\0";
/// Where it stands: near the start and near the end.
const FIRST: usize = (1 << 20) - 3;
const LAST: usize = (7 << 20) - 3;

fn in_pool<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap().install(work)
}

fn file() -> PatternFile {
    let file = PatternFile::new(LEN);
    restore(&file);
    file
}

fn restore(file: &PatternFile) {
    file.regrow();
    files::write_all_at(&file.file, NEEDLE, FIRST as u64);
    files::write_all_at(&file.file, NEEDLE, LAST as u64);
}

/// Each search, as one number.
type Search = fn(&Map, &[u8]) -> Result<usize>;
const SEARCHES: [Search; 5] = [
    |map, needle| Ok(map.par_find(needle, ..)?.map_or(LEN, |at| at)),
    |map, needle| Ok(map.par_rfind(needle, ..)?.map_or(LEN, |at| at)),
    |map, needle| map.par_count(needle, ..),
    |map, needle| Ok(map.find_on(3, needle, ..)?.map_or(LEN, |at| at)),
    |map, needle| Ok(map.rfind_on(3, needle, ..)?.map_or(LEN, |at| at)),
];
/// What they find in a file that is whole.
const WHOLE: [usize; 5] = [FIRST, LAST, 2, FIRST, LAST];

fn cut_to(cut: usize) {
    in_pool(|| {
        for (search, whole) in SEARCHES.into_iter().zip(WHOLE) {
            let file = file();
            let map = file.map(Access::Read);
            assert_eq!(search(&map, NEEDLE).unwrap(), whole);
            file.cut(cut);
            // Zeros that the file does not have are not found.
            for needle in [&b"\0\0"[..], b"\0\0\0\0\0\0\0\0", b"not there", b"\0\0"] {
                assert_truncated(search(&map, needle), cut);
            }
            restore(&file);
            assert_eq!(search(&map, NEEDLE).unwrap(), whole);
            assert_eq!(map.fault(), None);
        }
    });
}

#[test]
fn cut_between_pages() {
    in_child(|| cut_to(3 * page()));
}

#[test]
fn cut_inside_a_page() {
    in_child(|| cut_to((5 << 20) + 1234));
}

#[test]
fn cut_inside_the_last_page() {
    in_child(|| cut_to(LEN - 100));
}

/// Other threads may have been in the lost pages already; the match is before them.
#[test]
fn a_match_before_what_is_lost() {
    in_child(|| {
        in_pool(|| {
            let file = file();
            let map = file.map(Access::Read);
            file.cut(FIRST + NEEDLE.len() + page());
            for _ in 0..50 {
                assert_eq!(map.par_find(NEEDLE, ..).unwrap(), Some(FIRST));
                assert_truncated(map.par_rfind(NEEDLE, ..), FIRST + NEEDLE.len() + page());
            }
            // The first of so many bytes is a megabyte before the pages that fail.
            file.cut(2 << 20);
            assert_eq!(map.par_find(NEEDLE, ..).unwrap(), Some(FIRST));
            assert_eq!(map.par_count(NEEDLE, ..2 << 20).unwrap(), 1);
            restore(&file);
            assert_eq!(map.par_rfind(NEEDLE, ..).unwrap(), Some(LAST));
            assert_eq!(map.fault(), None);
        });
    });
}

/// Another thread cuts the file and writes it anew all the time.
#[test]
#[cfg_attr(
    windows,
    ignore = "a cut and a regrowth in one operation go unseen; Windows allows none"
)]
fn cut_during_the_search() {
    in_child(|| {
        let file = file();
        let map = file.map(Access::Read);
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    file.cut(3 << 20);
                    restore(&file);
                }
            });
            in_pool(|| {
                let mut failed = 0;
                for _ in 0..60 {
                    for (search, whole) in SEARCHES.into_iter().zip(WHOLE) {
                        match search(&map, NEEDLE) {
                            Ok(found) => {
                                // The needle is written some time after the rest.
                                let other = [whole, LEN, FIRST, LAST, 1, 0].contains(&found);
                                assert!(other, "{found} instead of {whole}");
                            }
                            Err(error) => {
                                failed += 1;
                                let fault = fault_of(Err::<(), _>(error));
                                assert_eq!(fault.reason, FaultReason::Truncated);
                                assert!(fault.offset >= 3 << 20, "{fault}");
                            }
                        }
                    }
                }
                assert_ne!(failed, 0);
            });
            done.store(true, Ordering::Relaxed);
        });
        restore(&file);
        for (search, whole) in SEARCHES.into_iter().zip(WHOLE) {
            assert_eq!(search(&map, NEEDLE).unwrap(), whole);
        }
        assert_eq!(map.fault(), None);
    });
}
