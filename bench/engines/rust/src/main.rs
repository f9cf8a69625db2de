//! Measures Rust code for `bench/run`: reads a request a line, writes an answer
//! a line.
//!
//! A request has the fields of [`Request`], separated by tabs. The answer is a
//! JSON object: `value`, the nanoseconds an operation took; or `absent`, why
//! this engine has no such case here; or `error`.

mod case;
mod cases;

use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::time::Duration;

use case::{Case, Failure};

/// One sample that is asked for.
#[derive(Clone)]
pub struct Request {
    pub op: String,
    pub engine: String,
    /// Bytes an operation works on.
    pub size: usize,
    pub needle: Vec<u8>,
    /// The file to work on; cases that write make their own beside it.
    pub path: PathBuf,
    /// What the operation must answer.
    pub answer: u64,
    /// How long a sample should take.
    pub budget: Duration,
}

impl Request {
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split('\t');
        let mut next = || fields.next();
        Some(Self {
            op: next()?.to_owned(),
            engine: next()?.to_owned(),
            size: next()?.parse().ok()?,
            needle: unhex(next()?)?,
            path: next()?.into(),
            answer: next()?.parse().ok()?,
            budget: Duration::from_micros(next()?.parse().ok()?),
        })
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect()
}

fn sample(case: &mut dyn Case, request: &Request) -> Result<f64, Failure> {
    let nanoseconds = case.sample(request.budget)?;
    let answer = case.answer()?;
    if answer == request.answer {
        Ok(nanoseconds)
    } else {
        Err(Failure::Error(format!(
            "{} with {} answered {answer} instead of {}",
            request.op, request.engine, request.answer
        )))
    }
}

fn main() -> std::io::Result<()> {
    let mut made: HashMap<String, Box<dyn Case>> = HashMap::new();
    let mut group = String::new();
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let Some(request) = Request::parse(&line) else {
            writeln!(out, r#"{{"error": "not a request"}}"#)?;
            continue;
        };
        // The cases of one benchmark stay, so that its engines take turns; with
        // the next benchmark they go, and their memory with them.
        let this = format!("{} {} {:?}", request.op, request.size, request.needle);
        if this != group {
            made.clear();
            group = this;
        }
        let value = match made.get_mut(&request.engine) {
            Some(case) => sample(&mut **case, &request),
            None => cases::make(&request).and_then(|mut case| {
                let value = sample(&mut *case, &request);
                made.insert(request.engine.clone(), case);
                value
            }),
        };
        match value {
            Ok(value) => writeln!(out, r#"{{"value": {value}}}"#)?,
            Err(Failure::Absent(why)) => writeln!(out, r#"{{"absent": {why:?}}}"#)?,
            Err(Failure::Error(why)) => writeln!(out, r#"{{"error": {why:?}}}"#)?,
        }
        out.flush()?;
    }
    Ok(())
}
