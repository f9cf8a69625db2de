//! Searching a slice for some bytes, from either end: no case is quadratic, and
//! a match nearby costs no preparation.
//!
//! Most of the work is `memchr`'s. What it lacks is here: [`Pair`] looks at two
//! bytes of the needle for 64 places at a time, from either end, needs no tables,
//! and learns from each place that looked right which byte would have told it
//! apart. It is right for the first places, for searching backwards, and for bytes
//! that repeat themselves. A linear search takes over where even that compares
//! too much.

use std::sync::OnceLock;

use memchr::arch::all::packedpair;
use memchr::{memchr, memchr_iter, memmem, memrchr};

/// So many places are looked at before anything is prepared.
const NEAR: usize = 128;
/// What a place that looks right costs beside the comparison, in bytes that could
/// have been searched meanwhile.
const STOP: usize = 64;
/// From so many places on, a look at how a search would go is worth it.
const LONG: usize = 16 << 10;
/// So many bytes may be compared in vain at the beginning of a search.
const BUDGET: usize = 4096;

/// What is looked for. Ready at once: what a longer search needs is made when it
/// is first needed, and shared by threads that search with it.
#[derive(Debug)]
pub(crate) struct Needle<'n> {
    bytes: &'n [u8],
    forward: OnceLock<memmem::Finder<'n>>,
    backward: OnceLock<memmem::FinderRev<'n>>,
}

impl<'n> Needle<'n> {
    #[inline]
    pub(crate) fn new(bytes: &'n [u8]) -> Self {
        Self { bytes, forward: OnceLock::new(), backward: OnceLock::new() }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The first place of the needle.
    #[inline]
    pub(crate) fn find(&self, text: &[u8]) -> Option<usize> {
        match self.bytes {
            [] => Some(0),
            &[byte] => memchr(byte, text),
            _ => self.find_long(text),
        }
    }

    fn find_long(&self, text: &[u8]) -> Option<usize> {
        let needle = self.bytes;
        let places = text.len().checked_sub(needle.len())? + 1;
        let mut pair = Pair::new(0, needle.len() - 1);
        let near = places.min(NEAR);
        let mut start = match Search::new(text, needle).forward(&mut pair, 0, near) {
            Seen::Found(at) => return Some(at),
            Seen::Nothing if near == places => return None,
            Seen::Nothing => near,
            Seen::TooMuch(at) => at,
        };
        let mut search = Search::new(text, needle);
        let long = start == near && places > LONG;
        if long && search.is_frequent(Pair::rare(needle), start, places) {
            start = match search.forward(&mut pair, start, places) {
                Seen::Found(at) => return Some(at),
                Seen::Nothing => return None,
                Seen::TooMuch(at) => at,
            };
        }
        let finder = self.forward.get_or_init(|| memmem::Finder::new(needle));
        finder.find(&text[start..]).map(|at| start + at)
    }

    /// The last place of the needle.
    #[inline]
    pub(crate) fn rfind(&self, text: &[u8]) -> Option<usize> {
        match self.bytes {
            [] => Some(text.len()),
            &[byte] => rfind_byte(byte, text),
            _ => self.rfind_long(text),
        }
    }

    fn rfind_long(&self, text: &[u8]) -> Option<usize> {
        let needle = self.bytes;
        let places = text.len().checked_sub(needle.len())? + 1;
        let mut pair = Pair::new(needle.len() - 1, 0);
        let far = places.saturating_sub(NEAR);
        let mut end = match Search::new(text, needle).backward(&mut pair, far, places) {
            Seen::Found(at) => return Some(at),
            Seen::Nothing if far == 0 => return None,
            Seen::Nothing => far,
            Seen::TooMuch(end) => end,
        };
        if end == far {
            pair = Pair::rare(needle);
            for by_byte in [true, false] {
                let mut search = Search::new(text, needle);
                let seen = if by_byte {
                    search.backward_by_byte(&mut pair, end)
                } else {
                    search.backward(&mut pair, 0, end)
                };
                end = match seen {
                    Seen::Found(at) => return Some(at),
                    Seen::Nothing => return None,
                    Seen::TooMuch(end) => end,
                };
            }
        }
        let finder = self.backward.get_or_init(|| memmem::FinderRev::new(needle));
        finder.rfind(&text[..end + needle.len() - 1])
    }

    /// The places of the needle from the first on, without overlaps: how many,
    /// and where the last of them ends.
    pub(crate) fn count(&self, text: &[u8]) -> (usize, usize) {
        match self.bytes {
            &[byte] => (memchr_iter(byte, text).count(), text.len()),
            needle => {
                let finder = self.forward.get_or_init(|| memmem::Finder::new(needle));
                let all = finder.find_iter(text);
                all.fold((0, 0), |(count, _), at| (count + 1, at + needle.len()))
            }
        }
    }
}

/// The last place of a byte.
fn rfind_byte(byte: u8, text: &[u8]) -> Option<usize> {
    // Memory is read faster forwards; but what is found then is looked for twice,
    // which only a long search does not feel.
    const NEAR: usize = 1 << 20;
    const BLOCK: usize = 256 << 10;
    let mut end = text.len().saturating_sub(NEAR);
    if let Some(at) = memrchr(byte, &text[end..]) {
        return Some(end + at);
    }
    while end != 0 {
        let start = end.saturating_sub(BLOCK);
        let block = &text[start..end];
        if memchr(byte, block).is_some() {
            return memrchr(byte, block).map(|at| start + at);
        }
        end = start;
    }
    None
}

/// How a search of some places went.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Found(usize),
    Nothing,
    /// It compared more than was allowed. The places that are left begin, or
    /// backwards end, here.
    TooMuch(usize),
}

/// Two bytes of a needle, by their offsets.
#[derive(Clone, Copy, Debug)]
struct Pair {
    first: usize,
    second: usize,
}

impl Pair {
    const BLOCK: usize = 64;

    fn new(first: usize, second: usize) -> Self {
        Self { first, second }
    }

    /// The two that are the rarest in most files.
    fn rare(needle: &[u8]) -> Self {
        packedpair::Pair::new(needle).map_or(Self::new(0, needle.len() - 1), |pair| {
            Self::new(pair.index1().into(), pair.index2().into())
        })
    }
}

/// A search by pairs. What it compares in vain must not be more than what it has
/// passed, the needle's length and a constant.
struct Search<'s> {
    text: &'s [u8],
    needle: &'s [u8],
    passed: usize,
    spent: usize,
}

impl<'s> Search<'s> {
    fn new(text: &'s [u8], needle: &'s [u8]) -> Self {
        Self { text, needle, passed: 0, spent: 0 }
    }

    fn is_too_much(&self) -> bool {
        self.spent > self.passed + self.needle.len() + BUDGET
    }

    /// Whether the pair is at one in four of the next places: too often to be what
    /// a search begins with.
    fn is_frequent(&self, pair: Pair, start: usize, end: usize) -> bool {
        let len = Pair::BLOCK.min(end - start);
        self.marks(pair, start, len).count_ones() as usize > Pair::BLOCK / 4
    }

    /// Looks at the places from `start` to `end`, from the first on.
    #[inline]
    fn forward(&mut self, pair: &mut Pair, start: usize, end: usize) -> Seen {
        let mut at = start;
        while at < end {
            let len = Pair::BLOCK.min(end - at);
            let mut marks = self.marks(*pair, at, len);
            while marks != 0 {
                let place = at + marks.trailing_zeros() as usize;
                if self.compare(pair, place) {
                    return Seen::Found(place);
                }
                if self.is_too_much() {
                    return Seen::TooMuch(place + 1);
                }
                marks &= marks - 1;
            }
            at += len;
            self.passed += len;
        }
        Seen::Nothing
    }

    /// The same from the last place on.
    #[inline]
    fn backward(&mut self, pair: &mut Pair, start: usize, end: usize) -> Seen {
        let mut end = end;
        while start < end {
            let len = Pair::BLOCK.min(end - start);
            let at = end - len;
            let mut marks = self.marks(*pair, at, len);
            while marks != 0 {
                let nth = 63 - marks.leading_zeros() as usize;
                let place = at + nth;
                if self.compare(pair, place) {
                    return Seen::Found(place);
                }
                if self.is_too_much() {
                    return Seen::TooMuch(place);
                }
                marks &= !(1 << nth);
            }
            end = at;
            self.passed += len;
        }
        Seen::Nothing
    }

    /// Looks at the places before `end` that have the pair's first byte, at the
    /// speed of memory while it is rare.
    fn backward_by_byte(&mut self, pair: &mut Pair, mut end: usize) -> Seen {
        let (skip, byte) = (pair.first, self.needle[pair.first]);
        while let Some(place) = memrchr(byte, &self.text[skip..skip + end]) {
            if self.compare(pair, place) {
                return Seen::Found(place);
            }
            pair.first = skip;
            self.passed += end - place;
            self.spent += STOP;
            if self.is_too_much() {
                return Seen::TooMuch(place);
            }
            end = place;
        }
        Seen::Nothing
    }

    /// The places of `len` from `at` on that have the pair, a bit each.
    #[inline(always)]
    fn marks(&self, pair: Pair, at: usize, len: usize) -> u64 {
        let (first, second) = (self.needle[pair.first], self.needle[pair.second]);
        let firsts = &self.text[at + pair.first..][..len];
        let seconds = &self.text[at + pair.second..][..len];
        let both = firsts.iter().zip(seconds);
        let has = |(&a, &b): (&u8, &u8)| u8::from(a == first) & u8::from(b == second);
        if len < Pair::BLOCK {
            let bits = both.enumerate().map(|(nth, both)| u64::from(has(both)) << nth);
            return bits.fold(0, |marks, bit| marks | bit);
        }
        // Without a branch, so that the compiler makes vectors of it.
        if both.fold(0, |any, both| any | has(both)) == 0 {
            return 0;
        }
        let both = firsts.chunks_exact(8).zip(seconds.chunks_exact(8));
        both.enumerate().fold(0, |marks, (nth, (a, b))| {
            marks | bits(equal(a, first) & equal(b, second)) << (8 * nth)
        })
    }

    /// Whether the needle stands at a place that had the pair, or one like it. If
    /// not, the pair is from now on of the last two bytes that told.
    #[inline]
    fn compare(&mut self, pair: &mut Pair, place: usize) -> bool {
        let candidate = &self.text[place..place + self.needle.len()];
        let has = |nth: usize| candidate[nth] == self.needle[nth];
        if !has(pair.first) || !has(pair.second) {
            return false;
        }
        if candidate == self.needle {
            return true;
        }
        let differ = candidate.iter().zip(self.needle).position(|(a, b)| a != b);
        // None: another program has just written what was missing.
        let Some(differ) = differ else { return true };
        *pair = Pair::new(pair.second, differ);
        self.spent += STOP + differ;
        false
    }
}

/// Which of eight bytes are this one: 0x80 in its place for each, from the lowest
/// up.
#[inline(always)]
fn equal(bytes: &[u8], byte: u8) -> u64 {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let mut word = [0; 8];
    word.copy_from_slice(bytes);
    let differ = u64::from_le_bytes(word) ^ u64::from_le_bytes([byte; 8]);
    !(((differ & LOW) + LOW) | differ | LOW)
}

/// The highest bit of each of eight bytes, side by side.
#[inline(always)]
fn bits(word: u64) -> u64 {
    (word >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The places of the needle, found by looking at each.
    fn naive<'a>(text: &'a [u8], needle: &'a [u8]) -> impl DoubleEndedIterator<Item = usize> + 'a {
        (0..(text.len() + 1).saturating_sub(needle.len()))
            .filter(move |&at| text[at..].starts_with(needle))
    }

    #[track_caller]
    fn check(text: &[u8], needle: &[u8]) {
        let looked = Needle::new(needle);
        assert_eq!(looked.find(text), naive(text, needle).next());
        assert_eq!(looked.rfind(text), naive(text, needle).next_back());
    }

    proptest::proptest! {
        #[test]
        fn both_ends_of_a_short_text(
            text in proptest::collection::vec(0u8..3, 0..700),
            needle in proptest::collection::vec(0u8..3, 0..9),
        ) {
            check(&text, &needle);
        }

        #[test]
        fn both_ends_of_a_long_text(
            mut text in proptest::collection::vec(0u8..2, 20_000..30_000),
            at in 0usize..19_000,
            needle in proptest::collection::vec(0u8..2, 1..600),
        ) {
            text[at..at + needle.len()].copy_from_slice(&needle);
            check(&text, &needle);
        }

        /// Text that repeats itself, and a needle that does so but for one byte.
        #[test]
        fn what_repeats_itself(
            period in proptest::collection::vec(0u8..3, 1..9),
            (len, odd, byte) in (2usize..400, 0usize..400, 0u8..4),
            at in 0usize..5000,
        ) {
            let mut text: Vec<u8> = period.iter().copied().cycle().take(6000).collect();
            let mut needle = text[..len].to_vec();
            needle[odd % len] = byte;
            check(&text, &needle);
            text[at..at + len].copy_from_slice(&needle);
            check(&text, &needle);
        }

        /// The last mebibyte is looked through in another way.
        #[test]
        fn the_last_of_a_byte_far_away(at in 0usize..3 << 20, other in 0usize..1 << 20) {
            let mut text = vec![0; 3 << 20];
            text[at] = 1;
            text[other] = 1;
            assert_eq!(rfind_byte(1, &text), Some(at.max(other)));
            assert_eq!(rfind_byte(2, &text), None);
        }

        #[test]
        fn a_bit_for_each_place_that_has_the_pair(
            text in proptest::collection::vec(0u8..3, 80..100),
            len in 1usize..=64,
        ) {
            let search = Search::new(&text, &[0, 9, 1]);
            let pair = Pair::new(0, 2);
            let marks = search.marks(pair, 7, len);
            for nth in 0..64 {
                let has = nth < len && text[7 + nth] == 0 && text[9 + nth] == 1;
                assert_eq!(marks >> nth & 1 == 1, has, "place {nth} of {len}");
            }
        }
    }

    /// What is compared is counted: a search that went on in spite of it would
    /// be quadratic.
    #[test]
    fn a_search_by_pairs_gives_up_in_time() {
        // Every pair of the needle's bytes is at most places, and the byte that
        // tells is each time another one.
        let text: Vec<u8> =
            (0..1 << 20).map(|at| if at % 1009 == 0 { b'b' } else { b'a' }).collect();
        let needle = [b'a'; 4000];
        let (places, most) = (text.len() - needle.len() + 1, 3 * needle.len() + BUDGET);
        let mut pair = Pair::new(0, needle.len() - 1);
        let check = |run: &mut dyn FnMut(&mut Search<'_>) -> Seen| {
            let mut search = Search::new(&text, &needle);
            assert!(matches!(run(&mut search), Seen::TooMuch(_)));
            assert!(search.spent < most + search.passed, "{} compared", search.spent);
            assert!(search.passed < most, "{} passed", search.passed);
        };
        check(&mut |search| search.forward(&mut pair, 0, places));
        check(&mut |search| search.backward(&mut pair, 0, places));
        check(&mut |search| search.backward_by_byte(&mut pair, places));
        // What goes on from there finds nothing, and what there is.
        let looked = Needle::new(&needle);
        assert_eq!((looked.find(&text), looked.rfind(&text)), (None, None));
        let run = [&text[..], &needle, &text[..]].concat();
        assert_eq!(looked.find(&run).map(|at| at <= text.len()), Some(true));
        assert_eq!(looked.rfind(&run).map(|at| at >= text.len()), Some(true));
    }
}
