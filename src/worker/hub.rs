//! The thread `hub`: it passes the messages of the other threads to the decision core, `Monitor`, and carries out the
//! core's outputs.
//!
//! It never blocks: its channels are unbounded or may be skipped. What it sends is bounded by the roster (one order
//! per push channel, one write per row, one request per asker, one answer per question of a link). So a database or a
//! Kick that does not answer never delays the decision on a push event.

mod lines;
mod openings;
mod reports;

use super::link::{Order, OrderSender, Orders, orders};
use super::webhook_cell::WebhookCell;
use crate::clock::{Clock, Pulse};
use crate::domain::ask;
use crate::domain::problem::Health;
use crate::domain::push::LinkId;
use crate::domain::report::Bulletin;
use crate::domain::row::{Nudge, Write};
use crate::domain::shards::{Hold, Shard};
use crate::domain::time::Timestamp;
use crate::domain::webhook::WebhookQuery;
use crate::domain::{Now, RowId};
use crate::gateway::state::Keep;
use crate::monitor::{Asker, Input, Monitor, Output};
use crate::stop::Stop;
use crate::worker::Worker;
use crossbeam_channel::{Receiver, Sender, never, select};
use lines::Lines;
use openings::Openings;
use reports::Reports;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// The longest wait of one turn, so that the pulse is renewed in time.
const WAIT_MOST: Duration = Duration::from_secs(10);
/// The time that the pulse allows for a turn: comparing a large roster takes a second or two.
const TURN_PULSE: Duration = Duration::from_secs(60);
/// The most inputs taken in one turn before anything else is looked at, and the time after which no more are taken: an
/// input may have the results of a thousand writes.
const INPUTS_A_TURN: usize = 16;
const INPUTS_MOST: Duration = Duration::from_millis(10);
/// How long the last writes may take when the process ends.
const DRAIN_MOST: Duration = Duration::from_millis(4500);

/// Requests of the hub to the main thread, the only one that starts and stops threads.
#[derive(Debug)]
pub(crate) enum ToMain {
    /// Start the thread of this connection. It ends when its orders are hung up.
    OpenLink(LinkId, Orders),
    /// The hub has ended; the number of rows that are not written.
    Drained(usize),
}

/// The channels to the other threads.
#[derive(Debug)]
pub(crate) struct Outlets {
    /// The askers. Each has one request in flight at most.
    pub askers: BTreeMap<Asker, Sender<ask::Request>>,
    /// The writers. The row determines which of them gets it, so that the writes of a row keep their order.
    pub lanes: Vec<Sender<Write>>,
    /// Makes the roster worker read now. Capacity 1: a second nudge would add little.
    pub roster: Sender<Nudge>,
    /// The worker `broker`. It has one request in flight at most.
    pub broker: Sender<ask::Request<ask::BrokerQuery>>,
    /// Shards that are handed over. Unbounded: each comes once.
    pub coordinator: Sender<(Hold, BTreeSet<Shard>)>,
    /// The worker `subscriber`, while there is one. It has one request in flight at most.
    pub subscriber: Sender<ask::Request<WebhookQuery>>,
    /// What the worker `webhook` needs to know.
    pub webhook: Arc<WebhookCell>,
    /// What is to be kept over restarts.
    pub keeper: Sender<Keep>,
    /// The thread `status`. Capacity 1: a bulletin that finds the channel full is skipped, because the next one has
    /// newer content.
    pub bulletins: Sender<Bulletin>,
    /// The thread `heartbeat`. Capacity 1: the next message is newer.
    pub health: Sender<Health>,
    pub main: Sender<ToMain>,
}

/// The state of the thread `hub`.
#[derive(Debug)]
pub(crate) struct Hub {
    pub monitor: Monitor,
    /// Messages of the other threads. Bounded: senders wait while the hub is busy.
    pub inputs: Receiver<Input>,
    /// The new writers after a reload that changed them.
    pub relaned: Receiver<Vec<Sender<Write>>>,
    pub outlets: Outlets,
    pub clock: Clock,
}

/// What the thread holds while it runs.
#[derive(Default)]
struct Held {
    /// Dropping a sender ends its link.
    links: BTreeMap<LinkId, OrderSender>,
    /// Connections that the core wants and that are not open yet.
    openings: Openings,
    /// Events to be logged.
    lines: Lines,
    /// Rows that changed lately, for the keeper: those of one turn together, since it wakes for each message.
    recent: Vec<(Vec<RowId>, Timestamp)>,
    /// The longest time from the end of a wait to the next one: an input may have waited that long for this thread.
    longest_turn: Duration,
}

/// What ended a wait.
enum Woken {
    Input(Input),
    HungUp,
    Lanes(Vec<Sender<Write>>),
    LanesHungUp,
    Stopped,
    Due,
}

impl Worker for Hub {
    /// Runs until it is told to stop, and then until the last writes are done or their time is up, a few seconds at
    /// most.
    fn run(mut self, pulse: &Pulse, stop: &Stop) -> anyhow::Result<()> {
        let mut held = Held::default();
        let mut relaned = self.relaned.clone();
        let mut stopped = stop.channel().clone();
        let mut deadline = None;
        let mut reports = Reports::default();
        loop {
            pulse.promise(TURN_PULSE);
            let now = self.clock.now();
            let wake = self.monitor.next_wake().map(|wake| wake.at);
            let opening = held.openings.due().filter(|_| deadline.is_none());
            let next = wake.into_iter().chain(deadline).chain(opening).chain([reports.due(&self.monitor)]).min();
            let wait = next.map_or(WAIT_MOST, |at| at.since(now.steady).min(WAIT_MOST));
            let wait = if held.lines.is_empty() { wait } else { Duration::ZERO };
            let woken = select! {
                recv(self.inputs) -> input => input.map_or(Woken::HungUp, Woken::Input),
                recv(relaned) -> lanes => lanes.map_or(Woken::LanesHungUp, Woken::Lanes),
                recv(stopped) -> _ => Woken::Stopped,
                default(wait) => Woken::Due,
            };
            let begun = self.clock.steady();
            match woken {
                Woken::Input(input) => self.take_all(input, &mut held),
                Woken::HungUp => deadline = Some(begun),
                Woken::Lanes(lanes) => self.outlets.lanes = lanes,
                Woken::LanesHungUp => relaned = never(),
                Woken::Stopped => {
                    stopped = never();
                    deadline = Some(begun + DRAIN_MOST);
                    // The links close their connections while the last writes are done.
                    held.links.clear();
                }
                Woken::Due if held.lines.is_empty() => self.take(self.clock.now(), Input::Tick, &mut held),
                Woken::Due => held.lines.say_some(),
            }
            if deadline.is_none() {
                self.open_links(&mut held);
            }
            held.lines.say_overdue();
            if reports.tell(self.clock.now(), &mut self.monitor, held.longest_turn, &self.outlets.bulletins) {
                let _ = self.outlets.health.try_send(self.monitor.health());
            }
            held.longest_turn = held.longest_turn.max(self.clock.steady().since(begun));
            let Some(deadline) = deadline else { continue };
            let unwritten = self.monitor.pending_writes();
            if unwritten == 0 || deadline <= self.clock.steady() {
                // The main thread may have ended already.
                let _ = self.outlets.main.send(ToMain::Drained(unwritten));
                return Ok(());
            }
        }
    }
}

impl Hub {
    /// Takes an input and those that are queued behind it.
    fn take_all(&mut self, first: Input, held: &mut Held) {
        let begun = self.clock.now();
        self.take(begun, first, held);
        for _ in 1..INPUTS_A_TURN {
            let now = self.clock.now();
            if now.steady.since(begun.steady) >= INPUTS_MOST {
                break;
            }
            let Ok(input) = self.inputs.try_recv() else { break };
            self.take(now, input, held);
        }
        // A large table is worked off, too, however many inputs come.
        if self.monitor.owes_work() {
            self.take(self.clock.now(), Input::Tick, held);
        }
    }

    fn take(&mut self, now: Now, input: Input, held: &mut Held) {
        for output in self.monitor.handle(now, input) {
            self.carry_out(output, held);
        }
        for (rows, until) in held.recent.drain(..) {
            let _ = self.outlets.keeper.send(Keep::Recent(rows, until));
        }
    }

    /// Opens the connections that the core wants, as far as there are file descriptors for them. During a trial there
    /// may be one more than the number that the core states.
    fn open_links(&self, held: &mut Held) {
        let Held { links, openings, .. } = held;
        openings.turn(self.clock.steady(), self.monitor.links_most().saturating_add(1), |id| {
            let (sender, receiver) = orders()?;
            let trace = receiver.trace();
            links.insert(id, sender);
            let _ = self.outlets.main.send(ToMain::OpenLink(id, receiver));
            Ok(trace)
        });
    }

    /// Carries out one output. If its receiver is gone, the worker is being restarted or the process ends; a
    /// restarted worker reports its start, and the core sends everything again.
    fn carry_out(&self, output: Output, held: &mut Held) {
        let outlets = &self.outlets;
        match output {
            Output::Ask(asker, request) => {
                if let Some(questions) = outlets.askers.get(&asker) {
                    let _ = questions.send(request);
                }
            }
            Output::AskBroker(request) => drop(outlets.broker.send(request)),
            Output::AskWebhooks(request) => drop(outlets.subscriber.send(request)),
            Output::Webhook(order) => outlets.webhook.put(order),
            Output::Subscribed(user, id) => drop(outlets.keeper.send(Keep::Subscribed(user, id))),
            Output::Write(write) => {
                let lane = write.row.lane(outlets.lanes.len());
                if let Some(writes) = outlets.lanes.get(lane) {
                    let _ = writes.send(write);
                }
            }
            Output::Released { hold, shards } => drop(outlets.coordinator.send((hold, shards))),
            Output::OpenLink(id) => held.openings.want(id),
            Output::CloseLink(id) => {
                held.openings.forget(id);
                held.links.remove(&id);
            }
            Output::Subscribe(id, channels) => tell(&held.links, id, Order::Follow(channels)),
            Output::Unsubscribe(id, channels) => tell(&held.links, id, Order::Unfollow(channels)),
            Output::Go(id, way) => tell(&held.links, id, Order::Go(way)),
            Output::Token(id, token) => tell(&held.links, id, Order::Token(token)),
            // If the channel is full, a read is due anyway.
            Output::ReadRoster => drop(outlets.roster.try_send(Nudge::Ordered)),
            Output::Learn(learned) => drop(outlets.keeper.send(Keep::Streamer(learned))),
            Output::Remember(offer) => drop(outlets.keeper.send(Keep::Realtime(offer))),
            Output::Recent(rows, until) => match held.recent.iter_mut().find(|(_, other)| *other == until) {
                Some((others, _)) => others.extend(rows),
                None => held.recent.push((rows, until)),
            },
            Output::Log(event) => held.lines.hold(event),
        }
    }
}

fn tell(links: &BTreeMap<LinkId, OrderSender>, id: LinkId, order: Order) {
    if let Some(link) = links.get(&id) {
        link.send(order);
    }
}
