//! Kick's webhooks: what a verified delivery says, why a request is refused, and the requests by which the daemon
//! subscribes (docs/kick.md §7, §10.5).

use crate::domain::{Status, Steady, UserId, time::Timestamp};
use std::collections::BTreeMap;

/// The event that is subscribed to: a streamer goes live, or stops.
pub const EVENT: &str = "livestream.status.updated";

/// One delivery of [`EVENT`] whose signature, age and message id are in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// When it had been read from the socket.
    pub received: Steady,
    /// When Kick sent it, by Kick's clock.
    pub sent: Timestamp,
    /// The streamer.
    pub user: UserId,
    /// Whether they went live or stopped.
    pub status: Status,
    /// When the broadcast began, by Kick's clock. It is the only identity of a broadcast in a delivery.
    pub started_at: Option<Timestamp>,
}

/// Why a request is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// It is not an HTTP/1 request, or its headers are missing, repeated, too long or too many.
    Malformed,
    /// The body is signed, and is not what Kick documents.
    Unreadable,
    /// The signature does not hold.
    Signature,
    /// Kick's timestamp is too far from Kick's present time.
    Age,
    /// The message id was seen before.
    Repeated,
    /// The path is not `WEBHOOK_PATH`.
    Path,
    /// The method is not POST.
    Method,
    /// It did not arrive in time.
    Slow,
    /// The body is too long.
    TooLong,
    /// Too many connections are open, and this one had waited longest.
    Crowded,
    /// Kick's public key is not known yet.
    NoKey,
    /// The daemon is stopping.
    Stopping,
}

impl Refusal {
    /// The word in logs and metrics.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Refusal::Malformed => "malformed",
            Refusal::Unreadable => "unreadable",
            Refusal::Signature => "signature",
            Refusal::Age => "age",
            Refusal::Repeated => "repeated",
            Refusal::Path => "path",
            Refusal::Method => "method",
            Refusal::Slow => "slow",
            Refusal::TooLong => "too_long",
            Refusal::Crowded => "crowded",
            Refusal::NoKey => "no_key",
            Refusal::Stopping => "stopping",
        }
    }
}

/// The results of requests, in metrics: taken, taken and about another event, or refused, by the words of [`Refusal`].
pub(crate) const RESULTS: [&str; 14] = [
    "taken",
    "other",
    "malformed",
    "unreadable",
    "signature",
    "age",
    "repeated",
    "path",
    "method",
    "slow",
    "too_long",
    "crowded",
    "no_key",
    "stopping",
];

/// What the worker `webhook` reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookEvent {
    /// It listens from now on, or need not; or why it cannot.
    Listening(Option<String>),
    /// A delivery was taken.
    Delivered(Delivery),
    /// Requests that were not evidence since the last such report, by result: refused, or taken and about another
    /// event (`other`).
    Others(BTreeMap<&'static str, u64>),
}

/// What the worker `webhook` needs to judge a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookOrder {
    /// Kick's public key (PEM).
    Key(String),
    /// What Kick's clock showed when our steady time began.
    Clock(Timestamp),
}

/// A request about subscriptions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookQuery {
    /// `GET {KICK_API_URL}/public-key`
    PublicKey,
    /// `GET {KICK_API_URL}/events/subscriptions`
    List,
    /// `POST {KICK_API_URL}/events/subscriptions`, for one streamer.
    Make(UserId),
    /// `DELETE {KICK_API_URL}/events/subscriptions?id=…`
    Delete(Vec<String>),
}

impl WebhookQuery {
    /// The endpoint's name in logs and metrics.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            WebhookQuery::PublicKey => "public_key",
            WebhookQuery::List | WebhookQuery::Make(_) | WebhookQuery::Delete(_) => "subscriptions",
        }
    }
}

/// Kick's answer to a [`WebhookQuery`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookAnswer {
    /// The public key (PEM).
    PublicKey(String),
    /// The app's subscriptions to [`EVENT`], also those that other programs made.
    List(Vec<Subscription>),
    /// The id of the new subscription.
    Made(String),
    /// Kick refuses the subscription: its reason, from outside.
    NotMade(String),
    /// The subscriptions are gone.
    Deleted,
}

/// One subscription to [`EVENT`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Kick's id of it.
    pub id: String,
    /// The streamer's user id.
    pub user: UserId,
}
