//! Centrifugo as Kick uses it (docs/kick.md §1.4): one connection as a [`Session`]. The session does not own the
//! socket, does not fetch tokens and does not weigh evidence: it reports what arrived on which channel.
//!
//! ```text
//!            WantToken            token, connect              reply
//!  Opened ─────────────► Waiting ────────────────► Greeting ────────► Open ──┐
//!                           │ 9 s                      │ 10 s, or a   │      │ renewals of the token
//!                           ▼                          ▼ refusal      ▼ ◄────┘
//!                          Over ◄─────────────────────────────── 45 s of silence, no new token
//! ```

mod commands;
mod frame;
mod lease;

use self::commands::Commands;
use self::frame::{Admission, Message, Publication, Pushed, Refusal};
use self::lease::Lease;
use crate::domain::Steady;
use crate::domain::json::mended;
use crate::domain::push::{EndKind, LinkEvent, Push, Transport};
use crate::domain::secret::Secret;
use crate::wire::event;
use crate::wire::names::{EventNames, Meaning, Unrecognised};
use crate::wire::silence::{Silence, Silent};
use crate::wire::subscriptions::{Step, Subscriptions};
use crate::wire::toll::{self, Toll};
use crate::wire::{Act, End, Session, SessionInput};
use std::sync::Arc;
use std::time::Duration;

/// The `Origin` header of the websocket request: Kick refuses most other values (docs/kick.md §1.4).
pub(super) const ORIGIN: &str = "https://kick.com";

/// The time limit for the first token: longer than one HTTP request takes, and shorter than the 10 s after which
/// Centrifugo by default closes a connection that has not sent `connect`.
const TOKEN: Duration = Duration::from_secs(9);
/// How long the server may take to reply to `connect`.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// The server's ping interval if it does not state one (docs/kick.md §1.4).
const PING: Duration = Duration::from_secs(25);
/// How late the server's ping may be before we ask whether the server is alive.
const LATE: Duration = Duration::from_secs(5);

/// The disconnect code for a connection that did not send `connect` in time. Its number is in the range of refusals,
/// but it only means that our token was late.
const STALE: u16 = 3502;
/// Error codes of refused commands (docs/kick.md §1.4).
const UNAUTHORIZED: u32 = 101;
const ALREADY_SUBSCRIBED: u32 = 105;
/// The connection has reached its limit of channels (docs/kick.md §10.1).
const LIMIT_EXCEEDED: u32 = 106;
const TOKEN_EXPIRED: u32 = 109;

/// One connection to a Centrifugo server.
#[derive(Debug)]
pub(super) struct Centrifugo {
    phase: Phase,
    subscriptions: Subscriptions,
    commands: Commands,
    lease: Lease,
    silence: Silence,
    toll: Toll,
    names: EventNames,
    unrecognised: Unrecognised,
}

#[derive(Debug)]
enum Phase {
    /// The session waits for the first token.
    Waiting {
        until: Steady,
    },
    /// `connect` was sent; nothing else may be sent before its reply.
    Greeting {
        id: u64,
        until: Steady,
    },
    Open,
    Over,
}

impl Centrifugo {
    /// Creates the session of a connection that is about to open. `templates` are `CHANNEL_NAMES`, in which each
    /// contains `{id}` once.
    pub(super) fn new(now: Steady, templates: Arc<[String]>, names: EventNames) -> Centrifugo {
        Centrifugo {
            phase: Phase::Waiting { until: now + TOKEN },
            subscriptions: Subscriptions::new(now, templates),
            commands: Commands::default(),
            lease: Lease::Endless,
            silence: Silence::new(now),
            toll: Toll::new(now),
            names,
            unrecognised: Unrecognised::default(),
        }
    }
}

impl Session for Centrifugo {
    fn handle(&mut self, now: Steady, input: SessionInput<'_>, acts: &mut Vec<Act>) {
        match input {
            _ if matches!(self.phase, Phase::Over) => return,
            SessionInput::Opened => {
                self.phase = Phase::Waiting { until: now + TOKEN };
                acts.push(Act::WantToken);
            }
            SessionInput::Token(token) => self.take_token(now, token, acts),
            SessionInput::Text(text) => {
                self.silence.broken(now);
                // A frame may contain several messages.
                for line in text.lines().filter(|line| !line.is_empty()) {
                    self.read(now, line, acts);
                    if matches!(self.phase, Phase::Over) {
                        return;
                    }
                }
            }
            SessionInput::Alive => self.silence.broken(now),
            SessionInput::Follow(ids) => self.subscriptions.follow(now, ids),
            SessionInput::Unfollow(ids) => {
                for name in self.subscriptions.unfollow(ids) {
                    self.commands.forget(&name);
                    acts.push(Act::Send(frame::unsubscribe(self.commands.number(), &name)));
                }
            }
            SessionInput::Tick => {}
        }
        self.do_what_is_due(now, acts);
    }

    fn next_wake(&self) -> Steady {
        match self.phase {
            Phase::Waiting { until } | Phase::Greeting { until, .. } => until,
            Phase::Open => {
                let life = self.silence.next_wake().min(self.lease.next_wake());
                self.subscriptions.next_wake().map_or(life, |due| due.min(life))
            }
            Phase::Over => Steady::after(Duration::MAX),
        }
    }

    fn end_of(&self, code: Option<u16>, reason: &str) -> End {
        End { kind: kind(code), code, reason: reason.to_owned() }
    }
}

impl Centrifugo {
    fn take_token(&mut self, now: Steady, token: &Secret, acts: &mut Vec<Act>) {
        match (&self.phase, self.lease) {
            (Phase::Waiting { .. }, _) => {
                let id = self.commands.number();
                self.phase = Phase::Greeting { id, until: now + HANDSHAKE };
                acts.push(Act::Send(frame::connect(id, token.reveal())));
            }
            (Phase::Open, Lease::Wanted { end }) => {
                let id = self.commands.number();
                self.lease = Lease::Sent { id, end };
                acts.push(Act::Send(frame::refresh(id, token.reveal())));
            }
            _ => {}
        }
    }

    fn read(&mut self, now: Steady, line: &str, acts: &mut Vec<Act>) {
        if line == frame::PING {
            if matches!(self.phase, Phase::Open) {
                acts.push(Act::Send(frame::PING.to_owned()));
                self.pay(now, toll::IDLE, acts);
            }
            return;
        }
        match frame::read(line, &self.names) {
            Ok(message) => self.take(now, message, acts),
            // The cause may be a control character in a field that is not needed.
            Err(_) => match frame::read(&mended(line.as_bytes()), &self.names) {
                Ok(message) => self.take(now, message, acts),
                Err(_) => self.unreadable(now, acts),
            },
        }
    }

    fn take(&mut self, now: Steady, message: Option<Message<'_>>, acts: &mut Vec<Act>) {
        match (&self.phase, message) {
            (_, None) => {}
            (_, Some(Message { push: Some(Pushed { disconnect: Some(why), .. }), .. })) => {
                self.end(self.end_of(u16::try_from(why.code).ok(), &why.reason), acts);
            }
            (&Phase::Greeting { id, .. }, Some(message)) if message.id == Some(id) => self.greeted(now, message, acts),
            (Phase::Open, Some(Message { push: Some(push), .. })) => self.pushed(now, &push, acts),
            (Phase::Open, Some(message)) => self.replied(now, message, acts),
            _ => {}
        }
    }

    /// Handles the reply to `connect`.
    fn greeted(&mut self, now: Steady, message: Message<'_>, acts: &mut Vec<Act>) {
        match message {
            Message { error: Some(why), .. } => {
                // The next connection gets a new token, so the first two errors pass.
                let passing = [UNAUTHORIZED, TOKEN_EXPIRED].contains(&why.code) || why.temporary;
                let kind = if passing { EndKind::Lost } else { EndKind::Refused };
                self.end(End { kind, code: None, reason: refused("connect", &why) }, acts);
            }
            Message { connect: Some(admission), .. } => {
                self.phase = Phase::Open;
                self.lease = Lease::new(now, admission.lasts());
                self.silence.set_longest(admission.ping().unwrap_or(PING).saturating_add(LATE));
                acts.push(Act::Say(LinkEvent::Connected(Transport::Centrifugo)));
            }
            _ => {}
        }
    }

    /// Handles the reply to any other command. A reply that changes nothing only shows that the server is alive.
    fn replied(&mut self, now: Steady, message: Message<'_>, acts: &mut Vec<Act>) {
        let Message { id: Some(id), error, refresh, subscribe, .. } = message else { return };
        if matches!(self.lease, Lease::Sent { id: sent, .. } if sent == id) {
            return self.renewed(now, error, refresh, acts);
        }
        let Some(name) = self.commands.answered(id) else { return };
        if let Some(why) = error.filter(|why| why.code != ALREADY_SUBSCRIBED) {
            let say = if why.code == LIMIT_EXCEEDED { LinkEvent::Full } else { LinkEvent::SubscriptionFailed };
            let refused = self.subscriptions.refused(now, &name);
            return acts.extend(refused.map(|id| Act::Say(say(id))));
        }
        let complete = self.subscriptions.acked(now, &name);
        acts.extend(complete.map(|id| Act::Say(LinkEvent::Subscribed(id))));
        if let Some(number) = subscribe.and_then(|granted| granted.id) {
            self.commands.name(number, name);
        }
    }

    /// Handles the reply to `refresh`.
    fn renewed(&mut self, now: Steady, error: Option<Refusal>, reply: Option<Admission>, acts: &mut Vec<Act>) {
        match (error, reply) {
            (Some(why), _) => self.give_up(&refused("refresh", &why), acts),
            (None, Some(admission)) => self.lease = Lease::new(now, admission.lasts()),
            (None, None) => {}
        }
    }

    /// Handles a push message about a channel, which it names by name or by number.
    fn pushed(&mut self, now: Steady, push: &Pushed<'_>, acts: &mut Vec<Act>) {
        let name = match (&push.channel, push.id) {
            (Some(name), _) => name.clone(),
            (None, Some(number)) => match self.commands.named(number) {
                Some(name) => name.to_owned(),
                // A late message for a channel that we unsubscribed from.
                None => return,
            },
            (None, None) => {
                if push.publication.is_some() {
                    self.unreadable(now, acts);
                }
                return;
            }
        };
        if let Some(publication) = &push.publication {
            self.evidence(now, &name, publication, acts);
        }
        if let Some(why) = &push.unsubscribe {
            self.commands.forget(&name);
            let failed = self.subscriptions.refused(now, &name);
            if failed.is_none() {
                self.pay(now, toll::IDLE, acts);
            }
            // These codes ask us to subscribe again, which is not a failure yet.
            if !(2500..=2999).contains(&why.code) {
                acts.extend(failed.map(|id| Act::Say(LinkEvent::SubscriptionFailed(id))));
            }
        }
    }

    /// Handles a publication on a followed channel: evidence, or an event with an unknown name.
    fn evidence(&mut self, now: Steady, name: &str, publication: &Publication<'_>, acts: &mut Vec<Act>) {
        let Some(kick) = &publication.data else { return self.unreadable(now, acts) };
        let Some(named) = self.subscriptions.named(name) else { return };
        let what = match self.names.meaning(&kick.event) {
            Meaning::Evidence(what) => what,
            Meaning::Nothing => return,
            Meaning::Unrecognised => {
                let told = self.unrecognised.tell(now, named, &kick.event, kick.data);
                acts.extend(told.map(|told| Act::Say(LinkEvent::Unrecognised(told))));
                return self.pay(now, toll::EVIDENCE, acts);
            }
        };
        match kick.data.and_then(|data| event::read(what, data)) {
            Some((what, inside)) => {
                acts.push(Act::Push(Push { received: now, named, inside, what }));
                self.pay(now, toll::EVIDENCE, acts);
            }
            None => self.unreadable(now, acts),
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
            Phase::Waiting { until } if now >= until => self.give_up("no guest token", acts),
            Phase::Greeting { until, .. } if now >= until => self.give_up("no reply to connect", acts),
            Phase::Open if now >= self.lease.end() => self.give_up("the guest token expired", acts),
            Phase::Waiting { .. } | Phase::Greeting { .. } | Phase::Over => {}
            Phase::Open => match self.silence.turn(now) {
                Silent::Dead => self.give_up("no answer to ping", acts),
                verdict => {
                    if verdict == Silent::Ask {
                        acts.push(Act::Send(frame::ping(self.commands.number())));
                    }
                    self.renew(now, acts);
                    self.subscribe(now, acts);
                }
            },
        }
    }

    fn renew(&mut self, now: Steady, acts: &mut Vec<Act>) {
        if let Lease::Fresh { renew_at, end } = self.lease {
            if now >= renew_at {
                self.lease = Lease::Wanted { end };
                acts.push(Act::WantToken);
            }
        }
    }

    fn subscribe(&mut self, now: Steady, acts: &mut Vec<Act>) {
        let commands = &mut self.commands;
        self.subscriptions.turn(now, |step| {
            acts.push(match step {
                Step::Subscribe(name) => Act::Send(frame::subscribe(commands.ask(now, &name), &name)),
                Step::Failed(id) => Act::Say(LinkEvent::SubscriptionFailed(id)),
            });
        });
    }

    fn give_up(&mut self, reason: &str, acts: &mut Vec<Act>) {
        self.end(End { kind: EndKind::Lost, code: None, reason: reason.to_owned() }, acts);
    }

    fn end(&mut self, end: End, acts: &mut Vec<Act>) {
        self.phase = Phase::Over;
        acts.push(Act::End(end));
    }
}

/// What a disconnect code means for the next connection (docs/kick.md §1.4); `None` if the connection broke. The
/// codes that ask to reconnect get the ordinary pauses: when a server shuts down, its clients must not all reconnect
/// at once.
fn kind(code: Option<u16>) -> EndKind {
    match code {
        Some(STALE) => EndKind::Lost,
        Some(3500..=3999 | 4500..=4999) => EndKind::Refused,
        _ => EndKind::Lost,
    }
}

fn refused(command: &str, why: &Refusal) -> String {
    format!("{command} refused: {} {}", why.code, why.message)
}

#[cfg(test)]
mod tests;
