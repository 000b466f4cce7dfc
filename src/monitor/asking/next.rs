//! Chooses the next request for each asker: about whom, by what, and together with whom. The request goes out as an
//! output.

use super::budget::Class;
use super::questions::asked_by;
use super::{Asking, Flight, Kind, LookUp, Queue};
use crate::domain::ask::{Endpoint, Query, Request, RequestId};
use crate::domain::{Now, Steady};
use crate::monitor::book::Book;
use crate::monitor::streamers::{Key, Streamers};
use crate::monitor::{Asker, Output};
use std::collections::BTreeSet;
use std::time::Duration;

/// How many streamers whose turn has come are searched for one whose endpoint answers, and the pause before the next
/// search.
const LOOKED_AT: usize = 1000;
const LOOK_AGAIN: Duration = Duration::from_secs(1);

impl Asking {
    /// Makes the requests that may go out now. Called at the end of every turn. `website_first`: it has the next turn.
    /// Both draw on one budget, so the first may leave nothing for the second.
    pub(in crate::monitor) fn ask(&mut self, now: Now, website_first: bool, streamers: &Streamers, book: &mut Book) {
        self.wake = None;
        if website_first {
            self.ask_website(now, streamers, book);
        }
        self.ask_api(now, streamers, book);
        if !website_first {
            self.ask_website(now, streamers, book);
        }
    }

    /// The queues of the official API, in the order of R22. The lower three take turns as soon as there are streamers
    /// that push does not cover, so that none of the three waits for ever when the budget is too small for all (R23).
    fn order(&self) -> [Queue; 6] {
        let lower = match self.last_turn {
            Some(Class::Routine) => [Queue::Uncovered, Queue::Routine, Queue::Names],
            Some(Class::Uncovered) => [Queue::Names, Queue::Routine, Queue::Uncovered],
            _ => [Queue::Routine, Queue::Uncovered, Queue::Names],
        };
        let [first, second, third] = lower;
        [Queue::Fresh, Queue::Reveal, Queue::Second, first, second, third]
    }

    fn waits(&self, queue: Queue, now: Steady) -> bool {
        if queue == Queue::Uncovered { self.uncovered.is_due(now) } else { self.is_queued(queue) }
    }

    fn ask_api(&mut self, now: Now, streamers: &Streamers, book: &mut Book) {
        if self.flights.contains_key(&Asker::Api) {
            return;
        }
        if let Some(due) = self.uncovered.due_at().filter(|due| *due > now.steady) {
            self.wake_at(due);
        }
        let endpoints = [Endpoint::Channels, Endpoint::Livestreams, Endpoint::UsersLivestreams];
        let order = self.order();
        let idle = self.pieces.is_empty() && !order.iter().any(|queue| self.waits(*queue, now.steady));
        if idle {
            return;
        }
        let clear: BTreeSet<Endpoint> =
            endpoints.into_iter().filter(|endpoint| self.is_clear(now.steady, *endpoint)).collect();
        while let Some(n) = self.pieces.iter().rposition(|(_, kind, _)| clear.contains(&self.endpoint(*kind))) {
            if !self.can_afford(now.steady, Class::Fresh) {
                return;
            }
            let (queue, kind, keys) = self.pieces.remove(n);
            if self.send(now, queue, kind, keys, streamers, book) {
                return;
            }
        }
        for queue in order {
            while self.waits(queue, now.steady) {
                if !self.can_afford(now.steady, queue.class()) {
                    return;
                }
                let Some((kind, keys)) = self.next_batch(now.steady, queue, &clear, streamers) else { break };
                self.take(queue, &keys);
                if self.send(now, queue, kind, keys, streamers, book) {
                    return;
                }
            }
        }
    }

    fn ask_website(&mut self, now: Now, streamers: &Streamers, book: &mut Book) {
        if self.flights.contains_key(&Asker::Website) {
            return;
        }
        while self.is_queued(Queue::Website) {
            if !self.is_clear(now.steady, Endpoint::Website) || !self.can_afford(now.steady, Class::LookUp) {
                return;
            }
            let queued = self.queues.get(&Queue::Website);
            let last = self.website_last;
            let after = queued.and_then(|keys| keys.iter().find(|key| Some(**key) > last));
            let Some(key) = after.or(queued.and_then(BTreeSet::first)).copied() else { return };
            self.website_last = Some(key);
            self.take(Queue::Website, &[key]);
            if streamers.get(&key).is_none_or(|streamer| streamer.ids.are_certain()) {
                continue;
            }
            if self.send(now, Queue::Website, Kind::Website, vec![key], streamers, book) {
                return;
            }
        }
        self.ask_about_stranger(now, book);
    }

    fn ask_about_stranger(&mut self, now: Now, book: &mut Book) {
        let Some(name) = self.stranger.clone() else { return };
        if !self.is_clear(now.steady, Endpoint::Website) || !self.can_afford(now.steady, Class::LookUp) {
            return;
        }
        let (kind, queue, keys) = (Kind::Website, Queue::Website, [Vec::new(), Vec::new()]);
        self.launch(now, kind, queue, keys, (Query::Website(name), 1), book);
    }

    /// The streamers of a queue that the next request asks about, and how.
    fn next_batch(
        &mut self,
        now: Steady,
        queue: Queue,
        clear: &BTreeSet<Endpoint>,
        streamers: &Streamers,
    ) -> Option<(Kind, Vec<Key>)> {
        let first = match queue {
            Queue::Uncovered => self.next_uncovered(now, clear, streamers)?,
            _ => {
                let first = self.next_of(queue, clear, streamers);
                if first.is_none() {
                    self.fruitless.insert(queue, (clear.clone(), Vec::new()));
                }
                first?
            }
        };
        let kind = self.kind_for(queue, first, streamers);
        let alone = |key: Key| self.poison.is_alone(key);
        if alone(first) {
            return Some((kind, vec![first]));
        }
        let limit = self.batch_limit(queue, kind);
        let queued = |queue: Queue| self.queues.get(&queue).into_iter().flatten().copied();
        // Streamers whose turn comes soon fill up such a request at no extra cost.
        let has_room = matches!(queue, Queue::Fresh | Queue::Uncovered);
        let soon = self.uncovered.due_soon(now).chain(queued(Queue::Routine)).filter(|_| has_room);
        let mut seen = BTreeSet::new();
        let candidates = queued(queue).chain(soon).filter(|key| seen.insert(*key));
        // R16: several rows of one streamer are asked about once.
        let (mut about, mut keys) = (BTreeSet::new(), Vec::new());
        for key in candidates.filter(|key| !alone(*key) && self.kind_for(queue, *key, streamers) == kind) {
            about.insert(asked_by(kind, key, streamers));
            if about.len() > limit {
                break;
            }
            keys.push(key);
        }
        Some((kind, keys))
    }

    /// The first streamer of a queue that can be asked about. Those that must be asked about alone come last.
    fn next_of(&self, queue: Queue, clear: &BTreeSet<Endpoint>, streamers: &Streamers) -> Option<Key> {
        let queued = self.queues.get(&queue)?;
        let can = |key: &Key| clear.contains(&self.endpoint(self.kind_for(queue, *key, streamers)));
        let alone = |key: &Key| self.poison.is_alone(*key);
        match self.fruitless.get(&queue).filter(|(then, _)| then == clear) {
            Some((_, since)) => since.iter().copied().find(|key| queued.contains(key) && can(key)),
            None => {
                let mut able = queued.iter().copied().filter(can);
                let first = able.next()?;
                if alone(&first) { able.find(|key| !alone(key)).or(Some(first)) } else { Some(first) }
            }
        }
    }

    /// The first streamer not covered by push whose turn has come and whose endpoint answers. Those that must be asked
    /// about alone are left to the sweep.
    fn next_uncovered(&mut self, now: Steady, clear: &BTreeSet<Endpoint>, streamers: &Streamers) -> Option<Key> {
        let can = |key: &Key| clear.contains(&self.endpoint(self.kind_for(Queue::Uncovered, *key, streamers)));
        let alone: Vec<Key> = self.uncovered.due(now).take_while(|key| self.poison.is_alone(*key)).collect();
        let first = self.uncovered.due(now).skip(alone.len()).take(LOOKED_AT).find(can);
        alone.into_iter().for_each(|key| self.uncovered.had_turn(key, now));
        if first.is_none() {
            self.wake_at(now + LOOK_AGAIN);
        }
        first
    }

    /// Returns true if the sweep could ask about none of these, because their endpoints do not answer.
    pub(in crate::monitor) fn are_unreachable(
        &self,
        mut keys: impl Iterator<Item = Key>,
        streamers: &Streamers,
    ) -> bool {
        keys.all(|key| self.weather.is_foul(self.endpoint(self.kind_for(Queue::Routine, key, streamers))))
    }

    /// Makes one request about these streamers. Returns false if none of them can be asked about any more.
    fn send(
        &mut self,
        now: Now,
        queue: Queue,
        kind: Kind,
        keys: Vec<Key>,
        streamers: &Streamers,
        book: &mut Book,
    ) -> bool {
        let keys: Vec<Key> = keys.into_iter().filter(|key| streamers.contains_key(key)).collect();
        let Some((query, batch)) = self.query(kind, &keys, streamers) else { return false };
        let asker = if kind == Kind::Website { Asker::Website } else { Asker::Api };
        if matches!(queue, Queue::Fresh | Queue::Routine | Queue::Uncovered) {
            self.take(Queue::Routine, &keys);
        }
        if queue.class() >= Class::Routine {
            self.last_turn = Some(queue.class());
        }
        match queue {
            Queue::Names => self.look_up_next = LookUp::Names.next(),
            Queue::Website => self.look_up_next = LookUp::Website.next(),
            _ => {}
        }
        // If there is no answer, the sweep asks again.
        let queue = if queue == Queue::Uncovered { Queue::Routine } else { queue };
        let namesakes = namesakes(kind, &keys, streamers);
        if asker == Asker::Api {
            keys.iter().chain(&namesakes).for_each(|key| self.uncovered.had_turn(*key, now.steady));
        }
        let keys = [keys, namesakes].map(|keys| {
            let known = keys.iter().filter_map(|key| Some((*key, streamers.get(key)?.epoch)));
            known.collect::<Vec<(Key, u32)>>()
        });
        self.launch(now, kind, queue, keys, (query, batch), book);
        true
    }

    fn launch(
        &mut self,
        now: Now,
        kind: Kind,
        queue: Queue,
        keys: [Vec<(Key, u32)>; 2],
        (query, batch): (Query, usize),
        book: &mut Book,
    ) {
        let id = self.next;
        self.next = RequestId(id.0 + 1);
        self.budget.spend(now.steady, 1);
        let [keys, namesakes] = keys;
        let stranger = self.stranger.take_if(|_| keys.is_empty());
        let asker = if kind == Kind::Website { Asker::Website } else { Asker::Api };
        let flight = Flight { id, endpoint: query.endpoint(), kind, queue, keys, namesakes, batch, stranger };
        self.flights.insert(asker, flight);
        book.out.push(Output::Ask(asker, Request { id, query }));
    }
}

/// R16: the other rows of these streamers. An answer by user id holds for them too.
fn namesakes(kind: Kind, asked: &[Key], streamers: &Streamers) -> Vec<Key> {
    if matches!(kind, Kind::Name | Kind::Hint | Kind::Website) {
        return Vec::new();
    }
    let asked: BTreeSet<Key> = asked.iter().copied().collect();
    let others: BTreeSet<Key> = asked.iter().flat_map(|key| streamers.namesakes(*key)).collect();
    others.difference(&asked).copied().collect()
}
