//! Files that other processes read at any time: each is replaced in one step, and every user may read it.
//!
//! Nothing is synced to the disk, because the files are out of date after a crash anyway.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

const MODE: u32 = 0o644;

/// Replaces a file by one with this content.
pub(super) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut fresh = Fresh::begin(path)?;
    fresh.add(content)?;
    fresh.finish()
}

/// A file that is still being written, under another name. If it is not finished, the next one overwrites it.
#[derive(Debug)]
pub(super) struct Fresh {
    path: PathBuf,
    unfinished: PathBuf,
    out: BufWriter<File>,
}

impl Fresh {
    /// Begins a file that will be called `path`; creates its directory if necessary.
    pub(super) fn begin(path: &Path) -> io::Result<Fresh> {
        // A hidden name, which the node exporter's collector does not read.
        let mut name = OsString::from(".");
        name.push(path.file_name().ok_or(ErrorKind::InvalidInput)?);
        name.push(".new");
        let unfinished = path.with_file_name(name);
        match fs::remove_file(&unfinished) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let directory = path.parent().ok_or(ErrorKind::InvalidInput)?;
                DirBuilder::new().recursive(true).mode(0o755).create(directory)?;
            }
            removed => removed?,
        }
        let file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&unfinished)?;
        // The umask may have removed some of the mode.
        file.set_permissions(Permissions::from_mode(MODE))?;
        Ok(Fresh { path: path.to_owned(), unfinished, out: BufWriter::new(file) })
    }

    pub(super) fn add(&mut self, content: &[u8]) -> io::Result<()> {
        self.out.write_all(content)
    }

    /// Gives the file its name.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.out.flush()?;
        fs::rename(&self.unfinished, &self.path).inspect_err(|_| {
            let _ = fs::remove_file(&self.unfinished);
        })
    }
}
