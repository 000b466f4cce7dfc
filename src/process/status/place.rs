//! Where `status` looks for the running daemon: its `RUN_DIR`.
//!
//! Nothing else of the configuration matters here. A daemon goes on with the settings that it has read, so a file that
//! is broken since, or that this user may not read, is no reason to show nothing.

use crate::config::keys;
use crate::process::cli::DEFAULT_CONFIG;
use crate::process::{configuration, service};
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A directory, and what to add to the message when no daemon writes there.
pub(super) struct Place {
    pub(super) run_dir: PathBuf,
    pub(super) note: String,
}

/// `RUN_DIR` as the configuration has it; the default if this user may not read it, or if there is none yet. The error
/// is the line to print.
pub(super) fn find(config: &Path) -> Result<Place, String> {
    if let Err(error) = configuration::open(config) {
        let missing = error.kind() == ErrorKind::NotFound && config == Path::new(DEFAULT_CONFIG);
        if missing || error.kind() == ErrorKind::PermissionDenied {
            let run_dir = given(config);
            let default = keys::find("RUN_DIR").and_then(|key| key.default).unwrap_or_default();
            let which = if run_dir.is_some() { "that of the environment" } else { "the default" };
            let note = format!("; {} cannot be read ({error}), so RUN_DIR is {which}", config.display());
            return Ok(Place { run_dir: run_dir.map_or_else(|| default.into(), PathBuf::from), note });
        }
    }
    if let Some(run_dir) = given(config) {
        return Ok(Place { run_dir: run_dir.into(), note: String::new() });
    }
    let run_dir = configuration::run_dir(config).map_err(|problem| problem.to_string())?;
    Ok(Place { run_dir, note: String::new() })
}

/// `RUN_DIR` from the environment: that of this process, or that of the service if it is the service's configuration.
fn given(config: &Path) -> Option<OsString> {
    let own = std::env::var_os("RUN_DIR");
    let service = || service::variable("RUN_DIR").filter(|_| config == Path::new(DEFAULT_CONFIG));
    own.or_else(service).filter(|path| !path.is_empty())
}
