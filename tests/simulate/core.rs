//! One core: the machine, and the world as it meets it. A process of its own, with its links, its askers, its
//! writers, its host's clock and what it keeps on its disk. It knows of no other core.

mod faults;

pub(super) use faults::CoreFault;

use super::api::{Api, RETRY_AFTER};
use super::client::Client;
use super::conditions::Conditions;
use super::database::Record;
use super::judge::{API_LAG, Judge, VANISHED};
use super::push::Realtime;
use super::seat::{self, Cell, Seat};
use super::webhooks::Webhooks;
use super::words;
use super::world::World;
use kick_monitor::domain::ask::Learned;
use kick_monitor::domain::push::Transport;
use kick_monitor::domain::report::Report;
use kick_monitor::domain::row::{DatabaseEvent, Recent, Row};
use kick_monitor::domain::shards::Coordination;
use kick_monitor::domain::time::Timestamp;
use kick_monitor::domain::way::Offer;
use kick_monitor::domain::{Now, RowId, Slug, Status, Steady, UserId};
use kick_monitor::monitor::{Input, Monitor, Output};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A machine that wakes oftener within a second does nothing else.
const WAKES_MAX: u32 = 100;
/// What the machine may hold for each row, and at all, in bytes of its `Debug` form.
const SIZE_MAX: (usize, usize) = (12_000, 60_000);

pub(super) struct Core {
    id: usize,
    pub conditions: Conditions,
    pub realtime: Realtime,
    pub api: Api,
    pub client: Client,
    /// Its coordinator, if the cores share the table.
    pub seat: Option<Seat>,
    /// Its process does nothing before: it is stopped, or not begun yet.
    pub frozen_until: Duration,
    pub webhooks: Webhooks,
    /// How far its host's wall clock is off.
    pub wall: jiff::SignedDuration,
    /// When the world was last to blame for any wrong row of its.
    pub excused: Duration,
    /// Since when it says that push does not cover a row, at the inspections (R23).
    uncovered: BTreeMap<RowId, Duration>,
    /// Rows whose names it says Kick does not know.
    unknown: BTreeSet<RowId>,
    /// What it tells of itself when the calm begins; the transport in use then, and how often it had changed.
    pub report: Report,
    pub transport: (Option<Transport>, u32),
    pub judge: Judge,
    monitor: Monitor,
    disk: Disk,
    /// What was last said of the streamers, at which revision, by which wall clock.
    paged: Option<((u64, jiff::SignedDuration), String)>,
    said_roster: Vec<Row>,
    woken: (u64, u32),
}

/// What its processes left for those that follow.
#[derive(Default)]
struct Disk {
    learned: BTreeMap<Slug, Learned>,
    worked: Option<Offer>,
    /// Until when the API may not know of what a row shows.
    recent: BTreeMap<RowId, Timestamp>,
    /// The webhook subscriptions that it made.
    subscribed: BTreeMap<UserId, String>,
}

impl Core {
    pub(super) fn new(id: usize, seed: u64, conditions: Conditions, world: &mut World) -> Core {
        let shards = world.database.shards;
        let seat = (shards > 0).then(|| Seat::new(id, shards, &mut world.agenda));
        let mut client = Client::new(id, &conditions, &mut world.agenda);
        client.cell = if seat.is_some() { Cell::Nothing } else { Cell::Off };
        let now = Now { steady: Steady::after(Duration::ZERO), wall: super::MIDNIGHT };
        let mut monitor = Monitor::new(now, conditions.settings.clone(), seed);
        if seat.is_none() {
            monitor.handle(now, Input::Coordination(Coordination::Off(None)));
        }
        Core {
            id,
            monitor,
            judge: Judge::new(id, conditions.settings.requests_per_minute, world.wrong_hints),
            realtime: Realtime::new(id),
            api: Api::new(id, &conditions),
            client,
            webhooks: Webhooks::new(id, &world.agenda),
            seat,
            frozen_until: Duration::ZERO,
            wall: jiff::SignedDuration::ZERO,
            disk: Disk::default(),
            excused: Duration::ZERO,
            uncovered: BTreeMap::new(),
            unknown: BTreeSet::new(),
            paged: None,
            said_roster: Vec::new(),
            woken: (0, 0),
            report: Report::default(),
            transport: (None, 0),
            conditions,
        }
    }

    /// Its process dies without a word and another one is begun, which is told what is on the disk.
    pub(super) fn begin_process(&mut self, world: &mut World) -> Vec<Input> {
        let now = world.agenda.now;
        // The list of what changed lately is torn or lost, sometimes.
        let torn = world.agenda.odds(0.2);
        let seen = now + self.conditions.poll;
        self.excused = if torn { seen + API_LAG } else { now };
        self.realtime.kill_process();
        self.api.kill_process();
        self.webhooks.kill_process();
        self.uncovered.clear();
        self.unknown.clear();
        let writers = self.client.kill_process();
        if let Some(seat) = &mut self.seat {
            seat.kill_process(&mut world.agenda);
            self.client.cell = Cell::Nothing;
        }
        self.judge.forget_process(now, torn, seen + API_LAG, self.conditions.settings.hold);
        let seed = world.agenda.chance.u64(..);
        self.paged = None;
        self.monitor = Monitor::new(self.now(now), self.conditions.settings.clone(), seed);
        let learned = Input::Learned(self.disk.learned.values().cloned().collect());
        let worked = self.disk.worked.clone().map(Input::Remembered);
        let wall = self.now(now).wall;
        let lately = self.disk.recent.iter().filter(|(_, until)| wall < **until).map(|(row, _)| row.clone());
        let alone = self.seat.is_none().then_some(Input::Coordination(Coordination::Off(None)));
        let recent = Input::Recent(if torn { Recent::Any } else { Recent::Rows(lately.collect()) });
        let subscribed = Input::Subscribed(self.disk.subscribed.clone());
        writers.into_iter().chain(alone).chain([learned, recent, subscribed]).chain(worked).collect()
    }

    pub(super) fn now(&self, now: Duration) -> Now {
        Now { steady: Steady::after(now), wall: super::MIDNIGHT + now + self.wall }
    }

    /// When the machine wants to be woken.
    pub(super) fn wakes(&self, now: Duration) -> Option<Duration> {
        self.monitor.next_wake().map(|wake| wake.at.elapsed().max(now).max(self.frozen_until))
    }

    pub(super) fn wake(&mut self, world: &mut World) -> Result<(), String> {
        let second = world.agenda.now.as_secs();
        self.woken = if self.woken.0 == second { (second, self.woken.1 + 1) } else { (second, 1) };
        if self.woken.1 > WAKES_MAX {
            return Err(format!("the machine does not stop waking: {:?}", self.monitor.next_wake()));
        }
        self.tell(Input::Tick, world)
    }

    pub(super) fn tell(&mut self, input: Input, world: &mut World) -> Result<(), String> {
        let now = self.now(world.agenda.now);
        if world.story.is_some() {
            self.say_input(&input, world);
        }
        self.judge.hear(now.steady.elapsed(), &input, &world.kick, &self.conditions);
        if let Some(referee) = &mut world.referee {
            referee.hear(self.id, &input);
        }
        for output in self.monitor.handle(now, input) {
            world.say(|| format!("{}    <- {}", self.id, words::output(&output)));
            match &mut world.referee {
                Some(referee) => referee.check(self.id, &output, &world.database)?,
                None => self.judge.check(now, &output, &world.kick, &self.conditions)?,
            }
            self.carry_out(output, world);
        }
        match world.referee {
            Some(_) => Ok(()),
            None => self.judge.check_said(&mut self.monitor, now),
        }
    }

    /// A step of its coordinator.
    pub(super) fn coordinate(&mut self, step: seat::Step, world: &mut World) -> Result<(), String> {
        let Some(seat) = &mut self.seat else { return Ok(()) };
        let down_until = world.database.down_until;
        let told = seat.step(step, down_until, &mut world.database.locks, &mut world.agenda);
        self.client.cell = seat.cell.clone();
        told.map_or(Ok(()), |told| self.tell(Input::Coordination(told), world))
    }

    /// Its process does nothing for a while.
    pub(super) fn freeze(&mut self, until: Duration) {
        self.frozen_until = self.frozen_until.max(until);
    }

    /// Whether it can hold nothing just now.
    pub(super) fn is_cut_off(&self, now: Duration) -> bool {
        self.frozen_until.max(self.client.cut_until) > now
    }

    /// The server cannot be reached from its host for a while.
    pub(super) fn cut(&mut self, until: Duration, world: &mut World) -> Vec<Input> {
        self.client.cut_until = until;
        if let Some(seat) = &mut self.seat {
            seat.cut_until = until;
        }
        self.client.break_connections(&world.database, &mut world.agenda)
    }

    fn carry_out(&mut self, output: Output, world: &mut World) {
        let agenda = &mut world.agenda;
        let now = self.now(agenda.now);
        match output {
            Output::Ask(asker, request) => self.api.ask(asker, request, now, &self.conditions, agenda),
            Output::AskBroker(request) => self.realtime.transports.ask(request, now, self.conditions.slow, agenda),
            Output::Write(write) => self.client.write(write, agenda),
            Output::OpenLink(link) => self.realtime.open(link, agenda),
            Output::CloseLink(link) => self.realtime.close(link),
            Output::Subscribe(link, channels) => self.realtime.subscribe(link, &channels, agenda),
            Output::Unsubscribe(link, channels) => self.realtime.unsubscribe(link, &channels),
            Output::ReadRoster => self.client.read_soon(agenda),
            Output::Learn(known) => drop(self.disk.learned.insert(known.name.clone(), known)),
            Output::Go(link, way) => self.realtime.go(link, way.as_ref(), agenda),
            Output::Token(link, _) => self.realtime.give_token(link, agenda),
            Output::Remember(offer) => self.disk.worked = Some(offer),
            Output::Recent(rows, until) => self.disk.recent.extend(rows.into_iter().map(|row| (row, until))),
            Output::Released { hold, shards } => {
                if let Some(seat) = &mut self.seat {
                    seat.release(hold, &shards, &mut world.database.locks, agenda.now);
                }
            }
            Output::AskWebhooks(request) => self.webhooks.ask(request, now, agenda),
            Output::Subscribed(user, Some(id)) => drop(self.disk.subscribed.insert(user, id)),
            Output::Subscribed(user, None) => drop(self.disk.subscribed.remove(&user)),
            Output::Webhook(_) | Output::Log(_) => {}
        }
    }

    pub(super) fn calm(&mut self, now: Duration) {
        self.report = self.monitor.report(self.now(now));
        self.transport = (self.realtime.transports.in_use(), self.realtime.transports.changes);
        self.frozen_until = self.frozen_until.min(now);
        self.client.cut_until = self.client.cut_until.min(now);
        self.seat.iter_mut().for_each(|seat| seat.cut_until = seat.cut_until.min(now));
        self.conditions.calm();
        self.api.calm();
        self.realtime.calm(now);
    }

    /// What went wrong in the world for all rows, up to now.
    pub(super) fn take_excuses(&mut self, world: &World) {
        let database = &world.database;
        self.excused = self.excused.max(world.agenda.now.min(database.away_until()));
        self.excused = self.excused.max(self.api.failed + RETRY_AFTER);
        if let Some(limited) = self.api.limited {
            self.excused = self.excused.max(limited + self.conditions.recovery(database.rows.len()));
        }
        self.note_uncovered(world.agenda.now);
    }

    fn note_uncovered(&mut self, now: Duration) {
        let told = self.monitor.page(self.now(now), None, usize::MAX);
        self.unknown = told.iter().filter(|it| it.unknown_to_kick).map(|it| RowId::new(&it.id)).collect();
        let uncovered = told.into_iter().filter(|it| !it.covered && !it.unknown_to_kick && it.user_id.is_some());
        let rows = uncovered.map(|it| RowId::new(&it.id));
        self.uncovered = rows
            .map(|row| (self.uncovered.get(&row).copied().unwrap_or(now), row))
            .map(|(at, row)| (row, at))
            .collect();
    }

    /// Whether this core should have put a wrong row right by now, after the last fault that it cannot see through.
    pub(super) fn is_late(&self, record: &Record, n: usize, world: &World) -> bool {
        let bound = self.conditions.bound(world.database.rows.len());
        // R26: an Offline has to stand for as long.
        let online = world.kick.streamers[n].now().status() == Status::Online;
        let delay = if online { Duration::ZERO } else { self.conditions.settings.offline_delay };
        let excused = self.excused.max(self.api.kept_back.get(&n).copied().unwrap_or_default());
        // R12: a name that Kick did not know is asked about every ten minutes.
        let excused = if self.unknown.contains(&record.row.id) { excused + VANISHED } else { excused };
        let late = |bound, excused| {
            self.judge.is_late(world.agenda.now, record, (n, &world.kick.streamers[n]), bound + delay, excused)
        };
        // R23: one whom push does not cover waits for no sweep, nor for a hold that is over.
        let quick = self.conditions.quick_bound(world.database.rows.len()).filter(|_| !self.judge.is_failing(n));
        let quick = quick.zip(self.uncovered.get(&record.row.id));
        let held = self.holds_until(n);
        late(bound, excused) || quick.is_some_and(|(bound, since)| late(bound, excused.max(*since).max(held)))
    }

    /// Until when what push last told of a streamer holds.
    pub(super) fn holds_until(&self, n: usize) -> Duration {
        self.judge.told_at(n) + self.conditions.settings.hold
    }

    /// Whether it should have by the end of the day, when nothing excuses anything.
    pub(super) fn is_late_at_last(&self, record: &Record, n: usize, world: &World) -> bool {
        let streamer = (n, &world.kick.streamers[n]);
        self.judge.is_late(world.agenda.now, record, streamer, Duration::ZERO, Duration::ZERO)
    }

    /// The machine itself.
    pub(super) fn inspect(&mut self, world: &World) -> Result<(), String> {
        let size = format!("{:?}", self.monitor).len();
        if size > SIZE_MAX.0 * (world.database.rows.len() + world.kick.streamers.len()) + SIZE_MAX.1 {
            return Err(format!("the machine has grown to {size} bytes"));
        }
        let told = self.monitor.report(self.now(world.agenda.now)).streamers;
        if told.online + told.offline + told.unknown != told.total {
            return Err("the report has lost count of the streamers".to_owned());
        }
        let page = self.monitor.page(self.now(world.agenda.now), None, usize::MAX);
        if page.iter().filter(|streamer| streamer.subscribed_at.is_some()).count() != told.subscribed {
            return Err(format!("the report has lost count of the subscriptions: {}", told.subscribed));
        }
        // Times are told by the wall clock.
        let paged = ((self.monitor.revision(), self.wall), format!("{page:?}"));
        let before = self.paged.replace(paged.clone());
        match before.filter(|before| before.0 == paged.0 && before.1 != paged.1) {
            Some(before) => {
                Err(format!("what is said of the streamers has changed unnoticed:\n{}\n{}", before.1, paged.1))
            }
            None => Ok(()),
        }
    }

    /// A roster that says what the one before said is not worth a line.
    fn say_input(&mut self, input: &Input, world: &mut World) {
        let same = match input {
            Input::Tick | Input::Database(DatabaseEvent::Up) => true,
            Input::Roster(read) => std::mem::replace(&mut self.said_roster, read.rows.clone()) == read.rows,
            _ => false,
        };
        if !same {
            world.say(|| format!("{}-> {}", self.id, words::input(input)));
        }
    }
}
