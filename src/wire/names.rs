//! What Kick's events are called: which names are evidence, which others are known to mean nothing for a status, and
//! which nobody here has heard of. It reads no payload.

use super::event::Evidence;
use crate::domain::push::UnrecognisedEvent;
use crate::domain::text::cut;
use crate::domain::{ChannelId, Steady};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The events of a followed channel that say nothing of its status, without `App\Events\`, which Kick sometimes
/// leaves out (docs/kick.md §3.5, §10.1).
const HARMLESS: [&str; 25] = [
    "ChannelSubscriptionEvent",
    "ChatMessageEvent",
    "ChatMoveToSupportedChannelEvent",
    "ChatSettingsChanged",
    "FollowersUpdated",
    "GiftedSubscriptionsEvent",
    "GiftsLeaderboardUpdated",
    "GoalAchievedEvent",
    "GoalCanceledEvent",
    "GoalCreatedEvent",
    "GoalProgressUpdateEvent",
    "GoalUpdatedEvent",
    "KicksGifted",
    "KicksLeaderboardUpdated",
    "LivestreamUpdated",
    "LuckyUsersWhoGotGiftSubscriptionsEvent",
    "NewActivityFeedEvent",
    "NewSubscriberUpdatedEvent",
    "PinnedMessageDeletedEvent",
    "PointsUpdated",
    "PollDeleteEvent",
    "PollUpdateEvent",
    "SetupTvEvent",
    "StreamHostEvent",
    "StreamHostedEvent",
];
/// What Kick puts before most names.
const NAMESPACE: &str = "App\\Events\\";

/// The names of the two events that are evidence: `PUSH_LIVE_EVENTS` and `PUSH_STOP_EVENTS`.
#[derive(Clone, Debug)]
pub struct EventNames {
    live: Arc<[String]>,
    stop: Arc<[String]>,
}

/// What an event's name says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The payload is to be read.
    Evidence(Evidence),
    /// Nothing that anybody here needs.
    Nothing,
    /// It is not known.
    Unrecognised,
}

/// What Kick calls them as far as is known, with its prefix or without (docs/kick.md §10.1).
impl Default for EventNames {
    fn default() -> EventNames {
        let both = |name: &str| [format!("{NAMESPACE}{name}"), name.to_owned()];
        EventNames::new(&both("StreamerIsLive"), &both("StopStreamBroadcast"))
    }
}

impl EventNames {
    /// These names, spelled as Kick spells them.
    pub(crate) fn new(live: &[String], stop: &[String]) -> EventNames {
        EventNames { live: live.into(), stop: stop.into() }
    }

    pub(super) fn meaning(&self, name: &str) -> Meaning {
        let is = |names: &[String]| names.iter().any(|known| known == name);
        let bare = name.strip_prefix(NAMESPACE).unwrap_or(name);
        if is(&self.live) {
            Meaning::Evidence(Evidence::Live)
        } else if is(&self.stop) {
            Meaning::Evidence(Evidence::Stop)
        } else if HARMLESS.contains(&bare) {
            Meaning::Nothing
        } else {
            Meaning::Unrecognised
        }
    }
}

/// Names of unrecognised events that one connection tells of (R24).
const NAMES_MAX: usize = 50;
/// So often each may be told of in a while: a new event that comes every second on every channel must not keep the
/// core from its work.
const TOLD_MAX: (u32, Duration) = (20, Duration::from_secs(20));

/// So much is told of a name, and of what came with it.
const NAME_LEN_MAX: usize = 100;
const SAMPLE_LEN_MAX: usize = 200;

/// The unrecognised events of one connection.
#[derive(Debug, Default)]
pub(super) struct Unrecognised {
    names: BTreeMap<String, Told>,
}

#[derive(Debug)]
struct Told {
    since: Steady,
    told: u32,
    /// How many came that were not told of.
    held: u64,
}

impl Unrecognised {
    /// One more came: what to tell the core of it now, if anything.
    pub(super) fn tell(
        &mut self,
        now: Steady,
        channel: ChannelId,
        name: &str,
        data: Option<&RawValue>,
    ) -> Option<Box<UnrecognisedEvent>> {
        let name = cut(name, NAME_LEN_MAX).unwrap_or_else(|| name.to_owned());
        let times = self.count(now, &name)?;
        let sample = data.map_or("", RawValue::get);
        let sample = cut(sample, SAMPLE_LEN_MAX).unwrap_or_else(|| sample.to_owned());
        Some(Box::new(UnrecognisedEvent { channel, name, sample, times, received: now }))
    }

    /// For how many of this name to tell the core now, if for any.
    fn count(&mut self, now: Steady, name: &str) -> Option<u64> {
        if !self.names.contains_key(name) {
            if self.names.len() == NAMES_MAX {
                return None;
            }
            self.names.insert(name.to_owned(), Told { since: now, told: 0, held: 0 });
        }
        let told = self.names.get_mut(name)?;
        let (most, window) = TOLD_MAX;
        if now.since(told.since) >= window {
            (told.since, told.told) = (now, 0);
        }
        if told.told == most {
            told.held += 1;
            return None;
        }
        told.told += 1;
        Some(1 + std::mem::take(&mut told.held))
    }
}

#[cfg(test)]
mod tests {
    use super::{EventNames, Meaning, Unrecognised};
    use crate::domain::Steady;
    use crate::wire::event::Evidence;
    use std::time::Duration;

    #[test]
    fn names_are_told_apart_with_and_without_the_prefix() {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let names = EventNames::new(&own(&["App\\Events\\StreamerIsLive", "Live2"]), &own(&["Stop"]));
        for (name, meaning) in [
            ("App\\Events\\StreamerIsLive", Meaning::Evidence(Evidence::Live)),
            ("Live2", Meaning::Evidence(Evidence::Live)),
            ("Stop", Meaning::Evidence(Evidence::Stop)),
            ("App\\Events\\FollowersUpdated", Meaning::Nothing),
            ("FollowersUpdated", Meaning::Nothing),
            ("App\\Events\\Stop", Meaning::Unrecognised),
            ("App\\Events\\StreamerWentLive", Meaning::Unrecognised),
            ("", Meaning::Unrecognised),
        ] {
            assert_eq!(names.meaning(name), meaning, "{name}");
        }
    }

    #[test]
    fn the_core_is_told_of_a_few_in_a_while_and_of_the_number_of_all() {
        let at = |seconds| Steady(Duration::from_secs(seconds));
        let mut unrecognised = Unrecognised::default();
        let told: Vec<_> = (0..30).filter_map(|_| unrecognised.count(at(1), "New")).collect();
        assert_eq!(told, [1; 20]);
        assert_eq!(unrecognised.count(at(1), "Other"), Some(1), "each name for itself");
        assert_eq!(unrecognised.count(at(21), "New"), Some(11));
        let names = (0..100).filter(|n| unrecognised.count(at(22), &n.to_string()).is_some()).count();
        assert_eq!(names, 48);
    }
}
