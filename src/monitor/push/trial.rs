//! A trial: a connection over a silent transport, beside the one in use, until the transport proves itself (R11).
//!
//! The trial's connection follows the channels of another connection. An event that it brings is evidence like any
//! other, and proves the transport if it is of the kind that was missed. Events of that kind that only the other
//! connection brings show that the transport is still silent.

use crate::domain::push::{LinkEvent, LinkId};
use crate::domain::way::Way;
use crate::domain::{ChannelId, Status, Steady};
use crate::monitor::misses::Kind;
use crate::monitor::times::{TAKES_NOBODY, TRIAL_DEAF};
use std::collections::BTreeSet;

/// The trial that is under way.
#[derive(Debug)]
pub(super) struct Trial {
    pub(super) way: Way,
    pub(super) link: LinkId,
    /// The kind of change that the transport did not report.
    kind: Kind,
    pub(super) follows: Vec<ChannelId>,
    subscribed: BTreeSet<ChannelId>,
    /// The number of such events that another connection brought and this one did not.
    deaf_to: u32,
    /// Since when its connection has had a failed subscription and not one confirmed.
    takes_nobody: Option<Steady>,
}

/// What an event means for the trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// The trial brings what was missed.
    Proved,
    /// The trial brings something else, which is evidence.
    Alive,
    /// The trial misses what another connection brings.
    Deaf,
    Nothing,
}

impl Trial {
    pub(super) fn new(way: Way, link: LinkId, kind: Kind, follows: Vec<ChannelId>) -> Trial {
        Trial { way, link, kind, follows, subscribed: BTreeSet::new(), deaf_to: 0, takes_nobody: None }
    }

    /// The channel is no longer followed.
    pub(super) fn unfollow(&mut self, channel: ChannelId) {
        self.follows.retain(|other| *other != channel);
        self.subscribed.remove(&channel);
    }

    /// Takes an event in the life of its link.
    pub(super) fn hear(&mut self, now: Steady, event: &LinkEvent) {
        match event {
            LinkEvent::Subscribed(channel) => {
                self.subscribed.insert(*channel);
                self.takes_nobody = None;
            }
            LinkEvent::SubscriptionFailed(_) if self.subscribed.is_empty() => {
                self.takes_nobody.get_or_insert(now);
            }
            LinkEvent::Ended { .. } => {
                self.subscribed.clear();
                self.takes_nobody = None;
            }
            _ => {}
        }
    }

    /// When the trial ends because its transport accepts no subscription, if nothing else happens.
    pub(super) fn due(&self) -> Option<Steady> {
        self.takes_nobody.map(|since| since + TAKES_NOBODY)
    }

    /// What it means that a link brought an event of a change to this status.
    pub(super) fn weigh(&mut self, link: LinkId, channel: ChannelId, status: Status) -> Sign {
        if link == self.link {
            return match self.follows.contains(&channel) {
                true if self.kind.is_of(status) => Sign::Proved,
                true => Sign::Alive,
                false => Sign::Nothing,
            };
        }
        if self.subscribed.contains(&channel) && self.kind.is_of(status) {
            self.deaf_to += 1;
        }
        if self.deaf_to >= TRIAL_DEAF { Sign::Deaf } else { Sign::Nothing }
    }
}
