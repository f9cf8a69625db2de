//! Searches with many results over a file that was cut short: what comes before
//! the end is found, then the error.
#![allow(clippy::unwrap_used)]

mod fault_support;

use fault_support::child::in_child;
use fault_support::{PatternFile, assert_truncated, page, pattern_of};
use faultless::{Access, Error, FindAll, Map};

const PAGES: usize = 64;
const NEEDLE: u8 = 10;

fn cuts() -> [usize; 5] {
    [0, 100, 3 * page(), 20 * page() + 100, PAGES * page() - 1]
}

/// Every cut, before anything has been touched and after.
fn on_cut_files(check: impl Fn(&Map, &[u8], usize)) {
    for cut in cuts() {
        for touched in [false, true] {
            let file = PatternFile::pages(PAGES);
            let map = file.map(Access::Read);
            file.cut(cut);
            if touched {
                assert_truncated(map.get(PAGES * page() - 1), cut);
            }
            check(&map, &pattern_of(0..cut), cut);
        }
    }
}

/// The results before the error that ends them.
#[track_caller]
fn before_the_cut<T>(found: impl Iterator<Item = Result<T, Error>>, cut: usize) -> Vec<T> {
    let mut found: Vec<Result<T, Error>> = found.collect();
    assert_truncated(found.pop().unwrap().map(drop), cut);
    found.into_iter().map(Result::unwrap).collect()
}

#[test]
fn places() {
    in_child(|| {
        on_cut_files(|map, bytes, cut| {
            let expected: Vec<usize> = (0..cut).filter(|at| bytes[*at] == NEEDLE).collect();
            let search = FindAll::new(&[NEEDLE], 0..map.len());
            assert_eq!(before_the_cut(map.search(search.clone()), cut), expected);
            assert_eq!(before_the_cut(map.search(search.overlapping()), cut), expected);
            let before = FindAll::new(&[NEEDLE], 0..cut);
            assert!(map.search(before).map(Result::unwrap).eq(expected));
        });
    });
}

#[test]
fn lines() {
    in_child(|| {
        on_cut_files(|map, bytes, cut| {
            let found = before_the_cut(map.lines(..).unwrap(), cut);
            // The line that the file ends in has no end any more.
            let mut expected: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
            expected.pop();
            assert_eq!(found, expected);
            assert_truncated(map.line_index(..).map(drop), cut);
            if cut > 0 {
                let index = map.line_index(..cut).unwrap();
                assert_eq!(
                    index.len() as usize,
                    bytes.split_inclusive(|byte| *byte == b'\n').count()
                );
            }
        });
    });
}

#[test]
fn the_places_of_lines() {
    in_child(|| {
        let file = PatternFile::pages(PAGES);
        let map = file.map(Access::Read);
        let index = map.line_index(..).unwrap();
        let cut = 20 * page() + 100;
        file.cut(cut);
        assert_truncated(index.line(&map, index.len() - 1), cut);
        assert_truncated(index.line_at(&map, map.len() - 1), cut);
        assert_eq!(index.line(&map, 0).unwrap().start, 0);
        assert_eq!(index.line_at(&map, 1).unwrap(), 0);
    });
}

#[cfg(feature = "aho-corasick")]
#[test]
fn several_needles() {
    in_child(|| {
        on_cut_files(|map, bytes, cut| {
            let needles = [[7], [NEEDLE]];
            let search = faultless::FindAny::new(&needles, 0..map.len()).unwrap();
            let found = before_the_cut(map.search(search), cut);
            let expected = (0..cut).filter(|at| [7, NEEDLE].contains(&bytes[*at]));
            assert!(found.iter().map(|found| found.offset).eq(expected));
        });
    });
}

#[cfg(feature = "regex")]
#[test]
fn expressions() {
    in_child(|| {
        on_cut_files(|map, bytes, cut| {
            // Of one byte, within lines, and any; only zeros behind the end match.
            for expression in [r"(?-u)\n", r"(?-u)[^\n]+\n", r"(?s-u).{3,}"] {
                let search = faultless::FindRegex::new(expression, 0..map.len()).unwrap();
                let found = before_the_cut(map.search(search), cut);
                let regex = regex::bytes::Regex::new(expression).unwrap();
                let expected: Vec<_> = regex.find_iter(bytes).map(|found| found.range()).collect();
                assert!(found.len() <= expected.len());
                assert!(found.iter().zip(&expected).all(|(found, range)| found.range() == *range));
                if expression.ends_with('n') && !expression.contains('[') {
                    // What decides about the last few looks behind the end.
                    assert!(
                        found.len() + 2 >= expected.len(),
                        "{}: {}",
                        found.len(),
                        expected.len()
                    );
                }
            }
        });
    });
}
