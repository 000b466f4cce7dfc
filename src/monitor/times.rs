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
/// R10: so many changes in one answer are always plausible.
pub(crate) const FLIPS_ALWAYS: usize = 2;
/// R10: above that, this share of the streamers covered, as a divisor: a fifth.
pub(crate) const FLIPS_SHARE: usize = 5;
/// R7: how far our corrected clock and Kick's may be apart.
pub(crate) const CLOCK_MARGIN: Duration = secs(15);
/// R5: a time that Kick states and that is farther from what is known than this needs a second answer that agrees.
pub(crate) const CLOCK_JUMP: Duration = secs(120);
/// R7: start times closer than this are of one broadcast.
pub(crate) const SAME_BROADCAST: Duration = secs(4);
/// R1: a live event of a broadcast that a stop ended comes this much later at least when it resumes; what
/// comes sooner may be a repetition.
pub(crate) const RESUMED_AFTER: Duration = secs(5);
/// R7: for so long after a stop a live that shows the ended broadcast is the API's lag.
pub(crate) const STALE_LIVE: Duration = secs(600);
/// R12: push through an unconfirmed id gets no hold; but an answer asked for within this time may
/// still be the API's ordinary lag (docs/kick.md §5.4), and then proves nothing.
pub(crate) const UNCONFIRMED_GRACE: Duration = secs(15);
/// R2: a stop may come this long after the API told that its broadcast had ended.
pub(crate) const LATE_STOP: Duration = secs(600);
/// R6: two mentions without a status, and two absences from the live, are this far apart.
pub(crate) const MENTIONS_APART: Duration = secs(30);
/// R6: as often at least must `/channels` leave out somebody who has vanished.
pub(crate) const VANISHED_MIN: u32 = 3;
/// R6: absences closer together than this count as one: a burst of questions proves no more than one.
pub(crate) const VANISHED_APART: Duration = secs(180);
/// R6: a streamer missing everywhere for this long is offline.
pub(crate) const VANISHED: Duration = secs(600);
/// R22: so many ids that an endpoint refuses one after the other may each be at fault; it takes more for an outage.
pub(crate) const REFUSED_MAX: usize = 3;
/// R13, R15: so late at most does the API know of a change.
pub(crate) const API_LAG: Duration = secs(60);
/// R7: so far one endpoint of the API trails another (docs/kick.md §5.4): what the one told first, the other
/// cannot contradict for so long.
pub(crate) const ENDPOINT_LAG: Duration = secs(60);
/// R11: how long push may come after the sweep.
pub(crate) const PUSH_GRACE: Duration = secs(10);
/// R11: a connection that stands for so long and takes nobody is as good as refused.
pub(crate) const TAKES_NOBODY: Duration = secs(60);
/// R11: a transport on trial that misses so many events which another one brings is deaf.
pub(crate) const TRIAL_DEAF: u32 = 3;
/// R15: what was committed this long before the database broke may be undone by a crash.
pub(crate) const UNDOABLE: Duration = secs(30);
/// R1, R17: the second question about what push raised, or may have missed.
pub(crate) const ASKED_AGAIN: Duration = secs(30);
/// R21: so many times set aside without an explanation is a refusal.
pub(crate) const SET_ASIDE_MAX: u32 = 5;
/// R21: so many tries, five minutes, is long for a lock.
pub(crate) const LOCKED_MAX: u32 = 64;
/// R21: how often a refused row is tried.
pub(crate) const REFUSED_PAUSE: Duration = secs(300);
/// R21: a row that took too long for the first time is tried again after this.
pub(crate) const TIMED_OUT_RETRY: Duration = secs(30);
/// R21: after so many confirmed writes a row that shows something else is taken as written.
pub(crate) const OVERRULED_MAX: u8 = 3;
/// A locked or refused row is tried again after this, doubling.
pub(crate) const ROW_RETRY: (Duration, Duration) = (Duration::from_millis(200), secs(5));
/// A database that is away is tried again after this, doubling.
pub(crate) const DATABASE_RETRY: (Duration, Duration) = (Duration::from_millis(100), secs(5));
/// The API is asked again after an error after this, doubling.
pub(crate) const API_RETRY: (Duration, Duration) = (secs(1), secs(30));
/// The API is not asked for this long when there is no token, unless one comes.
pub(crate) const TOKEN_WAIT: Duration = secs(1);
/// An endpoint that Kick has no more is done without for good; but a daemon lives for months, and a 404 may
/// be a mishap, so it is tried once a day.
pub(crate) const GONE_PAUSE: Duration = secs(24 * 3600);
/// The website is left alone for this long after it blocked us (docs/kick.md §6.3).
pub(crate) const WEBSITE_PAUSE: Duration = secs(3600);
/// A name that Kick does not know is asked about again after this, doubling; it may be that Kick left
/// it out by mistake.
pub(crate) const UNKNOWN_NAME_RETRY: (Duration, Duration) = (secs(30), secs(600));
/// The name of a streamer who goes by another one now is asked about this often: who has it then?
pub(crate) const OLD_NAME_PAUSE: Duration = secs(600);
/// Whose the names are that are followed by an id is asked this often: somebody else may have taken one.
pub(crate) const NAMES_PAUSE: Duration = secs(3600);
/// What is known of this many names that are in no row is kept, for those that come back.
pub(crate) const STRANGERS_MAX: usize = 10_000;
/// `/users/livestreams` takes this many ids (docs/kick.md §5.3).
pub(crate) const USERS_BATCH: usize = 100;
/// The longest pause that `Retry-After` is believed for.
pub(crate) const RETRY_AFTER_MAX: Duration = secs(600);

/// R17: a channel is asked about at most once in this time, however often its subscription is confirmed.
pub(crate) const SUBSCRIPTIONS_APART: Duration = secs(10);
/// A subscription that is lost after standing for this long has failed anew.
pub(crate) const SUBSCRIPTION_STANDS: Duration = secs(60);
