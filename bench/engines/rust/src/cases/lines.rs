//! Reading every line into one buffer. The answer is the number of lines.

use std::io::{BufRead, BufReader};

use faultless::Access;

use super::{no_such_engine, ours};
use crate::Request;
use crate::case::{Case, Outcome, single};

fn count(mut reader: impl BufRead) -> Outcome<u64> {
    let (mut line, mut count) = (Vec::new(), 0);
    while reader.read_until(b'\n', &mut line)? != 0 {
        count += 1;
        line.clear();
    }
    Ok(count)
}

pub fn lines(request: &Request) -> Outcome<Box<dyn Case>> {
    let path = request.path.clone();
    match request.engine.as_str() {
        "faultless" | "faultless-unguarded" => {
            let map = ours(request, &path, Access::Read)?;
            single(|| Ok(()), move |()| count(map.cursor()))
        }
        "bufreader-slice" => {
            let map = super::memmap2(&path)?;
            single(|| Ok(()), move |()| count(BufReader::new(&map[..])))
        }
        "slice" => {
            let map = super::memmap2(&path)?;
            single(|| Ok(()), move |()| count(&map[..]))
        }
        "bufreader-file" => {
            single(move || Ok(std::fs::File::open(&path)?), |file| count(BufReader::new(file)))
        }
        _ => no_such_engine(request),
    }
}
