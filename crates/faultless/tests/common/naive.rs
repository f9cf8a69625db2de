//! Searches and comparisons that look at every place: slow, and right.

pub(crate) fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    places(bytes, needle).next()
}

pub(crate) fn rfind(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    places(bytes, needle).last()
}

/// The places from the first to the last that do not overlap.
pub(crate) fn find_all(bytes: &[u8], needle: &[u8]) -> Vec<usize> {
    let mut free = 0;
    let mut found = Vec::new();
    for at in places(bytes, needle) {
        if at >= free {
            found.push(at);
            free = at + needle.len();
        }
    }
    found
}

fn places(bytes: &[u8], needle: &[u8]) -> impl Iterator<Item = usize> {
    (0..=bytes.len()).filter(move |&at| bytes[at..].starts_with(needle))
}

/// Compares bytes that are too many to be shown.
#[track_caller]
pub(crate) fn assert_same(found: &[u8], expected: &[u8]) {
    assert_eq!(found.len(), expected.len(), "as many bytes");
    let differs = found.iter().zip(expected).position(|(found, expected)| found != expected);
    if let Some(at) = differs {
        panic!("byte {at} of {} is {}, not {}", found.len(), found[at], expected[at]);
    }
}
