//! When to request a token and what to log about it (docs/rules.md, "Times"). Without I/O.

use crate::backoff::Backoff;
use crate::domain::Steady;
use crate::domain::event::Event;
use crate::gateway::kick::TokenError;
use crate::repeats::Repeats;
use std::time::Duration;

/// The shortest time between two requests.
const APART: Duration = Duration::from_secs(2);

/// A stated lifetime is shortened to this: tokens may stop working early (docs/kick.md §4, §9).
const LIFE_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// The name of the failure in `Repeats`.
const TOKEN: &str = "token";

/// The state of the token and of the requests for it.
#[derive(Debug)]
pub(super) struct Plan {
    rng: fastrand::Rng,
    unavailable: Backoff,
    refused: Backoff,
    repeats: Repeats,
    /// When the last request began.
    asked: Option<Steady>,
    /// When to make the next request.
    due: Steady,
    /// When the token in use expires.
    expires: Option<Steady>,
}

impl Plan {
    /// The state at the start: there is no token, and one is requested now.
    pub(super) fn new(now: Steady, seed: u64) -> Plan {
        Plan {
            rng: fastrand::Rng::with_seed(seed),
            unavailable: Backoff::new(Duration::from_secs(1), Duration::from_secs(60)),
            refused: Backoff::new(Duration::from_secs(5), Duration::from_secs(600)),
            repeats: Repeats::default(),
            asked: None,
            due: now,
            expires: None,
        }
    }

    /// When to make the next request.
    pub(super) fn due(&self) -> Steady {
        self.due
    }

    /// When the worker has to act next: to make a request, or to stop using the token.
    pub(super) fn wake(&self) -> Steady {
        self.expires.map_or(self.due, |expires| expires.min(self.due))
    }

    /// Notes that a request begins.
    pub(super) fn asks(&mut self, now: Steady) {
        self.asked = Some(now);
    }

    /// Notes a new token. Returns the event to log, and when the token expires.
    pub(super) fn got(&mut self, now: Steady, expires_in: Duration) -> (Event, Steady) {
        let life = expires_in.min(LIFE_MAX);
        let expires = now + life;
        self.expires = Some(expires);
        self.due = self.spaced(now + life * 3 / 4);
        self.unavailable.reset();
        self.refused.reset();
        self.repeats.works(TOKEN);
        (Event::TokenRefreshed { expires_in: life }, expires)
    }

    /// Notes that the request failed. Returns the event to log, if any.
    pub(super) fn failed(&mut self, now: Steady, error: TokenError) -> Option<Event> {
        let (pause, reason, refused) = match error {
            TokenError::Refused { word, .. } => (self.refused.next(&mut self.rng), word, true),
            TokenError::Unavailable { reason, retry_after, .. } => {
                let pause = self.unavailable.next(&mut self.rng);
                (retry_after.map_or(pause, |wanted| wanted.max(pause)), reason, false)
            }
        };
        self.due = self.spaced(now + pause);
        if !self.repeats.fails(now, TOKEN, &reason) {
            return None;
        }
        let retry_in = self.due.since(now);
        Some(match refused {
            true => Event::TokenRefused { reason, retry_in },
            false => Event::TokenUnavailable { reason, retry_in },
        })
    }

    /// Notes that the cell has no token. If there was one, Kick refused it, and the next is requested now.
    pub(super) fn lost(&mut self, now: Steady) {
        if self.expires.take().is_some() {
            self.due = self.spaced(now);
        }
    }

    /// Ends the pause after a failure, if there is one: a reload asked for it.
    pub(super) fn hurry(&mut self, now: Steady) {
        if self.unavailable.tries() > 0 || self.refused.tries() > 0 {
            self.due = self.due.min(self.spaced(now));
        }
    }

    /// Returns true if the token in use has expired.
    pub(super) fn expired(&mut self, now: Steady) -> bool {
        self.expires.take_if(|expires| *expires <= now).is_some()
    }

    /// `then`, or later if that is too soon after the last request.
    fn spaced(&self, then: Steady) -> Steady {
        self.asked.map_or(then, |asked| then.max(asked + APART))
    }
}

#[cfg(test)]
mod tests {
    use super::Plan;
    use crate::domain::Steady;
    use crate::domain::ask::FailureKind;
    use crate::domain::event::Event;
    use crate::gateway::kick::TokenError;
    use std::time::Duration;

    const DAY: u64 = 24 * 3600;

    fn at(seconds: f64) -> Steady {
        Steady::after(Duration::from_secs_f64(seconds))
    }

    fn unavailable(retry_after: Option<u64>) -> TokenError {
        let retry_after = retry_after.map(Duration::from_secs);
        TokenError::Unavailable {
            kind: FailureKind::Server(None),
            reason: "storm".to_owned(),
            retry_after,
            status: None,
        }
    }

    /// A plan whose first request began at zero.
    fn asking() -> Plan {
        let mut plan = Plan::new(at(0.0), 1);
        assert_eq!(plan.due(), at(0.0));
        plan.asks(at(0.0));
        plan
    }

    #[test]
    fn a_token_is_renewed_at_three_quarters_of_its_life_and_not_believed_for_ever() {
        for (life, due, end) in [(3600, 2700.0, 3600.0), (60 * DAY, 5.25 * DAY as f64, 7.0 * DAY as f64)] {
            let mut plan = asking();
            let (event, expires) = plan.got(at(1.0), Duration::from_secs(life));
            assert_eq!((plan.due(), expires), (at(1.0 + due), at(1.0 + end)));
            assert_eq!(event, Event::TokenRefreshed { expires_in: Duration::from_secs_f64(end) });
        }
    }

    #[test]
    fn there_is_never_more_than_one_request_in_two_seconds() {
        let mut plan = asking();
        plan.got(at(0.1), Duration::from_secs(1));
        assert_eq!(plan.due(), at(2.0), "a token of one second");

        let mut plan = asking();
        plan.failed(at(0.1), unavailable(None));
        assert_eq!(plan.due(), at(2.0), "the first pause is a second");

        let mut plan = asking();
        plan.got(at(0.1), Duration::from_secs(3600));
        plan.lost(at(0.5));
        assert_eq!(plan.due(), at(2.0), "refused at once");
    }

    #[test]
    fn weather_is_waited_for_up_to_a_minute_or_as_long_as_kick_asks() {
        let mut plan = asking();
        for most in [2, 2, 4, 8, 16, 32, 60, 60] {
            let now = plan.due();
            plan.asks(now);
            plan.failed(now, unavailable(None));
            assert!(plan.due().since(now) <= Duration::from_secs(most));
            assert!(plan.due().since(now) >= Duration::from_secs(most).mul_f64(0.8));
        }
        let now = plan.due();
        plan.failed(now, unavailable(Some(300)));
        assert_eq!(plan.due(), now + Duration::from_secs(300));
    }

    #[test]
    fn refused_credentials_are_tried_rarely_and_said_once() {
        let mut plan = asking();
        let refused = || TokenError::Refused { status: 401, word: "invalid_client".to_owned() };
        let event = plan.failed(at(0.0), refused());
        assert!(matches!(event, Some(Event::TokenRefused { reason, .. }) if reason == "invalid_client"));
        assert!(plan.due() >= at(4.0) && plan.due() <= at(5.0));
        assert_eq!(plan.failed(at(5.0), refused()), None);
        assert!(matches!(plan.failed(at(9.0), unavailable(None)), Some(Event::TokenUnavailable { .. })));
        for _ in 0..20 {
            plan.failed(at(9.0), refused());
            assert!(plan.due() <= at(609.0));
        }
        plan.got(at(700.0), Duration::from_secs(3600));
        assert!(plan.failed(at(800.0), refused()).is_some(), "said anew after it was well");
    }

    #[test]
    fn who_is_in_a_hurry_ends_the_pause_after_a_failure_and_no_other() {
        let mut plan = asking();
        plan.failed(at(0.5), unavailable(Some(600)));
        assert_eq!(plan.due(), at(600.5));
        plan.hurry(at(1.0));
        assert_eq!(plan.due(), at(2.0), "never more than one request in two seconds");
        plan.asks(at(2.0));
        plan.got(at(2.5), Duration::from_secs(3600));
        plan.hurry(at(10.0));
        assert_eq!(plan.due(), at(2702.5), "the token that there is will do");
    }

    #[test]
    fn a_token_outlives_failed_renewals_and_not_its_end() {
        let mut plan = asking();
        plan.got(at(0.0), Duration::from_secs(100));
        plan.asks(at(75.0));
        plan.failed(at(75.0), unavailable(Some(60)));
        assert!(!plan.expired(at(99.0)));
        assert_eq!(plan.wake(), at(100.0), "to stop using it");
        assert!(plan.expired(at(100.0)));
        assert_eq!(plan.wake(), at(135.0));
        plan.lost(at(101.0));
        assert_eq!(plan.due(), at(135.0), "an end is no refusal");
    }
}
