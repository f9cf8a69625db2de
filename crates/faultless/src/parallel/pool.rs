//! The searches on a pool of the crate `rayon`.

use std::ops::{Range, RangeBounds};

use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};

use super::{Parts, Team};
use crate::error::Result;
use crate::map::Map;
use crate::needle::Needle;
use crate::range::Span;

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
        self.find_with(Pool, "par_find", needle, range)
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
        self.rfind_with(Pool, "par_rfind", needle, range)
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
            let count = match Parts::of(text, &needle, Pool.size()) {
                None => needle.count(text).0,
                Some(parts) => parts.count(),
            };
            (count, 0..text.len())
        })
    }
}

/// The current pool's.
#[derive(Clone, Copy)]
struct Pool;

impl Team for Pool {
    fn size(self) -> usize {
        rayon::current_num_threads()
    }

    fn all(self, parts: usize, work: impl Fn() + Sync) {
        rayon::scope(|scope| {
            (1..self.size().min(parts)).for_each(|_| scope.spawn(|_| work()));
            work();
        });
    }
}

impl Parts<'_, '_> {
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
