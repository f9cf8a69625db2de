//! Searching a large text: an expression, the lines it is in, and any line by its
//! number.
//!
//! `cargo run --release --features regex --example text_search [FILE [PATTERN]]`

use std::error::Error;
use std::io::Write;

use faultless::{FindRegex, Map};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next();
    let pattern = arguments.next().unwrap_or_else(|| r"error code=(\d+)".into());
    let map = match path {
        Some(path) => Map::open(path)?,
        None => {
            let text: String = (0..100_000)
                .map(|n| format!("{n} {} code={n}\n", ["info", "error"][n % 9 / 8]))
                .collect();
            let map = faultless::MapOptions::new().len(text.len()).map_anonymous()?;
            map.write_at(0, text.as_bytes())?;
            map
        }
    };
    let mut out = std::io::stdout();
    let lines = map.line_index(..)?;
    writeln!(out, "{} bytes in {} lines", map.len(), lines.len())?;
    let mut count = 0;
    for found in map.search(FindRegex::new(&pattern, 0..map.len())?) {
        let found = found?;
        count += 1;
        if count <= 3 {
            let line = lines.line_at(&map, found.range().start)?;
            let text = map.to_vec(lines.line(&map, line)?)?;
            writeln!(out, "line {}: {}", line + 1, String::from_utf8_lossy(&text).trim_end())?;
        }
    }
    writeln!(out, "{count} matches of {pattern}")?;
    Ok(())
}
