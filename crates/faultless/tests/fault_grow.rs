//! Maps that grow in place, while others use their memory and their file.
#![allow(clippy::unwrap_used)]

mod fault_support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use fault_support::child::in_child;
use fault_support::{
    PatternFile, Stop, assert_truncated, assert_truncated_in, fault_of, page, pattern_of, raw_get,
    raw_set,
};
use faultless::{Access, FaultReason, Map, MapOptions};

const MIB: usize = 1 << 20;

fn growing(file: &PatternFile, reserve: usize) -> Map {
    MapOptions::new().access(Access::Write).reserve(reserve).open(&file.path).unwrap()
}

/// An address that is given to another thread.
#[derive(Clone, Copy)]
struct Address(*mut u8);

// SAFETY: what is done with it allows for others' doing the same.
unsafe impl Send for Address {}

impl Address {
    fn read(self, at: usize) -> u8 {
        // SAFETY: the tests read inside maps that live; guarded, it cannot fail.
        unsafe { self.0.wrapping_add(at).read_volatile() }
    }
}

#[test]
fn a_grown_part_is_guarded() {
    in_child(|| {
        let file = PatternFile::pages(4);
        let mut map = growing(&file, 16 * MIB);
        map.grow(MIB).unwrap();
        map.append(&pattern_of(0..10)).unwrap();
        file.cut(6 * page());
        assert_truncated_in(map.get(10 * page()), 6 * page(), 10 * page());
        assert_truncated_in(map.to_vec(..), 6 * page(), MIB);
        assert_truncated_in(map.find(&[0xFF], ..), 6 * page(), MIB);
        assert_eq!(map.to_vec(..4 * page()).unwrap(), pattern_of(0..file.len));
        assert_eq!(raw_get(&map, 20 * page()), 0);
        fault_of(map.flush());
        file.regrow_to(MIB + 10);
        assert_eq!(map.to_vec(..).unwrap(), pattern_of(0..MIB + 10));
        assert_eq!(map.fault(), None);
    });
}

#[test]
fn a_map_that_was_empty_is_guarded() {
    in_child(|| {
        let file = PatternFile::new(0);
        let mut map = growing(&file, 16 * MIB);
        map.grow(10 * page()).unwrap();
        map.fill(.., 1).unwrap();
        file.cut(page());
        assert_truncated_in(map.get(5 * page()), page(), 5 * page());
        assert_eq!(raw_get(&map, 7 * page()), 0);
    });
}

#[test]
fn growing_makes_a_map_whole_that_was_cut() {
    in_child(|| {
        let file = PatternFile::pages(10);
        let mut map = growing(&file, 16 * MIB);
        file.cut(5 * page());
        assert_truncated(map.get(9 * page()), 5 * page());
        map.grow(20 * page()).unwrap();
        let mut expected = pattern_of(0..5 * page());
        expected.resize(20 * page(), 0);
        assert_eq!(map.to_vec(..).unwrap(), expected);
        map.set(19 * page(), 3).unwrap();
        assert_eq!(file.bytes()[19 * page()], 3);
        assert_eq!(map.fault(), None);
    });
}

#[test]
fn appending_goes_on_after_a_truncation() {
    in_child(|| {
        let file = PatternFile::pages(2);
        let mut map = growing(&file, 64 * MIB);
        for _ in 0..100 {
            map.append(&[1; 512]).unwrap();
        }
        let len = map.len();
        // What was allocated ahead is taken away, and something of what was
        // appended too.
        file.cut(len - 1000);
        fault_of(map.append(&[2; 512]));
        assert_eq!(map.len(), len);
        assert_eq!(map.append(&[3; 512]).unwrap(), len);
        let mut expected = pattern_of(0..file.len);
        expected.resize(len - 1000, 1);
        expected.resize(len, 0);
        expected.extend([3; 512]);
        assert_eq!(map.to_vec(..).unwrap(), expected);
        assert_eq!(map.fault(), None);
        drop(map);
        assert_eq!(file.bytes(), expected);
    });
}

#[test]
fn faults_in_a_part_that_is_cut_off_are_forgotten_with_it() {
    in_child(|| {
        let file = PatternFile::pages(64);
        let mut map = growing(&file, 16 * MIB);
        file.cut(40 * page());
        assert_eq!(raw_get(&map, 50 * page()), 0);
        map.resize(30 * page()).unwrap();
        assert_eq!(fault_of(map.get(0)).reason, FaultReason::Truncated);
        assert_eq!(map.to_vec(..).unwrap(), pattern_of(0..30 * page()));
        assert_eq!(map.fault(), None);
        map.grow(64 * page()).unwrap();
        raw_set(&map, 63 * page(), 4);
        assert_eq!(map.find(&[4], 50 * page()..).unwrap(), Some(63 * page()));
        assert_eq!(file.bytes()[63 * page()], 4);
    });
}

/// Threads read the map's memory, as an array that was exported does, while it
/// grows and shrinks and its file is cut.
#[test]
fn raw_memory_survives_growing_and_shrinking() {
    in_child(|| {
        let file = PatternFile::pages(1);
        let mut map = growing(&file, 16 * MIB);
        map.grow(4 * MIB).unwrap();
        map.fill(page().., 0).unwrap();
        let start = Address(map.as_mut_ptr());
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let _stop = Stop(&stop);
            for nth in 0..2 {
                let stop = &stop;
                scope.spawn(move || {
                    let start = start;
                    while !stop.load(Ordering::Relaxed) {
                        for at in (nth..4 * MIB / page()).step_by(3) {
                            let byte = start.read(at * page());
                            assert!(byte == 0 || at == 0, "page {at} has {byte}");
                        }
                    }
                });
            }
            for round in 0..300 {
                match round % 6 {
                    0 => map.resize((round * 7 % 1000 + 1) * page()).unwrap(),
                    1 => file.cut((round % 5 + 1) * page()),
                    // What they read behind the map's end stays zeros.
                    2 => map.resize((round % 7 + 2) * page()).unwrap(),
                    3 => map.grow((round % 11 + 9) * page()).unwrap(),
                    4 => map.resize(4 * MIB).unwrap(),
                    _ => {
                        let len = map.len();
                        map.grow((len + 33 * page()).min(16 * MIB)).unwrap();
                    }
                }
                let _ = map.to_vec(..);
            }
        });
        map.resize(4 * MIB).unwrap();
        let _ = map.to_vec(..);
        assert_eq!(map.to_vec(..page()).unwrap().len(), page());
        assert_eq!(map.fault(), None);
    });
}
