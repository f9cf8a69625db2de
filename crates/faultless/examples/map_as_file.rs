//! A map in the place of a file: whatever takes `Read`, `BufRead`, `Write` or
//! `Seek` takes its cursor.
//!
//! `cargo run --release --example map_as_file`

use std::io::{BufRead, Read, Seek, SeekFrom, Write};

use faultless::MapOptions;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let name = format!("faultless-cursor-{}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let mut map = MapOptions::new().len(1 << 20).create(&path)?;
    std::fs::remove_file(&path)?;

    let mut file = map.cursor();
    writeln!(file, "name,size")?;
    writeln!(file, "whale,30")?;
    writeln!(file, "mouse,0.1")?;
    let written = file.position() as usize;
    map.resize(written)?;

    let mut file = map.cursor();
    let mut header = String::new();
    file.read_line(&mut header)?;
    let rows: Vec<_> = Read::by_ref(&mut file).lines().collect::<Result<_, _>>()?;
    file.seek(SeekFrom::End(-4))?;
    let mut end = String::new();
    file.read_to_string(&mut end)?;

    let mut out = std::io::stdout().lock();
    writeln!(out, "{} and {} rows; it ends with {:?}", header.trim_end(), rows.len(), end)?;
    writeln!(out, "{} lines, counted without copying them", map.count(b"\n", ..)?)?;
    Ok(())
}
