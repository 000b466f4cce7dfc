//! The verdicts: whether a write is right by all that could be known, and whether the table came right.

use super::super::database::Database;
use super::super::profile::Profile;
use super::super::world::{Kick, Moment, Streamer};
use super::{API_LAG, Judge, MINUTE, STALE_LIVE};
use kick_monitor::domain::row::{Shown, Write};
use kick_monitor::domain::{Source, Status};
use std::time::Duration;

/// What an answer said is acted upon within this, and none after it: second looks, R6.
const ACTED_UPON: Duration = Duration::from_secs(600);
/// R6: for so long whom Kick names nowhere is not said to be Offline.
const VANISHED: Duration = Duration::from_secs(600);

impl Judge {
    pub(super) fn check_write(
        &mut self,
        now: Duration,
        write: &Write,
        kick: &Kick,
        profile: &Profile,
    ) -> Result<(), String> {
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
        if known.shown == Some(Shown::Known(write.status)) {
            return Err(format!("row {} shows {} already", write.row, write.status.word()));
        }
        let shown = known.shown;
        let before = known.last;
        if before.is_none_or(|(_, status)| status != write.status) {
            known.last = Some((now, write.status));
        }
        let (edited, committed) = (known.edited, known.committed);
        self.in_flight.insert(write.id, write.clone());
        if profile.wrong_hints {
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
        let pushed = self.told.get(&n).is_some_and(|told| now < told.at + profile.settings.hold);
        if let (Some((edited, _)), Source::Sweep, false) = (edited.filter(taken_back), write.source, pushed) {
            self.check_taken_back(n, write, edited, kick)?;
        }
        // A status that is sent again, to a database that was away or undid it, was decided upon when it was
        // first sent; so is one that a hand took out of the row (R15).
        let emptied = shown == Some(Shown::Unknown);
        let open = |at: Duration| shown.is_none() || emptied || committed.is_none_or(|committed| committed < at);
        let repeated = before.is_some_and(|(at, status)| status == write.status && open(at));
        // R13: from Unknown one answer is enough, and it may be a lie.
        let first = before.is_none() && shown == Some(Shown::Unknown) && !profile.honest();
        if kick.streamers[n].now().status() == write.status || repeated || first {
            return Ok(());
        }
        // R5: nothing but an answer makes anybody Offline by the sweep; one that says Online ends that (R8).
        let present = self.present.get(&n).copied().unwrap_or_default();
        let absent = self.absent.get(&n).is_some_and(|at| present <= *at + ACTED_UPON);
        if write.status == Status::Offline && write.source == Source::Sweep && !absent {
            return Err(format!("row {} is written Offline, and no answer said so", write.row));
        }
        self.check_flap(now, n, write, before, kick, profile)?;
        self.check_false(now, n, write, kick, profile)
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

    /// R7, R9: what was rightly written is not taken back while nothing changed, as long as the API
    /// only trails and push is only lost, late, repeated or out of order.
    fn check_flap(
        &self,
        now: Duration,
        n: usize,
        write: &Write,
        before: Option<(Duration, Status)>,
        kick: &Kick,
        profile: &Profile,
    ) -> Result<(), String> {
        let streamer = &kick.streamers[n];
        let announced = self.announced.get(&n).is_some_and(|at| streamer.since() <= *at);
        let right_before = before.is_some_and(|(at, _)| streamer.since() <= at || announced);
        // A broadcast, or a pause that push told nothing of, is news all the same when it was so short
        // that an endpoint told of it only when it was over.
        let unseen = (write.status == Status::Online || !announced)
            && before.is_some_and(|(at, _)| streamer.last_began(write.status) + profile.stale() > at);
        // R2: a late stop of a broadcast that push never told of may be that of the one that runs.
        let stranger = self.told.get(&n).is_some_and(|told| told.before < Some(told.last));
        let late_stop = write.status == Status::Offline && write.source == Source::Push && stranger && !announced;
        // R1: what looks like a resumption, and an endpoint that has not heard of the end.
        let resumed = self.repeated.get(&n).is_some_and(|at| now <= *at + profile.stale());
        let resumed = resumed && write.status == Status::Online;
        // R12: push through an id that was not confirmed has no hold.
        let confirmed = self.confirmed_when_told.get(&n) == Some(&true);
        // Its own stop, which comes when it has resumed already.
        let resumed = resumed || write.status == Status::Offline && !self.resumed_until(n, streamer).is_zero();
        if right_before && !unseen && !late_stop && !resumed && profile.honest() && confirmed {
            return Err(format!("row {} flaps: it was written rightly before, and nothing has changed", write.row));
        }
        Ok(())
    }

    /// A status that has not been true for longer than any evidence is late is never written, unless the
    /// machine was not told otherwise.
    fn check_false(
        &mut self,
        now: Duration,
        n: usize,
        write: &Write,
        kick: &Kick,
        profile: &Profile,
    ) -> Result<(), String> {
        let streamer = &kick.streamers[n];
        if streamer.has_been(write.status, now.saturating_sub(profile.stale())) {
            return Ok(());
        }
        let settled = streamer.since() + profile.stale();
        let told = self.evidence.get(&n).into_iter().flatten().filter(|(started, _)| *started >= settled);
        let (told, explicit) = told.fold((0, 0), |(told, explicit), (_, said)| (told + 1, explicit + u32::from(*said)));
        // Rows that name one streamer may each have been asked about by themselves.
        let rows = self.rows.values().filter(|known| kick.by_username(&known.username) == Some(n)).count();
        if told < 3 * rows || explicit == 0 {
            return Ok(());
        }
        // R8 believes one answer, and R10 lets two of its changes pass.
        if profile.lies > 0.0 && write.status == Status::Online && write.source == Source::Sweep {
            self.lied = (now, if self.lied.0 == now { self.lied.1 + 1 } else { 1 });
            if self.lied.1 <= 2 {
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
            (Moment::Live(runs), Some((stopped, at))) if runs.id == *stopped => *at + STALE_LIVE,
            _ => Duration::ZERO,
        }
    }

    /// Compares the table with the truth. `bound`: how long a row may be wrong after the last thing that
    /// excuses it; `excused`: when other things than push were last to blame for a wrong row of this streamer.
    pub(in crate::simulate) fn inspect(
        &self,
        now: Duration,
        kick: &Kick,
        database: &Database,
        bound: Duration,
        excused: impl Fn(usize) -> Duration,
    ) -> Result<(), String> {
        for (id, record) in &database.rows {
            let Some(n) = kick.by_username(&record.row.username) else { continue };
            let streamer = &kick.streamers[n];
            let came_later = record.row.shown == Shown::Unknown || record.touched > streamer.since();
            if streamer.now() == Moment::Banned && came_later {
                // Kick names them nowhere, so a row that came later can know nothing.
                continue;
            }
            let vanished = if streamer.now() == Moment::Banned { VANISHED } else { Duration::ZERO };
            // R21: the pause after a refusal; nothing excuses a row for what another one does.
            let withheld = record.locked_until.max(record.ill_until).max(record.timed_out) + 5 * MINUTE;
            let misled = self.misled.get(&n).copied().unwrap_or_default().max(self.resumed_until(n, streamer));
            let touched = if record.touched.is_zero() { Duration::ZERO } else { record.touched + API_LAG };
            let since = streamer.since().max(touched).max(excused(n)).max(misled) + vanished;
            let truth = Shown::Known(streamer.now().status());
            if record.row.shown != truth && now > (since + bound).max(withheld) {
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
