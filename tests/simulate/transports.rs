//! The ways in which Kick delivers push: which it offers, what is wrong with each, and its broker. What to make of
//! all that is the machine's.

use super::agenda::{Agenda, Happening};
use super::push::Step;
use kick_monitor::domain::ask::{Answer, BrokerQuery, Failure, FailureKind, Offered, Request, RequestId};
use kick_monitor::domain::push::Transport;
use kick_monitor::domain::secret::Secret;
use kick_monitor::domain::way::{Offer, Place};
use kick_monitor::domain::{ChannelId, Now, Status};
use kick_monitor::monitor::{Input, Terms};
use std::collections::BTreeMap;
use std::time::Duration;

/// A partly deaf transport never delivers events of one channel in this number.
const LEFT_OUT: i64 = 3;

/// Kick's push as one core meets it.
pub(super) struct Transports {
    /// Whose it is.
    core: usize,
    /// None: discovery is blocked, or talks nonsense.
    offered: Option<Vec<Offer>>,
    /// The request that the broker has.
    out: Option<RequestId>,
    /// What each transport suffers from, and until when.
    ills: BTreeMap<(Transport, Ill), Duration>,
    last: Option<Transport>,
    /// How often the connections went from one transport to another; trials do not count.
    pub changes: u32,
}

/// What a transport may suffer from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ill {
    /// It accepts, acknowledges and delivers nothing, or nothing of one kind (R11).
    Deaf,
    DeafTo(Status),
    /// The same for some channels.
    PartlyDeaf,
    /// It refuses every connection.
    Refuses,
    /// It greets, and refuses every subscription, or does not answer.
    TakesNobody,
    AnswersNobody,
    /// Its events have names that nobody here knows (R24).
    Renamed,
}

impl Ill {
    pub(super) const ALL: [Ill; 8] = [
        Ill::Deaf,
        Ill::DeafTo(Status::Online),
        Ill::DeafTo(Status::Offline),
        Ill::PartlyDeaf,
        Ill::Refuses,
        Ill::TakesNobody,
        Ill::AnswersNobody,
        Ill::Renamed,
    ];
}

impl Transports {
    pub(super) fn new(core: usize) -> Transports {
        Transports {
            core,
            offered: Some(vec![pusher("old"), centrifugo()]),
            out: None,
            ills: BTreeMap::new(),
            last: None,
            changes: 0,
        }
    }

    pub(super) fn kill_process(&mut self) {
        self.out = None;
        self.last = None;
    }

    pub(super) fn calm(&mut self) {
        self.ills.clear();
        self.offered = Some(vec![pusher("old"), centrifugo()]);
    }

    /// The transport that most connections use at present.
    pub(super) fn in_use(&self) -> Option<Transport> {
        self.last
    }

    pub(super) fn fall_ill(&mut self, transport: Transport, ill: Ill, until: Duration) {
        self.ills.insert((transport, ill), until);
    }

    pub(super) fn suffers(&self, now: Duration, transport: Transport, ill: Ill) -> bool {
        self.ills.get(&(transport, ill)).is_some_and(|until| now < *until)
    }

    /// Whether an event of a change to this status reaches those who have subscribed.
    pub(super) fn delivers(&self, now: Duration, transport: Transport, channel: ChannelId, status: Status) -> bool {
        let left_out = channel.0 % LEFT_OUT == 0 && self.suffers(now, transport, Ill::PartlyDeaf);
        !left_out && ![Ill::Deaf, Ill::DeafTo(status)].iter().any(|ill| self.suffers(now, transport, *ill))
    }

    /// Whether no subscription is confirmed.
    pub(super) fn takes_nobody(&self, now: Duration, transport: Transport) -> bool {
        [Ill::TakesNobody, Ill::AnswersNobody].iter().any(|ill| self.suffers(now, transport, *ill))
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
        agenda.after(takes, Happening::Push(self.core, Step::BrokerAnswers(answer)));
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
