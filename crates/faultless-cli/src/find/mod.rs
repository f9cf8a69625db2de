//! `find`: bytes, patterns and expressions in files.

mod pattern;
mod print;
mod search;
mod small;

use std::ffi::OsString;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use crate::args::Files;
use crate::error::{Failure, Outcome};
use crate::input::{Input, expand};
use crate::ordered::{ordered, threads};
use crate::output::Output;
use crate::progress::Progress;
use crate::size::Size;

pub(crate) use pattern::Pattern;
use print::Printer;
pub(crate) use search::{Merge, Pieces, Places};

/// Find bytes in files.
///
/// Prints the offset of each match and what was matched, as grep -obUaF does: OFFSET:MATCH,
/// with several files FILE:OFFSET:MATCH. Matches do not overlap. Files are searched by as
/// many threads as there are processors, within one file too.
#[derive(Args, Debug)]
pub(crate) struct FindArgs {
    /// What to find: these bytes, unless --hex or --regex says otherwise.
    pattern: OsString,
    #[command(flatten)]
    files: Files,
    /// The pattern is bytes in hexadecimal digits, where ? is any digit: "de ad ?? e?".
    #[arg(short = 'x', long, conflicts_with = "regex")]
    hex: bool,
    /// The pattern is a regular expression of bytes; ^ and $ are the ends of lines.
    ///
    /// The syntax is that of Rust's crate regex. A dot and classes such as \w are characters
    /// in UTF-8; (?-u) makes them bytes: (?-u)\x7fELF[\x01\x02].
    #[arg(short = 'e', long)]
    regex: bool,
    /// Take a letter for the same letter in the other case.
    #[arg(short, long, conflicts_with = "hex")]
    ignore_case: bool,
    /// Print only how many matches there are.
    #[arg(short, long, conflicts_with_all = ["last", "context"])]
    count: bool,
    /// Print only the last match of each file; it is searched from the end.
    #[arg(short, long)]
    last: bool,
    /// Show each match in rows of bytes, with this many bytes before and after it.
    #[arg(short = 'C', long, value_name = "BYTES", conflicts_with = "json")]
    context: Option<Size>,
    /// Print a line of JSON for each match.
    #[arg(long)]
    json: bool,
}

/// A file, or a piece of one, to be searched.
enum Task {
    Failed(Failure),
    /// Small files, which are opened by whoever searches them.
    Small(Vec<PathBuf>),
    Piece(Arc<Input>, Range<usize>),
}

/// What was found in a piece.
struct Found {
    file: Arc<Input>,
    piece: Range<usize>,
    places: Places,
    done: faultless::Result<()>,
}

/// Files that one task has, at most.
const SMALL_FILES: usize = 32;

/// Cuts files into tasks, as they are asked for.
struct Tasks<'a, F> {
    pattern: &'a Pattern,
    files: F,
    open: Option<(Arc<Input>, Pieces)>,
    /// What comes after small files.
    next: Option<Task>,
    progress: &'a Progress,
}

impl<F: Iterator<Item = Result<PathBuf, Failure>>> Iterator for Tasks<'_, F> {
    type Item = Task;

    fn next(&mut self) -> Option<Task> {
        let mut small = Vec::new();
        loop {
            if let Some(task) = self.next.take() {
                return Some(task);
            }
            if let Some((file, pieces)) = &mut self.open {
                if let Some(piece) = pieces.next(&file.map, self.pattern) {
                    return Some(Task::Piece(file.clone(), piece));
                }
                self.open = None;
            }
            let path = match self.files.next() {
                None => break,
                Some(Ok(path)) => path,
                Some(Err(failure)) => {
                    self.next = Some(Task::Failed(failure));
                    if small.is_empty() {
                        continue;
                    }
                    break;
                }
            };
            if small::is_small(&path) {
                small.push(path);
                if small.len() == SMALL_FILES {
                    break;
                }
                continue;
            }
            match Input::open(&path) {
                Ok(file) => {
                    self.progress.more(file.map.len());
                    self.open = Some((Arc::new(file), Pieces::default()));
                }
                Err(failure) => self.next = Some(Task::Failed(failure)),
            }
            if !small.is_empty() {
                break;
            }
        }
        Some(small).filter(|small| !small.is_empty()).map(Task::Small)
    }
}

pub(crate) fn run(args: &FindArgs, out: &mut Output) -> Result<Outcome, Failure> {
    let pattern = Pattern::new(&args.pattern, args.hex, args.regex, args.ignore_case)
        .map_err(|why| Failure::about("the pattern", why))?;
    let files = || expand(&args.files.files, args.files.recursive);
    let many = args.files.recursive || args.files.files.len() > 1;
    let mut printer = Printer::new(args, &pattern, many);
    if args.last && pattern.needle().is_some() {
        for path in files() {
            if let Err(failure) =
                path.and_then(|path| find_last(&path, &pattern, &mut printer, out))
            {
                fail(failure, out)?;
            }
        }
        printer.finish(out)?;
        return Ok(Outcome::found(printer.has_found()));
    }
    let progress =
        if args.count { Progress::new("find", 0) } else { Progress::beside(out, "find", 0) };
    let mut merge = Merge::new(&pattern);
    let search_small = |path: PathBuf| match args.context {
        // Its bytes are needed again.
        Some(_) => Input::open(&path).map(|file| search_whole(file, &pattern)),
        None => small::search(path, &pattern),
    };
    let work = |task| match task {
        Task::Failed(failure) => vec![Err(failure)],
        Task::Small(paths) => paths.into_iter().map(&search_small).collect(),
        Task::Piece(file, piece) => {
            let (places, done) = pattern.search(&file.map, file.map.len(), piece.clone());
            vec![Ok(Found { file, piece, places, done })]
        }
    };
    let deal = |results: Vec<Result<Found, Failure>>| {
        results.into_iter().try_for_each(|found| match found {
            Err(failure) => fail(failure, out),
            Ok(found) => {
                progress.add(found.piece.len());
                printer.add(found, &mut merge, out)
            }
        })
    };
    let threads = match &args.files.files[..] {
        [path] if small::is_small(path) => 1,
        _ => threads(),
    };
    let tasks =
        Tasks { pattern: &pattern, files: files(), open: None, next: None, progress: &progress };
    ordered(threads, tasks, work, deal)?;
    printer.finish(out)?;
    Ok(Outcome::found(printer.has_found()))
}

fn search_whole(file: Input, pattern: &Pattern) -> Found {
    let piece = 0..file.map.len();
    let (places, done) = pattern.search(&file.map, piece.end, piece.clone());
    Found { file: Arc::new(file), piece, places, done }
}

fn find_last(
    path: &Path,
    pattern: &Pattern,
    printer: &mut Printer<'_>,
    out: &mut Output,
) -> Result<(), Failure> {
    let file = Input::open(path)?;
    let found = pattern.last(&file.map).map_err(|error| file.failure(&error))?;
    match found {
        Some(found) => printer.print(&file, &found, pattern.needle().unwrap_or_default(), out),
        None => Ok(()),
    }
}

/// Reports what one file lacks; the others are searched all the same.
fn fail(failure: Failure, out: &mut Output) -> Result<(), Failure> {
    match failure {
        Failure::ClosedPipe => Err(failure),
        failure => {
            out.report(&failure);
            Ok(())
        }
    }
}
