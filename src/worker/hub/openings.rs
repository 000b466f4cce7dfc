//! Connections that the core wants and that are not opened yet: one for which there is no descriptor is tried
//! again, and so is one that would be too many while those before it still close.
//!
//! It never gives one up, and nothing that goes wrong here ends the hub.

use crate::domain::Steady;
use crate::domain::event::Event;
use crate::domain::push::LinkId;
use crate::gateway::socket::Trace;
use crate::repeats::Repeats;
use std::collections::BTreeSet;
use std::time::Duration;

/// How soon another try follows one that had no descriptor.
const AGAIN: Duration = Duration::from_secs(5);
/// How often it is looked whether those before have closed.
const LOOK: Duration = Duration::from_millis(100);

/// What is to be opened, and what is open.
#[derive(Debug, Default)]
pub(super) struct Openings {
    waiting: BTreeSet<LinkId>,
    /// Nothing is opened before this.
    not_before: Steady,
    open: Vec<Trace>,
    repeats: Repeats,
}

impl Openings {
    pub(super) fn want(&mut self, id: LinkId) {
        self.waiting.insert(id);
    }

    /// It is not wanted any more.
    pub(super) fn forget(&mut self, id: LinkId) {
        self.waiting.remove(&id);
    }

    /// When something may be opened.
    pub(super) fn due(&self) -> Option<Steady> {
        (!self.waiting.is_empty()).then_some(self.not_before)
    }

    /// Opens what is wanted, as long as no more than `most` connections are open, with `open`, which gives
    /// the trace of what it opened.
    pub(super) fn turn(&mut self, now: Steady, most: usize, mut open: impl FnMut(LinkId) -> std::io::Result<Trace>) {
        if self.due().is_none_or(|due| due > now) {
            return;
        }
        self.open.retain(|trace| !trace.is_gone());
        while let Some(id) = self.waiting.first().copied() {
            if self.open.len() >= most {
                self.not_before = now + LOOK;
                return;
            }
            match open(id) {
                Ok(trace) => self.open.push(trace),
                Err(error) => {
                    self.not_before = now + AGAIN;
                    let reason = format!("failed to open a connection: {error}");
                    if self.repeats.fails(now, "open", &reason) {
                        let (transport, code, retry_in) = ("none", None, AGAIN);
                        Event::RealtimeDisconnected { transport, connection: id, code, reason, retry_in }.say();
                    }
                    return;
                }
            }
            self.waiting.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AGAIN, LOOK, Openings};
    use crate::domain::Steady;
    use crate::domain::push::LinkId;
    use crate::gateway::socket::{Wake, wake_pair};
    use std::cell::{Cell, RefCell};
    use std::io;

    #[test]
    fn what_cannot_be_opened_is_tried_again_and_never_too_many_at_once() {
        let (wakes, broken) = (RefCell::new(Vec::<(LinkId, Wake)>::new()), Cell::new(true));
        let open = |id| {
            if broken.get() {
                return Err(io::Error::other("Too many open files"));
            }
            let (_, wake) = wake_pair()?;
            let trace = wake.trace();
            wakes.borrow_mut().push((id, wake));
            Ok(trace)
        };
        let opened = || wakes.borrow().iter().map(|(id, _)| id.0).collect::<Vec<_>>();
        let mut openings = Openings::default();
        let mut now = Steady::default();
        (0..4).for_each(|id| openings.want(LinkId(id)));
        openings.turn(now, 2, open);
        assert_eq!((opened(), openings.due()), (vec![], Some(now + AGAIN)));
        broken.set(false);
        openings.turn(now, 2, open);
        assert_eq!(opened().len(), 0, "not at once");
        now = now + AGAIN;
        openings.turn(now, 2, open);
        assert_eq!((opened(), openings.due()), (vec![0, 1], Some(now + LOOK)), "two are open");
        openings.forget(LinkId(2));
        wakes.borrow_mut().remove(0);
        now = now + LOOK;
        openings.turn(now, 2, open);
        assert_eq!((opened(), openings.due()), (vec![1, 3], None), "one has closed, and one is not wanted");
    }
}
