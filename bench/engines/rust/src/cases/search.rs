//! Searching the whole file. The answer is the place plus one, or 0.

use std::fs::File;
use std::hint::black_box;
use std::os::unix::fs::FileExt;

use faultless::Access;
use memchr::{memchr, memmem, memrchr};

use super::{no_such_engine, ours};
use crate::Request;
use crate::case::{Case, Failure, Outcome, repeated};

type Found = Outcome<Option<usize>>;

fn searched(mut search: impl FnMut() -> Found + 'static) -> Outcome<Box<dyn Case>> {
    repeated(
        Ok(None),
        move |last: &mut Found| *last = search(),
        |last| {
            let last = std::mem::replace(last, Err(Failure::Error("asked twice".to_owned())));
            Ok(last?.map_or(0, |at| at as u64 + 1))
        },
    )
}

/// The search that `memchr` has for a plain slice.
fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    match needle {
        [byte] => memchr(*byte, bytes),
        _ => memmem::find(bytes, needle),
    }
}

fn rfind(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    match needle {
        [byte] => memrchr(*byte, bytes),
        _ => memmem::rfind(bytes, needle),
    }
}

pub fn forward(request: &Request) -> Outcome<Box<dyn Case>> {
    if request.engine.starts_with("faultless") {
        let map = ours(request, &request.path, Access::Read)?;
        let needle = request.needle.clone();
        if request.engine == "faultless-parallel" {
            return searched(move || Ok(black_box(&map).par_find(black_box(&needle), ..)?));
        }
        return searched(move || Ok(black_box(&map).find(black_box(&needle), ..)?));
    }
    on_slice(request, find)
}

/// Looks for the 16 bytes that the file has at an offset of `size`.
pub fn near(request: &Request) -> Outcome<Box<dyn Case>> {
    let mut needle = vec![0; 16];
    File::open(&request.path)?.read_exact_at(&mut needle, request.size as u64)?;
    forward(&Request { needle, ..request.clone() })
}

pub fn backward(request: &Request) -> Outcome<Box<dyn Case>> {
    if request.engine.starts_with("faultless") {
        let map = ours(request, &request.path, Access::Read)?;
        let needle = request.needle.clone();
        if request.engine == "faultless-parallel" {
            return searched(move || Ok(black_box(&map).par_rfind(black_box(&needle), ..)?));
        }
        return searched(move || Ok(black_box(&map).rfind(black_box(&needle), ..)?));
    }
    on_slice(request, rfind)
}

fn on_slice(
    request: &Request,
    search: fn(&[u8], &[u8]) -> Option<usize>,
) -> Outcome<Box<dyn Case>> {
    let needle = request.needle.clone();
    match request.engine.as_str() {
        "memmap2" => {
            let map = super::memmap2(&request.path)?;
            searched(move || Ok(search(black_box(&map), black_box(&needle))))
        }
        "slice" => {
            let bytes = std::fs::read(&request.path)?;
            searched(move || Ok(search(black_box(&bytes), black_box(&needle))))
        }
        _ => no_such_engine(request),
    }
}
