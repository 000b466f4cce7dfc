//! When a failed worker is restarted, and when that is given up. Without I/O.

use crate::backoff::Backoff;
use crate::domain::Steady;
use std::collections::VecDeque;
use std::time::Duration;

/// The most restarts within [`WINDOW`].
const RESTARTS_MAX: usize = 5;

/// How long a failure counts.
const WINDOW: Duration = Duration::from_secs(300);

/// The recent failures of one worker.
#[derive(Debug)]
pub(super) struct Restarts {
    recent: VecDeque<Steady>,
    backoff: Backoff,
}

/// What to do about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AfterFailure {
    /// Restart the worker after this pause.
    RestartAfter(Duration),
    /// The worker fails too often.
    GiveUp,
}

impl Default for Restarts {
    fn default() -> Restarts {
        Restarts { recent: VecDeque::new(), backoff: Backoff::new(Duration::from_secs(1), Duration::from_secs(30)) }
    }
}

impl Restarts {
    /// The worker's thread could not be started, which does not count as a failure. Returns the pause before the next
    /// try.
    pub(super) fn not_begun(&mut self, rng: &mut fastrand::Rng) -> Duration {
        self.backoff.next(rng)
    }

    /// Notes that the worker failed.
    pub(super) fn failed(&mut self, now: Steady, rng: &mut fastrand::Rng) -> AfterFailure {
        self.recent.retain(|failure| now.since(*failure) < WINDOW);
        if self.recent.len() >= RESTARTS_MAX {
            return AfterFailure::GiveUp;
        }
        if self.recent.is_empty() {
            self.backoff.reset();
        }
        self.recent.push_back(now);
        AfterFailure::RestartAfter(self.backoff.next(rng))
    }
}

#[cfg(test)]
mod tests {
    use super::{AfterFailure, Restarts};
    use crate::domain::Steady;
    use std::time::Duration;

    /// The pauses after failures at these times, in whole seconds and without jitter.
    fn pauses(failures: impl IntoIterator<Item = u64>) -> Vec<Option<u64>> {
        let (mut restarts, mut rng) = (Restarts::default(), fastrand::Rng::with_seed(1));
        let pause = |at| match restarts.failed(Steady::after(Duration::from_secs(at)), &mut rng) {
            AfterFailure::RestartAfter(pause) => {
                [1_u32, 2, 4, 8, 16, 30].into_iter().find(|most| pause.as_secs_f64() <= f64::from(*most)).map(u64::from)
            }
            AfterFailure::GiveUp => None,
        };
        failures.into_iter().map(pause).collect()
    }

    #[test]
    fn the_sixth_failure_in_five_minutes_is_one_too_many() {
        assert_eq!(pauses([0, 1, 3, 7, 15, 31]), [Some(1), Some(2), Some(4), Some(8), Some(16), None]);
        assert_eq!(pauses([0, 74, 148, 222, 296, 299]).last(), Some(&None));
    }

    #[test]
    fn a_worker_that_cannot_be_begun_is_never_given_up() {
        let (mut restarts, mut rng) = (Restarts::default(), fastrand::Rng::with_seed(1));
        let pauses: Vec<Duration> = (0..100).map(|_| restarts.not_begun(&mut rng)).collect();
        assert!(pauses[0] <= Duration::from_secs(1) && pauses[99] <= Duration::from_secs(30));
        let failed = restarts.failed(Steady::after(Duration::from_secs(2000)), &mut rng);
        assert!(matches!(failed, AfterFailure::RestartAfter(_)), "it has not failed yet");
    }

    #[test]
    fn failures_are_forgotten_after_five_minutes() {
        assert_eq!(pauses([0, 60, 360, 660]), [Some(1), Some(2), Some(1), Some(1)]);
    }

    #[test]
    fn a_worker_that_fails_now_and_then_for_ever_waits_half_a_minute() {
        assert_eq!(pauses((0..20).map(|n| n * 75))[5..], [Some(30); 15]);
    }
}
