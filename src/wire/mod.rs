//! What a push protocol says, without a socket: [`Session`] is one connection's life from the open
//! websocket to its end. It is told what arrived and what time it is, and says what to send.
//!
//! Nothing outside `pusher.rs` knows Pusher's words, nothing outside `centrifugo.rs` Centrifugo's.
//! `offer.rs` reads which of them Kick wants spoken. Nothing here reads a clock or a random number, or blocks.

mod centrifugo;
mod close;
mod event;
pub mod names;
pub mod offer;
mod pusher;
pub(crate) mod reconnect;
mod silence;
mod subscriptions;
mod toll;
#[cfg(test)]
mod transcript;

use crate::domain::push::{EndKind, LinkEvent, Push, Transport};
use crate::domain::secret::Secret;
use crate::domain::way::Way;
use crate::domain::{ChannelId, Steady};
use centrifugo::Centrifugo;
use names::EventNames;
use pusher::Pusher;
use std::sync::Arc;

/// One connection's life, whatever the protocol.
pub trait Session: Send {
    /// Takes what happened, appends what is to be done, in order.
    fn handle(&mut self, now: Steady, input: SessionInput<'_>, acts: &mut Vec<Act>);

    /// When the session wants a `Tick` at the latest. Always set: silence is what a session must notice.
    fn next_wake(&self) -> Steady;

    /// What it means that the server closed the websocket with this code and reason; no code when
    /// the connection broke or the close frame held none.
    fn end_of(&self, code: Option<u16>, reason: &str) -> End;
}

/// Makes the session of a connection over this transport that is about to open.
pub type Speak = Box<dyn Fn(Steady, Transport) -> Box<dyn Session> + Send>;

/// The sessions of Kick's transports, for these `CHANNEL_NAMES` and names of events.
pub fn sessions(channel_names: &[String], events: &EventNames) -> Speak {
    let (templates, events): (Arc<[String]>, _) = (channel_names.into(), events.clone());
    Box::new(move |now, transport| match transport {
        Transport::Pusher => Box::new(Pusher::new(now, templates.clone(), events.clone())),
        Transport::Centrifugo => Box::new(Centrifugo::new(now, templates.clone(), events.clone())),
    })
}

/// What the websocket request asks for on this way, and what it states as its `Origin`, if anything.
pub(crate) fn request(way: &Way) -> (String, Option<&'static str>) {
    match way {
        Way::Pusher { place, app_key } => (pusher::path(&place.path_and_query, app_key), None),
        Way::Centrifugo { place } => (place.path_and_query.clone(), Some(centrifugo::ORIGIN)),
    }
}

/// What happens to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionInput<'a> {
    /// The websocket is open. The first input, once.
    Opened,
    /// A text frame.
    Text(&'a str),
    /// A frame without text arrived: a ping (which the socket answers by itself), a pong, or binary
    /// data. It proves that the peer lives.
    Alive,
    /// Follow these streamers too. May come at any time, also before the greeting.
    Follow(&'a [ChannelId]),
    /// Do not follow these any more.
    Unfollow(&'a [ChannelId]),
    /// A guest token, asked for by [`Act::WantToken`]. One that was not asked for is not used.
    Token(&'a Secret),
    /// It is time.
    Tick,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Send this text frame.
    Send(String),
    /// Tell the core.
    Say(LinkEvent),
    /// Tell the core: evidence.
    Push(Push),
    /// Fetch a guest token (docs/kick.md §1.4), one that this session was not given before. There is no
    /// answer to a failure: a session that gets none in time ends by itself.
    WantToken,
    /// Give the connection up, closing it with 1000: nothing may be expected from it any more.
    End(End),
}

/// Why a connection is over. Decides, with what came before, how long to wait for the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// What it means for the next connection.
    pub kind: EndKind,
    /// The websocket close code, when the server gave one.
    pub code: Option<u16>,
    /// The server's reason, or ours, in a few words. Comes from outside: the log escapes and cuts it.
    pub reason: String,
}

impl End {
    /// The server makes us do more than is believable.
    fn flood() -> End {
        End { kind: EndKind::Lost, code: None, reason: "the server sends too many messages".to_owned() }
    }
}
