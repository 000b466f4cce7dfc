//! Whom push covers (R23), and so how often each streamer is compared with the API.

use crate::domain::Now;
use crate::monitor::Monitor;
use crate::monitor::asking::Flight;
use crate::monitor::streamers::Key;

/// Coverage is judged again whenever one of its conditions changes, not at intervals. Streamers without it are
/// compared with the API as often as the budget allows.
impl Monitor {
    pub(super) fn judge_coverage(&mut self, now: Now, key: Key) {
        self.push.follow(&mut self.streamers, &mut self.book);
        let Some(streamer) = self.streamers.get_mut(&key) else { return };
        self.webhooks.learn(key, streamer.ids.user);
        let covered = self.push.covers(key, &streamer.ids) || self.webhooks.covers(key);
        if std::mem::replace(&mut streamer.covered, covered) != covered {
            self.book.revision += 1;
            self.book.covered = if covered { self.book.covered + 1 } else { self.book.covered - 1 };
        }
        let since = streamer.ids.channel.and_then(|channel| self.push.home(channel)).and_then(|(_, since)| since);
        if std::mem::replace(&mut streamer.subscribed, since.is_some()) != since.is_some() {
            self.book.revision += 1;
            self.book.subscribed = if since.is_some() { self.book.subscribed + 1 } else { self.book.subscribed - 1 };
        }
        self.asking.set_pace(now, key, streamer);
    }

    /// Judges coverage after a request: an answer may have settled the ids of these streamers, and so concern others on
    /// the same channel.
    pub(super) fn judge_asked(&mut self, now: Now, flight: &Flight) {
        for (key, _) in flight.keys.iter().chain(&flight.namesakes) {
            self.judge_coverage(now, *key);
            let channel = self.streamers.get(key).and_then(|streamer| streamer.ids.channel);
            let others: Vec<Key> = channel.into_iter().flat_map(|channel| self.streamers.of_channel(channel)).collect();
            for other in others {
                self.judge_coverage(now, other);
            }
        }
    }

    /// Judges coverage where push has changed.
    pub(in crate::monitor) fn judge_push(&mut self, now: Now) {
        for key in self.push.unjudged(&self.streamers).into_iter().chain(self.webhooks.unjudged()) {
            self.judge_coverage(now, key);
        }
    }
}
