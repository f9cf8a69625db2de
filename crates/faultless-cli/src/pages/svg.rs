//! A drawing of what of files is in memory.

use std::fmt::Write;
use std::ops::Range;

use faultless::Residency;

/// A picture has so many columns, however long the file is.
const COLUMNS: usize = 800;
/// Pixels.
const MARGIN: usize = 16;
const LINE: usize = 44;
const BAR: usize = 18;

/// What of a file is in memory.
pub(super) struct Picture {
    name: String,
    pages: usize,
    resident: usize,
    /// How much of each column, in parts of ten.
    columns: Vec<u8>,
}

impl Picture {
    pub(super) fn new(name: String, range: Range<usize>, residency: &Residency) -> Self {
        let len = range.len();
        let count = COLUMNS.min(residency.pages());
        let mut columns = vec![0u64; count];
        // Without overflow, also for the longest file.
        let start_of = |column: usize| (column as u128 * len as u128 / count as u128) as usize;
        let column_of = |offset: usize| (offset as u128 * count as u128 / len as u128) as usize;
        for part in residency.ranges() {
            let (start, end) = (part.start - range.start, part.end - range.start);
            if start == end {
                continue;
            }
            let last = column_of(end - 1);
            for (nth, column) in (column_of(start)..).zip(&mut columns[column_of(start)..=last]) {
                let (from, to) = (start_of(nth).max(start), start_of(nth + 1).min(end));
                *column += to.saturating_sub(from) as u64;
            }
        }
        let tenths = |(nth, bytes): (usize, &u64)| {
            let all = (start_of(nth + 1) - start_of(nth)).max(1) as u64;
            // The lightest and the darkest are for none and all.
            match *bytes {
                0 => 0,
                bytes if bytes >= all => 10,
                bytes => (bytes as u128 * 10 / u128::from(all)).clamp(1, 9) as u8,
            }
        };
        let columns = columns.iter().enumerate().map(tenths).collect();
        Self { name, pages: residency.pages(), resident: residency.resident(), columns }
    }
}

pub(super) fn draw(pictures: &[Picture]) -> String {
    let (width, height) = (COLUMNS + 2 * MARGIN, pictures.len() * LINE + 2 * MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    for (nth, picture) in pictures.iter().enumerate() {
        let top = MARGIN + nth * LINE;
        let (baseline, bar) = (top + 13, top + 19);
        let (name, resident, pages) = (escape(&picture.name), picture.resident, picture.pages);
        // Writing to a text does not fail.
        let _ = write!(
            svg,
            "<text x=\"{MARGIN}\" y=\"{baseline}\">{name}: {resident} of {pages} pages</text>\n\
             <rect x=\"{MARGIN}\" y=\"{bar}\" width=\"{COLUMNS}\" height=\"{BAR}\" fill=\"#e8e8e8\"/>\n"
        );
        let scale = COLUMNS as f64 / picture.columns.len().max(1) as f64;
        let mut at = 0;
        for same in picture.columns.chunk_by(|one, other| one == other) {
            if same[0] > 0 {
                let (x, wide) = (MARGIN as f64 + at as f64 * scale, same.len() as f64 * scale);
                let opacity = f64::from(same[0]) / 10.0;
                let _ = writeln!(
                    svg,
                    "<rect x=\"{x:.1}\" y=\"{bar}\" width=\"{wide:.1}\" height=\"{BAR}\" \
                     fill=\"#1f6fb4\" fill-opacity=\"{opacity}\"/>"
                );
            }
            at += same.len();
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// As XML has it, which knows no control characters.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            c if c.is_control() => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}
