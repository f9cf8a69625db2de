//! Any operations in any order, on a map and on a plain vector of bytes.
#![no_main]

#[path = "../../crates/faultless/tests/common/model.rs"]
mod model;
#[path = "../../crates/faultless/tests/common/naive.rs"]
mod naive;

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use model::{Operation, Pair, Raw};

/// As many operations as the input has bytes for. (A `Vec` of them would end at
/// the first odd byte.)
fn operation(input: &mut Unstructured<'_>) -> Result<Operation> {
    let (which, a, b, c, len): (_, _, _, _, u8) = input.arbitrary()?;
    let len = usize::from(len % 64).min(input.len());
    let raw: Raw = (which, a, b, c, input.bytes(len)?.to_vec());
    Ok(raw.into())
}

fuzz_target!(|data: &[u8]| {
    let mut input = Unstructured::new(data);
    let Ok((file, shared, len)) = input.arbitrary() else {
        return;
    };
    // Processes that run side by side have a file each.
    let path = std::env::temp_dir().join(format!("faultless-fuzz-{}", std::process::id()));
    let mut pair = if file {
        Pair::with_file(&path, len)
    } else {
        Pair::with_memory(len, shared)
    };
    while !input.is_empty() {
        let Ok(operation) = operation(&mut input) else {
            break;
        };
        pair.apply(&operation);
    }
    pair.close();
});
