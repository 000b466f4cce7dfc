//! One simulated day: cores in their world, all moved by whatever comes first.

use super::agenda::{Agenda, Happening};
use super::core::Core;
use super::database::Database;
use super::faults::{Fault, plan};
use super::kick::{Kick, Moment};
use super::profile::Profile;
use super::referee::Referee;
use super::transports::Ill;
use super::world::World;
use jiff::SignedDuration;
use kick_monitor::domain::Status;
use kick_monitor::domain::push::Transport;
use kick_monitor::domain::report::Report;
use kick_monitor::domain::row::Shown;
use kick_monitor::domain::time::Timestamp;
use kick_monitor::monitor::Input;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3_600);
/// The last of the day is calm, so that everything must come right.
const CALM: Duration = Duration::from_secs(25 * 60);
const INSPECTION: Duration = Duration::from_secs(60);

pub(super) struct Day {
    pub profile: Profile,
    pub world: World,
    pub cores: Vec<Core>,
}

/// What a day came to.
pub(super) struct Outcome {
    pub wrong: Option<String>,
    pub writes: usize,
    pub transcript: Vec<String>,
    /// What the first core told of itself when the calm began; the transport that it used then, and how often that had
    /// changed.
    pub report: Report,
    /// It said that push leaves a good part of the changes out.
    pub partial: bool,
    pub transport: Option<Transport>,
    pub changes: u32,
}

/// Lives through the day that a seed makes.
pub(super) fn live_through(seed: u64, told: bool) -> Outcome {
    let mut agenda = Agenda::new(seed);
    let profile = Profile::draw(&mut agenda);
    live(Day::new(seed, agenda, profile, told))
}

/// Lives through a day on which several cores share the table.
pub(super) fn live_sharing(seed: u64, told: bool) -> Outcome {
    let mut agenda = Agenda::new(seed);
    let profile = Profile::draw_shared(&mut agenda);
    live(Day::new(seed, agenda, profile, told))
}

/// Lives through a good day but for Pusher, which has this ill until then.
pub(super) fn live_with_an_ill_transport(seed: u64, ill: Ill, until: Duration) -> Outcome {
    let mut agenda = Agenda::new(seed);
    let mut day = Day::new(seed, Agenda::new(seed), Profile::good(&mut agenda), false);
    day.cores[0].realtime.transports.fall_ill(Transport::Pusher, ill, until);
    live(day)
}

fn live(mut day: Day) -> Outcome {
    let wrong = day.pass().err().map(|wrong| format!("{:.3} s: {wrong}", day.world.agenda.now.as_secs_f64()));
    let mut transcript = day.world.story.unwrap_or_default();
    if !transcript.is_empty() {
        transcript.insert(0, format!("{:#?}", day.profile));
    }
    let writes = match &day.world.referee {
        Some(referee) => referee.writes,
        None => day.cores.iter().map(|core| core.judge.writes).sum(),
    };
    let first = day.cores.swap_remove(0);
    let (transport, changes) = first.transport;
    let partial = first.judge.was_partial();
    Outcome { wrong, writes, transcript, report: first.report, partial, transport, changes }
}

impl Day {
    fn new(seed: u64, mut agenda: Agenda, profile: Profile, told: bool) -> Day {
        let skew = jiff::SignedDuration::from_millis(agenda.chance.i64(-60_000..60_000));
        let kick = Kick::new(profile.streamers, skew, &mut agenda);
        let (shards, wrong_hints) = (profile.shards, profile.wrong_hints);
        let database = Database::new(shards);
        let referee = (shards > 0).then(|| Referee::new(&profile));
        let mut world = World { agenda, kick, database, referee, wrong_hints, story: told.then(Vec::new) };
        let cores = profile
            .cores
            .iter()
            .enumerate()
            .map(|(id, conditions)| Core::new(id, seed.wrapping_add(id as u64), conditions.clone(), &mut world));
        let cores = cores.collect();
        let mut day = Day { profile, world, cores };
        for _ in 0..day.profile.streamers {
            day.world.add_row();
        }
        for (fault, apart) in day.profile.faults.clone() {
            plan(fault, apart, &mut day.world.agenda);
        }
        day.world.agenda.after(INSPECTION, Happening::Inspect);
        day
    }

    fn pass(&mut self) -> Result<(), String> {
        let mut calm = false;
        loop {
            let now = self.world.agenda.now;
            let wakes = self.cores.iter().enumerate().filter_map(|(id, core)| Some((core.wakes(now)?, id)));
            let wake = wakes.min();
            let coming = self.world.agenda.next_at().unwrap_or(DAY);
            let next = wake.map_or(coming, |(wake, _)| wake.min(coming));
            if next >= DAY {
                return self.inspect_at_end();
            }
            if next >= DAY - CALM && !calm {
                calm = true;
                self.calm();
                continue;
            }
            self.world.agenda.now = next;
            match wake {
                Some((at, id)) if at == next => self.cores[id].wake(&mut self.world)?,
                _ => self.happen()?,
            }
        }
    }

    fn calm(&mut self) {
        let now = self.world.agenda.now;
        self.profile.faults.clear();
        self.world.kick.frozen = true;
        self.world.database.calm(now);
        self.cores.iter_mut().for_each(|core| core.calm(now));
    }

    fn happen(&mut self) -> Result<(), String> {
        let Day { world, cores, .. } = self;
        let Some(what) = world.agenda.pop() else { return Ok(()) };
        let now = world.agenda.now;
        let thaws = what.process().map_or(Duration::ZERO, |id| cores[id].frozen_until);
        if thaws > now {
            world.agenda.after(thaws - now, what);
            return Ok(());
        }
        match what {
            Happening::Turn(n) => {
                self.turn(n);
                Ok(())
            }
            Happening::Fault(fault) => self.fault(fault),
            Happening::Push(id, step) => {
                let core = &mut cores[id];
                let input = core.realtime.step(step, &core.conditions, &mut world.agenda);
                input.map_or(Ok(()), |input| core.tell(input, world))
            }
            Happening::Api(id, step) => {
                let core = &mut cores[id];
                let input = core.api.step(step, &world.kick, core.now(now), &core.conditions, &mut world.agenda);
                input.map_or(Ok(()), |input| core.tell(input, world))
            }
            Happening::Client(id, step) => {
                let core = &mut cores[id];
                let inputs = core.client.step(step, core.now(now), &mut world.database, &mut world.agenda);
                let struck = core.client.struck.take();
                inputs.into_iter().try_for_each(|input| core.tell(input, world))?;
                self.judge_done()?;
                let heard = struck.map_or(Vec::new(), |(fault, span)| self.strike_core(id, fault, now + span));
                heard.into_iter().try_for_each(|input| self.cores[id].tell(input, &mut self.world))
            }
            Happening::Rush => {
                world.rush();
                Ok(())
            }
            Happening::Seat(id, step) => cores[id].coordinate(step, world),
            Happening::Webhooks(id, step) => {
                let core = &mut cores[id];
                let listens = core.conditions.settings.webhooks;
                let input = core.webhooks.step(step, core.now(now)).filter(|_| listens);
                input.map_or(Ok(()), |input| core.tell(input, world))
            }
            Happening::Inspect => {
                world.agenda.after(INSPECTION, Happening::Inspect);
                self.inspect()
            }
        }
    }

    /// A broadcast begins or ends, and Kick announces it to all cores alike.
    fn turn(&mut self, n: usize) {
        let (world, habits) = (&mut self.world, &self.profile.habits);
        let Some(change) = world.kick.turn(n, habits, &mut world.agenda) else { return };
        world.say(|| format!("   = {} is {:?}", 5_000 + n, change.1));
        let told = match change {
            (Moment::Live(broadcast), _) => Some((Status::Offline, broadcast)),
            (_, Moment::Live(broadcast)) => Some((Status::Online, broadcast)),
            _ => None,
        };
        if let Some((status, broadcast)) = told {
            let user = world.kick.streamers[n].user;
            for core in &mut self.cores {
                core.webhooks.tell(user, status, broadcast, &world.kick, &core.conditions, &mut world.agenda);
            }
        }
        let Some(what) = world.kick.announce(n, change, habits, &mut world.agenda) else { return };
        let channel = world.kick.streamers[n].channel;
        for core in &self.cores {
            core.realtime.tell(channel, &what, &core.conditions, &mut world.agenda);
        }
    }

    fn fault(&mut self, fault: Fault) -> Result<(), String> {
        let Some((_, apart)) = self.profile.faults.iter().find(|(has, _)| *has == fault).copied() else {
            return Ok(());
        };
        plan(fault, apart, &mut self.world.agenda);
        self.world.say(|| format!("   ! {fault:?}"));
        if let Some(referee) = &mut self.world.referee {
            referee.disturbed = referee.disturbed.max(self.world.agenda.now);
        }
        let heard = self.strike(fault);
        heard.into_iter().try_for_each(|(id, input): (usize, Input)| self.cores[id].tell(input, &mut self.world))
    }

    /// In between, a row may be wrong for as long as the rules allow after the last fault that no core can see
    /// through: each core by itself has to put it right, whatever the others do.
    fn inspect(&mut self) -> Result<(), String> {
        let Day { world, cores, .. } = self;
        cores.iter_mut().for_each(|core| core.take_excuses(world));
        if world.agenda.now.as_secs() % 3_600 < 60 {
            cores.iter_mut().try_for_each(|core| core.inspect(world))?;
        }
        if let Some(referee) = &mut world.referee {
            let idle = cores.iter().filter(|core| core.is_cut_off(world.agenda.now)).count();
            referee.excused = cores.iter().map(|core| core.excused).max().unwrap_or_default();
            return referee.inspect(world.agenda.now, idle, &mut world.database, &world.kick);
        }
        if self.profile.wrong_hints {
            // Push through a wrong channel may say anything until Kick states the right one (R12).
            return Ok(());
        }
        self.compare(Core::is_late)
    }

    /// After the calm, nothing excuses anything.
    fn inspect_at_end(&mut self) -> Result<(), String> {
        self.world.agenda.now = DAY;
        let starts = self.compare_starts();
        self.world.database.forgive_nothing();
        if let Some(referee) = &self.world.referee {
            return referee.inspect_at_end(&self.world.database, &self.world.kick);
        }
        self.compare(Core::is_late_at_last)?;
        starts
    }

    /// R26: who is live has the start of the broadcast that runs, unless a false answer told of a later one.
    fn compare_starts(&self) -> Result<(), String> {
        let honest = self.profile.cores.iter().all(|core| core.honest() && core.mixed == 0.0);
        for (id, record) in self.world.database.rows.iter().filter(|_| honest && !self.profile.wrong_hints) {
            let Some(n) = self.world.kick.by_username(&record.row.username) else { continue };
            let Moment::Live(runs) = self.world.kick.streamers[n].now() else { continue };
            let started_at = record.row.started_at;
            let same = |start: Timestamp| start.duration_since(runs.start).abs() <= SignedDuration::from_secs(4);
            // A row that came to name them while they were live has the start of whom it named before, if it is later.
            let kept =
                started_at > Some(runs.start) && Some(record.touched) > self.world.kick.streamers[n].first_ran(runs.id);
            if !started_at.is_some_and(same) && !kept {
                return Err(format!("row {id} has the start {started_at:?}, and not {:?}", runs.start));
            }
        }
        Ok(())
    }

    /// What writes have done since this was last looked at.
    fn judge_done(&mut self) -> Result<(), String> {
        let World { database, kick, referee, .. } = &mut self.world;
        let done = std::mem::take(&mut database.done);
        let Some(referee) = referee else { return Ok(()) };
        let cores = &self.cores;
        done.iter().try_for_each(|done| referee.judge(done, |n| cores[done.core].holds_until(n), database, kick))
    }

    /// Compares the table with the truth.
    fn compare(&self, is_late: impl Fn(&Core, &super::database::Record, usize, &World) -> bool) -> Result<(), String> {
        for (id, record) in &self.world.database.rows {
            let Some(n) = self.world.kick.by_username(&record.row.username) else { continue };
            let streamer = &self.world.kick.streamers[n];
            if record.row.shown == Shown::Known(streamer.now().status()) {
                continue;
            }
            let late = self.cores.iter().position(|core| is_late(core, record, n, &self.world));
            if let Some(core) = late {
                return Err(format!(
                    "row {id} shows {:?}, but {} is {:?} since {:?}: core {core} is late",
                    record.row.shown,
                    streamer.slug,
                    streamer.now(),
                    streamer.since()
                ));
            }
        }
        Ok(())
    }
}
