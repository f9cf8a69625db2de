//! `info`: what is known of files.

use std::fs::Metadata;
use std::io::Write;

use clap::Args;
use serde_json::Value;

use crate::args::Files;
use crate::error::{Failure, Outcome};
use crate::input::{Input, expand, name_of};
use crate::output::{NAME, Output, field, json_file};
use crate::size;

/// Show what is known of files: length, room on the disk, pages in memory, and how they
/// are mapped.
#[derive(Args, Debug)]
pub(crate) struct InfoArgs {
    #[command(flatten)]
    files: Files,
    /// Print a line of JSON for each file.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &InfoArgs, out: &mut Output) -> Result<Outcome, Failure> {
    for path in expand(&args.files.files, args.files.recursive) {
        let file = path.and_then(|path| Input::open(&path));
        match file.and_then(|file| tell(&file, args.json, out)) {
            Err(Failure::ClosedPipe) => return Err(Failure::ClosedPipe),
            Err(failure) => out.report(&failure),
            Ok(()) => {}
        }
    }
    Ok(Outcome::Done)
}

fn tell(file: &Input, json: bool, out: &mut Output) -> Result<(), Failure> {
    let map = &file.map;
    let about = map.file().and_then(|file| file.metadata().ok());
    let kind =
        about.as_ref().map_or("what was read from a pipe", |about| name_of(about.file_type()));
    let on_disk = about.as_ref().and_then(on_disk);
    let residency = map.residency(..).map_err(|error| file.failure(&error));
    let mapped = match map {
        map if map.is_anonymous() => "memory",
        map if map.is_private_fallback() => "private",
        _ => "shared",
    };
    if json {
        let mut line = json_file(&file.path);
        field(&mut line, "kind", kind);
        field(&mut line, "length", map.len());
        field(&mut line, "on_disk", on_disk);
        let pages = residency.as_ref().ok();
        field(&mut line, "pages", pages.map(|pages| pages.pages()));
        field(&mut line, "resident", pages.map(|pages| pages.resident()));
        field(&mut line, "page_size", faultless::page_size());
        field(&mut line, "mapped", mapped);
        field(&mut line, "guarded", map.is_guarded());
        out.json(&Value::Object(line))?;
    } else {
        out.styled(NAME, file.path.display())?;
        writeln!(out, ": {kind}")?;
        writeln!(out, "  length   {} bytes ({})", map.len(), size::show(map.len() as u64))?;
        if let Some(bytes) = on_disk {
            let sparse =
                if bytes < map.len() as u64 { ", less than its length: sparse" } else { "" };
            writeln!(out, "  on disk  {bytes} bytes ({}){sparse}", size::show(bytes))?;
        }
        if let Ok(residency) = &residency {
            writeln!(out, "  memory   {residency}")?;
        }
        let guarded = if map.is_guarded() { "guarded" } else { "not guarded: it needs no guard" };
        writeln!(out, "  mapped   {mapped}, {guarded}")?;
    }
    residency.map(drop)
}

#[cfg(unix)]
fn on_disk(about: &Metadata) -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    // In units of 512 bytes, whatever the file's system has.
    about.is_file().then(|| about.blocks().saturating_mul(512))
}

#[cfg(not(unix))]
fn on_disk(_: &Metadata) -> Option<u64> {
    None
}
