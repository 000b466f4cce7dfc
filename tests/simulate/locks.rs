//! The sessions of the instances at the server, and the locks that they have (R25).

use kick_monitor::domain::shards::Shard;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The server ends a session that sends nothing for this long.
const IDLE: Duration = Duration::from_secs(10);
/// What a turn confirms holds for this long, by the server's clock.
pub(super) const LEASE: Duration = Duration::from_secs(8);

/// What the server knows. Its clock is the world's.
#[derive(Default)]
pub(super) struct Locks {
    /// The sessions that are open, and when each last sent something.
    sessions: BTreeMap<u64, Duration>,
    /// When sessions that were ended from outside last sent something: a lease may outlast them.
    ended: BTreeMap<u64, Duration>,
    holders: BTreeMap<Shard, u64>,
    next: u64,
}

/// What a turn sees: the sessions that are open, with their shards, and when that was.
#[derive(Clone, Debug)]
pub(super) struct Sight {
    pub at: Duration,
    pub sessions: BTreeMap<u64, BTreeSet<Shard>>,
}

impl Locks {
    pub(super) fn open(&mut self, now: Duration) -> u64 {
        self.next += 1;
        self.sessions.insert(self.next, now);
        self.next
    }

    /// A turn of a session; nothing if it is not open any more.
    pub(super) fn look(&mut self, session: u64, now: Duration) -> Option<Sight> {
        self.let_idle_go(now);
        *self.sessions.get_mut(&session)? = now;
        let of =
            |session: &u64| self.holders.iter().filter(|(_, it)| *it == session).map(|(shard, _)| *shard).collect();
        Some(Sight { at: now, sessions: self.sessions.keys().map(|session| (*session, of(session))).collect() })
    }

    /// Those of these shards that the session gets.
    pub(super) fn take(&mut self, session: u64, shards: &BTreeSet<Shard>, now: Duration) -> Option<BTreeSet<Shard>> {
        self.look(session, now)?;
        let free: BTreeSet<Shard> = shards.iter().filter(|shard| !self.holders.contains_key(shard)).copied().collect();
        self.holders.extend(free.iter().map(|shard| (*shard, session)));
        Some(free)
    }

    pub(super) fn unlock(&mut self, session: u64, shards: &BTreeSet<Shard>) {
        self.holders.retain(|shard, holder| *holder != session || !shards.contains(shard));
    }

    /// The connection of a session is closed, or the server ends it.
    pub(super) fn end(&mut self, session: u64) {
        if let Some(last) = self.sessions.remove(&session) {
            self.ended.insert(session, last);
            self.holders.retain(|_, holder| *holder != session);
        }
    }

    /// The server ends.
    pub(super) fn end_all(&mut self) {
        self.sessions.keys().copied().collect::<Vec<u64>>().into_iter().for_each(|session| self.end(session));
    }

    fn let_idle_go(&mut self, now: Duration) {
        self.sessions.retain(|_, last| now < *last + IDLE);
        self.holders.retain(|_, holder| self.sessions.contains_key(holder));
    }

    /// Who has a shard.
    pub(super) fn holder(&mut self, shard: Shard, now: Duration) -> Option<u64> {
        self.let_idle_go(now);
        self.holders.get(&shard).copied()
    }

    /// Whether a row of this shard may be changed by a write of this session's: it has the shard, or was ended from
    /// outside so shortly ago that its lease still holds.
    pub(super) fn may_write(&mut self, session: u64, shard: Shard, now: Duration) -> bool {
        let outlasted = self.ended.get(&session).is_some_and(|last| now < *last + LEASE);
        self.holder(shard, now) == Some(session) || outlasted
    }

    /// How many shards each session has.
    pub(super) fn counts(&mut self, now: Duration) -> Vec<usize> {
        self.let_idle_go(now);
        let count = |session: &u64| self.holders.values().filter(|holder| *holder == session).count();
        self.sessions.keys().map(count).collect()
    }
}
