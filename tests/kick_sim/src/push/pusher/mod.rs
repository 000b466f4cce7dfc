//! Pusher's side of a conversation (docs/kick.md §2): whom it refuses, and what it says to the others.

mod frames;

pub(super) use frames::event;

use super::connection::Speaker;
use super::outbox::{End, Out, Outbox};
use super::{Grant, Transport};
use crate::clock;
use crate::http::Request;
use crate::server::Shared;
use frames::Said;
use std::collections::VecDeque;
use std::ops::ControlFlow::{self, Break, Continue};
use std::sync::Arc;
use std::time::Instant;
use tungstenite::Message;

/// Why Pusher closes a connection with these parameters; `app_key` is the one in force.
pub(super) fn refusal(request: &Request, app_key: Option<&str>) -> Option<(u16, String)> {
    let key = request.path.strip_prefix("/app/").unwrap_or_default();
    match request.all("protocol").next() {
        None => Some((4008, "No protocol version supplied".to_owned())),
        Some(version) if !matches!(version, "4" | "5" | "6" | "7") => {
            Some((4007, "Unsupported protocol version".to_owned()))
        }
        Some(_) if Some(key) != app_key => Some((4001, no_such_app(key))),
        Some(_) => None,
    }
}

/// What Pusher says of an app that it does not know, or no longer.
pub(crate) fn no_such_app(key: &str) -> String {
    let reason = format!("App key {key} not in this cluster. Did you forget to specify the cluster?");
    // A close frame has room for 123 bytes.
    reason.chars().filter(char::is_ascii).take(123).collect()
}

/// One connection's server.
pub(super) struct Pusher<'a> {
    shared: &'a Shared,
    id: u64,
    outbox: Arc<Outbox>,
    heard_at: Instant,
    /// When our ping went out that nothing has answered yet.
    pinged_at: Option<Instant>,
}

impl<'a> Pusher<'a> {
    /// Greets the client.
    pub(super) fn new(shared: &'a Shared, id: u64, outbox: Arc<Outbox>) -> Pusher<'a> {
        shared.push.greet(id, |script| frames::greeting(id, script.activity_timeout));
        Pusher { shared, id, outbox, heard_at: clock::steady(), pinged_at: None }
    }

    fn subscribe(&self, channel: &str) {
        self.shared.push.subscribe(self.id, channel, false, |script, grant| match grant {
            Grant::Made(_) => frames::acknowledgement(channel),
            Grant::Existing => frames::existing_subscription(channel),
            Grant::Refused | Grant::Full => frames::subscription_error(&script.refusal_event, channel),
        });
    }

    fn say(&self, text: String) {
        self.outbox.put(clock::steady() + self.shared.push.latency(Transport::Pusher), Out::Text(text.into()));
    }
}

impl Speaker for Pusher<'_> {
    const BUNDLE: usize = 1;

    fn hear(&mut self, message: &Message) {
        self.heard_at = clock::steady();
        self.pinged_at = None;
        let Message::Text(text) = message else { return };
        match frames::said(text) {
            Said::Subscribe(channel) => self.subscribe(&channel),
            Said::Unsubscribe(channel) => self.shared.push.unsubscribe(self.id, &channel),
            Said::Ping if !self.shared.push.script(|script| script.ignore_pings) => self.say(frames::pong()),
            Said::Ping | Said::Other => {}
            Said::NotJson => self.say(frames::error("Invalid JSON received")),
        }
    }

    /// Pings a silent client, and gives up one that did not answer.
    fn turn(&mut self, now: Instant, unsent: &mut VecDeque<Out>) -> ControlFlow<End, Option<Instant>> {
        let (after, timeout, by_websocket) =
            self.shared.push.script(|script| (script.ping_after, script.pong_timeout, script.ping_by_websocket));
        match (self.pinged_at, after) {
            (Some(pinged_at), _) if now >= pinged_at + timeout => {
                Break(End::Close(4201, "Pong reply not received in time".to_owned()))
            }
            (Some(pinged_at), _) => Continue(Some(pinged_at + timeout)),
            (None, Some(after)) if now >= self.heard_at + after => {
                unsent.push_back(if by_websocket { Out::Ping } else { Out::Text(frames::ping().into()) });
                self.pinged_at = Some(now);
                Continue(Some(now + timeout))
            }
            (None, Some(after)) => Continue(Some(self.heard_at + after)),
            (None, None) => Continue(None),
        }
    }
}
