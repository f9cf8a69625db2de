//! A table of measurements in a file that grows for as long as it likes, where it is.
//!
//! `cargo run --release --example growing_table`

use std::io::Write;

use faultless::{ErrorKind, Map, MapOptions};

/// The number of a measurement, and its value.
const ROW: usize = 4 + 8;

fn row(number: u32) -> [u8; ROW] {
    let mut row = [0; ROW];
    row[..4].copy_from_slice(&number.to_le_bytes());
    row[4..].copy_from_slice(&(f64::from(number) + 0.5).to_le_bytes());
    row
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    const ROWS: u32 = 100_000;
    let mut out = std::io::stdout().lock();
    let path = std::env::temp_dir().join(format!("faultless-table-{}", std::process::id()));

    // Addresses for a gigabyte; neither memory nor disk is taken for them.
    let mut table = match MapOptions::new().len(0).reserve(1 << 30).create_new(&path) {
        // Windows has it for memory alone.
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            writeln!(out, "{error}")?;
            MapOptions::new().len(0).reserve(1 << 30).map_anonymous()?
        }
        made => made?,
    };
    let start = table.as_ptr();
    for number in 0..ROWS {
        let offset = table.append(&row(number))?;
        assert_eq!(offset, number as usize * ROW);
    }
    writeln!(out, "{ROWS} rows, {} bytes", table.len())?;
    assert_eq!(table.as_ptr(), start, "the map is where it was");
    table.grow(table.len() + 100 * ROW)?;
    writeln!(out, "room for 100 more: {} bytes", table.len())?;

    let last = (ROWS - 1) as usize * ROW;
    let (number, value) = (table.load_le::<u32>(last)?, table.load_le::<f64>(last + 4)?);
    writeln!(out, "the last row: number {number}, value {value}")?;
    let of_file = !table.is_anonymous();
    drop(table);
    if of_file {
        assert_eq!(Map::open(&path)?.len(), (ROWS as usize + 100) * ROW);
        std::fs::remove_file(&path)?;
    }
    Ok(())
}
