//! The newest file of a log: finding its end, claiming a place there, and putting
//! marks behind it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::files::{Lock, Part};
use super::frame::{CHECKPOINT, HEADER, LONGEST, WORD, Word, checksum, corrupt, size_of_frame};
use crate::advice::Advice;
use crate::error::{Error, Result};
use crate::fault::{Fault, FaultReason};
use crate::flush::Flush;
use crate::map::Map;
use crate::range::Span;

/// The newest file, and where it ends.
#[derive(Debug)]
pub(super) struct Tail {
    pub(super) part: Part,
    /// Where a frame ends, as far as has been seen. The last one may be further.
    pub(super) end: AtomicUsize,
    /// Which mapping it is: each has another number.
    pub(super) turn: usize,
}

/// What an attempt to append came to.
pub(super) enum Attempt {
    /// The offset in the log of the record.
    Done(u64),
    /// The file has to have this many bytes.
    Room(usize),
    /// A frame that ends here is behind what is mapped.
    Behind(usize),
    /// It failed, and nothing was claimed: because others cut off what they did
    /// not need, perhaps.
    Failed(Error),
    /// It failed, but the record may be there.
    Doubtful(Error, u64),
    /// Nothing is here yet, or no more fits in.
    Free,
    /// The file was closed, and cut off, here.
    Ended(usize),
    /// The log goes on in another file.
    Rotated,
}

/// So many bytes of the file are got ready to be written at a time.
const AHEAD: usize = 64 << 10;

impl Tail {
    pub(super) fn new(part: Part, end: usize) -> Self {
        Self { part, end: AtomicUsize::new(end), turn: 0 }
    }

    pub(super) fn open(path: &Arc<Path>) -> Result<Self> {
        let part = Part::open(path)?;
        let checkpoint = part.map.load_word(CHECKPOINT)?;
        let end = usize::try_from(checkpoint).unwrap_or(usize::MAX);
        if end % WORD != 0 || end < HEADER || end > part.map.len() - WORD {
            let message = format!("the log has no byte {checkpoint}, which was synced");
            return Err(corrupt("open", message).with_path(Some(path)));
        }
        let mut tail = Self::new(part, end);
        while let Attempt::Behind(end) = tail.find_end()?.0 {
            tail.catch_up(path, end)?;
        }
        Ok(tail)
    }

    /// The same, with a mapping of its own.
    pub(super) fn again(&self, path: &Arc<Path>) -> Result<Self> {
        let part = self.part.again(path)?;
        self.check_len(part.map.len() as u64)?;
        Ok(Self::new(part, self.end.load(Ordering::Relaxed)))
    }

    /// Maps the file again, so that a frame is in it that ends at `end`.
    pub(super) fn catch_up(&mut self, path: &Arc<Path>, end: usize) -> Result<()> {
        let _lock = self.lock(path)?;
        self.remap(path)?;
        let len = self.part.map.len();
        // The word behind a claimed frame is in the file.
        if len < end + WORD {
            let message = format!("the log has {len} bytes, but a record that ends at byte {end}");
            return Err(corrupt("open", message).with_path(Some(path)));
        }
        Ok(())
    }

    /// Waits for the lock on the file. `None`: it is not the one at the path any
    /// more, and keeps its length.
    pub(super) fn lock(&self, path: &Path) -> Result<Option<Lock>> {
        Lock::take_if(path, self.part.map.kept_file("append")?)
    }

    /// Goes on with the file that is at the path now.
    pub(super) fn reopen(&mut self, path: &Arc<Path>) -> Result<()> {
        *self = Self { turn: self.turn + 1, ..Self::open(path)? };
        Ok(())
    }

    /// Maps the file as long as it is now. The caller has the lock: who makes the
    /// file longer and fails takes back what it got so far, and nobody is to claim
    /// a part of that.
    pub(super) fn remap(&mut self, path: &Arc<Path>) -> Result<()> {
        let part = self.part.again(path)?;
        self.check_len(part.map.len() as u64)?;
        // Every append looks at the map's last page. If that were the first look at
        // any, the system would bring megabytes before it along, and in small pages.
        let last = part.map.len() - 1;
        let _ = part.map.advise(last.., Advice::WillNeed);
        self.part = part;
        self.turn += 1;
        Ok(())
    }

    /// The word behind the last frame is always in the file, unless somebody who
    /// knows nothing of logs cut it off.
    pub(super) fn check_len(&self, len: u64) -> Result<()> {
        if len >= (self.end.load(Ordering::Relaxed) + WORD) as u64 {
            return Ok(());
        }
        let fault = Fault::new(len as usize, FaultReason::Truncated);
        let path = self.part.map.path();
        Err(Error::from_fault("append", fault).with_path(path.as_deref()))
    }

    /// Appends a record, if nothing has to be done to the file first. It may claim
    /// a free place, and the one of the mark that says that the log was closed if
    /// `over` is that mark: that is for who holds the lock.
    #[inline]
    pub(super) fn append(&self, record: &[u8], most: usize, over: Word) -> Result<Attempt> {
        let (map, room) = (&self.part.map, size_of_frame(record.len()) + WORD);
        let mut at = self.end.load(Ordering::Relaxed);
        loop {
            let word = if at.saturating_add(room) <= map.len() {
                match self.claim(at, record, room, most, over) {
                    Err((error, false)) => return Ok(Attempt::Failed(error)),
                    Err((error, true)) => {
                        return Ok(Attempt::Doubtful(error, self.part.base + at as u64));
                    }
                    Ok(Claim::Done) => {
                        self.advance(at, at + room - WORD);
                        return Ok(Attempt::Done(self.part.base + at as u64));
                    }
                    Ok(Claim::Dirty(word)) => match self.skip(at, word) {
                        Err(error) => return Ok(Attempt::Failed(error)),
                        Ok(true) => continue,
                        Ok(false) => return Ok(Attempt::Room(map.len() + WORD)),
                    },
                    Ok(Claim::Seen(word)) => word,
                }
            } else if at + WORD <= map.len() {
                match map.load_word(at) {
                    Ok(word) => Word::decode(word),
                    Err(error) => return Ok(Attempt::Failed(error)),
                }
            } else {
                return Ok(Attempt::Room(at.saturating_add(room)));
            };
            match word {
                Word::Free | Word::End if at + room > most && at > HEADER => {
                    return Ok(Attempt::Free);
                }
                word if word == Word::Free || word == over => return Ok(Attempt::Room(at + room)),
                word => match self.step(at, word)? {
                    Ok(next) => at = next,
                    Err(attempt) => return Ok(attempt),
                },
            }
        }
    }

    /// Notes that a frame ends at `next`.
    #[inline]
    fn advance(&self, at: usize, next: usize) {
        self.end.fetch_max(next, Ordering::Relaxed);
        if at / AHEAD != next / AHEAD {
            // Making many pages at once takes half the time of one by one.
            let start = (next / AHEAD + 1) * AHEAD;
            let span = Span::clamped(self.part.map.len(), start, AHEAD);
            let _ = self.part.map.advise(span.start()..span.end(), Advice::PopulateWrite);
        }
    }

    /// Claims the place at `at`, if it is free, and puts the record there.
    #[inline]
    fn claim(
        &self,
        at: usize,
        record: &[u8],
        room: usize,
        most: usize,
        over: Word,
    ) -> Result<Claim, (Error, bool)> {
        const OPERATION: &str = "append";
        let map = &self.part.map;
        let unclaimed = |error| (error, false);
        let span = Span::exact(OPERATION, map.len(), at, room).map_err(unclaimed)?;
        let epoch = map.guard.write(map, OPERATION, span).map_err(unclaimed)?;
        let window = map.view.window(span);
        let word: &AtomicU64 = map.view.window(span.part(0, WORD)).atomic();
        let before = word.load(Ordering::Acquire);
        let taken = before != 0 && before != over.encode().to_le();
        let seen = |word: u64| Word::decode(u64::from_le(word));
        if taken || at + room > most && at > HEADER {
            map.guard.wrote(map, OPERATION, span, epoch).map_err(unclaimed)?;
            return Ok(Claim::Seen(seen(before)));
        }
        if !is_zero(&window.bytes()[WORD..]) {
            map.guard.wrote(map, OPERATION, span, epoch).map_err(unclaimed)?;
            return Ok(Claim::Dirty(seen(before)));
        }
        // The file reached the end of the frame before this, and does after it: who
        // cuts it off puts a mark where the cut is first, and no word is ever zero
        // again.
        let claim = Word::Claimed(record.len()).encode().to_le();
        if let Err(now) = word.compare_exchange(before, claim, Ordering::AcqRel, Ordering::Acquire)
        {
            map.guard.wrote(map, OPERATION, span, epoch).map_err(unclaimed)?;
            return Ok(Claim::Seen(seen(now)));
        }
        let stored = map.view.window(span.part(WORD, record.len()));
        stored.copy_from(record);
        // Of what stands there: another thread may be writing to the record's memory.
        let sum = checksum(self.part.base + at as u64, stored.bytes());
        let commit = Word::Committed(record.len(), sum).encode().to_le();
        word.store(commit, Ordering::Release);
        map.guard.wrote(map, OPERATION, span, epoch).map_err(|error| (error, true))?;
        Ok(Claim::Done)
    }

    /// Gives up the rest of the file, from `at` on. What is behind the last frame
    /// is zero, unless the system went down and had not written to the disk in
    /// the order in which it was stored; then none of it can be used. `false`: the
    /// file ends with a byte of that.
    #[cold]
    fn skip(&self, at: usize, word: Word) -> Result<bool> {
        let map = &self.part.map;
        let most = (map.len() - WORD).min(at + size_of_frame(LONGEST & !(WORD - 1)));
        for next in (at + WORD..=most / WORD * WORD).rev().step_by(WORD) {
            if map.load_word(next)? == 0 {
                let claim = Word::Claimed(next - at - WORD);
                return self.exchange(at, word, claim).map(|_| true);
            }
        }
        Ok(false)
    }

    /// From a frame that is not free to the next one, or what else it says.
    fn step(&self, at: usize, word: Word) -> Result<Result<usize, Attempt>> {
        let (Word::Claimed(len) | Word::Committed(len, _)) = word else {
            return match word {
                Word::End => Ok(Err(Attempt::Ended(at))),
                Word::Rotated => Ok(Err(Attempt::Rotated)),
                _ => Err(unknown("append", at, word).with_path(self.part.map.path().as_deref())),
            };
        };
        let next = at + size_of_frame(len);
        if next + WORD > self.part.map.len() {
            return Ok(Err(Attempt::Behind(next)));
        }
        self.end.fetch_max(next, Ordering::Relaxed);
        Ok(Ok(next))
    }

    /// Where the last frame ends, as an offset in the log, and what stands there.
    pub(super) fn find_end(&self) -> Result<(Attempt, u64)> {
        let mut at = self.end.load(Ordering::Relaxed);
        loop {
            let word = Word::decode(self.part.map.load_word(at)?);
            let attempt = match word {
                Word::Free => Attempt::Free,
                word => match self.step(at, word)? {
                    Ok(next) => {
                        at = next;
                        continue;
                    }
                    Err(attempt) => attempt,
                },
            };
            return Ok((attempt, self.part.base + at as u64));
        }
    }

    /// Exchanges the word at `at`; whether it was what it should be.
    pub(super) fn exchange(&self, at: usize, from: Word, to: Word) -> Result<bool> {
        let (from, to) = (from.encode().to_le(), to.encode().to_le());
        let done = self.part.map.atomic(at)?.compare_exchange(from, to)?;
        Ok(done.is_ok())
    }

    /// Puts a mark behind the last frame, and returns where it is. `None`: there
    /// is one already that says more.
    pub(super) fn seal(&self, mark: Word) -> Result<Option<usize>> {
        loop {
            let found = self.find_end()?;
            let at = (found.1 - self.part.base) as usize;
            let before = match found.0 {
                Attempt::Free => Word::Free,
                Attempt::Ended(_) if mark == Word::End => return Ok(Some(at)),
                Attempt::Ended(_) => Word::End,
                _ => return Ok(None),
            };
            if self.exchange(at, before, mark)? {
                return Ok(Some(at));
            }
        }
    }

    /// Puts a mark at the end, and cuts the file off behind it.
    pub(super) fn finish(mut self, path: &Arc<Path>, mark: Word) -> Result<()> {
        let Some(lock) = self.lock(path)? else { return Ok(()) };
        self.remap(path)?;
        let Some(end) = self.seal(mark)? else { return Ok(()) };
        drop(self);
        lock.trim(path, (end + WORD) as u64)
    }

    /// Puts a mark at the end of a file that has lost its name.
    pub(super) fn finish_without_lock(&mut self, path: &Arc<Path>) -> Result<()> {
        self.remap(path)?;
        self.seal(Word::Rotated).map(drop)
    }

    /// Writes everything up to the last frame to the disk; what stands behind it.
    pub(super) fn sync(&self) -> Result<Attempt> {
        let map = &self.part.map;
        let found = self.find_end()?;
        let end = (found.1 - self.part.base) as usize;
        map.flush_range(..end + WORD, Flush::SYNC.durable())?;
        // Opening need not look at what comes before this again.
        let (checkpoint, end) = (map.atomic::<u64>(CHECKPOINT)?, end as u64);
        loop {
            let now = checkpoint.load()?;
            let done =
                u64::from_le(now) >= end || checkpoint.compare_exchange(now, end.to_le())?.is_ok();
            if done {
                break;
            }
        }
        Ok(found.0)
    }
}

/// What came of a claim.
enum Claim {
    Done,
    /// The place is not free, or the file is full.
    Seen(Word),
    /// It can be claimed, but what is behind it is not zero.
    Dirty(Word),
}

/// Whether all words are zero.
#[inline]
fn is_zero(words: &[u8]) -> bool {
    let number = |word: &[u8]| word.try_into().map_or(1, u64::from_ne_bytes);
    words.chunks_exact(WORD).fold(0, |all, word| all | number(word)) == 0
}

#[cold]
pub(super) fn unknown(operation: &'static str, at: usize, word: Word) -> Error {
    let word = word.encode();
    corrupt(operation, format!("byte {at} begins no frame: {word:#018x}; the log is damaged there"))
}

impl Map {
    /// The little-endian word at a multiple of eight, loaded before whatever is
    /// read afterwards.
    #[inline]
    pub(super) fn load_word(&self, offset: usize) -> Result<u64> {
        self.atomic::<u64>(offset)?.load().map(u64::from_le)
    }
}
