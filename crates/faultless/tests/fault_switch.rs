//! The guard turned off, and on again.
#![allow(clippy::unwrap_used)]

mod fault_support;

use fault_support::child::{dies_of_its_fault, in_child, in_child_with};
use fault_support::{PatternFile, assert_truncated, page, pattern_of};
use faultless::{Access, Map, MapOptions, ensure_guard, set_guard};

#[test]
fn turned_off_by_the_program() {
    dies_of_its_fault(&[], || {
        assert!(set_guard(false), "it was on");
        let file = PatternFile::pages(4);
        let map = file.map(Access::Read);
        assert!(!map.is_guarded() && !ensure_guard());
        assert_eq!(map.to_vec(..).unwrap(), pattern_of(0..file.len));
        file.cut(0);
        let _ = map.get(0);
    });
}

#[test]
fn turned_off_by_the_environment() {
    dies_of_its_fault(&[("FAULTLESS_GUARD", "0")], || {
        let file = PatternFile::pages(4);
        let map = file.map(Access::Read);
        assert!(!map.is_guarded() && !ensure_guard());
        file.cut(0);
        let _ = map.get(0);
    });
}

#[test]
fn turned_on_again_new_maps_are_guarded() {
    in_child_with(&[("FAULTLESS_GUARD", "0")], || {
        let file = PatternFile::pages(4);
        let unguarded = file.map(Access::Read);
        assert!(!set_guard(true), "it was off");
        let guarded = file.map(Access::Read);
        assert!(guarded.is_guarded() && !unguarded.is_guarded());
        file.cut(page());
        assert_truncated(guarded.to_vec(..), page());
    });
}

#[test]
fn guarded_maps_stay_guarded_when_it_is_turned_off() {
    in_child(|| {
        let file = PatternFile::pages(4);
        let map = file.map(Access::Read);
        set_guard(false);
        assert!(map.is_guarded());
        file.cut(page());
        assert_truncated(map.to_vec(..), page());
    });
}

#[test]
fn memory_of_no_file_needs_no_guard() {
    in_child_with(&[("FAULTLESS_GUARD", "0")], || {
        assert!(MapOptions::new().len(1).map_anonymous().unwrap().is_guarded());
        let empty = PatternFile::new(0);
        assert!(Map::open(&empty.path).unwrap().is_guarded());
    });
}
