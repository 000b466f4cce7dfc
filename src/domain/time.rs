//! Two clocks that are never mixed: steady time measures durations, wall time dates events.
//!
//! Nothing here reads a clock; only `crate::clock` does.

use jiff::{civil::DateTime, tz::Offset};
use std::fmt;
use std::num::NonZeroU64;
use std::ops::Add;
use std::time::Duration;

/// Wall time, used in rows, in logs and by Kick.
pub use jiff::Timestamp;

/// Steady time since the process began. It never jumps and has no meaning outside the process.
///
/// In nanoseconds, and one more: each streamer has a dozen of these, and so an `Option` of one takes no more room.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Steady(NonZeroU64);

impl Steady {
    /// The time this long after the process began, at most five centuries.
    pub fn after(elapsed: Duration) -> Steady {
        let nanoseconds = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
        Steady(NonZeroU64::MIN.saturating_add(nanoseconds))
    }

    /// How long after the process began that is.
    pub fn elapsed(self) -> Duration {
        Duration::from_nanos(self.0.get() - 1)
    }

    /// The time from `earlier` to `self`; zero if `earlier` is later.
    pub fn since(self, earlier: Steady) -> Duration {
        Duration::from_nanos(self.0.get().saturating_sub(earlier.0.get()))
    }
}

impl Default for Steady {
    fn default() -> Steady {
        Steady(NonZeroU64::MIN)
    }
}

impl fmt::Debug for Steady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Steady").field(&self.elapsed()).finish()
    }
}

impl Add<Duration> for Steady {
    type Output = Steady;

    fn add(self, wait: Duration) -> Steady {
        Steady::after(self.elapsed().saturating_add(wait))
    }
}

/// One reading of both clocks. It is made once in each turn of a thread's loop and passed down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// For deadlines and durations.
    pub steady: Steady,
    /// For rows, logs, and comparison with the times that Kick writes.
    pub wall: Timestamp,
}

impl Now {
    /// The wall time that corresponds to a steady time, to the millisecond, by the present state of the wall clock.
    pub(crate) fn wall_at(self, then: Steady) -> Timestamp {
        let wall = match then >= self.steady {
            true => self.wall.checked_add(then.since(self.steady)),
            false => self.wall.checked_sub(self.steady.since(then)),
        };
        wall.ok().map_or(self.wall, to_milliseconds)
    }
}

/// The time truncated to whole milliseconds.
pub(crate) fn to_milliseconds(time: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time)
}

/// Parses the forms in which Kick writes times (docs/kick.md §3.3, §3.6, §5): RFC 3339 with `Z` or an offset, with or
/// without a fraction, and `YYYY-MM-DD HH:MM:SS`, which is UTC. `None` for anything else, and for the zero times
/// (`0001-01-01T00:00:00Z`) that mean "no time".
pub(crate) fn parse_kick_time(text: &str) -> Option<Timestamp> {
    let time = match text.parse() {
        Ok(time) => time,
        Err(_) => Offset::UTC.to_timestamp(DateTime::strptime("%Y-%m-%d %H:%M:%S%.f", text).ok()?).ok()?,
    };
    // Go's zero time is in the year 1, and Unix time begins with 1970; no broadcast is older than that.
    (time > Timestamp::UNIX_EPOCH).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::parse_kick_time;

    #[test]
    fn every_style_of_kick_is_read_as_utc() {
        for (text, utc) in [
            ("2025-09-14T16:11:18.000000Z", "2025-09-14T16:11:18Z"),
            ("2025-09-14T16:11:18.123456Z", "2025-09-14T16:11:18.123456Z"),
            ("2026-09-30T19:24:14Z", "2026-09-30T19:24:14Z"),
            ("2026-09-30T21:24:14+02:00", "2026-09-30T19:24:14Z"),
            ("2026-09-30T19:24:14.5-00:30", "2026-09-30T19:54:14.5Z"),
            ("2026-09-30 19:24:17", "2026-09-30T19:24:17Z"),
            ("2024-02-29 23:59:59", "2024-02-29T23:59:59Z"),
        ] {
            assert_eq!(parse_kick_time(text).map(|time| time.to_string()).as_deref(), Some(utc), "{text:?}");
        }
    }

    #[test]
    fn zero_times_and_nonsense_are_no_time() {
        for text in [
            "0001-01-01T00:00:00Z",
            "0001-01-01 00:00:00",
            "1970-01-01T00:00:00Z",
            "",
            "null",
            "now",
            "2026-09-30",
            "2026-02-30T00:00:00Z",
            "2026-09-30 25:00:00",
            "2026-09-30 19:24:17 and more",
            "1759260257",
            "99999-01-01T00:00:00Z",
            "\u{1f600}",
        ] {
            assert_eq!(parse_kick_time(text), None, "{text:?}");
        }
    }
}
