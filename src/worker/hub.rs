//! `hub`: the thread of the decision core. It brings `Monitor` what the other threads say, and hands
//! on what it wants done.
//!
//! It never blocks on anybody: what it sends is bounded by the roster (one order a push channel, one
//! write a row, one request an asker, one answer to what a link asks), not by a queue's capacity. So a dead database or a dead Kick
//! never keeps a push event from being decided upon.

mod lines;
mod openings;
mod reports;

use super::link::{Order, OrderSender, Orders, orders};
use crate::clock::{Clock, Pulse};
use crate::domain::Now;
use crate::domain::ask;
use crate::domain::push::LinkId;
use crate::domain::report::Bulletin;
use crate::domain::row::Write;
use crate::gateway::state::Keep;
use crate::monitor::{Asker, Input, Monitor, Output};
use crate::stop::Stop;
use crossbeam_channel::{Receiver, Sender, never, select};
use lines::Lines;
use openings::Openings;
use reports::Reports;
use std::collections::BTreeMap;
use std::time::Duration;

/// The longest wait of one turn, so that the pulse stays fresh.
const WAIT_MOST: Duration = Duration::from_secs(10);
/// What the pulse allows for a turn: a great roster is compared within a second or two.
const TURN_PULSE: Duration = Duration::from_secs(60);
/// So many inputs are taken before anything else is looked at: a few milliseconds, when each is of several.
const INPUTS_A_TURN: usize = 16;
/// How long the last writes may take when the process ends.
const DRAIN_MOST: Duration = Duration::from_millis(4500);

/// What the hub asks of the main thread, which alone starts and stops threads.
#[derive(Debug)]
pub(crate) enum ToMain {
    /// Start the thread of this connection; it ends when its orders are hung up.
    OpenLink(LinkId, Orders),
    /// The hub has ended; so many rows are not written.
    Drained(usize),
}

/// The way to each of the other threads.
#[derive(Debug)]
pub(crate) struct Outlets {
    /// The threads that ask Kick. Each has one request at the most.
    pub askers: BTreeMap<Asker, Sender<ask::Request>>,
    /// The writers; which of them gets a row is decided by the row, so that a row's writes keep their
    /// order.
    pub lanes: Vec<Sender<Write>>,
    /// Makes the roster read now. Holds one: two nudges mean the same as one.
    pub roster: Sender<()>,
    /// The thread that asks Kick's broker. It has one request at the most.
    pub broker: Sender<ask::Request<ask::BrokerQuery>>,
    /// What is to be remembered over restarts.
    pub keeper: Sender<Keep>,
    /// Whoever writes the status files. Holds one: who is behind is told the next time.
    pub bulletins: Sender<Bulletin>,
    /// The main thread.
    pub main: Sender<ToMain>,
}

/// The hub; [`Hub::run`] is its thread.
#[derive(Debug)]
pub(crate) struct Hub {
    /// The core.
    pub monitor: Monitor,
    /// What the other threads say. Bounded: who sends waits while the hub is busy.
    pub inputs: Receiver<Input>,
    /// The writers after a reload that changed their number.
    pub relaned: Receiver<Vec<Sender<Write>>>,
    /// The way to the other threads.
    pub outlets: Outlets,
    /// The time.
    pub clock: Clock,
}

/// What the thread holds besides the core.
#[derive(Default)]
struct Held {
    /// The ways to the connections.
    links: BTreeMap<LinkId, OrderSender>,
    /// Those that are to be opened.
    openings: Openings,
    /// What is to be logged.
    lines: Lines,
}

impl Hub {
    /// Lives until it is told to stop, then for as long as it takes to have the last writes done, a few
    /// seconds at the most.
    pub(crate) fn run(mut self, pulse: &Pulse, stop: &Stop) -> anyhow::Result<()> {
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
            select! {
                recv(self.inputs) -> input => match input {
                    Ok(input) => self.take_all(input, &mut held),
                    Err(_) => deadline = Some(now.steady),
                },
                recv(relaned) -> lanes => match lanes {
                    Ok(lanes) => self.outlets.lanes = lanes,
                    Err(_) => relaned = never(),
                },
                recv(stopped) -> _ => {
                    stopped = never();
                    deadline = Some(now.steady + DRAIN_MOST);
                    // Hung up, the links close their connections meanwhile.
                    held.links.clear();
                }
                default(wait) => match held.lines.is_empty() {
                    true => self.take(self.clock.now(), Input::Tick, &mut held),
                    false => held.lines.say_some(),
                },
            }
            if deadline.is_none() {
                self.open_links(&mut held);
            }
            held.lines.say_overdue();
            reports.tell(self.clock.now(), &mut self.monitor, &self.outlets.bulletins);
            let Some(deadline) = deadline else { continue };
            let unwritten = self.monitor.pending_writes();
            if unwritten == 0 || deadline <= self.clock.steady() {
                // Nobody listens any more when the main thread has gone.
                let _ = self.outlets.main.send(ToMain::Drained(unwritten));
                return Ok(());
            }
        }
    }

    /// Takes an input, and those that are there already.
    fn take_all(&mut self, first: Input, held: &mut Held) {
        self.take(self.clock.now(), first, held);
        for _ in 1..INPUTS_A_TURN {
            let Ok(input) = self.inputs.try_recv() else { break };
            self.take(self.clock.now(), input, held);
        }
    }

    fn take(&mut self, now: Now, input: Input, held: &mut Held) {
        for output in self.monitor.handle(now, input) {
            self.carry_out(output, held);
        }
    }

    /// Opens the connections that are wanted, as far as there are descriptors for them. A trial is one more
    /// than the core's number.
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

    /// Hands on one output. A receiver that is gone is being replaced, or the process ends: whoever is
    /// made anew says so, and is told again.
    fn carry_out(&self, output: Output, held: &mut Held) {
        let outlets = &self.outlets;
        match output {
            Output::Ask(asker, request) => {
                if let Some(questions) = outlets.askers.get(&asker) {
                    let _ = questions.send(request);
                }
            }
            Output::AskBroker(request) => drop(outlets.broker.send(request)),
            Output::Write(write) => {
                let lane = write.row.lane(outlets.lanes.len());
                if let Some(writes) = outlets.lanes.get(lane) {
                    let _ = writes.send(write);
                }
            }
            Output::OpenLink(id) => held.openings.want(id),
            Output::CloseLink(id) => {
                held.openings.forget(id);
                held.links.remove(&id);
            }
            Output::Subscribe(id, channels) => tell(&held.links, id, Order::Follow(channels)),
            Output::Unsubscribe(id, channels) => tell(&held.links, id, Order::Unfollow(channels)),
            Output::Go(id, way) => tell(&held.links, id, Order::Go(way)),
            Output::Token(id, token) => tell(&held.links, id, Order::Token(token)),
            // Full: it will read anyway.
            Output::ReadRoster => drop(outlets.roster.try_send(())),
            Output::Learn(learned) => drop(outlets.keeper.send(Keep::Streamer(learned))),
            Output::Remember(offer) => drop(outlets.keeper.send(Keep::Realtime(offer))),
            Output::Recent(rows, until) => drop(outlets.keeper.send(Keep::Recent(rows, until))),
            Output::Log(event) => held.lines.hold(event),
        }
    }
}

fn tell(links: &BTreeMap<LinkId, OrderSender>, id: LinkId, order: Order) {
    if let Some(link) = links.get(&id) {
        link.send(order);
    }
}
