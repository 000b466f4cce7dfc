//! How Kick is asked by a command: no faster than the budget allows, and again, within reason, after a failure. Pure.

use crate::domain::Steady;
use crate::domain::ask::FailureKind;
use std::time::Duration;

/// The longest pause that is waited out.
const PAUSE_MAX: Duration = Duration::from_secs(120);
/// The first pause after 429 without `Retry-After`; each further one is twice as long.
const TOO_MANY: Duration = Duration::from_secs(10);
/// The first pause after a block that came in the midst of answers, likewise.
const BLOCKED: Duration = Duration::from_secs(30);
/// The first pause after any other failure; each further one is four times as long.
const FAILED: Duration = Duration::from_secs(1);
/// The longest distance between two requests.
const EVERY_MAX: Duration = Duration::from_secs(10);

/// Keeps requests apart.
#[derive(Clone, Copy, Debug)]
pub(in crate::process) struct Pace {
    every: Duration,
    next: Steady,
}

impl Pace {
    pub(in crate::process) fn new(requests_per_minute: u32) -> Pace {
        Pace { every: Duration::from_secs(60) / requests_per_minute.max(1), next: Steady::default() }
    }

    /// How long the next request has to wait; from then on, another has to.
    pub(in crate::process) fn wait(&mut self, now: Steady) -> Duration {
        let wait = self.next.since(now);
        self.next = now + wait + self.every;
        wait
    }

    /// Kick wants fewer requests.
    pub(super) fn slow_down(&mut self) {
        self.every = (self.every * 2).min(EVERY_MAX.max(self.every));
    }
}

/// What follows a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// The same question after a pause.
    Again(Duration),
    /// The next question.
    Pass,
    /// No more questions to this endpoint.
    GiveUp,
}

/// How often one endpoint has failed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Patience {
    /// It has answered at least once.
    works: bool,
    /// Failures of the question that is asked now.
    tries: u32,
    /// Questions in a row that were passed over.
    passed: u32,
}

impl Patience {
    /// The endpoint has answered.
    pub(super) fn answered(&mut self) {
        *self = Patience { works: true, ..Patience::default() };
    }

    /// The endpoint has failed.
    pub(super) fn failed(&mut self, kind: FailureKind) -> Then {
        let before = self.tries;
        self.tries += 1;
        let (pause, most) = match kind {
            FailureKind::RateLimited(wanted) => (wanted.unwrap_or(TOO_MANY * 2_u32.pow(before.min(8))), 4),
            // A machine that is blocked is blocked from the first request on, and stays so.
            FailureKind::Blocked if !self.works => return Then::GiveUp,
            FailureKind::Blocked => (BLOCKED * 2_u32.pow(before.min(8)), 2),
            FailureKind::NoToken | FailureKind::Unauthorized => return Then::GiveUp,
            FailureKind::Server(wanted) => (wanted.unwrap_or(FAILED * 4_u32.pow(before.min(8))), 2),
            FailureKind::BadRequest | FailureKind::NotFound | FailureKind::Garbage | FailureKind::Network(_) => {
                (FAILED * 4_u32.pow(before.min(8)), 2)
            }
        };
        if before < most && pause <= PAUSE_MAX {
            return Then::Again(pause);
        }
        // One question may be too much for Kick without any other being so.
        let of_the_question = !matches!(kind, FailureKind::RateLimited(_) | FailureKind::Blocked);
        self.tries = 0;
        self.passed += 1;
        if of_the_question && self.works && self.passed < 3 { Then::Pass } else { Then::GiveUp }
    }
}

#[cfg(test)]
mod tests {
    use super::{Pace, Patience, Then};
    use crate::domain::Steady;
    use crate::domain::ask::{FailureKind, Phase};
    use std::time::Duration;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    const SILENT: FailureKind = FailureKind::Network(Phase::Answer);

    /// What follows each of these failures of one endpoint.
    fn course(patience: &mut Patience, kinds: impl IntoIterator<Item = FailureKind>) -> Vec<Then> {
        kinds.into_iter().map(|kind| patience.failed(kind)).collect()
    }

    fn working() -> Patience {
        let mut patience = Patience::default();
        patience.answered();
        patience
    }

    #[test]
    fn requests_are_as_far_apart_as_the_budget_says() {
        let mut pace = Pace::new(60);
        let at = |milliseconds| Steady::after(Duration::from_millis(milliseconds));
        assert_eq!(pace.wait(at(0)), Duration::ZERO, "the first need not wait");
        assert_eq!(pace.wait(at(400)), Duration::from_millis(600));
        assert_eq!(pace.wait(at(1000)), seconds(1));
        assert_eq!(pace.wait(at(9000)), Duration::ZERO, "who was slow need not wait, and has saved up nothing");
        assert_eq!(pace.wait(at(9000)), seconds(1));
        pace.slow_down();
        assert_eq!(pace.wait(at(10_000)), seconds(1));
        assert_eq!(pace.wait(at(11_000)), seconds(2));
        (0..9).for_each(|_| pace.slow_down());
        pace.wait(at(60_000));
        assert_eq!(pace.wait(at(60_000)), seconds(10));
        let mut slow = Pace::new(1);
        slow.slow_down();
        slow.wait(at(0));
        assert_eq!(slow.wait(at(0)), seconds(60), "it is slower already");
    }

    #[test]
    fn a_rate_limit_is_waited_out_within_reason() {
        let kind = FailureKind::RateLimited;
        let again = |length| Then::Again(seconds(length));
        assert_eq!(course(&mut working(), [kind(Some(seconds(7))); 2]), [again(7), again(7)]);
        let course_of = course(&mut working(), [kind(None); 5]);
        assert_eq!(course_of, [again(10), again(20), again(40), again(80), Then::GiveUp]);
        assert_eq!(course(&mut Patience::default(), [kind(None)]), [again(10)], "from the first request on, too");
        assert_eq!(course(&mut working(), [kind(Some(seconds(600)))]), [Then::GiveUp]);
    }

    #[test]
    fn a_block_from_the_beginning_is_not_waited_out() {
        assert_eq!(course(&mut Patience::default(), [FailureKind::Blocked]), [Then::GiveUp]);
        let later = course(&mut working(), [FailureKind::Blocked; 3]);
        assert_eq!(later, [Then::Again(seconds(30)), Then::Again(seconds(60)), Then::GiveUp]);
    }

    #[test]
    fn one_question_that_fails_is_passed_over_and_three_in_a_row_are_the_end() {
        let (again, mut patience) = ([1, 4].map(|pause| Then::Again(seconds(pause))), working());
        for end in [Then::Pass, Then::Pass, Then::GiveUp] {
            let kinds = [SILENT, FailureKind::Garbage, FailureKind::Server(None)];
            assert_eq!(course(&mut patience, kinds), [again[0], again[1], end]);
        }
        let mut patience = Patience::default();
        let course = course(&mut patience, [SILENT; 3]);
        assert_eq!(course, [again[0], again[1], Then::GiveUp], "nobody is there");
        patience.answered();
        assert_eq!(patience.failed(FailureKind::Server(Some(seconds(3)))), Then::Again(seconds(3)));
    }
}
