//! What the core wants logged, until there is time for it: a line takes as long as a decision, and ten
//! thousand streamers that change at once are not to wait for ten thousand lines.
//!
//! It keeps their order and loses none, however the thread ends.

use crate::domain::event::Event;
use std::collections::VecDeque;

/// Lines said in one turn: some hundred microseconds, for which a push event may have to wait.
const SOME: usize = 32;
/// So many may wait.
const MOST: usize = 20_000;

/// Events that are not logged yet, the first one first.
#[derive(Default)]
pub(super) struct Lines(VecDeque<Event>);

impl Lines {
    pub(super) fn hold(&mut self, event: Event) {
        self.0.push_back(event);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Logs a few.
    pub(super) fn say_some(&mut self) {
        let some = self.0.len().min(SOME);
        self.0.drain(..some).for_each(|event| event.say());
    }

    /// Logs what has become too many.
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
