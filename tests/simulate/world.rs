//! What all cores of a day share: Kick, the table, what is going to happen, and the story that is told of it.

use super::agenda::Agenda;
use super::database::Database;
use super::kick::Kick;
use super::referee::Referee;

pub(super) struct World {
    pub agenda: Agenda,
    pub kick: Kick,
    pub database: Database,
    /// Watches the cores together, if they share the table.
    pub referee: Option<Referee>,
    /// The table may name wrong channels.
    pub wrong_hints: bool,
    /// Days that are told on take all that is said.
    pub story: Option<Vec<String>>,
}

impl World {
    pub(super) fn say(&mut self, line: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            story.push(format!("{:>10.3} {}", self.agenda.now.as_secs_f64(), line()));
        }
    }
}
