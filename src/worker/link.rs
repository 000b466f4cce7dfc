//! `link-<n>`: one push connection, kept up for ever. It connects, lets the [`Session`] speak, brings
//! the core what the session says, and connects again when the connection is over.
//!
//! It decides nothing: where to go and what to follow is the core's, what to say and when to give up is the
//! session's, how long to wait is [`Reconnect`]'s. Nothing but orders, frames and deadlines wakes it.
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
use crossbeam_channel::{SendTimeoutError, Sender};
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

/// How long the core may take to say where to go: it may have to ask Kick.
const WAY_MOST: Duration = Duration::from_secs(30);
/// TCP, TLS and upgrade together (docs/rules.md, "Times").
const CONNECTING_MOST: Duration = Duration::from_secs(10);
/// What the pulse allows for an attempt to connect: a resolver may take long, and knows no limit.
const CONNECTING_PULSE: Duration = Duration::from_secs(120);
/// The longest wait of one turn.
const WAIT_MOST: Duration = Duration::from_secs(30);
/// What the pulse allows for a turn.
const TURN_PULSE: Duration = Duration::from_secs(60);
/// How often a link that waits for room among the inputs looks whether it shall end.
const ROOM_LOOK: Duration = Duration::from_millis(50);
/// How often a link looks for orders that the system cannot wake.
const NO_WAKE_LOOK: Duration = Duration::from_secs(1);
/// So many frames are handled before orders and deadlines are looked at.
const FRAMES_A_TURN: usize = 256;
/// So many inputs are handed to the core together at the most.
const TOGETHER_MOST: usize = 128;

/// What a link is made of; [`Link::run`] is its thread.
pub struct Link {
    /// Its number.
    pub id: LinkId,
    /// Makes the session of each connection.
    pub speak: Speak,
    /// Whom it trusts; shared by all links.
    pub authorities: Arc<Authorities>,
    /// Whom to follow, and where to go.
    pub orders: Orders,
    /// The way to the core.
    pub inputs: Sender<Input>,
    /// The time.
    pub clock: Clock,
    /// Decides the jitter of its pauses; links should differ in it.
    pub seed: u64,
}

impl Link {
    /// Lives until the orders are hung up or the stop token is (after which somebody must wake it:
    /// [`Orders::waker`]); the connection is then closed with 1000.
    pub(crate) fn run(self, pulse: &Pulse, stop: Stop) -> anyhow::Result<()> {
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

/// The link is told to end.
struct Leave;

/// Why a conversation ends.
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
    stop: Stop,
    reconnect: Reconnect,
    repeats: Repeats,
    /// Whom to follow; outlives connections.
    followed: BTreeSet<ChannelId>,
    /// Orders that the present session has not been told yet; those to follow count in `followed`.
    untold: Vec<Order>,
    /// The answer to where the next connection goes, when it has come.
    way: Option<Option<Way>>,
    /// What the core is about to be told.
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

    /// Where the next connection goes, or why nobody can say.
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

    /// One connection, from the attempt to its end.
    fn connection(&mut self, way: &Way) -> Result<End, Leave> {
        let end = self.attempt(way)?;
        let why = end.code.map_or(end.reason.clone(), |code| format!("{code} {}", end.reason));
        self.tell(Input::Link(self.link.id, LinkEvent::Ended { kind: end.kind, why }))?;
        Ok(end)
    }

    /// Connects and converses; how that ended.
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
                // A server that is dead answers no close, and the next connection would wait for it.
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
                    // It is for the next connection.
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

    /// Handles the frames that are there. The first one reaches the core before another is looked for; those
    /// behind it go together, because a thousand links that each wait for room for each frame keep everybody
    /// else from it.
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

    /// Lets the session hear something, and does what it wants done.
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

    /// Sleeps until woken, but not for long and not beyond `until`; false when that has come. Takes orders.
    fn sleep(&mut self, until: Steady) -> Result<bool, Leave> {
        self.take_orders()?;
        self.pulse.promise(TURN_PULSE);
        let left = self.link.clock.until(until).min(WAIT_MOST);
        if left.is_zero() {
            return Ok(false);
        }
        if self.link.orders.wake.wait(left).is_err() {
            // The system is out of memory for a moment: without the wake, orders are looked at now and then.
            self.stop.wait(left.min(NO_WAKE_LOOK));
        }
        Ok(true)
    }

    /// Takes the orders that are there. Fails when the link shall end.
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

    /// Brings the core an input, behind what was heard before.
    fn tell(&mut self, input: Input) -> Result<(), Leave> {
        self.heard.push(input);
        self.hand_over()
    }

    /// Brings the core what was heard, and waits for room; a link that is to end does not wait. One frame may
    /// have held more than is handed over together.
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

    /// Every end is said with the time of the next try; a refusal also as what it is.
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
