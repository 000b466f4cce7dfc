//! Whose turn it is among the look-ups: names, channel ids and webhooks share what the comparisons leave (R22). It asks
//! nothing itself.

use super::{Asking, Class, Queue};
use crate::domain::{Now, Steady};

/// The kinds of look-ups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::monitor) enum LookUp {
    /// Names that Kick did not know, or whose streamer may have changed.
    Names,
    /// Channel ids.
    Website,
    /// Subscriptions to webhooks.
    Webhooks,
}

impl LookUp {
    pub(super) fn next(self) -> LookUp {
        match self {
            LookUp::Names => LookUp::Website,
            LookUp::Website => LookUp::Webhooks,
            LookUp::Webhooks => LookUp::Names,
        }
    }
}

impl Asking {
    /// The kind of look-up that comes before the comparisons now, if one does: classes take turns, and so do the kinds
    /// of look-ups that wait. `webhooks`: one of theirs does.
    pub(in crate::monitor) fn owes_look_up(&self, webhooks: bool) -> Option<LookUp> {
        let waits = |kind: &LookUp| match kind {
            LookUp::Names => self.is_queued(Queue::Names),
            LookUp::Website => self.is_queued(Queue::Website),
            LookUp::Webhooks => webhooks,
        };
        let [second, third] = [self.look_up_next.next(), self.look_up_next.next().next()];
        let first = [self.look_up_next, second, third].into_iter().find(waits);
        first.filter(|_| self.last_turn == Some(Class::Uncovered))
    }

    /// When the budget has a request for a look-up that is due then.
    pub(in crate::monitor) fn look_up_at(&self, due: Option<Steady>) -> Option<Steady> {
        due.map(|due| due.max(self.look_ups_from))
    }

    /// Takes a request for a look-up from the budget, if it has one to give.
    pub(in crate::monitor) fn can_look_up(&mut self, now: Now) -> bool {
        self.look_ups_from = self.budget.ready_at(now.steady, Class::LookUp);
        let ready = self.look_ups_from <= now.steady;
        if ready {
            self.budget.spend(now.steady, 1);
            self.last_turn = Some(Class::LookUp);
            self.look_up_next = LookUp::Webhooks.next();
        }
        ready
    }
}
