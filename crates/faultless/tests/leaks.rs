//! Maps that come and go leave nothing behind. One test, alone in its process:
//! what it counts is the process's.
#![allow(clippy::unwrap_used)]

mod common;

use common::{file, pattern};
use faultless::{Access, Map, MapOptions, page_size};

/// Memory areas and open files of the process.
fn areas_and_files() -> (usize, usize) {
    (common::areas::areas(), common::areas::open_files())
}

/// Makes a map of every kind, uses it and drops it.
fn make_some(path: &std::path::Path, file: &std::fs::File) {
    let mut write = MapOptions::new();
    write.access(Access::Write);
    let _ = Map::open(path).unwrap().get(0).unwrap();
    write.open(path).unwrap().set(0, 1).unwrap();
    let _ = write.map(file).unwrap().into_cursor();
    MapOptions::new().access(Access::CopyOnWrite).offset(33).open(path).unwrap().set(0, 1).unwrap();
    MapOptions::new().keep_file(false).map(file).unwrap().get(0).unwrap();
    MapOptions::new().len(0).open(path).unwrap().get(0).unwrap_err();
    MapOptions::new().len(usize::MAX).open(path).unwrap_err();
    MapOptions::new().huge_pages(faultless::HugePages::Default).map(file).unwrap_err();
    let mut memory = MapOptions::new().len(page_size()).map_anonymous().unwrap();
    memory.resize(3 * page_size()).unwrap();
    memory.resize(1).unwrap();
    let mut shared = MapOptions::new().len(3 * page_size()).shared(true).map_anonymous().unwrap();
    shared.resize(0).unwrap();
}

#[test]
fn hundred_thousand_maps_leave_no_area_and_no_file() {
    let named = file(&pattern(3 * page_size()));
    let file = std::fs::File::options().read(true).write(true).open(named.path()).unwrap();
    make_some(named.path(), &file);
    let before = areas_and_files();
    for _ in 0..10_000 {
        make_some(named.path(), &file);
    }
    let after = areas_and_files();
    assert_eq!(after.1, before.1, "open files");
    // The allocator may have taken an area of its own.
    assert!(after.0 <= before.0 + 4, "{} areas, then {}", before.0, after.0);

    let many: Vec<Map> = (0..2000).map(|_| Map::open(named.path()).unwrap()).collect();
    let held = areas_and_files();
    assert!(held.0 >= before.0 + 2000, "{} areas, then {}", before.0, held.0);
    assert_eq!(held.1, before.1 + 2000, "open files");
    drop(many);
    let after = areas_and_files();
    assert_eq!(after.1, before.1, "open files");
    assert!(after.0 <= before.0 + 4, "{} areas, then {}", before.0, after.0);
}
