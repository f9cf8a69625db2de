//! Processes that count together in a file, and wait for each other without
//! polling.
//!
//! `cargo run --release --example shared_counter`

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use faultless::{Access, Map, MapOptions, Result};

const WORKERS: u32 = 4;
const EACH: u64 = 250_000;
/// Where in the file the numbers are: how many are ready, whether to begin, the
/// sum.
const READY: usize = 0;
const BEGIN: usize = 4;
const SUM: usize = 8;

fn open(path: &Path) -> Result<Map> {
    MapOptions::new().access(Access::Write).open(path)
}

fn work(map: &Map) -> Result<()> {
    let (ready, begin, sum) =
        (map.atomic::<u32>(READY)?, map.atomic::<u32>(BEGIN)?, map.atomic::<u64>(SUM)?);
    ready.fetch_add(1)?;
    ready.wake(1)?;
    while begin.load()? == 0 {
        begin.wait(0, None)?;
    }
    (0..EACH).try_for_each(|_| sum.fetch_add(1).map(drop))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if let Some(path) = std::env::args_os().nth(1) {
        return Ok(work(&open(path.as_ref())?)?);
    }
    let name = format!("faultless-counter-{}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let map = MapOptions::new().len(4096).create(&path)?;
    let (ready, begin) = (map.atomic::<u32>(READY)?, map.atomic::<u32>(BEGIN)?);
    let mut workers = Vec::new();
    for _ in 0..WORKERS {
        workers.push(Command::new(std::env::current_exe()?).arg(&path).spawn()?);
    }
    let mut seen = ready.load()?;
    while seen < WORKERS {
        ready.wait(seen, None)?;
        seen = ready.load()?;
    }
    let begun = Instant::now();
    begin.store(1)?;
    begin.wake(usize::MAX)?;
    for mut worker in workers {
        assert!(worker.wait()?.success());
    }
    std::fs::remove_file(&path)?;
    let sum = map.atomic::<u64>(SUM)?.load()?;
    assert_eq!(sum, u64::from(WORKERS) * EACH);
    writeln!(std::io::stdout(), "{WORKERS} processes counted to {sum} in {:.2?}", begun.elapsed())?;
    Ok(())
}
