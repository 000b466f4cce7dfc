//! How many rows go into one statement. What they took before tells: a table whose triggers take 300 ms a row
//! gets one row at a time, and another a thousand.

use std::time::Duration;

/// Rows in one statement at first, before anything is known of the table.
const ROWS_FIRST: usize = 32;
/// More rows would gain nothing, and make one that is refused among them delay the others for longer.
const ROWS_MAX: usize = 1000;
/// A statement should not take longer; whatever comes meanwhile waits for it.
const TARGET: Duration = Duration::from_millis(500);
/// Nor need it take less than this, however short the time-outs of the role are.
const TARGET_MIN: Duration = Duration::from_millis(20);

/// The pace of one lane.
#[derive(Debug)]
pub(super) struct Pace {
    rows: usize,
    target: Duration,
    /// What a row took in the last statement that went well.
    each: Duration,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace { rows: ROWS_FIRST, target: TARGET, each: Duration::ZERO }
    }
}

impl Pace {
    /// How many rows the next statement may have.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// How long these many rows should take.
    pub(super) fn expected(&self, rows: usize) -> Duration {
        self.each.saturating_mul(u32::try_from(rows).unwrap_or(u32::MAX))
    }

    /// A statement of some rows was committed: the next may have twice as many, unless it took too long.
    pub(super) fn went(&mut self, rows: usize, took: Duration) {
        self.each = took / u32::try_from(rows.max(1)).unwrap_or(u32::MAX);
        self.target = (self.target + self.target / 8).min(TARGET);
        if took > self.target {
            let share = self.target.as_secs_f64() / took.as_secs_f64();
            self.rows = ((rows as f64 * share) as usize).clamp(1, self.rows);
        } else if rows >= self.rows && 2 * took <= self.target {
            self.rows = (2 * self.rows).min(ROWS_MAX);
        }
    }

    /// A statement of some rows took this long in vain: the next has half as many. Some limit of the server's
    /// may be shorter than what is aimed at.
    pub(super) fn failed(&mut self, rows: usize, took: Duration) {
        self.rows = (rows / 2).clamp(1, self.rows);
        self.target = self.target.min((took / 3).max(TARGET_MIN));
    }
}
