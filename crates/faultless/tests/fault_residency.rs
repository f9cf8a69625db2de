//! Pages of a truncated file that are asked about, brought in, let go or kept.
#![allow(clippy::unwrap_used)]

mod fault_support;

use fault_support::child::in_child;
use fault_support::{PatternFile, assert_truncated, page, pattern_of, raw_get};
use faultless::{Access, Map};

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
