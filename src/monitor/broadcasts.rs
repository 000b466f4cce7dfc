//! The broadcasts of one streamer, as push and the API report them: which one is running, and which have ended.

use super::kick_clock::KickTime;
use super::times::{RESUMED_AFTER, SAME_BROADCAST};
use crate::domain::{LivestreamId, Source, Steady, time::Timestamp};
use std::sync::Arc;
use std::time::Duration;

/// How many ended broadcasts are remembered for each streamer.
const ENDED_MAX: usize = 8;

/// The broadcasts of one streamer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Broadcasts {
    /// The one that is running, if its id is known.
    pub current: Option<LivestreamId>,
    pub highest: Option<LivestreamId>,
    /// The last ones that ended, and when that was learned.
    ended: Vec<(LivestreamId, Steady)>,
    /// When the running one began, by Kick's clock.
    pub start: Option<Timestamp>,
    /// Push stated `start`, or two answers did.
    proven: bool,
    /// A second answer has been asked for, which may prove it.
    proof_asked: bool,
    /// An answer of the API has shown the running one.
    shown: bool,
    /// A webhook told of the running one.
    delivered: bool,
    /// What the running one is called, as far as it was heard last.
    pub title: Option<Arc<str>>,
    /// When the API reported the end of a broadcast whose stop has not come.
    pub unheard_end: Option<Steady>,
    /// When the last ended broadcast had begun.
    ended_start: Option<Timestamp>,
    /// Push told of that end.
    stopped: bool,
}

impl Broadcasts {
    /// A broadcast began.
    pub(crate) fn begin(&mut self, livestream: LivestreamId, start: Option<Timestamp>, title: Option<Arc<str>>) {
        self.ended.retain(|(ended, _)| *ended != livestream);
        self.current = Some(livestream);
        self.highest = self.highest.max(Some(livestream));
        self.shown &= self.began_at(start);
        self.start = start;
        self.proven = true;
        self.title = title;
    }

    /// R26: when the running one began, unless only one answer says so: Kick mixes up entries of large answers, and
    /// what is told of a broadcast is never taken back.
    pub(crate) fn proven_start(&self) -> Option<Timestamp> {
        self.start.filter(|_| self.proven)
    }

    /// R26: whether a second answer is to be asked for now, which may prove when the running one began. Once: where that
    /// answer does not say, the sweep finds out.
    pub(crate) fn wants_proof(&mut self) -> bool {
        !std::mem::replace(&mut self.proof_asked, true)
    }

    /// R7: when the running one began, if the API has shown it, so that an endpoint may yet show it when it has ended.
    pub(crate) fn shown_start(&self) -> Option<Timestamp> {
        self.start.filter(|_| self.shown)
    }

    /// Returns true if the running one began then.
    pub(crate) fn began_at(&self, start: Option<Timestamp>) -> bool {
        start.zip(self.start).is_some_and(|(a, b)| apart(a, b) <= SAME_BROADCAST)
    }

    /// Returns true if the last one that ended began then.
    pub(crate) fn last_ended(&self, start: Timestamp) -> bool {
        self.ended_start.is_some_and(|ended| apart(start, ended) <= SAME_BROADCAST)
    }

    /// Who told of the running one: its id comes by the websocket alone.
    pub(crate) fn told_by(&self) -> Source {
        if self.current.is_some() || self.delivered { Source::Push } else { Source::Sweep }
    }

    /// What an answer calls the broadcast that began then; not one that has ended, which a lagging API shows.
    pub(crate) fn hear_title(&mut self, start: Option<Timestamp>, title: &Option<Arc<str>>) {
        let outdated = match (start, self.start) {
            (Some(shown), Some(runs)) => later_by(runs, shown) > SAME_BROADCAST,
            (Some(shown), None) => self.has_ended(shown) == Some(true),
            (None, _) => false,
        };
        if title.is_some() && !outdated {
            self.title.clone_from(title);
        }
    }

    /// Takes note of a live event that is only a question. Its id still counts as seen, so that a stop of an older
    /// broadcast ends nothing. If it began when the running broadcast began, by the API, it is the id of that one.
    pub(crate) fn heard_of(&mut self, livestream: LivestreamId, start: Option<Timestamp>) {
        self.highest = self.highest.max(Some(livestream));
        if self.began_at(start) && self.current.is_none() && self.highest == Some(livestream) {
            self.current = Some(livestream);
        }
    }

    /// Returns true if the broadcast that the API shows as running is this one, by its start. The API may have shown it
    /// as ended meanwhile, but no stop of it came; or one came, and it runs again (R1).
    pub(crate) fn is_shown(&self, livestream: LivestreamId, start: Option<Timestamp>, received: Steady) -> bool {
        let resumed = |ended: Steady| received >= ended + RESUMED_AFTER;
        self.began_at(start)
            && self.current.is_none()
            && self.highest <= Some(livestream)
            && self.ended_at(livestream).is_none_or(resumed)
    }

    /// A stop ended this one.
    pub(crate) fn end(&mut self, livestream: LivestreamId, at: Steady) {
        let unknown = self.highest.is_none();
        self.highest = self.highest.max(Some(livestream));
        self.remember_ended(livestream, at);
        // Whatever id a stop has, it ends the running broadcast, which may resume later.
        let running = self.current.take();
        running.into_iter().for_each(|running| self.remember_ended(running, at));
        let (start, unheard) = (self.start.take(), self.unheard_end.take());
        self.title = None;
        self.stopped = true;
        // If the API reported the end before the stop came, the start is known already. R2: if no id was known, the
        // stop may be of an older broadcast than the API shows.
        if start.is_some() || unheard.is_none() || running.is_some() {
            self.ended_start = start.filter(|_| !unknown);
        }
    }

    /// An ended broadcast is running again, with the same id, if that is known.
    pub(crate) fn resume(&mut self, livestream: Option<LivestreamId>, start: Option<Timestamp>) {
        self.ended.retain(|(ended, _)| Some(*ended) != livestream);
        self.current = livestream;
        self.start = start;
        (self.proven, self.shown, self.delivered) = (true, true, false);
        self.ended_start = None;
    }

    /// When it was learned that this broadcast had ended.
    pub(crate) fn ended_at(&self, livestream: LivestreamId) -> Option<Steady> {
        self.ended.iter().find(|(ended, _)| *ended == livestream).map(|(_, at)| *at)
    }

    /// When the API reported the end of this broadcast, if its stop did not come, nor another broadcast since.
    pub(crate) fn ended_unheard(&self, livestream: LivestreamId) -> Option<Steady> {
        self.unheard_end.filter(|_| self.start.is_none() && self.highest == Some(livestream))
    }

    /// R5: forgets times that the corrected clock has not reached yet.
    pub(crate) fn forget_what_is_to_come(&mut self, time: &KickTime) {
        self.start.take_if(|start| time.is_to_come(*start));
        self.ended_start.take_if(|start| time.is_to_come(*start));
    }

    /// Returns true if the broadcast that began at `start` is the last one that ended, or an older one. `None` if it is
    /// not known when the last one had begun.
    pub(crate) fn has_ended(&self, start: Timestamp) -> Option<bool> {
        self.ended_start.map(|ended| later_by(start, ended) <= SAME_BROADCAST)
    }

    /// R7: the same of the last one of whose end push told.
    pub(crate) fn was_stopped(&self, start: Timestamp) -> Option<bool> {
        self.has_ended(start).filter(|_| self.stopped)
    }

    /// The API reports a running broadcast that began at `start`. If it is not the one whose id is known, that one has
    /// ended without a stop, and its late stop must not end the new one.
    pub(crate) fn seen_running(&mut self, start: Option<Timestamp>, asked: Steady) {
        let Some(start) = start else { return };
        self.runs(start, asked);
        self.shown |= self.began_at(Some(start));
    }

    /// One that began then is running.
    fn runs(&mut self, start: Timestamp, asked: Steady) {
        let another = self.start.is_some_and(|known| later_by(start, known) > SAME_BROADCAST);
        if another {
            self.unheard_end = Some(asked);
            if let Some(unheard) = self.current.take() {
                self.remember_ended(unheard, asked);
            }
        }
        if another || self.start.is_none() {
            self.start = Some(start);
            (self.proven, self.shown, self.delivered) = (false, false, false);
            self.proof_asked = false;
        } else if self.began_at(Some(start)) {
            self.proven = true;
        }
    }

    /// The API reports that no broadcast is running.
    pub(crate) fn seen_none(&mut self, asked: Steady) {
        if self.current.is_some() || self.start.is_some() {
            self.unheard_end = Some(asked);
            self.ended_start = self.start.take();
            self.stopped = false;
            self.current = None;
            self.title = None;
        }
    }

    /// R27: a webhook told that one began then. Another one that was thought to run has ended unheard, as where the API
    /// tells so.
    pub(crate) fn began(&mut self, start: Timestamp, at: Steady) {
        if !self.began_at(Some(start)) {
            self.title = None;
        }
        self.runs(start, at);
        (self.proven, self.delivered) = (true, true);
    }

    /// R27: a webhook told that the one that began then has ended. Where its id is not known, its stop by the websocket
    /// may be yet to come (R2).
    pub(crate) fn ended(&mut self, start: Timestamp, at: Steady) {
        match self.current.take() {
            Some(livestream) => self.remember_ended(livestream, at),
            None => self.unheard_end = Some(at),
        }
        self.start = None;
        self.title = None;
        self.ended_start = Some(start);
        self.stopped = true;
    }

    /// The channel that they were heard of through was somebody else's: only what a webhook told is theirs.
    pub(crate) fn forget_ids(&mut self) {
        (self.current, self.highest, self.unheard_end) = (None, None, None);
        self.ended.clear();
    }

    fn remember_ended(&mut self, livestream: LivestreamId, at: Steady) {
        if self.ended_at(livestream).is_none() {
            if self.ended.len() == ENDED_MAX {
                self.ended.remove(0);
            }
            // Most have one: room for four would be the most of it.
            self.ended.reserve_exact(1);
            self.ended.push((livestream, at));
        }
    }
}

/// How much later `a` is than `b`; zero if it is not later.
pub(super) fn later_by(a: Timestamp, b: Timestamp) -> Duration {
    Duration::try_from(a.duration_since(b)).unwrap_or(Duration::ZERO)
}

pub(super) fn apart(a: Timestamp, b: Timestamp) -> Duration {
    later_by(a, b).max(later_by(b, a))
}
