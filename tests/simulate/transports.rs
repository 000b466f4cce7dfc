//! The ways in which Kick delivers push: which it offers, which is deaf, which refuses, and its broker. What to
//! make of all that is the machine's.

use super::agenda::{Agenda, Happening};
use super::push::Step;
use kick_monitor::domain::Now;
use kick_monitor::domain::ask::{Answer, BrokerQuery, Failure, FailureKind, Offered, Request, RequestId};
use kick_monitor::domain::push::Transport;
use kick_monitor::domain::secret::Secret;
use kick_monitor::domain::way::{Offer, Place};
use kick_monitor::monitor::{Input, Terms};
use std::collections::BTreeMap;
use std::time::Duration;

pub(super) struct Transports {
    /// None: discovery is blocked, or talks nonsense.
    offered: Option<Vec<Offer>>,
    /// The request that the broker has.
    out: Option<RequestId>,
    /// Accepts, acknowledges and delivers nothing until then.
    pub deaf_until: BTreeMap<Transport, Duration>,
    refused_until: BTreeMap<Transport, Duration>,
    last: Option<Transport>,
    /// How often the connections went from one transport to another; trials do not count.
    pub changes: u32,
}

impl Transports {
    pub(super) fn new() -> Transports {
        Transports {
            offered: Some(vec![pusher("old"), centrifugo()]),
            out: None,
            deaf_until: BTreeMap::new(),
            refused_until: BTreeMap::new(),
            last: None,
            changes: 0,
        }
    }

    pub(super) fn kill_process(&mut self) {
        self.out = None;
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

    pub(super) fn refuses(&self, now: Duration, transport: Transport) -> bool {
        self.refused_until.get(&transport).is_some_and(|until| now < *until)
    }

    /// A connection that makes no trial stands.
    pub(super) fn uses(&mut self, transport: Transport) {
        if self.last.replace(transport).is_some_and(|last| last != transport) {
            self.changes += 1;
        }
    }

    /// The broker is asked.
    pub(super) fn ask(&mut self, request: Request<BrokerQuery>, now: Now, slow: f64, agenda: &mut Agenda) {
        let takes = if agenda.odds(slow) { agenda.millis(400, 5_000) } else { agenda.millis(10, 400) };
        let result = match (request.query, &self.offered) {
            (_, None) => Err(Failure { kind: FailureKind::Blocked, status: Some(403), text: "simulated".to_owned() }),
            (BrokerQuery::Offers { .. }, Some(offers)) => Ok(Offered::Offers(offers.clone())),
            (BrokerQuery::GuestToken { .. }, Some(_)) => Ok(Offered::Token(Secret::new("simulated"))),
        };
        self.out = Some(request.id);
        let finished = Now { steady: now.steady + takes, ..now };
        let answer = Answer { id: request.id, started: now, finished, server_date: None, spent: 1, result };
        agenda.after(takes, Happening::Push(Step::BrokerAnswers(answer)));
    }

    /// The answer is there, unless nobody waits for it any more.
    pub(super) fn land(&mut self, answer: Answer<Offered>) -> Option<Input> {
        self.out.take_if(|id| *id == answer.id)?;
        Some(Input::BrokerAnswer(answer))
    }

    /// The thread that asks dies and is begun anew; its request is lost.
    pub(super) fn die(&mut self) -> Input {
        self.out = None;
        Input::BrokerStarted
    }
}

/// Both transports may be taken.
pub(super) fn terms() -> Terms {
    let pusher = Place { tls: true, host: "ws-us2.pusher.com".to_owned(), port: 443, path_and_query: String::new() };
    Terms { only: None, pusher, app_key: "old".to_owned(), broker_is_loopback: false }
}

fn pusher(key: &str) -> Offer {
    Offer::Pusher { app_key: key.to_owned(), cluster: "us2".to_owned() }
}

fn centrifugo() -> Offer {
    Offer::Centrifugo { url: "wss://realtime.kick.com/connection/websocket".to_owned() }
}
