//! Two processes count together in memory that they find by a name.
//!
//! ```sh
//! cargo run -p faultless --example shared_memory
//! ```

use std::env;
use std::error::Error;
use std::process::Command;

use faultless::{Create, Map, MapOptions, unlink_shared};

const OURS: usize = 0;
const THEIRS: usize = 8;

/// What the second process does: its counter is twice the first one's.
fn other(name: &str) -> Result<(), faultless::Error> {
    let memory = MapOptions::new().name(name, Create::Never).map_anonymous()?;
    memory.store_le(THEIRS, 2 * memory.load_le::<u64>(OURS)?)
}

#[expect(clippy::print_stdout, reason = "it shows something")]
fn count(name: &str, memory: &Map) -> Result<(), Box<dyn Error>> {
    for turn in 1..4 {
        memory.store_le(OURS, turn)?;
        let status = Command::new(env::current_exe()?).arg(name).status()?;
        let answer = memory.load_le::<u64>(THEIRS)?;
        assert!(status.success() && answer == 2 * turn);
        println!("this process wrote {turn}, the other one answered {answer}");
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    if let Some(name) = env::args().nth(1) {
        return Ok(other(&name)?);
    }
    let name = format!("faultless-example-{}", std::process::id());
    let memory = MapOptions::new().name(&name, Create::New).len(16).map_anonymous()?;
    let counted = count(&name, &memory);
    unlink_shared(&name)?;
    counted
}
