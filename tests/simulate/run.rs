//! One simulated day: the machine in its world, both moved by whatever comes first.

use super::agenda::{Agenda, Happening};
use super::api::{Api, RETRY_AFTER};
use super::database::{Database, Step};
use super::faults::{Fault, plan};
use super::judge::{API_LAG, Judge};
use super::profile::Profile;
use super::push::Realtime;
use super::words;
use super::world::Kick;
use kick_monitor::domain::ask::{Endpoint, Learned};
use kick_monitor::domain::push::Transport;
use kick_monitor::domain::row::{DatabaseEvent, Recent, Row};
use kick_monitor::domain::time::Timestamp;
use kick_monitor::domain::way::Offer;
use kick_monitor::domain::{Now, RowId, Slug, Steady};
use kick_monitor::monitor::{Input, Monitor, Output};
use std::collections::BTreeMap;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3_600);
/// The last of the day is calm, so that everything must come right.
const CALM: Duration = Duration::from_secs(25 * 60);
const INSPECTION: Duration = Duration::from_secs(60);
/// A machine that wakes oftener within a second does nothing else.
const WAKES_MAX: u32 = 100;
/// What the machine may hold for each row, and at all, in bytes of its `Debug` form.
const SIZE_MAX: (usize, usize) = (12_000, 60_000);

pub(super) struct Day {
    pub profile: Profile,
    pub agenda: Agenda,
    pub kick: Kick,
    pub realtime: Realtime,
    pub api: Api,
    pub database: Database,
    /// How far our wall clock is off.
    pub wall: jiff::SignedDuration,
    monitor: Monitor,
    judge: Judge,
    /// What an earlier process left on the disk.
    learned: BTreeMap<Slug, Learned>,
    worked: Option<Offer>,
    /// Until when the API may not know of what a row shows, by what earlier processes kept.
    recent: BTreeMap<RowId, Timestamp>,
    /// When the world was last to blame for a wrong row, whichever.
    pub excused: Duration,
    /// Days that are told on take all that is said.
    transcript: Option<Vec<String>>,
    said_roster: Vec<Row>,
    woken: (u64, u32),
    transport: (Option<Transport>, u32),
}

/// What a day came to.
pub(super) struct Outcome {
    pub wrong: Option<String>,
    pub writes: usize,
    pub transcript: Vec<String>,
    /// The transport in use when the calm began, and how often it had changed.
    pub transport: Option<Transport>,
    pub changes: u32,
}

/// Lives through the day that a seed makes.
pub(super) fn live_through(seed: u64, told: bool) -> Outcome {
    let mut agenda = Agenda::new(seed);
    let profile = Profile::draw(&mut agenda);
    live(Day::new(seed, agenda, profile, told))
}

/// Lives through a good day but for Pusher, which accepts, acknowledges and delivers nothing until then.
pub(super) fn live_with_a_deaf_transport(seed: u64, until: Duration) -> Outcome {
    let mut agenda = Agenda::new(seed);
    let mut day = Day::new(seed, Agenda::new(seed), Profile::good(&mut agenda), false);
    day.realtime.transports.deaf_until.insert(Transport::Pusher, until);
    live(day)
}

fn live(mut day: Day) -> Outcome {
    let wrong = day.pass().err().map(|wrong| format!("{:.3} s: {wrong}", day.agenda.now.as_secs_f64()));
    let mut transcript = day.transcript.unwrap_or_default();
    if !transcript.is_empty() {
        transcript.insert(0, format!("{:#?}", day.profile));
    }
    let (transport, changes) = day.transport;
    Outcome { wrong, writes: day.judge.writes, transcript, transport, changes }
}

impl Day {
    fn new(seed: u64, mut agenda: Agenda, profile: Profile, told: bool) -> Day {
        let skew = jiff::SignedDuration::from_millis(agenda.chance.i64(-60_000..60_000));
        let kick = Kick::new(profile.streamers, skew, &mut agenda);
        let now = Now { steady: Steady(Duration::ZERO), wall: super::MIDNIGHT };
        let mut day = Day {
            monitor: Monitor::new(now, profile.settings.clone(), seed),
            judge: Judge::new(profile.settings.requests_per_minute),
            kick,
            realtime: Realtime::new(),
            transport: (None, 0),
            api: Api::default(),
            database: Database::new(profile.writers),
            wall: jiff::SignedDuration::ZERO,
            learned: BTreeMap::new(),
            worked: None,
            recent: BTreeMap::new(),
            excused: Duration::ZERO,
            transcript: told.then(Vec::new),
            said_roster: Vec::new(),
            woken: (0, 0),
            profile,
            agenda,
        };
        for _ in 0..day.profile.streamers {
            day.add_row();
        }
        if day.profile.listless {
            day.api.gone.extend([Endpoint::Livestreams, Endpoint::UsersLivestreams]);
        }
        for (fault, apart) in day.profile.faults.clone() {
            plan(fault, apart, &mut day.agenda);
        }
        for lane in 0..day.profile.writers {
            day.agenda.after(Duration::ZERO, Happening::Database(Step::Begin(lane)));
        }
        day.agenda.after(Duration::ZERO, Happening::Database(Step::Read));
        day.agenda.after(INSPECTION, Happening::Inspect);
        day
    }

    /// A process dies without a word and another one is begun.
    pub(super) fn begin_process(&mut self) -> Vec<Input> {
        // The list of what changed lately is torn or lost, sometimes.
        let torn = self.agenda.odds(0.2);
        let seen = self.agenda.now + self.profile.poll;
        self.excused = if torn { seen + API_LAG } else { self.agenda.now };
        self.realtime.kill_process();
        self.api.kill_process();
        let writers = self.database.kill_process();
        self.judge.forget_process(self.agenda.now, torn, seen + API_LAG, self.profile.settings.hold);
        self.monitor = Monitor::new(self.now(), self.profile.settings.clone(), self.agenda.chance.u64(..));
        let learned = Input::Learned(self.learned.values().cloned().collect());
        let worked = self.worked.clone().map(Input::Remembered);
        let now = self.now().wall;
        let lately = self.recent.iter().filter(|(_, until)| now < **until).map(|(row, _)| row.clone());
        let recent = Input::Recent(if torn { Recent::Any } else { Recent::Rows(lately.collect()) });
        writers.into_iter().chain([learned, recent]).chain(worked).collect()
    }

    fn now(&self) -> Now {
        let wall = super::MIDNIGHT + self.agenda.now + self.wall;
        Now { steady: Steady(self.agenda.now), wall }
    }

    fn pass(&mut self) -> Result<(), String> {
        let mut calm = false;
        loop {
            let wake = self.monitor.next_wake().map(|wake| wake.at.0.max(self.agenda.now));
            let coming = self.agenda.next_at().unwrap_or(DAY);
            let next = wake.map_or(coming, |wake| wake.min(coming));
            if next >= DAY {
                return self.inspect_at_end();
            }
            if next >= DAY - CALM && !calm {
                calm = true;
                self.calm();
                continue;
            }
            self.agenda.now = next;
            if wake == Some(next) {
                self.count_wake()?;
                self.tell(Input::Tick)?;
            } else {
                self.happen()?;
            }
        }
    }

    fn calm(&mut self) {
        self.transport = (self.realtime.transports.in_use(), self.realtime.transports.changes);
        self.profile.calm();
        self.kick.frozen = true;
        self.api.calm();
        self.database.calm(self.agenda.now);
        self.realtime.calm(self.agenda.now);
    }

    fn happen(&mut self) -> Result<(), String> {
        let Some(what) = self.agenda.pop() else { return Ok(()) };
        let now = self.now();
        let inputs = match what {
            Happening::Turn(n) => {
                if let Some(change) = self.kick.turn(n, self.profile.bans, self.profile.resumes, &mut self.agenda) {
                    self.say(|| format!("   = {} is {:?}", 5_000 + n, change.1));
                    self.realtime.tell(&self.kick, n, change, &self.profile, &mut self.agenda);
                }
                Vec::new()
            }
            Happening::Fault(fault) => self.fault(fault),
            Happening::Push(step) => self.realtime.step(step, &self.profile, &mut self.agenda).into_iter().collect(),
            Happening::Api(step) => {
                self.api.step(step, &self.kick, now, &self.profile, &mut self.agenda).into_iter().collect()
            }
            Happening::Database(step) => self.database.step(step, now, self.profile.poll, &mut self.agenda),
            Happening::Inspect => {
                self.agenda.after(INSPECTION, Happening::Inspect);
                return self.inspect();
            }
        };
        inputs.into_iter().try_for_each(|input| self.tell(input))
    }

    fn fault(&mut self, fault: Fault) -> Vec<Input> {
        let Some((_, apart)) = self.profile.faults.iter().find(|(has, _)| *has == fault).copied() else {
            return Vec::new();
        };
        plan(fault, apart, &mut self.agenda);
        self.say(|| format!("   ! {fault:?}"));
        self.strike(fault)
    }

    fn tell(&mut self, input: Input) -> Result<(), String> {
        if self.transcript.is_some() {
            self.say_input(&input);
        }
        self.judge.hear(self.agenda.now, &input, &self.kick);
        for output in self.monitor.handle(self.now(), input) {
            self.say(|| format!("     <- {}", words::output(&output)));
            self.judge.check(self.agenda.now, &output, &self.kick, &self.profile)?;
            self.carry_out(output)?;
        }
        Ok(())
    }

    fn carry_out(&mut self, output: Output) -> Result<(), String> {
        let now = self.now();
        match output {
            Output::Ask(asker, request) => self.api.ask(asker, request, now, &self.profile, &mut self.agenda),
            Output::AskBroker(request) => {
                self.realtime.transports.ask(request, now, self.profile.slow, &mut self.agenda);
            }
            Output::Write(write) => self.database.write(write, &mut self.agenda),
            Output::OpenLink(link) => self.realtime.open(link, &mut self.agenda),
            Output::CloseLink(link) => self.realtime.close(link),
            Output::Subscribe(link, channels) => self.realtime.subscribe(link, &channels, &mut self.agenda),
            Output::Unsubscribe(link, channels) => self.realtime.unsubscribe(link, &channels),
            Output::ReadRoster => self.database.read_soon(&mut self.agenda),
            Output::Learn(known) => {
                self.learned.insert(known.name.clone(), known);
            }
            Output::Go(link, way) => self.realtime.go(link, way.as_ref(), &mut self.agenda),
            Output::Token(link, _) => self.realtime.give_token(link, &mut self.agenda),
            Output::Remember(offer) => self.worked = Some(offer),
            Output::Recent(rows, until) => self.recent.extend(rows.into_iter().map(|row| (row, until))),
            Output::Log(_) => {}
        }
        Ok(())
    }

    fn count_wake(&mut self) -> Result<(), String> {
        let second = self.agenda.now.as_secs();
        self.woken = if self.woken.0 == second { (second, self.woken.1 + 1) } else { (second, 1) };
        if self.woken.1 > WAKES_MAX {
            return Err(format!("the machine does not stop waking: {:?}", self.monitor.next_wake()));
        }
        Ok(())
    }

    /// In between, a row may be wrong for as long as the rules allow after the last fault that the
    /// machine cannot see through.
    fn inspect(&mut self) -> Result<(), String> {
        let now = self.agenda.now;
        self.excused = self.excused.max(now.min(self.database.down_until.max(self.database.refuses_until)));
        self.excused = self.excused.max(self.api.failed + RETRY_AFTER);
        if let Some(limited) = self.api.limited {
            self.excused = self.excused.max(limited + self.profile.recovery(self.database.rows.len()));
        }
        if now.as_secs() % 3_600 < 60 {
            self.inspect_machine()?;
        }
        if self.profile.wrong_hints {
            // Push through a wrong channel may say anything until Kick states the right one (R12).
            return Ok(());
        }
        let bound = self.profile.bound(self.database.rows.len());
        let excused = |n| self.excused.max(self.api.kept_back.get(&n).copied().unwrap_or_default());
        self.judge.inspect(now, &self.kick, &self.database, bound, excused)
    }

    /// The machine itself, every hour or so, for looking at all of it takes long.
    fn inspect_machine(&mut self) -> Result<(), String> {
        let size = format!("{:?}", self.monitor).len();
        if size > SIZE_MAX.0 * (self.database.rows.len() + self.profile.streamers) + SIZE_MAX.1 {
            return Err(format!("the machine has grown to {size} bytes"));
        }
        let told = self.monitor.report(self.now()).streamers;
        if told.online + told.offline + told.unknown != told.total {
            return Err("the report has lost count of the streamers".to_owned());
        }
        Ok(())
    }

    /// After the calm, nothing excuses anything.
    fn inspect_at_end(&mut self) -> Result<(), String> {
        self.agenda.now = DAY;
        for record in self.database.rows.values_mut() {
            record.locked_until = Duration::ZERO;
            record.ill_until = Duration::ZERO;
            record.timed_out = Duration::ZERO;
            record.touched = Duration::ZERO;
        }
        self.judge.inspect(DAY, &self.kick, &self.database, Duration::ZERO, |_| Duration::ZERO)
    }

    /// A roster that says what the one before said is not worth a line.
    fn say_input(&mut self, input: &Input) {
        let same = match input {
            Input::Tick | Input::Database(DatabaseEvent::Up) => true,
            Input::Roster(read) => std::mem::replace(&mut self.said_roster, read.rows.clone()) == read.rows,
            _ => false,
        };
        if !same {
            let told = words::input(input);
            self.say(|| format!("-> {told}"));
        }
    }

    fn say(&mut self, line: impl FnOnce() -> String) {
        if let Some(transcript) = &mut self.transcript {
            transcript.push(format!("{:>10.3} {}", self.agenda.now.as_secs_f64(), line()));
        }
    }
}
