//! The exit codes: an interface that scripts and service managers rely on (CONTRACT §1).

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
    /// The configuration cannot be used: `EX_CONFIG` of sysexits.h.
    Config = 78,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> ExitCode {
        ExitCode::from(code as u8)
    }
}
