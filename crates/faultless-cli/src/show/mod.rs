//! `show`: the bytes of a file, as digits and text, as numbers, or the text among
//! them.

mod numbers;
mod strings;

use std::io::Write;
use std::ops::Range;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value};

use crate::error::{Failure, Outcome};
use crate::hex::{self, ROW, Rows};
use crate::input::Input;
use crate::output::{FAINT, Output, field};
use crate::size::ByteRange;
use numbers::Number;

/// Show bytes of a file in rows of hexadecimal digits and text, as hexdump -C does.
///
/// Rows that repeat the one before are shown as one *.
#[derive(Args, Debug)]
pub(crate) struct ShowArgs {
    /// The file; - is the standard input.
    file: PathBuf,
    /// Which part of it: START..END, START.., ..END or START+LENGTH. By default all.
    #[arg(allow_hyphen_values = true)]
    range: Option<ByteRange>,
    /// Show numbers: u8, i8, and u, i or f with 16 to 64 bits in little-endian or big-endian
    /// order, such as u16le, i64be and f32le.
    #[arg(long = "as", value_name = "TYPE")]
    number: Option<Number>,
    /// Show only text: runs of printable ASCII, of this many characters or more.
    #[arg(
        long,
        value_name = "LENGTH",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "4",
        conflicts_with = "number"
    )]
    strings: Option<usize>,
    /// Show rows that repeat the one before, too.
    #[arg(short, long)]
    all: bool,
    /// Print a line of JSON for each row, number or text.
    #[arg(long)]
    json: bool,
}

/// Bytes that are looked at in one go: whole rows, and whole numbers.
const PIECE: usize = 64 << 10;

pub(crate) fn run(args: &ShowArgs, out: &mut Output) -> Result<Outcome, Failure> {
    let file = Input::open(&args.file)?;
    let whole = 0..file.map.len();
    let range = args.range.map_or(Ok(whole), |range| range.within(file.map.len()));
    let range = range.map_err(|why| file.wrong(why))?;
    match (args.number, args.strings) {
        (Some(number), _) => numbers::show(&file, range, number, args.json, out),
        (_, Some(least)) => strings::show(&file, range, least.max(1), args.json, out),
        _ if args.json => file.each_piece(range, PIECE, |offset, bytes| {
            for (nth, row) in bytes.chunks(ROW).enumerate() {
                let mut line = Map::new();
                field(&mut line, "offset", offset + nth * ROW);
                field(&mut line, "hex", hex::digits(row));
                out.json(&Value::Object(line))?;
            }
            Ok(())
        }),
        _ => rows(&file, range, args.all, out),
    }?;
    Ok(Outcome::Done)
}

fn rows(file: &Input, range: Range<usize>, all: bool, out: &mut Output) -> Result<(), Failure> {
    let rows = Rows::new(range.end, out.is_coloured());
    let mut text = Vec::new();
    // The last row that was whole, and whether its repetitions have their mark.
    let (mut last, mut marked) = ([0; ROW], None);
    let end = range.end;
    file.each_piece(range, PIECE, |mut offset, bytes| {
        text.clear();
        let first = (ROW - offset % ROW).min(bytes.len());
        for row in std::iter::once(&bytes[..first]).chain(bytes[first..].chunks(ROW)) {
            let repeats = marked.is_some() && row == last && !all && offset + ROW < end;
            if !repeats {
                rows.push(&mut text, offset, row, &(0..0));
                marked = None;
                if let Ok(row) = row.try_into() {
                    (last, marked) = (row, Some(false));
                }
            } else if marked == Some(false) {
                text.extend_from_slice(b"*\n");
                marked = Some(true);
            }
            offset += row.len();
        }
        Ok(out.write_all(&text)?)
    })?;
    text.clear();
    rows.push_offset(&mut text, end);
    text.push(b'\n');
    out.write_all(&text)?;
    Ok(())
}

/// The offset that a line begins with.
fn start_line(offset: usize, end: usize, out: &mut Output) -> Result<(), Failure> {
    let mut text = Vec::new();
    Rows::new(end, out.is_coloured()).push_offset(&mut text, offset);
    out.write_all(&text)?;
    Ok(())
}

/// What is left behind the last whole number.
fn left_over(offset: usize, end: usize, bytes: &[u8], out: &mut Output) -> Result<(), Failure> {
    start_line(offset, end, out)?;
    out.write_all(b"  ")?;
    out.styled(FAINT, format_args!("{} (no whole number)", hex::spaced(bytes)))?;
    out.write_all(b"\n")?;
    Ok(())
}
