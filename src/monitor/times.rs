//! The numbers of the rules that are not configuration (docs/rules.md, "Times"), each in one place.

use std::time::Duration;

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// R9, R10: a second look is taken this long after the first.
pub(crate) const SECOND_LOOK: Duration = secs(3);
/// A second look that settled nothing is taken again after this.
pub(crate) const UNSETTLED_LOOK: Duration = secs(30);
/// R9, R10: a batch this small is not mixed up by Kick (docs/kick.md §5.1).
pub(crate) const SMALL_BATCH: usize = 10;
/// R10: up to this many changes in one answer are always plausible.
pub(crate) const FLIPS_ALWAYS: usize = 2;
/// R10: above that, this share of the streamers covered, as a divisor: a fifth.
pub(crate) const FLIPS_SHARE: usize = 5;
/// R7: how far our corrected clock and Kick's may be apart.
pub(crate) const CLOCK_MARGIN: Duration = secs(15);
/// R5: a time that Kick states and that is farther from what is known than this needs a second answer that agrees.
pub(crate) const CLOCK_JUMP: Duration = secs(120);
/// R7: start times closer than this are of one broadcast.
pub(crate) const SAME_BROADCAST: Duration = secs(4);
/// R1: a live event of an ended broadcast means a resumption only if it comes at least this long after the stop. An
/// earlier one may be a repetition.
pub(crate) const RESUMED_AFTER: Duration = secs(5);
/// R27: a delivery of a webhook that is older than this is a question.
pub(crate) const OLD_DELIVERY: Duration = secs(120);
/// R7: how long after a stop the API may still list the ended broadcast as live.
pub(crate) const STALE_LIVE: Duration = secs(600);
/// R12: an event through an unconfirmed id has no hold. But an answer requested within this time may show the API's
/// ordinary lag (docs/kick.md §5.4), and then proves nothing.
pub(crate) const UNCONFIRMED_GRACE: Duration = secs(15);
/// R2: how long after the API reported the end of a broadcast its stop may still come.
pub(crate) const LATE_STOP: Duration = secs(600);
/// R6: how far apart two mentions without a status must be, and two absences from a list of live streams.
pub(crate) const MENTIONS_APART: Duration = secs(30);
/// R6: how often `/channels` must leave out a streamer who has vanished.
pub(crate) const VANISHED_MIN: u32 = 3;
/// R6: absences closer together than this count as one: several requests in a row prove no more than a single one.
pub(crate) const VANISHED_APART: Duration = secs(180);
/// R6: a streamer missing everywhere for this long is offline.
pub(crate) const VANISHED: Duration = secs(600);
/// R22: up to this many ids that an endpoint refuses in a row may each be at fault; if there are more, it is an outage.
pub(crate) const REFUSED_MAX: usize = 3;
/// R13, R15: how long after a change the API may not know it yet.
pub(crate) const API_LAG: Duration = secs(60);
/// R7: how far one endpoint of the API may lag behind another (docs/kick.md §5.4). For this long, the others cannot
/// contradict a change that one reported first.
pub(crate) const ENDPOINT_LAG: Duration = secs(60);
/// R11: how long after the sweep push may still report a change.
pub(crate) const PUSH_GRACE: Duration = secs(10);
/// R11: a connection that has been established for this long without an accepted subscription counts as refused.
pub(crate) const TAKES_NOBODY: Duration = secs(60);
/// R11: a transport on trial that misses this many events that another connection brings is still silent.
pub(crate) const TRIAL_DEAF: u32 = 3;
/// R25: for how long after it was sent a write may still be carried out.
pub(crate) const LEASE: Duration = secs(8);
/// R25: an instance that stands by looks up channel ids at least this far apart.
pub(crate) const LOOK_UPS_APART: Duration = secs(3);
/// R15: a crash of the database may undo what was committed this long before.
pub(crate) const UNDOABLE: Duration = secs(30);
/// R1, R17: when the second question follows the first, about what push may have missed.
pub(crate) const ASKED_AGAIN: Duration = secs(30);
/// R22: how many events of one channel within that time have the API asked at once. What comes then is answered by the
/// second question of the first one.
pub(crate) const QUESTIONS_MAX: u8 = 3;
/// R21: a row that is set aside this many times in a row, without an error, counts as refused.
pub(crate) const SET_ASIDE_MAX: u32 = 5;
/// R21: a row that is locked this many times in a row, which takes five minutes, is reported.
pub(crate) const LOCKED_MAX: u32 = 64;
/// R21: how often a refused row is tried.
pub(crate) const REFUSED_PAUSE: Duration = secs(300);
/// R21: a row that took too long once is tried again after this.
pub(crate) const TIMED_OUT_RETRY: Duration = secs(30);
/// R21: after this many confirmed writes, what the row shows instead is taken as written.
pub(crate) const OVERRULED_MAX: u8 = 3;
/// A locked or refused row is tried again after this, doubling.
pub(crate) const ROW_RETRY: (Duration, Duration) = (Duration::from_millis(200), secs(5));
/// A database that is away is tried again after this, doubling.
pub(crate) const DATABASE_RETRY: (Duration, Duration) = (Duration::from_millis(100), secs(5));
/// The API is asked again after an error after this, doubling.
pub(crate) const API_RETRY: (Duration, Duration) = (secs(1), secs(30));
/// How long the API is not asked when there is no token, unless one comes.
pub(crate) const NO_TOKEN_PAUSE: Duration = secs(1);
/// An endpoint that Kick no longer has is not asked. It is tried again after this, because a daemon runs for months,
/// and the 404 may have been a mistake.
pub(crate) const GONE_PAUSE: Duration = secs(24 * 3600);
/// The website is not asked for this long after it blocked us (docs/kick.md §6.3).
pub(crate) const WEBSITE_PAUSE: Duration = secs(3600);
/// A name that Kick does not know is asked about again after this, doubling: Kick may have left it out by mistake.
pub(crate) const UNKNOWN_NAME_RETRY: (Duration, Duration) = (secs(30), secs(600));
/// How often the old name of a renamed streamer is asked about: somebody else may have it now.
pub(crate) const OLD_NAME_PAUSE: Duration = secs(600);
/// How often the names of streamers who are followed by id are checked: somebody else may have taken one.
pub(crate) const NAMES_PAUSE: Duration = secs(3600);
/// How many names that are in no row are kept, for rows that come back.
pub(crate) const STRANGERS_MAX: usize = 10_000;
/// `/users/livestreams` accepts this many ids (docs/kick.md §5.3).
pub(crate) const USERS_BATCH: usize = 100;

/// R17: a channel is asked about at most once in this time, however often its subscription is confirmed.
pub(crate) const SUBSCRIPTIONS_APART: Duration = secs(10);
/// A subscription that has been confirmed for this long is sound: an earlier failure is over, and a later one is a new
/// one.
pub(crate) const SUBSCRIPTION_STANDS: Duration = secs(60);
