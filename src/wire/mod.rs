//! The push protocols, without sockets. A [`Session`] is the protocol of one connection, from the open websocket to
//! its end: it is given what arrived and the time, and returns what is to be sent and reported.
//!
//! Only `pusher.rs` knows Pusher's messages, and only `centrifugo.rs` Centrifugo's. `offer.rs` parses which of them
//! Kick offers, and `webhook.rs` the requests that bring webhooks. Nothing here reads a clock, uses randomness from outside, or blocks.

mod centrifugo;
mod close;
mod event;
pub mod names;
pub mod offer;
mod pusher;
pub(crate) mod reconnect;
mod silence;
mod subscriptions;
#[cfg(test)]
mod tests;
mod toll;
pub mod webhook;

use crate::domain::push::{EndKind, LinkEvent, Push, Transport};
use crate::domain::secret::Secret;
use crate::domain::way::Way;
use crate::domain::{ChannelId, Steady};
use centrifugo::Centrifugo;
use names::EventNames;
use pusher::Pusher;
use std::sync::Arc;

/// The protocol state of one connection.
pub trait Session: Send {
    /// Handles an input and appends the actions that follow from it, in order.
    fn handle(&mut self, now: Steady, input: SessionInput<'_>, acts: &mut Vec<Act>);

    /// The latest time at which the session must get a `Tick`. Always set, because a session must notice silence.
    fn next_wake(&self) -> Steady;

    /// What the close code and reason that the server sent mean; `code` is `None` if the connection broke or the
    /// close frame had no code.
    fn end_of(&self, code: Option<u16>, reason: &str) -> End;
}

/// Creates the session of a connection over this transport that is about to open.
pub type Speak = Box<dyn Fn(Steady, Transport) -> Box<dyn Session> + Send>;

/// The sessions of all transports, with `CHANNEL_NAMES` and the names of the events.
pub fn sessions(channel_names: &[String], events: &EventNames) -> Speak {
    let (templates, events): (Arc<[String]>, _) = (channel_names.into(), events.clone());
    Box::new(move |now, transport| match transport {
        Transport::Pusher => Box::new(Pusher::new(now, templates.clone(), events.clone())),
        Transport::Centrifugo => Box::new(Centrifugo::new(now, templates.clone(), events.clone())),
    })
}

/// The path and query of the websocket request, and the value of its `Origin` header, if it has one.
pub(crate) fn request(way: &Way) -> (String, Option<&'static str>) {
    match way {
        Way::Pusher { place, app_key } => (pusher::path(&place.path_and_query, app_key), None),
        Way::Centrifugo { place } => (place.path_and_query.clone(), Some(centrifugo::ORIGIN)),
    }
}

/// An input of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionInput<'a> {
    /// The websocket is open. The first input, sent once.
    Opened,
    /// A text frame.
    Text(&'a str),
    /// A frame other than text arrived: a ping (which the socket answers by itself), a pong, or binary data. It
    /// proves that the peer is alive.
    Alive,
    /// Follow these streamers as well. May come at any time, also before the server's greeting.
    Follow(&'a [ChannelId]),
    /// Stop following these streamers.
    Unfollow(&'a [ChannelId]),
    /// The guest token that [`Act::WantToken`] requested. A token that was not requested is ignored.
    Token(&'a Secret),
    /// The time of [`Session::next_wake`] has come.
    Tick,
}

/// An action that the link carries out for the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Send this text frame.
    Send(String),
    /// Report this to the core.
    Say(LinkEvent),
    /// Report this evidence to the core.
    Push(Push),
    /// Fetch a guest token (docs/kick.md §1.4) that this session was not given before. A failure is not reported
    /// back: a session that gets no token in time ends by itself.
    WantToken,
    /// Close the connection with code 1000: it is of no further use.
    End(End),
}

/// Why a connection ended. With the ends before it, this determines how long to wait before the next connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// What the end means for the next connection.
    pub kind: EndKind,
    /// The websocket close code, if the server sent one.
    pub code: Option<u16>,
    /// The reason, the server's or ours. It may come from outside: the log escapes and cuts it.
    pub reason: String,
}

impl End {
    /// The server causes more work than any real server would.
    fn flood() -> End {
        End { kind: EndKind::Lost, code: None, reason: "the server sends too many messages".to_owned() }
    }
}
