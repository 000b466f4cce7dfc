//! What an answer says about the streamers it was asked about: which entry is about whom (R12), what it says (R5, R6),
//! and whether the answer as a whole is plausible (R10). Each streamer weighs its own observation (R7 to R9).

use super::questions::asked_by;
use super::{Asking, Flight, Kind, Queue};
use crate::domain::ask::{Answer, Endpoint, Liveness, Seen, by_slug, entry_named};
use crate::domain::event::Event;
use crate::domain::{Now, Slug, Status, Steady, UserId};
use crate::monitor::book::Book;
use crate::monitor::kick_clock::KickTime;
use crate::monitor::streamer::Streamer;
use crate::monitor::streamers::{Key, Streamers};
use crate::monitor::times::{FLIPS_ALWAYS, FLIPS_SHARE};
use crate::monitor::weighing::{Observation, Weight};
use std::collections::{BTreeMap, BTreeSet};

/// The entries of one answer.
pub(crate) struct Entries<'a> {
    kind: Kind,
    by_user: BTreeMap<UserId, &'a Seen>,
    by_slug: BTreeMap<&'a Slug, &'a Seen>,
    /// The names that were asked about.
    asked: BTreeSet<Slug>,
}

impl<'a> Entries<'a> {
    pub(crate) fn new(flight: &Flight, seen: &'a [Seen], streamers: &Streamers) -> Entries<'a> {
        Entries {
            kind: flight.kind,
            by_user: seen.iter().filter_map(|seen| Some((seen.user?, seen))).collect(),
            by_slug: by_slug(seen),
            asked: flight.keys().filter_map(|key| asked_by(flight.kind, key, streamers).1).collect(),
        }
    }

    /// The entry about this streamer.
    pub(crate) fn about(&self, streamer: &Streamer) -> Option<&'a Seen> {
        if self.kind.is_by_name() {
            return entry_named(&streamer.asked_slug(), &self.by_slug, &self.asked);
        }
        self.by_user.get(&streamer.ids.user.or(streamer.ids.configured_user)?).copied()
    }
}

impl Asking {
    /// Takes note that the endpoint answered this request.
    pub(crate) fn answered(&mut self, flight: &Flight, book: &mut Book) {
        self.weather.works(flight.endpoint);
        if book.works(flight.endpoint.word()) {
            book.log(Event::ApiRecovered { endpoint: flight.endpoint.word() });
        }
        let keys: Vec<Key> = flight.keys().collect();
        self.poison.answered(flight.endpoint, &keys, !self.pieces.is_empty());
    }

    /// The observation that an entry, or its absence, gives. R5: a contradiction or a missing field gives none. R6: nor
    /// does absence from `/channels`; absence from a list of live streams means Offline.
    pub(crate) fn observation(
        &self,
        answer: &Answer,
        flight: &Flight,
        entry: Option<&Seen>,
        time: &KickTime,
    ) -> Option<Observation> {
        // The website is asked for ids only. The status that it shows is cached, and not a documented interface.
        if flight.endpoint == Endpoint::Website {
            return None;
        }
        let lists_live = matches!(flight.endpoint, Endpoint::Livestreams | Endpoint::UsersLivestreams);
        let (status, start, explicit) = match entry.map(|entry| entry.liveness) {
            // R5: a start time later than Kick's present is dropped.
            Some(Liveness::Live(start)) => (Status::Online, start.filter(|start| !time.is_to_come(*start)), true),
            Some(Liveness::Offline) => (Status::Offline, None, true),
            None if lists_live => (Status::Offline, None, false),
            Some(Liveness::Unsaid | Liveness::Nothing) | None => return None,
        };
        Some(Observation {
            status,
            start,
            explicit,
            endpoint: flight.endpoint,
            batch: flight.batch,
            sole: self.live_list().is_none(),
            started: answer.started.steady,
        })
    }

    /// R6: an answer mentioned a streamer without a status.
    pub(crate) fn mentioned(&mut self, key: Key, asked: Steady, streamers: &mut Streamers) {
        let Some(streamer) = streamers.get_mut(&key).filter(|streamer| streamer.is_told_by(asked)) else { return };
        if streamer.mention(asked) && self.live_list().is_some() {
            self.put(Queue::Second, key);
        }
    }

    /// R10: returns true if an answer would change implausibly many streamers, so that a second look is needed first.
    pub(crate) fn is_implausible(
        &mut self,
        now: Now,
        flight: &Flight,
        weighed: &[(Key, Observation, Weight)],
        streamers: &Streamers,
        book: &mut Book,
    ) -> bool {
        let flips = weighed.iter().filter(|(_, _, weight)| matches!(weight, Weight::Changes | Weight::Doubts { .. }));
        let known = flips.filter(|(key, _, _)| streamers.get(key).is_some_and(|it| it.belief.status.is_some()));
        // R16: several rows of one streamer count as one change.
        let changed: BTreeSet<_> = known.map(|(key, _, _)| asked_by(flight.kind, *key, streamers)).collect();
        let (changes, covered) = (changed.len(), flight.batch);
        let implausible = !flight.is_second_look() && changes > FLIPS_ALWAYS && changes * FLIPS_SHARE > covered;
        if implausible && self.brakes.fails(now.steady, "implausible", flight.endpoint.word()) {
            book.log(Event::SweepImplausible { endpoint: flight.endpoint.word(), covered, changes });
        }
        implausible
    }

    /// Called when an answer has been taken as a whole. Plans another second look where a doubt remains, and ends
    /// questions that would only get the same answer again.
    pub(crate) fn is_read(&mut self, now: Now, flight: &Flight, streamers: &Streamers, book: &mut Book) {
        if flight.is_second_look() {
            // The streamer may have been missing from it.
            flight.keys().for_each(|key| self.look_again_later(now, key, streamers, book));
        }
        if flight.kind == Kind::Reveal {
            // Asking again would not reveal what this answer did not.
            self.take(Queue::Reveal, &flight.keys().collect::<Vec<Key>>());
        }
    }
}
