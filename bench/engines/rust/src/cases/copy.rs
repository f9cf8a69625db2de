//! Copying bytes out of a map and into it, always the same ones, so that the
//! caches have them and what surrounds the copy shows.

use std::fs::{File, OpenOptions};
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::path::Path;

use faultless::Access;
use mmap_io::MemoryMappedFile;

use super::{no_such_engine, ours};
use crate::Request;
use crate::case::{Case, Outcome, repeated};

const PAGE: usize = 4096;
/// Where in the file the bytes are.
const AT: usize = 2 * PAGE;
/// What is written.
const BYTE: u8 = 0xa5;

/// Memory that begins with a page, as a map does: how a copy's ends lie to each
/// other decides much of its speed.
struct Pages {
    memory: Vec<u8>,
    start: usize,
    len: usize,
}

impl Pages {
    fn new(bytes: &[u8]) -> Self {
        let memory = vec![0; bytes.len() + PAGE];
        let start = memory.as_ptr().align_offset(PAGE);
        let mut pages = Self { memory, start, len: bytes.len() };
        pages.bytes().copy_from_slice(bytes);
        pages
    }

    fn bytes(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + self.len]
    }

    fn sum(&mut self) -> u64 {
        sum(self.bytes())
    }
}

fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().map(|&byte| u64::from(byte)).sum()
}

fn file_bytes(path: &Path, size: usize) -> Outcome<Vec<u8>> {
    let mut bytes = vec![0; size];
    File::open(path)?.read_exact_at(&mut bytes, AT as u64)?;
    Ok(bytes)
}

/// `size` bytes out of the map. The answer is their sum.
pub fn read(request: &Request) -> Outcome<Box<dyn Case>> {
    let (path, size) = (request.path.as_path(), request.size);
    let out = Pages::new(&vec![0; size]);
    match request.engine.as_str() {
        "faultless" | "faultless-unguarded" => {
            let map = ours(request, path, Access::Read)?;
            repeated(
                out,
                move |out| {
                    map.read_exact_at(black_box(AT), black_box(out.bytes())).expect("in range")
                },
                |out| Ok(out.sum()),
            )
        }
        "memmap2" => {
            let map = super::memmap2(path)?;
            repeated(
                out,
                move |out| {
                    let at = black_box(AT);
                    black_box(out.bytes()).copy_from_slice(&map[at..at + size]);
                },
                |out| Ok(out.sum()),
            )
        }
        "mmap-io" => {
            let map = MemoryMappedFile::open_ro(path)?;
            repeated(
                out,
                move |out| {
                    map.read_into(black_box(AT as u64), black_box(out.bytes())).expect("in range")
                },
                |out| Ok(out.sum()),
            )
        }
        "slice" => {
            let mut from = Pages::new(&file_bytes(path, size)?);
            repeated(
                out,
                move |out| black_box(out.bytes()).copy_from_slice(black_box(from.bytes())),
                |out| Ok(out.sum()),
            )
        }
        "pread" => {
            let file = File::open(path)?;
            repeated(
                out,
                move |out| file.read_exact_at(black_box(out.bytes()), AT as u64).expect("in range"),
                |out| Ok(out.sum()),
            )
        }
        _ => no_such_engine(request),
    }
}

/// `size` bytes into the map of a file of its own. The answer is the sum of
/// what a reader of the file then finds.
pub fn write(request: &Request) -> Outcome<Box<dyn Case>> {
    let size = request.size;
    let path = request.path.with_file_name(format!("write-{}", request.engine));
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path)?;
    file.set_len((AT + size) as u64)?;
    let mut from = Pages::new(&vec![BYTE; size]);
    let found = move || Ok(sum(&file_bytes(&path, size)?));
    match request.engine.as_str() {
        "faultless" | "faultless-unguarded" => {
            let path = request.path.with_file_name(format!("write-{}", request.engine));
            let map = ours(request, &path, Access::Write)?;
            repeated(
                from,
                move |from| map.write_at(black_box(AT), black_box(from.bytes())).expect("in range"),
                move |_| found(),
            )
        }
        "memmap2" => {
            // SAFETY: the file is this program's own, and only read meanwhile.
            let mut map = unsafe { memmap2::MmapMut::map_mut(&file)? };
            repeated(
                from,
                move |from| {
                    let at = black_box(AT);
                    black_box(&mut map[at..at + size]).copy_from_slice(black_box(from.bytes()));
                },
                move |_| found(),
            )
        }
        "mmap-io" => {
            let path = request.path.with_file_name(format!("write-{}", request.engine));
            let map = MemoryMappedFile::open_rw(path)?;
            repeated(
                from,
                move |from| {
                    map.update_region(black_box(AT as u64), black_box(from.bytes()))
                        .expect("in range")
                },
                move |_| found(),
            )
        }
        "slice" => repeated(
            Pages::new(&vec![0; size]),
            move |out| black_box(out.bytes()).copy_from_slice(black_box(from.bytes())),
            |out| Ok(out.sum()),
        ),
        "pread" => repeated(
            from,
            move |from| {
                file.write_all_at(black_box(from.bytes()), AT as u64).expect("room on the disk")
            },
            move |_| found(),
        ),
        _ => no_such_engine(request),
    }
}
