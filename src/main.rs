//! The executable. All code is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    kick_monitor::process::main(std::env::args_os().skip(1))
}
