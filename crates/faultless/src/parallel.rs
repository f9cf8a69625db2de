//! The searches on several threads: started for the search, or (`pool.rs`, with the
//! feature `rayon`) those of a pool.
//!
//! A range is searched in parts, which threads take from the first to the last,
//! or backwards: one that finds something knows that all parts before its own are
//! taken, and that no other needs to be. To the guard it is one look at the range,
//! whichever thread a page fails under.

#[cfg(feature = "rayon")]
mod pool;

use std::ops::{Range, RangeBounds};
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;

use crate::error::Result;
use crate::map::Map;
use crate::needle::Needle;
use crate::range::Span;

/// Bytes in a part: what a thread may search in vain. In longer ones the processor
/// fetches ahead better; but where they are few, threads wait for who has the last.
const PART: usize = 256 << 10;
const LONG_PART: usize = 1 << 20;
const MANY_PARTS: usize = 128;
/// From so many bytes on, waking other threads is worth it even if all are in the
/// processor's cache.
const LEAST: usize = 4 << 20;

impl Map {
    /// [`find`](Self::find) on so many threads, of which the caller's is one, with
    /// the same result. The others are started for it, and have ended when it
    /// returns; where the system has none to give, fewer do it. A range of less than
    /// 4 MiB is searched as `find` does, and 0 threads are taken for 1.
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
    /// assert_eq!(map.find_on(2, b"one", 1..)?, Some(8));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn find_on(
        &self,
        threads: usize,
        needle: &[u8],
        range: impl RangeBounds<usize>,
    ) -> Result<Option<usize>> {
        self.find_with(Started(threads), "find_on", needle, range)
    }

    /// [`rfind`](Self::rfind) on so many threads, as [`find_on`](Self::find_on) is
    /// `find`.
    ///
    /// # Errors
    /// Those of [`find`](Self::find).
    ///
    /// ```
    /// # let file = tempfile::NamedTempFile::new()?;
    /// std::fs::write(file.path(), b"one two one")?;
    /// let map = faultless::Map::open(file.path())?;
    /// assert_eq!(map.rfind_on(2, b"one", ..)?, Some(8));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn rfind_on(
        &self,
        threads: usize,
        needle: &[u8],
        range: impl RangeBounds<usize>,
    ) -> Result<Option<usize>> {
        self.rfind_with(Started(threads), "rfind_on", needle, range)
    }

    fn find_with(
        &self,
        team: impl Team,
        operation: &'static str,
        needle: &[u8],
        range: impl RangeBounds<usize>,
    ) -> Result<Option<usize>> {
        let span = Span::of(operation, self.len(), &range)?;
        let needle = Needle::new(needle);
        self.find_in(operation, span, needle.len(), |text| {
            match Parts::of(text, &needle, team.size()) {
                None => needle.find(text),
                Some(parts) => parts.find(team),
            }
        })
    }

    fn rfind_with(
        &self,
        team: impl Team,
        operation: &'static str,
        needle: &[u8],
        range: impl RangeBounds<usize>,
    ) -> Result<Option<usize>> {
        let span = Span::of(operation, self.len(), &range)?;
        let needle = Needle::new(needle);
        self.rfind_in(operation, span, |text| match Parts::of(text, &needle, team.size()) {
            None => needle.rfind(text),
            Some(parts) => parts.rfind(team),
        })
    }
}

/// Threads that do something together, with the one that has them do it.
trait Team: Copy {
    /// How many they are.
    fn size(self) -> usize;

    /// Has them do the same, as many as so many parts are worth it for, and waits
    /// for them.
    fn all(self, parts: usize, work: impl Fn() + Sync);
}

/// So many, started when they are needed. Who starts them works too: while it only
/// waited, the system would take its core for free, and start two on one.
#[derive(Clone, Copy)]
struct Started(usize);

impl Team for Started {
    fn size(self) -> usize {
        self.0
    }

    fn all(self, parts: usize, work: impl Fn() + Sync) {
        // Starting one takes as long as searching some parts.
        const WORTH: usize = 4;
        let (threads, work) = (self.0.min(parts.div_ceil(WORTH)), &work);
        thread::scope(|scope| {
            let start = |_| thread::Builder::new().spawn_scoped(scope, work).ok();
            let started: Vec<_> = (1..threads).map_while(start).collect();
            work();
            // The scope would wait for what they do, but not for their end.
            for thread in started {
                thread.join().unwrap_or_else(|panic| resume_unwind(panic));
            }
        });
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
    fn of(text: &'t [u8], needle: &'t Needle<'n>, threads: usize) -> Option<Self> {
        let size = (text.len() / MANY_PARTS).clamp(PART, LONG_PART);
        // What neighbours have in common is read twice.
        let size = size.max(needle.len().saturating_mul(8));
        let places = (text.len() + 1).checked_sub(needle.len())?;
        let worth = needle.len() != 0 && places >= LEAST.max(2 * size);
        (worth && threads > 1).then_some(Self { text, needle, places, size })
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

    fn find(&self, team: impl Team) -> Option<usize> {
        let find = |nth| {
            let part = self.bounds(nth);
            Some(part.start + self.needle.find(self.bytes(part))?)
        };
        // A match nearby is found before another thread would be awake.
        find(0).or_else(|| {
            let first = AtomicUsize::new(usize::MAX);
            until_found(team, 1..self.number(), |nth| {
                find(nth).map(|at| first.fetch_min(at, Relaxed)).is_some()
            });
            Some(first.into_inner()).filter(|&at| at != usize::MAX)
        })
    }

    fn rfind(&self, team: impl Team) -> Option<usize> {
        let rfind = |nth| {
            let part = self.bounds(self.number() - 1 - nth);
            Some(part.start + self.needle.rfind(self.bytes(part))?)
        };
        rfind(0).or_else(|| {
            // One more than the place, or 0.
            let end = AtomicUsize::new(0);
            until_found(team, 1..self.number(), |nth| {
                rfind(nth).map(|at| end.fetch_max(at + 1, Relaxed)).is_some()
            });
            end.into_inner().checked_sub(1)
        })
    }
}

/// Has a team call `search` with each number, in order, until somebody has found
/// something.
fn until_found(team: impl Team, numbers: Range<usize>, search: impl Fn(usize) -> bool + Sync) {
    let next = AtomicUsize::new(numbers.start);
    let found = AtomicBool::new(false);
    team.all(numbers.len(), || {
        while !found.load(Relaxed) {
            let nth = next.fetch_add(1, Relaxed);
            if nth >= numbers.end {
                break;
            }
            if search(nth) {
                found.store(true, Relaxed);
            }
        }
    });
}
