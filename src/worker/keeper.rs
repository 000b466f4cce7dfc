//! Keeps what was learned over restarts, and which rows changed lately: takes each piece as it comes and writes the
//! files, not more often than needed.
//!
//! A file that cannot be written is said and tried again; it never ends the thread, for the daemon
//! works without it.

mod recents;

use crate::clock::{Clock, Pulse};
use crate::domain::ask::Learned;
use crate::domain::event::Event;
use crate::domain::row::Recent;
use crate::domain::time::Timestamp;
use crate::domain::way::Offer;
use crate::domain::{Slug, Steady};
use crate::gateway::state::{self, Keep, Remembered, recent};
use crate::repeats::Repeats;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use recents::Recents;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long changes are gathered before they are written.
const GATHER: Duration = Duration::from_secs(5);

/// How long to wait after a write that failed.
const RETRY: Duration = Duration::from_secs(60);

/// How long to wait when there is nothing to write.
const IDLE: Duration = Duration::from_secs(30);

/// What a write may take: however long a disk hangs, that is no reason to end the process.
const WRITING: Duration = Duration::MAX;

/// How many more than a file holds are remembered before the oldest are let go, all at once: to look for them each
/// time would cost more than all else.
const SPARE: usize = 20_000;

/// The worker.
#[derive(Clone, Debug)]
pub(crate) struct Keeper {
    /// `STATE_DIR`
    pub dir: PathBuf,
    /// What [`recall`] gave.
    pub known: Remembered,
    /// What is learned. Unbounded: everything is said once, and when it changes.
    pub learned: Receiver<Keep>,
    /// The time.
    pub clock: Clock,
    /// The sign of life.
    pub pulse: Pulse,
}

/// What was learned before. A file that cannot be used is said in the log, and nothing is known.
pub(crate) fn recall(dir: &Path) -> Remembered {
    state::load(dir).unwrap_or_else(|error| {
        say(dir, state::FILE, error.to_string());
        Remembered::default()
    })
}

/// Whose change the API may not know of yet. A file that cannot be used is said in the log, and any row may be one.
pub(crate) fn recall_recent(dir: &Path, now: Timestamp) -> Recent {
    let (recent, why) = recent::load(dir, now);
    if let Some(why) = why {
        say(dir, recent::FILE, why);
    }
    recent
}

impl Keeper {
    /// Keeps until the core hangs up, then writes what is not yet written.
    pub(crate) fn run(mut self) -> anyhow::Result<()> {
        let Remembered { realtime, streamers } = std::mem::take(&mut self.known);
        let mut memory = Memory::of(realtime, streamers);
        let mut recents = Recents::default();
        let mut repeats = Repeats::default();
        // When to write what was learned; none while the file is as it should be.
        let mut due: Option<Steady> = None;
        loop {
            let now = self.clock.steady();
            let wait = due.into_iter().chain(recents.due(now)).min().map_or(IDLE, |due| due.since(now));
            self.pulse.promise(wait + IDLE);
            match self.learned.recv_timeout(wait) {
                Ok(Keep::Recent(rows, until)) => recents.keep(rows, until),
                Ok(learned) => {
                    if memory.keep(learned) && due.is_none() {
                        due = Some(self.clock.steady() + GATHER);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.pulse.promise(WRITING);
                    if recents.due(now).is_some() {
                        self.write_recent(&mut recents, true, &mut repeats);
                    }
                    if due.is_some() {
                        self.write(&memory, &mut repeats);
                    }
                    return Ok(());
                }
            }
            let now = self.clock.steady();
            self.pulse.promise(WRITING);
            if recents.due(now).is_some_and(|due| now >= due) {
                self.write_recent(&mut recents, false, &mut repeats);
            }
            if due.is_some_and(|due| now >= due) {
                due = if self.write(&memory, &mut repeats) { None } else { Some(now + RETRY) };
            }
        }
    }

    /// Writes the file of what was learned; whether that went well.
    fn write(&self, memory: &Memory, repeats: &mut Repeats) -> bool {
        let done = state::save(&self.dir, memory.realtime.as_ref(), &memory.oldest_first());
        self.report(state::FILE, done, repeats)
    }

    /// Writes the file of the rows that changed lately; `last`: none can follow.
    fn write_recent(&self, recents: &mut Recents, last: bool, repeats: &mut Repeats) {
        let (any_until, rows) = recents.content(self.clock.now(), last);
        let done = recent::save(&self.dir, any_until, rows);
        if self.report(recent::FILE, done, repeats) {
            recents.saved(self.clock.steady());
        } else {
            // What it says is out of date, which is worse than nothing.
            let _ = recent::remove(&self.dir);
            recents.failed(self.clock.steady() + RETRY);
        }
    }

    fn report(&self, file: &str, done: io::Result<()>, repeats: &mut Repeats) -> bool {
        match done {
            Ok(()) => {
                if repeats.works(file) {
                    say(&self.dir, file, "written again".to_owned());
                }
                true
            }
            Err(error) => {
                let reason = format!("failed to write it: {error}");
                if repeats.fails(self.clock.steady(), file, &reason) {
                    say(&self.dir, file, reason);
                }
                false
            }
        }
    }
}

/// What is known, and in which order it was learned. Who left the roster stays, and is known at once
/// when coming back; the file's own limit lets the oldest go.
#[derive(Debug, Default)]
struct Memory {
    realtime: Option<Offer>,
    streamers: BTreeMap<Slug, (u64, Learned)>,
    count: u64,
}

impl Memory {
    /// All at once, for a map that grows in order leaves its nodes half empty.
    fn of(realtime: Option<Offer>, streamers: Vec<Learned>) -> Memory {
        let numbered: BTreeMap<Slug, (u64, Learned)> =
            (1..).zip(streamers).map(|(order, learned)| (learned.name.clone(), (order, learned))).collect();
        let count = numbered.values().map(|(order, _)| *order).max().unwrap_or_default();
        Memory { realtime, streamers: numbered, count }
    }

    /// Whether this is new.
    fn keep(&mut self, keep: Keep) -> bool {
        match keep {
            Keep::Streamer(learned) => self.learn(learned),
            Keep::Realtime(offer) => self.realtime.replace(offer.clone()) != Some(offer),
            Keep::Recent(..) => false,
        }
    }

    fn learn(&mut self, learned: Learned) -> bool {
        if self.streamers.get(&learned.name).is_some_and(|(_, known)| *known == learned) {
            return false;
        }
        self.count += 1;
        self.streamers.insert(learned.name.clone(), (self.count, learned));
        if self.streamers.len() > state::STREAMERS_MAX + SPARE {
            let kept = self.newest();
            if let Some(oldest) = kept.first().map(|(order, _)| *order) {
                self.streamers.retain(|_, (order, _)| *order >= oldest);
            }
        }
        true
    }

    /// As many as a file holds, the latest learned, the oldest of them first.
    fn newest(&self) -> Vec<&(u64, Learned)> {
        let mut streamers: Vec<_> = self.streamers.values().collect();
        streamers.sort_unstable_by_key(|(order, _)| *order);
        streamers.split_off(streamers.len().saturating_sub(state::STREAMERS_MAX))
    }

    fn oldest_first(&self) -> Vec<&Learned> {
        self.newest().into_iter().map(|(_, learned)| learned).collect()
    }
}

fn say(dir: &Path, file: &str, reason: String) {
    Event::StateFile { file: dir.join(file).display().to_string(), reason }.say();
}

#[cfg(test)]
mod tests;
