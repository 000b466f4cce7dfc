//! Tells links where to connect, and gives them guest tokens, from what Kick's broker answers. The broker has one
//! request at a time, and its answer serves all links that wait for it.

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

/// The links that wait for something, and the request to the broker.
#[derive(Debug)]
pub(super) struct Guide {
    pub(super) choice: Choice,
    tokens: Tokens,
    rng: fastrand::Rng,
    /// The client number that the broker is given; another one after a refusal (docs/kick.md §1.4).
    client: u128,
    /// Links that wait for an address.
    waiting: BTreeSet<LinkId>,
    flight: Option<Flight>,
    /// The number of the next request.
    next: RequestId,
    repeats: Repeats,
}

/// The request that the broker is answering.
#[derive(Debug)]
struct Flight {
    id: RequestId,
    query: BrokerQuery,
    /// The settings or the token it was sent for have changed, so its answer is not used.
    void: bool,
}

impl Guide {
    pub(super) fn new(terms: Terms, requests_per_minute: u32, seed: u64) -> Guide {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut choice = Choice::new(terms, None);
        choice.set_budget(requests_per_minute);
        Guide {
            choice,
            tokens: Tokens::new(),
            client: rng.u128(..),
            rng,
            waiting: BTreeSet::new(),
            flight: None,
            next: RequestId(0),
            repeats: Repeats::default(),
        }
    }

    /// The push settings changed: what was learned with the old ones no longer counts.
    pub(super) fn begin_anew(&mut self, terms: Terms) {
        self.choice.begin_anew(terms);
        self.tokens = Tokens::new();
        self.client = self.rng.u128(..);
        self.waiting.clear();
        if let Some(flight) = &mut self.flight {
            flight.void = true;
        }
    }

    /// A link asks where to connect.
    pub(super) fn want_way(&mut self, link: LinkId) {
        self.waiting.insert(link);
    }

    /// A link asks for a token, another one than before.
    pub(super) fn want_token(&mut self, link: LinkId) {
        self.tokens.want(link);
    }

    /// The link no longer waits for anything.
    pub(super) fn want_nothing(&mut self, link: LinkId) {
        self.waiting.remove(&link);
        self.tokens.want_no_more(link);
    }

    /// A connection of the link ended. If the server refused us, that may be because of the client number or the token.
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

    /// The link no longer exists.
    pub(super) fn closed(&mut self, link: LinkId) {
        self.want_nothing(link);
        self.choice.closed(link);
    }

    /// Returns true if a link waits for an address.
    pub(super) fn is_asked(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Tells the waiting links where to connect.
    pub(super) fn send_links(&mut self, now: Steady, out: &mut Vec<Output>) {
        let waiting = std::mem::take(&mut self.waiting);
        let way = if waiting.is_empty() { None } else { self.choice.best(now) };
        for link in waiting {
            out.push(self.send(link, way.as_ref()));
        }
    }

    /// Tells a link where to connect.
    pub(super) fn send(&mut self, link: LinkId, way: Option<&Way>) -> Output {
        way.iter().for_each(|way| self.choice.send(link, way));
        Output::Go(link, way.cloned())
    }

    /// Gives the last token to the links that wait for one, if it is still good for them.
    pub(super) fn share_tokens(&mut self, now: Steady, out: &mut Vec<Output>) {
        out.extend(self.tokens.share(now).into_iter().map(|(link, token)| Output::Token(link, token)));
    }

    /// The request to send to the broker now.
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

    /// When the broker is to be asked for a token, if it has no request.
    pub(super) fn due(&self) -> Option<Steady> {
        self.tokens.due()
    }

    /// Returns true if an answer of the broker is awaited.
    pub(super) fn expects_answer(&self) -> bool {
        self.flight.is_some()
    }

    /// Takes an answer of the broker. A failure is logged, and is no problem while push works.
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

    /// The thread that asks the broker was started again, and has lost its request.
    pub(super) fn ask_again(&mut self) {
        self.flight = None;
    }
}
