//! Files that others read while we write: each is replaced in one step, and everybody may read it.
//!
//! Nothing is forced to the disk. What they say is out of date after a crash anyway.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

const MODE: u32 = 0o644;

/// Writes a file whole.
pub(super) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut fresh = Fresh::begin(path)?;
    fresh.add(content)?;
    fresh.finish()
}

/// A file that is not whole yet, under another name. Not finished, it is left to be written over.
#[derive(Debug)]
pub(super) struct Fresh {
    path: PathBuf,
    unfinished: PathBuf,
    out: BufWriter<File>,
}

impl Fresh {
    /// Begins a file that will be called `path`; makes its directory if need be.
    pub(super) fn begin(path: &Path) -> io::Result<Fresh> {
        // Hidden, and no name that the node exporter's collector would read.
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
        // The umask may have taken some of it.
        file.set_permissions(Permissions::from_mode(MODE))?;
        Ok(Fresh { path: path.to_owned(), unfinished, out: BufWriter::new(file) })
    }

    pub(super) fn add(&mut self, content: &[u8]) -> io::Result<()> {
        self.out.write_all(content)
    }

    /// The file gets its name.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.out.flush()?;
        fs::rename(&self.unfinished, &self.path)
    }
}
