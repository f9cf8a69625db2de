//! Bytes that lie apart, copied together: what `m[::step]` means. Written so that
//! compilers make vector instructions of it on every processor, and names none.

use std::mem::MaybeUninit;

/// Copies every `step`-th byte: from the first on or, backwards, from the last.
/// `bytes` has just those between; there are as many as `out` has room for.
pub(crate) fn gather(bytes: &[u8], step: isize, out: &mut [MaybeUninit<u8>]) {
    const WORD: usize = size_of::<u64>();
    let apart = step.unsigned_abs();
    let across = apart.saturating_mul(WORD);
    let whole = bytes.len() / across;
    match step {
        -1 => reverse(bytes, out),
        // What the compiler knows becomes shuffles of whole vectors.
        2 => put(bytes.iter().step_by(2), out),
        4 => put(bytes.iter().step_by(4), out),
        8 => put(bytes.iter().step_by(8), out),
        1.. => {
            let (words, rest) = out.split_at_mut(whole * WORD);
            pick(bytes.chunks_exact(across), |nth| nth * apart, words);
            put(bytes[whole * across..].iter().step_by(apart), rest);
        }
        _ => {
            let (words, rest) = out.split_at_mut(whole * WORD);
            pick(bytes.rchunks_exact(across), |nth| across - 1 - nth * apart, words);
            put(bytes[..bytes.len() - whole * across].iter().rev().step_by(apart), rest);
        }
    }
}

/// The bytes are the first of the two that are zipped: only so are they taken by
/// their number, without a look at where they end.
#[inline(always)]
fn put<'bytes>(bytes: impl Iterator<Item = &'bytes u8>, out: &mut [MaybeUninit<u8>]) {
    for (&byte, to) in bytes.zip(out) {
        to.write(byte);
    }
}

/// Some bytes of every part, which `at` says; they are put together before they
/// are stored.
#[inline(always)]
fn pick<'bytes>(
    parts: impl Iterator<Item = &'bytes [u8]>,
    at: impl Fn(usize) -> usize,
    words: &mut [MaybeUninit<u8>],
) {
    for (part, to) in parts.zip(words.chunks_exact_mut(size_of::<u64>())) {
        let byte = |nth| u64::from(part[at(nth)]) << (8 * nth);
        let word = (0..to.len()).map(byte).fold(0, |word, byte| word | byte);
        to.copy_from_slice(&word.to_le_bytes().map(MaybeUninit::new));
    }
}

/// The last byte first.
fn reverse(bytes: &[u8], out: &mut [MaybeUninit<u8>]) {
    const WIDE: usize = size_of::<u128>();
    let (words, last) = out.split_at_mut(bytes.len() / WIDE * WIDE);
    let mut wide = [0; WIDE];
    for (to, from) in words.chunks_exact_mut(WIDE).zip(bytes.rchunks_exact(WIDE)) {
        wide.copy_from_slice(from);
        to.copy_from_slice(&turn(wide).map(MaybeUninit::new));
    }
    put(bytes[..last.len()].iter().rev(), last);
}

/// The last of sixteen bytes first.
#[inline(always)]
pub(crate) fn turn(bytes: [u8; 16]) -> [u8; 16] {
    u128::from_ne_bytes(bytes).swap_bytes().to_ne_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::as_uninit;

    #[test]
    fn gathers_what_a_slice_with_a_step_means() {
        let bytes: Vec<u8> = (0..20_000u32).map(|nth| (nth * 7 + nth / 251) as u8).collect();
        let steps = [1, 2, 3, 4, 5, 7, 8, 9, 16, 64, 100, 4096];
        for (step, count) in steps.into_iter().flat_map(|step| {
            [1, 2, 7, 8, 9, 15, 16, 17, 63, 64, 65, 1023, 1024, 1025, 2500, 19_999]
                .map(|count| (step, count))
        }) {
            let Some(bytes) = bytes.get(..(count - 1) * step + 1) else {
                continue;
            };
            let mut out = vec![0; count];
            gather(bytes, step as isize, as_uninit(&mut out));
            assert!(out.iter().eq(bytes.iter().step_by(step)), "{count} bytes {step} apart");
            out.fill(0);
            gather(bytes, -(step as isize), as_uninit(&mut out));
            let backwards = bytes.iter().rev().step_by(step);
            assert!(out.iter().eq(backwards), "{count} bytes {step} apart, backwards");
        }
        gather(&[], -3, &mut []);
    }
}
