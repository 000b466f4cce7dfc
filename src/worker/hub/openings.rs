//! Connections that the core wants and that are not open yet. A connection is retried if there was no file descriptor
//! for it, or if it would exceed the limit while earlier connections are still closing.
//!
//! It retries without end, and no failure here ends the hub.

use crate::domain::Steady;
use crate::domain::event::Event;
use crate::domain::push::LinkId;
use crate::gateway::socket::Trace;
use crate::repeats::Repeats;
use std::collections::BTreeSet;
use std::time::Duration;

/// The pause after a try for which there was no file descriptor.
const AGAIN: Duration = Duration::from_secs(5);
/// How often to check whether earlier connections have closed.
const LOOK: Duration = Duration::from_millis(100);

/// Connections to be opened, and open connections.
#[derive(Debug, Default)]
pub(super) struct Openings {
    waiting: BTreeSet<LinkId>,
    /// No connection is opened before this time.
    not_before: Steady,
    open: Vec<Trace>,
    repeats: Repeats,
}

impl Openings {
    pub(super) fn want(&mut self, id: LinkId) {
        self.waiting.insert(id);
    }

    /// The core does not want this connection any more.
    pub(super) fn forget(&mut self, id: LinkId) {
        self.waiting.remove(&id);
    }

    /// When the next connection may be opened.
    pub(super) fn due(&self) -> Option<Steady> {
        (!self.waiting.is_empty()).then_some(self.not_before)
    }

    /// Opens the wanted connections with `open`, as long as at most `most` are open. `open` returns a trace that
    /// shows when the connection's descriptors are free again.
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
