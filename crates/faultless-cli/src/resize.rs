//! `resize`: a file made longer or shorter.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use faultless::{Access, MapOptions};
use serde_json::Value;

use crate::error::{Failure, Outcome};
use crate::input::name_of;
use crate::output::{Output, field, json_file};
use crate::size::Size;

/// Make a file longer or shorter.
///
/// New bytes are zeros, and have their place on the disk unless --sparse says otherwise.
/// What is cut off is lost: there is no undo log of it.
#[derive(Args, Debug)]
pub(crate) struct ResizeArgs {
    /// The file, which has to exist.
    file: PathBuf,
    /// The new length; with + or - before it, how much longer or shorter.
    #[arg(allow_hyphen_values = true)]
    size: NewSize,
    /// Leave a hole where the file becomes longer: it takes no room until it is written.
    #[arg(long)]
    sparse: bool,
    /// Change nothing; only say what would be done.
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Do not wait until the file's length is on the disk.
    #[arg(long)]
    no_sync: bool,
    /// Say what was done in a line of JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug)]
enum NewSize {
    To(u64),
    Longer(u64),
    Shorter(u64),
}

impl FromStr for NewSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parse = |text: &str| text.parse::<Size>().map(|size| size.0);
        match (text.strip_prefix('+'), text.strip_prefix('-')) {
            (Some(more), _) => parse(more).map(Self::Longer),
            (_, Some(less)) => parse(less).map(Self::Shorter),
            _ => parse(text).map(Self::To),
        }
    }
}

pub(crate) fn run(args: &ResizeArgs, out: &mut Output) -> Result<Outcome, Failure> {
    let path = &args.file;
    let refused = |error| Failure::path(path, error);
    let kind = std::fs::metadata(path).map_err(refused)?.file_type();
    if !kind.is_file() {
        return Err(Failure::path(path, format!("is {}, where a file is needed", name_of(kind))));
    }
    let file = OpenOptions::new().read(true).write(!args.dry_run).open(path).map_err(refused)?;
    let before = file.metadata().map_err(refused)?.len();
    let after = match args.size {
        NewSize::To(size) => Some(size),
        NewSize::Longer(more) => before.checked_add(more),
        NewSize::Shorter(less) => before.checked_sub(less),
    };
    let len = after.and_then(|after| usize::try_from(after).ok()).ok_or_else(|| {
        Failure::path(path, format!("a file of {before} bytes cannot be resized so"))
    })?;
    if !args.dry_run {
        let mapped = MapOptions::new().access(Access::Write).sparse(args.sparse).map(&file);
        mapped
            .and_then(|mut map| map.resize(len))
            .map_err(|error| Failure::map(path.display(), &error))?;
        if !args.no_sync {
            file.sync_all().map_err(refused)?;
        }
    }
    if args.json {
        let mut line = json_file(path);
        field(&mut line, "before", before);
        field(&mut line, "after", len);
        field(&mut line, "done", !args.dry_run);
        out.json(&Value::Object(line))?;
    } else {
        let done = if args.dry_run { "would be resized" } else { "resized" };
        writeln!(out, "{}: {done} from {before} to {len} bytes", path.display())?;
    }
    Ok(Outcome::Done)
}
