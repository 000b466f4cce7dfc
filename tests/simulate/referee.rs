//! What must hold of several cores together that share one table (R25), after every step. It hears all that they are
//! told and say, sees each row change, and knows the locks and the truth.

use super::database::{Database, Done};
use super::judge::REFUSAL_PAUSE;
use super::kick::{Kick, Moment};
use super::locks::LEASE;
use super::profile::Profile;
use kick_monitor::domain::row::{Shown, WriteId};
use kick_monitor::domain::shards::{Coordination, Hold, Shard};
use kick_monitor::domain::{RowId, Source, Status};
use kick_monitor::monitor::{Asker, Input, Output};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// After this time without a fault, the shards must be shared out.
const SETTLED: Duration = Duration::from_secs(60);

pub(super) struct Referee {
    cores: BTreeMap<usize, Told>,
    /// The last change of each row by a core: by which, when, and to what.
    written: BTreeMap<RowId, (usize, Duration, Status)>,
    /// Until when the event holds for which a core last wrote over what was true in a row.
    insisted: BTreeMap<(usize, RowId), Duration>,
    /// No evidence is false or out of order.
    honest: bool,
    /// How long a row may be wrong when nothing disturbs.
    bound: Duration,
    shards: u16,
    /// The last fault.
    pub disturbed: Duration,
    /// Until then a core may have asked the API in vain.
    pub excused: Duration,
    /// How many rows were changed.
    pub writes: usize,
}

/// What one core was told, and has under way.
#[derive(Default)]
struct Told {
    hold: Option<Hold>,
    held: BTreeSet<Shard>,
    leaving: BTreeSet<Shard>,
    writes: BTreeMap<WriteId, (RowId, Shard)>,
}

/// R12: how long an answer cannot contradict an event that came through a channel id which Kick has not stated.
const UNCONFIRMED: Duration = Duration::from_secs(15);

impl Referee {
    pub(super) fn new(profile: &Profile) -> Referee {
        let honest = profile.cores.iter().all(|conditions| {
            let told_in_time = conditions.tardy == 0.0 && conditions.repeats == 0.0 && conditions.jumps == 0.0;
            conditions.honest() && told_in_time && conditions.lag <= UNCONFIRMED
        });
        let bounds = profile.cores.iter().map(|conditions| conditions.bound(profile.streamers));
        Referee {
            cores: BTreeMap::new(),
            written: BTreeMap::new(),
            insisted: BTreeMap::new(),
            honest: honest && profile.habits.absurd == 0.0 && profile.habits.resumes == 0.0,
            bound: bounds.max().unwrap_or_default(),
            shards: profile.shards,
            disturbed: Duration::ZERO,
            excused: Duration::ZERO,
            writes: 0,
        }
    }

    pub(super) fn hear(&mut self, core: usize, input: &Input) {
        let told = self.cores.entry(core).or_default();
        match input {
            // A process begins.
            Input::Learned(_) => *told = Told::default(),
            Input::Coordination(Coordination::Held { hold, shards, .. }) => {
                if told.hold == Some(*hold) {
                    told.leaving.extend(told.held.difference(shards).copied().collect::<Vec<Shard>>());
                } else {
                    told.leaving.clear();
                }
                told.leaving.retain(|shard| !shards.contains(shard));
                (told.hold, told.held) = (Some(*hold), shards.clone());
            }
            Input::Coordination(_) => {
                (told.hold, told.held) = (None, BTreeSet::new());
                told.leaving.clear();
            }
            Input::Written(written) => written.results.iter().for_each(|(id, _)| drop(told.writes.remove(id))),
            Input::WriterStarted { lane, lanes } => told.writes.retain(|_, (row, _)| row.lane(*lanes) != *lane),
            _ => {}
        }
    }

    /// What a core says.
    pub(super) fn check(&mut self, core: usize, output: &Output, database: &Database) -> Result<(), String> {
        let told = self.cores.entry(core).or_default();
        match output {
            Output::Write(write) => {
                if told.hold.is_none() || write.hold != told.hold {
                    return Err(format!("row {} is written under {:?}, not {:?}", write.row, write.hold, told.hold));
                }
                // A row that was removed meanwhile has no shard any more, and is not written either.
                let shard = database.rows.get(&write.row).map(|record| record.row.shard);
                if shard.is_some_and(|shard| !told.held.contains(&shard)) {
                    return Err(format!("row {} is written and is another core's", write.row));
                }
                told.writes.insert(write.id, (write.row.clone(), shard.unwrap_or_default()));
            }
            Output::Ask(Asker::Api, _) if told.hold.is_some() && told.held.is_empty() => {
                return Err("the API is asked while this core stands by".to_owned());
            }
            Output::Released { hold, shards } => {
                let busy = told.writes.values().find(|(_, shard)| shards.contains(shard));
                if Some(*hold) != told.hold || !shards.is_subset(&told.leaving) || busy.is_some() {
                    return Err(format!("{shards:?} are released of {:?}; under way: {busy:?}", told.leaving));
                }
                told.leaving.retain(|shard| !shards.contains(shard));
            }
            _ => {}
        }
        Ok(())
    }

    /// A write was carried out. `holds_until`: until when what push last told its core of a streamer holds.
    pub(super) fn judge(
        &mut self,
        done: &Done,
        holds_until: impl Fn(usize) -> Duration,
        database: &mut Database,
        kick: &Kick,
    ) -> Result<(), String> {
        let Done { core, row, status, source, at, .. } = done;
        let Some(record) = database.rows.get(row) else { return Ok(()) };
        let (shard, touched) = (record.row.shard, record.touched);
        let n = kick.by_username(&record.row.username);
        let session = done.hold.map_or(0, |hold| hold.0);
        if !database.locks.may_write(session, shard, *at) {
            let holder = database.locks.holder(shard, *at);
            return Err(format!("row {row} of {shard:?} is written under {:?}, and {holder:?} has it", done.hold));
        }
        if !done.changed {
            return Ok(());
        }
        self.writes += 1;
        let before = self.written.insert(row.clone(), (*core, *at, *status));
        let Some(n) = n.filter(|_| self.honest) else { return Ok(()) };
        let streamer = &kick.streamers[n];
        let truth = streamer.now().status();
        let right = before.filter(|(_, when, was)| *was == truth && streamer.since() <= *when && touched < *when);
        let Some((other, when, _)) = right.filter(|_| *status != truth) else { return Ok(()) };
        if *source == Source::Push && self.may_insist(done, holds_until(n)) {
            return Ok(());
        }
        Err(format!(
            "row {row} is made {} by core {core}, and core {other} had written what is true since {:?} at {when:?}",
            status.word(),
            streamer.since()
        ))
    }

    /// R15: what push told within the hold is written over what another core wrote, once for each event, even if a later
    /// event was lost to this core.
    fn may_insist(&mut self, done: &Done, holds_until: Duration) -> bool {
        let before = self.insisted.insert((done.core, done.row.clone()), holds_until);
        done.at < holds_until + LEASE && before != Some(holds_until)
    }

    /// Inspects the table, at intervals. `idle`: the number of cores that can hold nothing at present.
    pub(super) fn inspect(
        &mut self,
        now: Duration,
        idle: usize,
        database: &mut Database,
        kick: &Kick,
    ) -> Result<(), String> {
        if now < self.disturbed.max(database.away_until()) + SETTLED || idle > 0 {
            return Ok(());
        }
        let counts = database.locks.counts(now);
        let most = usize::from(self.shards).div_ceil(self.cores.len().max(1));
        if counts.len() != self.cores.len() || counts.iter().sum::<usize>() != usize::from(self.shards) {
            return Err(format!("{counts:?} of {} shards are held, by {} cores", self.shards, self.cores.len()));
        }
        if counts.iter().any(|count| *count > most) {
            return Err(format!("an unfair share: {counts:?} of {} shards", self.shards));
        }
        self.compare(now, self.bound + Duration::from_secs(120), database, kick)
    }

    /// After the calm, every row is right.
    pub(super) fn inspect_at_end(&self, database: &Database, kick: &Kick) -> Result<(), String> {
        self.compare(Duration::MAX, Duration::ZERO, database, kick)
    }

    fn compare(&self, now: Duration, bound: Duration, database: &Database, kick: &Kick) -> Result<(), String> {
        for (id, record) in &database.rows {
            let Some(n) = kick.by_username(&record.row.username) else { continue };
            let streamer = &kick.streamers[n];
            let right = record.row.shown == Shown::Known(streamer.now().status());
            // Kick does not name a banned streamer anywhere, so nothing is known about a row that was added later.
            if right || streamer.now() == Moment::Banned || !self.honest && now != Duration::MAX {
                continue;
            }
            let withheld = record.locked_until.max(record.ill_until).max(record.timed_out) + REFUSAL_PAUSE;
            let since = streamer.since().max(record.touched).max(self.disturbed).max(self.excused).max(withheld);
            if now > since + bound {
                return Err(format!(
                    "row {id} shows {:?}, but {} is {:?} since {:?}",
                    record.row.shown,
                    streamer.slug,
                    streamer.now(),
                    streamer.since()
                ));
            }
        }
        Ok(())
    }
}
