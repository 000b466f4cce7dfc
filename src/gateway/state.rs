//! The files of `STATE_DIR`: [`recent`], and `learned.json`, which has streamers' ids and the transport that Kick
//! offered last. Kept over restarts so that a start need not ask Kick for what it knew yesterday.
//!
//! They hold nothing that Kick would not tell again, so a file that cannot be used is never fatal. None is written
//! over in place: who reads it sees the old one or the new one, whole.

pub(crate) mod recent;

use crate::domain::RowId;
use crate::domain::ask::Learned;
use crate::domain::time::Timestamp;
use crate::domain::way::Offer;
use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs::{self, DirBuilder, File};
use std::io::{self, BufWriter, ErrorKind, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// The most streamers that are kept; the latest learned stay.
pub(crate) const STREAMERS_MAX: usize = 200_000;

/// The file's name in `STATE_DIR`.
pub(crate) const FILE: &str = "learned.json";

/// The name of a file that could not be used.
const BROKEN: &str = "learned.json.broken";

/// The longest file that is read, in bytes: room for `STREAMERS_MAX` of the longest entries.
const FILE_MAX: u64 = 64 << 20;

/// The layout that this program writes and reads.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Content<T, O> {
    version: u32,
    #[serde(default = "Default::default", skip_serializing_if = "Option::is_none")]
    realtime: Option<O>,
    streamers: T,
}

/// What was learned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remembered {
    /// The last of Kick's offers that led to a connection.
    pub realtime: Option<Offer>,
    /// Ids; the oldest comes first.
    pub streamers: Vec<Learned>,
}

/// Something to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// A streamer's ids.
    Streamer(Learned),
    /// The last of Kick's offers that led to a connection.
    Realtime(Offer),
    /// The API may not know until then what these rows show.
    Recent(Vec<RowId>, Timestamp),
}

/// Why there is nothing to be remembered; `Display` says it in a few words.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file could not be opened or read.
    #[error("failed to read it: {0}")]
    Unreadable(#[source] io::Error),
    /// Its content is not ours, and it was set aside.
    #[error("{0}; set aside as learned.json.broken")]
    SetAside(String),
    /// Its content is not ours, and it could not even be set aside.
    #[error("{0}; failed to set it aside: {1}")]
    Stuck(String, #[source] io::Error),
}

/// What was learned before; nothing when there is no file.
pub fn load(dir: &Path) -> Result<Remembered, StateError> {
    let mut text = Vec::new();
    match File::open(dir.join(FILE)).and_then(|file| file.take(FILE_MAX + 1).read_to_end(&mut text)) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Remembered::default()),
        Err(error) => return Err(StateError::Unreadable(error)),
    }
    parse(&text).map_err(|why| match fs::rename(dir.join(FILE), dir.join(BROKEN)) {
        Ok(()) => StateError::SetAside(why),
        Err(error) => StateError::Stuck(why, error),
    })
}

/// Writes a file of `STATE_DIR` anew, never in place; creates the directory if need be.
fn replace(dir: &Path, file: &str, content: &impl Serialize) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o750).create(dir)?;
    let unfinished = dir.join(format!("{file}.new"));
    // One may be left from a crash, with whatever mode it had.
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let mut out = BufWriter::new(File::from(rustix::fs::open(&unfinished, flags, Mode::from_raw_mode(0o640))?));
    serde_json::to_writer(&mut out, content)?;
    out.write_all(b"\n")?;
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    fs::rename(&unfinished, dir.join(file))?;
    // Without this a power cut may undo the rename.
    File::open(dir)?.sync_all()
}

/// Writes the file anew, the last `STREAMERS_MAX` of `streamers`; creates the directory if need be.
pub(crate) fn save(dir: &Path, realtime: Option<&Offer>, streamers: &[&Learned]) -> io::Result<()> {
    let newest = &streamers[streamers.len().saturating_sub(STREAMERS_MAX)..];
    replace(dir, FILE, &Content { version: VERSION, realtime, streamers: newest })
}

/// Reads a file's content, the version first: what else another version has is not known.
fn parse(text: &[u8]) -> Result<Remembered, String> {
    if text.len() as u64 > FILE_MAX {
        return Err(format!("it is longer than {FILE_MAX} bytes"));
    }
    let content: Content<Value, Value> =
        serde_json::from_slice(text).map_err(|error| format!("it is broken: {error}"))?;
    if content.version != VERSION {
        return Err(format!("its version is {}, not {VERSION}", content.version));
    }
    let streamers = Vec::deserialize(content.streamers).map_err(|error| format!("it is broken: {error}"))?;
    // Kick will say it again; the ids are dearer.
    let realtime = content.realtime.and_then(|offer| Offer::deserialize(offer).ok());
    Ok(Remembered { realtime, streamers })
}

#[cfg(test)]
pub(crate) mod tests;
