//! The thread `keeper`: keeps what was learned, which rows changed lately, and which webhook subscriptions were made, in
//! `STATE_DIR`. It takes each piece
//! when it arrives and writes the files no more often than needed.
//!
//! A file that cannot be written is logged and tried again. That never ends the thread, because the daemon works
//! without the files.

mod recents;

use crate::clock::{Clock, Pulse};
use crate::domain::ask::Learned;
use crate::domain::event::Event;
use crate::domain::row::Recent;
use crate::domain::time::Timestamp;
use crate::domain::way::Offer;
use crate::domain::{Slug, Steady, UserId};
use crate::gateway::state::{self, Keep, Remembered, recent, webhooks};
use crate::repeats::Repeats;
use crate::stop::Stop;
use crate::worker::Worker;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use recents::Recents;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long learned ids are collected before they are written.
const GATHER: Duration = Duration::from_secs(5);

/// The pause after a failed write.
const RETRY: Duration = Duration::from_secs(60);

/// The longest wait when there is nothing to write.
const IDLE: Duration = Duration::from_secs(30);

/// What the pulse allows for a write: a disk that hangs must not end the process.
const WRITING: Duration = Duration::MAX;

/// How many entries beyond the file's limit are kept in memory before the oldest are removed, all at once: searching
/// for the oldest at every insertion would cost more than everything else.
const SPARE: usize = 20_000;

#[derive(Clone, Debug)]
pub(crate) struct Keeper {
    /// `STATE_DIR`
    pub dir: PathBuf,
    /// The result of [`recall`].
    pub known: Remembered,
    /// The result of [`recall_webhooks`].
    pub made: BTreeMap<UserId, String>,
    /// What is learned. Unbounded: every piece is sent once, and again only if it changes.
    pub learned: Receiver<Keep>,
    pub clock: Clock,
}

/// Reads what was learned before. If the file cannot be used, that is logged, and nothing is known.
pub(crate) fn recall(dir: &Path) -> Remembered {
    state::load(dir).unwrap_or_else(|error| {
        say(dir, state::FILE, error.to_string());
        Remembered::default()
    })
}

/// Reads the rows whose change the API may not know yet. If the file cannot be used, that is logged, and it may be
/// any row.
pub(crate) fn recall_recent(dir: &Path, now: Timestamp) -> Recent {
    let (recent, why) = recent::load(dir, now);
    if let Some(why) = why {
        say(dir, recent::FILE, why);
    }
    recent
}

/// Reads which webhook subscriptions were made. If the file cannot be used, that is logged, and none are known.
pub(crate) fn recall_webhooks(dir: &Path) -> BTreeMap<UserId, String> {
    webhooks::load(dir).unwrap_or_else(|why| {
        say(dir, webhooks::FILE, why);
        BTreeMap::new()
    })
}

impl Worker for Keeper {
    /// Collects until the core hangs up, then writes what is not written yet. It does not look at the stop: the hub may
    /// still send what is to be kept.
    fn run(mut self, pulse: &Pulse, _: &Stop) -> anyhow::Result<()> {
        let Remembered { realtime, streamers } = std::mem::take(&mut self.known);
        let mut memory = Memory::of(realtime, streamers);
        let mut made = std::mem::take(&mut self.made);
        let mut recents = Recents::default();
        let mut repeats = Repeats::default();
        // When to write what was learned; `None` while the file is up to date.
        let mut due: Option<Steady> = None;
        let mut made_due: Option<Steady> = None;
        loop {
            let now = self.clock.steady();
            let wait = due.into_iter().chain(recents.due(now)).chain(made_due).min().map_or(IDLE, |due| due.since(now));
            pulse.promise(wait + IDLE);
            match self.learned.recv_timeout(wait) {
                Ok(Keep::Recent(rows, until)) => recents.keep(rows, until),
                Ok(Keep::Subscribed(user, id)) => {
                    match id {
                        Some(id) => drop(made.insert(user, id)),
                        None => drop(made.remove(&user)),
                    }
                    made_due = made_due.or(Some(self.clock.steady() + GATHER));
                }
                Ok(learned) => {
                    if memory.keep(learned) && due.is_none() {
                        due = Some(self.clock.steady() + GATHER);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    pulse.promise(WRITING);
                    if recents.due(now).is_some() {
                        self.write_recent(&mut recents, true, &mut repeats);
                    }
                    if due.is_some() {
                        self.write(&memory, &mut repeats);
                    }
                    if made_due.is_some() {
                        self.report(webhooks::FILE, webhooks::save(&self.dir, &made), &mut repeats);
                    }
                    return Ok(());
                }
            }
            let now = self.clock.steady();
            pulse.promise(WRITING);
            if recents.due(now).is_some_and(|due| now >= due) {
                self.write_recent(&mut recents, false, &mut repeats);
            }
            if due.is_some_and(|due| now >= due) {
                due = if self.write(&memory, &mut repeats) { None } else { Some(now + RETRY) };
            }
            if made_due.is_some_and(|due| now >= due) {
                let done = self.report(webhooks::FILE, webhooks::save(&self.dir, &made), &mut repeats);
                made_due = if done { None } else { Some(now + RETRY) };
            }
        }
    }
}

impl Keeper {
    /// Writes the file of what was learned. Returns true on success.
    fn write(&self, memory: &Memory, repeats: &mut Repeats) -> bool {
        let done = state::save(&self.dir, memory.realtime.as_ref(), &memory.oldest_first());
        self.report(state::FILE, done, repeats)
    }

    /// Writes the file of the rows that changed lately. `last`: no further write follows.
    fn write_recent(&self, recents: &mut Recents, last: bool, repeats: &mut Repeats) {
        let (any_until, rows) = recents.content(self.clock.now(), last);
        let done = recent::save(&self.dir, any_until, rows);
        if self.report(recent::FILE, done, repeats) {
            recents.saved(self.clock.steady());
        } else {
            // Its content is out of date, which is worse than no file.
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

/// What is known, in the order in which it was learned. Streamers who left the roster stay, so that their ids are
/// known at once if they come back; when the file is full, the oldest entries are dropped.
#[derive(Debug, Default)]
struct Memory {
    realtime: Option<Offer>,
    streamers: BTreeMap<Slug, (u64, Learned)>,
    count: u64,
}

impl Memory {
    /// Builds the map from a complete list: a map that grows in key order leaves its nodes half empty.
    fn of(realtime: Option<Offer>, streamers: Vec<Learned>) -> Memory {
        let numbered: BTreeMap<Slug, (u64, Learned)> =
            (1..).zip(streamers).map(|(order, learned)| (learned.name.clone(), (order, learned))).collect();
        let count = numbered.values().map(|(order, _)| *order).max().unwrap_or_default();
        Memory { realtime, streamers: numbered, count }
    }

    /// Adds a piece. Returns true if it is new.
    fn keep(&mut self, keep: Keep) -> bool {
        match keep {
            Keep::Streamer(learned) => self.learn(learned),
            Keep::Realtime(offer) => self.realtime.replace(offer.clone()) != Some(offer),
            Keep::Recent(..) | Keep::Subscribed(..) => false,
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

    /// The entries for the file: the latest, up to its limit, the oldest of them first.
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
