//! Centrifugo's side of a conversation (docs/kick.md §1.4), as the official server has it: whom it admits,
//! for how long, and what it says to them.

mod frames;

pub(super) use frames::{event, unsubscribe};

use super::connection::Speaker;
use super::outbox::{End, Out, Outbox};
use super::{Grant, Transport};
use crate::clock;
use crate::realtime::Pass;
use crate::server::Shared;
use frames::{Command, Said};
use std::collections::VecDeque;
use std::ops::ControlFlow::{self, Break, Continue};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tungstenite::Message;

/// A client that has not introduced itself within this is given up.
const STALE: Duration = Duration::from_secs(10);

/// One connection's server.
pub(super) struct Centrifugo<'a> {
    shared: &'a Shared,
    id: u64,
    outbox: Arc<Outbox>,
    opened_at: Instant,
    /// Since it has introduced itself.
    guest: Option<Guest>,
}

struct Guest {
    /// When its token is over.
    end: Instant,
    ping_at: Instant,
    /// When our ping went out that nothing has answered yet.
    pinged_at: Option<Instant>,
}

impl<'a> Centrifugo<'a> {
    /// Waits for the client to introduce itself.
    pub(super) fn new(shared: &'a Shared, id: u64, outbox: Arc<Outbox>) -> Centrifugo<'a> {
        Centrifugo { shared, id, outbox, opened_at: clock::steady(), guest: None }
    }

    fn obey(&mut self, id: u64, command: Command) {
        let push = &self.shared.push;
        match (command, &self.guest) {
            (Command::Connect { token }, None) => self.connect(id, &token),
            (Command::Connect { .. }, Some(_)) | (_, None) => self.close(3501, "bad request"),
            (Command::Refresh { token }, Some(_)) => self.refresh(id, &token),
            (Command::Subscribe { channel, compact }, Some(_)) => {
                push.subscribe(self.id, &channel, compact, |_, grant| match grant {
                    Grant::Made(number) => frames::subscribed(id, *number),
                    Grant::Existing => frames::refused(id, frames::ALREADY_SUBSCRIBED),
                    Grant::Refused => frames::refused(id, frames::PERMISSION_DENIED),
                    Grant::Full => frames::refused(id, frames::LIMIT_EXCEEDED),
                });
            }
            (Command::Unsubscribe { channel }, Some(_)) => {
                push.unsubscribe(self.id, &channel);
                self.say(frames::unsubscribed(id));
            }
            (Command::Ping, Some(_)) if push.script(|script| script.ignore_pings) => {}
            (Command::Ping, Some(_)) => self.say(frames::pong(id)),
            (Command::Unknown, Some(_)) => self.say(frames::refused(id, frames::METHOD_NOT_FOUND)),
        }
    }

    fn connect(&mut self, id: u64, token: &str) {
        let now = clock::steady();
        let Some(end) = self.admit(id, token, now) else { return };
        let client = self.client();
        let interval = self.shared.push.script(|script| script.ping_interval);
        let greeted =
            self.shared.push.greet(self.id, |_| frames::connected(id, &client, end.duration_since(now), interval));
        if greeted {
            self.guest = Some(Guest { end, ping_at: now + interval, pinged_at: None });
        }
    }

    fn refresh(&mut self, id: u64, token: &str) {
        let now = clock::steady();
        let Some(end) = self.admit(id, token, now) else { return };
        if let Some(guest) = &mut self.guest {
            guest.end = end;
        }
        self.say(frames::refreshed(id, &self.client(), end.duration_since(now)));
    }

    /// Until when the token lets its owner in; if it does not, the command is refused.
    fn admit(&self, id: u64, token: &str, now: Instant) -> Option<Instant> {
        let pass = self.shared.world().realtime.admit(token, now);
        match pass {
            Pass::Until(end) => return Some(end),
            Pass::Expired => self.say(frames::refused(id, frames::TOKEN_EXPIRED)),
            Pass::Unknown => self.say(frames::refused(id, frames::UNAUTHORIZED)),
        }
        None
    }

    fn client(&self) -> String {
        format!("00000000-0000-4000-8000-{:012x}", self.id)
    }

    fn say(&self, text: String) {
        self.outbox.put(clock::steady() + self.shared.push.latency(Transport::Centrifugo), Out::Text(text.into()));
    }

    fn close(&self, code: u16, reason: &str) {
        self.outbox.put(clock::steady(), Out::Close(code, reason.to_owned()));
    }
}

impl Speaker for Centrifugo<'_> {
    /// As many as the official server puts into one frame.
    const BUNDLE: usize = 16;

    fn hear(&mut self, message: &Message) {
        let Message::Text(text) = message else { return };
        for line in text.lines().filter(|line| !line.is_empty()) {
            match frames::said(line) {
                Said::Pong => {
                    if let Some(guest) = &mut self.guest {
                        guest.pinged_at = None;
                    }
                }
                Said::Command(id, command) => self.obey(id, command),
                Said::Nonsense => self.close(3501, "bad request"),
            }
        }
    }

    /// Pings, and gives up whom it has to.
    fn turn(&mut self, now: Instant, unsent: &mut VecDeque<Out>) -> ControlFlow<End, Option<Instant>> {
        let over = |code, reason: &str| Break(End::Close(code, reason.to_owned()));
        let Some(guest) = &mut self.guest else {
            let stale = self.opened_at + STALE;
            return if now >= stale { over(3502, "stale") } else { Continue(Some(stale)) };
        };
        let (interval, timeout, mute, grace) = self
            .shared
            .push
            .script(|script| (script.ping_interval, script.pong_timeout, script.no_pings, script.renewal_grace));
        let end = guest.end + grace;
        if now >= end {
            return over(3005, "connection expired");
        }
        // Before the next ping at the latest.
        let pong_by = guest.pinged_at.map(|at| at + timeout.min(interval));
        if pong_by.is_some_and(|pong_by| now >= pong_by) {
            return over(3012, "no pong");
        }
        if now >= guest.ping_at {
            guest.ping_at = now + interval;
            if !mute {
                guest.pinged_at = Some(now);
                unsent.push_back(Out::Text(frames::PING.into()));
            }
        }
        let pong_by = guest.pinged_at.map(|at| at + timeout.min(interval));
        Continue([Some(end), Some(guest.ping_at), pong_by].into_iter().flatten().min())
    }
}
