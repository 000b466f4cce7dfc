//! Buffers the core's log events until there is time to log them: logging takes as long as deciding, and when ten
//! thousand streamers change at once, the decisions must not wait for ten thousand lines.
//!
//! The order is kept and no event is lost, however the thread ends.

use crate::domain::event::Event;
use std::collections::VecDeque;

/// The events logged in one turn: some hundred microseconds, by which a push event may be delayed.
const SOME: usize = 32;
/// The most events held back before logging is forced.
const MOST: usize = 20_000;

/// Events that are not logged yet, the oldest first.
#[derive(Default)]
pub(super) struct Lines(VecDeque<Event>);

impl Lines {
    pub(super) fn hold(&mut self, event: Event) {
        self.0.push_back(event);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Logs up to [`SOME`] events.
    pub(super) fn say_some(&mut self) {
        let some = self.0.len().min(SOME);
        self.0.drain(..some).for_each(|event| event.say());
    }

    /// Logs the events that exceed [`MOST`].
    pub(super) fn say_overdue(&mut self) {
        let overdue = self.0.len().saturating_sub(MOST);
        self.0.drain(..overdue).for_each(|event| event.say());
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.0.drain(..).for_each(|event| event.say());
    }
}
