//! Whether what push tells is given out to be written at once: R1 and R2.
//!
//! Only where nothing excuses a delay: the judge does not know what the machine knows, and asks for less than the rules.

use super::Judge;
use crate::simulate::conditions::Conditions;
use crate::simulate::kick::Kick;
use kick_monitor::domain::push::{Push, PushKind};
use kick_monitor::domain::row::Shown;
use kick_monitor::domain::{RowId, Status};
use std::time::Duration;

/// Within this after the last trouble with the database, a write may wait (R21).
const TROUBLED: Duration = Duration::from_secs(600);
/// R2: a stop may come this long after the API told that its broadcast had ended, and is then a question; another row
/// of the streamer may have been told so some sweeps later.
const LATE_STOP: Duration = Duration::from_secs(900);
/// R1: a live event that is older may be older than the last finding of Offline. Kick's clock is known to seconds.
const FRESH: jiff::SignedDuration = jiff::SignedDuration::from_secs(10);
/// A process knows Kick's clock, and has compared everybody, after this.
const SETTLED: Duration = Duration::from_secs(600);

impl Judge {
    /// Which rows have to be written for this event, which has not been heard yet.
    pub(super) fn expect_writes(&mut self, now: Duration, push: &Push, kick: &Kick, conditions: &Conditions) {
        let Some(n) = kick.streamers.iter().position(|streamer| streamer.channel == push.named) else { return };
        let streamer = &kick.streamers[n];
        let (PushKind::Live { livestream, .. } | PushKind::Stop { livestream }) = &push.what;
        let status = push.what.status();
        let told = self.told.get(&n);
        let highest = told.is_none_or(|told| Some(*livestream) > told.before.max(Some(told.last)));
        let news = match push.what {
            PushKind::Live { created_at, .. } => {
                let fresh = created_at.is_some_and(|created| kick.clock(now).duration_since(created) < FRESH);
                fresh && !conditions.dateless
            }
            PushKind::Stop { .. } => {
                let ended = self.absent.get(&n).max(self.renewed.get(&n)).copied().unwrap_or_default();
                // Without Kick's clock, ours may have hidden when the next one began (R5).
                ended + LATE_STOP < now && !conditions.dateless
            }
        };
        let settled = self.began.max(self.troubled) + TROUBLED.max(SETTLED) < now;
        let confirmed = self.confirmed.contains(&streamer.user) && !self.wrong_hints;
        // R26: an Offline may have to stand first.
        let delayed = status == Status::Offline && !conditions.settings.offline_delay.is_zero();
        if delayed {
            return;
        }
        if !(highest && news && settled && confirmed) || streamer.misnamed || streamer.now().status() != status {
            return;
        }
        let other = match status {
            Status::Online => Status::Offline,
            Status::Offline => Status::Online,
        };
        let busy = |row: &RowId| self.in_flight.values().any(|write| write.row == *row);
        let rows = self.rows.iter().filter(|(_, known)| kick.by_username(&known.username) == Some(n));
        let met = |row: &RowId| self.met.contains(&(row.clone(), n));
        let wrong = rows.filter(|(row, known)| known.shown == Some(Shown::Known(other)) && !busy(row) && met(row));
        self.expected = wrong.map(|(row, _)| (row.clone(), status)).collect();
    }

    /// All of them are given out by now.
    pub(super) fn check_expected(&mut self) -> Result<(), String> {
        match std::mem::take(&mut self.expected).pop_first() {
            None => Ok(()),
            Some((row, status)) => Err(format!("row {row} is not written {} at once, as push told", status.word())),
        }
    }
}
