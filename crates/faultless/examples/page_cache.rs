//! The page cache made visible: how cold a file is, bringing it in with
//! progress, and letting it go.
//!
//! `cargo run --release --example page_cache [FILE]`

use std::io::Write;
use std::ops::ControlFlow;
use std::time::Instant;

use faultless::{ErrorKind, Map, Result};

const MIB: usize = 1 << 20;

fn look_at(map: &Map, out: &mut impl Write) -> Result<(), Box<dyn std::error::Error>> {
    writeln!(out, "as it was:      {}", map.residency(..)?)?;
    map.evict(..)?;
    writeln!(out, "evicted:        {}", map.residency(..)?)?;
    if !map.is_empty() {
        // One page is asked for; the system reads some more.
        map.get(map.len() / 2)?;
    }
    writeln!(out, "one byte read:  {}", map.residency(..)?)?;

    let begun = Instant::now();
    let ended = map.prefetch_with(.., |done, total| {
        match write!(out, "\r{:3} of {} MiB", done / MIB, total / MIB) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    })?;
    if let ControlFlow::Break(error) = ended {
        return Err(error.into());
    }
    writeln!(out, " in {:.2?}", begun.elapsed())?;
    writeln!(out, "prefetched:     {}", map.residency(..)?)?;
    map.evict(..map.len() / 2)?;
    writeln!(out, "half evicted:   {}", map.residency(..)?)?;
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = match std::env::args_os().nth(1) {
        Some(path) => path.into(),
        None => std::env::current_exe()?,
    };
    let mut out = std::io::stdout().lock();
    look_at(&Map::open(path)?, &mut out)?;

    // A page that cannot be had is an error, and not a signal.
    let name = format!("faultless-example-{}", std::process::id());
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, vec![0; 100_000])?;
    let map = Map::open(&path)?;
    std::fs::File::options().write(true).open(&path)?.set_len(50_000)?;
    std::fs::remove_file(&path)?;
    match map.prefetch(..) {
        Err(error) if error.kind() == ErrorKind::Fault => writeln!(out, "{error}")?,
        other => other?,
    }
    Ok(())
}
