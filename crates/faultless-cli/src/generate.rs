//! What is made of the command line's definition: completions and manual pages.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::args::Cli;
use crate::error::{Failure, Outcome};
use crate::output::Output;

/// Print a shell's completions for this command.
///
/// For example: faultless completions bash >~/.local/share/bash-completion/completions/faultless
#[derive(Args, Debug)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    shell: Shell,
}

/// Write the manual pages of this command into a directory.
#[derive(Args, Debug)]
pub(crate) struct ManArgs {
    /// Where faultless.1, faultless-find.1 and the others go; it is made if there is none.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

pub(crate) fn completions(args: &CompletionsArgs, out: &mut Output) -> Result<Outcome, Failure> {
    // Made before it is written: the generator takes a closed pipe for impossible.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "faultless", &mut script);
    out.write_all(&script)?;
    Ok(Outcome::Done)
}

pub(crate) fn man(args: &ManArgs, _: &mut Output) -> Result<Outcome, Failure> {
    let failed = |path: &Path, error| Failure::path(path, error);
    std::fs::create_dir_all(&args.dir).map_err(|error| failed(&args.dir, error))?;
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    write_pages(&args.dir, &command, "faultless")
}

fn write_pages(dir: &Path, command: &clap::Command, name: &str) -> Result<Outcome, Failure> {
    let mut page = Vec::new();
    let path = dir.join(format!("{name}.1"));
    clap_mangen::Man::new(command.clone())
        .title(name)
        .render(&mut page)
        .and_then(|()| std::fs::write(&path, &page))
        .map_err(|error| Failure::path(&path, error))?;
    for inner in command.get_subcommands() {
        write_pages(dir, inner, &format!("{name}-{}", inner.get_name()))?;
    }
    Ok(Outcome::Done)
}
