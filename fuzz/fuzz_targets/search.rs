//! All searches for any needle in any range, against looking at every place.
#![no_main]

#[expect(
    dead_code,
    reason = "the bytes here are few enough to be compared as they are"
)]
#[path = "../../crates/faultless/tests/common/naive.rs"]
mod naive;

use std::ops::Range;

use faultless::MapOptions;
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;

/// What is searched, for what, and where.
struct Search {
    bytes: Vec<u8>,
    needle: Vec<u8>,
    range: Range<usize>,
}

impl Search {
    fn new(data: &[u8]) -> Result<Self> {
        let mut input = Unstructured::new(data);
        let (times, own, len): (u8, bool, u8) = input.arbitrary()?;
        let ends: [[u16; 2]; 2] = input.arbitrary()?;
        let own = input.bytes(if own {
            usize::from(len).min(input.len())
        } else {
            0
        })?;
        let bytes = input.take_rest().repeat(usize::from(times % 32) + 1);
        let [range, part] = ends.map(|ends| {
            let [one, other] = ends.map(|end| usize::from(end) % (bytes.len() + 1));
            one.min(other)..one.max(other)
        });
        // A part of what is searched stands there.
        let needle = if own.is_empty() { &bytes[part] } else { own };
        Ok(Self {
            needle: needle.to_vec(),
            bytes,
            range,
        })
    }
}

fuzz_target!(|data: &[u8]| {
    let Ok(Search {
        bytes,
        needle,
        range,
    }) = Search::new(data)
    else {
        return;
    };
    let (part, start) = (&bytes[range.clone()], range.start);

    let map = MapOptions::new()
        .len(bytes.len())
        .map_anonymous()
        .expect("memory");
    map.write_at(0, &bytes).expect("room for all bytes");
    let find = map.find(&needle, range.clone()).expect("a range inside");
    assert_eq!(find, naive::find(part, &needle).map(|at| start + at));
    let rfind = map.rfind(&needle, range.clone()).expect("a range inside");
    assert_eq!(rfind, naive::rfind(part, &needle).map(|at| start + at));
    let all = naive::find_all(part, &needle);
    assert_eq!(
        map.count(&needle, range.clone()).expect("a range inside"),
        all.len()
    );
    let found = map.find_iter(&needle, range).expect("a range inside");
    assert!(found.map(|at| at.expect("no fault") - start).eq(all));
});
