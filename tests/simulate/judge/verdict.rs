//! The verdicts: whether a write is right by all that could be known, and whether the table came right.

use super::roster::OVERRULED_MAX;
use super::{API_LAG, Judge, REFUSAL_PAUSE, STALE_LIVE};
use crate::simulate::conditions::Conditions;
use crate::simulate::database::{Record, begins_later};
use crate::simulate::kick::{Kick, Moment, Streamer};
use kick_monitor::domain::row::{Shown, Write};
use kick_monitor::domain::{Now, Source, Status};
use std::collections::BTreeSet;
use std::time::Duration;

/// What an answer said is acted upon within this, and none after it: second looks, R6.
const ACTED_UPON: Duration = Duration::from_secs(600);
/// R6: how long a streamer whom Kick names nowhere is not taken for Offline.
pub(in crate::simulate) const VANISHED: Duration = Duration::from_secs(600);

/// R26: how long before it is written a status was decided upon at least, for an Offline has to stand.
fn delay(status: Status, conditions: &Conditions) -> Duration {
    if status == Status::Offline { conditions.settings.offline_delay } else { Duration::ZERO }
}

/// A write that a core gives out now. It may have decided upon it long before.
#[derive(Clone, Copy)]
struct Case<'a> {
    now: Duration,
    decided: Duration,
    /// The streamer.
    n: usize,
    write: &'a Write,
}

impl Judge {
    pub(super) fn check_write(
        &mut self,
        clock: Now,
        write: &Write,
        kick: &Kick,
        conditions: &Conditions,
    ) -> Result<(), String> {
        let now = clock.steady.elapsed();
        let ago = Duration::try_from(clock.wall.duration_since(write.changed_at)).unwrap_or_default();
        self.writes += 1;
        if self.in_flight.values().any(|other| other.row == write.row) {
            return Err(format!("row {} has a write in flight already", write.row));
        }
        let Some(known) = self.rows.get_mut(&write.row) else {
            return Err(format!("row {} is not in the roster", write.row));
        };
        if known.username != write.username {
            return Err(format!("row {} is {:?}, not {:?}", write.row, known.username, write.username));
        }
        if write.start_only {
            let told = known.shown.is_none_or(|shown| shown == Shown::Known(Status::Online));
            let later = write.started_at.is_some_and(|start| begins_later(start, known.start));
            self.in_flight.insert(write.id, write.clone());
            return if told && later { Ok(()) } else { Err(format!("row {} needs no start: {write:?}", write.row)) };
        }
        // R21: what was written over that many times in a row is taken as written.
        if known.shown == Some(Shown::Known(write.status)) && known.overruled.1 < OVERRULED_MAX {
            return Err(format!("row {} shows {} already", write.row, write.status.word()));
        }
        let shown = known.shown;
        let before = known.last;
        // R26: an Offline that was written before has stood.
        let stood = known.online.is_none_or(|online| now >= online + conditions.settings.offline_delay);
        let again = before.is_some_and(|(_, status)| status == Status::Offline);
        if write.status == Status::Offline && !stood && !again && shown != Some(Shown::Unknown) {
            return Err(format!("row {} is written Offline and has not stood for long enough", write.row));
        }
        if write.status == Status::Online {
            known.online = Some(now);
        }
        // What was committed once and is written again has been decided upon anew.
        let done = |at: Duration| known.committed.is_some_and(|committed| committed >= at);
        if before.is_none_or(|(at, status)| status != write.status || done(at)) {
            known.last = Some((now, write.status));
        }
        let (edited, committed) = (known.edited, known.committed);
        self.in_flight.insert(write.id, write.clone());
        self.expected.remove(&write.row);
        if self.wrong_hints {
            // Push through a channel id that the table gives is believed until Kick states another (R12).
            return Ok(());
        }
        let Some(n) = kick.by_username(&write.username) else {
            // R6: whom Kick does not name for long is not live.
            if write.status == Status::Offline {
                return Ok(());
            }
            return Err(format!("nothing can be known of {:?}", write.username));
        };
        let taken_back = |(_, status): &(Duration, Status)| *status != write.status;
        let pushed = self.told.get(&n).is_some_and(|told| now < told.at + conditions.settings.hold);
        // What was given out since has been decided upon.
        let since =
            |(at, _): &(Duration, Status)| !before.is_some_and(|(done, status)| status == write.status && done >= *at);
        let taken_back_since = edited.filter(taken_back).filter(since);
        if let (Some((edited, _)), Source::Sweep, false) = (taken_back_since, write.source, pushed) {
            self.check_taken_back(n, write, edited, kick)?;
        }
        self.check_resumption(now, n, write, before, &kick.streamers[n], conditions)?;
        let case = Case { now, decided: now.saturating_sub(ago), n, write };
        if self.check_insisting(case, before, conditions)? {
            return Ok(());
        }
        // A status that is sent again, to a database that was away or undid it, was decided upon when it was
        // first sent; so is one that a hand took out of the row (R15).
        let emptied = shown == Some(Shown::Unknown);
        let open = |at: Duration| shown.is_none() || emptied || committed.is_none_or(|committed| committed < at);
        let repeated = before.is_some_and(|(at, status)| status == write.status && open(at));
        // R13: from Unknown one answer is enough, and it may be a lie.
        let first = before.is_none() && shown == Some(Shown::Unknown) && !self.is_honest(conditions);
        if kick.streamers[n].now().status() == write.status || repeated || first {
            return Ok(());
        }
        // R5: nothing but an answer makes anybody Offline by the sweep; one that says Online ends that (R8).
        let present = self.present.get(&n).copied().unwrap_or_default();
        let absent = self.absent.get(&n).is_some_and(|at| present <= *at + ACTED_UPON);
        if write.status == Status::Offline && write.source == Source::Sweep && !absent {
            return Err(format!("row {} is written Offline, and no answer said so", write.row));
        }
        // What somebody else wrote since is as good as what this core wrote.
        let before = edited.filter(taken_back).max(before);
        self.check_flap(case, before, kick, conditions)?;
        self.check_false(case, kick, conditions)
    }

    /// R13, R15: what the table shows since it was edited, or at the start, is taken back by an answer to a question of
    /// a lag later alone; unless the API knew of it meanwhile, or something has changed since.
    fn check_taken_back(&self, n: usize, write: &Write, edited: Duration, kick: &Kick) -> Result<(), String> {
        let (said, borne_out) = match write.status {
            Status::Online => (&self.present, &self.absent),
            Status::Offline => (&self.absent, &self.present),
        };
        let news = kick.streamers[n].last_began(write.status) > edited
            || borne_out.get(&n).is_some_and(|started| *started >= edited);
        let due = if news { edited } else { edited + API_LAG };
        if said.get(&n).is_some_and(|started| *started >= due) {
            return Ok(());
        }
        Err(format!("row {} is written {}, and no answer since its edit said so", write.row, write.status.word()))
    }

    /// R1, R7: a broadcast whose stop was believed goes on only if a live event of it came 5 s later or more and an
    /// answer bore that out, or after the hold.
    fn check_resumption(
        &self,
        now: Duration,
        n: usize,
        write: &Write,
        before: Option<(Duration, Status)>,
        streamer: &Streamer,
        conditions: &Conditions,
    ) -> Result<(), String> {
        let stop = self.stopped.get(&n).filter(|(_, at)| before == Some((*at, Status::Offline)));
        let Some((stopped, at)) = stop.filter(|_| write.status == Status::Online) else { return Ok(()) };
        // R7: after ten minutes, two answers are enough to know that it runs again. An event with the id of another
        // broadcast than the one that runs tells of a new one by its start.
        let told = self.told.get(&n).filter(|_| !streamer.misnamed);
        let told = told.is_some_and(|told| told.last == *stopped && told.at < *at + STALE_LIVE);
        // R12: push through an id that was not confirmed has no hold.
        let held = self.told.get(&n).is_some_and(|told| told.at == *at && told.confirmed);
        let shown = self.shown_start.get(&n).copied().flatten();
        let goes_on = shown.is_some() && shown == streamer.start_of(*stopped) && now < *at + conditions.settings.hold;
        let witnessed = self.repeated.get(&n).is_some_and(|repeated| repeated > at);
        match write.source {
            Source::Push if told => Err(format!("row {} is Online again, and no answer bore it out", write.row)),
            Source::Sweep if held && goes_on && !witnessed => {
                Err(format!("row {} is Online again within the hold, as before the stop", write.row))
            }
            _ => Ok(()),
        }
    }

    /// R15: what push told within the hold is written over what somebody else wrote since: once for each event, or two
    /// cores that heard different things would have the row flap. Whether this write is one of those.
    fn check_insisting(
        &mut self,
        Case { now, n, write, .. }: Case<'_>,
        before: Option<(Duration, Status)>,
        conditions: &Conditions,
    ) -> Result<bool, String> {
        let said = if write.status == Status::Online { &self.present } else { &self.absent };
        let told = self.told_so.get(&(n, write.status)).copied();
        let told = told.filter(|at| now < *at + conditions.settings.hold);
        let Some((known, told)) = self.rows.get_mut(&write.row).zip(told) else { return Ok(false) };
        let edited = known.others.filter(|(at, status)| *status != write.status && *at > told);
        let Some((edited, _)) = edited else { return Ok(false) };
        let other = if write.status == Status::Online { Status::Offline } else { Status::Online };
        let told_otherwise = |since: Duration| self.told_so.get(&(n, other)).is_some_and(|at| *at > since);
        if before.is_some_and(|(at, status)| at < told && (status == other || told_otherwise(at))) {
            // It is news, whatever others wrote.
            return Ok(true);
        }
        if write.source == Source::Sweep && said.get(&n).is_some_and(|started| *started >= edited) {
            // The answer to a later question has told so.
            return Ok(true);
        }
        let insisted = known.insisted.replace((now, write.status));
        match insisted.filter(|(at, status)| *status == write.status && *at >= told && *at < edited) {
            Some(_) => Err(format!("row {} is written over once more for the sake of one push event", write.row)),
            None => Ok(true),
        }
    }

    /// R7, R9: what was rightly written is not taken back while nothing changed, as long as the API
    /// only trails and push is only lost, late, repeated or out of order.
    fn check_flap(
        &self,
        Case { now, decided, n, write }: Case<'_>,
        before: Option<(Duration, Status)>,
        kick: &Kick,
        conditions: &Conditions,
    ) -> Result<(), String> {
        let streamer = &kick.streamers[n];
        // R1: where the same broadcast has resumed, what push tells of it is only a question.
        let resumed =
            matches!(streamer.now(), Moment::Live(runs) if streamer.first_ran(runs.id) < Some(streamer.since()));
        let announced = !resumed && self.announced.get(&n).is_some_and(|at| streamer.since() <= *at);
        // A pause that ends before an Offline has stood may be no news yet.
        if streamer.since() + delay(write.status, conditions) > now {
            return Ok(());
        }
        let right_before = before.is_some_and(|(at, _)| streamer.since() <= at || announced);
        // A broadcast, or a pause that push told nothing of, is news all the same when it was so short
        // that an endpoint told of it only when it was over.
        let unseen = (write.status == Status::Online || !announced)
            && before.is_some_and(|(at, status)| {
                streamer.last_began(write.status) + conditions.stale() + delay(status, conditions) > at
            });
        // R2: a late stop of a broadcast that push never told of may be that of the one that runs.
        let stranger = self.told.get(&n).is_some_and(|told| told.before < Some(told.last));
        let late_stop = write.status == Status::Offline && write.source == Source::Push && stranger && !announced;
        // R1: what looks like a resumption, and an endpoint that has not heard of the end and says so when asked later.
        let borne_out = |at: &Duration| self.present.get(&n).is_some_and(|started| started >= at);
        let repeated = self.repeated.get(&n).is_some_and(|at| now <= *at + conditions.stale() && borne_out(at));
        let repeated = repeated && write.status == Status::Online && write.source == Source::Sweep;
        // R12: push through an id that was not confirmed has no hold; R1: nor has what is only a question.
        let confirmed = self.confirmed_when_told.get(&n) == Some(&true)
            && self.unconfirmed_at.get(&n).is_none_or(|at| *at < decided)
            && !streamer.misnamed;
        // Its own stop, which comes when it has resumed already.
        let excused = repeated || write.status == Status::Offline && !self.resumed_until(n, streamer).is_zero();
        if right_before && !unseen && !late_stop && !excused && self.is_honest(conditions) && confirmed {
            return Err(format!("row {} flaps: it was written rightly before, and nothing has changed", write.row));
        }
        Ok(())
    }

    /// A status that has not been true for longer than any evidence is late is never written, unless the
    /// machine was not told otherwise.
    fn check_false(
        &mut self,
        Case { now, decided, n, write }: Case<'_>,
        kick: &Kick,
        conditions: &Conditions,
    ) -> Result<(), String> {
        let streamer = &kick.streamers[n];
        let stale = conditions.stale() + delay(write.status, conditions);
        // The stop of a short pause may come when the broadcast has gone on for long.
        let own_stop = write.status == Status::Offline && self.resumed_until(n, streamer) > now;
        let told_later = self.stopped.get(&n).is_some_and(|(_, at)| *at >= decided);
        if streamer.has_been(write.status, now.saturating_sub(stale))
            || own_stop && (write.source == Source::Push || told_later)
        {
            return Ok(());
        }
        let settled = streamer.since() + stale;
        // R7: what an endpoint told is held for a minute against the broadcast that it saw end.
        let absent = self.absent.get(&n).is_some_and(|at| *at <= settled && now <= *at + API_LAG);
        if write.status == Status::Offline && absent {
            return Ok(());
        }
        let told = self.evidence.get(&n).into_iter().flatten().filter(|(started, _)| *started >= settled);
        let (told, explicit) = told.fold((0, 0), |(told, explicit), (_, said)| (told + 1, explicit + u32::from(*said)));
        // Rows that name one streamer may each have been asked about by themselves.
        let rows = self.rows.values().filter(|known| kick.by_username(&known.username) == Some(n)).count();
        if told < 3 * rows || explicit == 0 {
            return Ok(());
        }
        // R8 believes one answer, and R10 lets two of its changes pass.
        if conditions.lies > 0.0 && write.status == Status::Online && write.source == Source::Sweep {
            if self.lied.0 != now {
                self.lied = (now, BTreeSet::new());
            }
            // R16: several rows of one streamer are one change.
            self.lied.1.insert(n);
            if self.lied.1.len() <= 2 {
                return Ok(());
            }
        }
        Err(format!(
            "row {} is {:?} since {:?}, not {}",
            write.row,
            streamer.now(),
            streamer.since(),
            write.status.word()
        ))
    }

    /// Until when a stop that push told of, of the broadcast that runs, keeps the row Offline (R7).
    fn resumed_until(&self, n: usize, streamer: &Streamer) -> Duration {
        match (streamer.now(), self.stopped.get(&n)) {
            // R2: a stop whose id is no broadcast's may have been meant for it; and where its own id is not known, so
            // may any other.
            (Moment::Live(runs), Some((stopped, at)))
                if runs.id == *stopped
                    || streamer.misnamed
                    || streamer.start_of(*stopped).is_none() && streamer.ran_before(runs.id, *at) =>
            {
                *at + STALE_LIVE
            }
            _ => Duration::ZERO,
        }
    }

    /// No evidence is false.
    fn is_honest(&self, conditions: &Conditions) -> bool {
        conditions.honest() && !self.wrong_hints
    }

    /// Whether a request about this one by itself failed, and nothing has shown since that it works.
    pub(in crate::simulate) fn is_failing(&self, n: usize) -> bool {
        self.failing.iter().any(|(failing, _)| *failing == n)
    }

    /// When push last told of a streamer.
    pub(in crate::simulate) fn told_at(&self, n: usize) -> Duration {
        self.told.get(&n).map_or(Duration::ZERO, |told| told.at)
    }

    /// Whether this core should have put a wrong row right by now. `bound`: how long that may take after the last
    /// thing that excuses it; `excused`: when other things than push were last to blame.
    pub(in crate::simulate) fn is_late(
        &self,
        now: Duration,
        record: &Record,
        (n, streamer): (usize, &Streamer),
        bound: Duration,
        excused: Duration,
    ) -> bool {
        let changed = record.changed_by_others(self.core);
        let came_later = record.row.shown == Shown::Unknown || changed > streamer.since();
        if streamer.now() == Moment::Banned && came_later {
            // Kick names them nowhere, so a row that came later can know nothing.
            return false;
        }
        let vanished = if streamer.now() == Moment::Banned { VANISHED } else { Duration::ZERO };
        // R21: the pause after a refusal, from its answer on; nothing excuses a row for what another one does.
        let withheld = record.locked_until.max(record.ill_until).max(record.timed_out) + REFUSAL_PAUSE;
        let misled = self.misled.get(&n).copied().unwrap_or_default().max(self.resumed_until(n, streamer));
        // R15: what others wrote, another core or a person, stands for a lag of the API.
        let changed = if changed.is_zero() { Duration::ZERO } else { changed + API_LAG };
        // R6: a name that Kick did not know is asked about every ten minutes.
        let back = streamer.back_since().map_or(Duration::ZERO, |at| at + VANISHED);
        let since = streamer.since().max(changed).max(excused).max(misled).max(back) + vanished;
        now > (since + bound).max(withheld)
    }
}
