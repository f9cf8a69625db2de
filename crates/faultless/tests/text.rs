//! Searches that give many results, lines and the places of lines: the same as
//! from looking at all the bytes at once.
#![allow(clippy::unwrap_used)]

mod common;

use common::{anonymous, cases, kind, naive};
use faultless::{ErrorKind, FindAll, LineBlocks, LineIndexer, MapOptions, PartSearch};
use proptest::prelude::*;

/// Text of few letters, long enough for several parts.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let piece = proptest::collection::vec(prop_oneof![Just(b'a'), Just(b'b'), Just(b'\n')], 0..40);
    (piece, 0_usize..4000, proptest::collection::vec(0_u8..3, 0..30)).prop_map(
        |(piece, times, rest)| {
            let mut text = piece.repeat(times);
            text.extend(rest.iter().map(|byte| b"ab\n"[usize::from(*byte)]));
            text
        },
    )
}

/// All places, overlaps included.
fn overlapping(text: &[u8], needle: &[u8]) -> Vec<usize> {
    let last = text.len().checked_sub(needle.len());
    last.map_or(Vec::new(), |last| {
        (0..=last).filter(|&at| text[at..].starts_with(needle)).collect()
    })
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn all_places_with_and_without_overlaps(
        text in text(),
        needle in proptest::collection::vec(prop_oneof![Just(b'a'), Just(b'b')], 0..7),
        skipped in 0_usize..100,
    ) {
        let map = anonymous(&text);
        let start = skipped.min(text.len());
        let part = &text[start..];
        let at = |found: Vec<usize>| -> Vec<usize> { found.iter().map(|at| start + at).collect() };
        let all = FindAll::new(&needle, start..text.len());
        let found: Vec<usize> = map.search(all.clone().overlapping()).map(Result::unwrap).collect();
        prop_assert_eq!(found, at(overlapping(part, &needle)));
        let found: Vec<usize> = map.search(all).map(Result::unwrap).collect();
        prop_assert_eq!(found, at(naive::find_all(part, &needle)));
    }

    #[test]
    fn lines_are_split_where_they_end(text in text(), skipped in 0_usize..100) {
        let map = anonymous(&text);
        let part = &text[skipped.min(text.len())..];
        let mut lines: Vec<&[u8]> = part.split(|byte| *byte == b'\n').collect();
        if lines.last() == Some(&&b""[..]) {
            lines.pop();
        }
        let start = text.len() - part.len();
        let found: Vec<_> = map.lines(start..).unwrap().map(Result::unwrap).collect();
        prop_assert_eq!(&found, &lines);

        let index = map.line_index(start..).unwrap();
        prop_assert_eq!(index.len(), lines.len() as u64);
        let mut at = start;
        for (number, line) in lines.iter().enumerate().step_by(1 + lines.len() / 50) {
            let number = number as u64;
            let range = index.line(&map, number).unwrap();
            let bytes = map.to_vec(range.clone()).unwrap();
            prop_assert_eq!(bytes.strip_suffix(b"\n").unwrap_or(&bytes), *line);
            prop_assert!(range.start >= at && !range.is_empty());
            at = range.start;
            for place in [range.start, range.end - 1] {
                prop_assert_eq!(index.line_at(&map, place).unwrap(), number);
            }
        }
        prop_assert_eq!(kind(index.line(&map, lines.len() as u64)), ErrorKind::OutOfRange);
        prop_assert_eq!(kind(index.line_at(&map, text.len())), ErrorKind::OutOfRange);
    }
}

#[test]
fn a_long_needle_that_repeats_itself_takes_linear_time() {
    // With a comparison of the whole needle at each place it would be 4 * 10^10.
    let map = anonymous(&vec![b'a'; 1 << 20]);
    let search = FindAll::new(&vec![b'a'; 40_000], 0..map.len()).overlapping();
    assert_eq!(map.search(search).count(), (1 << 20) - 40_000 + 1);
}

#[test]
fn a_line_that_does_not_end_for_long_comes_in_parts() {
    const LONG: usize = 20 << 20;
    let map = MapOptions::new().len(LONG + 100).map_anonymous().unwrap();
    map.fill(.., b'.').unwrap();
    map.write_at(0, b"one\n").unwrap();
    map.write_at(LONG, b"\ntwo\nthree").unwrap();
    let (mut blocks, mut bytes) = (LineBlocks::new(0..LONG + 10), Vec::new());
    let (mut lens, mut pauses) = (Vec::new(), 0);
    loop {
        match blocks.read_part(&map, &mut bytes).unwrap() {
            Some(true) => lens.extend(LineBlocks::split(&bytes).map(<[u8]>::len)),
            Some(false) => break,
            None => pauses += 1,
        }
    }
    assert_eq!(lens, [4, LONG - 3, 4, 5]);
    assert!(pauses >= 3, "{pauses}");
}

#[test]
fn lines_of_any_length() {
    let text = [&vec![b'x'; 1_000_000][..], b"\n\n", &vec![b'y'; 300_000][..]].concat();
    let map = anonymous(&text);
    let lines: Vec<usize> = map.lines(..).unwrap().map(|line| line.unwrap().len()).collect();
    assert_eq!(lines, [1_000_000, 0, 300_000]);
    assert_eq!(map.line_index(..).unwrap().line(&map, 2).unwrap(), 1_000_002..1_300_002);
    assert_eq!(kind(map.lines(..text.len() + 1)), ErrorKind::OutOfRange);
}

#[test]
fn a_large_index_is_made_in_parts() {
    let line = b"line of 16 byte\n";
    let text = line.repeat((70 << 20) / line.len());
    let map = anonymous(&text);
    let mut indexer = LineIndexer::new(0..map.len());
    assert!(indexer.index_part(&map).unwrap());
    assert!(indexer.indexed() > 0 && indexer.indexed() < map.len());
    assert!(!indexer.index_part(&map).unwrap());
    let index = indexer.finish();
    let last = (text.len() / line.len()) as u64 - 1;
    assert_eq!(index.line(&map, last).unwrap(), text.len() - 16..text.len());
    assert_eq!(index.line_at(&map, text.len() / 2).unwrap(), last / 2 + 1);
}

#[test]
fn a_search_goes_on_when_the_map_has_become_shorter() {
    let mut map = anonymous(&[b'a'; 200_000]);
    let mut search = FindAll::new(b"a", 0..200_000);
    let mut found = Vec::new();
    assert!(search.search_part(&map, &mut found).unwrap());
    map.resize(50_000).unwrap();
    while search.search_part(&map, &mut found).unwrap() {}
    assert_eq!(found.len(), 50_000);
}

#[cfg(feature = "aho-corasick")]
mod any {
    use super::*;
    use faultless::FindAny;

    proptest! {
        #![proptest_config(cases(60))]

        #[test]
        fn the_first_of_several(
            text in text(),
            needles in proptest::collection::vec("[ab]{1,5}", 1..5),
        ) {
            let map = anonymous(&text);
            let mut expected = Vec::new();
            let mut at = 0;
            while at < text.len() {
                let here = needles.iter().position(|needle| text[at..].starts_with(needle.as_bytes()));
                at += here.map_or(1, |which| {
                    expected.push((at, which));
                    needles[which].len()
                });
            }
            let found = map.search(FindAny::new(&needles, 0..text.len()).unwrap());
            let found: Vec<_> = found.map(Result::unwrap).map(|at| (at.offset, at.needle)).collect();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn an_empty_needle_is_refused() {
        assert_eq!(kind(FindAny::new(&["a", ""], 0..5)), ErrorKind::InvalidInput);
    }
}

#[cfg(feature = "regex")]
mod expressions {
    use super::*;
    use faultless::{FindRegex, MapOptions};

    /// Bounded, between bytes that no match has, and neither; with look-around, empty matches and
    /// groups.
    const EXPRESSIONS: &[&str] = &[
        "a",
        "a|ab|abb",
        "(a)(b)?",
        "a{2,5}b?",
        "a+",
        "(a|b)+b",
        "a*",
        "",
        "b*?",
        "(?m)^a",
        "(?m)b$",
        r"\Aa+",
        r"b+\z",
        "^b",
        "a$",
        r"\ba",
        r"a\b",
        "a+b+|b",
        "(?s)a.*b",
        r"a\s+b",
        r"[^a]+a",
        r"[^b]+",
        r"(?:[^b]|\b)*",
        r"\s+",
        r"\S+\n?\b",
        "a.*b|a",
        r"(?-u)\xFF|a",
        r"(?i)A\nB",
        "(?s)b.{3,9}a",
        r"\n",
        r"\B",
    ];

    proptest! {
        #![proptest_config(cases(40))]

        #[test]
        fn the_same_as_on_all_the_bytes(text in text(), skipped in 0_usize..50) {
            let map = anonymous(&text);
            let start = skipped.min(text.len());
            for expression in EXPRESSIONS {
                let regex = regex::bytes::Regex::new(expression).unwrap();
                let expected = regex.captures_iter(&text[start..]);
                let search = FindRegex::new(expression, start..text.len()).unwrap();
                let mut found = map.search(search);
                for expected in expected {
                    let found = found.next().unwrap().unwrap();
                    prop_assert_eq!(found.groups(), expected.len());
                    for group in 0..expected.len() {
                        let expected = expected.get(group);
                        let expected = expected.map(|m| (start + m.start()..start + m.end(), m.as_bytes()));
                        prop_assert_eq!(found.group(group), expected, "{:?}", expression);
                    }
                }
                prop_assert!(found.next().is_none(), "{:?}", expression);
            }
        }
    }

    #[test]
    fn characters_across_the_border_of_parts() {
        for lead in 0..4 {
            let text = format!("{}{}", "x".repeat((32 << 10) - lead), "äö€ ".repeat(20_000));
            let map = anonymous(text.as_bytes());
            for expression in ["[ä]", r"\bä", r"\w+€", r"ö\b", r"(?-u:\B)\x{e4}"] {
                let expected = regex::bytes::Regex::new(expression).unwrap();
                let expected: Vec<_> =
                    expected.find_iter(text.as_bytes()).map(|found| found.range()).collect();
                let search = FindRegex::new(expression, 0..text.len()).unwrap();
                let found: Vec<_> =
                    map.search(search).map(|found| found.unwrap().range()).collect();
                assert!(found == expected && found.len() > 19_000, "{expression}");
            }
        }
    }

    #[test]
    fn what_is_no_expression() {
        assert_eq!(kind(FindRegex::new("a(", 0..5)), ErrorKind::InvalidInput);
        assert_eq!(kind(FindRegex::new(r"\w{1000}{1000}", 0..5)), ErrorKind::InvalidInput);
    }

    #[test]
    fn lines_longer_than_a_part() {
        let text = [&vec![b'a'; 20 << 20][..], b"b\n", b"aab"].concat();
        let map = anonymous(&text);
        let found: Vec<_> = map
            .search(FindRegex::new("a+b", 0..text.len()).unwrap())
            .map(|found| found.unwrap().range())
            .collect();
        assert_eq!(found, [0..(20 << 20) + 1, (20 << 20) + 2..text.len()]);
    }

    /// What ends a part is looked for once, and not again after every few matches in it.
    #[test]
    fn many_matches_in_a_line_longer_than_a_part() {
        const LINE: usize = 40 << 20;
        let map = MapOptions::new().len(2 * LINE).map_anonymous().unwrap();
        let places: Vec<usize> = (0..2 * LINE).step_by(2000).collect();
        for &at in &places {
            map.write_at(at, b"ab").unwrap();
        }
        map.write_at(LINE - 1, b"\n").unwrap();
        let mut search = FindRegex::new("ab+", 0..map.len()).unwrap();
        let (mut found, mut in_vain, mut before) = (Vec::new(), 0, 0);
        while search.search_part(&map, &mut found).unwrap() {
            in_vain += usize::from(found.len() == before);
            before = found.len();
        }
        let found: Vec<usize> = found.iter().map(|found| found.range().start).collect();
        assert!(found == places);
        assert!(in_vain <= 16, "{in_vain} parts");
    }

    #[test]
    fn matches_far_apart_come_in_parts_whatever_the_expression() {
        const APART: usize = 1 << 20;
        let map = MapOptions::new().len(30 * APART).map_anonymous().unwrap();
        for nth in 0..30 {
            map.write_at(nth * APART, b"BEGIN\nEND").unwrap();
        }
        let mut search = FindRegex::new("(?s)BEGIN.*?END", 0..map.len()).unwrap();
        let (mut found, mut parts) = (Vec::new(), 0);
        while search.search_part(&map, &mut found).unwrap() {
            parts += 1;
            assert!(search.searched() <= parts * (9 << 20), "{} bytes", search.searched());
        }
        assert!(parts >= 3, "{parts} parts");
        assert_eq!(found.len(), 30);
        for (nth, found) in found.iter().enumerate() {
            assert_eq!(found.range(), nth * APART..nth * APART + 9);
        }
    }
}
