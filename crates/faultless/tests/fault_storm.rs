//! A process that cuts a file and writes it anew as fast as it can, while four
//! threads use every operation on maps of it. Windows lets nobody do that, and a
//! cut and a regrowth within one operation go unseen there.
#![allow(clippy::unwrap_used)]
#![cfg(unix)]

mod fault_support;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fault_support::child::{fork_running, in_child, wait};
use fault_support::operations::OPERATIONS;
use fault_support::{PatternFile, Stop, fault_of, page, pattern_of, raw_get};
use faultless::{Access, FaultReason, Map, MapOptions};

const PAGES: usize = 48;
const TIME: Duration = Duration::from_secs(4);

/// Cuts the file and writes it anew until the parent kills this process. It has
/// the pattern ready: a child of a process with threads must not allocate.
fn cut_and_regrow(fd: i32, whole: &[u8], cuts: &[usize]) -> i32 {
    for turn in 0usize.. {
        // SAFETY: changes a file.
        unsafe {
            if libc::ftruncate(fd, cuts[turn % cuts.len()] as libc::off_t) != 0 {
                return 1;
            }
            // Sometimes others come to see it short.
            if turn % 3 == 0 {
                libc::sched_yield();
            }
            if turn % 16 == 0 {
                libc::usleep(200);
            }
            // In pieces, each at the end of what is there: no byte is a hole.
            for start in (0..whole.len()).step_by(8 * page()) {
                let piece = &whole[start..whole.len().min(start + 8 * page())];
                let written =
                    libc::pwrite(fd, piece.as_ptr().cast(), piece.len(), start as libc::off_t);
                if written != piece.len() as isize {
                    return 2;
                }
            }
            // And often whole, so that operations come through.
            if turn % 4 == 0 {
                libc::usleep(800);
            }
        }
    }
    0
}

/// A cheap source of numbers that look random, the same in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end
    }
}

struct Seen {
    worked: AtomicU64,
    failed: AtomicU64,
}

fn use_everything(maps: &[(Map, usize)], seed: u64, seen: &Seen) {
    let end = Instant::now() + TIME;
    let mut numbers = Numbers(seed);
    while Instant::now() < end {
        let (map, lead) = &maps[numbers.below(maps.len())];
        let operation = &OPERATIONS[numbers.below(OPERATIONS.len())];
        if operation.writes && !map.is_writable() {
            continue;
        }
        let start = numbers.below(map.len() - 3 * page());
        let longest = map.len() - start;
        let len = 3 * page() + numbers.below(longest - 3 * page() + 1);
        match (operation.run)(map, *lead, start..start + len) {
            Ok(()) => seen.worked.fetch_add(1, Ordering::Relaxed),
            Err(error) => {
                let shown = error.to_string();
                let fault = fault_of(Err::<(), _>(error));
                assert_eq!(fault.reason, FaultReason::Truncated, "{shown}");
                assert!(fault.offset <= map.len(), "{shown}");
                seen.failed.fetch_add(1, Ordering::Relaxed)
            }
        };
        // Raw memory may show zeros, and never kills.
        let _ = raw_get(map, start);
        let _ = map.fault();
    }
}

fn storm(file: &PatternFile, cuts: &[usize], private: bool) {
    use std::os::fd::AsRawFd;
    let open = |access, lead: usize| {
        let map = MapOptions::new().access(access).offset(lead as u64).open(&file.path).unwrap();
        (map, lead)
    };
    let maps = [
        open(Access::Write, 0),
        open(Access::Read, 0),
        open(Access::Write, 3 * page() + 77),
        open(if private { Access::CopyOnWrite } else { Access::Read }, 0),
    ];
    let whole = pattern_of(0..file.len);
    let seen = Seen { worked: AtomicU64::new(0), failed: AtomicU64::new(0) };
    let other = fork_running(|| cut_and_regrow(file.file.as_raw_fd(), &whole, cuts));
    std::thread::scope(|scope| {
        for seed in 0..4 {
            let (maps, seen) = (&maps, &seen);
            scope.spawn(move || use_everything(maps, 0x9E37_79B9_7F4A_7C15 >> seed, seen));
        }
    });
    // SAFETY: the child that was just made.
    unsafe { libc::kill(other, libc::SIGKILL) };
    let status = wait(other);
    assert!(libc::WIFSIGNALED(status), "the other process failed: {status:#x}");

    // When all is quiet and the file is whole, so are the maps.
    file.regrow();
    for (map, lead) in &maps {
        let _ = map.flush();
        for operation in OPERATIONS.iter().filter(|it| !it.writes || map.is_writable()) {
            if let Err(error) = (operation.run)(map, *lead, 0..map.len()) {
                panic!("{} after the storm: {error}", operation.name);
            }
        }
        assert_eq!(map.fault(), None);
    }
    assert_eq!(file.bytes(), whole);
    let (worked, failed) = (seen.worked.into_inner(), seen.failed.into_inner());
    assert!(worked > 100 && failed > 100, "{worked} worked, {failed} failed");
}

/// The file ends between pages: every lost byte is on a page that fails.
#[test]
fn storm_between_pages() {
    in_child(|| {
        let file = PatternFile::pages(PAGES);
        storm(&file, &[0, 16 * page(), 40 * page(), page(), 47 * page(), 8 * page()], true);
    });
}

/// The file ends inside pages, which then show zeros and do not fail. A private
/// copy that is made of such a page keeps them for good: no such maps here.
#[test]
fn storm_inside_pages() {
    in_child(|| {
        let file = PatternFile::new(PAGES * page() - 100);
        storm(
            &file,
            &[5, 16 * page() + 1, 40 * page() + 3000, 47 * page() + 2000, 24 * page()],
            false,
        );
    });
}

/// The same on a file system that lives in memory.
#[test]
fn storm_in_memory() {
    use std::os::fd::FromRawFd;
    in_child(|| {
        // SAFETY: makes a file, which is then owned.
        let file = unsafe {
            let fd = libc::memfd_create(c"storm".as_ptr(), 0);
            assert_ne!(fd, -1);
            std::fs::File::from_raw_fd(fd)
        };
        use std::os::fd::AsRawFd;
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        let mut file = PatternFile::on(file, PAGES * page());
        file.path = path.into();
        storm(&file, &[0, 16 * page(), 40 * page(), page(), 47 * page(), 8 * page()], true);
    });
}

/// Each map is used for the first time: nothing has ever failed under it that
/// would make it careful. A file is cut, and whole again before the next page
/// behind the cut is touched.
#[test]
fn storm_over_new_maps() {
    in_child(|| {
        let file = PatternFile::pages(PAGES);
        let cuts = [44 * page() + 100, 46 * page() + 1000, 45 * page() + 3000];
        let done = AtomicBool::new(false);
        let failed = AtomicU64::new(0);
        let end = pattern_of(40 * page()..file.len);
        let reads = OPERATIONS.iter().filter(|operation| !operation.writes);
        std::thread::scope(|scope| {
            let stop = Stop(&done);
            scope.spawn(|| {
                use std::os::unix::fs::FileExt;
                for cut in cuts.iter().cycle() {
                    file.cut(*cut);
                    file.file.write_all_at(&end[cut - 40 * page()..], *cut as u64).unwrap();
                    if done.load(Ordering::Relaxed) {
                        break;
                    }
                }
            });
            let until = Instant::now() + TIME;
            for operation in reads.cycle() {
                if Instant::now() > until {
                    break;
                }
                // Long ones and short ones, all of which come to the cuts.
                for start in (0..40).cycle().map(|page_number| page_number * page()).take(80) {
                    let Ok(map) = MapOptions::new().len(file.len).map(&file.file) else {
                        continue;
                    };
                    if let Err(error) = (operation.run)(&map, 0, start..file.len) {
                        fault_of(Err::<(), _>(error));
                        failed.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
            drop(stop);
        });
        assert!(failed.into_inner() > 10);
    });
}
