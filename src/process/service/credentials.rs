//! systemd's credentials, for a process that acts as the service: only the service itself is given them, so root reads
//! their sources and hands them on as files in memory.

use super::keep_open;
use rustix::fs::{MemfdFlags, memfd_create};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

/// Where the process finds what it is handed, as `$CREDENTIALS_DIRECTORY`.
const DIRECTORY: &str = "/proc/self/fd";

/// The files, open as long as this lives.
pub(super) struct Credentials(#[expect(dead_code, reason = "held, so that they stay open")] Vec<File>);

impl Credentials {
    /// Opens the credentials that variables name, and lets these name the open files. A source that cannot be read is
    /// left out: the variable then names a file that is not there, and that is said.
    pub(super) fn open(
        sources: &[(String, PathBuf)],
        variables: &mut BTreeMap<OsString, OsString>,
    ) -> io::Result<Credentials> {
        let mut files = Vec::new();
        for (name, source) in sources {
            let is_named = |value: &OsString| {
                Path::new(value).starts_with("/run/credentials") && Path::new(value).file_name() == Some(name.as_ref())
            };
            let Ok(content) = fs::read(source) else { continue };
            if !variables.values().any(is_named) {
                continue;
            }
            let mut file = File::from(memfd_create(name.as_str(), MemfdFlags::empty())?);
            file.write_all(&content)?;
            keep_open(&file)?;
            let path = OsString::from(format!("{DIRECTORY}/{}", file.as_raw_fd()));
            variables.values_mut().filter(|value| is_named(value)).for_each(|value| value.clone_from(&path));
            files.push(file);
        }
        if !files.is_empty() {
            variables.insert("CREDENTIALS_DIRECTORY".into(), DIRECTORY.into());
        }
        Ok(Credentials(files))
    }
}
