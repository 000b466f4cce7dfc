//! HTTP requests to Kick and their answers, as plain values.
//!
//! A request asks one endpoint about streamers, all by the same kind of key. Its answer carries what the rules need
//! to weigh it: when it was sent, how many streamers it covered, and the time by Kick's clock.

use crate::domain::event::Event;
use crate::domain::push::Transport;
use crate::domain::secret::Secret;
use crate::domain::way::Offer;
use crate::domain::{ChannelId, Now, Slug, UserId, time::Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// The number of a request, in the order of creation. Never used again, so an answer that comes late cannot be
/// mistaken for another request's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// An HTTP request that an asker is to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request<Q = Query> {
    /// The number that the answer repeats.
    pub id: RequestId,
    /// What is asked, and of which endpoint.
    pub query: Q,
}

/// A request to Kick's broker of transports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BrokerQuery {
    /// Asks which transports Kick offers (docs/kick.md §1.3).
    Offers {
        /// A random number of our own choice that identifies the client.
        client: u128,
        /// The transports that this program supports.
        speaks: Vec<Transport>,
    },
    /// Asks for a guest token (docs/kick.md §1.4).
    GuestToken {
        /// As in `Offers`.
        client: u128,
    },
}

impl BrokerQuery {
    /// The endpoint's name in logs and metrics.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            BrokerQuery::Offers { .. } => "realtime",
            BrokerQuery::GuestToken { .. } => "guest_token",
        }
    }
}

/// The broker's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offered {
    /// The transports that Kick offers, in Kick's order of preference.
    Offers(Vec<Offer>),
    /// A guest token (docs/kick.md §1.4).
    Token(Secret),
}

/// A request to the official API or the website: the endpoint and the keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// `GET {KICK_API_URL}/channels?slug=…` (docs/kick.md §5.1).
    ChannelsBySlug(Vec<Slug>),
    /// `GET {KICK_API_URL}/channels?broadcaster_user_id=…` (docs/kick.md §5.1).
    ChannelsByUser(Vec<UserId>),
    /// `GET {KICK_API_URL}/livestreams?broadcaster_user_id=…&limit=100` (docs/kick.md §5.2). Lists only streamers who
    /// are live, with their channel ids.
    Livestreams(Vec<UserId>),
    /// `GET {KICK_API_URL}/users/livestreams?user_id=…` (docs/kick.md §5.3). Lists only streamers who are live.
    UsersLivestreams(Vec<UserId>),
    /// `GET {KICK_WEB_URL}/api/v2/channels/<slug>` (docs/kick.md §6.2). Only the ids in its answer are used.
    Website(Slug),
}

/// The endpoint of a [`Query`], for metrics and logs, and for R7 and R9, which require the answer of a second
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
    /// The endpoint's name in logs and metrics.
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
    /// The endpoint that this request goes to.
    pub fn endpoint(&self) -> Endpoint {
        match self {
            Query::ChannelsBySlug(_) | Query::ChannelsByUser(_) => Endpoint::Channels,
            Query::Livestreams(_) => Endpoint::Livestreams,
            Query::UsersLivestreams(_) => Endpoint::UsersLivestreams,
            Query::Website(_) => Endpoint::Website,
        }
    }
}

/// The outcome of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<T = Vec<Seen>> {
    /// The number of the request.
    pub id: RequestId,
    /// When the request was sent.
    pub started: Now,
    /// When its answer had been read completely.
    pub finished: Now,
    /// The `Date` header of the answer: the time by Kick's clock, to whole seconds.
    pub server_date: Option<Timestamp>,
    /// The number of HTTP requests made, including a retry with a new token; the budget is charged with it.
    pub spent: u32,
    /// The content of the answer, or why there is none.
    pub result: Result<T, Failure>,
}

impl<T> Answer<T> {
    /// The HTTP status of the last response, if there was one.
    pub(crate) fn code(&self) -> Option<u16> {
        match &self.result {
            Ok(_) => Some(200),
            Err(failure) => failure.status,
        }
    }
}

/// One channel in an answer. The gateway leaves out entries without a field that identifies the streamer (R5: a
/// missing field is no observation).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// `broadcaster_user_id`, `broadcaster_user.id`, or the website's `user_id`.
    pub user: Option<UserId>,
    /// The slug that Kick uses now.
    pub slug: Option<Slug>,
    /// The channel id: from `/livestreams`, from the website, or from the address of a custom banner (docs/kick.md
    /// §6.1), which is only a hint.
    pub channel: Option<SeenChannel>,
    /// What the entry says about whether the channel is live.
    pub liveness: Liveness,
    /// The title of the broadcast that runs, from outside, cut to 200 characters. None unless the channel is live.
    pub title: Option<Arc<str>>,
}

/// The entries of an answer by their slugs.
pub(crate) fn by_slug(seen: &[Seen]) -> BTreeMap<&Slug, &Seen> {
    seen.iter().filter_map(|seen| Some((seen.slug.as_ref()?, seen))).collect()
}

/// R12: the entry about `name` in an answer to a request about the names `asked`. Another spelling is accepted only if
/// it is the only one, and was not asked about itself; any other name is another streamer's.
pub(crate) fn entry_named<'a>(
    name: &Slug,
    by_slug: &BTreeMap<&'a Slug, &'a Seen>,
    asked: &BTreeSet<Slug>,
) -> Option<&'a Seen> {
    let spelt_otherwise = || {
        let is_spelling = |slug: &Slug| slug.is_spelling_of(name) && !asked.contains(slug);
        let mut others = by_slug.iter().filter(|(slug, _)| is_spelling(slug));
        others.next().filter(|_| others.next().is_none()).map(|(_, seen)| *seen)
    };
    by_slug.get(name).copied().or_else(spelt_otherwise)
}

/// A channel id in an answer, by how reliable it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeenChannel {
    /// Kick states it as the channel id.
    Stated(ChannelId),
    /// Taken from the address of a custom banner (docs/kick.md §6.1); only a hint.
    Banner(ChannelId),
}

/// The source of the channel id by which a streamer's push channel is followed. In `status --json` it has its name in
/// lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChannelSource {
    /// `DB_CHANNEL_ID_COLUMN`: a hint.
    Table,
    /// The address of a banner: a hint.
    Banner,
    /// `STATE_DIR`: an earlier process got it from a statement of Kick's.
    Kept,
    /// Stated by Kick's website.
    Website,
    /// Stated by `/channels`.
    Channels,
    /// Stated by `/livestreams` or `/users/livestreams`.
    Livestreams,
}

impl ChannelSource {
    /// Returns true if Kick stated the id, false for a hint.
    pub(crate) fn is_certain(self) -> bool {
        !matches!(self, ChannelSource::Table | ChannelSource::Banner)
    }
}

/// What an entry says about whether the channel is live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// Live since `start_time` or `started_at`. The lists of live streamers may omit the time.
    Live(Option<Timestamp>),
    /// An explicit `is_live: false`.
    Offline,
    /// A complete entry with `"stream": null` or without `stream`: the streamer is mentioned, without a status (R6).
    Unsaid,
    /// Unusable: the field is missing, or `is_live: true` comes with the zero time (R5).
    Nothing,
}

/// Why a request has no answer. No failure says anything about a streamer (R5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The kind of failure, by which the rules decide what follows.
    pub kind: FailureKind,
    /// The HTTP status, if there was a response.
    pub status: Option<u16>,
    /// A short description for the log, without secrets and without parts of the body.
    pub text: String,
}

impl Failure {
    /// The log event for this failure.
    pub(crate) fn event(self, endpoint: &'static str, retry_in: Duration) -> Event {
        let Failure { kind, status, text: reason } = self;
        match kind {
            FailureKind::Blocked => Event::ApiBlocked { status, endpoint, reason, retry_in },
            FailureKind::RateLimited(_) => Event::ApiRateLimited { status, endpoint, retry_in },
            _ => Event::ApiError { status, endpoint, reason, retry_in },
        }
    }

    /// Returns true if Kick asks for fewer requests: by 429, or by its firewall, which also answers 403 to clients that
    /// send too many (R22).
    pub(crate) fn asks_for_fewer(&self) -> bool {
        matches!(self.kind, FailureKind::RateLimited(_)) || self.status == Some(403)
    }
}

/// A longer `Retry-After` is shortened to this: one response must not stop the requests for an hour.
pub(crate) const RETRY_AFTER_MAX: Duration = Duration::from_secs(600);

/// The kinds of failure that the rules treat differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// No token was available, so no request was sent.
    NoToken,
    /// 400: Kick rejects one of the values asked for (docs/kick.md §5.1).
    BadRequest,
    /// 401 twice, the second time with a new token.
    Unauthorized,
    /// 403, 423, or HTML instead of JSON: the answer is a firewall's, not Kick's (docs/kick.md §5.5).
    Blocked,
    /// 404 or 410: the website does not know the name, or the API does not have the endpoint.
    NotFound,
    /// 429, with `Retry-After` when given.
    RateLimited(Option<Duration>),
    /// 5xx and any other status, with `Retry-After` when given.
    Server(Option<Duration>),
    /// 200 with a body that does not have the form described in docs/kick.md.
    Garbage,
    /// No complete response.
    Network(Phase),
}

impl FailureKind {
    /// How long Kick asks us to wait, which is believed up to [`RETRY_AFTER_MAX`]; zero if it does not say.
    pub(crate) fn retry_after(self) -> Duration {
        match self {
            FailureKind::RateLimited(after) | FailureKind::Server(after) => {
                after.unwrap_or_default().min(RETRY_AFTER_MAX)
            }
            _ => Duration::ZERO,
        }
    }
}

/// The phase in which a request failed that has no complete response. The rules treat all of them alike; the remedies
/// differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The host name could not be looked up.
    Name,
    /// The connection could not be established, or broke.
    Connection,
    /// TLS failed, for instance because the certificate is not trusted.
    Tls,
    /// The request was not answered, or not in HTTP.
    Answer,
}

/// The ids of a streamer that Kick confirmed, as kept over restarts in `STATE_DIR`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Learned {
    /// The username of the table, normalised.
    pub name: Slug,
    /// The slug in Kick's answer.
    pub slug: Slug,
    /// Kick's user id (docs/kick.md §3.1).
    pub user: Option<UserId>,
    /// The channel id, which Kick stated.
    pub channel: Option<ChannelId>,
}
