//! Mapping a file and unmapping it, without a look at its bytes.

use std::fs::File;
use std::hint::black_box;

use faultless::{Map, MapOptions};
use memmap2::Mmap;
use mmap_io::MemoryMappedFile;

use super::no_such_engine;
use crate::Request;
use crate::case::{Case, Failure, Outcome, repeated};

/// State is the answer: the length of what was mapped last.
fn opened(mut open: impl FnMut() -> Outcome<u64> + 'static) -> Outcome<Box<dyn Case>> {
    repeated(
        Ok(0),
        move |last| *last = open(),
        |last| std::mem::replace(last, Err(Failure::Error("asked twice".to_owned()))),
    )
}

/// From a path to nothing again: open, map, unmap, close.
pub fn by_path(request: &Request) -> Outcome<Box<dyn Case>> {
    let path = request.path.clone();
    match request.engine.as_str() {
        "faultless" => opened(move || Ok(black_box(Map::open(&path)?).len() as u64)),
        "faultless-unguarded" => opened(move || {
            let before = faultless::set_guard(false);
            let map = Map::open(&path);
            faultless::set_guard(before);
            Ok(black_box(map?).len() as u64)
        }),
        "memmap2" => opened(move || Ok(black_box(super::memmap2(&path)?).len() as u64)),
        "mmap-io" => opened(move || Ok(black_box(MemoryMappedFile::open_ro(&path)?).len())),
        "pread" => opened(move || Ok(black_box(File::open(&path)?).metadata()?.len())),
        _ => no_such_engine(request),
    }
}

/// From an open file, which stays open and which the map does not keep.
pub fn open_file(request: &Request) -> Outcome<Box<dyn Case>> {
    let file = File::open(&request.path)?;
    match request.engine.as_str() {
        "faultless" => opened(move || {
            let map = MapOptions::new().keep_file(false).map(&file)?;
            Ok(black_box(map).len() as u64)
        }),
        "faultless-kept" => {
            opened(move || Ok(black_box(MapOptions::new().map(&file)?).len() as u64))
        }
        "memmap2" => opened(move || {
            // SAFETY: the file is this program's own, and nobody changes it meanwhile.
            Ok(black_box(unsafe { Mmap::map(&file)? }).len() as u64)
        }),
        _ => no_such_engine(request),
    }
}
