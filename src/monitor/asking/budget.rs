//! The one budget for all requests to Kick (R22, `API_REQUESTS_PER_MINUTE`): token buckets that never allow more than
//! the configured number in any one minute, keep a reserve for urgent requests, and shrink when the API answers 429.

use crate::domain::Steady;
use std::time::Duration;

/// The urgency of a request. The lower classes leave a reserve in the bucket for the higher ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// New rows, new subscriptions, hand edits.
    Fresh,
    /// Second looks.
    Second,
    /// The routine sweep.
    Routine,
    /// Quick turns of streamers that push does not cover (R23).
    Uncovered,
    /// Look-ups of ids and of unknown names.
    LookUp,
}

impl Class {
    /// The share of the bucket that this class leaves as a reserve.
    fn spared(self) -> f64 {
        match self {
            Class::Fresh | Class::Second => 0.0,
            Class::Routine => 0.3,
            Class::Uncovered | Class::LookUp => 0.5,
        }
    }
}

/// The two buckets that a request to the API passes.
#[derive(Debug)]
pub(crate) struct Budget {
    /// All requests to Kick, as many as are configured.
    all: Bucket,
    /// Those to the API, as many as Kick allows at present. What others are asked does not keep it from being asked.
    api: Bucket,
    raised: Steady,
}

#[derive(Debug)]
struct Bucket {
    /// Requests per minute.
    rate: f64,
    tokens: f64,
    filled: Steady,
}

impl Bucket {
    fn new(rate: f64) -> Bucket {
        let mut bucket = Bucket { rate, tokens: 0.0, filled: Steady::default() };
        bucket.tokens = bucket.capacity();
        bucket
    }

    /// The most requests that may go out at once. A minute refills the rest of the rate, so that no minute has more
    /// requests than the rate.
    fn capacity(&self) -> f64 {
        (self.rate / 6.0).max(1.0)
    }

    fn per_second(&self) -> f64 {
        (self.rate - self.capacity()).max(self.rate / 2.0) / 60.0
    }

    fn set(&mut self, rate: f64) {
        self.rate = rate;
        self.tokens = self.tokens.min(self.capacity());
    }

    fn fill(&mut self, now: Steady) {
        let gained = now.since(self.filled).as_secs_f64() * self.per_second();
        self.filled = now;
        self.tokens = (self.tokens + gained).min(self.capacity());
    }

    /// The tokens that a request of this class needs. A small bucket keeps no reserve.
    fn needed(&self, class: Class) -> f64 {
        (1.0 + class.spared() * self.capacity()).min(self.capacity())
    }

    fn ready_at(&self, now: Steady, class: Class) -> Steady {
        let missing = self.needed(class) - self.tokens;
        if missing <= 1e-9 {
            return now;
        }
        now + Duration::from_secs_f64(missing / self.per_second()).max(Duration::from_millis(1))
    }
}

impl Budget {
    pub(crate) fn new(per_minute: u32) -> Budget {
        let most = f64::from(per_minute);
        Budget { all: Bucket::new(most), api: Bucket::new(most), raised: Steady::default() }
    }

    /// Sets the configured number. A rate that Kick's refusals have made lower stays.
    pub(crate) fn set(&mut self, per_minute: u32) {
        let most = f64::from(per_minute);
        self.api.set(if self.api.rate < self.all.rate { self.api.rate.min(most) } else { most });
        self.all.set(most);
    }

    fn fill(&mut self, now: Steady) {
        // Additive increase: a twentieth of the whole for each minute without a 429.
        while self.api.rate < self.all.rate && now.since(self.raised) >= Duration::from_secs(60) {
            self.raised = self.raised + Duration::from_secs(60);
            self.api.rate = (self.api.rate + self.all.rate / 20.0).min(self.all.rate);
        }
        self.all.fill(now);
        self.api.fill(now);
    }

    /// When a request of this class may go out: `now`, or a later time.
    pub(crate) fn ready_at(&mut self, now: Steady, class: Class) -> Steady {
        self.fill(now);
        self.all.ready_at(now, class).max(self.api.ready_at(now, class))
    }

    /// Counts requests to the API that went out.
    pub(crate) fn spend(&mut self, now: Steady, count: u32) {
        self.spend_elsewhere(now, count);
        self.api.tokens -= f64::from(count);
    }

    /// Counts requests to others than the API, which never wait for the budget.
    pub(crate) fn spend_elsewhere(&mut self, now: Steady, count: u32) {
        self.fill(now);
        self.all.tokens -= f64::from(count);
    }

    /// The API refused a request for being one too many: multiplicative decrease.
    pub(crate) fn refused(&mut self, now: Steady) {
        self.fill(now);
        let most = self.all.rate;
        self.api.rate = (self.api.rate / 2.0).max((most / 20.0).max(1.0)).min(most);
        self.raised = now;
        self.api.tokens = self.api.tokens.min(0.0);
    }

    /// How long this many requests take.
    pub(crate) fn time_for(&self, requests: usize) -> Duration {
        Duration::from_secs_f64(requests as f64 / self.api.per_second())
    }
}

#[cfg(test)]
mod tests {
    use super::{Budget, Class};
    use crate::domain::Steady;
    use std::time::Duration;

    fn at(millis: u64) -> Steady {
        Steady::after(Duration::from_millis(millis))
    }

    /// The times, in milliseconds, of the requests of a class within `limit_ms`, if each goes out as soon as it may.
    fn times(budget: &mut Budget, class: Class, limit_ms: u64) -> Vec<u64> {
        let mut now = at(0);
        let mut times = Vec::new();
        while now < at(limit_ms) {
            let ready = budget.ready_at(now, class);
            if ready == now {
                budget.spend(now, 1);
                times.push(now.elapsed().as_millis() as u64);
            } else {
                now = ready;
            }
        }
        times
    }

    #[test]
    fn no_minute_ever_sees_more_than_the_budget() {
        for per_minute in [1, 2, 5, 20, 60, 600, 6000] {
            let times = times(&mut Budget::new(per_minute), Class::Fresh, 300_000);
            for (n, start) in times.iter().enumerate() {
                let within = times[n..].iter().take_while(|t| **t < start + 60_000).count();
                assert!(within <= per_minute as usize, "{within} requests in a minute of {per_minute}");
            }
            let least = (per_minute as usize * 4).saturating_sub(1);
            assert!(times.len() >= least / 2, "{} of {per_minute} a minute is too few", times.len());
        }
    }

    #[test]
    fn what_is_urgent_finds_something_left() {
        let mut budget = Budget::new(60);
        let mut now = at(0);
        for _ in 0..50 {
            now = budget.ready_at(now, Class::LookUp).max(now);
            budget.spend(now, 1);
        }
        assert_eq!(budget.ready_at(now, Class::Fresh), now);
        assert!(budget.ready_at(now, Class::Routine) > now || budget.ready_at(now, Class::LookUp) > now);
    }

    #[test]
    fn what_others_are_asked_keeps_the_api_from_nothing_that_it_allows() {
        let mut budget = Budget::new(60);
        (0..10).for_each(|_| budget.refused(at(0)));
        let mut asked = 0;
        for second in 0..120 {
            let now = at(second * 1000);
            if second % 12 == 0 {
                budget.spend_elsewhere(now, 1);
            }
            if budget.ready_at(now, Class::Routine) == now {
                budget.spend(now, 1);
                asked += 1;
            }
        }
        assert!((4..=9).contains(&asked), "{asked} in two minutes of 3 and 6");
    }

    #[test]
    fn a_429_halves_the_rate_and_time_restores_it() {
        let mut budget = Budget::new(60);
        budget.refused(at(0));
        let first = times(&mut budget, Class::Fresh, 60_000).len();
        assert!((20..=31).contains(&first), "{first} in the minute after a 429");
        let mut now = at(60_000);
        for minute in 2..=12 {
            now = at(minute * 60_000);
            budget.ready_at(now, Class::Fresh);
        }
        assert_eq!(budget.api.rate, 60.0, "restored at {now:?}");
    }
}
