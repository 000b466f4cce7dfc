//! The decision core: what we believe of every streamer, and what is to be done about it.
//!
//! `Monitor` never reads a clock, a socket or a random number, never blocks and never fails. Threads
//! bring it inputs and carry out its outputs; the transcripts in its tests are its specification.
//!
//! Its parts own their state and name no other part: `asking` (R22), `push` (R11, R17, R18), `writes` (R19 to R21, and
//! R15's undone writes). `Monitor` gives them the streamers and the book, and carries news between them. The rules of
//! evidence, which need several of them, are its own: `evidence` R1 to R4, `sweep` and `failures` R5 to R10, `ids` R12,
//! `roster` R13 to R16, `connections` R17, `coverage` R23. The judgement of a single observation is in `streamer` and `weighing`.

mod asking;
mod book;
mod broadcasts;
mod connections;
mod coverage;
mod evidence;
mod failures;
mod ids;
pub mod io;
mod kick_clock;
mod latency;
mod push;
pub mod report;
mod roster;
mod streamer;
mod streamers;
mod sweep;
mod table;
#[cfg(test)]
mod tests;
mod times;
mod troubles;
mod unrecognised;
mod weighing;
mod writes;

pub use io::{Asker, Input, Output, Settings};
pub use push::{Choice, Terms};

use crate::domain::ask::Learned;
use crate::domain::event::Event;
use crate::domain::problem::Code;
use crate::domain::row::{Recent, Shown, Written};
use crate::domain::{ChannelId, Now, RowId, Slug, Source, Status, Steady, UserId};
use crate::repeats::Repeats;
use asking::{Asking, Queue};
use book::{Book, Timer};
use kick_clock::KickClock;
use push::Push;
use roster::Unfit;
use std::collections::BTreeMap;
use streamers::{Key, Streamers};
use unrecognised::Unrecognised;
use writes::Writes;

/// Why and when the core wants to be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wake {
    /// When.
    pub at: Steady,
    /// What for, in a word.
    pub why: &'static str,
}

/// The machine.
#[derive(Debug)]
pub struct Monitor {
    settings: Settings,
    streamers: Streamers,
    /// Rows that cannot be used, as they were reported.
    unusable: BTreeMap<RowId, Unfit>,
    learned: BTreeMap<Slug, Learned>,
    /// The channel ids that Kick stated, however a row spells the name (RULES R16).
    stated: BTreeMap<UserId, ChannelId>,
    asking: Asking,
    push: Push,
    writes: Writes,
    /// Answers that R10 holds back are logged once in a while.
    brakes: Repeats,
    /// Whose status changed just before an earlier process ended, until the roster is read.
    recent: Option<Recent>,
    /// The roster was read once.
    loaded: bool,
    /// An empty roster that the next read must confirm (RULES R14).
    emptied: bool,
    kick: KickClock,
    last_push: Option<Steady>,
    token_expires: Option<Steady>,
    discarded: u64,
    unrecognised: Unrecognised,
    book: Book,
}

impl Monitor {
    /// A machine that knows nothing yet. `seed` is for the jitter of its pauses.
    pub fn new(now: Now, settings: Settings, seed: u64) -> Monitor {
        let mut monitor = Monitor {
            asking: Asking::new(now, &settings),
            push: Push::new(&settings, seed),
            writes: Writes::default(),
            settings,
            streamers: Streamers::default(),
            unusable: BTreeMap::new(),
            learned: BTreeMap::new(),
            stated: BTreeMap::new(),
            brakes: Repeats::default(),
            recent: None,
            loaded: false,
            emptied: false,
            kick: KickClock::default(),
            last_push: None,
            token_expires: None,
            discarded: 0,
            unrecognised: Unrecognised::default(),
            book: Book::new(seed),
        };
        monitor.schedule_heartbeat(now);
        monitor
    }

    /// Takes what happened; says what is to be done, in order.
    pub fn handle(&mut self, now: Now, input: Input) -> Vec<Output> {
        self.book.revision += u64::from(input.is_news());
        self.take(now, input);
        self.run_timers(now);
        self.tend_push(now);
        self.asking.ask(now, &self.streamers, &mut self.book);
        self.say_who_is_not_followed(now);
        self.push.links.flush(&mut self.book.out);
        std::mem::take(&mut self.book.out)
    }

    fn take(&mut self, now: Now, input: Input) {
        match input {
            Input::Settings(settings) => self.take_settings(now, settings),
            Input::Relink => self.relink(now),
            Input::Remembered(offer) => self.push.recall(offer),
            Input::Learned(learned) => self.remember(learned),
            Input::Recent(recent) => self.recent = Some(recent),
            Input::Roster(read) => self.take_roster(now, read),
            Input::Push(link, push) => self.take_push(now, link, &push),
            Input::Link(link, event) => self.take_link(now, link, event),
            Input::Several(inputs) => inputs.into_iter().for_each(|input| self.take(now, input)),
            Input::Answer(answer) => self.take_answer(now, answer),
            Input::BrokerAnswer(answer) => self.take_broker_answer(now, &answer),
            Input::Written(written) => self.take_written(now, written),
            Input::WriterStarted { lane, lanes } => {
                self.writes.send_lost(now, lane, lanes, &mut self.streamers, &mut self.book);
            }
            Input::Database(event) => self.writes.take_database(now, event, &mut self.streamers, &mut self.book),
            Input::Token(expires) => self.take_token(now, expires),
            Input::TokenFailed { status, reason, refused } => self.token_failed(now, status, &reason, refused),
            Input::Listening(why_not) => self.book.troubles.set(now, Code::RosterListener, why_not),
            Input::Spent => self.asking.budget.spend(now.steady, 1),
            Input::SweepNow => {
                self.book.out.push(Output::ReadRoster);
                self.asking.order_sweep(now, &self.streamers, &mut self.book);
            }
            Input::AskerStarted(asker) => self.asking.ask_again(asker),
            Input::BrokerStarted => self.push.ask_again(now.steady),
            Input::Tick => {}
        }
    }

    /// When the core wants a `Tick` if nothing else happens.
    pub fn next_wake(&self) -> Option<Wake> {
        let timer = self.book.timers.first().map(|(at, timer)| Wake { at: *at, why: timer.word() });
        let asking = self.asking.wake.map(|at| Wake { at, why: "ask" });
        let push = self.push.due().map(|at| Wake { at, why: "push" });
        timer.into_iter().chain(asking).chain(push).min_by_key(|wake| wake.at)
    }

    /// Rows whose status is not yet written: what a stop loses if the database does not take them.
    pub fn pending_writes(&self) -> usize {
        self.writes.pending()
    }

    fn run_timers(&mut self, now: Now) {
        while let Some((at, timer)) = self.book.timers.first().copied() {
            if at > now.steady {
                break;
            }
            self.book.timers.pop_first();
            match timer {
                Timer::Ask(key) => self.ask_about(key),
                Timer::SecondLook(key) => self.asking.look_again(key, &self.streamers),
                Timer::Names => self.check_names(now),
                Timer::UnknownName(key) => self.ask_unknown_name(key),
                Timer::WebsiteAgain(key) => self.look_up(key),
                Timer::PushGrace(key) => self.push_did_not_come(now, key),
                Timer::Rewrite(key) => self.write(now, key),
                Timer::Probe(lane) => self.writes.probe(lane, &self.streamers, &mut self.book),
                Timer::Stands(channel) => self.stands(now, channel),
                Timer::Sweep => self.asking.begin_sweep(now, &self.streamers, &mut self.book),
                Timer::Heartbeat => self.heartbeat(now),
            }
        }
    }

    fn at(&mut self, when: Steady, timer: Timer) {
        self.book.at(when, timer);
    }

    fn log(&mut self, event: Event) {
        self.book.log(event);
    }

    fn take_settings(&mut self, now: Now, settings: Settings) {
        let sweep_changed = self.asking.sweep_every(settings.sweep);
        self.asking.set(&settings);
        self.push.links.set_room(&settings);
        self.settings = settings;
        self.schedule_heartbeat(now);
        if sweep_changed && self.loaded {
            self.asking.schedule_sweep(now, &mut self.book);
        }
    }

    fn take_token(&mut self, now: Now, expires: Steady) {
        self.token_expires = Some(expires);
        self.asking.weather.token_came();
        self.book.count_request("token", Some(200));
        self.book.troubles.set(now, Code::TokenRefused, None);
        self.book.troubles.set(now, Code::TokenUnavailable, None);
    }

    fn token_failed(&mut self, now: Now, status: Option<u16>, reason: &str, refused: bool) {
        self.book.count_request("token", status);
        let (code, other) = match refused {
            true => (Code::TokenRefused, Code::TokenUnavailable),
            false => (Code::TokenUnavailable, Code::TokenRefused),
        };
        self.book.troubles.set(now, other, None);
        self.book.troubles.note(now, code, "", reason);
    }

    /// Changes what is believed of a streamer, and has it written.
    fn believe(&mut self, now: Now, key: Key, status: Status, source: Source, received: Steady) {
        let Some(streamer) = self.streamers.get_mut(&key) else { return };
        self.book.tally.leaves(streamer.belief.status);
        self.book.tally.enters(Some(status));
        streamer.believe(status, source, received, now);
        self.asking.no_second_look(key);
        self.write(now, key);
        if status == Status::Online {
            self.asking.reveal_channel(key, &self.streamers);
        }
    }

    /// Asks about a streamer as soon as the budget allows.
    fn ask_about(&mut self, key: Key) {
        if self.streamers.contains_key(&key) {
            self.asking.put(Queue::Fresh, key);
        }
    }

    /// Says once that every streamer of the roster has been compared.
    fn check_ready(&mut self, now: Now) {
        if self.loaded {
            self.asking.check_ready(now, &self.streamers, &mut self.book);
        }
    }

    /// Has a streamer's row show what is believed (R19).
    fn write(&mut self, now: Now, key: Key) {
        self.writes.write(now, key, &self.streamers, &mut self.book);
    }

    /// R13: whoever has a row by now that was written for another one starts with what it shows.
    fn take_written(&mut self, now: Now, written: Written) {
        for heir in self.writes.take_written(now, written, &mut self.streamers, &mut self.book) {
            self.believe_table(now, heir.key, Shown::Known(heir.shows));
        }
    }
}
