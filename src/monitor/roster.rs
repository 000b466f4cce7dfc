//! The roster: which rows there are, and which of them can be used. R13, R14 and R16.

use super::book::{Book, Timer};
use super::streamer::Streamer;
use super::streamers::{Key, Streamers};
use super::table::Age;
use super::times::{API_LAG, OLD_NAME_PAUSE};
use crate::domain::event::Event;
use crate::domain::problem::Code;
use crate::domain::row::{Recent, RosterRead, Row, Shown, Unusable};
use crate::domain::shards::{Scope, Shard};
use crate::domain::text::brief;
use crate::domain::{Now, RowId, Slug, Steady};
use std::collections::{BTreeMap, HashSet};
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

/// One read of the table, compared with the known streamers.
#[derive(Debug)]
pub(super) struct Comparison {
    /// Streamers whose rows are gone.
    pub(super) gone: Vec<Key>,
    /// The ids that several rows share, with the number of rows.
    shared: BTreeMap<RowId, usize>,
    /// It is the first read.
    pub(super) first: bool,
    /// The rows whose status changed shortly before an earlier process ended.
    recent: Option<Recent>,
    read_at: Steady,
    /// The new rows whose status may be fresher than what the API reports.
    fresh: Vec<RowId>,
    added: usize,
    removed: usize,
}

/// What a row of a read means.
#[derive(Debug)]
pub(super) enum RowNews {
    /// It still belongs to this streamer.
    Known(Key),
    /// It is new, or names somebody else than this streamer (R14).
    New(Slug, Option<Key>),
    /// It cannot be used; it belonged to this streamer.
    Unfit(Option<Key>),
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

    /// Begins to compare a read of a part of the table. `None` if it found no rows and the next one must confirm that:
    /// somebody may be about to fill the table again.
    pub(super) fn begin(
        &mut self,
        read: &RosterRead,
        part: &Scope,
        streamers: &Streamers,
        book: &mut Book,
    ) -> Option<Comparison> {
        let rows = &read.rows;
        self.emptied = rows.is_empty() && !streamers.is_empty() && !self.emptied;
        if self.emptied {
            return None;
        }
        if !self.unusable.is_empty() {
            let present: HashSet<&RowId> = rows.iter().map(|row| &row.id).collect();
            self.unusable.retain(|row, unfit| present.contains(row) || !part.covers(unfit.shard));
        }
        book.troubles.keep(Code::StreamerUnusable, |row| self.unusable.contains_key(&RowId::new(row)));
        let (gone, shared) = compare_ids(rows, part, streamers);
        let (first, recent) = (!std::mem::replace(&mut self.loaded, true), self.recent.take());
        let removed = gone.len();
        Some(Comparison { gone, shared, first, recent, read_at: read.started, fresh: Vec::new(), added: 0, removed })
    }

    /// Compares one row.
    pub(super) fn compare(
        &mut self,
        now: Now,
        row: &mut Row,
        comparison: &mut Comparison,
        streamers: &mut Streamers,
        book: &mut Book,
    ) -> RowNews {
        let rows = comparison.shared.get(&row.id).copied().unwrap_or(1);
        if rows > 1 {
            row.flaw = Some(Unusable::IdShared);
        }
        let known = streamers.of_row(&row.id);
        let streamer = known.and_then(|key| Some((key, streamers.get_mut(&key)?)));
        if let Some((key, _)) = streamer.as_ref().filter(|(_, it)| row.flaw.is_none() && it.username == row.username) {
            return RowNews::Known(*key);
        }
        let name = match row.name() {
            Ok(name) => name,
            Err(reason) => {
                comparison.removed += usize::from(known.is_some());
                self.report_unusable(
                    now,
                    row,
                    Unfit { reason, username: row.username.clone(), rows, shard: row.shard },
                    book,
                );
                return RowNews::Unfit(known);
            }
        };
        if self.unusable.remove(&row.id).is_some() {
            book.troubles.rest(Code::StreamerUnusable, row.id.as_str());
        }
        if let Some((key, streamer)) = streamer.filter(|(_, streamer)| streamer.name == name) {
            streamer.username = row.username.clone();
            return RowNews::Known(key);
        }
        comparison.added += 1;
        if known.is_some() {
            comparison.removed += 1;
            // R26: the broadcast was that of the streamer whom the row named before.
            row.started_at = None;
        }
        RowNews::New(name, known)
    }

    /// R14: reports a row that cannot be used, once for each row and once for each shared id.
    fn report_unusable(&mut self, now: Now, row: &Row, unfit: Unfit, book: &mut Book) {
        let id = &row.id;
        let same = self.unusable.get(id).is_some_and(|before| {
            let shared = before.reason == Unusable::IdShared;
            before.reason == unfit.reason && (shared || before.username == unfit.username)
        });
        if !same {
            let words = format!("\"{}\" (id {}): {}", brief(&unfit.username), brief(id.as_str()), unfit.reason);
            book.troubles.note(now, Code::StreamerUnusable, id.as_str(), words);
            let (username, reason) = (unfit.username.clone(), unfit.reason.to_string());
            book.log(Event::StreamerUnusable { username, id: id.clone(), reason });
        }
        self.unusable.insert(id.clone(), unfit);
    }
}

impl Comparison {
    /// R13: a new row starts with what the table shows, as a belief that is not verified. `age`: for how long the row has
    /// shown it, since another instance may have written it just before (R25).
    pub(super) fn welcome(
        &mut self,
        now: Now,
        row: Row,
        name: Slug,
        age: Age,
        streamers: &mut Streamers,
        book: &mut Book,
    ) -> Key {
        let mut streamer = Streamer::new(now, row, name, self.read_at);
        let listed = || self.recent.as_ref().is_some_and(|recent| recent.holds(&streamer.row));
        let since = match age {
            Age::Old => None,
            Age::Since(since) => Some(since),
            Age::Listed => listed().then_some(now.steady),
        };
        if let Some(since) = since.filter(|_| streamer.table.shown != Shown::Unknown) {
            streamer.table_is_fresh(since);
            self.fresh.push(streamer.row.clone());
        }
        book.revision += 1;
        streamers.insert(streamer)
    }

    /// Ends the comparison, and reports what changed. Returns true if there are other rows than before.
    pub(super) fn end(self, now: Now, streamers: &Streamers, book: &mut Book) -> bool {
        let Comparison { first, fresh, added, removed, .. } = self;
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
        news
    }
}

/// The streamers of a part of the table whose rows are gone, and the ids that several rows share, with the number of
/// rows. Usually there are neither, and a large roster is read every few seconds: so keys are compared, and ids only
/// where they are new.
fn compare_ids(rows: &[Row], part: &Scope, streamers: &Streamers) -> (Vec<Key>, BTreeMap<RowId, usize>) {
    let mut seen: Vec<Key> = Vec::with_capacity(rows.len());
    let mut strangers: Vec<&RowId> = Vec::new();
    for row in rows {
        match streamers.of_row(&row.id) {
            Some(key) => seen.push(key),
            None => strangers.push(&row.id),
        }
    }
    seen.sort_unstable();
    strangers.sort_unstable();
    let known = |key: &Key| streamers.get(key).map(|streamer| &streamer.row);
    let twice = seen.windows(2).filter(|pair| pair[0] == pair[1]).filter_map(|pair| known(&pair[0]));
    let mut shared: BTreeMap<RowId, usize> = BTreeMap::new();
    for id in strangers.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).chain(twice) {
        *shared.entry(id.clone()).or_insert(1) += 1;
    }
    seen.dedup();
    if seen.len() == streamers.len() {
        return (Vec::new(), shared);
    }
    let covers = |key: &Key| streamers.get(key).is_some_and(|streamer| part.covers(streamer.shard));
    let gone = streamers.behind(None).filter(|key| seen.binary_search(key).is_err() && covers(key)).collect();
    (gone, shared)
}
