//! Tells links where to go, and gives them tokens, as far as Kick's broker says enough. It asks the broker one
//! thing at a time, and the answer serves all who wait for it.

use super::choice::{Choice, KEPT};
use super::tokens::Tokens;
use super::ways::Terms;
use crate::domain::Steady;
use crate::domain::ask::{Answer, BrokerQuery, Offered, Request, RequestId};
use crate::domain::event::Event;
use crate::domain::push::{EndKind, LinkId};
use crate::domain::way::Way;
use crate::monitor::Output;
use crate::monitor::book::Book;
use crate::repeats::Repeats;
use std::collections::BTreeSet;
use std::time::Duration;

/// The links that wait for something, and the broker.
#[derive(Debug)]
pub(super) struct Guide {
    pub(super) choice: Choice,
    tokens: Tokens,
    rng: fastrand::Rng,
    /// The number under which the broker is asked; another one after a refusal (docs/kick.md §1.4).
    client: u128,
    /// Links that wait to be told where to go.
    waiting: BTreeSet<LinkId>,
    flight: Option<Flight>,
    /// The number of the next request.
    next: RequestId,
    repeats: Repeats,
}

/// The request that the broker has.
#[derive(Debug)]
struct Flight {
    id: RequestId,
    query: BrokerQuery,
    /// What it was asked for is out of date, so the answer is not used.
    void: bool,
}

impl Guide {
    pub(super) fn new(terms: Terms, seed: u64) -> Guide {
        let mut rng = fastrand::Rng::with_seed(seed);
        Guide {
            choice: Choice::new(terms, None),
            tokens: Tokens::new(),
            client: rng.u128(..),
            rng,
            waiting: BTreeSet::new(),
            flight: None,
            next: RequestId(0),
            repeats: Repeats::default(),
        }
    }

    /// The push settings changed: what was found out with the old ones does not count.
    pub(super) fn begin_anew(&mut self, terms: Terms) {
        self.choice.begin_anew(terms);
        self.tokens = Tokens::new();
        self.client = self.rng.u128(..);
        self.waiting.clear();
        if let Some(flight) = &mut self.flight {
            flight.void = true;
        }
    }

    /// A link wants to know where to go.
    pub(super) fn want_way(&mut self, link: LinkId) {
        self.waiting.insert(link);
    }

    /// A link wants a token, another one than before.
    pub(super) fn want_token(&mut self, link: LinkId) {
        self.tokens.want(link);
    }

    /// The link wants nothing any more.
    pub(super) fn want_nothing(&mut self, link: LinkId) {
        self.waiting.remove(&link);
        self.tokens.want_no_more(link);
    }

    /// A link's connection is over. A server that refuses us may do so for the name under which we asked, or
    /// for a token.
    pub(super) fn ended(&mut self, now: Steady, link: LinkId, kind: EndKind) {
        self.tokens.want_no_more(link);
        self.choice.ended(now, link, kind);
        if kind == EndKind::Refused {
            self.client = self.rng.u128(..);
            self.tokens.doubt();
            if let Some(flight) = &mut self.flight {
                flight.void |= matches!(flight.query, BrokerQuery::GuestToken { .. });
            }
        }
    }

    /// A link is no more.
    pub(super) fn closed(&mut self, link: LinkId) {
        self.want_nothing(link);
        self.choice.closed(link);
    }

    /// Whether a link waits to be told where to go.
    pub(super) fn is_asked(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Tells the links that wait where to go.
    pub(super) fn send_links(&mut self, now: Steady, out: &mut Vec<Output>) {
        let waiting = std::mem::take(&mut self.waiting);
        let way = if waiting.is_empty() { None } else { self.choice.best(now) };
        for link in waiting {
            out.push(self.send(link, way.as_ref()));
        }
    }

    /// Sends a link there.
    pub(super) fn send(&mut self, link: LinkId, way: Option<&Way>) -> Output {
        way.iter().for_each(|way| self.choice.send(link, way));
        Output::Go(link, way.cloned())
    }

    /// Gives the last token to those who want one, where it will do.
    pub(super) fn share_tokens(&mut self, now: Steady, out: &mut Vec<Output>) {
        out.extend(self.tokens.share(now).into_iter().map(|(link, token)| Output::Token(link, token)));
    }

    /// What the broker is to be asked now.
    pub(super) fn ask(&mut self, now: Steady, offers: bool) -> Option<Request<BrokerQuery>> {
        let (client, token) = (self.client, self.tokens.due().is_some_and(|due| due <= now));
        let query = match () {
            () if self.flight.is_some() => return None,
            () if offers => BrokerQuery::Offers { client, speaks: self.choice.speaks() },
            () if token => BrokerQuery::GuestToken { client },
            () => return None,
        };
        let id = self.next;
        self.next = RequestId(id.0 + 1);
        self.flight = Some(Flight { id, query: query.clone(), void: false });
        Some(Request { id, query })
    }

    /// When the broker is to be asked for a token, if nothing is out.
    pub(super) fn due(&self) -> Option<Steady> {
        self.tokens.due()
    }

    /// Whether an answer of the broker's is to come.
    pub(super) fn expects_answer(&self) -> bool {
        self.flight.is_some()
    }

    /// The broker answered; a failure is logged, and is no trouble while push works.
    pub(super) fn take_answer(&mut self, now: Steady, answer: &Answer<Offered>, book: &mut Book) {
        let Some(Flight { query, void, .. }) = self.flight.take_if(|flight| flight.id == answer.id) else { return };
        let (asked, endpoint) = (answer.started.steady, query.word());
        let retry_in = match (&answer.result, query) {
            _ if void => Duration::ZERO,
            (Ok(Offered::Offers(offers)), _) => {
                self.choice.take_answer(asked, now, Some(offers.clone()));
                Duration::ZERO
            }
            (Ok(Offered::Token(token)), _) => {
                self.tokens.came(now, token.clone());
                Duration::ZERO
            }
            (Err(_), BrokerQuery::Offers { .. }) => {
                self.choice.take_answer(asked, now, None);
                KEPT
            }
            (Err(failure), BrokerQuery::GuestToken { .. }) => self.tokens.failed(now, failure, &mut self.rng),
        };
        book.count_request(endpoint, answer.result.as_ref().map_or_else(|failure| failure.status, |_| Some(200)));
        match &answer.result {
            Ok(_) if self.repeats.works(endpoint) => book.log(Event::ApiRecovered { endpoint }),
            Err(failure) if self.repeats.fails(now, endpoint, &failure.text) => {
                book.log(failure.clone().event(endpoint, retry_in));
            }
            Ok(_) | Err(_) => {}
        }
    }

    /// The thread that asks the broker began anew, and has lost what it was asked.
    pub(super) fn ask_again(&mut self) {
        self.flight = None;
    }
}
