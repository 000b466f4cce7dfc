//! Exponential backoff with jitter: how long to wait before the next try. The callers choose the limits
//! (docs/rules.md, "Times").

use std::time::Duration;

/// The pause before a try after this many that failed: `first`, doubling up to `most`.
pub(crate) fn doubled((first, most): (Duration, Duration), failed: u32) -> Duration {
    first.saturating_mul(1_u32.checked_shl(failed).unwrap_or(u32::MAX)).min(most)
}

/// Pauses that double from `first` to `most`. Each is shortened by a random part of up to a fifth, so that clients
/// which failed together do not retry together.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    first: Duration,
    most: Duration,
    tries: u32,
}

impl Backoff {
    pub(crate) fn new(first: Duration, most: Duration) -> Backoff {
        Backoff { first, most, tries: 0 }
    }

    pub(crate) fn next(&mut self, rng: &mut fastrand::Rng) -> Duration {
        let pause = doubled((self.first, self.most), self.tries);
        self.tries = (self.tries + 1).min(31);
        pause.mul_f64(1.0 - rng.f64() / 5.0)
    }

    /// The number of pauses returned since the last reset.
    pub(crate) fn tries(&self) -> u32 {
        self.tries
    }

    /// Call after a success: the next pause is `first` again.
    pub(crate) fn reset(&mut self) {
        self.tries = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::Backoff;
    use std::time::Duration;

    #[test]
    fn pauses_double_up_to_the_most_and_start_anew_after_a_reset() {
        let mut rng = fastrand::Rng::with_seed(1);
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));
        for most in [1, 2, 4, 8, 16, 30, 30, 30] {
            let pause = backoff.next(&mut rng);
            assert!(pause <= Duration::from_secs(most), "{pause:?} is over {most} s");
            assert!(pause >= Duration::from_secs(most).mul_f64(0.8), "{pause:?} is jittered too much");
        }
        backoff.reset();
        assert!(backoff.next(&mut rng) <= Duration::from_secs(1));
    }

    #[test]
    fn it_never_overflows() {
        let mut rng = fastrand::Rng::with_seed(1);
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        for _ in 0..100 {
            assert!(backoff.next(&mut rng) <= Duration::from_secs(5));
        }
    }
}
