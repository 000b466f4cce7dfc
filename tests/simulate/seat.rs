//! The coordinator of one core: its session at the server, a turn every two seconds, and the cell in which its writers
//! and its reader see what is held (R25).

use super::agenda::{Agenda, Happening};
use super::locks::{LEASE, Locks, Sight};
use kick_monitor::domain::shards::{Coordination, Hold, Scope, Shard};
use kick_monitor::gateway::database::Instance;
use kick_monitor::worker::coordinator::share::{Moves, Share};
use std::collections::BTreeSet;
use std::time::Duration;

const TURN: Duration = Duration::from_secs(2);
/// A hold that was not confirmed for this long is over.
const EXPIRY: Duration = Duration::from_secs(6);

/// What is held, for the other threads of the process.
#[derive(Clone, Debug)]
pub(super) enum Cell {
    /// Instances do not share the table.
    Off,
    Nothing,
    Held {
        hold: Hold,
        lease: Duration,
        confirmed: Duration,
        shards: BTreeSet<Shard>,
    },
}

impl Cell {
    /// Until when a write of this hold may be carried out, if it may be sent now.
    pub(super) fn lease(&self, of: Option<Hold>, now: Duration) -> Option<Duration> {
        match self {
            Cell::Held { hold, lease, confirmed, .. } if Some(*hold) == of && now < *confirmed + EXPIRY => Some(*lease),
            _ => None,
        }
    }

    pub(super) fn scope(&self) -> Scope {
        match self {
            Cell::Held { shards, .. } if !shards.is_empty() => Scope::Shards(shards.clone()),
            _ => Scope::All,
        }
    }
}

pub(super) struct Seat {
    core: usize,
    of: u16,
    pub cell: Cell,
    pub session: Option<u64>,
    share: Share,
    confirmed: Duration,
    /// When the last turn of this session began that was answered.
    answered: Option<Duration>,
    told: Option<Coordination>,
    /// Which session it is; what was under way in another one is dropped.
    life: u32,
    /// The server cannot be reached before.
    pub cut_until: Duration,
}

#[derive(Debug)]
pub(super) enum Step {
    Open(u32),
    /// A turn begins, reaches the server, and is answered: it began then.
    Turn(u32),
    Reach(u32, Duration),
    Answer(u32, Duration, Option<Sight>),
    /// Nothing came in time.
    Expire(u32, Duration),
}

impl Step {
    /// Whether it happens at the server, whatever becomes of the process.
    pub(super) fn is_at_server(&self) -> bool {
        matches!(self, Step::Reach(..))
    }
}

impl Seat {
    pub(super) fn new(core: usize, of: u16, agenda: &mut Agenda) -> Seat {
        agenda.after(Duration::ZERO, Happening::Seat(core, Step::Open(0)));
        Seat {
            core,
            of,
            cell: Cell::Nothing,
            session: None,
            share: Share::default(),
            confirmed: Duration::ZERO,
            answered: None,
            told: None,
            life: 0,
            cut_until: Duration::ZERO,
        }
    }

    fn after(&self, wait: Duration, step: Step, agenda: &mut Agenda) {
        agenda.after(wait, Happening::Seat(self.core, step));
    }

    /// The process is gone, and another one begins.
    pub(super) fn kill_process(&mut self, agenda: &mut Agenda) {
        let (life, cut_until) = (self.life + 1, self.cut_until);
        *self = Seat { life, cut_until, ..Seat::new(self.core, self.of, agenda) };
        self.after(Duration::ZERO, Step::Open(life), agenda);
    }

    /// One step; `down_until`: the server is down before. What the core is told.
    pub(super) fn step(
        &mut self,
        step: Step,
        down_until: Duration,
        locks: &mut Locks,
        agenda: &mut Agenda,
    ) -> Option<Coordination> {
        let (now, reachable) = (agenda.now, agenda.now >= down_until.max(self.cut_until));
        match step {
            Step::Open(life) if life == self.life && self.session.is_none() => {
                if !reachable {
                    return self.lose("connection refused", reachable, locks, agenda);
                }
                self.session = Some(locks.open(now));
                self.share = Share::default();
                self.confirmed = now;
                self.after(Duration::ZERO, Step::Turn(life), agenda);
            }
            Step::Turn(life) if life == self.life => {
                if now >= self.confirmed + EXPIRY {
                    return self.lose("not confirmed in time", reachable, locks, agenda);
                }
                let reaches = agenda.millis(1, 20);
                self.after(reaches, Step::Reach(life, now), agenda);
                self.after(EXPIRY - (now - self.confirmed), Step::Expire(life, now), agenda);
            }
            Step::Reach(life, begun) => {
                let session = self.session.filter(|_| life == self.life && reachable)?;
                let sight = locks.look(session, now);
                let answered = agenda.millis(1, 20);
                self.after(answered, Step::Answer(life, begun, sight), agenda);
            }
            Step::Answer(life, begun, sight) if life == self.life => {
                if !reachable {
                    return None;
                }
                let turned = sight.and_then(|sight| self.turn(begun, &sight, locks, now));
                if turned.is_none() {
                    return self.lose("the session is closed", reachable, locks, agenda);
                }
                self.after((begun + TURN).saturating_sub(now), Step::Turn(life), agenda);
                return turned.flatten();
            }
            // Nothing was confirmed since the turn that began then.
            Step::Expire(life, begun) if life == self.life && self.answered < Some(begun) => {
                return self.lose("not confirmed in time", reachable, locks, agenda);
            }
            _ => {}
        }
        None
    }

    /// A turn is answered. Nothing if the session is gone.
    fn turn(
        &mut self,
        begun: Duration,
        sight: &Sight,
        locks: &mut Locks,
        now: Duration,
    ) -> Option<Option<Coordination>> {
        let session = self.session?;
        self.confirmed = begun;
        self.answered = Some(begun);
        let instances = sight.sessions.iter().map(|(other, shards)| Instance {
            pid: i32::try_from(*other).unwrap_or(i32::MAX),
            own: *other == session,
            of: self.of,
            same_rows: true,
            shards: shards.clone(),
        });
        let Moves { take, give } = self.share.moves(self.of, &instances.collect::<Vec<Instance>>());
        if !take.is_empty() {
            self.share.take(locks.take(session, &take, now)?);
        }
        self.share.give(&give);
        let (hold, shards) = (Hold(session), self.share.held.clone());
        self.cell = Cell::Held { hold, lease: sight.at + LEASE, confirmed: begun, shards: shards.clone() };
        let instances = u32::try_from(sight.sessions.len()).unwrap_or(u32::MAX);
        Some(self.tell(Coordination::Held { hold, shards, of: self.of, instances }))
    }

    /// The session is over: it is closed, if the server can be reached.
    fn lose(&mut self, reason: &str, reachable: bool, locks: &mut Locks, agenda: &mut Agenda) -> Option<Coordination> {
        self.life += 1;
        self.session.take().into_iter().filter(|_| reachable).for_each(|session| locks.end(session));
        self.cell = Cell::Nothing;
        self.answered = None;
        let pause = agenda.millis(100, 5_000);
        self.after(pause, Step::Open(self.life), agenda);
        self.tell(Coordination::Lost(reason.to_owned()))
    }

    fn tell(&mut self, news: Coordination) -> Option<Coordination> {
        if self.told.as_ref() == Some(&news) {
            return None;
        }
        self.told = Some(news.clone());
        Some(news)
    }

    /// The core has nothing on its way for these any more.
    pub(super) fn release(&mut self, hold: Hold, shards: &BTreeSet<Shard>, locks: &mut Locks, now: Duration) {
        if let Some(session) = self.session.filter(|session| Hold(*session) == hold && now >= self.cut_until) {
            locks.unlock(session, &self.share.release(shards));
        }
    }
}
