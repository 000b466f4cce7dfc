//! The exit codes, an interface for scripts and service managers (kick-monitor(8)).

use std::process::ExitCode;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Success.
    Fine = 0,
    /// A failure at run time.
    Failed = 1,
    /// The command line is not valid.
    Usage = 2,
    /// `status`: the daemon is not running (as in the LSB).
    NotRunning = 3,
    /// `check`: Kick, the database or the machine lacks something (`EX_UNAVAILABLE` in sysexits.h).
    Unavailable = 69,
    /// The configuration cannot be used (`EX_CONFIG` in sysexits.h).
    Config = 78,
}

impl Code {
    /// `status --check`: degraded. The codes of that command are those of monitoring plugins.
    pub const DEGRADED: Code = Code::Failed;
    /// `status --check`: failing.
    pub const FAILING: Code = Code::Usage;
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> ExitCode {
        ExitCode::from(code as u8)
    }
}
