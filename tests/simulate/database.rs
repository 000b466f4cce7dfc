//! The user's table, the server it is in, and the threads that read and write it.

mod table;
mod writer;

pub(super) use table::{Ill, Record};

use super::agenda::{Agenda, Happening};
use kick_monitor::domain::row::{DatabaseEvent, RosterRead, Row, Shown, Write};
use kick_monitor::domain::{Now, RowId, Status, Steady};
use kick_monitor::gateway::database::Attempt;
use kick_monitor::monitor::Input;
use std::collections::BTreeMap;
use std::time::Duration;
use writer::Writer;

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
    /// No statement can be done before, whatever the row.
    pub refuses_until: Duration,
    /// Until when each row takes how long.
    pub slow: (Duration, Duration),
    writers: Vec<Writer>,
    /// When the reader began to read, if it reads.
    reading: Option<u32>,
    reader_life: u32,
    reader_broken: bool,
}

#[derive(Debug)]
pub(super) enum Step {
    Read,
    ReadNow,
    HaveRead(u32, RosterRead),
    /// A writer begins, of this number.
    Begin(usize),
    /// A writer of this number and life sends its next statement, or hears of it.
    Execute(usize, u32),
    Confirm(usize, u32, Now),
}

impl Database {
    pub(super) fn new(writers: usize) -> Database {
        Database { writers: (0..writers).map(|_| Writer::default()).collect(), ..Database::default() }
    }

    pub(super) fn add(&mut self, username: String, shown: Shown, now: Duration) -> &mut Row {
        self.next_row += 1;
        let id = RowId::new(&self.next_row.to_string());
        let row = Row { id: id.clone(), username: username.into(), shown, channel: None, user: None, flaw: None };
        &mut self.rows.entry(id).or_insert(Record::new(row, now)).row
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
        let lane = write.row.lane(self.writers.len());
        self.writers[lane].give(write);
        self.wake(lane, agenda);
    }

    /// A writer with something to write that does nothing begins.
    fn wake(&mut self, lane: usize, agenda: &mut Agenda) {
        if let Some(life) = self.writers[lane].wakes() {
            let pause = agenda.millis(0, 5);
            agenda.after(pause, Happening::Database(Step::Execute(lane, life)));
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
            Step::Begin(lane) => vec![self.kill_writer(lane)],
            Step::Execute(lane, life) => {
                if self.writers[lane].lives(life) {
                    self.execute(lane, now, agenda);
                }
                Vec::new()
            }
            Step::Confirm(lane, life, at) => {
                if !self.writers[lane].lives(life) {
                    return Vec::new();
                }
                let heard = self.writers[lane].confirm(at);
                self.wake(lane, agenda);
                heard
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

    fn execute(&mut self, lane: usize, now: Now, agenda: &mut Agenda) {
        let usual = if agenda.odds(0.2) { agenda.millis(100, 1_500) } else { agenda.millis(1, 20) };
        let usual = if agenda.odds(0.005) { agenda.millis(1_500, 8_000) } else { usual };
        let Some((rows, limit)) = self.writers[lane].next() else { return };
        let lost = agenda.now < self.down_until || std::mem::take(&mut self.writers[lane].broken);
        let (attempt, took) = if lost {
            (Attempt::Away("connection refused".to_owned()), usual)
        } else if agenda.now < self.refuses_until {
            (Attempt::Away("55000: no replica identity".to_owned()), usual)
        } else {
            self.run(&rows, usual, limit, agenda.now)
        };
        self.writers[lane].runs(attempt, took);
        let life = self.writers[lane].life();
        agenda.after(took, Happening::Database(Step::Confirm(lane, life, now)));
    }

    /// The connections break. What a statement under way did is not known, even where it was done.
    pub(super) fn break_connections(&mut self, agenda: &mut Agenda) -> Vec<Input> {
        let away = agenda.now < self.down_until;
        for writer in &mut self.writers {
            writer.breaks(away, agenda);
        }
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

    /// A writer's thread dies and is begun anew. What it had is lost; what it did, it did.
    pub(super) fn kill_writer(&mut self, lane: usize) -> Input {
        self.writers[lane].die();
        Input::WriterStarted { lane, lanes: self.writers.len() }
    }

    /// How many writers there are.
    pub(super) fn lanes(&self) -> usize {
        self.writers.len()
    }

    /// The process dies; the table stays. The writers of the next one begin.
    pub(super) fn kill_process(&mut self) -> Vec<Input> {
        self.reading = None;
        self.reader_life += 1;
        self.reader_broken = false;
        (0..self.writers.len()).map(|lane| self.kill_writer(lane)).collect()
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
