//! A limit for statements. The driver waits for an answer without end, and no time-out that is set
//! inside a statement ends that statement's own wait for a table's lock; so somebody else has to
//! cancel it.
//!
//! The guard cancels; it never closes a connection, and cannot help when the server itself is
//! halted: then its own cancelling waits too, and the pulses tell.

use crate::clock::{Clock, Pulse};
use crate::domain::Steady;
use crate::stop::Stop;
use postgres::CancelToken;
use postgres_native_tls::MakeTlsConnector;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often the guard looks: what a limit may be overdrawn by.
const LOOK: Duration = Duration::from_secs(1);
/// One look with its cancelling: a connection attempt to each address that takes its whole time.
const LOOK_LIMIT: Duration = Duration::from_secs(60);

/// The statements that are running, each with its limit.
pub(super) struct Guard {
    clock: Clock,
    tls: MakeTlsConnector,
    running: Mutex<Running>,
}

#[derive(Default)]
struct Running {
    next: u64,
    statements: BTreeMap<u64, (Steady, CancelToken)>,
}

/// While this lives, the statement is watched.
pub(super) struct Watched<'a> {
    guard: &'a Guard,
    number: u64,
}

impl Guard {
    /// A guard that watches nothing yet.
    pub(super) fn new(clock: Clock, tls: MakeTlsConnector) -> Guard {
        Guard { clock, tls, running: Mutex::default() }
    }

    /// Watches the connection of `token` for `limit`.
    pub(super) fn watch(&self, token: CancelToken, limit: Duration) -> Watched<'_> {
        let mut running = self.running();
        let number = running.next;
        running.next += 1;
        running.statements.insert(number, (self.clock.steady() + limit, token));
        Watched { guard: self, number }
    }

    /// Cancels what takes too long, until it is stopped.
    pub(super) fn run(&self, pulse: &Pulse, stop: &Stop) {
        while !stop.wait(LOOK) {
            pulse.promise(LOOK_LIMIT);
            for token in self.overdue(self.clock.steady()) {
                // A server that cannot be reached for this is noticed by the statement too.
                let _ = token.cancel_query(self.tls.clone());
            }
        }
    }

    /// What is to be cancelled; asked for again at each look until the statement ends.
    fn overdue(&self, now: Steady) -> Vec<CancelToken> {
        self.running().statements.values().filter(|(end, _)| *end <= now).map(|(_, token)| token.clone()).collect()
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        self.guard.running().statements.remove(&self.number);
    }
}
