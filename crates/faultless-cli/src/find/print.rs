//! What `find` prints.

use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

use serde_json::Value;

use super::{FindArgs, Found, Merge, Pattern};
use crate::error::Failure;
use crate::hex::{self, ROW, Rows};
use crate::input::Input;
use crate::output::{FAINT, MATCH, NAME, OFFSET, Output, field, json_file, push_number};

/// How a match is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// As it is.
    Bytes,
    /// In hexadecimal digits.
    Digits,
    Json,
    /// In rows, with so many bytes around it.
    Rows(usize),
}

pub(super) struct Printer<'a> {
    pattern: &'a Pattern,
    form: Form,
    count: bool,
    last: bool,
    many: bool,
    found: bool,
    /// The file whose pieces come now, and what is kept of it.
    now: Option<Now>,
    /// Lines that are not written yet.
    lines: Vec<u8>,
}

struct Now {
    file: Arc<Input>,
    count: u64,
    last: Option<(Range<usize>, Vec<u8>)>,
    failed: bool,
}

impl<'a> Printer<'a> {
    pub(super) fn new(args: &FindArgs, pattern: &'a Pattern, many: bool) -> Self {
        let form = match args.context {
            _ if args.json => Form::Json,
            // More than a file has is all there is.
            Some(around) => Form::Rows(usize::try_from(around.0).unwrap_or(usize::MAX)),
            None if args.hex => Form::Digits,
            None => Form::Bytes,
        };
        let (count, last) = (args.count, args.last);
        let lines = Vec::new();
        Self { pattern, form, count, last, many, found: false, now: None, lines }
    }

    pub(super) fn has_found(&self) -> bool {
        self.found
    }

    /// Deals with what a piece has.
    pub(super) fn add(
        &mut self,
        found: Found,
        merge: &mut Merge<'a>,
        out: &mut Output,
    ) -> Result<(), Failure> {
        let Found { file, piece, places, mut done } = found;
        if !self.now.as_ref().is_some_and(|now| Arc::ptr_eq(&now.file, &file)) {
            self.finish(out)?;
            *merge = Merge::new(self.pattern);
            self.now = Some(Now { file: file.clone(), count: 0, last: None, failed: false });
        }
        let Some(now) = self.now.as_mut().filter(|now| !now.failed) else { return Ok(()) };
        let (places, merged) = merge.add(&file.map, piece, places);
        done = merged.and(done);
        now.failed = done.is_err();
        now.count += places.ranges.len() as u64;
        self.found |= !places.ranges.is_empty();
        if self.last {
            if let Some((range, bytes)) = places.iter(self.pattern.needle()).last() {
                now.last = Some((range.clone(), bytes.to_vec()));
            }
        } else if !self.count {
            for (range, bytes) in places.iter(self.pattern.needle()) {
                self.print(&file, range, bytes, out)?;
            }
        }
        if let Err(error) = done {
            self.write(out)?;
            out.report(&file.failure(&error));
        }
        self.write(out)
    }

    /// Prints what is printed after a file's last piece.
    pub(super) fn finish(&mut self, out: &mut Output) -> Result<(), Failure> {
        self.write(out)?;
        let Some(now) = self.now.take() else { return Ok(()) };
        if let Some((range, bytes)) = &now.last {
            self.print(&now.file, range, bytes, out)?;
            self.write(out)?;
        }
        if self.count && self.form == Form::Json {
            let mut line = json_file(&now.file.path);
            field(&mut line, "count", now.count);
            out.json(&Value::Object(line))?;
        } else if self.count {
            if self.many {
                out.styled(NAME, now.file.path.display())?;
                out.styled(FAINT, ":")?;
            }
            writeln!(out, "{}", now.count)?;
        }
        Ok(())
    }

    /// Prints a match.
    pub(super) fn print(
        &mut self,
        file: &Input,
        range: &Range<usize>,
        bytes: &[u8],
        out: &mut Output,
    ) -> Result<(), Failure> {
        self.found = true;
        match self.form {
            Form::Json => {
                let mut line = json_file(&file.path);
                field(&mut line, "offset", range.start);
                field(&mut line, "length", range.len());
                field(&mut line, "hex", hex::digits(bytes));
                if let Ok(text) = std::str::from_utf8(bytes) {
                    field(&mut line, "text", text);
                }
                out.json(&Value::Object(line))?;
            }
            Form::Rows(around) => self.print_rows(file, range, around, out)?,
            Form::Bytes | Form::Digits if out.is_coloured() => {
                if self.many {
                    out.styled(NAME, file.path.display())?;
                    out.styled(FAINT, ":")?;
                }
                out.styled(OFFSET, range.start)?;
                out.styled(FAINT, ":")?;
                let mut shown = MATCH.render().to_string().into_bytes();
                self.push_match(&mut shown, bytes);
                shown.extend_from_slice(MATCH.render_reset().to_string().as_bytes());
                out.write_all(&shown)?;
                out.write_all(b"\n")?;
            }
            Form::Bytes | Form::Digits => {
                let mut lines = std::mem::take(&mut self.lines);
                if self.many {
                    lines.extend_from_slice(file.path.as_os_str().as_encoded_bytes());
                    lines.push(b':');
                }
                push_number(&mut lines, range.start);
                lines.push(b':');
                self.push_match(&mut lines, bytes);
                lines.push(b'\n');
                self.lines = lines;
                if self.lines.len() >= 32 << 10 {
                    self.write(out)?;
                }
            }
        }
        Ok(())
    }

    fn push_match(&self, to: &mut Vec<u8>, bytes: &[u8]) {
        match self.form {
            Form::Digits => to.extend_from_slice(hex::digits(bytes).as_bytes()),
            _ => to.extend_from_slice(bytes),
        }
    }

    fn write(&mut self, out: &mut Output) -> Result<(), Failure> {
        out.write_all(&self.lines)?;
        self.lines.clear();
        Ok(())
    }

    fn print_rows(
        &self,
        file: &Input,
        range: &Range<usize>,
        around: usize,
        out: &mut Output,
    ) -> Result<(), Failure> {
        let len = file.map.len();
        // Whole rows.
        let start = range.start.saturating_sub(around) / ROW * ROW;
        let end = range.end.saturating_add(around).checked_next_multiple_of(ROW);
        let end = end.unwrap_or(len).min(len);
        let bytes = file.map.to_vec(start..end).map_err(|error| file.failure(&error))?;
        if self.many {
            out.styled(NAME, file.path.display())?;
            out.styled(FAINT, ":")?;
        }
        out.styled(OFFSET, range.start)?;
        out.styled(FAINT, ":")?;
        writeln!(out, " {} bytes", range.len())?;
        let mut rows = Vec::new();
        Rows::new(end, out.is_coloured()).push(&mut rows, start, &bytes, range);
        rows.push(b'\n');
        out.write_all(&rows)?;
        Ok(())
    }
}
