//! A trial: a silent transport is listened to beside the one in use, until it proves itself (R11).
//!
//! The trial's connection follows what another connection follows. An event that it brings is evidence like any
//! other, and proves the transport if it is of the kind that was missed; such events that only the other brings prove
//! it deaf still.

use super::health::Kind;
use crate::domain::push::{LinkEvent, LinkId};
use crate::domain::way::Way;
use crate::domain::{ChannelId, Status, Steady};
use crate::monitor::times::{TAKES_NOBODY, TRIAL_DEAF};
use std::collections::BTreeSet;

/// The trial that is under way.
#[derive(Debug)]
pub(super) struct Trial {
    pub(super) way: Way,
    pub(super) link: LinkId,
    /// What the way went silent of.
    kind: Kind,
    pub(super) follows: Vec<ChannelId>,
    subscribed: BTreeSet<ChannelId>,
    /// Events that came elsewhere, and not here.
    deaf_to: u32,
    /// Since when its connection stands and has taken nobody, although a subscription failed.
    takes_nobody: Option<Steady>,
}

/// What an event means for the trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// It brings what was missed.
    Proved,
    /// It brings something, and is evidence.
    Alive,
    /// It does not bring what another one brings.
    Deaf,
    Nothing,
}

impl Trial {
    pub(super) fn new(way: Way, link: LinkId, kind: Kind, follows: Vec<ChannelId>) -> Trial {
        Trial { way, link, kind, follows, subscribed: BTreeSet::new(), deaf_to: 0, takes_nobody: None }
    }

    /// Nobody follows this channel any more.
    pub(super) fn unfollow(&mut self, channel: ChannelId) {
        self.follows.retain(|other| *other != channel);
        self.subscribed.remove(&channel);
    }

    /// What its link says of its life.
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

    /// When it is over because its transport takes nobody, if nothing else happens.
    pub(super) fn due(&self) -> Option<Steady> {
        self.takes_nobody.map(|since| since + TAKES_NOBODY)
    }

    /// A link brought an event of a change to this status.
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
