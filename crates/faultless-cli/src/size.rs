//! Sizes, offsets and ranges as they are written on the command line.

use std::ops::Range;
use std::str::FromStr;

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) u64);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse(text).map(Self)
    }
}

/// A place in a file, from its beginning or its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Start(u64),
    End(u64),
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix('-') {
            Some(rest) => parse(rest).map(Self::End),
            None => parse(text).map(Self::Start),
        }
    }
}

impl Place {
    /// The offset in a file of `len` bytes, which may be behind its end.
    pub(crate) fn offset(self, len: u64) -> Result<u64, String> {
        match self {
            Self::Start(offset) => Ok(offset),
            Self::End(back) => len.checked_sub(back).ok_or_else(|| {
                format!("offset -{back} is before the beginning: the file has {len} bytes")
            }),
        }
    }

    /// The nearest offset that the file has.
    fn clamped(self, len: u64) -> u64 {
        match self {
            Self::Start(offset) => offset.min(len),
            Self::End(back) => len.saturating_sub(back),
        }
    }
}

/// `START..END`, `START..`, `..END`, `..`, `START+LENGTH`, or `START` alone for all
/// from there on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ByteRange {
    start: Place,
    end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    File,
    At(Place),
    After(u64),
}

impl FromStr for ByteRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let or_start = |text: &str| match text {
            "" => Ok(Place::Start(0)),
            _ => text.parse(),
        };
        if let Some((start, end)) = text.split_once("..") {
            let end = if end.is_empty() { End::File } else { End::At(end.parse()?) };
            return Ok(Self { start: or_start(start)?, end });
        }
        if let Some((start, len)) = text.split_once('+') {
            return Ok(Self { start: or_start(start)?, end: End::After(parse(len)?) });
        }
        Ok(Self { start: text.parse()?, end: End::File })
    }
}

impl ByteRange {
    /// The part of a file of `len` bytes. What is behind its end, or before its
    /// beginning, is left out; only a start behind the end is an error.
    pub(crate) fn within(&self, len: usize) -> Result<Range<usize>, String> {
        let len = len as u64;
        if let Place::Start(start) = self.start {
            if start > len {
                return Err(format!("offset {start} is behind the end: the file has {len} bytes"));
            }
        }
        let start = self.start.clamped(len);
        let end = match self.end {
            End::File => len,
            End::At(place) => place.clamped(len),
            End::After(more) => start.saturating_add(more).min(len),
        };
        if end < start {
            return Err(format!("the range ends at offset {end}, before it begins at {start}"));
        }
        // No more than `len`, which was a `usize`.
        Ok(start as usize..end as usize)
    }

    /// The same part, all of which the file must have: for what is to be changed.
    pub(crate) fn exactly(&self, len: usize) -> Result<Range<usize>, String> {
        let found = self.within(len)?;
        let len = len as u64;
        let start = self.start.offset(len)?;
        let end = match self.end {
            End::File => len,
            End::At(place) => place.offset(len)?,
            End::After(more) => start.saturating_add(more),
        };
        if end > len {
            return Err(format!("offset {end} is behind the end: the file has {len} bytes"));
        }
        Ok(found)
    }
}

/// The units, and how many bytes they have.
const UNITS: [(&str, u64); 5] =
    [("k", 1 << 10), ("m", 1 << 20), ("g", 1 << 30), ("t", 1 << 40), ("p", 1 << 50)];

fn parse(text: &str) -> Result<u64, String> {
    let wrong = || {
        format!("'{text}' is no number of bytes: write 4096, 4k, 4KiB (4096), 4kB (4000) or 0x1000")
    };
    let too_large = || format!("'{text}' is more bytes than any file has");
    let digits = |text: &str, radix: u32| {
        let text: String = text.chars().filter(|&c| c != '_').collect();
        if text.is_empty() || !text.chars().all(|c| c.is_digit(radix)) {
            return Err(wrong());
        }
        u64::from_str_radix(&text, radix).map_err(|_| too_large())
    };
    let lower = text.to_ascii_lowercase();
    let value = if let Some(hex) = lower.strip_prefix("0x") {
        digits(hex, 16)?
    } else {
        let end = lower.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(lower.len());
        let (number, unit) = lower.split_at(end);
        digits(number, 10)?
            .checked_mul(unit_bytes(unit).ok_or_else(wrong)?)
            .ok_or_else(too_large)?
    };
    if value > i64::MAX as u64 { Err(too_large()) } else { Ok(value) }
}

fn unit_bytes(unit: &str) -> Option<u64> {
    if unit.is_empty() || unit == "b" {
        return Some(1);
    }
    for (power, (name, bytes)) in (1..).zip(UNITS) {
        match unit.strip_prefix(name) {
            Some("" | "ib") => return Some(bytes),
            Some("b") => return Some(1000u64.pow(power)),
            _ => {}
        }
    }
    None
}

/// A number of bytes for people: `12.5 MiB`.
pub(crate) fn show(bytes: u64) -> String {
    let unit = UNITS.iter().rev().find(|(_, unit)| bytes >= *unit);
    match unit {
        None => format!("{bytes} B"),
        Some((name, unit)) => {
            let name = if *name == "k" { "K".into() } else { name.to_uppercase() };
            format!("{:.1} {name}iB", bytes as f64 / *unit as f64)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_suffixes() {
        let sizes = [
            ("0", 0),
            ("4096", 4096),
            ("1_000", 1000),
            ("10B", 10),
            ("4k", 4096),
            ("4K", 4096),
            ("4KiB", 4096),
            ("4kB", 4000),
            ("1MiB", 1 << 20),
            ("1MB", 1_000_000),
            ("3g", 3 << 30),
            ("2T", 2 << 40),
            ("0x10", 16),
            ("0xFFb", 0xffb),
        ];
        for (text, bytes) in sizes {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
        for text in ["", "k", "-1", "1.5k", "0x", "0xg", "1kk", "1xb", "_", "99999999999g", "9999P"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn places_count_from_either_end() {
        let offset = |text: &str| text.parse::<Place>().and_then(|place| place.offset(100));
        assert_eq!(offset("7"), Ok(7));
        assert_eq!(offset("-1"), Ok(99));
        assert_eq!(offset("-100"), Ok(0));
        assert!(offset("-101").is_err());
    }

    #[test]
    fn ranges_stay_in_the_file() {
        let range = |text: &str| text.parse::<ByteRange>().and_then(|range| range.within(100));
        assert_eq!(range("10..20"), Ok(10..20));
        assert_eq!(range(".."), Ok(0..100));
        assert_eq!(range("-10.."), Ok(90..100));
        assert_eq!(range("..-10"), Ok(0..90));
        assert_eq!(range("0x10+8"), Ok(16..24));
        assert_eq!(range("-4+2"), Ok(96..98));
        assert_eq!(range("90..1k"), Ok(90..100));
        assert_eq!(range("-1k.."), Ok(0..100));
        assert_eq!(range("40"), Ok(40..100));
        assert_eq!(range("100.."), Ok(100..100));
        let exactly = |text: &str| text.parse::<ByteRange>().and_then(|range| range.exactly(100));
        assert_eq!(exactly("-4+4"), Ok(96..100));
        for outside in ["90..101", "-101..", "96+5", "1+0x7fffffffffffffff"] {
            assert!(exactly(outside).is_err(), "{outside}");
        }
        assert!(range("101..").is_err());
        assert!(range("20..10").is_err());
        assert!(range("a..b").is_err());
    }

    #[test]
    fn sizes_are_shown_for_people() {
        assert_eq!(show(0), "0 B");
        assert_eq!(show(1023), "1023 B");
        assert_eq!(show(1536), "1.5 KiB");
        assert_eq!(show(u64::MAX), "16384.0 PiB");
    }
}
