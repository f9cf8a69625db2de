//! Every safe operation of `Map` and `Cursor` that touches bytes. Each checks
//! its own result against the pattern, so that a wrong byte is a panic, and
//! what it writes is what the file has there anyway.

use std::io::{BufRead, Read, Seek, SeekFrom, Write};
use std::ops::Range;

use faultless::{Error, Map, Scalar};

use super::{PERIOD, RUN, RUN_BYTE, pattern, pattern_of};

type Run = fn(&Map, usize, Range<usize>) -> Result<(), Error>;

/// An operation over a range of a map of a pattern file; `run` takes the map,
/// its offset in the file, and the range, which has two periods at least.
pub(crate) struct Operation {
    pub(crate) name: &'static str,
    pub(crate) writes: bool,
    pub(crate) run: Run,
}

const fn reads(name: &'static str, run: Run) -> Operation {
    Operation { name, writes: false, run }
}

const fn writes(name: &'static str, run: Run) -> Operation {
    Operation { name, writes: true, run }
}

/// What a cursor's operation failed with: our own error, inside one of `std`.
fn ours(error: std::io::Error) -> Error {
    let shown = error.to_string();
    let inner = error.into_inner().unwrap_or_else(|| panic!("not of this crate: {shown}"));
    *inner.downcast::<Error>().unwrap_or_else(|_| panic!("not of this crate: {shown}"))
}

fn expected(lead: usize, range: &Range<usize>) -> Vec<u8> {
    pattern_of(lead + range.start..lead + range.end)
}

#[track_caller]
fn check(bytes: &[u8], lead: usize, range: &Range<usize>) {
    let wrong = bytes.iter().zip(lead + range.start..).position(|(&byte, at)| byte != pattern(at));
    if let Some(wrong) = wrong {
        let zeros = bytes[wrong..].iter().take_while(|&&byte| byte == 0).count();
        panic!("wrong byte at {} of {range:?}; {zeros} zeros there", range.start + wrong);
    }
    assert_eq!(bytes.len(), range.len());
}

/// Loads every number in the range of each way to store it.
fn load_all<T: Scalar>(
    map: &Map,
    lead: usize,
    range: &Range<usize>,
    to_le: fn(T) -> Vec<u8>,
) -> Result<(), Error> {
    let size = size_of::<T>();
    let mut at = range.end - size;
    while at >= range.start {
        let bytes = at..at + size;
        check(&to_le(map.load_le(at)?), lead, &bytes);
        let mut swapped = to_le(map.load_be(at)?);
        swapped.reverse();
        check(&swapped, lead, &bytes);
        let native = to_le(map.load_ne(at)?);
        check(&native, lead, &bytes);
        at = match at.checked_sub(977) {
            Some(next) => next,
            None => break,
        };
    }
    Ok(())
}

pub(crate) const OPERATIONS: &[Operation] = &[
    reads("read_at", |map, lead, range| {
        let mut bytes = vec![0xEE; range.len()];
        assert_eq!(map.read_at(range.start, &mut bytes)?, range.len());
        check(&bytes, lead, &range);
        Ok(())
    }),
    reads("read_exact_at", |map, lead, range| {
        let mut bytes = vec![0xEE; range.len()];
        map.read_exact_at(range.start, &mut bytes)?;
        check(&bytes, lead, &range);
        Ok(())
    }),
    reads("read_exact_uninit_at", |map, lead, range| {
        let mut bytes = vec![std::mem::MaybeUninit::uninit(); range.len()];
        check(map.read_exact_uninit_at(range.start, &mut bytes)?, lead, &range);
        Ok(())
    }),
    reads("to_vec", |map, lead, range| {
        check(&map.to_vec(range.clone())?, lead, &range);
        Ok(())
    }),
    reads("get", |map, lead, range| {
        for at in range.rev().step_by(509) {
            assert_eq!(map.get(at)?, pattern(lead + at), "get({at})");
        }
        Ok(())
    }),
    reads("peek, or get", |map, lead, range| {
        for at in range.rev().step_by(509) {
            // SAFETY: there is a byte, while it is looked at.
            let seen = map.peek(at, 1, |bytes| Some((unsafe { bytes.cast::<u8>().read() }, 1)));
            let byte = seen.map_or_else(|| map.get(at), Ok)?;
            assert_eq!(byte, pattern(lead + at), "peek({at})");
        }
        Ok(())
    }),
    reads("load", |map, lead, range| {
        load_all::<u16>(map, lead, &range, |n| n.to_le_bytes().to_vec())?;
        load_all::<u64>(map, lead, &range, |n| n.to_le_bytes().to_vec())?;
        load_all::<f64>(map, lead, &range, |n| n.to_le_bytes().to_vec())?;
        load_all::<u128>(map, lead, &range, |n| n.to_le_bytes().to_vec())
    }),
    reads("compare", |map, lead, range| {
        let order = map.compare(range.clone(), &expected(lead, &range))?;
        assert_eq!(order, std::cmp::Ordering::Equal);
        Ok(())
    }),
    reads("find", |map, _, range| {
        assert_eq!(map.find(&[0], range.clone())?, None, "a zero");
        assert_eq!(map.find(&[0, 0, 0], range)?, None, "zeros");
        Ok(())
    }),
    reads("find in the last period", |map, lead, range| {
        let needle_at = range.end - 100;
        let needle = expected(lead, &(needle_at..range.end));
        let from = range.end - PERIOD;
        assert_eq!(map.find(&needle, from..range.end)?, Some(needle_at));
        Ok(())
    }),
    reads("rfind", |map, _, range| {
        assert_eq!(map.rfind(&[0], range.clone())?, None, "a zero");
        assert_eq!(map.rfind(&[0, 0, 0], range)?, None, "zeros");
        Ok(())
    }),
    reads("count", |map, lead, range| {
        assert_eq!(map.count(&[0], range.clone())?, 0, "zeros");
        let runs = expected(lead, &range).iter().filter(|&&byte| byte == RUN_BYTE).count();
        assert_eq!(map.count(&[RUN_BYTE], range)?, runs);
        Ok(())
    }),
    reads("find_iter", |map, lead, range| {
        let mut wanted = expected(lead, &range);
        wanted.iter_mut().for_each(|byte| *byte = u8::from(*byte == 7));
        let wanted = wanted.iter().zip(range.clone()).filter(|&(&is, _)| is == 1);
        let mut found = map.find_iter(&[7], range)?;
        for (_, at) in wanted {
            assert_eq!(found.next().transpose()?, Some(at));
        }
        assert_eq!(found.next().transpose()?, None);
        Ok(())
    }),
    reads("Cursor::read", |map, lead, range| {
        let mut cursor = map.cursor();
        cursor.set_position(range.start as u64);
        let mut bytes = vec![0xEE; range.len()];
        cursor.read_exact(&mut bytes).map_err(ours)?;
        check(&bytes, lead, &range);
        assert_eq!(cursor.position(), range.end as u64);
        Ok(())
    }),
    reads("Cursor::read_to_end", |map, lead, range| {
        let mut cursor = map.cursor();
        cursor.set_position(range.start as u64);
        let mut bytes = Vec::new();
        cursor.read_to_end(&mut bytes).map_err(ours)?;
        check(&bytes, lead, &(range.start..map.len()));
        Ok(())
    }),
    reads("BufRead for Cursor", |map, lead, range| {
        let mut cursor = map.cursor();
        cursor.set_position(range.start as u64);
        let mut bytes = Vec::new();
        while bytes.len() < range.len() {
            let before = bytes.len();
            cursor.read_until(11, &mut bytes).map_err(ours)?;
            assert_ne!(bytes.len(), before);
        }
        let end = range.start + bytes.len();
        check(&bytes, lead, &(range.start..end));
        Ok(())
    }),
    reads("prefetch", |map, lead, range| {
        map.prefetch(range.clone())?;
        check(&map.to_vec(range.clone())?, lead, &range);
        Ok(())
    }),
    reads("evict", |map, lead, range| {
        map.evict(range.clone())?;
        check(&map.to_vec(range.clone())?, lead, &range);
        Ok(())
    }),
    writes("write_at", |map, lead, range| map.write_at(range.start, &expected(lead, &range))),
    writes("poke, or set", |map, lead, range| {
        for at in range.rev().step_by(509) {
            if !map.poke(at, pattern(lead + at)) {
                map.set(at, pattern(lead + at))?;
            }
        }
        Ok(())
    }),
    writes("set", |map, lead, range| {
        range.rev().step_by(509).try_for_each(|at| map.set(at, pattern(lead + at)))
    }),
    writes("store", |map, lead, range| {
        for at in (range.start..range.end - 16).rev().step_by(977) {
            let bytes = expected(lead, &(at..at + 16));
            let (short, long, whole) = (&bytes[..4], &bytes[..8], &bytes[..]);
            map.store_ne(at, u32::from_ne_bytes(short.try_into().unwrap()))?;
            map.store_be(at, u64::from_be_bytes(long.try_into().unwrap()))?;
            map.store_le(at, u128::from_le_bytes(whole.try_into().unwrap()))?;
        }
        Ok(())
    }),
    writes("fill", |map, lead, range| {
        let runs = range.clone().rev().filter(|at| (lead + at) % PERIOD == 0);
        for at in runs {
            map.fill(at..(at + RUN).min(range.end), RUN_BYTE)?;
        }
        Ok(())
    }),
    writes("copy_within", |map, _, range| {
        // By whole periods, so that every byte stays what it was.
        map.copy_within(range.start..range.end - PERIOD, range.start + PERIOD)
    }),
    writes("Cursor::write", |map, lead, range| {
        let mut cursor = map.cursor();
        cursor.seek(SeekFrom::Start(range.start as u64)).map_err(ours)?;
        cursor.write_all(&expected(lead, &range)).map_err(ours)
    }),
    writes("flush", |map, _, range| map.flush_range(range, faultless::Flush::SYNC)),
    writes("Cursor::flush", |map, _, _| map.cursor().flush().map_err(ours)),
];
