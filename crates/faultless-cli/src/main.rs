//! `faultless`: the command for files that are too big for an editor.
//!
//! It sees files as memory, through the crate `faultless`: a file that shrinks
//! under it is an error message, and never its end.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]
#![allow(clippy::doc_markdown, reason = "what is said of an argument is its help, too")]

mod args;
mod diff;
mod edit;
mod error;
mod find;
mod generate;
mod hex;
mod info;
mod input;
mod ordered;
mod output;
mod pages;
mod progress;
mod resize;
mod show;
mod size;
mod tail;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use error::{Failure, Outcome};
use output::Output;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut out = Output::new(cli.color);
    let result = run(&cli.command, &mut out).and_then(|outcome| {
        out.flush()?;
        Ok(outcome)
    });
    let code = match result {
        Ok(_) if out.has_failed() => 2,
        Ok(Outcome::Done) => 0,
        Ok(Outcome::Not) => 1,
        // Whoever closed the pipe has all it wanted.
        Err(Failure::ClosedPipe) => 0,
        Err(failure) => {
            out.report(&failure);
            2
        }
    };
    ExitCode::from(code)
}

fn run(command: &Command, out: &mut Output) -> Result<Outcome, Failure> {
    match command {
        Command::Find(args) => find::run(args, out),
        Command::Show(args) => show::run(args, out),
        Command::Patch(args) => edit::patch(args, out),
        Command::Replace(args) => edit::replace(args, out),
        Command::Move(args) => edit::transfer(args, out),
        Command::Fill(args) => edit::fill(args, out),
        Command::Undo(args) => edit::undo(args, out),
        Command::Pages(args) => pages::show(args, out),
        Command::Warm(args) => pages::warm(args, out),
        Command::Evict(args) => pages::evict(args, out),
        Command::Lock(args) => pages::lock(args, out),
        Command::Watch(args) => pages::watch(args, out),
        Command::Resize(args) => resize::run(args, out),
        Command::Info(args) => info::run(args, out),
        Command::Diff(args) => diff::run(args, out),
        Command::Tail(args) => tail::run(args, out),
        Command::Completions(args) => generate::completions(args, out),
        Command::Man(args) => generate::man(args, out),
    }
}
