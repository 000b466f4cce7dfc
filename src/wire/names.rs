//! The names of Kick's events: those that are evidence, those that are known to say nothing about a status, and all
//! others, which count as unrecognised (R24). Payloads are not parsed here.

use super::event::Evidence;
use crate::domain::push::UnrecognisedEvent;
use crate::domain::text::cut;
use crate::domain::{ChannelId, Steady};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Events of a followed channel that say nothing about its status, without the prefix `App\Events\`, which Kick
/// sometimes omits (docs/kick.md §3.5, §10.1).
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
/// The prefix of most event names.
const NAMESPACE: &str = "App\\Events\\";

/// The names of the two events that are evidence: `PUSH_LIVE_EVENTS` and `PUSH_STOP_EVENTS`.
#[derive(Clone, Debug)]
pub struct EventNames {
    live: Arc<[String]>,
    stop: Arc<[String]>,
}

/// The classification of an event by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Evidence: the payload must be parsed.
    Evidence(Evidence),
    /// Known to be irrelevant for a status.
    Nothing,
    /// The name is not known (R24).
    Unrecognised,
}

/// The names that Kick is known to use, with the prefix and without (docs/kick.md §10.1).
impl Default for EventNames {
    fn default() -> EventNames {
        let both = |name: &str| [format!("{NAMESPACE}{name}"), name.to_owned()];
        EventNames::new(&both("StreamerIsLive"), &both("StopStreamBroadcast"))
    }
}

impl EventNames {
    /// Uses these names, spelled as Kick spells them.
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

/// The most names of unrecognised events that one connection reports (R24).
const NAMES_MAX: usize = 50;
/// The most reports of one name within a period: a new event that comes every second on every channel must not
/// overload the core.
const TOLD_MAX: (u32, Duration) = (20, Duration::from_secs(20));

/// The longest name and the longest sample that are reported, in characters.
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
    /// The number of events since the last report.
    held: u64,
}

impl Unrecognised {
    /// Counts an event with an unknown name. Returns a report for the core unless the limits are exceeded.
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

    /// Returns the number of events that a report of this name covers now; `None` if there is to be no report.
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
        let at = |seconds| Steady::after(Duration::from_secs(seconds));
        let mut unrecognised = Unrecognised::default();
        let told: Vec<_> = (0..30).filter_map(|_| unrecognised.count(at(1), "New")).collect();
        assert_eq!(told, [1; 20]);
        assert_eq!(unrecognised.count(at(1), "Other"), Some(1), "each name for itself");
        assert_eq!(unrecognised.count(at(21), "New"), Some(11));
        let names = (0..100).filter(|n| unrecognised.count(at(22), &n.to_string()).is_some()).count();
        assert_eq!(names, 48);
    }
}
