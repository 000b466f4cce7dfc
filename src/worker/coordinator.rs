//! The thread `coordinator`: keeps the session by which instances on one table share its rows (R25), and has a turn of
//! it every two seconds.
//!
//! `share.rs` decides which shards are taken and handed over. What is held goes into the [`HoldCell`] before the core
//! hears of it, and is taken out of it before the core hears that it is over.
//!
//! Where several instances take webhooks, the session also carries what one has received to the others (R27).

pub mod share;

use super::hold_cell::{EXPIRY, Held, HoldCell};
use super::passing_cell::PassingCell;
use crate::backoff::Backoff;
use crate::clock::{Clock, Pulse};
use crate::config;
use crate::domain::Steady;
use crate::domain::shards::{Coordination, Hold, Shard};
use crate::gateway::database::{Database, DbError, Instance, Joining, Obstacle, Seat, Sight, Unfit};
use crate::monitor::io::Input;
use crate::stop::{Received, Stop};
use crate::worker::Worker;
use crossbeam_channel::{Receiver, Sender};
use share::{Moves, Share};
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

/// The time between two turns.
const TURN: Duration = Duration::from_secs(2);
/// How long a request that is to be passed on may wait.
const PASSING_WAIT: Duration = Duration::from_millis(100);
/// The pauses before the session is opened again.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MOST: Duration = Duration::from_secs(5);
/// How often to try again where locks do not last, in case the pooler is gone.
const UNFIT_AGAIN: Duration = Duration::from_secs(300);
/// How long the server may take to let go of everything at the end.
const LEAVE_LIMIT: Duration = Duration::from_secs(1);
/// What the pulse allows for opening a session, or for a turn.
const LONG_TURN: Duration = Duration::from_secs(120);

/// The state of the thread `coordinator`.
#[derive(Clone, Debug)]
pub struct Coordinator {
    /// `DB_COORDINATION`
    pub mode: config::Coordination,
    /// `DB_SHARDS`
    pub shards: u16,
    /// Where the writers and the roster worker see what is held.
    pub cell: Arc<HoldCell>,
    /// Shards for which the core has nothing on its way any more. Unbounded: each shard that is handed over comes
    /// once.
    pub released: Receiver<(Hold, BTreeSet<Shard>)>,
    /// The webhooks that are passed on.
    pub passing: Arc<PassingCell>,
    /// The channel to the core; a full one makes the coordinator wait.
    pub inputs: Sender<Input>,
    /// The database that has the table.
    pub database: Arc<Database>,
    /// Times the turns.
    pub clock: Clock,
    /// For the jitter of pauses.
    pub rng: fastrand::Rng,
}

/// What has been reached in a session.
struct State<'a> {
    seat: Seat,
    hold: Hold,
    share: Share,
    /// When the last turn began that the server answered.
    confirmed: Steady,
    /// Whether there are other instances, which share the table with this one.
    shared: bool,
    known: &'a mut Known,
}

/// What outlives a session.
struct Known {
    /// When the last turn was complete.
    complete: Steady,
    /// What the core was told last.
    told: Option<Coordination>,
}

/// The end of a session.
enum End {
    /// The coordinator is to end.
    Told,
    /// The session failed.
    Broken(Unfit),
}

impl From<Unfit> for End {
    fn from(unfit: Unfit) -> End {
        End::Broken(unfit)
    }
}

impl Worker for Coordinator {
    /// Runs until the stop comes. If instances are not to share the table, it only says so.
    fn run(mut self, pulse: &Pulse, stop: &Stop) -> anyhow::Result<()> {
        let mut backoff = Backoff::new(RETRY_FIRST, RETRY_MOST);
        let mut known = Known { complete: self.clock.steady(), told: None };
        if self.mode == config::Coordination::Off {
            self.cell.set_off();
            self.tell(Coordination::Off(None), &mut known);
            return Ok(());
        }
        loop {
            pulse.promise(LONG_TURN);
            let started = self.clock.steady();
            let Err(end) = self.sit(pulse, stop, &mut backoff, &mut known);
            self.cell.clear();
            let pause = match end {
                End::Told => {
                    // At a reload the core must not go on with what is no longer held.
                    self.tell(Coordination::Lost("this instance has let go of its share".to_owned()), &mut known);
                    return Ok(());
                }
                End::Broken(Unfit::Never(reason)) => {
                    self.cell.set_off();
                    self.tell(Coordination::Off(Some(reason)), &mut known);
                    UNFIT_AGAIN
                }
                End::Broken(Unfit::Failed(error)) => {
                    // What is back sooner need not be said: nothing can be written meanwhile.
                    if self.clock.steady().since(known.complete) >= EXPIRY {
                        self.tell(Coordination::Lost(error.to_string()), &mut known);
                    }
                    // From the start of the attempt on, so that one that waited in vain is followed by the next at once.
                    backoff.next(&mut self.rng).saturating_sub(self.clock.steady().since(started))
                }
            };
            pulse.promise(pause + LONG_TURN);
            if stop.wait(pause) {
                self.cell.clear();
                return Ok(());
            }
        }
    }
}

impl Coordinator {
    /// Keeps a session until it fails or the coordinator is to end.
    fn sit(&self, pulse: &Pulse, stop: &Stop, backoff: &mut Backoff, known: &mut Known) -> Result<Infallible, End> {
        let seat = self.database.coordinate()?;
        let (hold, confirmed) = (self.cell.next_hold(), self.clock.steady());
        let mut state = State { seat, hold, share: Share::default(), confirmed, shared: false, known };
        loop {
            pulse.promise(LONG_TURN);
            let next = self.clock.steady() + TURN;
            self.turn(&mut state)?;
            state.known.complete = state.confirmed;
            backoff.reset();
            if !self.wait(&mut state, next, stop)? {
                let _ = state.seat.leave(LEAVE_LIMIT);
                return Err(End::Told);
            }
        }
    }

    /// One turn: sees who has which locks, and takes and hands over what is due.
    fn turn(&self, state: &mut State<'_>) -> Result<(), End> {
        state.shared = false;
        let mut sight = self.look(state)?;
        if !state.seat.has_joined() {
            match state.seat.join(self.left(state))? {
                Joining::Busy => return Ok(()),
                Joining::Misfit => {
                    self.stand_by(state, &sight);
                    return Ok(());
                }
                Joining::Joined => sight = self.look(state)?,
            }
        }
        if sight.instances.iter().any(|instance| !instance.same_rows) {
            return self.follow_all(state);
        }
        let Moves { take, give } = state.share.moves(self.shards, &sight.instances);
        if !take.is_empty() {
            let taken = state.seat.take(self.left(state), &take)?;
            state.share.take(taken);
        }
        state.share.give(&give);
        if matches!(state.known.told, Some(Coordination::Off(_))) {
            // What was held before is another hold.
            state.hold = self.cell.next_hold();
        }
        let (hold, shards) = (state.hold, state.share.held.clone());
        let (lease, confirmed) = (sight.lease, state.confirmed);
        self.cell.confirm(Held { hold, lease, confirmed, shards: shards.clone() });
        let instances = u32::try_from(sight.instances.len()).unwrap_or(u32::MAX);
        state.shared = instances > 1;
        self.tell(Coordination::Held { hold, shards, of: self.shards, instances }, state.known);
        Ok(())
    }

    /// Sees who has which locks. Fails if the hold is over already, as after a stop of the process.
    fn look(&self, state: &mut State<'_>) -> Result<Sight, End> {
        let begun = self.clock.steady();
        if begun.since(state.confirmed) >= EXPIRY {
            let text = format!("the share was not confirmed for {} s", begun.since(state.confirmed).as_secs());
            return Err(Unfit::Failed(DbError::Connection(Obstacle::Other, text)).into());
        }
        let sight = state.seat.look(self.left(state))?;
        state.confirmed = begun;
        Ok(sight)
    }

    /// Another instance divides the rows otherwise, so this one leaves them alone.
    fn stand_by(&self, state: &mut State<'_>, sight: &Sight) {
        self.cell.clear();
        let other = |one: &&Instance| one.same_rows && one.of != self.shards;
        let Some(other) = sight.instances.iter().find(other) else { return };
        let reason = format!(
            "an instance with DB_SHARDS={} works on this table, and this one has DB_SHARDS={}; set the same number for all",
            other.of, self.shards
        );
        self.tell(Coordination::Misfit(reason), state.known);
    }

    /// Another instance follows other rows of the table, so neither knows what the other one leaves to it.
    fn follow_all(&self, state: &mut State<'_>) -> Result<(), End> {
        let locked: BTreeSet<Shard> = state.share.held.union(&state.share.leaving).copied().collect();
        if !locked.is_empty() {
            state.seat.release(self.left(state), &locked)?;
            state.share = Share::default();
        }
        self.cell.set_off();
        let reason = "another instance works on this table with another DB_FILTER or other columns, so each follows all \
                      rows of its own; set DB_COORDINATION=off if that is meant";
        self.tell(Coordination::Off(Some(reason.to_owned())), state.known);
        Ok(())
    }

    /// Waits for the next turn. Meanwhile, unlocks what the core has released, and passes webhooks on. Returns false
    /// at a stop.
    fn wait(&self, state: &mut State<'_>, next: Steady, stop: &Stop) -> Result<bool, End> {
        let never = crossbeam_channel::never();
        let mut released = &self.released;
        loop {
            let mut left = self.clock.until(next);
            let passes = state.shared && self.passing.is_taking();
            if passes {
                self.pass(state, left.min(PASSING_WAIT))?;
                left = Duration::ZERO;
            } else {
                // An instance that joins later would get old requests.
                self.passing.to_pass_on().for_each(drop);
                state.seat.stop_hearing(self.left(state))?;
            }
            match stop.recv(released, left) {
                Received::Message((hold, shards)) if hold == state.hold => {
                    let shards = state.share.release(&shards);
                    if !shards.is_empty() {
                        state.seat.release(self.left(state), &shards)?;
                    }
                }
                Received::Message(_) => {}
                Received::Nothing if passes && !self.clock.until(next).is_zero() => {}
                Received::Nothing => return Ok(true),
                // The core has ended, and the writers may still be at work: the locks stay until the stop.
                Received::HungUp => released = &never,
                Received::Stopped => return Ok(false),
            }
        }
    }

    /// Passes on to the other instances what has come here, and waits up to `limit` for what they pass on.
    fn pass(&self, state: &mut State<'_>, limit: Duration) -> Result<(), End> {
        for request in self.passing.to_pass_on() {
            state.seat.pass_on(self.left(state), &request)?;
        }
        state.seat.hear(limit)?.into_iter().for_each(|request| self.passing.hear(request));
        Ok(())
    }

    /// How long the next statement may take before the hold is over.
    fn left(&self, state: &State<'_>) -> Duration {
        self.clock.until(state.confirmed + EXPIRY).max(Duration::from_millis(1))
    }

    /// Tells the core, unless it has been told the same. The core only ends with the process.
    fn tell(&self, news: Coordination, known: &mut Known) {
        if known.told.as_ref() != Some(&news) {
            known.told = Some(news.clone());
            let _ = self.inputs.send(Input::Coordination(news));
        }
    }
}
