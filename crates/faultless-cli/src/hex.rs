//! Bytes as hexadecimal digits and text.

use std::ops::Range;

use anstyle::Style;

use crate::output::{FAINT, HIGH, MATCH, OFFSET, TEXT};

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Bytes in a row.
pub(crate) const ROW: usize = 16;

/// The digits of some bytes: `dead00`.
pub(crate) fn digits(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for &byte in bytes {
        text.extend(pair(byte).map(char::from));
    }
    text
}

/// The digits, two by two: `de ad 00`.
pub(crate) fn spaced(bytes: &[u8]) -> String {
    let pairs: Vec<String> = bytes.iter().map(|&byte| digits(&[byte])).collect();
    pairs.join(" ")
}

fn pair(byte: u8) -> [u8; 2] {
    [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]
}

/// How rows are written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows {
    /// Digits of an offset.
    width: usize,
    coloured: bool,
}

impl Rows {
    /// For offsets up to `end`.
    pub(crate) fn new(end: usize, coloured: bool) -> Self {
        let width = (usize::BITS - end.leading_zeros()).div_ceil(4) as usize;
        Self { width: width.max(8), coloured }
    }

    /// The offset that a row begins with.
    pub(crate) fn push_offset(&self, to: &mut Vec<u8>, offset: usize) {
        self.style(to, OFFSET, |to| {
            for nth in (0..self.width).rev() {
                let digit = offset.checked_shr(4 * nth as u32).unwrap_or(0) & 15;
                to.push(DIGITS[digit]);
            }
        });
    }

    /// Rows of 16 bytes, as `hexdump -C` has them: of the bytes from `offset` on, with
    /// those in `marked` in another colour. Rows begin at multiples of 16.
    pub(crate) fn push(
        &self,
        to: &mut Vec<u8>,
        mut offset: usize,
        mut bytes: &[u8],
        marked: &Range<usize>,
    ) {
        while !bytes.is_empty() {
            let lead = offset % ROW;
            let (row, rest) = bytes.split_at(bytes.len().min(ROW - lead));
            self.push_row(to, offset, lead, row, marked);
            offset = offset.saturating_add(row.len());
            bytes = rest;
        }
    }

    fn push_row(
        &self,
        to: &mut Vec<u8>,
        offset: usize,
        lead: usize,
        row: &[u8],
        marked: &Range<usize>,
    ) {
        self.push_offset(to, offset - lead);
        to.push(b' ');
        for nth in 0..ROW {
            to.extend_from_slice(if nth == ROW / 2 { b"  " } else { b" " });
            match nth.checked_sub(lead).and_then(|nth| Some((nth, *row.get(nth)?))) {
                Some((nth, byte)) => {
                    let style = style_of(byte, marked.contains(&(offset + nth)));
                    self.style(to, style, |to| to.extend_from_slice(&pair(byte)));
                }
                None => to.extend_from_slice(b"  "),
            }
        }
        to.extend_from_slice(b"  |");
        to.resize(to.len() + lead, b' ');
        for (nth, &byte) in row.iter().enumerate() {
            let style = style_of(byte, marked.contains(&(offset + nth)));
            let shown = if is_printable(byte) { byte } else { b'.' };
            self.style(to, style, |to| to.push(shown));
        }
        to.extend_from_slice(b"|\n");
    }

    fn style(&self, to: &mut Vec<u8>, style: Style, write: impl FnOnce(&mut Vec<u8>)) {
        if !self.coloured {
            return write(to);
        }
        to.extend_from_slice(style.render().to_string().as_bytes());
        write(to);
        to.extend_from_slice(style.render_reset().to_string().as_bytes());
    }
}

fn style_of(byte: u8, marked: bool) -> Style {
    match byte {
        _ if marked => MATCH,
        0 => FAINT,
        byte if is_printable(byte) => TEXT,
        _ => HIGH,
    }
}

pub(crate) fn is_printable(byte: u8) -> bool {
    matches!(byte, b' '..=b'~')
}

/// A byte of a pattern: the bits that count, and what they must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wild {
    pub(crate) mask: u8,
    pub(crate) value: u8,
}

/// `de ad ?? e?`: bytes in digits, where `?` is any digit.
pub(crate) fn parse_wild(text: &str) -> Result<Vec<Wild>, String> {
    let mut halves = Vec::new();
    for c in text.chars().filter(|c| !c.is_whitespace()) {
        halves.push(match (c, c.to_digit(16)) {
            ('?', _) => (0, 0),
            (_, Some(digit)) => (15, digit as u8),
            _ => return Err(format!("'{c}' in '{text}' is neither a hexadecimal digit nor ?")),
        });
    }
    if halves.is_empty() {
        return Err("there are no hexadecimal digits".into());
    }
    if halves.len() % 2 != 0 {
        return Err(format!("'{text}' has an odd number of digits: a byte has two"));
    }
    let byte = |pair: &[(u8, u8)]| Wild {
        mask: pair[0].0 << 4 | pair[1].0,
        value: pair[0].1 << 4 | pair[1].1,
    };
    Ok(halves.chunks_exact(2).map(byte).collect())
}

/// `de ad be ef`: bytes in digits.
pub(crate) fn parse(text: &str) -> Result<Vec<u8>, String> {
    let bytes = parse_wild(text)?;
    if bytes.iter().any(|byte| byte.mask != 0xff) {
        return Err(format!("'{text}' has a ?, which is only for what is searched"));
    }
    Ok(bytes.iter().map(|byte| byte.value).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_read() {
        assert_eq!(parse("de ad BEEF"), Ok(vec![0xde, 0xad, 0xbe, 0xef]));
        let wild = |mask, value| Wild { mask, value };
        assert_eq!(parse_wild("1? ?2 ??"), Ok(vec![wild(0xf0, 0x10), wild(15, 2), wild(0, 0)]));
        for wrong in ["", " ", "d", "de a", "xx", "0x12"] {
            assert!(parse_wild(wrong).is_err(), "{wrong}");
        }
        assert!(parse("d?").is_err());
    }

    #[test]
    fn rows_begin_at_multiples() {
        let mut text = Vec::new();
        Rows::new(40, false).push(&mut text, 14, b"abc\0", &(0..0));
        let text = String::from_utf8(text).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[0],
            format!("00000000  {}  61 62  |{}ab|", " ".repeat(41), " ".repeat(14))
        );
        assert_eq!(lines[1], format!("00000010  63 00 {}  |c.|", " ".repeat(42)));
    }
}
