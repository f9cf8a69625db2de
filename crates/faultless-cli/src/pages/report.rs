//! What of files is in memory, in lines.

use std::io::Write;
use std::ops::Range;

use faultless::Residency;
use serde_json::{Map, Value};

use super::svg::Picture;
use crate::error::Failure;
use crate::input::Input;
use crate::output::{FAINT, NAME, Output, field, json_file};
use crate::size;

/// The lines, and their sum.
pub(super) struct Report {
    json: bool,
    files: u64,
    pages: u64,
    resident: u64,
    page: u64,
    pictures: Vec<Picture>,
}

impl Report {
    pub(super) fn new(json: bool) -> Self {
        Self { json, files: 0, pages: 0, resident: 0, page: 0, pictures: Vec::new() }
    }

    pub(super) fn add(
        &mut self,
        file: &Input,
        range: Range<usize>,
        residency: &Residency,
        out: &mut Output,
    ) -> Result<(), Failure> {
        self.files += 1;
        self.pages += residency.pages() as u64;
        self.resident += residency.resident() as u64;
        self.page = residency.page_size() as u64;
        let name = file.path.display();
        if self.json {
            let mut line = json_file(&file.path);
            field(&mut line, "bytes", range.len());
            field(&mut line, "pages", residency.pages());
            field(&mut line, "resident", residency.resident());
            field(&mut line, "page_size", residency.page_size());
            let ranges = residency.ranges().map(|range| vec![range.start, range.end]);
            field(&mut line, "ranges", ranges.collect::<Vec<_>>());
            out.json(&Value::Object(line))?;
        } else {
            out.styled(NAME, name)?;
            writeln!(out, ": {residency}")?;
        }
        let name = file.path.to_string_lossy().into_owned();
        self.pictures.push(Picture::new(name, range, residency));
        Ok(())
    }

    /// The sum, if there is more than one.
    pub(super) fn finish(&self, out: &mut Output) -> Result<(), Failure> {
        if self.json {
            let mut sum = Map::new();
            field(&mut sum, "files", self.files);
            field(&mut sum, "pages", self.pages);
            field(&mut sum, "resident", self.resident);
            let mut line = Map::new();
            field(&mut line, "sum", sum);
            out.json(&Value::Object(line))?;
        } else if self.files > 1 {
            let bytes = |pages: u64| size::show(pages.saturating_mul(self.page));
            let percent = self.resident as f64 * 100.0 / self.pages.max(1) as f64;
            out.styled(FAINT, format_args!("{} files", self.files))?;
            writeln!(
                out,
                ": {} of {} pages, {} of {} ({percent:.1} %)",
                self.resident,
                self.pages,
                bytes(self.resident),
                bytes(self.pages),
            )?;
        }
        Ok(())
    }

    pub(super) fn take_pictures(&mut self) -> Vec<Picture> {
        std::mem::take(&mut self.pictures)
    }
}
