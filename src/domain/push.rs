//! What push tells us, whatever the transport: the two events that are evidence (R3), and the
//! life of a connection and its subscriptions.

use crate::domain::{ChannelId, LivestreamId, Status, Steady, time::Timestamp};

/// The number of a push connection, 0 and up; the thread that owns it is `link-<number>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u32);

/// A way in which Kick delivers push events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// Pusher Channels (docs/kick.md §2).
    Pusher,
    /// Centrifugo (docs/kick.md §1.4).
    Centrifugo,
}

impl Transport {
    /// All of them, the preferred one first.
    pub const ALL: [Transport; 2] = [Transport::Pusher, Transport::Centrifugo];

    /// The transport of that word.
    pub(crate) fn from_word(word: &str) -> Option<Transport> {
        Self::ALL.into_iter().find(|transport| transport.word() == word)
    }

    /// The word for logs, metrics and configuration.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Transport::Pusher => "pusher",
            Transport::Centrifugo => "centrifugo",
        }
    }
}

/// One of the two events that are evidence, as it was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// When the frame was read from the socket.
    pub received: Steady,
    /// The channel id that the name of the push channel carries.
    pub named: ChannelId,
    /// The channel id inside the payload, where it has one. One that conflicts with `named` makes
    /// the event worthless (R4).
    pub inside: Option<ChannelId>,
    /// What happened.
    pub what: PushKind,
}

/// What a push event says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PushKind {
    /// `App\Events\StreamerIsLive` (docs/kick.md §3.3).
    Live {
        /// The broadcast that began.
        livestream: LivestreamId,
        /// `created_at`; Kick's clock.
        created_at: Option<Timestamp>,
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
    /// An ordinary loss: network, restart, silence, a code without a rule of its own.
    Lost,
    /// 42xx: come back at once.
    ComeBack,
    /// 41xx: over capacity, come back later.
    Later,
    /// 40xx or terminal: these parameters are refused. Needs an operator, or Kick.
    Refused,
}

impl PushKind {
    /// What the streamer is then.
    pub fn status(&self) -> Status {
        match self {
            PushKind::Live { .. } => Status::Online,
            PushKind::Stop { .. } => Status::Offline,
        }
    }
}

/// What a link says of its connection. A link says `Started` when its thread begins, anew after
/// each restart, and then knows no channel until it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkEvent {
    /// The thread began, without any channel.
    Started,
    /// It wants to know where the next connection goes.
    WantsWay,
    /// Its connection wants a guest token, another one than before.
    WantsToken,
    /// The server greeted us, over this transport; subscriptions go out.
    Connected(Transport),
    /// Every push channel of this streamer's is acknowledged.
    Subscribed(ChannelId),
    /// The server refused a subscription, or did not answer; it will be tried again by itself.
    SubscriptionFailed(ChannelId),
    /// The server does not take this channel, for the connection has as many as it may have.
    Full(ChannelId),
    /// The connection is over, and with it all its subscriptions, or none came about; the link tries again by
    /// itself.
    Ended {
        /// What it means for the next one.
        kind: EndKind,
        /// The reason, in words for the operator.
        why: String,
    },
    /// A frame carried evidence that could not be read, or that contradicts itself; counted.
    Unreadable,
    /// An event came on a followed channel whose name is none of the known (R24).
    Unrecognised(Box<UnrecognisedEvent>),
}

/// An event whose name is none of the known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnrecognisedEvent {
    /// Whose channel it came on.
    pub channel: ChannelId,
    /// Its name, from outside; cut to 100 characters.
    pub name: String,
    /// What came with it, from outside; cut to 200 characters.
    pub sample: String,
    /// For how many events of this name it stands: the last and those before it that were not told of.
    pub times: u64,
    /// When the last was read from the socket.
    pub received: Steady,
}
