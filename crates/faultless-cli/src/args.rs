//! The command line: what all commands have in common.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::output::Colour;
use crate::size::ByteRange;

/// Search, view, patch and watch files of any size.
///
/// Sizes and offsets are bytes: 4096, 4k, 1MiB (powers of 1024: k, M, G, T, P,
/// with or without iB), 1MB (powers of 1000: kB, MB, …), 0x1000. An offset with a minus
/// counts from the end of the file: -1 is its last byte.
///
/// The exit status is 0 if something was found or done, 1 if nothing was found or
/// files differ, and 2 after an error.
#[derive(Debug, Parser)]
#[command(name = "faultless", version, propagate_version = true, max_term_width = 100)]
pub(crate) struct Cli {
    /// When to use colours. A terminal gets them unless NO_COLOR is set.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Colour,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Find(crate::find::FindArgs),
    Show(crate::show::ShowArgs),
    Patch(crate::edit::PatchArgs),
    Replace(crate::edit::ReplaceArgs),
    Move(crate::edit::MoveArgs),
    Fill(crate::edit::FillArgs),
    Undo(crate::edit::UndoArgs),
    Pages(crate::pages::PagesArgs),
    Warm(crate::pages::WarmArgs),
    Evict(crate::pages::EvictArgs),
    Lock(crate::pages::LockArgs),
    Watch(crate::pages::WatchArgs),
    Resize(crate::resize::ResizeArgs),
    Info(crate::info::InfoArgs),
    Diff(crate::diff::DiffArgs),
    Tail(crate::tail::TailArgs),
    Completions(crate::generate::CompletionsArgs),
    Man(crate::generate::ManArgs),
}

/// Files, and those in directories.
#[derive(Args, Debug)]
pub(crate) struct Files {
    /// Files; - is the standard input.
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Also all files in directories, and in those inside them.
    #[arg(short, long)]
    pub(crate) recursive: bool,
}

/// A part of each file.
#[derive(Args, Debug)]
pub(crate) struct Part {
    /// Only this part of each file: START..END, START.., ..END or START+LENGTH.
    #[arg(long, value_name = "RANGE", allow_hyphen_values = true)]
    pub(crate) range: Option<ByteRange>,
}
