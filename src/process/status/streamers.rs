//! The streamers, read from the file that the daemon writes, one after the other.

use super::STREAMERS;
use crate::domain::report::Streamer;
use anyhow::Context;
use std::fs::File;
use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};

/// The lines of the file, each with what it says.
pub(super) struct Streamers {
    path: PathBuf,
    lines: Lines<BufReader<File>>,
}

impl Streamers {
    pub(super) fn open(run_dir: &Path) -> anyhow::Result<Streamers> {
        let path = run_dir.join(STREAMERS);
        let file = File::open(&path)
            .with_context(|| format!("failed to read {}; try again in a few seconds", path.display()))?;
        Ok(Streamers { path, lines: BufReader::new(file).lines() })
    }
}

impl Iterator for Streamers {
    type Item = anyhow::Result<(String, Streamer)>;

    fn next(&mut self) -> Option<Self::Item> {
        let path = self.path.display();
        let line = self.lines.next()?.with_context(|| format!("failed to read {path}"));
        Some(line.and_then(|line| {
            let told = serde_json::from_str(&line)
                .with_context(|| format!("{path} was written by another version of kick-monitor"))?;
            Ok((line, told))
        }))
    }
}
