//! How many rows go into one statement, by what rows took before: a table whose triggers take 300 ms per row gets one
//! row at a time, another one a thousand.

use std::time::Duration;

/// The number of rows at first, when the table's speed is not known.
const ROWS_FIRST: usize = 32;
/// More rows would gain nothing, and a refused row among them would delay the others for longer.
const ROWS_MAX: usize = 1000;
/// The duration at which statements are aimed. Rows that arrive in the meantime wait for it.
const TARGET: Duration = Duration::from_millis(500);
/// The shortest such duration, however short the role's statement time-out is.
const TARGET_MIN: Duration = Duration::from_millis(20);

/// The pace of one lane.
#[derive(Debug)]
pub(super) struct Pace {
    rows: usize,
    target: Duration,
    /// The time per row in the last successful statement.
    each: Duration,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace { rows: ROWS_FIRST, target: TARGET, each: Duration::ZERO }
    }
}

impl Pace {
    /// The number of rows that the next statement may have.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// The expected duration of a statement with this many rows.
    pub(super) fn expected(&self, rows: usize) -> Duration {
        self.each.saturating_mul(u32::try_from(rows).unwrap_or(u32::MAX))
    }

    /// Notes that a statement was committed: the next may have twice as many rows, unless it took too long.
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

    /// Notes that a statement failed after this time: the next has half as many rows. A time limit of the server may
    /// be shorter than the duration aimed at.
    pub(super) fn failed(&mut self, rows: usize, took: Duration) {
        self.rows = (rows / 2).clamp(1, self.rows);
        self.target = self.target.min((took / 3).max(TARGET_MIN));
    }
}
