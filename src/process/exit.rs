//! The exit codes: an interface that scripts and service managers rely on (kick-monitor(8)).

use std::process::ExitCode;

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Fine.
    Fine = 0,
    /// Failed at run time.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// `status`: the daemon does not run (LSB).
    NotRunning = 3,
    /// `check`: Kick, the database or the machine lacks something: `EX_UNAVAILABLE` of sysexits.h.
    Unavailable = 69,
    /// The configuration cannot be used: `EX_CONFIG` of sysexits.h.
    Config = 78,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> ExitCode {
        ExitCode::from(code as u8)
    }
}
