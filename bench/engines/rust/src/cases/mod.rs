//! The operations, each with all the engines that have it.

mod cold;
mod copy;
mod growth;
mod lines;
mod log;
mod open;
mod search;

use std::path::Path;

use faultless::{Access, Map, MapOptions};

use crate::Request;
use crate::case::{Case, Failure, Outcome};

pub fn make(request: &Request) -> Outcome<Box<dyn Case>> {
    match request.op.as_str() {
        "open" => open::by_path(request),
        "map" => open::open_file(request),
        "read_at" => copy::read(request),
        "write_at" => copy::write(request),
        "find" => search::forward(request),
        "find_near" => search::near(request),
        "rfind" => search::backward(request),
        "lines" => lines::lines(request),
        "log_append" => log::append(request),
        "log_read" => log::read(request),
        "grow" => growth::grow(request),
        "cold" => cold::scan(request),
        other => Err(Failure::Error(format!("no operation {other}"))),
    }
}

fn no_such_engine(request: &Request) -> Outcome<Box<dyn Case>> {
    let Request { op, engine, .. } = request;
    Err(Failure::Absent(format!("{engine} has no {op}")))
}

/// Our map of a file, guarded unless the engine is `faultless-unguarded`.
fn ours(request: &Request, path: &Path, access: Access) -> Outcome<Map> {
    let before = faultless::set_guard(request.engine != "faultless-unguarded");
    let map = MapOptions::new().access(access).open(path);
    faultless::set_guard(before);
    Ok(map?)
}

fn memmap2(path: &Path) -> Outcome<memmap2::Mmap> {
    let file = std::fs::File::open(path)?;
    // SAFETY: the file is this program's own, and nobody changes it meanwhile.
    Ok(unsafe { memmap2::Mmap::map(&file)? })
}
