//! Pusher Channels, protocol 7 (docs/kick.md §2): one connection as a [`Session`]. The session does not own the
//! socket and does not weigh evidence: it reports what arrived on which channel.
//!
//! ```text
//!  Opened ──► Greeting ── connection_established ──► Open ──┐
//!                │ 10 s, or a refusal        a refusal, or  │
//!                ▼                          45 s of silence ▼
//!               Over ◄──────────────────────────────────────┘
//! ```

mod frame;

use self::frame::{Frame, Name};
use crate::domain::Steady;
use crate::domain::json::{Json, mended};
use crate::domain::push::{EndKind, LinkEvent, Push, Transport};
use crate::wire::event::{self, Evidence};
use crate::wire::names::{EventNames, Meaning, Unrecognised};
use crate::wire::silence::{Silence, Silent};
use crate::wire::subscriptions::{Step, Subscriptions};
use crate::wire::toll::{self, Toll};
use crate::wire::{Act, End, Session, SessionInput, close};
use serde_json::value::RawValue;
use std::sync::Arc;
use std::time::Duration;

/// How long the server may take to send its greeting, `connection_established`.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// The shortest interval of pings that is accepted; a server that asks for more frequent pings does not get them.
const SHORTEST_SILENCE: Duration = Duration::from_secs(5);

/// The path and query of the websocket request for an app key. `path` is that of the server's URL, without a trailing
/// slash (docs/kick.md §2.1).
pub(super) fn path(path: &str, key: &str) -> String {
    // The key may come from Kick's offer, that is, from outside.
    let escaped = |byte| match byte {
        b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    let key: String = key.bytes().map(escaped).collect();
    let version = env!("CARGO_PKG_VERSION");
    format!("{path}/app/{key}?protocol=7&client=kick-monitor&version={version}&flash=false")
}

/// One connection to a Pusher server.
#[derive(Debug)]
pub(super) struct Pusher {
    phase: Phase,
    subscriptions: Subscriptions,
    silence: Silence,
    toll: Toll,
    names: EventNames,
    unrecognised: Unrecognised,
}

#[derive(Debug)]
enum Phase {
    /// The greeting has not arrived; nothing may be sent yet.
    Greeting {
        until: Steady,
    },
    Open,
    Over,
}

impl Pusher {
    /// Creates the session of a connection that is about to open. `templates` are `CHANNEL_NAMES`, in which each
    /// contains `{id}` once.
    pub(super) fn new(now: Steady, templates: Arc<[String]>, names: EventNames) -> Pusher {
        Pusher {
            phase: Phase::Greeting { until: now + HANDSHAKE },
            subscriptions: Subscriptions::new(now, templates),
            silence: Silence::new(now),
            toll: Toll::new(now),
            names,
            unrecognised: Unrecognised::default(),
        }
    }
}

impl Session for Pusher {
    fn handle(&mut self, now: Steady, input: SessionInput<'_>, acts: &mut Vec<Act>) {
        match (&self.phase, input) {
            (Phase::Over, _) => return,
            (Phase::Greeting { .. }, SessionInput::Opened) => self.phase = Phase::Greeting { until: now + HANDSHAKE },
            (_, SessionInput::Text(text)) => {
                self.silence.broken(now);
                self.read(now, text, acts);
            }
            (_, SessionInput::Alive) => self.silence.broken(now),
            (_, SessionInput::Follow(ids)) => self.subscriptions.follow(now, ids),
            (_, SessionInput::Unfollow(ids)) => {
                let names = self.subscriptions.unfollow(ids);
                acts.extend(names.iter().map(|name| Act::Send(frame::unsubscribe(name))));
            }
            // Pusher needs no token.
            (_, SessionInput::Opened | SessionInput::Tick | SessionInput::Token(_)) => {}
        }
        self.do_what_is_due(now, acts);
    }

    fn next_wake(&self) -> Steady {
        match self.phase {
            Phase::Greeting { until } => until,
            Phase::Open => {
                let life = self.silence.next_wake();
                self.subscriptions.next_wake().map_or(life, |due| due.min(life))
            }
            Phase::Over => Steady::after(Duration::MAX),
        }
    }

    fn end_of(&self, code: Option<u16>, reason: &str) -> End {
        End { kind: close::kind(code), code, reason: reason.to_owned() }
    }
}

impl Pusher {
    fn read(&mut self, now: Steady, text: &str, acts: &mut Vec<Act>) {
        match frame::read(text, &self.names) {
            Ok(frame) => frame.iter().for_each(|frame| self.take(now, frame, acts)),
            // The cause may be a control character in a field that is not needed.
            Err(_) => match frame::read(&mended(text.as_bytes()), &self.names) {
                Ok(frame) => frame.iter().for_each(|frame| self.take(now, frame, acts)),
                Err(_) => self.unreadable(now, acts),
            },
        }
    }

    fn take(&mut self, now: Steady, frame: &Frame<'_>, acts: &mut Vec<Act>) {
        match (&self.phase, frame::name(&frame.event, &self.names)) {
            (Phase::Greeting { .. }, Name::Established) => {
                self.silence.set_longest(activity_timeout(frame.data));
                self.phase = Phase::Open;
                acts.push(Act::Say(LinkEvent::Connected(Transport::Pusher)));
            }
            (_, Name::Error) => self.error(now, frame, acts),
            (Phase::Open, Name::Ping) => {
                acts.push(Act::Send(frame::PONG.to_owned()));
                self.pay(now, toll::IDLE, acts);
            }
            (Phase::Open, Name::Event(Meaning::Evidence(what))) => self.evidence(now, what, frame, acts),
            (Phase::Open, Name::Event(Meaning::Unrecognised)) => self.unrecognised(now, frame, acts),
            (Phase::Open, Name::Subscribed) => {
                let complete = frame.channel.as_deref().and_then(|name| self.subscriptions.acked(now, name));
                self.say(now, complete.map(LinkEvent::Subscribed), acts);
            }
            (Phase::Open, Name::SubscriptionError) => {
                let refused = frame.channel.as_deref().and_then(|name| self.subscriptions.refused(now, name));
                self.say(now, refused.map(LinkEvent::SubscriptionFailed), acts);
            }
            _ => {}
        }
    }

    /// Handles evidence, if it came on a followed channel.
    fn evidence(&mut self, now: Steady, what: Evidence, frame: &Frame<'_>, acts: &mut Vec<Act>) {
        let Some(name) = &frame.channel else { return self.unreadable(now, acts) };
        let Some(named) = self.subscriptions.named(name) else { return };
        match frame.data.and_then(|data| event::read(what, data)) {
            Some((what, inside)) => {
                acts.push(Act::Push(Push { received: now, named, inside, what }));
                self.pay(now, toll::EVIDENCE, acts);
            }
            None => self.unreadable(now, acts),
        }
    }

    /// Handles an event of a followed channel whose name is not known (R24).
    fn unrecognised(&mut self, now: Steady, frame: &Frame<'_>, acts: &mut Vec<Act>) {
        let Some(channel) = frame.channel.as_deref().and_then(|name| self.subscriptions.named(name)) else { return };
        let told = self.unrecognised.tell(now, channel, &frame.event, frame.data);
        acts.extend(told.map(|told| Act::Say(LinkEvent::Unrecognised(told))));
        self.pay(now, toll::EVIDENCE, acts);
    }

    /// Handles `pusher:error`: it concerns a channel, or the connection if it has the number of a close code
    /// (docs/kick.md §2.4), or it has no effect.
    fn error(&mut self, now: Steady, frame: &Frame<'_>, acts: &mut Vec<Act>) {
        let data = frame.data.map(event::payload).unwrap_or_default();
        let field = |name| Json::read(&data)?.get(name);
        let message = field("message").and_then(Json::text).unwrap_or_default();
        let mut names = frame.channel.as_deref().into_iter().chain(words(&message));
        if let Some(name) = names.find(|name| self.subscriptions.named(name).is_some()) {
            let said = if message.to_ascii_lowercase().contains("existing subscription") {
                self.subscriptions.acked(now, name).map(LinkEvent::Subscribed)
            } else {
                self.subscriptions.refused(now, name).map(LinkEvent::SubscriptionFailed)
            };
            return self.say(now, said, acts);
        }
        let code = field("code").and_then(Json::integer).and_then(|code| u16::try_from(code).ok());
        match close::kind(code) {
            EndKind::Lost => self.pay(now, toll::IDLE, acts),
            _ => self.end(self.end_of(code, &message), acts),
        }
    }

    /// Reports an event to the core. A message that leads to no event is charged as useless.
    fn say(&mut self, now: Steady, event: Option<LinkEvent>, acts: &mut Vec<Act>) {
        match event {
            Some(event) => acts.push(Act::Say(event)),
            None => self.pay(now, toll::IDLE, acts),
        }
    }

    fn unreadable(&mut self, now: Steady, acts: &mut Vec<Act>) {
        acts.push(Act::Say(LinkEvent::Unreadable));
        self.pay(now, toll::IDLE, acts);
    }

    fn pay(&mut self, now: Steady, cost: usize, acts: &mut Vec<Act>) {
        if self.toll.exceeded(now, cost, self.subscriptions.count()) {
            self.end(End::flood(), acts);
        }
    }

    fn do_what_is_due(&mut self, now: Steady, acts: &mut Vec<Act>) {
        match self.phase {
            Phase::Greeting { until } if now >= until => self.give_up("no greeting", acts),
            Phase::Greeting { .. } | Phase::Over => {}
            Phase::Open => match self.silence.turn(now) {
                Silent::Dead => self.give_up("no answer to ping", acts),
                verdict => {
                    if verdict == Silent::Ask {
                        acts.push(Act::Send(frame::PING.to_owned()));
                    }
                    self.subscriptions.turn(now, |step| {
                        acts.push(match step {
                            Step::Subscribe(name) => Act::Send(frame::subscribe(&name)),
                            Step::Failed(id) => Act::Say(LinkEvent::SubscriptionFailed(id)),
                        });
                    });
                }
            },
        }
    }

    fn give_up(&mut self, reason: &str, acts: &mut Vec<Act>) {
        self.end(End { kind: EndKind::Lost, code: None, reason: reason.to_owned() }, acts);
    }

    fn end(&mut self, end: End, acts: &mut Vec<Act>) {
        self.phase = Phase::Over;
        acts.push(Act::End(end));
    }
}

/// The `activity_timeout` of the greeting, limited to sensible values. If it is missing or invalid, it is 120 s
/// (docs/kick.md §2.2), which is longer than our own limit.
fn activity_timeout(greeting: Option<&RawValue>) -> Duration {
    let greeting = greeting.map(event::payload).unwrap_or_default();
    let stated = Json::read(&greeting).and_then(|greeting| greeting.get("activity_timeout"));
    let seconds = stated.and_then(|stated| stated.integer().or_else(|| stated.text()?.parse().ok()));
    let seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok());
    Duration::from_secs(seconds.unwrap_or(120)).max(SHORTEST_SILENCE)
}

/// The words of an error message that may be names of channels, without the punctuation around them.
fn words(message: &str) -> impl Iterator<Item = &str> {
    let in_a_name = |c: char| c.is_ascii_alphanumeric() || "_-=@,.;".contains(c);
    message.split(move |c| !in_a_name(c)).map(|word| word.trim_end_matches([',', '.', ';']))
}

#[cfg(test)]
mod tests;
