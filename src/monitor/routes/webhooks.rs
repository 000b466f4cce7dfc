//! R27: what comes of webhooks, for the streamers and for the budget.

use crate::domain::ask::Answer;
use crate::domain::webhook::{Delivery, WebhookAnswer, WebhookEvent};
use crate::domain::{Now, Status};
use crate::monitor::Monitor;
use crate::monitor::hearing::Verdict;
use crate::monitor::streamers::Key;

impl Monitor {
    pub(in crate::monitor) fn take_webhook(&mut self, now: Now, event: &WebhookEvent) {
        let keys = self.webhooks.take(now, event, &mut self.book);
        let WebhookEvent::Delivered(delivery) = event else { return };
        for key in keys {
            self.take_delivery(now, key, delivery);
            self.judge_coverage(now, key);
        }
    }

    fn take_delivery(&mut self, now: Now, key: Key, delivery: &Delivery) {
        let Some(streamer) = self.streamers.get_mut(&key) else { return };
        self.book.revision += 1;
        let verdict = streamer.hear_delivery(delivery, &self.kick.read(now));
        let (status, belief) = (delivery.status, &streamer.belief);
        let changes = belief.status.is_some_and(|believed| believed != status) && belief.verified;
        // R11: the websocket has a little time to tell of it, too.
        let expected = streamer.ids.channel.filter(|_| changes && verdict == Verdict::Believe);
        self.follow_verdict(now, key, verdict, status, delivery.received);
        if let Some(channel) = expected {
            self.push.expect(now.steady, key, channel, status, &mut self.book);
        }
    }

    /// Another source reported a change first: a delivery is expected as well (R11).
    pub(super) fn expect_delivery(&mut self, now: Now, key: Key, status: Status) {
        self.webhooks.expect(now.steady, key, status, &mut self.book);
    }

    pub(in crate::monitor) fn take_webhook_answer(&mut self, now: Now, answer: &Answer<WebhookAnswer>) {
        let all_known = self.roster.is_loaded() && self.asking.is_ready() && self.shards.share() == 1;
        self.asking.spend(now, answer.spent.saturating_sub(1));
        if self.webhooks.take_answer(now, answer, all_known, &mut self.book) {
            self.asking.is_refused(now);
        }
    }

    /// Asks about webhooks, as far as the budget allows: they take turns with the other look-ups.
    pub(in crate::monitor) fn ask_webhooks(&mut self, now: Now) {
        if self.webhooks.due().is_some_and(|due| due <= now.steady) && self.asking.can_look_up(now) {
            self.webhooks.ask(now.steady, &mut self.book);
        }
    }
}
