//! A trial: a silent transport is listened to beside the one in use, until it proves itself (R11).
//!
//! The trial's connection follows what another connection follows. An event that it brings is evidence
//! like any other, and proves the transport; events that only the other brings prove it deaf still.

use crate::domain::ChannelId;
use crate::domain::push::{LinkEvent, LinkId};
use crate::domain::way::Way;
use crate::monitor::times::TRIAL_DEAF;
use std::collections::BTreeSet;

/// The trial that is under way.
#[derive(Debug)]
pub(super) struct Trial {
    pub(super) way: Way,
    pub(super) link: LinkId,
    pub(super) follows: Vec<ChannelId>,
    subscribed: BTreeSet<ChannelId>,
    /// Events that came elsewhere, and not here.
    deaf_to: u32,
}

/// What an event means for the trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    Proved,
    Deaf,
    Nothing,
}

impl Trial {
    pub(super) fn new(way: Way, link: LinkId, follows: Vec<ChannelId>) -> Trial {
        Trial { way, link, follows, subscribed: BTreeSet::new(), deaf_to: 0 }
    }

    /// Nobody follows this channel any more.
    pub(super) fn unfollow(&mut self, channel: ChannelId) {
        self.follows.retain(|other| *other != channel);
        self.subscribed.remove(&channel);
    }

    /// What its link says of its life.
    pub(super) fn hear(&mut self, event: &LinkEvent) {
        match event {
            LinkEvent::Subscribed(channel) => drop(self.subscribed.insert(*channel)),
            LinkEvent::Ended { .. } => self.subscribed.clear(),
            _ => {}
        }
    }

    /// A link brought an event.
    pub(super) fn weigh(&mut self, link: LinkId, channel: ChannelId) -> Sign {
        if link == self.link {
            return if self.follows.contains(&channel) { Sign::Proved } else { Sign::Nothing };
        }
        if self.subscribed.contains(&channel) {
            self.deaf_to += 1;
        }
        if self.deaf_to >= TRIAL_DEAF { Sign::Deaf } else { Sign::Nothing }
    }
}
