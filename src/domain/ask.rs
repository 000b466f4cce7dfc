//! Questions to Kick over HTTP and the answers to them, in the words of the rules.
//!
//! A request covers streamers of one kind of key at one endpoint; its answer carries what the rules
//! need to weigh it: when it started, how many it covered, what Kick's own clock said.

use crate::domain::event::Event;
use crate::domain::push::Transport;
use crate::domain::secret::Secret;
use crate::domain::way::Offer;
use crate::domain::{ChannelId, Now, Slug, UserId, time::Timestamp};
use std::time::Duration;

/// Numbers a request, in the order that they are made, so that a late answer cannot be taken for another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// One HTTP request to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request<Q = Query> {
    /// Its number.
    pub id: RequestId,
    /// What to ask.
    pub query: Q,
}

/// What to ask Kick's broker of transports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BrokerQuery {
    /// Which transports Kick offers (docs/kick.md §1.3).
    Offers {
        /// Who asks: a number of our own choice.
        client: u128,
        /// What we speak.
        speaks: Vec<Transport>,
    },
    /// A token for a guest (docs/kick.md §1.4).
    GuestToken {
        /// Who asks.
        client: u128,
    },
}

impl BrokerQuery {
    /// The word for logs and metrics.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            BrokerQuery::Offers { .. } => "realtime",
            BrokerQuery::GuestToken { .. } => "guest_token",
        }
    }
}

/// What the broker gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offered {
    /// The transports that Kick offers, best first.
    Offers(Vec<Offer>),
    /// A guest token.
    Token(Secret),
}

/// What to ask, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// `GET {KICK_API_URL}/channels?slug=…` (docs/kick.md §5.1).
    ChannelsBySlug(Vec<Slug>),
    /// `GET {KICK_API_URL}/channels?broadcaster_user_id=…` (docs/kick.md §5.1).
    ChannelsByUser(Vec<UserId>),
    /// `GET {KICK_API_URL}/livestreams?broadcaster_user_id=…&limit=100` (docs/kick.md §5.2). Lists
    /// only who is live, with the channel id.
    Livestreams(Vec<UserId>),
    /// `GET {KICK_API_URL}/users/livestreams?user_id=…` (docs/kick.md §5.3). Lists only who is live.
    UsersLivestreams(Vec<UserId>),
    /// `GET {KICK_WEB_URL}/api/v2/channels/<slug>` (docs/kick.md §6.2): for the ids alone.
    Website(Slug),
}

/// The place that a request goes to: for metrics, logs and R7 and R9, which want a second
/// endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// `/channels` of the official API.
    Channels,
    /// `/livestreams` of the official API.
    Livestreams,
    /// `/users/livestreams` of the official API.
    UsersLivestreams,
    /// `/api/v2/channels/` of the website.
    Website,
}

impl Endpoint {
    /// The word for logs and metrics.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Endpoint::Channels => "channels",
            Endpoint::Livestreams => "livestreams",
            Endpoint::UsersLivestreams => "users_livestreams",
            Endpoint::Website => "website",
        }
    }
}

impl Query {
    /// Where it goes.
    pub fn endpoint(&self) -> Endpoint {
        match self {
            Query::ChannelsBySlug(_) | Query::ChannelsByUser(_) => Endpoint::Channels,
            Query::Livestreams(_) => Endpoint::Livestreams,
            Query::UsersLivestreams(_) => Endpoint::UsersLivestreams,
            Query::Website(_) => Endpoint::Website,
        }
    }
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<T = Vec<Seen>> {
    /// The request's number.
    pub id: RequestId,
    /// When the request was sent.
    pub started: Now,
    /// When its answer had been read to the end.
    pub finished: Now,
    /// The `Date` header of the answer: Kick's clock, to whole seconds.
    pub server_date: Option<Timestamp>,
    /// How many requests it took, retries after a new token included: what the budget is charged.
    pub spent: u32,
    /// What was asked for, or why there is no answer.
    pub result: Result<T, Failure>,
}

/// One channel in an answer. Entries that lack the fields that name a streamer are left out by the
/// gateway (R5: a missing field is no observation).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// `broadcaster_user_id`, `broadcaster_user.id`, or the website's `user_id`.
    pub user: Option<UserId>,
    /// The slug as Kick has it now.
    pub slug: Option<Slug>,
    /// The channel id: from `/livestreams`, from the website, or out of a custom banner's address
    /// (docs/kick.md §6.1), which is only a hint.
    pub channel: Option<SeenChannel>,
    /// What the entry says about being live.
    pub liveness: Liveness,
}

/// A channel id in an answer, and how much it is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeenChannel {
    /// Kick states it.
    Stated(ChannelId),
    /// It was read out of the address of a banner.
    Banner(ChannelId),
}

/// Where the channel id that push follows comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelSource {
    /// `DB_CHANNEL_ID_COLUMN`: a hint.
    Table,
    /// The address of a banner: a hint.
    Banner,
    /// An earlier process had Kick's word for it: `STATE_DIR`.
    Kept,
    /// Kick's website states it.
    Website,
    /// `/channels` states it.
    Channels,
    /// A list of those who are live states it.
    Livestreams,
}

impl ChannelSource {
    /// Whether it is Kick's word, and no hint.
    pub(crate) fn is_certain(self) -> bool {
        !matches!(self, ChannelSource::Table | ChannelSource::Banner)
    }

    /// The word for `status --json`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            ChannelSource::Table => "table",
            ChannelSource::Banner => "banner",
            ChannelSource::Kept => "kept",
            ChannelSource::Website => "website",
            ChannelSource::Channels => "channels",
            ChannelSource::Livestreams => "livestreams",
        }
    }
}

/// What an entry says about being live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// Live since `start_time` or `started_at`; a list of those who are live may omit the time.
    Live(Option<Timestamp>),
    /// An explicit `is_live: false`.
    Offline,
    /// A whole entry with `"stream": null`, or without any: a mention without a status (R6).
    Unsaid,
    /// Nothing usable: the field is missing, or `is_live: true` stands beside the zero time (R5).
    Nothing,
}

/// Why a request has no answer. None of these says anything about a streamer (R5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What kind.
    pub kind: FailureKind,
    /// The HTTP status, when there was one.
    pub status: Option<u16>,
    /// A few words for the log: no secret, no body.
    pub text: String,
}

impl Failure {
    /// What it is in the log.
    pub(crate) fn event(self, endpoint: &'static str, retry_in: Duration) -> Event {
        let Failure { kind, status, text: reason } = self;
        match kind {
            FailureKind::Blocked => Event::ApiBlocked { status, endpoint, reason, retry_in },
            FailureKind::RateLimited(_) => Event::ApiRateLimited { status, endpoint, retry_in },
            _ => Event::ApiError { status, endpoint, reason, retry_in },
        }
    }
}

/// The kinds of failure that the rules treat differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// No token could be had: nothing was asked.
    NoToken,
    /// 400: one of the values asked for is not to Kick's liking (docs/kick.md §5.1).
    BadRequest,
    /// 401 twice, the second time with a new token.
    Unauthorized,
    /// 403, 423, or HTML where JSON was due: a firewall speaks, not Kick (docs/kick.md §5.5).
    Blocked,
    /// 404 or 410: the website does not know the name; the API does not have the endpoint.
    NotFound,
    /// 429, with `Retry-After` when given.
    RateLimited(Option<Duration>),
    /// 5xx and any other status, with `Retry-After` when given.
    Server(Option<Duration>),
    /// 200 with a body that is not what docs/kick.md says.
    Garbage,
    /// No answer: name look-up, connection, TLS, time-out.
    Network,
}

/// Ids of a streamer that Kick confirmed, kept over restarts (`STATE_DIR`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Learned {
    /// The name as the table has it, normalised.
    pub name: Slug,
    /// The slug that Kick answered with.
    pub slug: Slug,
    /// The user id.
    pub user: Option<UserId>,
    /// The channel id.
    pub channel: Option<ChannelId>,
}
