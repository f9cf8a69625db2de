//! The searches on all cores: the feature `rayon`.
//!
//! A range is searched in parts, which threads take from the first to the last,
//! or backwards: one that finds something knows that all parts before its own are
//! taken, and that no other needs to be. To the guard it is one look at the range,
//! whichever thread a page fails under.

use std::ops::{Range, RangeBounds};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};

use crate::error::Result;
use crate::map::Map;
use crate::needle::Needle;
use crate::range::Span;

/// Bytes in a part, at least: what a thread may search in vain.
const PART: usize = 256 << 10;
/// From so many bytes on, waking other threads is worth it even if all are in the
/// processor's cache.
const LEAST: usize = 4 << 20;

impl Map {
    /// [`find`](Self::find) on all threads of the current pool of [`rayon`], with
    /// the same result. A range of less than 4 MiB, or a pool of one thread, is
    /// searched as `find` does.
    ///
    /// Parts behind the match may have been read too, if only a few; pages that
    /// fail there are no error of this search.
    ///
    /// # Errors
    /// Those of [`find`](Self::find).
    ///
    /// ```
    /// # let file = tempfile::NamedTempFile::new()?;
    /// std::fs::write(file.path(), b"one two one")?;
    /// let map = faultless::Map::open(file.path())?;
    /// assert_eq!(map.par_find(b"one", 1..)?, Some(8));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn par_find(&self, needle: &[u8], range: impl RangeBounds<usize>) -> Result<Option<usize>> {
        let span = Span::of("par_find", self.len(), &range)?;
        let needle = Needle::new(needle);
        self.find_in("par_find", span, needle.len(), |text| match Parts::of(text, &needle) {
            None => needle.find(text),
            Some(parts) => parts.find(),
        })
    }

    /// [`rfind`](Self::rfind) on all threads of the current pool of [`rayon`], as
    /// [`par_find`](Self::par_find) is of `find`.
    ///
    /// # Errors
    /// Those of [`find`](Self::find).
    ///
    /// ```
    /// # let file = tempfile::NamedTempFile::new()?;
    /// std::fs::write(file.path(), b"one two one")?;
    /// let map = faultless::Map::open(file.path())?;
    /// assert_eq!(map.par_rfind(b"one", ..)?, Some(8));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn par_rfind(
        &self,
        needle: &[u8],
        range: impl RangeBounds<usize>,
    ) -> Result<Option<usize>> {
        let span = Span::of("par_rfind", self.len(), &range)?;
        let needle = Needle::new(needle);
        self.rfind_in("par_rfind", span, |text| match Parts::of(text, &needle) {
            None => needle.rfind(text),
            Some(parts) => parts.rfind(),
        })
    }

    /// [`count`](Self::count) on all threads of the current pool of [`rayon`],
    /// with the same result. A stretch that consists of overlapping places of the
    /// needle, such as zeros if it is zeros, is counted by one thread.
    ///
    /// # Errors
    /// Those of [`find`](Self::find).
    ///
    /// ```
    /// # let file = tempfile::NamedTempFile::new()?;
    /// std::fs::write(file.path(), b"aaaa b")?;
    /// let map = faultless::Map::open(file.path())?;
    /// assert_eq!(map.par_count(b"aa", ..)?, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn par_count(&self, needle: &[u8], range: impl RangeBounds<usize>) -> Result<usize> {
        let span = Span::of("par_count", self.len(), &range)?;
        let needle = Needle::new(needle);
        self.scan("par_count", span, |text| {
            let count = match Parts::of(text, &needle) {
                None => needle.count(text).0,
                Some(parts) => parts.count(),
            };
            (count, 0..text.len())
        })
    }
}

/// A text in parts: each has the places of the needle that begin in it, so that
/// the bytes of neighbours overlap.
struct Parts<'t, 'n> {
    text: &'t [u8],
    needle: &'t Needle<'n>,
    /// Where the needle may begin: before this.
    places: usize,
    size: usize,
}

impl<'t, 'n> Parts<'t, 'n> {
    /// `None` if it is not worth it.
    fn of(text: &'t [u8], needle: &'t Needle<'n>) -> Option<Self> {
        // What neighbours have in common is read twice.
        let size = PART.max(needle.len().saturating_mul(8));
        let places = (text.len() + 1).checked_sub(needle.len())?;
        let worth = needle.len() != 0 && places >= LEAST.max(2 * size);
        (worth && rayon::current_num_threads() > 1).then_some(Self { text, needle, places, size })
    }

    fn number(&self) -> usize {
        self.places.div_ceil(self.size)
    }

    /// Where the places of a part begin and end.
    fn bounds(&self, nth: usize) -> Range<usize> {
        let start = nth * self.size;
        start..self.places.min(start + self.size)
    }

    /// The bytes of some places.
    fn bytes(&self, places: Range<usize>) -> &'t [u8] {
        &self.text[places.start..places.end + self.needle.len() - 1]
    }

    fn find(&self) -> Option<usize> {
        let find = |nth| {
            let part = self.bounds(nth);
            Some(part.start + self.needle.find(self.bytes(part))?)
        };
        // A match nearby is found before another thread would be awake.
        find(0).or_else(|| {
            let first = AtomicUsize::new(usize::MAX);
            until_found(1..self.number(), |nth| {
                find(nth).map(|at| first.fetch_min(at, Relaxed)).is_some()
            });
            Some(first.into_inner()).filter(|&at| at != usize::MAX)
        })
    }

    fn rfind(&self) -> Option<usize> {
        let rfind = |nth| {
            let part = self.bounds(self.number() - 1 - nth);
            Some(part.start + self.needle.rfind(self.bytes(part))?)
        };
        rfind(0).or_else(|| {
            // One more than the place, or 0.
            let end = AtomicUsize::new(0);
            until_found(1..self.number(), |nth| {
                rfind(nth).map(|at| end.fetch_max(at + 1, Relaxed)).is_some()
            });
            end.into_inner().checked_sub(1)
        })
    }

    fn count(&self) -> usize {
        let parts = (0..self.number()).into_par_iter().with_max_len(1);
        let counted: Vec<Counted> = parts.map(|nth| self.count_part(self.bounds(nth))).collect();
        let (mut count, mut at) = (0, 0);
        for (nth, part) in counted.iter().enumerate() {
            let places = self.bounds(nth);
            at = at.max(places.start);
            if at < part.free {
                let (before, end) = self.needle.count(self.bytes(at..part.free.min(places.end)));
                count += before;
                at += end;
            }
            if part.free < places.end {
                count += part.count;
                at = part.end;
            }
        }
        count
    }

    /// Counts the part from its first place on that no match from before can reach.
    fn count_part(&self, places: Range<usize>) -> Counted {
        // A stretch in which so many places overlap is left to be counted in order.
        const TRIES: usize = 16;
        let len = self.needle.len();
        let (mut from, mut free) = (places.start, places.start + len - 1);
        for tried in 0.. {
            let reach = free.min(places.end);
            let found = if from < reach { self.needle.find(self.bytes(from..reach)) } else { None };
            match found {
                None => break,
                Some(_) if tried == TRIES => (from, free) = (places.end, places.end),
                Some(at) => (from, free) = (from + at + 1, from + at + len),
            }
        }
        if free >= places.end {
            return Counted { free, count: 0, end: free };
        }
        let (count, end) = self.needle.count(self.bytes(free..places.end));
        Counted { free, count, end: free + end }
    }
}

/// What was counted of a part.
struct Counted {
    /// From where on: no place of the needle before it reaches behind it.
    free: usize,
    count: usize,
    /// Where the last match ends.
    end: usize,
}

/// Has threads call `search` with each number, in order, until one has found
/// something.
fn until_found(numbers: Range<usize>, search: impl Fn(usize) -> bool + Sync) {
    let threads = rayon::current_num_threads().min(numbers.len());
    let next = AtomicUsize::new(numbers.start);
    let found = AtomicBool::new(false);
    let work = || {
        while !found.load(Relaxed) {
            let nth = next.fetch_add(1, Relaxed);
            if nth >= numbers.end {
                break;
            }
            if search(nth) {
                found.store(true, Relaxed);
            }
        }
    };
    rayon::scope(|scope| (0..threads).for_each(|_| scope.spawn(|_| work())));
}
