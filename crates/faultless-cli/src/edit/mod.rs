//! Changing bytes of files: `patch`, `replace`, `move`, `fill`, and `undo`.

mod change;
mod log;
mod replace;
mod undo;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use crate::error::{Failure, Outcome};
use crate::hex;
use crate::input::Input;
use crate::output::Output;
use crate::size::{ByteRange, Place};
use change::{Change, Edit};

pub(crate) use replace::{ReplaceArgs, replace};
pub(crate) use undo::{UndoArgs, undo};

/// How a file is changed.
#[derive(Args, Debug)]
pub(crate) struct How {
    /// Change nothing; only say what would be done.
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Where to keep what the bytes were before, for `faultless undo`; it must not exist
    /// yet. By default FILE.undo, or FILE.undo-2 and so on.
    #[arg(long, value_name = "LOG", conflicts_with = "no_log")]
    log: Option<PathBuf>,
    /// Keep nothing: the change cannot be undone.
    #[arg(long)]
    no_log: bool,
    /// Do not wait until the change, and the log before it, are on the disk.
    #[arg(long)]
    no_sync: bool,
    /// Say what was done in a line of JSON.
    #[arg(long)]
    json: bool,
}

/// Write bytes into a file, in the place of those that are there.
///
/// The file keeps its length. What the bytes were is kept for `faultless undo`.
#[derive(Args, Debug)]
pub(crate) struct PatchArgs {
    /// The file, which is changed in place.
    file: PathBuf,
    /// Where the first byte goes.
    #[arg(long, value_name = "OFFSET", allow_hyphen_values = true)]
    at: Place,
    #[command(flatten)]
    what: What,
    #[command(flatten)]
    how: How,
}

#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct What {
    /// Bytes in hexadecimal digits: "de ad be ef".
    #[arg(short = 'x', long, value_name = "DIGITS", value_parser = parse_hex)]
    hex: Option<Bytes>,
    /// These bytes as they are.
    #[arg(short, long, allow_hyphen_values = true)]
    text: Option<OsString>,
    /// The bytes of another file; - is the standard input.
    #[arg(short, long, value_name = "FILE2")]
    from: Option<PathBuf>,
}

/// Bytes of the command line: a type that clap takes for one value.
#[derive(Clone, Debug)]
struct Bytes(Vec<u8>);

fn parse_hex(text: &str) -> Result<Bytes, String> {
    hex::parse(text).map(Bytes)
}

/// Copy bytes to another place in the same file.
///
/// The two places may overlap.
#[derive(Args, Debug)]
pub(crate) struct MoveArgs {
    /// The file, which is changed in place.
    file: PathBuf,
    /// The bytes: START..END, START.., ..END or START+LENGTH.
    #[arg(allow_hyphen_values = true)]
    range: ByteRange,
    /// Where the first of them goes.
    #[arg(long, value_name = "OFFSET", allow_hyphen_values = true)]
    to: Place,
    #[command(flatten)]
    how: How,
}

/// Fill a part of a file with one byte.
#[derive(Args, Debug)]
pub(crate) struct FillArgs {
    /// The file, which is changed in place.
    file: PathBuf,
    /// The part: START..END, START.., ..END or START+LENGTH.
    #[arg(allow_hyphen_values = true)]
    range: ByteRange,
    /// The byte, in hexadecimal digits.
    #[arg(short = 'x', long, value_name = "BYTE", default_value = "00", value_parser = parse_byte)]
    hex: u8,
    #[command(flatten)]
    how: How,
}

fn parse_byte(text: &str) -> Result<u8, String> {
    match hex::parse(text)?[..] {
        [byte] => Ok(byte),
        _ => Err(format!("'{text}' is more than one byte")),
    }
}

pub(crate) fn patch(args: &PatchArgs, out: &mut Output) -> Result<Outcome, Failure> {
    let edit = Edit::open(&args.file, &args.how)?;
    let bytes = match &args.what {
        What { hex: Some(bytes), .. } => bytes.0.clone(),
        What { text: Some(text), .. } => text.as_encoded_bytes().to_vec(),
        What { from, .. } => {
            let from = Input::open(from.as_deref().unwrap_or("-".as_ref()))?;
            from.map.to_vec(..).map_err(|error| from.failure(&error))?
        }
    };
    let at = edit.place(args.at, bytes.len())?;
    edit.make(&Change::Bytes { at, new: &bytes }, out)
}

pub(crate) fn transfer(args: &MoveArgs, out: &mut Output) -> Result<Outcome, Failure> {
    let edit = Edit::open(&args.file, &args.how)?;
    let from = edit.range(&args.range)?;
    let to = edit.place(args.to, from.len())?;
    edit.make(&Change::Move { from, to }, out)
}

pub(crate) fn fill(args: &FillArgs, out: &mut Output) -> Result<Outcome, Failure> {
    let edit = Edit::open(&args.file, &args.how)?;
    let range = edit.range(&args.range)?;
    edit.make(&Change::Fill { range, byte: args.hex }, out)
}
