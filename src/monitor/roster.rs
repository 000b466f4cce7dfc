//! The roster: who is watched, and what the table shows of them. R13 to R16.

use super::broadcasts::Broadcasts;
use super::streamer::{Belief, Ids, Streamer};
use super::table::Table;
use super::times::{API_LAG, OLD_NAME_PAUSE, OVERRULED_MAX};
use super::{Key, Monitor, Output, Timer};
use crate::domain::event::Event;
use crate::domain::problem::Code;
use crate::domain::row::{RosterRead, Row, Shown, Unusable};
use crate::domain::text::brief;
use crate::domain::{Now, RowId, Slug, Source, Steady};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// The troubles that are one row's, and go with it.
const OF_A_ROW: [Code; 4] = [Code::WriteRefused, Code::StreamerUnknown, Code::StreamerRenamed, Code::ChannelIdMismatch];

impl Monitor {
    pub(super) fn take_roster(&mut self, now: Now, read: RosterRead) {
        // R14: an empty table may be one that somebody is about to fill again.
        if read.rows.is_empty() && !self.streamers.is_empty() && !self.emptied {
            self.emptied = true;
            return;
        }
        self.emptied = false;
        self.asking.reconsider();
        let first = !self.loaded;
        self.loaded = true;
        let (gone, shared) = self.compare_ids(&read.rows);
        if !self.unusable.is_empty() {
            let present: HashSet<&RowId> = read.rows.iter().map(|row| &row.id).collect();
            self.unusable.retain(|row, _| present.contains(row));
        }
        let unusable = &self.unusable;
        let stays = |row: &str| unusable.contains_key(&RowId::new(row));
        self.book.troubles.keep(Code::StreamerUnusable, stays);
        let mut added = 0;
        let mut removed = gone.len();
        for key in gone {
            self.forget(key);
        }
        for mut row in read.rows {
            let rows = shared.get(&row.id).copied().unwrap_or(1);
            if rows > 1 {
                row.flaw = Some(Unusable::IdShared);
            }
            match self.take_row(now, row, rows, read.started) {
                RowNews::None => {}
                RowNews::Added => added += 1,
                RowNews::Replaced => {
                    added += 1;
                    removed += 1;
                }
                RowNews::Removed => removed += 1,
            }
        }
        if first || added > 0 || removed > 0 {
            self.log(Event::RosterLoaded { streamers: self.streamers.len(), added, removed });
            self.forget_strangers();
        }
        if first {
            let fresh = self.streamers.values().filter(|streamer| streamer.belief.fresher.is_some());
            let rows = fresh.map(|streamer| streamer.row.clone()).collect();
            self.changed_lately(now, rows, API_LAG);
            self.recent = None;
        }
        if first {
            self.asking.schedule_sweep(now, &mut self.book);
            self.at(now.steady + OLD_NAME_PAUSE, Timer::Names);
        }
        self.asking.check_swept(now, &self.streamers, &mut self.book);
        self.check_ready(now);
    }

    /// Whose rows are not among these, and which ids several of them share, with their number. As a rule there are
    /// neither, and a large roster is read every few seconds: so keys are compared, and ids only where they are new.
    fn compare_ids(&self, rows: &[Row]) -> (Vec<Key>, BTreeMap<RowId, usize>) {
        let mut seen: Vec<Key> = Vec::with_capacity(rows.len());
        let mut strangers: Vec<&RowId> = Vec::new();
        for row in rows {
            match self.streamers.of_row(&row.id) {
                Some(key) => seen.push(key),
                None => strangers.push(&row.id),
            }
        }
        seen.sort_unstable();
        strangers.sort_unstable();
        let known = |key: &Key| self.streamers.get(key).map(|streamer| &streamer.row);
        let twice = seen.windows(2).filter(|pair| pair[0] == pair[1]).filter_map(|pair| known(&pair[0]));
        let mut shared: BTreeMap<RowId, usize> = BTreeMap::new();
        for id in strangers.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).chain(twice) {
            *shared.entry(id.clone()).or_insert(1) += 1;
        }
        seen.dedup();
        if seen.len() == self.streamers.len() {
            return (Vec::new(), shared);
        }
        let gone = self.streamers.behind(None).filter(|key| seen.binary_search(key).is_err()).collect();
        (gone, shared)
    }

    /// `rows`: how many rows of this read have the row's id.
    fn take_row(&mut self, now: Now, row: Row, rows: usize, read_at: Steady) -> RowNews {
        let known = self.streamers.of_row(&row.id);
        let same = |key: &Key| {
            row.flaw.is_none() && self.streamers.get(key).is_some_and(|streamer| streamer.username == row.username)
        };
        if let Some(key) = known.filter(same) {
            self.take_known(now, key, &row, read_at);
            return RowNews::None;
        }
        let name = match row.name() {
            Ok(name) => name,
            Err(reason) => {
                if let Some(key) = known {
                    self.forget(key);
                }
                let unfit = Unfit { reason, username: row.username, rows };
                self.report_unusable(now, row.id, unfit);
                return if known.is_some() { RowNews::Removed } else { RowNews::None };
            }
        };
        if self.unusable.remove(&row.id).is_some() {
            self.book.troubles.rest(Code::StreamerUnusable, row.id.as_str());
        }
        let Some(key) = known else {
            self.welcome(now, row, name, read_at);
            return RowNews::Added;
        };
        let Some(streamer) = self.streamers.get_mut(&key) else { return RowNews::None };
        if streamer.name != name {
            // R14: somebody else, in the same row.
            self.forget(key);
            self.welcome(now, row, name, read_at);
            return RowNews::Replaced;
        }
        streamer.username = row.username.clone();
        self.take_known(now, key, &row, read_at);
        RowNews::None
    }

    /// What the row of somebody known says of them.
    fn take_known(&mut self, now: Now, key: Key, row: &Row, read_at: Steady) {
        let Some(streamer) = self.streamers.get_mut(&key) else { return };
        let hints_changed = streamer.ids.configured_channel != row.channel || streamer.ids.configured_user != row.user;
        if hints_changed {
            self.book.revision += 1;
            streamer.ids.configured_channel = row.channel;
            streamer.ids.configured_user = row.user;
            self.take_hints(now, key);
            self.judge_coverage(now, key);
        }
        self.compare_shown(now, key, row.shown, read_at);
    }

    /// R14: said once for each row, and for each id that several share.
    fn report_unusable(&mut self, now: Now, id: RowId, unfit: Unfit) {
        let before = self.unusable.get(&id).map(|before| (before.reason, &before.username));
        let same = before.is_some_and(|(reason, name)| {
            reason == unfit.reason && (reason == Unusable::IdShared || *name == unfit.username)
        });
        if !same {
            let words = format!("\"{}\" (id {}): {}", brief(&unfit.username), brief(id.as_str()), unfit.reason);
            self.book.troubles.note(now, Code::StreamerUnusable, id.as_str(), words);
            let (username, reason) = (unfit.username.clone(), unfit.reason.to_string());
            self.log(Event::StreamerUnusable { username, id: id.clone(), reason });
        }
        self.unusable.insert(id, unfit);
    }

    /// R13: a new row starts with what the table shows, not yet verified.
    fn welcome(&mut self, now: Now, row: Row, name: Slug, read_at: Steady) {
        let (source, received) = (Source::Sweep, now.steady);
        let unknown = Belief { status: None, verified: false, since: now, source, received, fresher: None };
        let mut streamer = Streamer {
            row: row.id,
            username: row.username,
            name,
            epoch: 0,
            ids: Ids { configured_user: row.user, configured_channel: row.channel, ..Ids::default() },
            belief: unknown,
            heard: None,
            questioned: None,
            broadcast: Broadcasts::default(),
            found_offline: None,
            found: None,
            doubt: None,
            vanished: None,
            covered: false,
            compared: None,
            table: Table::new(row.shown, read_at),
        };
        streamer.believe_table(row.shown, now);
        if row.shown != Shown::Unknown && self.recent.as_ref().is_some_and(|recent| recent.holds(&streamer.row)) {
            streamer.table_is_fresh(now);
        }
        self.book.tally.enters(streamer.belief.status);
        self.book.revision += 1;
        let key = self.streamers.insert(streamer);
        self.asking.greet(key);
        self.take_hints(now, key);
        self.ask_about(key);
        self.judge_coverage(now, key);
    }

    /// R14: a row that is gone is forgotten with all that was queued for it.
    fn forget(&mut self, key: Key) {
        let Some(streamer) = self.streamers.remove(key) else { return };
        self.book.tally.leaves(streamer.belief.status);
        self.book.covered -= usize::from(streamer.covered);
        streamer.compared.into_iter().for_each(|asked| self.asking.ages.remove(asked));
        self.book.revision += 1;
        if let Some(channel) = streamer.ids.channel {
            self.unfollow(key, channel);
        }
        self.asking.forget(key);
        self.writes.settle(key);
        self.push.health.forget(key);
        for code in OF_A_ROW {
            self.book.troubles.settle(code, streamer.row.as_str());
        }
    }

    /// R15: the table shows something else than we know of.
    fn compare_shown(&mut self, now: Now, key: Key, shown: Shown, read_at: Steady) {
        let hold = self.settings.hold;
        let Some(streamer) = self.streamers.get_mut(&key) else { return };
        let table = &mut streamer.table;
        let outdated = read_at <= table.known_at || (table.unsure && streamer.belief.verified);
        if outdated || self.writes.is_busy(&streamer.row) || table.settled == Some((table.shown, shown)) {
            return;
        }
        table.unsure = false;
        let known_before = std::mem::replace(&mut table.known_at, read_at);
        if shown == table.shown {
            table.overruled = 0;
            return;
        }
        self.book.revision += 1;
        let before = std::mem::replace(&mut table.shown, shown);
        table.is_free();
        let Some(believed) = streamer.belief.status else {
            return self.believe_edit(now, key, shown);
        };
        if shown == Shown::Known(believed) {
            // Another instance, or the user, wrote what was about to be written.
            return self.writes.settle(key);
        }
        let ours = table.confirmed.filter(|(status, _)| *status == believed && before == Shown::Known(believed));
        let undone = ours.is_some_and(|(_, at)| self.writes.may_be_undone(at, known_before));
        if ours.is_some() && !undone {
            table.overruled = table.overruled.saturating_add(1);
            if table.overruled >= OVERRULED_MAX {
                // R21: a trigger turns our value into its own; that is how this table says it.
                table.settled = Some((before, shown));
                table.shown = before;
                table.overruled = 0;
                return;
            }
        }
        let heard = streamer
            .heard
            .is_some_and(|heard| heard.status == believed && heard.held && now.steady.since(heard.at) < hold);
        // A status that is neither of the two values knows nothing better than Kick did; what only the
        // table said before is gone with it.
        let empty = shown == Shown::Unknown && streamer.belief.verified;
        if heard || undone || empty {
            return self.write(now, key);
        }
        if streamer.belief.verified && self.writes.broke_since(known_before) && self.book.api_is_away() {
            // R15: it may be an older copy of the table that another server has. Nobody can be asked, so neither what
            // it shows is believed, nor is what we know written over it, until the API answers.
            streamer.belief.verified = false;
            streamer.belief.received = now.steady;
            self.ask_about(key);
            return self.writes.settle(key);
        }
        self.believe_edit(now, key, shown);
        self.writes.settle(key);
    }

    /// R15: who wrote this may know more than the API.
    fn believe_edit(&mut self, now: Now, key: Key, shown: Shown) {
        self.believe_table(now, key, shown);
        if let (Some(streamer), Shown::Known(_)) = (self.streamers.get_mut(&key), shown) {
            streamer.table_is_fresh(now);
            let row = streamer.row.clone();
            self.changed_lately(now, vec![row], API_LAG);
        }
    }

    /// R13: these rows changed lately, and a process that begins within this time is to know.
    pub(super) fn changed_lately(&mut self, now: Now, rows: Vec<RowId>, span: Duration) {
        let until = now.wall.checked_add(span.max(API_LAG)).unwrap_or(now.wall);
        self.book.out.push(Output::Recent(rows, until));
    }
}

/// A row that cannot be used, or several with one id.
#[derive(Debug)]
pub(super) struct Unfit {
    reason: Unusable,
    /// The username that was reported.
    username: Arc<str>,
    /// How many rows these are.
    pub(super) rows: usize,
}

/// What a row of a read brought.
enum RowNews {
    None,
    Added,
    Replaced,
    Removed,
}
