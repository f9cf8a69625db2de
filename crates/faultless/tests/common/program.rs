//! The running program once more, in a process of its own.

use std::process::Command;

/// The command that can run this program where the system itself cannot.
const EMULATOR: &str = "FAULTLESS_TEST_EMULATOR";

/// The running program, or the emulator that runs programs of its kind here.
pub(crate) fn this_program() -> Command {
    let program = std::env::current_exe().unwrap();
    match std::env::var_os(EMULATOR) {
        None => Command::new(program),
        Some(emulator) => {
            let mut command = Command::new(emulator);
            command.arg(program);
            command
        }
    }
}
