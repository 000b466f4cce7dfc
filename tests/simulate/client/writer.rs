//! A writer's thread: the program's own schedule, and a statement under way.

use crate::simulate::agenda::Agenda;
use kick_monitor::domain::Now;
use kick_monitor::domain::row::{DatabaseEvent, Write, Written};
use kick_monitor::gateway::database::{Attempt, Spoilt};
use kick_monitor::monitor::Input;
use kick_monitor::worker::writer::lane::{Lane, Statement};
use std::time::Duration;

#[derive(Default)]
pub(super) struct Writer {
    lane: Lane,
    /// Its statement, and what comes of it after which time.
    statement: Option<Statement>,
    comes: Option<(Attempt, Duration)>,
    awake: bool,
    life: u32,
    /// Its connection died while it did nothing.
    pub broken: bool,
}

impl Writer {
    pub(super) fn give(&mut self, write: Write) {
        self.lane.add(write);
    }

    /// Begins if there is something to do and nothing is done: its life.
    pub(super) fn wakes(&mut self) -> Option<u32> {
        let idle = !self.awake && !self.lane.is_empty();
        self.awake |= idle;
        idle.then_some(self.life)
    }

    pub(super) fn lives(&self, life: u32) -> bool {
        self.life == life
    }

    pub(super) fn life(&self) -> u32 {
        self.life
    }

    /// The next statement, and its limit.
    pub(super) fn next(&mut self) -> Option<(Vec<Write>, Duration)> {
        self.statement = self.lane.choose();
        self.awake = self.statement.is_some();
        self.statement.as_ref().map(|statement| (statement.rows.clone(), statement.limit))
    }

    pub(super) fn runs(&mut self, attempt: Attempt, took: Duration) {
        self.comes = Some((attempt, took));
    }

    /// What the core hears of the statement.
    pub(super) fn confirm(&mut self, at: Now) -> Vec<Input> {
        self.awake = false;
        let Some((statement, (attempt, took))) = self.statement.take().zip(self.comes.take()) else {
            return Vec::new();
        };
        let broke = matches!(attempt, Attempt::Spoilt(Spoilt { broke: true, .. }));
        let results = self.lane.take(statement, attempt, took);
        let written = (!results.is_empty()).then_some(Input::Written(Written { at, results }));
        written.into_iter().chain(broke.then_some(Input::Database(DatabaseEvent::Reconnected))).collect()
    }

    /// Its connection breaks; `away`: and there is no other one.
    pub(super) fn breaks(&mut self, away: bool, agenda: &mut Agenda) {
        self.broken = self.comes.is_none() && agenda.odds(0.5);
        if let Some((attempt, _)) = &mut self.comes {
            let reason = "connection lost".to_owned();
            *attempt = match away {
                true => Attempt::Away(reason),
                false => Attempt::Spoilt(Spoilt { reason, conflict: false, broke: true, general: false }),
            };
        }
    }

    pub(super) fn die(&mut self) {
        *self = Writer { life: self.life + 1, ..Writer::default() };
    }
}
