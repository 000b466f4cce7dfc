//! What arrives by push, independent of the transport: the two events that are evidence (R3), and the state of
//! connections and subscriptions.

use crate::domain::{ChannelId, LivestreamId, Status, Steady, time::Timestamp};
use std::sync::Arc;

/// The number of a push connection, from 0; the thread that owns it is `link-<number>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u32);

/// A protocol by which Kick delivers push events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// Pusher Channels (docs/kick.md §2).
    Pusher,
    /// Centrifugo (docs/kick.md §1.4).
    Centrifugo,
}

impl Transport {
    /// All transports, the preferred one first.
    pub const ALL: [Transport; 2] = [Transport::Pusher, Transport::Centrifugo];

    /// The transport with this name, as [`Transport::word`] gives it.
    pub(crate) fn from_word(word: &str) -> Option<Transport> {
        Self::ALL.into_iter().find(|transport| transport.word() == word)
    }

    /// The name for logs, metrics and configuration.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Transport::Pusher => "pusher",
            Transport::Centrifugo => "centrifugo",
        }
    }
}

/// A push event that is evidence, as it was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// When the frame was read from the socket.
    pub received: Steady,
    /// The channel id in the name of the push channel.
    pub named: ChannelId,
    /// The channel id in the payload, if there is one. The event is discarded if it differs from `named` (R4).
    pub inside: Option<ChannelId>,
    /// What the event reports.
    pub what: PushKind,
}

/// The content of a push event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PushKind {
    /// `App\Events\StreamerIsLive` (docs/kick.md §3.3).
    Live {
        /// The broadcast that began.
        livestream: LivestreamId,
        /// `created_at`, by Kick's clock.
        created_at: Option<Timestamp>,
        /// `session_title`, from outside, cut to 200 characters.
        title: Option<Arc<str>>,
    },
    /// `App\Events\StopStreamBroadcast` (docs/kick.md §3.4).
    Stop {
        /// The broadcast that ended.
        livestream: LivestreamId,
    },
}

/// What the end of a connection means for the next one (docs/rules.md, "Times"; docs/kick.md §2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndKind {
    /// An ordinary loss: network, restart, silence, or a close code without a rule of its own.
    Lost,
    /// 42xx: reconnect at once.
    ComeBack,
    /// 41xx: over capacity, reconnect later.
    Later,
    /// 40xx, or a code that rules out reconnecting: the server refuses these parameters. The operator has to act, or
    /// Kick.
    Refused,
}

impl PushKind {
    /// The streamer's status according to the event.
    pub fn status(&self) -> Status {
        match self {
            PushKind::Live { .. } => Status::Online,
            PushKind::Stop { .. } => Status::Offline,
        }
    }
}

/// What a link reports about its connection. It reports `Started` whenever its thread begins, also after a restart;
/// it then follows no channel until it gets orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkEvent {
    /// The thread began; it follows no channel yet.
    Started,
    /// The link asks where to connect next.
    WantsWay,
    /// The connection needs a guest token that it was not given before.
    WantsToken,
    /// The server's greeting arrived over this transport; the link now sends its subscriptions.
    Connected(Transport),
    /// All push channels of this streamer are acknowledged.
    Subscribed(ChannelId),
    /// The server refused a subscription or did not answer in time; the link tries again by itself.
    SubscriptionFailed(ChannelId),
    /// The server refused this channel because the connection has reached its limit of channels.
    Full(ChannelId),
    /// The connection ended, and all its subscriptions with it, or could not be established. The link reconnects by
    /// itself.
    Ended {
        /// What the end means for the next connection.
        kind: EndKind,
        /// The reason, for the operator.
        why: String,
    },
    /// A frame carried evidence that could not be parsed or that contradicts itself. The core counts these.
    Unreadable,
    /// An event with an unknown name came on a followed channel (R24).
    Unrecognised(Box<UnrecognisedEvent>),
}

/// An event of a followed channel whose name is not known (R24).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnrecognisedEvent {
    /// The channel on which it came.
    pub channel: ChannelId,
    /// The event's name, from outside, cut to 100 characters.
    pub name: String,
    /// Its payload, from outside, cut to 200 characters.
    pub sample: String,
    /// The number of events of this name that this report covers: this one, and those before it that were not
    /// reported.
    pub times: u64,
    /// When the last of them was read from the socket.
    pub received: Steady,
}
