//! The decision core: what is believed about every streamer, and what is to be done about it.
//!
//! `Monitor` never reads a clock, a socket or a random number, never blocks and never fails. Threads
//! bring it inputs and carry out its outputs; the transcripts in its tests are its specification.
//!
//! Its parts own their state and name no other part: `roster` (R13, R14), `names` (R12), `asking` (R5, R6, R10, R22),
//! `push` (R11, R17, R18, R24), `writes` (R19 to R21, R26), `shards` (R25) and `webhooks` (R27). `Monitor` gives them the
//! streamers and the book, and carries news between them; the rules that need several parts are in `routes`. One piece
//! of evidence about one streamer is judged in `hearing` (R1 to R4), `delivered` (R27), `weighing` (R6 to R9) and
//! `table` (R15).

mod asking;
mod book;
mod broadcasts;
mod delivered;
mod hearing;
pub mod io;
mod kick_clock;
mod latency;
mod misses;
mod names;
mod push;
mod report;
mod roster;
mod routes;
mod shards;
mod streamer;
mod streamers;
mod table;
#[cfg(test)]
mod tests;
mod times;
mod troubles;
mod webhooks;
mod weighing;
mod writes;

pub use io::{Asker, Input, Output, Settings, Starts};
pub use push::{Choice, Terms};

use crate::domain::event::Event;
use crate::domain::problem::{Code, Health};
use crate::domain::report::{Api, ComparisonAge, Database, Report, Streamer as Told, Streamers as Count};
use crate::domain::{Now, RowId, Steady, UserId};
use asking::{Asking, LookUp};
use book::{Book, Timer};
use kick_clock::KickClock;
use names::Names;
use push::Push;
use roster::Roster;
use shards::Shards;
use std::collections::BTreeMap;
use std::time::Duration;
use streamer::Streamer;
use streamers::{Streamers, Tally};
use webhooks::Webhooks;
use writes::Writes;

/// When the core wants to be woken, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wake {
    /// The time.
    pub at: Steady,
    /// The purpose, in a word.
    pub why: &'static str,
}

/// The decision core.
#[derive(Debug)]
pub struct Monitor {
    settings: Settings,
    streamers: Streamers,
    /// Streamers who are in no row any more, and of whom push told within the hold (R16).
    departed: BTreeMap<UserId, Box<Streamer>>,
    roster: Roster,
    names: Names,
    asking: Asking,
    push: Push,
    webhooks: Webhooks,
    writes: Writes,
    shards: Shards,
    kick: KickClock,
    book: Book,
}

impl Monitor {
    /// A core that knows nothing yet. `seed` determines the jitter of its pauses.
    pub fn new(now: Now, settings: Settings, seed: u64) -> Monitor {
        let mut book = Book::new(seed);
        book.schedule_heartbeat(now, settings.heartbeat);
        Monitor {
            streamers: Streamers::default(),
            departed: BTreeMap::new(),
            roster: Roster::default(),
            names: Names::default(),
            asking: Asking::new(now, &settings),
            push: Push::new(&settings, seed),
            webhooks: Webhooks::new(&settings),
            writes: Writes::new(&settings),
            shards: Shards::default(),
            kick: KickClock::default(),
            settings,
            book,
        }
    }

    /// Takes an input, and returns what is to be done, in order.
    pub fn handle(&mut self, now: Now, input: Input) -> Vec<Output> {
        self.book.revision += u64::from(input.is_news());
        self.take(now, input);
        self.judge_push(now);
        self.run_timers(now);
        if self.push.turn(now, &mut self.book) {
            self.asking.spend_elsewhere(now);
        }
        self.judge_push(now);
        self.hand_over(now);
        let due = self.webhooks.due().is_some_and(|due| due <= now.steady);
        let first = self.asking.owes_look_up(due);
        if first == Some(LookUp::Webhooks) {
            self.ask_webhooks(now);
        }
        self.asking.ask(now, first == Some(LookUp::Website), &self.streamers, &mut self.book);
        if first != Some(LookUp::Webhooks) {
            self.ask_webhooks(now);
        }
        self.push.flush(now, &self.streamers, &mut self.book);
        std::mem::take(&mut self.book.out)
    }

    fn take(&mut self, now: Now, input: Input) {
        let Monitor { streamers, book, .. } = self;
        match input {
            Input::Settings(settings) => self.take_settings(now, settings),
            Input::Relink => self.push.begin_anew(now.steady, book),
            Input::Remembered(offer) => self.push.recall(offer),
            Input::Learned(learned) => self.names.remember(learned),
            Input::Recent(recent) => self.roster.recall(recent),
            Input::Roster(read) => self.take_roster(now, read),
            Input::Coordination(told) => self.take_coordination(now, told),
            Input::Push(link, push) => self.take_push(now, link, &push),
            Input::Link(link, event) => self.push.take_link(now, link, event, streamers, book),
            Input::Several(inputs) => inputs.into_iter().for_each(|input| self.take(now, input)),
            Input::Answer(answer) => self.take_answer(now, &answer),
            Input::BrokerAnswer(answer) => self.push.take_answer(now.steady, &answer, book),
            Input::Written(written) => self.writes.take_written(now, written, streamers, book),
            Input::WriterStarted { lane, lanes } => self.writes.send_lost(now, lane, lanes, streamers, book),
            Input::Database(event) => self.writes.take_database(now, event, streamers, book),
            Input::Token(expires) => self.asking.take_token(now, expires, book),
            Input::TokenFailed { status, reason, refused } => book.token_failed(now, status, &reason, refused),
            Input::Listening(why_not) => book.troubles.set(now, Code::RosterListener, why_not),
            Input::Heartbeat(why_not) => book.troubles.set(now, Code::HeartbeatUrl, why_not),
            Input::Spent => self.asking.spend_elsewhere(now),
            Input::SweepNow => {
                book.out.push(Output::ReadRoster);
                self.asking.order_sweep(now, streamers, book);
            }
            Input::AskerStarted(asker) => self.asking.ask_again(asker),
            Input::BrokerStarted => self.push.ask_again(now.steady),
            Input::Subscribed(made) => self.webhooks.remember(made),
            Input::Webhook(event) => self.take_webhook(now, &event),
            Input::WebhookAnswer(answer) => self.take_webhook_answer(now, &answer),
            Input::SubscriberStarted => self.webhooks.ask_again(),
            Input::Tick => {
                self.asking.go_on_sweeping(now, streamers, book);
                self.asking.go_on_with_names(streamers);
                self.compare(now, self.settings.rows_a_turn);
            }
        }
    }

    /// When the core needs a `Tick` if no other input comes.
    pub fn next_wake(&self) -> Option<Wake> {
        if self.owes_work() {
            return Some(Wake { at: Steady::default(), why: "work left over" });
        }
        let timer = self.book.timers.first().map(|(at, timer)| Wake { at: *at, why: timer.word() });
        let asking = self.asking.due().map(|at| Wake { at, why: "ask" });
        let push = self.push.due().map(|at| Wake { at, why: "push" });
        let webhooks = self.asking.look_up_at(self.webhooks.due()).map(|at| Wake { at, why: "webhooks" });
        timer.into_iter().chain(asking).chain(push).chain(webhooks).min_by_key(|wake| wake.at)
    }

    /// Returns true if a large table left something to do that the last turn had no time for: each `Tick` does some of
    /// it.
    pub fn owes_work(&self) -> bool {
        self.roster.is_comparing() || self.asking.owes_work()
    }

    fn run_timers(&mut self, now: Now) {
        while let Some((at, timer)) = self.book.timers.first().copied() {
            if at > now.steady {
                break;
            }
            self.book.timers.pop_first();
            let Monitor { streamers, book, .. } = self;
            match timer {
                Timer::Ask(key) => self.asking.ask_about(key, streamers),
                Timer::SecondLook(key) => self.asking.look_again(key, streamers),
                Timer::Names => self.asking.check_names(now, streamers, book),
                Timer::UnknownName(key) => self.asking.check_name(key, streamers),
                Timer::LookUp(key) => self.asking.look_up(key, streamers),
                Timer::FindChannel(key) => {
                    self.asking.look_up(key, streamers);
                    self.asking.reveal_channel(key, streamers);
                }
                Timer::PushGrace(key) => self.push_did_not_come(now, key),
                Timer::Rewrite(key) | Timer::Stood(key) => self.writes.write(now, key, streamers, book),
                Timer::Probe(lane) => self.writes.probe(now, lane, streamers, book),
                Timer::Stands(channel) => self.push.stands(now, channel, book),
                Timer::LookAhead => self.look_ahead(now),
                // Every turn checks that, so it is enough that there is one.
                Timer::Release => {}
                Timer::Sweep => self.asking.begin_sweep(now, streamers, book),
                Timer::Heartbeat => self.heartbeat(now),
            }
        }
    }

    fn take_settings(&mut self, now: Now, settings: Settings) {
        let sweep_changed = self.asking.sweep_every(settings.sweep);
        self.asking.set(&settings);
        self.push.set(&settings);
        self.writes.set(now, &settings, &mut self.streamers, &mut self.book);
        if self.webhooks.set(&settings, &mut self.book) {
            self.streamers.iter().for_each(|(key, streamer)| self.webhooks.learn(key, streamer.ids.user));
        }
        self.book.schedule_heartbeat(now, settings.heartbeat);
        self.settings = settings;
        if sweep_changed && self.roster.is_loaded() {
            self.asking.schedule_sweep(now, &mut self.book);
        }
    }

    /// The number of rows whose status is not written yet: what a stop loses if the database does not take them.
    pub fn pending_writes(&self) -> usize {
        self.writes.pending()
    }

    /// The most push connections that may be open at once.
    pub fn links_most(&self) -> usize {
        self.push.most()
    }

    /// Returns true if a problem began or ended since the last report.
    pub fn has_news(&self) -> bool {
        self.book.troubles.changed
    }

    /// `SWEEP_SECS`
    pub fn sweep_every(&self) -> Duration {
        self.settings.sweep
    }

    /// That of the worst problem at present.
    pub fn health(&self) -> Health {
        self.book.troubles.health()
    }

    /// Grows whenever the report on some streamer may have changed.
    pub fn revision(&self) -> u64 {
        self.book.revision
    }

    /// The summary for `status`.
    pub fn report(&mut self, now: Now) -> Report {
        let (realtime, ready) = (self.push.report(now, &self.book), self.asking.is_ready());
        let patience = (!self.streamers.is_empty()).then_some(self.settings.sweep);
        report::judge_the_whole(now, &realtime, ready, patience, &mut self.book);
        self.book.troubles.changed = false;
        let book = &self.book;
        let mut counters = book.counters.clone();
        counters.change_latency = book.latency.histogram();
        let Tally { online, offline, unknown } = self.streamers.tally();
        let age = |share| self.asking.comparison_age(now, share).map(|age| age.as_secs_f64());
        Report {
            health: book.troubles.health(),
            problems: book.troubles.list(),
            streamers: Count {
                total: self.streamers.len(),
                online,
                offline,
                unknown,
                subscribed: book.subscribed,
                covered: book.covered,
                unusable: self.roster.unusable(),
            },
            realtime,
            webhooks: self.webhooks.report(now),
            api: Api {
                token_expires_at: book.token_expires.map(|at| now.wall_at(at)),
                last_sweep_at: book.last_sweep.map(|(at, _)| now.wall_at(at)),
                last_sweep_seconds: book.last_sweep.map(|(_, seconds)| seconds),
                ready,
                uncovered_every_seconds: self.asking.uncovered_every().map(|every| every.as_secs_f64()),
                comparison_age_seconds: ComparisonAge { p50: age(0.5), p99: age(0.99), max: age(1.0) },
            },
            database: Database {
                ok: self.roster.is_loaded() && self.writes.works(),
                pending_writes: self.writes.pending(),
                last_write_at: book.last_write.map(|at| now.wall_at(at)),
            },
            latency_ms: book.latency.percentiles(),
            longest_turn_ms: 0.0,
            counters,
            recent: book.recent(now),
            coordination: self.shards.report(),
        }
    }

    /// The streamers of the next `most` rows after `after`, in the order of their ids as text.
    pub fn page(&self, now: Now, after: Option<&RowId>, most: usize) -> Vec<Told> {
        let keys = self.streamers.behind(after).take(most);
        let told = keys.filter_map(|key| {
            let streamer = self.streamers.get(&key)?;
            let home = streamer.ids.channel.and_then(|channel| self.push.home(channel));
            let delayed = self.writes.delayed_until(key);
            let told = report::tell_of(now, streamer, home, self.writes.works(), delayed);
            Some(Told { webhook_since: self.webhooks.since(key).map(|at| now.wall_at(at)), ..told })
        });
        told.collect()
    }

    fn heartbeat(&mut self, now: Now) {
        let (push, latency) = (self.push.report(now, &self.book), self.book.latency.percentiles());
        self.book.log(Event::Heartbeat {
            streamers: self.streamers.len(),
            online: self.streamers.tally().online,
            subscribed: self.book.subscribed,
            connections: push.connected,
            pending: self.writes.pending(),
            covered: self.book.covered,
            oldest_comparison: self.asking.comparison_age(now, 1.0),
            token_expires_in: self.book.token_expires.map(|at| at.since(now.steady)),
            last_event_ago: self.book.last_event.map(|at| now.steady.since(at)),
            latency_p50_ms: latency.p50,
            latency_p99_ms: latency.p99,
        });
        self.book.schedule_heartbeat(now, self.settings.heartbeat);
    }
}
