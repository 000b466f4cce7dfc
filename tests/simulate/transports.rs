//! The ways in which Kick delivers push: which it offers, which is deaf, which refuses. The real `Choice`
//! takes its pick; what the broker's thread does about it is done here.

use super::agenda::Agenda;
use kick_monitor::domain::Steady;
use kick_monitor::domain::push::{LinkId, Transport};
use kick_monitor::wire::EndKind;
use kick_monitor::wire::choice::{Choice, Terms};
use kick_monitor::wire::offer::{Offer, Place};
use std::collections::BTreeMap;
use std::time::Duration;

pub(super) struct Transports {
    choice: Choice,
    /// None: discovery is blocked, or talks nonsense.
    offered: Option<Vec<Offer>>,
    /// Accepts, acknowledges and delivers nothing until then.
    pub deaf_until: BTreeMap<Transport, Duration>,
    refused_until: BTreeMap<Transport, Duration>,
    worked: Option<Offer>,
    last: Option<Transport>,
    /// How often the connections went from one transport to another; trials do not count.
    pub changes: u32,
}

/// What came of an attempt to connect.
pub(super) enum Attempt {
    Connected(Transport),
    Refused { trial: bool },
}

impl Transports {
    pub(super) fn new() -> Transports {
        Transports {
            choice: Choice::new(terms(), None),
            offered: Some(vec![pusher("old"), centrifugo()]),
            deaf_until: BTreeMap::new(),
            refused_until: BTreeMap::new(),
            worked: None,
            last: None,
            changes: 0,
        }
    }

    /// The process is gone; what worked is remembered on the disk.
    pub(super) fn kill_process(&mut self) {
        self.choice = Choice::new(terms(), self.worked.clone());
        self.last = None;
    }

    pub(super) fn calm(&mut self) {
        self.deaf_until.clear();
        self.refused_until.clear();
        self.offered = Some(vec![pusher("old"), centrifugo()]);
    }

    /// The transport that most connections use at present.
    pub(super) fn in_use(&self) -> Option<Transport> {
        self.last
    }

    pub(super) fn is_deaf(&self, now: Duration, transport: Transport) -> bool {
        self.deaf_until.get(&transport).is_some_and(|until| now < *until)
    }

    pub(super) fn deafen(&mut self, agenda: &mut Agenda) {
        let until = agenda.now + agenda.secs(60, 6 * 3_600);
        self.deaf_until.extend(agenda.pick(&Transport::ALL).map(|transport| (transport, until)));
    }

    pub(super) fn refuse(&mut self, agenda: &mut Agenda) {
        let until = agenda.now + agenda.secs(60, 6 * 3_600);
        self.refused_until.extend(agenda.pick(&Transport::ALL).map(|transport| (transport, until)));
    }

    pub(super) fn change_offers(&mut self, agenda: &mut Agenda) {
        self.offered = match agenda.chance.u32(..6) {
            0 => None,
            1 => Some(Vec::new()),
            2 => Some(vec![pusher("old")]),
            3 => Some(vec![centrifugo()]),
            4 => Some(vec![centrifugo(), pusher("new")]),
            _ => Some(vec![pusher("old"), centrifugo()]),
        };
    }

    /// A link wants to connect. None: there is no way to go.
    pub(super) fn connect(&mut self, now: Duration, link: LinkId) -> Option<Attempt> {
        let trial = self.choice.tries(link);
        if !trial {
            self.discover(now);
        }
        let transport = self.choice.choose(Steady(now), link)?.transport;
        if self.refused_until.get(&transport).is_some_and(|until| now < *until) {
            self.choice.ended(Steady(now), link, EndKind::Refused);
            return Some(Attempt::Refused { trial });
        }
        if let Some(worked) = self.choice.connected(Steady(now), link) {
            self.worked = Some(worked.clone());
        }
        if !trial && self.last.replace(transport).is_some_and(|last| last != transport) {
            self.changes += 1;
        }
        Some(Attempt::Connected(transport))
    }

    pub(super) fn lost(&mut self, now: Duration, link: LinkId) {
        self.choice.ended(Steady(now), link, EndKind::Lost);
    }

    pub(super) fn closed(&mut self, link: LinkId) {
        self.choice.closed(link);
    }

    /// The core finds a transport silent. Whether the connections are to be made anew.
    pub(super) fn silent(&mut self, now: Duration, transport: Transport) -> bool {
        self.choice.silent(Steady(now), transport);
        self.discover(now);
        self.choice.should_move(Steady(now))
    }

    /// Whether a trial begins.
    pub(super) fn look(&mut self, now: Duration) -> bool {
        if self.choice.trial_due().is_none_or(|due| due > Steady(now)) {
            return false;
        }
        self.discover(now);
        self.choice.begin_trial(Steady(now))
    }

    pub(super) fn trial_begun(&mut self, link: LinkId) {
        self.choice.try_with(link);
    }

    pub(super) fn trial_over(&mut self, now: Duration, proved: bool) {
        self.choice.end_trial(Steady(now), proved);
    }

    fn discover(&mut self, now: Duration) {
        if self.choice.must_ask(Steady(now)) {
            self.choice.take_answer(Steady(now), self.offered.clone());
        }
    }
}

fn terms() -> Terms {
    let pusher = Place { tls: true, host: "ws-us2.pusher.com".to_owned(), port: 443, path_and_query: String::new() };
    Terms { only: None, pusher, app_key: "old".to_owned(), broker_is_loopback: false }
}

fn pusher(key: &str) -> Offer {
    Offer::Pusher { app_key: key.to_owned(), cluster: "us2".to_owned() }
}

fn centrifugo() -> Offer {
    Offer::Centrifugo { url: "wss://realtime.kick.com/connection/websocket".to_owned() }
}
