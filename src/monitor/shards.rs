//! Which shards of the roster this instance holds, and since when (R25). From that follows how old the status of a row
//! may be that another instance wrote, and whether another instance may still write it.

mod bystander;

use super::book::Book;
use super::table::Age;
use super::times::{API_LAG, LEASE};
use crate::domain::event::Event;
use crate::domain::problem::Code;
use crate::domain::report::{self, Sharing};
use crate::domain::row::Row;
use crate::domain::shards::{Coordination, Hold, Permit, Scope, Shard};
use crate::domain::{Now, Slug, Steady};
use bystander::Bystander;
use std::collections::{BTreeMap, BTreeSet};

/// The state of the coordination, as the coordinator told it.
#[derive(Debug, Default)]
pub(super) struct Shards {
    mode: Mode,
    /// The shards that this instance holds, or held until its hold was lost.
    held: BTreeMap<Shard, Taken>,
    /// Shards that are to be released as soon as no write for them can be carried out any more.
    leaving: BTreeSet<Shard>,
    of: u16,
    instances: u32,
    reason: Option<String>,
    /// Whether this process has held shards, or knows of other instances.
    has_held: bool,
    /// Whether the roster was read at least once.
    was_read: bool,
    /// Whether a read came while it was not known which rows are to be followed.
    passed_over: bool,
    /// What was seen of the rows while this instance stood by.
    bystander: Bystander,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mode {
    /// The coordinator has not reported anything yet.
    #[default]
    Starting,
    Off,
    Held(Hold),
    /// The hold is over. Its streamers are still followed, and nothing is written.
    Lost,
    Misfit,
}

/// A shard that is held.
#[derive(Clone, Copy, Debug)]
struct Taken {
    /// When it was taken. Only reads that began later count for its rows.
    since: Steady,
    /// Whether no other instance can have held it shortly before.
    alone: bool,
    /// Whether it was held until the hold was lost, so that changes may wait to be written.
    back: bool,
    /// From when on no other instance can write its rows. `None` until they have been read once.
    alone_from: Option<Steady>,
}

/// What follows from what the coordinator reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// The part of the roster that is to be forgotten.
    pub(super) lost: Scope,
    /// Whether there are rows to be read.
    pub(super) gained: bool,
}

impl Shards {
    /// Takes what the coordinator reported.
    pub(super) fn take(&mut self, now: Now, told: Coordination, book: &mut Book) -> Change {
        let (before, mode) = (self.mode, Mode::of(&told));
        let was = (self.count(), self.of, self.instances);
        let nothing = Change { lost: Scope::Shards(BTreeSet::new()), gained: false };
        self.mode = mode;
        self.reason = None;
        let change = match told {
            Coordination::Off(reason) => {
                self.reason = reason;
                self.let_go();
                Change { gained: before != Mode::Off && (self.was_read || self.passed_over), ..nothing }
            }
            Coordination::Held { shards, of, instances, .. } => {
                (self.of, self.instances) = (of, instances);
                let anew = before == Mode::Off || of != was.1;
                self.hold(now, before, shards, anew)
            }
            Coordination::Lost(reason) => {
                self.reason = Some(reason);
                if before == Mode::Off {
                    // The shard numbers that rows had until now mean nothing: the next hold begins anew.
                    self.of = 0;
                }
                self.leaving.clear();
                nothing
            }
            Coordination::Misfit(reason) => {
                self.reason = Some(reason);
                self.let_go();
                Change { lost: Scope::All, ..nothing }
            }
        };
        let news = before == Mode::Lost || was != (self.count(), self.of, self.instances);
        if matches!(mode, Mode::Held(_)) && news {
            let (held, of, instances) = (self.held.len(), self.of, self.instances);
            book.log(Event::ShardsChanged { held, of, instances });
        }
        self.say(now, book);
        change
    }

    fn hold(&mut self, now: Now, before: Mode, shards: BTreeSet<Shard>, anew: bool) -> Change {
        if anew {
            self.let_go();
        }
        // Under another hold than before, every shard counts as taken now.
        let goes_on = before == self.mode;
        let alone = !self.has_held && self.instances == 1;
        self.has_held |= self.instances > 1 || !shards.is_empty();
        let gone: BTreeSet<Shard> = self.held.keys().filter(|shard| !shards.contains(shard)).copied().collect();
        let had = if goes_on { self.held.clone() } else { BTreeMap::new() };
        let gained = shards.iter().any(|shard| !had.contains_key(shard));
        let take =
            |shard: &Shard| Taken { since: now.steady, alone, back: self.held.contains_key(shard), alone_from: None };
        let held =
            shards.iter().map(|shard| (*shard, had.get(shard).copied().unwrap_or_else(|| take(shard)))).collect();
        self.held = held;
        self.leaving.retain(|shard| goes_on && !shards.contains(shard));
        self.leaving.extend(gone.iter().filter(|_| goes_on));
        Change { lost: if anew { Scope::All } else { Scope::Shards(gone) }, gained }
    }

    fn let_go(&mut self) {
        self.held.clear();
        self.leaving.clear();
    }

    fn count(&self) -> usize {
        if self.mode == Mode::Lost { 0 } else { self.held.len() }
    }

    /// Reports why instances do not share the table, or why this one takes no part.
    fn say(&self, now: Now, book: &mut Book) {
        let trouble = match (self.mode, &self.reason) {
            (Mode::Off, Some(reason)) => Some((Code::CoordinationOff, reason)),
            (Mode::Lost, Some(reason)) => Some((Code::CoordinationLost, reason)),
            (Mode::Misfit, Some(reason)) => Some((Code::CoordinationMisfit, reason)),
            _ => None,
        };
        for code in [Code::CoordinationOff, Code::CoordinationLost, Code::CoordinationMisfit] {
            if trouble.is_none_or(|(other, _)| other != code) {
                book.troubles.settle(code, "");
            }
        }
        let Some((code, reason)) = trouble else { return };
        if book.troubles.raise(now, code, "", reason.as_str(), reason) {
            book.log(Event::CoordinationOff { reason: reason.clone() });
        }
    }

    /// The hold under which rows may be written. Changes that waited while there was none are compared with the table
    /// first.
    pub(super) fn permit(&self) -> Permit {
        let unread = |taken: &Taken| taken.back && taken.alone_from.is_none();
        match self.mode {
            Mode::Off => Permit::Free,
            Mode::Held(hold) if !self.held.values().any(unread) => Permit::Under(hold),
            _ => Permit::Nothing,
        }
    }

    /// Returns true if all rows that are to be followed have been read.
    pub(super) fn is_read(&self) -> bool {
        let read = match self.mode {
            Mode::Starting | Mode::Lost => false,
            Mode::Off | Mode::Misfit => true,
            Mode::Held(_) => self.held.values().all(|taken| taken.alone_from.is_some()),
        };
        read && self.was_read
    }

    /// The part of the roster of which a read has all rows, as they are since this instance holds them. `None` if
    /// there is no such part.
    pub(super) fn part_of(&self, started: Steady, scope: &Scope) -> Option<Scope> {
        match self.mode {
            Mode::Off => Some(Scope::All),
            Mode::Held(_) => {
                let counts = |shard: &Shard, taken: &Taken| started >= taken.since && scope.covers(*shard);
                let shards = self.held.iter().filter(|(shard, taken)| counts(shard, taken));
                let shards: BTreeSet<Shard> = shards.map(|(shard, _)| *shard).collect();
                (!shards.is_empty()).then_some(Scope::Shards(shards))
            }
            Mode::Starting | Mode::Lost | Mode::Misfit => None,
        }
    }

    /// Notes a read that was of no use.
    pub(super) fn passes_over(&mut self) {
        self.passed_over = true;
    }

    /// Notes that this part of the roster was compared with a read that was sent at `read_at`.
    pub(super) fn compared(&mut self, part: &Scope, read_at: Steady) {
        self.was_read = true;
        self.bystander.end();
        for (_, taken) in self.held.iter_mut().filter(|(shard, _)| part.covers(**shard)) {
            let others = if taken.alone { taken.since } else { taken.since + LEASE };
            taken.alone_from.get_or_insert(read_at.max(others));
        }
    }

    /// R15: returns true if no other instance can have written what a read of this time shows.
    pub(super) fn is_alone(&self, shard: Shard, read_at: Steady) -> bool {
        let from = self.held.get(&shard).and_then(|taken| taken.alone_from);
        matches!(self.mode, Mode::Held(_)) && from.is_some_and(|from| read_at > from)
    }

    /// R13: whether a new row may be fresher than the API, because another instance may have written it just before.
    pub(super) fn age(&self, row: &Row, read_at: Steady) -> Age {
        match self.held.get(&row.shard) {
            Some(taken) if taken.alone_from.is_some() => Age::Old,
            Some(taken) if !taken.alone => {
                let since = self.bystander.shown_since(row, read_at).unwrap_or(read_at);
                if read_at.since(since) >= API_LAG { Age::Old } else { Age::Since(since) }
            }
            _ => Age::Listed,
        }
    }

    /// Takes a row that another instance follows, from a read of all rows: who gets its shard must know how old its
    /// status is.
    pub(super) fn watch_other(&mut self, now: Now, row: Row, read_at: Steady) {
        self.bystander.watch(now.steady, row, read_at, |_| true);
    }

    /// Such a read is complete.
    pub(super) fn watched(&mut self, read_at: Steady) {
        self.bystander.watched(read_at);
    }
}

/// Handing over.
impl Shards {
    /// The shards that are to be released.
    pub(super) fn leaving(&self) -> &BTreeSet<Shard> {
        &self.leaving
    }

    /// Releases these shards: no write for them can be carried out any more.
    pub(super) fn release(&mut self, shards: BTreeSet<Shard>) -> Option<(Hold, BTreeSet<Shard>)> {
        let Mode::Held(hold) = self.mode else { return None };
        self.leaving.retain(|shard| !shards.contains(shard));
        (!shards.is_empty()).then_some((hold, shards))
    }
}

/// Standing by.
impl Shards {
    /// Returns true if this instance waits for another one to hand over shards, or to end.
    pub(super) fn stands_by(&self) -> bool {
        matches!(self.mode, Mode::Held(_) | Mode::Misfit) && self.held.is_empty()
    }

    /// Takes rows of a read while this instance stands by. `is_known`: whether the channel id of a name is known.
    pub(super) fn watch(&mut self, now: Now, rows: Vec<Row>, read_at: Steady, is_known: impl Fn(&Slug) -> bool) {
        rows.into_iter().for_each(|row| self.bystander.watch(now.steady, row, read_at, &is_known));
    }

    /// Such a read is complete. Returns the time for which a look-up is to be scheduled, if any.
    pub(super) fn has_watched(&mut self, now: Now, read_at: Steady) -> Option<Steady> {
        self.was_read = true;
        self.bystander.watched(read_at);
        self.bystander.next(now.steady)
    }

    /// A look-up is due. Returns the name, if there is one, and the time of the next look-up.
    pub(super) fn look_up(&mut self, now: Now, is_known: impl Fn(&Slug) -> bool) -> (Option<Slug>, Option<Steady>) {
        self.bystander.look_up(now.steady, is_known)
    }

    /// Roughly how many rows the table has for each row that is followed here.
    pub(super) fn share(&self) -> usize {
        if self.mode == Mode::Off { 1 } else { usize::from(self.of).div_ceil(self.held.len().max(1)).max(1) }
    }

    /// How the table is shared, for the report.
    pub(super) fn report(&self) -> report::Coordination {
        let (held, of, instances) = (self.count(), self.of, self.instances);
        let reason = self.reason.clone();
        // Without sharing, this instance follows all rows.
        let (held, of, instances) = if self.mode == Mode::Off { (1, 1, 1) } else { (held, of, instances) };
        report::Coordination { mode: self.mode.told(), held, of, instances, reason }
    }
}

impl Mode {
    fn of(told: &Coordination) -> Mode {
        match told {
            Coordination::Off(_) => Mode::Off,
            Coordination::Held { hold, .. } => Mode::Held(*hold),
            Coordination::Lost(_) => Mode::Lost,
            Coordination::Misfit(_) => Mode::Misfit,
        }
    }

    fn told(self) -> Sharing {
        match self {
            Mode::Starting => Sharing::Starting,
            Mode::Off => Sharing::Off,
            Mode::Held(_) => Sharing::Shared,
            Mode::Lost => Sharing::Lost,
            Mode::Misfit => Sharing::Misfit,
        }
    }
}
