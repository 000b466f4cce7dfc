//! The next request to each asker: who is asked about, how, and who with them. It decides by the queues and sends
//! nothing but the order.

use super::budget::Class;
use super::questions::asked_by;
use super::{API_QUEUES, Asking, Flight, Kind, Queue};
use crate::domain::Now;
use crate::domain::ask::{Endpoint, Request, RequestId};
use crate::monitor::book::Book;
use crate::monitor::streamers::{Key, Streamers};
use crate::monitor::{Asker, Output};
use std::collections::BTreeSet;

impl Asking {
    /// Sends what may be sent. Called at the end of every turn.
    pub(in crate::monitor) fn ask(&mut self, now: Now, streamers: &Streamers, book: &mut Book) {
        self.wake = None;
        if !self.flights.contains_key(&Asker::Api) {
            self.ask_api(now, streamers, book);
        }
        if !self.flights.contains_key(&Asker::Website) {
            self.ask_website(now, streamers, book);
        }
    }

    fn ask_api(&mut self, now: Now, streamers: &Streamers, book: &mut Book) {
        let endpoints = [Endpoint::Channels, Endpoint::Livestreams, Endpoint::UsersLivestreams];
        let idle = self.pieces.is_empty() && !API_QUEUES.iter().any(|queue| self.is_queued(*queue));
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
        for queue in API_QUEUES {
            while self.is_queued(queue) {
                if !self.can_afford(now.steady, queue.class()) {
                    return;
                }
                let Some((kind, keys)) = self.next_batch(queue, &clear, streamers) else { break };
                self.take(queue, &keys);
                if self.send(now, queue, kind, keys, streamers, book) {
                    return;
                }
            }
        }
    }

    fn ask_website(&mut self, now: Now, streamers: &Streamers, book: &mut Book) {
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
    }

    /// Who in a queue is to be asked about next, how, and who else can be asked about with them.
    fn next_batch(
        &mut self,
        queue: Queue,
        clear: &BTreeSet<Endpoint>,
        streamers: &Streamers,
    ) -> Option<(Kind, Vec<Key>)> {
        let Some(first) = self.next_of(queue, clear, streamers) else {
            self.fruitless.insert(queue, (clear.clone(), Vec::new()));
            return None;
        };
        let kind = self.kind_for(queue, first, streamers);
        let alone = |key: Key| self.poison.is_alone(key);
        if alone(first) {
            return Some((kind, vec![first]));
        }
        let limit = self.batch_limit(queue, kind);
        let queued = self.queues.get(&queue)?;
        // What room is left costs nothing.
        let filler = Some(Queue::Routine).filter(|_| queue == Queue::Fresh);
        let more = filler.and_then(|filler| self.queues.get(&filler)).into_iter().flatten();
        let candidates = queued.iter().chain(more.filter(|key| !queued.contains(key))).copied();
        // Rows that name one streamer are one question (R16).
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

    /// The first of a queue who can be asked about; whoever must be alone comes last.
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

    /// Whether none of these could be asked about by the routine, for endpoints that do not answer.
    pub(in crate::monitor) fn are_unreachable(
        &self,
        mut keys: impl Iterator<Item = Key>,
        streamers: &Streamers,
    ) -> bool {
        keys.all(|key| self.weather.is_foul(self.endpoint(self.kind_for(Queue::Routine, key, streamers))))
    }

    /// Makes one request of these streamers. False when none of them can be asked about any more.
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
        if matches!(queue, Queue::Fresh | Queue::Routine) {
            self.take(Queue::Routine, &keys);
        }
        let id = self.next;
        self.next = RequestId(id.0 + 1);
        self.budget.spend(now.steady, 1);
        let namesakes = namesakes(kind, &keys, streamers);
        let [keys, namesakes] = [keys, namesakes].map(|keys| {
            let known = keys.iter().filter_map(|key| Some((*key, streamers.get(key)?.epoch)));
            known.collect::<Vec<(Key, u32)>>()
        });
        let flight = Flight { id, endpoint: query.endpoint(), kind, queue, keys, namesakes, batch };
        self.flights.insert(asker, flight);
        book.out.push(Output::Ask(asker, Request { id, query }));
        true
    }
}

/// R16: what is answered about a user id holds for every row that names its streamer: those that were not asked about.
fn namesakes(kind: Kind, asked: &[Key], streamers: &Streamers) -> Vec<Key> {
    if matches!(kind, Kind::Name | Kind::Hint | Kind::Website) {
        return Vec::new();
    }
    let asked: BTreeSet<Key> = asked.iter().copied().collect();
    let others: BTreeSet<Key> = asked.iter().flat_map(|key| streamers.namesakes(*key)).collect();
    others.difference(&asked).copied().collect()
}
