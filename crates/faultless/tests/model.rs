//! Operations in random order, on a map and on a plain vector of bytes.
#![allow(clippy::unwrap_used)]

mod common;

use common::model::{Operation, Pair, Raw};
use proptest::collection::vec;
use proptest::prelude::*;

/// Offsets and lengths: many of them small, so that an operation fits the map.
fn number() -> impl Strategy<Value = u16> {
    prop_oneof![0..64u16, 4090..4102u16, any::<u16>()]
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    // Few different bytes, so that searches find something.
    let bytes = vec(0u8..3, 0..40);
    let raw = (any::<u8>(), number(), number(), number(), bytes);
    vec(raw.prop_map(|raw: Raw| Operation::from(raw)), 1..60)
}

proptest! {
    #![proptest_config(common::cases(200))]

    #[test]
    fn file_map_does_what_a_vector_does(len in number(), operations in operations()) {
        let file = common::file(b"");
        let mut pair = Pair::with_file(file.path(), len);
        operations.iter().for_each(|operation| pair.apply(operation));
        pair.close();
    }

    #[test]
    fn anonymous_memory_does_what_a_vector_does(
        len in number(),
        shared in any::<bool>(),
        operations in operations(),
    ) {
        let mut pair = Pair::with_memory(len, shared);
        operations.iter().for_each(|operation| pair.apply(operation));
        pair.close();
    }
}
