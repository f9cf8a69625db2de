//! A log that survives its program: one that is killed while it logs, and what is
//! found afterwards.
//!
//! `cargo run --features log --example crash_log`

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use faultless::{AppendLog, LogReader};

/// Appends as fast as it can, and says how far it has come.
fn work(path: &Path) -> Result<(), Box<dyn Error>> {
    let log = AppendLog::open(path)?;
    for number in 1_u64.. {
        log.append(&number.to_le_bytes())?;
        if number % 1000 == 0 {
            writeln!(std::io::stdout(), "{number}")?;
        }
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    if let Some(path) = std::env::args_os().nth(1) {
        return work(path.as_ref());
    }
    let path = std::env::temp_dir().join(format!("crash-log-{}", std::process::id()));
    let mut worker =
        Command::new(std::env::current_exe()?).arg(&path).stdout(Stdio::piped()).spawn()?;
    let said = BufReader::new(worker.stdout.take().ok_or("it has an output")?);
    let last = said.lines().take(20).last().ok_or("it said something")??;
    worker.kill()?;
    worker.wait()?;

    let mut count = 0_u64;
    for record in LogReader::open(&path)? {
        count += 1;
        assert_eq!(record?.bytes, count.to_le_bytes());
    }
    let mut out = std::io::stdout();
    writeln!(out, "killed after it had said {last}; {count} records found, all whole")?;
    assert!(count >= last.parse()?);
    std::fs::remove_file(&path)?;
    Ok(())
}
