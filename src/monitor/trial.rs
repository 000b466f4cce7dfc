//! A trial: a silent transport is listened to beside the one in use, until it proves itself (R11).
//!
//! The trial's connection follows what another connection follows. An event that it brings is evidence
//! like any other, and proves the transport; events that only the other brings prove it deaf still.

use super::times::TRIAL_DEAF;
use super::{Monitor, Output};
use crate::domain::ChannelId;
use crate::domain::push::{LinkEvent, LinkId};
use std::collections::BTreeSet;

/// The trial that is under way.
#[derive(Debug)]
pub(super) struct Trial {
    link: LinkId,
    follows: Vec<ChannelId>,
    subscribed: BTreeSet<ChannelId>,
    /// Events that came elsewhere, and not here.
    deaf_to: u32,
}

impl Monitor {
    /// Somebody found that a silent transport deserves a trial.
    pub(super) fn begin_trial(&mut self) {
        if self.trial.is_some() {
            return;
        }
        let Some((link, follows)) = self.links.open_trial() else {
            return self.book.out.push(Output::TrialOver { proved: false });
        };
        self.book.out.push(Output::TrialBegun(link));
        self.trial = Some(Trial { link, follows, subscribed: BTreeSet::new(), deaf_to: 0 });
    }

    /// Ends the trial; a trial that is merely cut short has proved nothing.
    pub(super) fn end_trial(&mut self, proved: bool) {
        if let Some(trial) = self.trial.take() {
            self.links.close_trial(trial.link);
            self.book.out.push(Output::TrialOver { proved });
        }
    }

    /// Nobody follows this channel any more; a trial that has nobody left to follow could never end.
    pub(super) fn unfollow_on_trial(&mut self, channel: ChannelId) {
        let Some(trial) = &mut self.trial else { return };
        if !trial.follows.contains(&channel) {
            return;
        }
        trial.follows.retain(|other| *other != channel);
        trial.subscribed.remove(&channel);
        if trial.follows.is_empty() {
            return self.end_trial(false);
        }
        self.book.out.push(Output::Unsubscribe(trial.link, vec![channel]));
    }

    /// Takes what the trial's link says of its life; false when it is another link.
    pub(super) fn take_trial_link(&mut self, id: LinkId, event: &LinkEvent) -> bool {
        let Some(trial) = self.trial.as_mut().filter(|trial| trial.link == id) else { return false };
        match event {
            LinkEvent::Started => self.book.out.push(Output::Subscribe(id, trial.follows.clone())),
            LinkEvent::Subscribed(channel) => drop(trial.subscribed.insert(*channel)),
            LinkEvent::Disconnected => trial.subscribed.clear(),
            LinkEvent::Connected(_)
            | LinkEvent::Refused(_)
            | LinkEvent::SubscriptionFailed(_)
            | LinkEvent::Unreadable
            | LinkEvent::Unrecognised(_) => {}
        }
        true
    }

    /// Whether this is an event that the trial's link may bring; it then proves the transport.
    pub(super) fn take_trial_push(&mut self, id: LinkId, channel: ChannelId) -> bool {
        let Some(trial) = &mut self.trial else { return false };
        if trial.link == id {
            let follows = trial.follows.contains(&channel);
            if follows {
                self.end_trial(true);
            }
            return follows;
        }
        if trial.subscribed.contains(&channel) {
            trial.deaf_to += 1;
            if trial.deaf_to >= TRIAL_DEAF {
                self.end_trial(false);
            }
        }
        false
    }
}
