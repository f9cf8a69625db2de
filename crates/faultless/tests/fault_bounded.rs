//! What many dead pages cost: a bounded number of signals and of areas of memory.
#![allow(clippy::unwrap_used)]

mod fault_support;

use fault_support::areas::areas;
use fault_support::child::in_child;
use fault_support::failures::{count_failures, failures};
use fault_support::{assert_truncated, fault_of, files, page, raw_get};
use faultless::{Access, Map, MapOptions};
use tempfile::NamedTempFile;

/// A file of holes.
struct Holes(NamedTempFile);

impl Holes {
    fn new(pages: usize) -> Self {
        let holes = Self(NamedTempFile::new().unwrap());
        holes.set_len(pages * page());
        holes
    }

    fn set_len(&self, len: usize) {
        files::set_len(self.0.as_file(), self.0.path(), len);
    }
}

/// A map of a file of holes.
fn sparse(pages: usize) -> (Holes, Map) {
    let file = Holes::new(pages);
    let map = MapOptions::new().access(Access::Write).map(file.0.as_file()).unwrap();
    (file, map)
}

/// Touches pages from the first to the last, in steps.
fn touch_all(map: &Map, from: usize, step: usize) {
    for at in (from..map.len()).step_by(step * page()) {
        assert_eq!(raw_get(map, at), 0);
    }
}

fn truncated(pages: usize) {
    let (file, map) = sparse(pages);
    count_failures();
    let before = areas();
    file.set_len(page());
    touch_all(&map, page(), 1);
    assert_eq!(failures(), 1);
    assert!(areas() <= before + 2, "{before} areas became {}", areas());
    assert_truncated(map.get(map.len() - 1).and(map.to_vec(..2 * page())), page());
    file.set_len(map.len());
    files::write_all_at(file.0.as_file(), b"back", (map.len() - 4) as u64);
    assert_eq!(map.to_vec(map.len() - 4..).unwrap(), b"back");
    // A map that something happened to has one area more, to notice the next.
    assert!(areas() <= before + 1, "{before} areas became {}", areas());
}

#[test]
fn forty_thousand_pages() {
    in_child(|| truncated(40_000));
}

/// Or a quarter of what 32 bits have room for.
#[test]
fn four_million_pages() {
    in_child(|| {
        let (file, map) = sparse(4_000_000.min(isize::MAX as usize / 2 / page()));
        count_failures();
        let before = areas();
        file.set_len(0);
        touch_all(&map, 0, 100);
        assert_eq!(failures(), 1);
        assert!(areas() <= before + 2);
        assert_truncated(map.get(0), 0);
        assert_truncated(map.flush(), 0);
    });
}

/// From the end to the start, so that each fault is the first of its tail.
#[test]
fn pages_touched_backwards() {
    in_child(|| {
        let (file, map) = sparse(40_000);
        count_failures();
        let before = areas();
        file.set_len(0);
        for at in (0..map.len()).step_by(page()).rev() {
            assert_eq!(raw_get(&map, at), 0);
        }
        assert_eq!(failures(), 1);
        assert!(areas() <= before + 2);
    });
}

/// Nobody can be asked for the file's length: a tail is replaced from the page
/// that failed.
#[test]
fn pages_touched_of_a_map_without_its_file() {
    in_child(|| {
        let file = Holes::new(40_000);
        let map = MapOptions::new().keep_file(false).map(file.0.as_file()).unwrap();
        count_failures();
        let before = areas();
        file.set_len(page());
        touch_all(&map, 20_000 * page(), 1);
        touch_all(&map, page(), 1);
        // Or all of it at once, where no part of it can be mapped again.
        assert!((1..=2).contains(&failures()));
        assert!(areas() <= before + 2);
        // In the worst order each page costs a signal, and still no area.
        let before = areas();
        file.set_len(40_000 * page());
        let map = MapOptions::new().keep_file(false).map(file.0.as_file()).unwrap();
        file.set_len(0);
        for at in (0..2_000 * page()).step_by(page()).rev() {
            assert_eq!(raw_get(&map, at), 0);
        }
        assert!(areas() <= before + 3, "{before} areas became {}", areas());
        fault_of(map.get(0));
    });
}

/// Cutting shorter and shorter, and growing, by single pages.
#[test]
fn a_file_that_shrinks_and_grows_by_pages() {
    in_child(|| {
        let (file, map) = sparse(2_000);
        count_failures();
        let before = areas();
        for pages in (0..2_000).rev() {
            file.set_len(pages * page());
            fault_of(map.get(pages * page()));
        }
        // One for the tail, and one that shows that the file was cut.
        assert!(failures() <= 2 * 2_000);
        assert!(areas() <= before + 3, "{before} areas became {}", areas());
        for pages in 1..=2_000 {
            file.set_len(pages * page());
            assert_eq!(map.get(pages * page() - 1).unwrap(), 0);
        }
        assert_eq!(map.fault(), None);
        assert!(failures() <= 2_000);
        assert!(areas() <= before + 3, "{before} areas became {}", areas());
    });
}

#[test]
fn many_maps() {
    in_child(|| {
        let file = Holes::new(4);
        let options = MapOptions::new();
        let maps: Vec<Map> = (0..500).map(|_| options.map(file.0.as_file()).unwrap()).collect();
        count_failures();
        let before = areas();
        file.set_len(0);
        for map in &maps {
            touch_all(map, 0, 1);
        }
        assert_eq!(failures(), maps.len());
        assert!(areas() <= before + maps.len());
        file.set_len(4 * page());
        for map in &maps {
            fault_of(map.get(0));
            assert_eq!(map.get(0).unwrap(), 0);
        }
        drop(maps);
        assert!(areas() <= before);
    });
}
