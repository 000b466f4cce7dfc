//! R23: whom push covers. Their subscription is confirmed, through an id that Kick stated, on a transport that is under
//! no suspicion, and no change of theirs was missed since push last told of them. All the others are compared with
//! the API as often as the budget allows, whose order of turns is in `asking`.
//!
//! It is judged anew whenever something of that changes, not by the clock.

use super::asking::Flight;
use super::push::News;
use super::{Key, Monitor};
use crate::domain::push::LinkId;
use crate::domain::{ChannelId, Now, Steady};

impl Monitor {
    pub(super) fn judge_coverage(&mut self, now: Now, key: Key) {
        let Some(streamer) = self.streamers.get_mut(&key) else { return };
        let ids = &streamer.ids;
        let certain = ids.channel.filter(|_| ids.are_certain());
        let covered = certain.is_some_and(|channel| self.push.covers(channel)) && !self.push.health.misses(key);
        if std::mem::replace(&mut streamer.covered, covered) != covered {
            self.book.revision += 1;
            self.book.covered = if covered { self.book.covered + 1 } else { self.book.covered - 1 };
        }
        // Names that Kick does not know have their own pace.
        match (ids.unknown, streamer.compared) {
            (true, Some(asked)) => {
                self.asking.ages.remove(asked);
                streamer.compared = None;
            }
            (false, None) => {
                self.asking.ages.add(now.steady);
                streamer.compared = Some(now.steady);
            }
            _ => {}
        }
        match streamer.compared.filter(|_| !covered) {
            Some(asked) => self.asking.give_quick_turns(key, asked),
            None => self.asking.end_quick_turns(key),
        }
    }

    /// Judges everybody anew if that is so.
    pub(super) fn judge_all_if(&mut self, now: Now, so: bool) {
        let keys: Vec<Key> = if so { self.streamers.iter().map(|(key, _)| key).collect() } else { Vec::new() };
        keys.into_iter().for_each(|key| self.judge_coverage(now, key));
    }

    /// Judges those anew of whom a link had news.
    pub(super) fn judge_link(&mut self, now: Now, link: LinkId, news: &News) {
        let channels: Vec<ChannelId> = match news {
            News::Subscribed(channel, _) | News::Failed { channel, .. } => vec![*channel],
            News::Lost | News::Refused(_) => self.push.links.channels(link).collect(),
            News::Nothing | News::Connected { .. } | News::Unreadable | News::Unrecognised(_) => Vec::new(),
        };
        for channel in channels {
            self.judge_channel(now, channel);
        }
    }

    fn judge_channel(&mut self, now: Now, channel: ChannelId) {
        for key in self.streamers.of_channel(channel).to_vec() {
            self.judge_coverage(now, key);
        }
    }

    /// Judges those anew about whom Kick was asked: an answer may have settled their ids, and with them those of
    /// others on the same channel.
    pub(super) fn judge_asked(&mut self, now: Now, flight: &Flight) {
        for (key, _) in flight.keys.iter().chain(&flight.namesakes) {
            self.judge_coverage(now, *key);
            let channel = self.streamers.get(key).and_then(|streamer| streamer.ids.channel);
            channel.into_iter().for_each(|channel| self.judge_channel(now, channel));
        }
    }

    /// The answer to a question of then compared this streamer with what the API tells.
    pub(super) fn compared_at(&mut self, key: Key, asked: Steady) {
        let Some(streamer) = self.streamers.get_mut(&key) else { return };
        if let Some(before) = streamer.compared.as_mut().filter(|before| **before < asked) {
            self.asking.ages.remove(std::mem::replace(before, asked));
            self.asking.ages.add(asked);
        }
    }
}
