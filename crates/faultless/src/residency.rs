//! Which pages of a map are in memory, bringing them there, and letting them go.

use std::fmt;
use std::ops::{ControlFlow, Range, RangeBounds};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::*};
use std::thread::{self, Builder};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::fault::{Fault, FaultReason};
use crate::flush::Flush;
use crate::guard::reach;
use crate::map::Map;
use crate::os::{self, Populated, advice};
use crate::range::Span;

/// How many bytes are brought in at a time. The system reads ahead of each.
const PIECE: usize = 1 << 20;
/// From how many bytes on several threads bring pages in: each waits for a piece
/// of its own, so that the disk always has something to do.
const MANY: usize = 8 * PIECE;
/// So many, besides the caller's.
const HELPERS: usize = 3;
/// How far they may be ahead of what the caller's thread has told of.
const LEAD: usize = 6 * PIECE;

/// Which pages of a range were in memory when [`Map::residency`] looked.
///
/// Shown with `{}` it has a bar: `█` where all pages are in memory, `▓▒░` where
/// some are, nothing where none is.
///
/// ```
/// let page = faultless::page_size();
/// let map = faultless::MapOptions::new().len(4 * page).map_anonymous()?;
/// map.set(page, 1)?;
/// let residency = map.residency(..)?;
/// assert_eq!((residency.resident(), residency.pages()), (1, 4));
/// assert_eq!(residency.to_string(), format!("1 of 4 pages of {page} bytes | █  |"));
/// # Ok::<(), faultless::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Residency {
    /// Bytes from the beginning of its first page to that of the range.
    lead: usize,
    span: Span,
    page: usize,
    resident: usize,
    /// Pages, counted from the range's first one.
    runs: Vec<Range<usize>>,
}

impl Residency {
    fn new(lead: usize, span: Span, page: usize) -> Self {
        Self { lead, span, page, resident: 0, runs: Vec::new() }
    }

    fn add(&mut self, pages: Range<usize>) {
        self.resident += pages.len();
        match self.runs.last_mut() {
            Some(run) if run.end == pages.start => run.end = pages.end,
            _ => self.runs.push(pages),
        }
    }

    /// How many pages the range has, whole or in part.
    #[must_use]
    pub fn pages(&self) -> usize {
        if self.span.is_empty() { 0 } else { (self.lead + self.span.len()).div_ceil(self.page) }
    }

    /// How many of them were in memory.
    #[must_use]
    pub fn resident(&self) -> usize {
        self.resident
    }

    /// The size of a page, in bytes.
    #[must_use]
    pub fn page_size(&self) -> usize {
        self.page
    }

    /// The parts of the range that were in memory, from the first to the last, as
    /// offsets in the map, in bytes.
    ///
    /// ```
    /// let page = faultless::page_size();
    /// let map = faultless::MapOptions::new().len(8 * page).map_anonymous()?;
    /// map.fill(2 * page..4 * page, 1)?;
    /// map.set(7 * page, 1)?;
    /// let residency = map.residency(100..)?;
    /// let ranges: Vec<_> = residency.ranges().collect();
    /// assert_eq!(ranges, [2 * page..4 * page, 7 * page..8 * page]);
    /// # Ok::<(), faultless::Error>(())
    /// ```
    pub fn ranges(&self) -> impl Iterator<Item = Range<usize>> {
        let offset = |page: usize| {
            let at = (page * self.page).saturating_sub(self.lead);
            self.span.start() + at.min(self.span.len())
        };
        self.runs.iter().map(move |run| offset(run.start)..offset(run.end))
    }

    /// A character for each of so many parts of the range.
    fn bar(&self, width: usize) -> String {
        const SHADES: [char; 5] = [' ', '░', '▒', '▓', '█'];
        let pages = self.pages();
        let width = width.min(pages);
        let mut runs = self.runs.iter().peekable();
        (0..width)
            .map(|nth| {
                let part = nth * pages / width..(nth + 1) * pages / width;
                let mut resident = 0;
                while let Some(run) = runs.peek() {
                    let inside = run.start.max(part.start)..run.end.min(part.end);
                    resident += inside.len();
                    if run.end > part.end {
                        break;
                    }
                    runs.next();
                }
                // The lightest and the darkest are for none and all.
                match resident {
                    0 => SHADES[0],
                    all if all == part.len() => SHADES[4],
                    some => SHADES[1 + some * 3 / part.len()],
                }
            })
            .collect()
    }
}

impl fmt::Display for Residency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (resident, pages, page, bar) = (self.resident, self.pages(), self.page, self.bar(40));
        write!(f, "{resident} of {pages} pages of {page} bytes |{bar}|")
    }
}

impl Map {
    /// Which pages of a range, in bytes, are in memory: those of a file in the
    /// system's page cache, whoever brought them there, those of anonymous memory
    /// in memory and not in swap. It reads no page and changes nothing. The answer
    /// is as old as the call.
    ///
    /// # Platforms
    /// Linux tells what is in the page cache only to the owner of a file and to
    /// who may write it; to others `mincore` says that everything is. Then
    /// `cachestat` is asked, if the kernel has it and allows it (6.5 to 6.13), and
    /// otherwise this is an error rather than a wrong answer; for a map that
    /// did not [keep its file](crate::MapOptions::keep_file) nobody can tell which of the
    /// two it was. OpenBSD has no such call.
    ///
    /// Windows tells of the working set, which is what this process has in
    /// memory: a page of a file that only the system's cache has does not count.
    ///
    /// # Errors
    /// * [`OutOfRange`](crate::ErrorKind::OutOfRange): the range is not inside the map.
    /// * [`Fault`](crate::ErrorKind::Fault): pages of the range failed before, or the file
    ///   is now too short for them.
    /// * [`Os`](crate::ErrorKind::Os): `EPERM`, as was said.
    /// * [`Unsupported`](crate::ErrorKind::Unsupported): not on this system.
    ///
    /// See [mincore(2)](https://man7.org/linux/man-pages/man2/mincore.2.html),
    /// [cachestat(2)](https://docs.kernel.org/admin-guide/mm/pagemap.html),
    /// [QueryWorkingSetEx](https://learn.microsoft.com/en-us/windows/win32/api/psapi/nf-psapi-queryworkingsetex).
    ///
    /// ```
    /// let file = tempfile::NamedTempFile::new()?;
    /// std::fs::write(file.path(), [1; 100_000])?;
    /// let map = faultless::Map::open(file.path())?;
    /// map.prefetch(..)?;
    /// let residency = map.residency(..)?;
    /// assert_eq!(residency.resident(), residency.pages());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn residency(&self, range: impl RangeBounds<usize>) -> Result<Residency> {
        const OPERATION: &str = "residency";
        let span = Span::of(OPERATION, self.len(), &range)?;
        let page = os::page_size();
        let lead = (self.layout.placement.lead + span.start()) % page;
        let mut found = Residency::new(lead, span, page);
        if span.is_empty() {
            return Ok(found);
        }
        self.guard.present(self, OPERATION, span)?;
        let refused = |error| self.os_error(OPERATION, "the system does not tell", error);
        let file = self.file.as_ref().map(os::borrow);
        let first = (self.file_offset() + span.start() as u64).saturating_sub(lead as u64);
        let count = |pages: &Range<usize>| match file {
            Some(file) => {
                let offset = first + (pages.start * page) as u64;
                os::cached_pages(file, offset, (pages.len() * page) as u64)
            }
            None => Err(std::io::ErrorKind::Unsupported.into()),
        };
        if file.is_some_and(|file| !os::tells_residency(file)) {
            let pages = 0..found.pages();
            count_cached(&mut found, pages, &count).map_err(refused)?;
        } else {
            self.look_at_pages(&mut found, &count).map_err(refused)?;
        }
        Ok(found)
    }

    /// Asks for each page. Where `count` says that the cache has none, there is none
    /// of the file's: large gaps take no time.
    fn look_at_pages(
        &self,
        found: &mut Residency,
        count: &dyn Fn(&Range<usize>) -> std::io::Result<u64>,
    ) -> std::io::Result<()> {
        let mut counts = !self.is_anonymous() && self.layout.shared();
        let (page, pages) = (found.page, found.pages());
        let mut bits = vec![0; pages.min(16 << 10)];
        let before = self.layout.placement.lead + found.span.start() - found.lead;
        for first in (0..pages).step_by(bits.len()) {
            let bits = &mut bits[..(pages - first).min(16 << 10)];
            let cached = counts.then(|| count(&(first..first + bits.len())));
            match cached {
                Some(Ok(0)) => continue,
                Some(Err(_)) => counts = false,
                _ => {}
            }
            let start = self.mapping.base().wrapping_add(before + first * page);
            os::residency(start, bits.len() * page, bits)?;
            let mut next = first;
            for same in bits.chunk_by(|one, other| one & 1 == other & 1) {
                if same[0] & 1 != 0 {
                    found.add(next..next + same.len());
                }
                next += same.len();
            }
        }
        Ok(())
    }

    /// Brings a range, in bytes, into memory and waits until all of it is there:
    /// what is then done with it waits for no disk, until the system needs the
    /// memory for something else ([`lock`](Self::lock) forbids that).
    ///
    /// A page that cannot be read is an error here, and no fault later. Large
    /// ranges are brought in by a few threads, which end with the call.
    ///
    /// # Errors
    /// * [`OutOfRange`](crate::ErrorKind::OutOfRange): the range is not inside the map.
    /// * [`Access`](crate::ErrorKind::Access): the map cannot be read.
    /// * [`Fault`](crate::ErrorKind::Fault): a page failed; those before it may be in
    ///   memory.
    /// * [`Os`](crate::ErrorKind::Os): not enough memory.
    ///
    /// See [madvise(2)](https://man7.org/linux/man-pages/man2/madvise.2.html),
    /// `MADV_POPULATE_READ` (Linux 5.14; elsewhere the pages are announced with
    /// `MADV_WILLNEED` and then touched).
    ///
    /// ```
    /// let map = faultless::Map::open(std::env::current_exe()?)?;
    /// map.prefetch(..1000)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn prefetch(&self, range: impl RangeBounds<usize>) -> Result<()> {
        let go_on = |_, _| ControlFlow::<()>::Continue(());
        self.prefetch_with(range, go_on).map(drop)
    }

    /// As [`prefetch`](Self::prefetch), telling how far it is: `progress` is called
    /// on the caller's thread with the bytes done and the bytes in all, every
    /// few megabytes and once at the end. If it breaks, that is the end, and
    /// what it broke with is returned.
    ///
    /// # Errors
    /// As [`prefetch`](Self::prefetch).
    ///
    /// ```
    /// use std::ops::ControlFlow;
    /// let map = faultless::MapOptions::new().len(1 << 22).map_anonymous()?;
    /// let mut seen = 0;
    /// let ended = map.prefetch_with(.., |done, total| {
    ///     seen = done;
    ///     if done * 2 < total { ControlFlow::Continue(()) } else { ControlFlow::Break("half") }
    /// })?;
    /// assert_eq!((ended, seen), (ControlFlow::Break("half"), 1 << 21));
    /// # Ok::<(), faultless::Error>(())
    /// ```
    pub fn prefetch_with<B>(
        &self,
        range: impl RangeBounds<usize>,
        mut progress: impl FnMut(usize, usize) -> ControlFlow<B>,
    ) -> Result<ControlFlow<B>> {
        self.check_readable("prefetch")?;
        let span = Span::of("prefetch", self.len(), &range)?;
        let work = Prefetch {
            map: self,
            span,
            next: AtomicUsize::new(0),
            limit: AtomicUsize::new(LEAD),
            done: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
        };
        let helpers = if span.len() < MANY { 0 } else { HELPERS };
        let ended = thread::scope(|scope| {
            // However this ends, the helpers end.
            let _stopper = Stopper(&work);
            let helpers: Vec<_> = (0..helpers)
                .map_while(|_| {
                    let named = Builder::new().name("prefetch".into());
                    named.spawn_scoped(scope, || work.run()).ok()
                })
                .collect();
            while work.step()? {
                let done = work.done.load(Relaxed);
                if done < span.len() {
                    if let broken @ ControlFlow::Break(_) = progress(done, span.len()) {
                        return Ok(broken);
                    }
                }
                work.limit.store(work.next.load(Relaxed) + LEAD, Relaxed);
            }
            work.limit.store(usize::MAX, Relaxed);
            for helper in helpers {
                helper.join().unwrap_or(Ok(()))?;
            }
            Ok(ControlFlow::Continue(()))
        })?;
        match ended {
            ControlFlow::Continue(()) => Ok(progress(span.len(), span.len())),
            broken @ ControlFlow::Break(_) => Ok(broken),
        }
    }

    /// Brings a part of the map into memory, whatever its protection.
    pub(crate) fn fetch(&self, operation: &'static str, span: Span) -> Result<()> {
        self.guard.present(self, operation, span)?;
        let (start, len) = self.pages(span);
        let populated = os::populate(start, len).map_err(|error| {
            self.os_error(operation, format!("cannot read {len} bytes in"), error)
        })?;
        match populated {
            Populated::All => return Ok(()),
            Populated::PageFailed if !self.is_guarded() => {
                return Err(self.first_failure(operation, span));
            }
            Populated::PageFailed => {}
            Populated::Unsupported => {
                // Only a hint, which says that all of it will be touched.
                let _ = advice::WILLNEED.map(|advice| os::advise(start, len, advice));
            }
        }
        let (window, epoch) = (self.view.window(span), self.guard.epoch());
        self.guard.read(self, operation, span, epoch, &mut || window.touch())
    }

    /// The first page that fails, of a map that must not be touched to see it.
    #[cold]
    fn first_failure(&self, operation: &'static str, span: Span) -> Error {
        let failed = span.parts(os::page_size(), false).map(|(_, part)| part).find(|&part| {
            let (start, len) = self.pages(part);
            !matches!(os::populate(start, len), Ok(Populated::All))
        });
        let at = failed.unwrap_or(span).start();
        let found = match reach(self).filter(|_| self.layout.regular) {
            Some(end) if end <= at => Fault::new(end, FaultReason::Truncated),
            _ => Fault::new(at, FaultReason::Io),
        };
        Error::from_fault(operation, found).with_path(self.path().as_deref())
    }

    /// Asks the system to take a range, in bytes, out of memory. Changes are
    /// written to the file first ([`flush_range`](Self::flush_range)), and no byte
    /// of the map changes: what is used again is read from the file again.
    ///
    /// It is for pages that will not be needed for long, so that they do not push
    /// out others, and for measuring what a cold file costs. What cannot be taken
    /// out stays, and that is no error: pages that are [locked](Self::lock), that
    /// other maps or programs have mapped or are reading, a file in memory (tmpfs,
    /// memfd), changes of a copy-on-write map and anonymous memory where there is
    /// no swap. [`residency`](Self::residency) tells what stayed.
    ///
    /// # Errors
    /// * [`OutOfRange`](crate::ErrorKind::OutOfRange): the range is not inside the map.
    /// * [`Fault`](crate::ErrorKind::Fault): pages of the map failed.
    /// * [`Os`](crate::ErrorKind::Os): the changes could not be written.
    ///
    /// See [posix_fadvise(2)](https://man7.org/linux/man-pages/man2/posix_fadvise.2.html).
    ///
    /// ```
    /// let map = faultless::Map::open(std::env::current_exe()?)?;
    /// map.evict(..)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn evict(&self, range: impl RangeBounds<usize>) -> Result<()> {
        let span = Span::of("evict", self.len(), &range)?;
        if span.is_empty() {
            return Ok(());
        }
        self.guard.present(self, "evict", span)?;
        let in_file = !self.is_anonymous() && self.layout.shared();
        if in_file && self.is_writable() {
            self.flush_range(span.start()..span.end(), Flush::SYNC)?;
        }
        // Private pages would lose their changes: they are swapped out instead.
        let advice = if in_file { advice::DONTNEED } else { advice::PAGEOUT };
        let (start, len) = self.pages(span);
        // All of it a request, which pages that are locked refuse.
        let _ = advice.map(|advice| os::advise(start, len, advice));
        if let Some(file) = &self.file {
            let page = os::page_size() as u64;
            let from = (self.file_offset() + span.start() as u64) / page * page;
            let to = (self.file_offset() + span.end() as u64).next_multiple_of(page);
            os::forget(os::borrow(file), from, to - from);
        }
        Ok(())
    }
}

/// Finds the pages that are in the cache with a call that only counts them:
/// halves are asked for until one has all or none.
fn count_cached(
    found: &mut Residency,
    pages: Range<usize>,
    count: &dyn Fn(&Range<usize>) -> std::io::Result<u64>,
) -> std::io::Result<()> {
    match count(&pages)? {
        0 => {}
        all if all >= pages.len() as u64 => found.add(pages),
        _ if pages.len() == 1 => {}
        _ => {
            let middle = pages.start + pages.len() / 2;
            count_cached(found, pages.start..middle, count)?;
            count_cached(found, middle..pages.end, count)?;
        }
    }
    Ok(())
}

/// Bringing a span into memory, by as many threads as call `step`.
struct Prefetch<'map> {
    map: &'map Map,
    span: Span,
    /// Bytes of the span that somebody has begun with.
    next: AtomicUsize,
    /// Where helpers wait for the caller's thread.
    limit: AtomicUsize,
    done: AtomicUsize,
    stop: AtomicBool,
}

impl Prefetch<'_> {
    /// Brings the next piece in; whether there was one.
    fn step(&self) -> Result<bool> {
        let from = self.next.fetch_add(PIECE, Relaxed);
        if from >= self.span.len() || self.stop.load(Relaxed) {
            return Ok(false);
        }
        let piece = self.span.part(from, PIECE.min(self.span.len() - from));
        self.map.fetch("prefetch", piece).inspect_err(|_| self.stop.store(true, Relaxed))?;
        self.done.fetch_add(piece.len(), Relaxed);
        Ok(true)
    }

    /// Brings in what nobody else does, but not far ahead of the caller's thread.
    fn run(&self) -> Result<()> {
        loop {
            if self.next.load(Relaxed) >= self.limit.load(Relaxed) && !self.stop.load(Relaxed) {
                thread::sleep(Duration::from_millis(1));
            } else if !self.step()? {
                return Ok(());
            }
        }
    }
}

struct Stopper<'work, 'map>(&'work Prefetch<'map>);

impl Drop for Stopper<'_, '_> {
    fn drop(&mut self) {
        self.0.stop.store(true, Relaxed);
    }
}
