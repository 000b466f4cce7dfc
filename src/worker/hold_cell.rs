//! Passes the hold between threads (R25): the coordinator says here which shards this instance holds and until when a
//! write of theirs may take effect; the writers and the roster worker ask before each statement.
//!
//! A hold that was not confirmed for [`EXPIRY`] counts as over, whether or not the coordinator has noticed: a process
//! that was stopped and goes on finds out here before it writes. It is the server that enforces the end of a lease.

use crate::clock::Clock;
use crate::domain::Steady;
use crate::domain::shards::{Hold, Scope, Shard};
use crate::gateway::database::Lease;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A hold that was not confirmed for this long is over. The server lets go of its locks after 10 s at the earliest.
pub(crate) const EXPIRY: Duration = Duration::from_secs(6);

/// The hold of this instance, if it has one.
#[derive(Debug)]
pub struct HoldCell {
    clock: Clock,
    state: Mutex<State>,
    /// The number of the last hold. Shared with the cells that follow, so that no number is used twice.
    last: Arc<AtomicU64>,
}

#[derive(Debug)]
enum State {
    /// Instances do not share the table.
    Off,
    /// This instance holds nothing.
    Nothing,
    Held(Held),
}

/// A hold, as the last turn confirmed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Its number.
    pub hold: Hold,
    /// What a write carries.
    pub lease: Lease,
    /// When the turn began that confirmed it.
    pub confirmed: Steady,
    /// The shards that this instance works on.
    pub shards: BTreeSet<Shard>,
}

/// Whether a write may be sent now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Clearance {
    /// Yes, without a lease, because instances do not share the table.
    Free,
    /// Yes, with this lease.
    Leased(Lease),
    /// No: its hold is over.
    Lapsed,
}

impl HoldCell {
    /// A cell in which nothing is held yet.
    pub fn new(clock: Clock) -> HoldCell {
        HoldCell { clock, state: Mutex::new(State::Nothing), last: Arc::default() }
    }

    /// A new cell for new workers. The old one stays with the old workers.
    pub(crate) fn successor(&self) -> HoldCell {
        HoldCell { clock: self.clock, state: Mutex::new(State::Nothing), last: Arc::clone(&self.last) }
    }

    /// The number for a new hold.
    pub(crate) fn next_hold(&self) -> Hold {
        Hold(self.last.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Instances do not share the table.
    pub fn set_off(&self) {
        *self.state() = State::Off;
    }

    /// Returns true if instances do not share the table.
    pub(crate) fn is_off(&self) -> bool {
        matches!(*self.state(), State::Off)
    }

    /// A turn confirmed a hold.
    pub fn confirm(&self, held: Held) {
        *self.state() = State::Held(held);
    }

    /// Nothing is held any more.
    pub(crate) fn clear(&self) {
        *self.state() = State::Nothing;
    }

    /// The rows to read: those of the shards that are held, or all if there are none, so that what is known of them
    /// does not grow old.
    pub(crate) fn scope(&self) -> Scope {
        match &*self.state() {
            State::Held(held) if !held.shards.is_empty() => Scope::Shards(held.shards.clone()),
            State::Held(_) | State::Off | State::Nothing => Scope::All,
        }
    }

    /// Whether a write of this hold may be sent now.
    pub(crate) fn clearance(&self, hold: Option<Hold>) -> Clearance {
        match (&*self.state(), hold) {
            (State::Off, None) => Clearance::Free,
            (State::Held(held), Some(hold))
                if held.hold == hold && self.clock.steady().since(held.confirmed) < EXPIRY =>
            {
                Clearance::Leased(held.lease.clone())
            }
            _ => Clearance::Lapsed,
        }
    }

    /// A poisoned lock is safe to use: the assignments under it are whole values.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
