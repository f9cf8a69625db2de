//! Appending records to something that grows, as a log does. The answer is its
//! length plus the number of its last record.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use faultless::MapOptions;
use memmap2::MmapMut;
use mmap_io::MemoryMappedFile;

use super::no_such_engine;
use crate::Request;
use crate::case::{Case, Outcome, single};

const RECORD: usize = 512;
/// What a growing map begins with, and doubles.
const FIRST: usize = 1 << 20;
/// What a map that grows in place reserves: more than it will need.
const RESERVED: usize = 16 << 30;

/// Hands `size` bytes on, a numbered record after the other.
fn records(size: usize, mut append: impl FnMut(usize, &[u8]) -> Outcome<()>) -> Outcome<()> {
    let mut record = [b'.'; RECORD];
    for (number, at) in (0..size).step_by(RECORD).enumerate() {
        record[..8].copy_from_slice(&(number as u64).to_le_bytes());
        append(at, &record)?;
    }
    Ok(())
}

fn last_number(record: &[u8]) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&record[..8]);
    u64::from_le_bytes(number)
}

/// A file that does not exist yet, and goes when this goes.
struct Scratch(PathBuf);

impl Scratch {
    fn new(path: &Path) -> Outcome<Self> {
        if path.exists() {
            std::fs::remove_file(path)?;
        }
        Ok(Self(path.to_owned()))
    }

    fn create(&self) -> Outcome<File> {
        Ok(OpenOptions::new().read(true).write(true).create_new(true).open(&self.0)?)
    }

    fn answer(&self) -> Outcome<u64> {
        let file = File::open(&self.0)?;
        let len = file.metadata()?.len();
        let mut record = [0; RECORD];
        file.read_exact_at(&mut record, len - RECORD as u64)?;
        Ok(len + last_number(&record))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It has to be gone for the next sample, which looks.
        let _ = std::fs::remove_file(&self.0);
    }
}

pub fn grow(request: &Request) -> Outcome<Box<dyn Case>> {
    let size = request.size;
    let path = request.path.with_file_name(format!("grow-{}", request.engine));
    let scratch = move || Scratch::new(&path);
    match request.engine.as_str() {
        "faultless" => single(scratch, move |file| appended(file, size, false)),
        "faultless-sparse" => single(scratch, move |file| appended(file, size, true)),
        "faultless-resize" => single(scratch, move |file| resized(file, size)),
        "memmap2" => single(scratch, move |file| memmap2(file, size)),
        "mmap-io" => single(scratch, move |file| mmap_io(file, size)),
        "memory" => single(
            || Ok(()),
            move |()| {
                let mut bytes = Vec::new();
                records(size, |_, record| {
                    bytes.extend_from_slice(record);
                    Ok(())
                })?;
                // Its end is timed too, as a file's is.
                Ok(bytes.len() as u64 + last_number(&bytes[size - RECORD..]))
            },
        ),
        "write" => single(scratch, move |scratch| {
            let mut file = scratch.create()?;
            records(size, |_, record| Ok(file.write_all(record)?))?;
            scratch.answer()
        }),
        "bufwriter" => single(scratch, move |scratch| {
            let mut file = BufWriter::with_capacity(1 << 16, scratch.create()?);
            records(size, |_, record| Ok(file.write_all(record)?))?;
            file.flush()?;
            scratch.answer()
        }),
        _ => no_such_engine(request),
    }
}

/// Into address space that was reserved.
fn appended(scratch: &Scratch, size: usize, sparse: bool) -> Outcome<u64> {
    let mut map =
        MapOptions::new().len(0).reserve(RESERVED).sparse(sparse).create_new(&scratch.0)?;
    records(size, |_, record| {
        map.append(record)?;
        Ok(())
    })?;
    drop(map);
    scratch.answer()
}

/// By doubling the map's length.
fn resized(scratch: &Scratch, size: usize) -> Outcome<u64> {
    let mut map = MapOptions::new().len(FIRST).create_new(&scratch.0)?;
    records(size, |at, record| {
        if at + RECORD > map.len() {
            map.resize(2 * map.len())?;
        }
        Ok(map.write_at(at, record)?)
    })?;
    map.resize(size)?;
    drop(map);
    scratch.answer()
}

fn memmap2(scratch: &Scratch, size: usize) -> Outcome<u64> {
    let file = scratch.create()?;
    let grown = |len: usize| -> Outcome<MmapMut> {
        file.set_len(len as u64)?;
        // SAFETY: the file is this program's own, and nobody shortens it.
        Ok(unsafe { MmapMut::map_mut(&file)? })
    };
    let mut map = grown(FIRST)?;
    records(size, |at, record| {
        if at + RECORD > map.len() {
            map = grown(2 * map.len())?;
        }
        map[at..at + RECORD].copy_from_slice(record);
        Ok(())
    })?;
    drop(map);
    file.set_len(size as u64)?;
    scratch.answer()
}

fn mmap_io(scratch: &Scratch, size: usize) -> Outcome<u64> {
    let map = MemoryMappedFile::create_rw(&scratch.0, FIRST as u64)?;
    let mut len = FIRST;
    records(size, |at, record| {
        if at + RECORD > len {
            len *= 2;
            map.resize(len as u64)?;
        }
        Ok(map.update_region(at as u64, record)?)
    })?;
    map.resize(size as u64)?;
    drop(map);
    scratch.answer()
}
