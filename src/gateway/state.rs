//! The files of `STATE_DIR`: `recent.json`, `webhooks.json`, and `learned.json` with the streamers' ids and the last transport that Kick
//! offered. They are kept over restarts, so that a start need not ask Kick again for all of this.
//!
//! They contain nothing that Kick would not state again, so an unusable file is never fatal. No file is overwritten
//! in place: a reader sees either the old content or the new content, complete.

pub(crate) mod recent;
pub(crate) mod webhooks;

use crate::domain::ask::Learned;
use crate::domain::time::Timestamp;
use crate::domain::way::Offer;
use crate::domain::{RowId, UserId};
use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs::{self, DirBuilder, File};
use std::io::{self, BufWriter, ErrorKind, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// The most streamers that are kept: those learned last.
pub(crate) const STREAMERS_MAX: usize = 200_000;

/// The file's name in `STATE_DIR`.
pub(crate) const FILE: &str = "learned.json";

/// The name given to a file that cannot be used.
const BROKEN: &str = "learned.json.broken";

/// The longest file that is read, in bytes: room for `STREAMERS_MAX` of the longest entries.
const FILE_MAX: u64 = 64 << 20;

/// The version of the format that this program writes and reads.
const VERSION: u32 = 1;

/// What tells how to read the rest.
#[derive(Deserialize)]
struct Header {
    version: u32,
}

#[derive(Serialize, Deserialize)]
struct Content<T, O> {
    version: u32,
    #[serde(default = "Default::default", skip_serializing_if = "Option::is_none")]
    realtime: Option<O>,
    streamers: T,
}

/// The content of `learned.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remembered {
    /// Kick's last offer that led to a connection.
    pub realtime: Option<Offer>,
    /// The streamers' ids, the oldest entry first.
    pub streamers: Vec<Learned>,
}

/// A piece of information for the keeper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// The ids of a streamer.
    Streamer(Learned),
    /// Kick's last offer that led to a connection.
    Realtime(Offer),
    /// Rows whose status the API may not know before this time.
    Recent(Vec<RowId>, Timestamp),
    /// The webhook subscription that was made for this user; none if it is gone.
    Subscribed(UserId, Option<String>),
}

/// Why a file could not be used. `Display` gives a short text.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file could not be opened or read.
    #[error("failed to read it: {0}")]
    Unreadable(#[source] io::Error),
    /// The content is not in our format; the file was renamed.
    #[error("{0}; set aside as learned.json.broken")]
    SetAside(String),
    /// The content is not in our format, and the file could not be renamed.
    #[error("{0}; failed to set it aside: {1}")]
    Stuck(String, #[source] io::Error),
}

/// Reads what was learned before; empty if there is no file.
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

/// Replaces a file of `STATE_DIR` atomically. Creates the directory if necessary.
fn replace(dir: &Path, file: &str, content: &impl Serialize) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o750).create(dir)?;
    let unfinished = dir.join(format!("{file}.new"));
    // A crash may have left one, with any mode.
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
    // Without this, a power failure may undo the rename.
    File::open(dir)?.sync_all()
}

/// Writes `learned.json` with the last `STREAMERS_MAX` of `streamers`. Creates the directory if necessary.
pub(crate) fn save(dir: &Path, realtime: Option<&Offer>, streamers: &[&Learned]) -> io::Result<()> {
    let newest = &streamers[streamers.len().saturating_sub(STREAMERS_MAX)..];
    replace(dir, FILE, &Content { version: VERSION, realtime, streamers: newest })
}

/// Parses a file's content, the version first, because the rest depends on it.
fn parse(text: &[u8]) -> Result<Remembered, String> {
    if text.len() as u64 > FILE_MAX {
        return Err(format!("it is longer than {FILE_MAX} bytes"));
    }
    let broken = |error: serde_json::Error| format!("it is broken: {error}");
    let Header { version } = serde_json::from_slice(text).map_err(broken)?;
    if version != VERSION {
        return Err(format!("its version is {version}, not {VERSION}"));
    }
    let content: Content<Vec<Learned>, Value> = serde_json::from_slice(text).map_err(broken)?;
    let mut streamers = content.streamers;
    // Most have one name, and it is kept once.
    let alike = streamers.iter_mut().filter(|learned| learned.name == learned.slug);
    alike.for_each(|learned| learned.slug = learned.name.clone());
    // Kick will state the offer again; the ids are more valuable.
    let realtime = content.realtime.and_then(|offer| Offer::deserialize(offer).ok());
    Ok(Remembered { realtime, streamers })
}

#[cfg(test)]
pub(crate) mod tests;
