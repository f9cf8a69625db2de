//! Appending numbered records to a log, and reading them. The answer is how many
//! the last record says there are.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use faultless::{AppendLog, LogReader};

use super::no_such_engine;
use crate::Request;
use crate::case::{Case, Outcome, single};

const RECORD: usize = 100;

/// Hands `size` bytes on, a numbered record after the other.
fn records(size: usize, mut append: impl FnMut(&[u8]) -> Outcome<()>) -> Outcome<()> {
    let mut record = [b'.'; RECORD];
    for number in 1..=size / RECORD {
        record[..8].copy_from_slice(&(number as u64).to_le_bytes());
        append(&record)?;
    }
    Ok(())
}

fn number(record: &[u8]) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&record[..8]);
    u64::from_le_bytes(number)
}

/// A path at which nothing is, and, when this goes, nothing again.
struct Scratch(PathBuf);

impl Scratch {
    fn new(path: PathBuf) -> Outcome<Self> {
        if path.exists() {
            fs::remove_file(&path)?;
        }
        Ok(Self(path))
    }

    fn last(&self) -> Outcome<u64> {
        let file = File::open(&self.0)?;
        let mut record = [0; RECORD];
        file.read_exact_at(&mut record, file.metadata()?.len() - RECORD as u64)?;
        Ok(number(&record))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

pub fn append(request: &Request) -> Outcome<Box<dyn Case>> {
    let size = request.size;
    let path = request.path.with_file_name(format!("log-{}", request.engine));
    let scratch = move || Scratch::new(path.clone());
    match request.engine.as_str() {
        "faultless" => single(scratch, move |path| {
            let log = AppendLog::open(&path.0)?;
            let mut last = 0;
            records(size, |record| {
                last = log.append(record)?;
                Ok(())
            })?;
            Ok(number(&log.read(last)?))
        }),
        "write" => single(scratch, move |path| {
            let mut file = File::create(&path.0)?;
            records(size, |record| Ok(file.write_all(record)?))?;
            path.last()
        }),
        "bufwriter" => single(scratch, move |path| {
            let mut file = BufWriter::new(File::create(&path.0)?);
            records(size, |record| Ok(file.write_all(record)?))?;
            file.flush()?;
            path.last()
        }),
        _ => no_such_engine(request),
    }
}

pub fn read(request: &Request) -> Outcome<Box<dyn Case>> {
    let path = Scratch::new(request.path.with_file_name(format!("log-read-{}", request.engine)))?;
    let mut record = Vec::new();
    match request.engine.as_str() {
        "faultless" => {
            let log = AppendLog::open(&path.0)?;
            records(request.size, |record| Ok(log.append(record).map(drop)?))?;
            drop(log);
            single(
                move || Ok(LogReader::open(&path.0)?),
                move |reader| {
                    let mut last = 0;
                    while reader.read_next(&mut record)?.is_some() {
                        last = number(&record);
                    }
                    Ok(last)
                },
            )
        }
        "bufreader" => {
            let mut file = BufWriter::new(File::create(&path.0)?);
            records(request.size, |record| Ok(file.write_all(record)?))?;
            drop(file);
            let count = request.size / RECORD;
            single(
                move || Ok(BufReader::new(File::open(&path.0)?)),
                move |file| {
                    record.resize(RECORD, 0);
                    for _ in 0..count {
                        file.read_exact(&mut record)?;
                    }
                    Ok(number(&record))
                },
            )
        }
        _ => no_such_engine(request),
    }
}
