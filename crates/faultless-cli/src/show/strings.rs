//! The text among bytes.

use std::io::Write;
use std::ops::Range;

use serde_json::{Map, Value};

use super::PIECE;
use crate::error::Failure;
use crate::hex::is_printable;
use crate::input::Input;
use crate::output::{FAINT, OFFSET, Output, field};

/// A run of text, until it ends.
struct Run {
    start: usize,
    text: Vec<u8>,
    least: usize,
    json: bool,
    /// What was long enough is written at once: a run may be as long as the file.
    begun: bool,
}

pub(super) fn show(
    file: &Input,
    range: Range<usize>,
    least: usize,
    json: bool,
    out: &mut Output,
) -> Result<(), Failure> {
    let mut run = Run { start: 0, text: Vec::new(), least, json, begun: false };
    let done = file.each_piece(range, PIECE, |offset, bytes| {
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            let len = rest.iter().position(|&byte| !is_text(byte)).unwrap_or(rest.len());
            run.add(offset + at, &rest[..len], out)?;
            at += len;
            if at < bytes.len() {
                run.end(out)?;
                at +=
                    bytes[at..].iter().position(|&byte| is_text(byte)).unwrap_or(rest.len() - len);
            }
        }
        Ok(())
    });
    run.end(out)?;
    done
}

fn is_text(byte: u8) -> bool {
    byte == b'\t' || is_printable(byte)
}

impl Run {
    fn add(&mut self, offset: usize, text: &[u8], out: &mut Output) -> Result<(), Failure> {
        if self.text.is_empty() && !self.begun {
            self.start = offset;
        }
        self.text.extend_from_slice(text);
        if self.text.len() >= self.least && !self.json {
            if !self.begun {
                out.styled(OFFSET, self.start)?;
                out.styled(FAINT, ":")?;
            }
            self.begun = true;
        }
        if self.begun {
            out.write_all(&self.text)?;
            self.text.clear();
        }
        Ok(())
    }

    fn end(&mut self, out: &mut Output) -> Result<(), Failure> {
        if self.begun {
            out.write_all(b"\n")?;
        } else if self.json && self.text.len() >= self.least {
            let mut line = Map::new();
            field(&mut line, "offset", self.start);
            field(&mut line, "text", String::from_utf8_lossy(&self.text).into_owned());
            out.json(&Value::Object(line))?;
        }
        self.text.clear();
        self.begun = false;
        Ok(())
    }
}
