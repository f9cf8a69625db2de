//! The searches on several threads, compared with looking at every place and
//! with those on one.
#![allow(clippy::unwrap_used)]

mod common;

use common::{anonymous, naive};
use faultless::{Map, MapOptions};
use proptest::prelude::*;

/// Well above what is searched by one thread, and no multiple of anything.
const LEN: usize = (5 << 20) + 4321;

/// Runs it in a pool of four threads, whatever the machine has.
fn in_pool<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    rayon::ThreadPoolBuilder::new().num_threads(4).build().unwrap().install(work)
}

/// All of them against the naive ones.
#[track_caller]
fn check(map: &Map, bytes: &[u8], needle: &[u8], start: usize) {
    let part = &bytes[start..];
    let place = |at: usize| start + at;
    let (find, rfind, count) = in_pool(|| {
        let find = map.par_find(needle, start..).unwrap();
        (find, map.par_rfind(needle, start..).unwrap(), map.par_count(needle, start..).unwrap())
    });
    let shown = &needle[..needle.len().min(20)];
    assert_eq!(find, naive::find(part, needle).map(place), "find {shown:?} from {start}");
    assert_eq!(rfind, naive::rfind(part, needle).map(place), "rfind {shown:?} from {start}");
    let all = naive::find_all(part, needle).len();
    assert_eq!(count, all, "count {shown:?} from {start}");
    let started = (map.find_on(3, needle, start..), map.rfind_on(3, needle, start..));
    assert_eq!((started.0.unwrap(), started.1.unwrap()), (find, rfind), "{shown:?} from {start}");
}

proptest! {
    #![proptest_config(common::cases(16))]

    /// A few needles in the midst of something else, most of them across or beside
    /// a border of parts.
    #[test]
    fn needles_anywhere(
        needle in prop_oneof![
            proptest::collection::vec(1u8..4, 1..6),
            proptest::collection::vec(1u8..3, 1..3000),
        ],
        places in proptest::collection::vec((1usize..20, -3000isize..3000), 0..6),
        start in 0usize..300_000,
    ) {
        let mut bytes = vec![0; LEN];
        for (border, by) in places {
            let at = (border * (256 << 10)).saturating_add_signed(by);
            bytes[at..at + needle.len()].copy_from_slice(&needle);
        }
        check(&anonymous(&bytes), &bytes, &needle, start);
    }

    /// Needles that overlap themselves, in text that is full of them.
    #[test]
    fn needles_everywhere(
        period in proptest::collection::vec(0u8..3, 1..6),
        len in 1usize..40,
        odd in proptest::collection::vec((0usize..LEN, 0u8..4), 0..20),
        start in 0usize..100,
    ) {
        let mut bytes: Vec<u8> = period.iter().copied().cycle().take(LEN).collect();
        let needle = bytes[..len].to_vec();
        for (at, byte) in odd {
            bytes[at] = byte;
        }
        check(&anonymous(&bytes), &bytes, &needle, start);
    }

    /// Random bytes: short needles overlap now and then, on borders too.
    #[test]
    fn needles_by_chance(seed in any::<u64>(), needle in proptest::collection::vec(0u8..2, 0..8)) {
        let mut state = seed | 1;
        let bytes: Vec<u8> = (0..LEN)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 40) as u8 & 1
            })
            .collect();
        check(&anonymous(&bytes), &bytes, &needle, 0);
    }
}

#[test]
fn long_needles() {
    let mut bytes = vec![b'a'; LEN];
    bytes[LEN / 2] = b'b';
    let map = anonymous(&bytes);
    for len in [1 << 10, 200 << 10, 2 << 20] {
        // Ends with the only b, begins with it, has it in the midst, has none.
        for start in [LEN / 2 + 1 - len, LEN / 2, LEN / 2 - len / 3] {
            let needle = &bytes[start..start + len];
            let found = in_pool(|| (map.par_find(needle, ..), map.par_rfind(needle, ..)));
            assert_eq!((found.0.unwrap(), found.1.unwrap()), (Some(start), Some(start)));
            let found = (map.find_on(2, needle, ..), map.rfind_on(2, needle, ..));
            assert_eq!((found.0.unwrap(), found.1.unwrap()), (Some(start), Some(start)));
            assert_eq!(in_pool(|| map.par_count(needle, ..)).unwrap(), 1);
        }
        let needle = vec![b'a'; len];
        let counted = in_pool(|| map.par_count(&needle, ..)).unwrap();
        assert_eq!(counted, LEN / 2 / len + (LEN - LEN / 2 - 1) / len);
        let found = in_pool(|| (map.par_find(&needle, ..), map.par_rfind(&needle, ..)));
        assert_eq!((found.0.unwrap(), found.1.unwrap()), (Some(0), Some(LEN - len)));
    }
}

#[test]
fn empty_needles_and_short_ranges() {
    let map = MapOptions::new().len(LEN).map_anonymous().unwrap();
    in_pool(|| {
        assert_eq!(map.par_find(b"", 7..).unwrap(), Some(7));
        assert_eq!(map.par_rfind(b"", ..LEN - 7).unwrap(), Some(LEN - 7));
        assert_eq!(map.par_count(b"", ..).unwrap(), LEN + 1);
        map.write_at(100, b"needle").unwrap();
        for range in [100..106, 99..107, 101..106, 100..105, 0..0] {
            let there = (range == (100..106) || range == (99..107)).then_some(100);
            assert_eq!(map.par_find(b"needle", range.clone()).unwrap(), there);
            assert_eq!(map.par_rfind(b"needle", range.clone()).unwrap(), there);
            assert_eq!(map.par_count(b"needle", range).unwrap(), usize::from(there.is_some()));
        }
        assert_eq!(map.par_find(&vec![0; LEN + 1], ..).unwrap(), None);
    });
}

#[test]
fn ranges_that_do_not_fit() {
    use faultless::ErrorKind::OutOfRange;
    let map = MapOptions::new().len(LEN).map_anonymous().unwrap();
    assert_eq!(common::kind(map.par_find(b"a", ..=LEN)), OutOfRange);
    assert_eq!(common::kind(map.par_rfind(b"a", LEN + 1..)), OutOfRange);
    assert_eq!(common::kind(map.par_count(b"a", ..LEN + 1)), OutOfRange);
}

/// Outside a pool it is the global one's, and inside one of a thread that thread's.
#[test]
fn any_pool() {
    let map = MapOptions::new().len(LEN).map_anonymous().unwrap();
    map.write_at(LEN - 6, b"needle").unwrap();
    assert_eq!(map.par_find(b"needle", ..).unwrap(), Some(LEN - 6));
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(one.install(|| map.par_find(b"needle", ..)).unwrap(), Some(LEN - 6));
}

#[test]
fn any_number_of_threads() {
    let mut bytes = vec![0; LEN];
    bytes[LEN - 9..LEN - 3].copy_from_slice(b"needle");
    bytes[4..10].copy_from_slice(b"needle");
    let map = anonymous(&bytes);
    for threads in [0, 1, 2, 7, 100_000, usize::MAX] {
        assert_eq!(map.find_on(threads, b"needle", 5..).unwrap(), Some(LEN - 9), "{threads}");
        assert_eq!(map.rfind_on(threads, b"needle", ..LEN - 9).unwrap(), Some(4), "{threads}");
        assert_eq!(map.find_on(threads, b"nobody", ..).unwrap(), None, "{threads}");
        let outside = map.rfind_on(threads, b"needle", ..LEN + 1).unwrap_err();
        assert_eq!(outside.kind(), faultless::ErrorKind::OutOfRange, "{threads}");
    }
}
