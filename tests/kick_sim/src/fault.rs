//! What can be wrong with Kick: one fault for each of its faces at a time, set and cleared while it
//! runs. What only push can do wrong is in [`crate::PushScript`].

use crate::http::Answer;
use crate::push::Transport;
use serde_json::json;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A part of Kick that can be asked, counted and broken by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Face {
    /// `POST /oauth/token`
    OAuth,
    /// `GET /public/v1/channels`
    Channels,
    /// `GET /public/v1/livestreams`
    Livestreams,
    /// `GET /public/v1/users/livestreams`
    UsersLivestreams,
    /// `GET /api/v2/channels/<slug>`
    Website,
    /// `POST /api/v1/realtime/…/connection`: which transport to use.
    Broker,
    /// `POST /api/v1/realtime/auth/connection`
    GuestToken,
    /// `GET /public/v1/public-key`
    PublicKey,
    /// `/public/v1/events/subscriptions`
    Subscriptions,
    /// Pusher's websocket.
    Push,
    /// Centrifugo's websocket.
    Centrifugo,
    /// Anything else: 404.
    Elsewhere,
}

impl Face {
    /// Every face.
    pub const ALL: [Face; 12] = [
        Face::OAuth,
        Face::Channels,
        Face::Livestreams,
        Face::UsersLivestreams,
        Face::Website,
        Face::Broker,
        Face::GuestToken,
        Face::PublicKey,
        Face::Subscriptions,
        Face::Push,
        Face::Centrifugo,
        Face::Elsewhere,
    ];
    /// The official API.
    pub const API: [Face; 3] = [Face::Channels, Face::Livestreams, Face::UsersLivestreams];
    /// What is asked over HTTP: all but the websockets.
    pub const HTTP: [Face; 10] = [
        Face::OAuth,
        Face::Channels,
        Face::Livestreams,
        Face::UsersLivestreams,
        Face::Website,
        Face::Broker,
        Face::GuestToken,
        Face::PublicKey,
        Face::Subscriptions,
        Face::Elsewhere,
    ];

    /// The transport whose websocket this is.
    pub(crate) fn transport(self) -> Option<Transport> {
        [Transport::Pusher, Transport::Centrifugo].into_iter().find(|transport| transport.face() == self)
    }

    /// The face that answers for a path.
    pub(crate) fn of(path: &str) -> Face {
        match path {
            "/oauth/token" => Face::OAuth,
            "/public/v1/channels" => Face::Channels,
            "/public/v1/livestreams" => Face::Livestreams,
            "/public/v1/users/livestreams" => Face::UsersLivestreams,
            "/public/v1/public-key" => Face::PublicKey,
            "/public/v1/events/subscriptions" => Face::Subscriptions,
            _ if path.starts_with("/api/v2/channels/") => Face::Website,
            "/connection/websocket" => Face::Centrifugo,
            _ if path.starts_with("/api/v1/realtime/auth/") => Face::GuestToken,
            _ if path.starts_with("/api/v1/realtime/") => Face::Broker,
            _ if path.starts_with("/app/") => Face::Push,
            _ => Face::Elsewhere,
        }
    }
}

/// One face is a list of faces: wherever several are taken, one will do.
impl IntoIterator for Face {
    type Item = Face;
    type IntoIter = std::iter::Once<Face>;

    fn into_iter(self) -> Self::IntoIter {
        std::iter::once(self)
    }
}

/// What is wrong. On the faces of push a fault befalls the websocket's handshake; where it says so, open
/// connections too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection is reset: before anything is read when every face of the port refuses, else
    /// once the request is known. Open push connections live on.
    Refuse,
    /// The connection is reset instead of an answer; open push connections too.
    Reset,
    /// The connection is closed without an answer; open push connections too, without a close frame.
    Close,
    /// Nothing is answered while it lasts, and no TLS handshake made when every face of the port is silent.
    Silent,
    /// Half of the answer comes, then nothing while it lasts. Open push connections freeze, both ways, while it lasts.
    Stall,
    /// The answer comes one byte at a time, this far apart.
    Drip(Duration),
    /// The connection is closed in the middle of the answer; open push connections in the middle of a frame.
    Cut,
    /// The answer is made at once and comes so much later, stale perhaps; on open push connections every frame.
    Latency(Duration),
    /// Bytes that are no HTTP; on open push connections bytes that are no frame. Then it is closed.
    Garbage,
    /// Status 200 and a body of so many bytes, in JSON.
    Oversize(usize),
    /// This answer instead of the right one.
    Answer(Answer),
}

impl Fault {
    /// A status with a body of plain text.
    pub fn status(status: u16, body: &str) -> Fault {
        Fault::Answer(Answer::new(status, "text/plain", body))
    }

    /// 429, with `Retry-After` in seconds if given (docs/kick.md §5.5).
    pub fn rate_limited(retry_after: Option<u64>) -> Fault {
        let answer = Answer::new(429, "text/plain", "Too Many Requests");
        Fault::Answer(match retry_after {
            Some(seconds) => answer.with_header("Retry-After", &seconds.to_string()),
            None => answer,
        })
    }

    /// 403 with the HTML page of a Cloudflare challenge (docs/kick.md §4, §6.3).
    pub fn challenge() -> Fault {
        Fault::Answer(Answer::new(
            403,
            "text/html; charset=UTF-8",
            "<!DOCTYPE html><html><head><title>Just a moment...</title></head><body></body></html>",
        ))
    }

    /// 403 with the firewall's JSON (docs/kick.md §5.5).
    pub fn blocked() -> Fault {
        let body = json!({"error": "Request blocked by security policy.", "reference": "9e4db7e3"});
        Fault::Answer(Answer::json(403, &body))
    }

    /// 423 with HTML: the country is blocked (docs/kick.md §6.3).
    pub fn country_blocked() -> Fault {
        Fault::Answer(Answer::new(423, "text/html", "<html><body>Unavailable in your country</body></html>"))
    }

    /// 400 with an empty body, as the token endpoint answered in an outage (docs/kick.md §4).
    pub fn empty_400() -> Fault {
        Fault::Answer(Answer { status: 400, headers: Vec::new(), body: Vec::new() })
    }
}

/// The faults that are set.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<BTreeMap<Face, Set>>);

#[derive(Debug, Default)]
struct Set {
    /// For every request while it lasts.
    lasting: Option<Fault>,
    /// For one request each, before `lasting`.
    next: VecDeque<Fault>,
    /// Grows with every change, so that who suffers from a fault sees that it is over.
    changes: u64,
}

/// A fault that a request met.
pub(crate) struct Met {
    pub(crate) fault: Option<Fault>,
    face: Face,
    changes: u64,
}

impl Faults {
    /// Sets or clears what befalls every request; what was meant for single ones is forgotten.
    pub(crate) fn set(&self, face: Face, fault: Option<Fault>) {
        self.change(face, |set| {
            set.lasting = fault;
            set.next.clear();
        });
    }

    /// Adds a fault for the next `count` requests.
    pub(crate) fn add(&self, face: Face, count: usize, fault: &Fault) {
        self.change(face, |set| set.next.extend(std::iter::repeat_n(fault.clone(), count)));
    }

    /// What befalls a request that came now.
    pub(crate) fn meet(&self, face: Face) -> Met {
        self.with(|sets| {
            let set = sets.entry(face).or_default();
            let fault = set.next.pop_front().or_else(|| set.lasting.clone());
            Met { fault, face, changes: set.changes }
        })
    }

    /// What is set for every request.
    pub(crate) fn lasting(&self, face: Face) -> Option<Fault> {
        self.with(|sets| sets.get(&face).and_then(|set| set.lasting.clone()))
    }

    /// Whether nothing was set or cleared since the request met its fault.
    pub(crate) fn lasts(&self, met: &Met) -> bool {
        self.with(|sets| sets.get(&met.face).is_some_and(|set| set.changes == met.changes))
    }

    fn change(&self, face: Face, act: impl FnOnce(&mut Set)) {
        self.with(|sets| {
            let set = sets.entry(face).or_default();
            set.changes += 1;
            act(set);
        });
    }

    fn with<T>(&self, act: impl FnOnce(&mut BTreeMap<Face, Set>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
