//! The thread `link-<n>`: keeps one push connection up. It connects, passes what arrives to the [`Session`], reports
//! to the core what the session says, and reconnects when the connection has ended.
//!
//! It makes no decisions: the core says where to connect and what to follow, the session what to send and when to
//! give up, and `Reconnect` how long to wait. It wakes up only for orders, frames and deadlines.
//!
//! ```text
//!  ┌─► ask the way ──► connect ── open ──► converse ── end ──► pause ─┐      orders are taken in all
//!  │         └─────────────┴────────── failed ───────────────────┘    │      of them; hanging them up
//!  └──────────────────────────────────────────────────────────────────┘      ends the link
//! ```

mod orders;
#[cfg(test)]
mod tests;

pub use orders::{Order, OrderSender, Orders, orders};

use crate::clock::{Clock, Pulse};
use crate::domain::event::Event;
use crate::domain::push::{EndKind, LinkEvent, LinkId, Transport};
use crate::domain::way::Way;
use crate::domain::{ChannelId, Steady};
use crate::gateway::socket::{Address, Authorities, ConnectError, Effort, Frame, Socket};
use crate::monitor::io::Input;
use crate::repeats::Repeats;
use crate::stop::Stop;
use crate::wire::reconnect::Reconnect;
use crate::wire::{Act, End, Session, SessionInput, Speak};
use crate::worker::Worker;
use crossbeam_channel::{SendTimeoutError, Sender};
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

/// How long the core may take to say where to connect: it may have to ask Kick.
const WAY_MOST: Duration = Duration::from_secs(30);
/// The limit for TCP, TLS and upgrade together (docs/rules.md, "Times").
const CONNECTING_MOST: Duration = Duration::from_secs(10);
/// What the pulse allows for an attempt to connect: the system's resolver has no limit of its own.
const CONNECTING_PULSE: Duration = Duration::from_secs(120);
/// The longest wait of one turn.
const WAIT_MOST: Duration = Duration::from_secs(30);
/// What the pulse allows for a turn.
const TURN_PULSE: Duration = Duration::from_secs(60);
/// How often a link that waits for room in `inputs` checks whether it is to end.
const ROOM_LOOK: Duration = Duration::from_millis(50);
/// How often a link checks for orders while the system cannot wake it.
const NO_WAKE_LOOK: Duration = Duration::from_secs(1);
/// The most frames handled before orders and deadlines are looked at again.
const FRAMES_A_TURN: usize = 256;
/// The most inputs that are sent to the core together.
const TOGETHER_MOST: usize = 128;

/// What a link needs; `Link::run` is its thread.
pub struct Link {
    /// The number of the connection.
    pub id: LinkId,
    /// Creates the session of each connection.
    pub speak: Speak,
    /// The trusted authorities, shared by all links.
    pub authorities: Arc<Authorities>,
    /// Orders from the core: whom to follow, and where to connect.
    pub orders: Orders,
    /// The channel to the core.
    pub inputs: Sender<Input>,
    /// The source of time, the same for all threads.
    pub clock: Clock,
    /// The seed for the jitter of pauses; give each link a different one.
    pub seed: u64,
}

impl Worker for Link {
    /// Runs until the orders are hung up or the stop comes, and then closes the connection with code 1000. A stop
    /// token does not wake the link; the daemon hangs up its orders, too.
    fn run(self, pulse: &Pulse, stop: &Stop) -> anyhow::Result<()> {
        let mut thread = Thread {
            reconnect: Reconnect::new(self.seed),
            link: self,
            pulse,
            stop,
            repeats: Repeats::default(),
            followed: BTreeSet::new(),
            untold: Vec::new(),
            way: None,
            heard: Vec::new(),
        };
        let Err(Leave) = thread.link_loop();
        Ok(())
    }
}

/// The link is to end.
struct Leave;

/// Why a conversation ended.
enum Over {
    Connection(End),
    Link(Leave),
}

impl From<Leave> for Over {
    fn from(leave: Leave) -> Over {
        Over::Link(leave)
    }
}

struct Thread<'a> {
    link: Link,
    pulse: &'a Pulse,
    stop: &'a Stop,
    reconnect: Reconnect,
    repeats: Repeats,
    /// The streamers to follow. Kept from one connection to the next.
    followed: BTreeSet<ChannelId>,
    /// Orders that the present session has not been given yet. Those to follow are already part of `followed`.
    untold: Vec<Order>,
    /// The core's answer to the question where to connect, once it has arrived.
    way: Option<Option<Way>>,
    /// Inputs that are about to be sent to the core.
    heard: Vec<Input>,
}

/// An open connection.
struct Talk {
    transport: Transport,
    socket: Socket,
    session: Box<dyn Session>,
}

impl Thread<'_> {
    fn link_loop(&mut self) -> Result<Infallible, Leave> {
        self.tell(Input::Link(self.link.id, LinkEvent::Started))?;
        loop {
            let (transport, end) = match self.next_way()? {
                Ok(way) => (way.transport().word(), self.connection(&way)?),
                Err(reason) => ("none", End { kind: EndKind::Lost, code: None, reason: reason.to_owned() }),
            };
            let now = self.link.clock.steady();
            let pause = self.reconnect.ended(now, end.kind);
            self.say_end(now, transport, end, pause);
            self.pause(pause)?;
        }
    }

    /// Where to connect next, or why that is not known.
    fn next_way(&mut self) -> Result<Result<Way, &'static str>, Leave> {
        self.way = None;
        self.tell(Input::Link(self.link.id, LinkEvent::WantsWay))?;
        let until = self.link.clock.steady() + WAY_MOST;
        loop {
            self.take_orders()?;
            if let Some(way) = self.way.take() {
                return Ok(way.ok_or("Kick offers no transport that REALTIME allows"));
            }
            if !self.sleep(until)? {
                return Ok(Err("it takes too long to learn where to connect"));
            }
        }
    }

    /// Makes one connection and lets it run to its end.
    fn connection(&mut self, way: &Way) -> Result<End, Leave> {
        let end = self.attempt(way)?;
        let why = end.code.map_or(end.reason.clone(), |code| format!("{code} {}", end.reason));
        self.tell(Input::Link(self.link.id, LinkEvent::Ended { kind: end.kind, why }))?;
        Ok(end)
    }

    /// Connects and runs the conversation; returns how it ended.
    fn attempt(&mut self, way: &Way) -> Result<End, Leave> {
        self.take_orders()?;
        self.pulse.promise(CONNECTING_PULSE);
        let address = Address::from(way);
        let (authorities, wake) = (self.link.authorities.clone(), self.link.orders.wake.clone());
        let effort = Effort {
            clock: self.link.clock,
            limit: CONNECTING_MOST,
            wake: &wake,
            given_up: &mut || self.take_orders().is_err(),
        };
        let socket = match Socket::connect(&address, &authorities, effort) {
            Ok(socket) => socket,
            Err(ConnectError::GivenUp) => return Err(Leave),
            Err(e) => return Ok(End { kind: EndKind::Lost, code: None, reason: e.to_string() }),
        };
        let session = (self.link.speak)(self.link.clock.steady(), way.transport());
        let mut talk = Talk { transport: way.transport(), socket, session };
        match self.converse(&mut talk) {
            Err(Over::Connection(end)) => {
                // A dead server does not answer a close frame, and waiting for the answer would delay the next
                // connection.
                talk.socket.leave();
                Ok(end)
            }
            Err(Over::Link(leave)) => {
                talk.socket.close();
                Err(leave)
            }
        }
    }

    fn converse(&mut self, talk: &mut Talk) -> Result<Infallible, Over> {
        let now = self.link.clock.steady();
        self.hear(talk, now, SessionInput::Opened)?;
        self.untold.clear();
        let all: Vec<ChannelId> = self.followed.iter().copied().collect();
        self.hear(talk, now, SessionInput::Follow(&all))?;
        loop {
            self.pulse.promise(TURN_PULSE);
            let now = self.link.clock.steady();
            self.take_orders()?;
            for order in std::mem::take(&mut self.untold) {
                match order {
                    Order::Follow(ids) => self.hear(talk, now, SessionInput::Follow(&ids))?,
                    Order::Unfollow(ids) => self.hear(talk, now, SessionInput::Unfollow(&ids))?,
                    Order::Token(token) => self.hear(talk, now, SessionInput::Token(&token))?,
                    // That is for the next connection.
                    Order::Go(_) => {}
                }
            }
            if now >= talk.session.next_wake() {
                self.hear(talk, now, SessionInput::Tick)?;
            }
            self.read_frames(talk)?;
            let limit = self.link.clock.until(talk.session.next_wake()).min(WAIT_MOST);
            talk.socket.wait(&self.link.orders.wake, limit);
        }
    }

    /// Handles the frames that have arrived. The first one is sent to the core before the next is read. Those behind
    /// it are sent together: if a thousand links each waited for room for every frame, the other senders would hardly
    /// get any.
    fn read_frames(&mut self, talk: &mut Talk) -> Result<(), Over> {
        for nth in 0..FRAMES_A_TURN {
            let frame = talk.socket.read();
            let now = self.link.clock.steady();
            match frame {
                Ok(Some(Frame::Text(text))) => self.hear(talk, now, SessionInput::Text(&text))?,
                Ok(Some(Frame::Alive)) => self.hear(talk, now, SessionInput::Alive)?,
                Ok(None) => break,
                Err(ended) => return Err(Over::Connection(talk.session.end_of(ended.code, &ended.reason))),
            }
            if nth == 0 || self.heard.len() >= TOGETHER_MOST {
                self.hand_over()?;
            }
        }
        Ok(self.hand_over()?)
    }

    /// Gives the session an input and carries out its actions.
    fn hear(&mut self, talk: &mut Talk, now: Steady, input: SessionInput<'_>) -> Result<(), Over> {
        let mut acts = Vec::new();
        talk.session.handle(now, input, &mut acts);
        for act in acts {
            match act {
                Act::Send(text) => talk.socket.send(text),
                Act::Say(event) => {
                    if let LinkEvent::Connected(_) = event {
                        self.reconnect.connected(now);
                        self.say_connected(talk.transport);
                    }
                    self.heard.push(Input::Link(self.link.id, event));
                }
                Act::WantToken => self.heard.push(Input::Link(self.link.id, LinkEvent::WantsToken)),
                Act::Push(push) => self.heard.push(Input::Push(self.link.id, push)),
                Act::End(end) => return Err(Over::Connection(end)),
            }
        }
        Ok(())
    }

    /// Waits before the next connection.
    fn pause(&mut self, pause: Duration) -> Result<(), Leave> {
        let until = self.link.clock.steady() + pause;
        while self.sleep(until)? {}
        Ok(())
    }

    /// Sleeps until woken, but no longer than [`WAIT_MOST`] and not beyond `until`; then takes orders. Returns false
    /// when `until` has come.
    fn sleep(&mut self, until: Steady) -> Result<bool, Leave> {
        self.take_orders()?;
        self.pulse.promise(TURN_PULSE);
        let left = self.link.clock.until(until).min(WAIT_MOST);
        if left.is_zero() {
            return Ok(false);
        }
        if self.link.orders.wake.wait(left).is_err() {
            // The system is out of memory for a moment. Without the wake, orders are looked for now and then.
            self.stop.wait(left.min(NO_WAKE_LOOK));
        }
        Ok(true)
    }

    /// Takes the orders that have arrived. Fails if the link is to end.
    fn take_orders(&mut self) -> Result<(), Leave> {
        if self.stop.is_stopped() {
            return Err(Leave);
        }
        while let Some(order) = self.link.orders.next().map_err(|_| Leave)? {
            match &order {
                Order::Follow(ids) => self.followed.extend(ids),
                Order::Unfollow(ids) => {
                    for id in ids {
                        self.followed.remove(id);
                    }
                }
                Order::Go(way) => self.way = Some(way.clone()),
                Order::Token(_) => {}
            }
            self.untold.push(order);
        }
        Ok(())
    }

    /// Sends an input to the core, after what was reported before.
    fn tell(&mut self, input: Input) -> Result<(), Leave> {
        self.heard.push(input);
        self.hand_over()
    }

    /// Sends the collected inputs to the core and waits for room, unless the link is to end. One frame may have led
    /// to more inputs than are sent together.
    fn hand_over(&mut self) -> Result<(), Leave> {
        while !self.heard.is_empty() {
            let rest = self.heard.split_off(self.heard.len().min(TOGETHER_MOST));
            let mut some = std::mem::replace(&mut self.heard, rest);
            let mut input = if some.len() == 1 { some.remove(0) } else { Input::Several(some) };
            while let Err(unsent) = self.link.inputs.send_timeout(input, ROOM_LOOK) {
                let SendTimeoutError::Timeout(back) = unsent else { return Err(Leave) };
                input = back;
                self.pulse.promise(TURN_PULSE);
                self.take_orders()?;
            }
        }
        Ok(())
    }

    fn say_connected(&mut self, transport: Transport) {
        self.repeats.works("connection");
        Event::RealtimeConnected { transport: transport.word(), connection: self.link.id }.say();
    }

    /// Logs every end with the time until the next attempt, and a refusal also as an event of its own.
    fn say_end(&mut self, now: Steady, transport: &'static str, end: End, retry_in: Duration) {
        let End { kind, code, reason } = end;
        if !self.repeats.fails(now, "connection", &format!("{transport} {code:?} {reason}")) {
            return;
        }
        if kind == EndKind::Refused {
            Event::RealtimeRefused { transport, code, reason: reason.clone() }.say();
        }
        Event::RealtimeDisconnected { transport, connection: self.link.id, code, reason, retry_in }.say();
    }
}
