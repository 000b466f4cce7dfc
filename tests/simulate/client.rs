//! One core's conversation with the database: the thread that reads the table, and those that write it.

mod writer;

use super::agenda::{Agenda, Happening};
use super::conditions::Conditions;
use super::database::Database;
use super::faults::ShareFault;
use super::seat::Cell;
use kick_monitor::domain::row::{DatabaseEvent, RosterRead, Row, Write, WriteResult};
use kick_monitor::domain::{Now, Steady};
use kick_monitor::gateway::database::Attempt;
use kick_monitor::monitor::Input;
use std::time::Duration;
use writer::Writer;

pub(super) struct Client {
    /// Whose it is.
    core: usize,
    poll: Duration,
    writers: Vec<Writer>,
    /// In which life of its the reader reads, if it does.
    reading: Option<u32>,
    reader_life: u32,
    reader_broken: bool,
    /// The next reading finds nothing, as when somebody is about to fill the table again.
    pub blank_read: bool,
    /// What of the table is this core's (R25).
    pub cell: Cell,
    /// The server cannot be reached from here before.
    pub cut_until: Duration,
    /// A fault, and its duration, that is to strike when the next statement is sent; and the one that strikes now.
    pub strikes: Option<(ShareFault, Duration)>,
    pub struck: Option<(ShareFault, Duration)>,
}

/// A statement that waits to be carried out.
#[derive(Debug)]
pub(super) struct Sent {
    lane: usize,
    life: u32,
    /// With their leases; none where it was over already.
    rows: Vec<(Write, Option<Duration>)>,
    limit: Duration,
    /// It is on its way, whatever becomes of the process.
    left: bool,
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
    /// A statement that holds to leases reaches the server.
    Run(Sent),
}

impl Step {
    /// Whether it happens at the server, whatever becomes of the process.
    pub(super) fn is_at_server(&self) -> bool {
        matches!(self, Step::Run(sent) if sent.left)
    }
}

impl Client {
    /// Its threads begin at once.
    pub(super) fn new(core: usize, conditions: &Conditions, agenda: &mut Agenda) -> Client {
        for lane in 0..conditions.writers {
            agenda.after(Duration::ZERO, Happening::Client(core, Step::Begin(lane)));
        }
        agenda.after(Duration::ZERO, Happening::Client(core, Step::Read));
        Client {
            core,
            poll: conditions.poll,
            writers: (0..conditions.writers).map(|_| Writer::default()).collect(),
            reading: None,
            reader_life: 0,
            reader_broken: false,
            blank_read: false,
            cell: Cell::Off,
            cut_until: Duration::ZERO,
            strikes: None,
            struck: None,
        }
    }

    fn after(&self, wait: Duration, step: Step, agenda: &mut Agenda) {
        agenda.after(wait, Happening::Client(self.core, step));
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
            self.after(pause, Step::Execute(lane, life), agenda);
        }
    }

    pub(super) fn step(&mut self, step: Step, now: Now, database: &mut Database, agenda: &mut Agenda) -> Vec<Input> {
        match step {
            Step::Read => self.read(database, agenda),
            Step::ReadNow => self.begin_reading(database, agenda).into_iter().collect(),
            Step::HaveRead(life, read) => {
                if self.reading.is_none() || life != self.reader_life {
                    self.reading = None;
                    return Vec::new();
                }
                if read.more {
                    return vec![Input::Roster(read)];
                }
                self.reading = None;
                vec![Input::Database(DatabaseEvent::Up), Input::Roster(read)]
            }
            Step::Begin(lane) => vec![self.kill_writer(lane)],
            Step::Execute(lane, life) => {
                if self.writers[lane].lives(life) {
                    match self.cell {
                        Cell::Off => self.execute(lane, now, database, agenda),
                        _ => self.send(lane, database.dawdles_until, agenda),
                    }
                }
                Vec::new()
            }
            Step::Run(sent) => {
                self.run(sent, now, database, agenda);
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
    fn read(&mut self, database: &Database, agenda: &mut Agenda) -> Vec<Input> {
        if agenda.now < database.down_until.max(self.cut_until) {
            self.reader_broken = false;
            let pause = agenda.millis(100, 5_000);
            self.after(pause, Step::Read, agenda);
            return vec![Input::Database(DatabaseEvent::Down("connection refused".to_owned()))];
        }
        self.after(self.poll, Step::Read, agenda);
        self.begin_reading(database, agenda).into_iter().collect()
    }

    /// Reads out of turn, as the core asked for.
    pub(super) fn read_soon(&mut self, agenda: &mut Agenda) {
        self.after(Duration::from_millis(1), Step::ReadNow, agenda);
    }

    fn begin_reading(&mut self, database: &Database, agenda: &mut Agenda) -> Option<Input> {
        if self.reading.is_some() || agenda.now < database.down_until.max(self.cut_until) {
            return None;
        }
        self.reading = Some(self.reader_life);
        let scope = self.cell.scope();
        let rows = if std::mem::take(&mut self.blank_read) { Vec::new() } else { database.roster(&scope) };
        let takes = if agenda.odds(0.05) { agenda.millis(50, 5_000) } else { agenda.millis(1, 50) };
        // Parts come as they are read, unless the last read failed.
        let parts = if self.reader_broken { 1 } else { agenda.pick(&[1, 1, 2, 5]).unwrap_or(1) };
        let (started, size) = (Steady::after(agenda.now), rows.len().div_ceil(parts).max(1));
        let mut parts: Vec<Vec<Row>> = rows.chunks(size).map(<[Row]>::to_vec).collect();
        let last = parts.pop().unwrap_or_default();
        let each = takes / u32::try_from(parts.len() + 1).unwrap_or(1);
        for (n, rows) in (1..).zip(parts) {
            let read = RosterRead { started, scope: scope.clone(), rows, more: true };
            self.after(each * n, Step::HaveRead(self.reader_life, read), agenda);
        }
        let read = RosterRead { started, scope, rows: last, more: false };
        self.after(takes, Step::HaveRead(self.reader_life, read), agenda);
        std::mem::take(&mut self.reader_broken).then_some(Input::Database(DatabaseEvent::Reconnected))
    }

    fn execute(&mut self, lane: usize, now: Now, database: &mut Database, agenda: &mut Agenda) {
        let usual = if agenda.odds(0.2) { agenda.millis(100, 1_500) } else { agenda.millis(1, 20) };
        let usual = if agenda.odds(0.005) { agenda.millis(1_500, 8_000) } else { usual };
        let Some((rows, limit)) = self.writers[lane].next() else { return };
        let lost = agenda.now < database.down_until || std::mem::take(&mut self.writers[lane].broken);
        let (attempt, took) = if lost {
            (Attempt::Away("connection refused".to_owned()), usual)
        } else if agenda.now < database.refuses_until {
            (Attempt::Away("55000: no replica identity".to_owned()), usual)
        } else {
            database.run(self.core, &rows, usual, limit, agenda.now)
        };
        self.writers[lane].runs(attempt, took);
        let life = self.writers[lane].life();
        self.after(took, Step::Confirm(lane, life, now), agenda);
    }

    /// Sends the next statement, which takes a moment: to leave, and to get what it needs at the server. `dawdles_until`:
    /// it takes longer before.
    fn send(&mut self, lane: usize, dawdles_until: Duration, agenda: &mut Agenda) {
        let Some((rows, limit)) = self.writers[lane].next() else { return };
        let lease = |write: Write| {
            let lease = self.cell.lease(write.hold, agenda.now);
            (write, lease)
        };
        let rows = rows.into_iter().map(lease).collect();
        self.struck = self.strikes.take();
        let left = match self.struck {
            Some((fault, _)) => fault != ShareFault::Frozen,
            None => agenda.odds(0.7),
        };
        let sent = Sent { lane, life: self.writers[lane].life(), rows, limit, left };
        let takes = match self.struck {
            Some(_) if left => agenda.secs(1, 30),
            _ if agenda.now < dawdles_until => agenda.millis(500, 6_000),
            _ if agenda.odds(0.02) => agenda.millis(20, 12_000),
            _ => agenda.millis(1, 20),
        };
        self.after(takes, Step::Run(sent), agenda);
    }

    /// The statement is carried out, as far as its leases last, even if nobody waits for it any more.
    fn run(&mut self, sent: Sent, now: Now, database: &mut Database, agenda: &mut Agenda) {
        let Sent { lane, life, rows, limit, left } = sent;
        let waits = self.writers[lane].lives(life);
        if !waits && !left {
            return;
        }
        // The server carries out a statement that has reached it, even if the answer is lost.
        let unheard = waits && (agenda.now < self.cut_until || std::mem::take(&mut self.writers[lane].broken));
        let lost = agenda.now < database.down_until || unheard && !left;
        let good = |lease: &Option<Duration>| lease.is_some_and(|lease| agenda.now < lease);
        let lapsed: Vec<_> = rows.iter().filter(|(_, lease)| !good(lease)).map(|(write, _)| write.id).collect();
        let rows: Vec<Write> = rows.into_iter().filter(|(_, lease)| good(lease)).map(|(write, _)| write).collect();
        let (attempt, took) = if lost {
            (Attempt::Away("connection refused".to_owned()), Duration::from_millis(5))
        } else if agenda.now < database.refuses_until {
            (Attempt::Away("55000: no replica identity".to_owned()), Duration::from_millis(5))
        } else {
            database.run(self.core, &rows, Duration::from_millis(5), limit, agenda.now)
        };
        if waits {
            let attempt = match attempt {
                _ if unheard => Attempt::Away("connection lost".to_owned()),
                Attempt::Done(mut done) => {
                    done.extend(lapsed.into_iter().map(|id| (id, WriteResult::Lapsed)));
                    Attempt::Done(done)
                }
                other => other,
            };
            self.writers[lane].runs(attempt, took);
            self.after(took, Step::Confirm(lane, life, now), agenda);
        }
    }

    /// The connections break. What a statement under way did is not known, even where it was done.
    pub(super) fn break_connections(&mut self, database: &Database, agenda: &mut Agenda) -> Vec<Input> {
        let away = agenda.now < database.down_until;
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

    /// Some writer's thread dies and is begun anew.
    pub(super) fn kill_some_writer(&mut self, agenda: &mut Agenda) -> Input {
        self.kill_writer(agenda.chance.usize(..self.writers.len()))
    }

    /// What a writer had is lost; what it did, it did.
    fn kill_writer(&mut self, lane: usize) -> Input {
        self.writers[lane].die();
        Input::WriterStarted { lane, lanes: self.writers.len() }
    }

    /// The process dies; the table stays. The writers of the next one begin.
    pub(super) fn kill_process(&mut self) -> Vec<Input> {
        self.reading = None;
        self.reader_life += 1;
        self.reader_broken = false;
        (0..self.writers.len()).map(|lane| self.kill_writer(lane)).collect()
    }
}
