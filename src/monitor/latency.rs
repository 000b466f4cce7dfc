//! How long changes took from the push frame to the commit: the histogram of all, and percentiles of the latest.

use crate::domain::report::{Histogram, LatencyMs};
use std::collections::VecDeque;
use std::time::Duration;

/// The upper bounds of the buckets, in seconds: from a commit that does not wait for the disk to a database that was
/// away.
const BOUNDS: [f64; 15] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0];

/// The number of latest changes of which the percentiles are taken.
const LAST_MAX: usize = 1000;

/// The measurements.
#[derive(Debug, Default)]
pub(super) struct Latency {
    last: VecDeque<Duration>,
    /// The number of changes between each bound and the one before it.
    fell: [u64; BOUNDS.len()],
    count: u64,
    sum: Duration,
}

impl Latency {
    pub(super) fn took(&mut self, lag: Duration) {
        if self.last.len() == LAST_MAX {
            self.last.pop_front();
        }
        self.last.push_back(lag);
        self.count += 1;
        self.sum = self.sum.saturating_add(lag);
        if let Some(bound) = BOUNDS.iter().position(|bound| lag.as_secs_f64() <= *bound) {
            self.fell[bound] += 1;
        }
    }

    /// Each bucket includes those before it, as Prometheus expects.
    pub(super) fn histogram(&self) -> Histogram {
        let mut so_far = 0;
        let cumulative = BOUNDS.iter().zip(self.fell).map(|(bound, fell)| {
            so_far += fell;
            (*bound, so_far)
        });
        Histogram { buckets: cumulative.collect(), count: self.count, sum: self.sum.as_secs_f64() }
    }

    pub(super) fn percentiles(&self) -> LatencyMs {
        let mut sorted: Vec<Duration> = self.last.iter().copied().collect();
        sorted.sort_unstable();
        // The nearest rank: of 100 values the 99th, of a single one that one.
        let rank = |percent: usize| {
            let rank = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
            sorted.get(rank).map(|lag| (lag.as_secs_f64() * 1e6).round() / 1e3)
        };
        LatencyMs { p50: rank(50), p99: rank(99) }
    }
}

#[cfg(test)]
mod tests {
    use super::{LAST_MAX, Latency};
    use crate::domain::report::LatencyMs;
    use std::time::Duration;

    #[test]
    fn percentiles_are_of_the_last_ones_and_the_histogram_is_of_all() {
        let mut latency = Latency::default();
        assert_eq!(latency.percentiles(), LatencyMs { p50: None, p99: None });
        for _ in 0..7 {
            latency.took(Duration::from_secs(3600));
        }
        for millis in 1..=LAST_MAX as u64 {
            latency.took(Duration::from_millis(millis));
        }
        assert_eq!(latency.percentiles(), LatencyMs { p50: Some(500.0), p99: Some(990.0) });
        let histogram = latency.histogram();
        assert_eq!((histogram.count, histogram.buckets.last()), (1007, Some(&(600.0, 1000))));
        assert_eq!(histogram.buckets.iter().find(|(bound, _)| *bound == 0.1), Some(&(0.1, 100)));
        assert!(histogram.buckets.is_sorted());
        assert!((histogram.sum - (7.0 * 3600.0 + 500.5)).abs() < 1e-6, "{}", histogram.sum);
    }
}
