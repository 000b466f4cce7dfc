//! The roster: which rows there are, and which of them can be used. R13, R14 and R16.
//!
//! A read of the table comes in parts. The rows of known streamers are compared as they come. What is new or gone is
//! known when the read is complete; that is then worked off in slices, so that no push event waits for a large table.

use super::book::{Book, Timer};
use super::streamer::Streamer;
use super::streamers::{Key, Streamers};
use super::table::Age;
use super::times::{API_LAG, OLD_NAME_PAUSE};
use crate::domain::event::Event;
use crate::domain::problem::Code;
use crate::domain::row::{Recent, Row, Shown, Unusable};
use crate::domain::shards::{Scope, Shard};
use crate::domain::text::brief;
use crate::domain::{Now, RowId, Slug, Steady};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is known of the table as a whole.
#[derive(Debug, Default)]
pub(super) struct Roster {
    /// Rows that cannot be used, as they were reported.
    unusable: BTreeMap<RowId, Unfit>,
    /// The rows whose status changed shortly before an earlier process ended, until the roster is read.
    recent: Option<Recent>,
    /// The roster has been read.
    loaded: bool,
    /// The last read found no rows, which the next one must confirm (R14).
    emptied: bool,
    /// When the read was sent of which a part came last.
    last: Steady,
    /// The other parts of that read are yet to come.
    open: bool,
    /// They do not count.
    given_up: bool,
    /// What has come of it.
    arrival: Option<Arrival>,
    /// A complete read that is being worked off.
    comparison: Option<Comparison>,
}

/// A row that cannot be used, or several with one id.
#[derive(Debug)]
struct Unfit {
    reason: Unusable,
    /// The username that was reported.
    username: Arc<str>,
    /// The number of rows.
    rows: usize,
    shard: Shard,
}

/// What has come of a read.
#[derive(Debug, Default)]
struct Arrival {
    /// The streamers whose rows have come.
    seen: Vec<Key>,
    /// The ids of the other rows, each with the number of rows.
    new: BTreeMap<RowId, usize>,
    /// The rows that are not what they were: they wait until it is known that no others have their ids.
    held: Vec<Row>,
}

/// A complete read of a part of the table, as far as it is to be worked off yet.
#[derive(Debug)]
struct Comparison {
    part: Scope,
    read_at: Steady,
    /// It is the first read.
    first: bool,
    /// Streamers whose rows are gone.
    gone: std::vec::IntoIter<Key>,
    /// Streamers of whose ids several rows have come, as they were.
    twice: std::vec::IntoIter<Key>,
    held: std::vec::IntoIter<Row>,
    /// The ids that several rows share, with the number of rows.
    shared: BTreeMap<RowId, usize>,
    /// The rows whose status changed shortly before an earlier process ended.
    recent: Option<Recent>,
    /// The new rows whose status may be fresher than what the API reports.
    fresh: Vec<RowId>,
    added: usize,
    removed: usize,
}

/// A read that was worked off.
#[derive(Debug)]
pub(super) struct Compared {
    /// The part of the table.
    pub(super) part: Scope,
    /// When it was sent.
    pub(super) read_at: Steady,
    /// It was the first.
    pub(super) first: bool,
    /// There are other rows than before.
    pub(super) news: bool,
}

/// What a read means for one streamer or row.
#[derive(Debug)]
pub(super) enum Step {
    /// The row of this streamer is gone, or cannot be used any more.
    Gone(Key),
    /// A row is new, or names somebody else than a streamer before (R14).
    New {
        row: Row,
        name: Slug,
        before: Option<Key>,
        /// When the read was sent.
        read_at: Steady,
    },
    /// A row is of no consequence.
    Nothing,
}

impl Roster {
    /// Takes the rows whose status changed shortly before an earlier process ended.
    pub(super) fn recall(&mut self, recent: Recent) {
        self.recent = Some(recent);
    }

    pub(super) fn is_loaded(&self) -> bool {
        self.loaded
    }

    /// Notes a read of a table of which no row is followed. Returns true if it is the first read.
    pub(super) fn was_read(&mut self) -> bool {
        !std::mem::replace(&mut self.loaded, true)
    }

    /// Forgets what was reported about this part of the table, because another instance follows it from now on.
    pub(super) fn let_go(&mut self, part: &Scope, book: &mut Book) {
        self.unusable.retain(|_, unfit| !part.covers(unfit.shard));
        book.troubles.keep(Code::StreamerUnusable, |row| self.unusable.contains_key(&RowId::new(row)));
    }

    /// The number of rows that cannot be used.
    pub(super) fn unusable(&self) -> usize {
        self.unusable.values().map(|unfit| unfit.rows).sum()
    }

    /// Takes note of a part of the read that was sent then; `more`: it is not the last one. Returns true if it counts:
    /// those of a read that failed, or that is older than another, do not.
    pub(super) fn admits(&mut self, read_at: Steady, more: bool) -> bool {
        if read_at > self.last {
            self.arrival = None;
            (self.last, self.given_up) = (read_at, false);
        }
        let counts = read_at == self.last && !self.given_up;
        self.open = more && counts;
        counts
    }

    /// What comes yet of a read that is coming does not count: which rows are followed changes meanwhile. Returns true if
    /// there is one.
    pub(super) fn gives_up(&mut self) -> bool {
        self.given_up |= self.open;
        if self.open {
            self.arrival = None;
        }
        std::mem::take(&mut self.open)
    }

    /// Takes a row. Returns the streamer that it belongs to as before; other rows wait for the
    /// end of the read.
    pub(super) fn meet(&mut self, row: Row, streamers: &mut Streamers) -> Option<(Key, Row)> {
        let arrival = self.arrival.get_or_insert_default();
        match streamers.of_row(&row.id) {
            Some(key) => {
                arrival.seen.push(key);
                let streamer = streamers.get_mut(&key)?;
                if row.flaw.is_none() && streamer.username == row.username {
                    return Some((key, row));
                }
                if row.name().as_ref() == Ok(&streamer.name) {
                    streamer.username = row.username.clone();
                    return Some((key, row));
                }
            }
            None => *arrival.new.entry(row.id.clone()).or_default() += 1,
        }
        arrival.held.push(row);
        None
    }

    /// Ends the read of a part of the table. Returns false if it found no rows and the next one must confirm that:
    /// somebody may be about to fill the table again.
    pub(super) fn complete(&mut self, part: Scope, streamers: &Streamers, book: &mut Book) -> bool {
        let arrival = self.arrival.take();
        self.emptied = arrival.is_none() && !streamers.is_empty() && !self.emptied;
        if self.emptied {
            return false;
        }
        let Arrival { mut seen, new, held } = arrival.unwrap_or_default();
        self.unusable.retain(|row, unfit| new.contains_key(row) || !part.covers(unfit.shard));
        book.troubles.keep(Code::StreamerUnusable, |row| self.unusable.contains_key(&RowId::new(row)));
        seen.sort_unstable();
        let mut shared: BTreeMap<RowId, usize> = new.into_iter().filter(|(_, rows)| *rows > 1).collect();
        let mut twice = Vec::new();
        for pair in seen.windows(2).filter(|pair| pair[0] == pair[1]) {
            let Some(streamer) = streamers.get(&pair[0]) else { continue };
            let rows = shared.entry(streamer.row.clone()).or_insert(1);
            twice.extend((*rows == 1).then_some(pair[0]));
            *rows += 1;
        }
        seen.dedup();
        let gone = those_gone(&seen, &part, streamers);
        self.comparison = Some(Comparison {
            part,
            read_at: self.last,
            first: !self.loaded,
            removed: gone.len(),
            gone: gone.into_iter(),
            twice: twice.into_iter(),
            held: held.into_iter(),
            shared,
            recent: self.recent.take(),
            fresh: Vec::new(),
            added: 0,
        });
        true
    }

    /// Returns true if a complete read is being worked off.
    pub(super) fn is_comparing(&self) -> bool {
        self.comparison.is_some()
    }

    /// The next step of working off a read. `None` at its end.
    pub(super) fn step(&mut self, now: Now, streamers: &Streamers, book: &mut Book) -> Option<Step> {
        let comparison = self.comparison.as_mut()?;
        if let Some(key) = comparison.gone.next() {
            return Some(Step::Gone(key));
        }
        if let Some(key) = comparison.twice.next() {
            let Some(streamer) = streamers.get(&key) else { return Some(Step::Nothing) };
            let (id, username, shard) = (streamer.row.clone(), streamer.username.clone(), streamer.shard);
            comparison.removed += 1;
            let rows = comparison.shared.get(&id).copied().unwrap_or(1);
            self.report_unusable(now, id, Unfit { reason: Unusable::IdShared, username, rows, shard }, book);
            return Some(Step::Gone(key));
        }
        let row = comparison.held.next()?;
        Some(self.judge(now, row, streamers, book))
    }

    /// Judges a row that is not what it was.
    fn judge(&mut self, now: Now, mut row: Row, streamers: &Streamers, book: &mut Book) -> Step {
        let Some(comparison) = &mut self.comparison else { return Step::Nothing };
        let rows = comparison.shared.get(&row.id).copied().unwrap_or(1);
        if rows > 1 {
            row.flaw = Some(Unusable::IdShared);
        }
        let known = streamers.of_row(&row.id);
        comparison.removed += usize::from(known.is_some());
        let name = match row.name() {
            Ok(name) => name,
            Err(reason) => {
                let unfit = Unfit { reason, username: row.username, rows, shard: row.shard };
                self.report_unusable(now, row.id, unfit, book);
                return known.map_or(Step::Nothing, Step::Gone);
            }
        };
        comparison.added += 1;
        if self.unusable.remove(&row.id).is_some() {
            book.troubles.rest(Code::StreamerUnusable, row.id.as_str());
        }
        if known.is_some() {
            // R26: the broadcast was that of the streamer whom the row named before.
            row.started_at = None;
        }
        Step::New { row, name, before: known, read_at: comparison.read_at }
    }

    /// R14: reports a row that cannot be used, once for each row and once for each shared id.
    fn report_unusable(&mut self, now: Now, id: RowId, unfit: Unfit, book: &mut Book) {
        let same = self.unusable.get(&id).is_some_and(|before| {
            let shared = before.reason == Unusable::IdShared;
            before.reason == unfit.reason && (shared || before.username == unfit.username)
        });
        if !same {
            let words = format!("\"{}\" (id {}): {}", brief(&unfit.username), brief(id.as_str()), unfit.reason);
            book.troubles.note(now, Code::StreamerUnusable, id.as_str(), words);
            let (username, reason) = (unfit.username.clone(), unfit.reason.to_string());
            book.log(Event::StreamerUnusable { username, id: id.clone(), reason });
        }
        self.unusable.insert(id, unfit);
    }

    /// R13: a new row starts with what the table shows, as a belief that is not verified. `age`: for how long the row has
    /// shown it, since another instance may have written it just before (R25).
    pub(super) fn welcome(
        &mut self,
        now: Now,
        (row, name): (Row, Slug),
        age: Age,
        streamers: &mut Streamers,
        book: &mut Book,
    ) -> Option<Key> {
        let comparison = self.comparison.as_mut()?;
        let mut streamer = Streamer::new(now, row, name, comparison.read_at);
        let listed = || comparison.recent.as_ref().is_some_and(|recent| recent.holds(&streamer.row));
        let since = match age {
            Age::Old => None,
            Age::Since(since) => Some(since),
            Age::Listed => listed().then_some(now.steady),
        };
        if let Some(since) = since.filter(|_| streamer.table.shown != Shown::Unknown) {
            streamer.table_is_fresh(since);
            comparison.fresh.push(streamer.row.clone());
        }
        book.revision += 1;
        Some(streamers.insert(streamer))
    }

    /// Ends the comparison, and reports what changed.
    pub(super) fn end(&mut self, now: Now, streamers: &Streamers, book: &mut Book) -> Option<Compared> {
        let Comparison { part, read_at, first, fresh, added, removed, .. } = self.comparison.take()?;
        self.loaded = true;
        let news = first || added > 0 || removed > 0;
        if news {
            book.log(Event::RosterLoaded { streamers: streamers.len(), added, removed });
        }
        if first || !fresh.is_empty() {
            book.changed_lately(now, fresh, API_LAG);
        }
        if first {
            book.at(now.steady + OLD_NAME_PAUSE, Timer::Names);
        }
        Some(Compared { part, read_at, first, news })
    }
}

/// The streamers of a part of the table whose rows are not among those that were seen. Usually there are none, and a
/// large roster is read every few seconds.
fn those_gone(seen: &[Key], part: &Scope, streamers: &Streamers) -> Vec<Key> {
    if seen.len() == streamers.len() {
        return Vec::new();
    }
    let covers = |key: &Key| streamers.get(key).is_some_and(|streamer| part.covers(streamer.shard));
    streamers.behind(None).filter(|key| seen.binary_search(key).is_err() && covers(key)).collect()
}
