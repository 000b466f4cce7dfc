//! The user's table, the server it is in, and the threads that read and write it.

use super::agenda::{Agenda, Happening};
use kick_monitor::domain::row::{DatabaseEvent, RosterRead, Row, Shown, Write, WriteId, WriteResult, Written};
use kick_monitor::domain::{Now, RowId, Status, Steady};
use kick_monitor::monitor::Input;
use std::collections::BTreeMap;
use std::time::Duration;

/// The table and what is under way to it.
#[derive(Default)]
pub(super) struct Database {
    pub rows: BTreeMap<RowId, Record>,
    pub next_row: u32,
    /// The server cannot be reached before.
    pub down_until: Duration,
    /// The next reading finds nothing, as when somebody is about to fill the table again.
    pub blank_read: bool,
    /// What was committed last and may not be on the disk yet: when, which row, what it showed before.
    commits: Vec<(Duration, RowId, Shown)>,
    /// Given to the writer, which has not begun.
    queue: Vec<Write>,
    /// The writer's statement, with the results if its connection lives.
    statement: Option<Vec<(WriteId, WriteResult)>>,
    writer_life: u32,
    writer_broken: bool,
    /// When the reader began to read, if it reads.
    reading: Option<u32>,
    reader_life: u32,
    reader_broken: bool,
}

/// One row.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub row: Row,
    pub locked_until: Duration,
    pub refused_until: Duration,
    /// When somebody else than we changed the row, or a crash did.
    pub touched: Duration,
}

#[derive(Debug)]
pub(super) enum Step {
    Read,
    ReadNow,
    HaveRead(u32, RosterRead),
    Execute(u32),
    Confirm(u32, Now),
}

impl Database {
    pub(super) fn add(&mut self, username: String, shown: Shown, now: Duration) -> &mut Row {
        self.next_row += 1;
        let id = RowId::new(&self.next_row.to_string());
        let row = Row { id: id.clone(), username: username.into(), shown, channel: None, user: None };
        let record = Record { row, locked_until: Duration::ZERO, refused_until: Duration::ZERO, touched: now };
        &mut self.rows.entry(id).or_insert(record).row
    }

    /// Somebody else writes a status, and waits for the disk, so that all before is safe too.
    pub(super) fn edit(&mut self, id: &RowId, shown: Shown, now: Duration) {
        if let Some(record) = self.rows.get_mut(id) {
            record.row.shown = shown;
            record.touched = now;
            self.commits.clear();
        }
    }

    pub(super) fn write(&mut self, write: Write, agenda: &mut Agenda) {
        self.queue.push(write);
        self.wake_writer(agenda);
    }

    fn wake_writer(&mut self, agenda: &mut Agenda) {
        if self.statement.is_none() && !self.queue.is_empty() {
            self.statement = Some(Vec::new());
            let pause = agenda.millis(0, 5);
            agenda.after(pause, Happening::Database(Step::Execute(self.writer_life)));
        }
    }

    pub(super) fn step(&mut self, step: Step, now: Now, poll: Duration, agenda: &mut Agenda) -> Vec<Input> {
        match step {
            Step::Read => self.read(poll, agenda),
            Step::ReadNow => self.begin_reading(agenda).into_iter().collect(),
            Step::HaveRead(life, read) => {
                if self.reading.take().is_none() || life != self.reader_life {
                    return Vec::new();
                }
                vec![Input::Database(DatabaseEvent::Up), Input::Roster(read)]
            }
            Step::Execute(life) => {
                if life == self.writer_life {
                    self.execute(now, agenda);
                }
                Vec::new()
            }
            Step::Confirm(life, at) => {
                if life != self.writer_life {
                    return Vec::new();
                }
                let results = self.statement.take().unwrap_or_default();
                self.wake_writer(agenda);
                vec![Input::Written(Written { at, results })]
            }
        }
    }

    /// The reader's turn: now, and again after the poll interval.
    fn read(&mut self, poll: Duration, agenda: &mut Agenda) -> Vec<Input> {
        if agenda.now < self.down_until {
            self.reader_broken = false;
            let pause = agenda.millis(100, 5_000);
            agenda.after(pause, Happening::Database(Step::Read));
            return vec![Input::Database(DatabaseEvent::Down("connection refused".to_owned()))];
        }
        agenda.after(poll, Happening::Database(Step::Read));
        self.begin_reading(agenda).into_iter().collect()
    }

    /// Reads out of turn, as the core asked for.
    pub(super) fn read_soon(&mut self, agenda: &mut Agenda) {
        agenda.after(Duration::from_millis(1), Happening::Database(Step::ReadNow));
    }

    fn begin_reading(&mut self, agenda: &mut Agenda) -> Option<Input> {
        if self.reading.is_some() || agenda.now < self.down_until {
            return None;
        }
        self.reading = Some(self.reader_life);
        let rows = if std::mem::take(&mut self.blank_read) { Vec::new() } else { self.roster() };
        let takes = if agenda.odds(0.05) { agenda.millis(50, 5_000) } else { agenda.millis(1, 50) };
        let read = RosterRead { started: Steady(agenda.now), rows };
        agenda.after(takes, Happening::Database(Step::HaveRead(self.reader_life, read)));
        std::mem::take(&mut self.reader_broken).then_some(Input::Database(DatabaseEvent::Reconnected))
    }

    fn roster(&self) -> Vec<Row> {
        self.rows.values().map(|record| record.row.clone()).collect()
    }

    fn execute(&mut self, now: Now, agenda: &mut Agenda) {
        let writes = std::mem::take(&mut self.queue);
        let lost = agenda.now < self.down_until || std::mem::take(&mut self.writer_broken);
        let unavailable = || WriteResult::Unavailable("connection refused".to_owned());
        let results = writes.into_iter().map(|write| {
            let result = if lost { unavailable() } else { self.execute_one(&write, agenda.now) };
            (write.id, result)
        });
        self.statement = Some(results.collect());
        let takes = if agenda.odds(0.2) { agenda.millis(100, 5_000) } else { agenda.millis(1, 20) };
        agenda.after(takes, Happening::Database(Step::Confirm(self.writer_life, now)));
    }

    fn execute_one(&mut self, write: &Write, now: Duration) -> WriteResult {
        let Some(record) = self.rows.get_mut(&write.row) else { return WriteResult::Gone };
        let wanted = Shown::Known(write.status);
        if record.row.shown == wanted {
            return WriteResult::AlreadySo;
        }
        if now < record.locked_until {
            return WriteResult::SetAside;
        }
        if now < record.refused_until {
            return WriteResult::Refused("23514 check constraint".to_owned());
        }
        self.commits.push((now, write.row.clone(), record.row.shown));
        if self.commits.len() > 64 {
            self.commits.remove(0);
        }
        record.row.shown = wanted;
        WriteResult::Written
    }

    /// The connections break. What a statement under way did is not known, even where it was done.
    pub(super) fn break_connections(&mut self, agenda: &mut Agenda) -> Vec<Input> {
        for (_, result) in self.statement.iter_mut().flatten() {
            *result = WriteResult::Unavailable("connection lost".to_owned());
        }
        self.writer_broken = self.statement.is_none() && agenda.odds(0.5);
        self.reader_broken = true;
        if self.reading.take().is_none() {
            return Vec::new();
        }
        self.reader_life += 1;
        self.reader_broken = false;
        vec![Input::Database(DatabaseEvent::Down("connection lost".to_owned()))]
    }

    /// The server crashes: what it had confirmed within the last moments is undone.
    pub(super) fn crash(&mut self, agenda: &mut Agenda) -> Vec<Input> {
        let kept = agenda.now.saturating_sub(agenda.between(Duration::ZERO, Duration::from_secs(3)));
        let safe = self.commits.iter().take_while(|(at, _, _)| *at <= kept).count();
        for (_, row, before) in self.commits.drain(safe..).rev() {
            if let Some(record) = self.rows.get_mut(&row) {
                record.row.shown = before;
                record.touched = agenda.now;
            }
        }
        self.break_connections(agenda)
    }

    /// The writer's thread dies and is begun anew. What it had is lost; what it did, it did.
    pub(super) fn kill_writer(&mut self) -> Input {
        self.writer_life += 1;
        self.queue.clear();
        self.statement = None;
        Input::WriterStarted { lane: 0, lanes: 1 }
    }

    /// The process dies; the table stays.
    pub(super) fn kill_process(&mut self) {
        self.kill_writer();
        self.reading = None;
        self.reader_life += 1;
        self.reader_broken = false;
        self.writer_broken = false;
    }

    pub(super) fn calm(&mut self, now: Duration) {
        self.down_until = self.down_until.min(now);
        for record in self.rows.values_mut() {
            record.locked_until = record.locked_until.min(now);
            record.refused_until = record.refused_until.min(now);
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
