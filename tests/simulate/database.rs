//! The user's table, and the server it is in.

mod faults;
mod table;

pub(super) use faults::TableFault;
pub(super) use table::{Record, begins_later};

use table::Ill;

use super::agenda::Agenda;
use super::locks::Locks;
use kick_monitor::domain::row::{Row, Shown};
use kick_monitor::domain::shards::{Hold, Scope, Shard};
use kick_monitor::domain::time::Timestamp;
use kick_monitor::domain::{RowId, Source, Status};
use std::collections::BTreeMap;
use std::time::Duration;

/// The table, which all cores read and write.
#[derive(Default)]
pub(super) struct Database {
    pub rows: BTreeMap<RowId, Record>,
    next_row: u32,
    /// The server cannot be reached before.
    pub down_until: Duration,
    /// What was committed last and may not be on the disk yet: when, which row, what it showed before.
    commits: Vec<(Duration, RowId, (Shown, Option<Timestamp>))>,
    /// No statement can be done before, whatever the row.
    pub refuses_until: Duration,
    /// Statements wait for seconds before they are carried out, until then.
    pub dawdles_until: Duration,
    /// Until when each row takes how long.
    slow: (Duration, Duration),
    /// How many shards there are, if the cores share them; their locks; and what writes have done lately.
    pub shards: u16,
    pub locks: Locks,
    pub done: Vec<Done>,
}

/// A write that was carried out.
#[derive(Debug)]
pub(super) struct Done {
    pub core: usize,
    pub hold: Option<Hold>,
    pub row: RowId,
    pub status: Status,
    pub source: Source,
    pub at: Duration,
    /// The row showed something else before.
    pub changed: bool,
}

impl Database {
    pub(super) fn new(shards: u16) -> Database {
        Database { shards, ..Database::default() }
    }

    pub(super) fn add(&mut self, username: String, shown: Shown, now: Duration) -> &mut Row {
        self.next_row += 1;
        let id = RowId::new(&self.next_row.to_string());
        let row = Row {
            id: id.clone(),
            username: username.into(),
            shown,
            shard: Shard((self.next_row % u32::from(self.shards.max(1))) as u16),
            channel: None,
            user: None,
            started_at: None,
            flaw: None,
        };
        &mut self.rows.entry(id).or_insert(Record::new(row, now)).row
    }

    /// A person writes a status, and waits for the disk, so that all before is safe too.
    pub(super) fn edit(&mut self, id: &RowId, shown: Shown, now: Duration) {
        if let Some(record) = self.rows.get_mut(id) {
            record.row.shown = shown;
            record.touched = now;
            self.commits.clear();
        }
    }

    pub(super) fn roster(&self, scope: &Scope) -> Vec<Row> {
        let covers = |row: &&Row| match scope {
            Scope::All => true,
            Scope::Shards(shards) => shards.contains(&row.shard),
        };
        self.rows.values().map(|record| &record.row).filter(covers).cloned().collect()
    }

    /// The server crashes: what it had confirmed within the last moments is undone.
    fn crash(&mut self, agenda: &mut Agenda) {
        let kept = agenda.now.saturating_sub(agenda.between(Duration::ZERO, Duration::from_secs(3)));
        let safe = self.commits.iter().take_while(|(at, _, _)| *at <= kept).count();
        for (_, row, before) in self.commits.drain(safe..).rev() {
            if let Some(record) = self.rows.get_mut(&row) {
                (record.row.shown, record.row.started_at) = before;
                record.touched = agenda.now;
            }
        }
    }

    /// Until when nothing, or nothing of a row's, can be written.
    pub(super) fn away_until(&self) -> Duration {
        self.down_until.max(self.refuses_until)
    }

    pub(super) fn calm(&mut self, now: Duration) {
        self.down_until = self.down_until.min(now);
        self.refuses_until = self.refuses_until.min(now);
        self.slow.0 = self.slow.0.min(now);
        for record in self.rows.values_mut() {
            record.locked_until = record.locked_until.min(now);
            record.ill_until = record.ill_until.min(now);
        }
    }

    /// After the calm, nothing that was excuses anything.
    pub(super) fn forgive_nothing(&mut self) {
        for record in self.rows.values_mut() {
            record.locked_until = Duration::ZERO;
            record.ill_until = Duration::ZERO;
            record.timed_out = Duration::ZERO;
            record.touched = Duration::ZERO;
            record.written.clear();
        }
    }

    /// Some row, if there is any.
    pub(super) fn any_row(&self, agenda: &mut Agenda) -> Option<RowId> {
        agenda.pick(&self.rows.keys().cloned().collect::<Vec<_>>())
    }
}

/// Any value a hand may set.
pub(super) fn any_status(agenda: &mut Agenda) -> Shown {
    match agenda.chance.u32(..3) {
        0 => Shown::Known(Status::Online),
        1 => Shown::Known(Status::Offline),
        _ => Shown::Unknown,
    }
}
