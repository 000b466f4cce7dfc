//! Reads the configuration from the machine: the file, the environment, and the files that those name. Checks
//! permissions before it reads (kick-monitor.env(5)).
//!
//! It never logs, prints or ends the process; the caller decides what a problem means.

use super::service;
use crate::config::{self, Config, FileKind, Problem, Sources};
use rustix::fs::OFlags;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

/// The largest file that is read, in bytes. A configuration has a few KiB, a bundle of all public
/// CA certificates a quarter of a MiB.
const SIZE_MAX: u64 = 1 << 20;

/// Reads the configuration file at `path` and the process environment.
///
/// # Errors
/// Everything that is wrong, in one go; each problem's `Display` is the line to print.
pub fn load(path: &Path) -> Result<Config, Vec<Problem>> {
    load_with(path, &std::env::vars_os().collect(), false)
}

/// The same, but credentials and database may be missing, and are then empty.
///
/// # Errors
/// As [`load`].
pub fn load_in_part(path: &Path) -> Result<Config, Vec<Problem>> {
    load_with(path, &std::env::vars_os().collect(), true)
}

/// `RUN_DIR` alone, from the file and the process environment; the default if neither has a usable one. Whatever else is
/// wrong with the file does not matter.
///
/// # Errors
/// When the file cannot be read.
pub fn run_dir(path: &Path) -> Result<PathBuf, Problem> {
    let file = path.display().to_string();
    // No secret is taken from it, so it does not matter who else can read it.
    let text = read(path, Guard::Public).map_err(|why| unreadable(&file, &why))?;
    let mut nothing = |_: FileKind, _: &Path| Err(String::new());
    let environment = std::env::vars_os().collect();
    let sources = Sources { file: &file, text: &text, environment: &environment, read: &mut nothing, partial: true };
    Ok(config::run_dir(sources))
}

/// The settings from the environment only, without a file. Credentials and database may be missing, and are then
/// empty.
///
/// # Errors
/// As [`load`].
pub fn without_file() -> Result<Config, Vec<Problem>> {
    parse("environment", &[], &std::env::vars_os().collect(), true)
}

fn load_with(path: &Path, environment: &BTreeMap<OsString, OsString>, partial: bool) -> Result<Config, Vec<Problem>> {
    let file = path.display().to_string();
    let text = read(path, Guard::Private).map_err(|why| vec![unreadable(&file, &why)])?;
    parse(&file, &text, environment, partial)
}

fn unreadable(file: &str, why: &str) -> Problem {
    Problem { file: file.to_owned(), line: None, key: String::new(), text: format!("the file {why}") }
}

fn parse(
    file: &str,
    text: &[u8],
    environment: &BTreeMap<OsString, OsString>,
    partial: bool,
) -> Result<Config, Vec<Problem>> {
    let credentials = environment.get(&OsString::from("CREDENTIALS_DIRECTORY")).map(Path::new);
    let mut read_named = |kind: FileKind, path: &Path| match kind {
        // Only the PEM blocks matter, and those are ASCII; authorities' names around them may be anything.
        FileKind::Certificates => {
            let text = read(path, Guard::Public)?;
            // OpenSSL would ignore a first block that begins after a byte-order mark.
            Ok(String::from_utf8_lossy(text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&text)).into_owned())
        }
        FileKind::Secret => {
            let guard = if is_credential(path, credentials) { Guard::Public } else { Guard::Private };
            String::from_utf8(read(path, guard)?).map_err(|_| "is not UTF-8 text; save it as UTF-8".to_owned())
        }
    };
    config::parse(Sources { file, text, environment, read: &mut read_named, partial })
}

/// Whether other users may read and write a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Guard {
    /// It contains secrets: they may not.
    Private,
    /// It contains none, or the service manager protects its directory: they may.
    Public,
}

/// Reads a file. It is checked and read through one handle, so that it cannot be exchanged in between. The error
/// completes the sentence "the file …".
fn read(path: &Path, guard: Guard) -> Result<Vec<u8>, String> {
    let failed = |error: io::Error| match error.kind() {
        ErrorKind::PermissionDenied if service::is_the_daemons_user() => {
            format!("cannot be read: {error}; {}", service::remedy_for_reading(path, guard == Guard::Private))
        }
        _ => format!("cannot be read: {error}"),
    };
    let file = open(path).map_err(failed)?;
    check(&file, path, guard)?;
    let mut content = Vec::new();
    file.take(SIZE_MAX + 1).read_to_end(&mut content).map_err(failed)?;
    if content.len() as u64 > SIZE_MAX {
        return Err("is larger than 1 MiB; expected a few lines".to_owned());
    }
    Ok(content)
}

/// Opens a file to read it. Opening a named pipe would wait for a writer for ever; this does not.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let flags = i32::try_from(flags.bits()).expect("the flags of open are an int");
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

fn check(file: &File, path: &Path, guard: Guard) -> Result<(), String> {
    let metadata = file.metadata().map_err(|error| format!("cannot be examined: {error}"))?;
    if !metadata.is_file() {
        let kind = if metadata.is_dir() { "a directory" } else { "not a regular file" };
        return Err(format!("is {kind}; expected a regular file"));
    }
    let by_others = metadata.mode() & 0o006 != 0;
    let by_group = metadata.mode() & 0o020 != 0 && metadata.gid() != 0;
    if guard == Guard::Private && (by_others || by_group) {
        let who = if by_others { "can be read or written by others" } else { "can be written by its group" };
        return Err(format!("{who} (mode {:04o}); run: chmod 0640 {}", metadata.mode() & 0o7777, shell_word(path)));
    }
    Ok(())
}

/// Whether the service manager put the file there for this service. It protects the directory, so the modes of the
/// files inside do not matter.
fn is_credential(path: &Path, directory: Option<&Path>) -> bool {
    let climbs = path.components().any(|part| part == Component::ParentDir);
    directory.is_some_and(|directory| directory.is_absolute() && path.starts_with(directory) && !climbs)
}

/// The path as a shell reads it: bare when that is safe, quoted otherwise.
pub(super) fn shell_word(path: &Path) -> String {
    let text = path.to_string_lossy();
    if text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-+@:,%".contains(&b)) {
        return text.into_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests;
