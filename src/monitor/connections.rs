//! The connections of push: R17 and R18, and what Kick's broker says of where they go. Which of them carries
//! whom, and over which transport, is decided in `push`.

use super::push::{Confirmed, News, Wish};
use super::times::{ASKED_AGAIN, SUBSCRIPTION_STANDS};
use super::{Key, Monitor, Output, Timer};
use crate::domain::ask::{Answer, Offered};
use crate::domain::event::Event;
use crate::domain::problem::Code;
use crate::domain::push::{LinkEvent, LinkId, Transport};
use crate::domain::text::brief;
use crate::domain::{ChannelId, Now};
use std::time::Duration;

impl Monitor {
    pub(super) fn take_link(&mut self, now: Now, id: LinkId, event: LinkEvent) {
        let news = self.push.hear(now.steady, id, event, &mut self.book.out);
        self.book.revision += u64::from(news != News::Nothing);
        self.judge_link(now, id, &news);
        match news {
            News::Nothing => {}
            News::Connected { transport, again } => {
                self.book.counters.realtime_reconnects += u64::from(again);
                self.book.transport = Some(transport.word());
                self.book.troubles.rest(Code::PushRefused, "");
                self.book.troubles.changed = true;
            }
            // R18: a lost connection changes no status; only what is confirmed is no longer.
            News::Lost => self.book.troubles.changed = true,
            News::Refused(why) => self.book.troubles.note(now, Code::PushRefused, "", why),
            News::Subscribed(channel, confirmed) => self.subscribed(channel, confirmed),
            News::Failed { channel, anew } => self.subscription_failed(now, channel, anew),
            News::Unreadable => self.discard("push_unreadable", format!("on link {}", id.0)),
            News::Unrecognised(event) => self.unrecognised.take(event),
        }
    }

    /// R17: whatever happened while we were not listening, the API knows, now or a little later.
    fn subscribed(&mut self, channel: ChannelId, confirmed: Confirmed) {
        let Confirmed { due, planned, failed } = confirmed;
        if failed {
            self.at(due + SUBSCRIPTION_STANDS, Timer::Stands(channel));
        } else {
            self.book.troubles.settle(Code::SubscriptionFailed, &channel.to_string());
        }
        if planned {
            return;
        }
        for key in self.streamers.of_channel(channel).to_vec() {
            for after in [Duration::ZERO, ASKED_AGAIN, self.settings.hold] {
                self.at(due + after, Timer::Ask(key));
            }
        }
    }

    /// A failed subscription is over when one has stood for a while.
    pub(super) fn stands(&mut self, now: Now, channel: ChannelId) {
        if self.push.links.has_stood(now.steady, channel) {
            self.book.troubles.settle(Code::SubscriptionFailed, &channel.to_string());
        }
    }

    /// R11: a transport that takes nobody is as good as one that refuses us.
    fn takes_nobody(&mut self, now: Now, transport: Transport) {
        let (transport, reason) = (transport.word(), "no subscription was confirmed within a minute");
        if self.book.troubles.raise(now, Code::PushRefused, "", reason, transport) {
            self.log(Event::RealtimeRefused { transport, code: None, reason: reason.to_owned() });
        }
    }

    fn subscription_failed(&mut self, now: Now, channel: ChannelId, anew: bool) {
        if anew {
            self.book.troubles.settle(Code::SubscriptionFailed, &channel.to_string());
        }
        let keys = self.streamers.of_channel(channel).to_vec();
        self.book.counters.subscription_failures += 1;
        for key in keys {
            let Some(streamer) = self.streamers.get(&key) else { continue };
            let username = streamer.username.clone();
            let words = format!("{} (channel {channel})", brief(&username));
            let channel = channel.to_string();
            if self.book.troubles.raise(now, Code::SubscriptionFailed, &channel, words, &username) {
                let reason = "refused, or not acknowledged in time".to_owned();
                self.log(Event::SubscriptionFailed { username, channel, reason });
            }
        }
    }

    /// Connections that may be open at once.
    pub fn links_most(&self) -> usize {
        self.push.links.most()
    }

    /// Reports the streamers that push cannot follow because too few files may be open; the sweep compares them like everybody else.
    pub(super) fn say_who_is_not_followed(&mut self, now: Now) {
        let Some((channel, homeless)) = self.push.links.homeless() else {
            self.book.troubles.settle(Code::PushLimited, "");
            return;
        };
        let (most, files) = (self.push.links.most(), self.settings.open_files);
        let words = format!(
            "streamers not followed: {homeless}; push connections that the limit of {files} open files allows: {most}"
        );
        let username = self.streamers.of_channel_first(channel);
        let username = username.map(|streamer| streamer.username.clone()).unwrap_or_default();
        let channel = channel.to_string();
        // Said again when there are twice as many: they come one by one.
        let how = format!("{files} {most} {}", homeless.ilog2());
        if self.book.troubles.raise(now, Code::PushLimited, "", &*words, &how) {
            let reason = format!("{words}; raise LimitNOFILE (systemd) or ulimit -n, then restart");
            self.log(Event::SubscriptionFailed { username, channel, reason });
        }
    }

    /// Follows a streamer's channel, for as long as any row needs it.
    pub(super) fn follow(&mut self, key: Key, channel: ChannelId) {
        self.streamers.join_channel(key, channel);
        self.push.links.follow(channel);
    }

    /// Does not follow it for this row any more.
    pub(super) fn unfollow(&mut self, key: Key, channel: ChannelId) {
        if self.streamers.leave_channel(key, channel) {
            self.push.unfollow(channel, &mut self.book.out);
            self.book.troubles.settle(Code::SubscriptionFailed, &channel.to_string());
        }
        if self.push.links.count() == 0 {
            // Nobody is there any more to be refused.
            self.book.troubles.rest(Code::PushRefused, "");
        }
    }

    /// The push settings changed.
    pub(super) fn relink(&mut self, now: Now) {
        self.push.begin_anew(now.steady, self.settings.push.clone());
        self.judge_all_if(now, true);
        self.book.troubles.rest(Code::PushRefused, "");
    }

    /// Does what is due for push. Called at the end of every turn.
    pub(super) fn tend_push(&mut self, now: Now) {
        while let Some(wish) = self.push.turn(now.steady, &mut self.book.out) {
            match wish {
                Wish::Ask(request) => {
                    self.asking.budget.spend(now.steady, 1);
                    self.book.out.push(Output::AskBroker(request));
                }
                Wish::TakesNobody(transport) => self.takes_nobody(now, transport),
                // Those who were refused are no more.
                Wish::Renewed => {
                    self.book.troubles.rest(Code::PushRefused, "");
                    self.judge_all_if(now, true);
                }
            }
        }
    }

    /// Kick's broker answered; a failure is logged, and is no trouble while push works.
    pub(super) fn take_broker_answer(&mut self, now: Now, answer: &Answer<Offered>) {
        let Some((endpoint, event)) = self.push.take_answer(now.steady, answer) else { return };
        let status = answer.result.as_ref().map_or_else(|failure| failure.status, |_| Some(200));
        self.book.count_request(endpoint, status);
        event.into_iter().for_each(|event| self.log(event));
    }
}
