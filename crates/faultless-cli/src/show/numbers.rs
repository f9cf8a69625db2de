//! Bytes as numbers.

use std::io::Write;
use std::ops::Range;
use std::str::FromStr;

use serde_json::{Map, Value};

use super::{PIECE, left_over, start_line};
use crate::error::Failure;
use crate::hex::ROW;
use crate::input::Input;
use crate::output::{Output, field};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Unsigned,
    Signed,
    Float,
}

/// A type of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Number {
    kind: Kind,
    bytes: usize,
    big: bool,
}

impl FromStr for Number {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "'{text}' is no type of numbers: u8, i8, or u, i or f, then 16, 32 or 64 \
                 (f: 32 or 64), then le or be"
            )
        };
        let (kind, rest) = match text.split_at_checked(1) {
            Some(("u", rest)) => (Kind::Unsigned, rest),
            Some(("i", rest)) => (Kind::Signed, rest),
            Some(("f", rest)) => (Kind::Float, rest),
            _ => return Err(wrong()),
        };
        let (bits, big) = match (rest.strip_suffix("le"), rest.strip_suffix("be")) {
            (Some(bits), _) => (bits, false),
            (_, Some(bits)) => (bits, true),
            _ if rest == "8" => ("8", false),
            _ => return Err(wrong()),
        };
        let bytes = match (kind, bits) {
            (Kind::Unsigned | Kind::Signed, "8") => 1,
            (Kind::Unsigned | Kind::Signed, "16") => 2,
            (_, "32") => 4,
            (_, "64") => 8,
            _ => return Err(wrong()),
        };
        Ok(Self { kind, bytes, big })
    }
}

/// A number that was read.
enum Read {
    Unsigned(u64),
    Signed(i64),
    Single(f32),
    Double(f64),
}

impl Number {
    fn read(self, bytes: &[u8]) -> Read {
        let bits = if self.big {
            bytes.iter().fold(0, |bits, &byte| bits << 8 | u64::from(byte))
        } else {
            bytes.iter().rev().fold(0, |bits, &byte| bits << 8 | u64::from(byte))
        };
        // The sign goes where a number of 64 bits has it, and comes back.
        let unused = 64 - 8 * self.bytes as u32;
        match self.kind {
            Kind::Unsigned => Read::Unsigned(bits),
            Kind::Signed => Read::Signed(((bits << unused) as i64) >> unused),
            Kind::Float if self.bytes == 4 => Read::Single(f32::from_bits(bits as u32)),
            Kind::Float => Read::Double(f64::from_bits(bits)),
        }
    }

    /// Characters that the longest number of the type has.
    fn width(self) -> usize {
        match (self.kind, self.bytes) {
            (Kind::Float, 4) => 14,
            (Kind::Float, _) => 24,
            (_, 1) => 4,
            (_, 2) => 6,
            (_, 4) => 11,
            _ => 20,
        }
    }
}

impl std::fmt::Display for Read {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unsigned(number) => write!(f, "{number}"),
            Self::Signed(number) => write!(f, "{number}"),
            // As short as it can be, and with an exponent where that is shorter.
            Self::Single(number) => write!(f, "{number:?}"),
            Self::Double(number) => write!(f, "{number:?}"),
        }
    }
}

impl From<Read> for Value {
    /// What JSON has no number for is a text.
    fn from(number: Read) -> Self {
        match number {
            Read::Unsigned(number) => number.into(),
            Read::Signed(number) => number.into(),
            Read::Single(single) if single.is_finite() => f64::from(single).into(),
            Read::Double(double) if double.is_finite() => double.into(),
            other => other.to_string().into(),
        }
    }
}

pub(super) fn show(
    file: &Input,
    range: Range<usize>,
    number: Number,
    json: bool,
    out: &mut Output,
) -> Result<(), Failure> {
    let (size, width) = (number.bytes, number.width());
    // Numbers begin where the range does.
    let whole = range.start..range.start + range.len() / size * size;
    let end = range.end;
    let mut row = Vec::new();
    let mut offset = whole.start;
    let mut show_row = |bytes: &[u8], out: &mut Output| -> Result<(), Failure> {
        if json {
            for (nth, one) in bytes.chunks_exact(size).enumerate() {
                let mut line = Map::new();
                field(&mut line, "offset", offset + nth * size);
                field(&mut line, "value", number.read(one));
                out.json(&Value::Object(line))?;
            }
        } else {
            start_line(offset, end, out)?;
            for one in bytes.chunks_exact(size) {
                write!(out, " {:>width$}", number.read(one).to_string())?;
            }
            out.write_all(b"\n")?;
        }
        offset += bytes.len();
        Ok(())
    };
    let done = file.each_piece(whole.clone(), PIECE, |_, mut bytes| {
        while !bytes.is_empty() {
            let (some, rest) = bytes.split_at(bytes.len().min(ROW - row.len()));
            row.extend_from_slice(some);
            bytes = rest;
            if row.len() == ROW {
                show_row(&row, out)?;
                row.clear();
            }
        }
        Ok(())
    });
    row.truncate(row.len() / size * size);
    if !row.is_empty() {
        show_row(&row, out)?;
    }
    done?;
    if whole.end < end && !json {
        let rest = file.map.to_vec(whole.end..end).map_err(|error| file.failure(&error))?;
        left_over(whole.end, end, &rest, out)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_read() {
        let shown = |text: &str, bytes: &[u8]| {
            text.parse::<Number>().map(|number| number.read(bytes).to_string())
        };
        assert_eq!(shown("u8", &[200]), Ok("200".into()));
        assert_eq!(shown("i8", &[200]), Ok("-56".into()));
        assert_eq!(shown("u16be", &[1, 2]), Ok("258".into()));
        assert_eq!(shown("i16le", &[0xfe, 0xff]), Ok("-2".into()));
        assert_eq!(shown("i64be", &[0x80, 0, 0, 0, 0, 0, 0, 0]), Ok(i64::MIN.to_string()));
        assert_eq!(shown("f32le", &1.5f32.to_le_bytes()), Ok("1.5".into()));
        assert_eq!(shown("f64be", &f64::NAN.to_be_bytes()), Ok("NaN".into()));
        for wrong in ["", "u", "u16", "f16le", "i128le", "x8", "u8lee", "ü8"] {
            assert!(wrong.parse::<Number>().is_err(), "{wrong}");
        }
    }
}
