//! Decides when a lasting failure is logged: when it starts, when it changes, every five minutes while it lasts, and
//! when it ends (kick-monitor(8), LOG). The callers decide what counts as a failure.

use crate::domain::Steady;
use std::collections::BTreeMap;
use std::time::Duration;

/// The interval at which an unchanged failure is logged again.
const SILENCE: Duration = Duration::from_secs(300);

/// The failures that last at present: what fails, how, and when it was last logged.
#[derive(Clone, Debug, Default)]
pub(crate) struct Repeats {
    failing: BTreeMap<String, (String, Steady)>,
}

impl Repeats {
    /// Notes that `what` failed in the manner `how`; returns true if that is to be logged now. `how` must not contain
    /// anything that differs at each try, such as a pause, or each try would be logged.
    pub(crate) fn fails(&mut self, now: Steady, what: &str, how: &str) -> bool {
        match self.failing.get_mut(what) {
            Some((before, said)) if before == how && now.since(*said) < SILENCE => false,
            _ => {
                self.failing.insert(what.to_owned(), (how.to_owned(), now));
                true
            }
        }
    }

    /// As [`Repeats::fails`], for a lasting fact: it is logged once, and again only when `how` changes.
    pub(crate) fn fails_once(&mut self, now: Steady, what: &str, how: &str) -> bool {
        if self.failing.get(what).is_some_and(|(before, _)| before == how) {
            return false;
        }
        self.fails(now, what, how)
    }

    /// Notes that `what` works; returns true if it had failed, so that the recovery is to be logged.
    pub(crate) fn works(&mut self, what: &str) -> bool {
        self.failing.remove(what).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::Repeats;
    use crate::domain::Steady;
    use std::time::Duration;

    #[test]
    fn a_failure_is_said_when_it_starts_changes_lasts_and_ends() {
        let at = |s| Steady::after(Duration::from_secs(s));
        let mut repeats = Repeats::default();
        assert!(repeats.fails(at(0), "api", "timeout"));
        assert!(!repeats.fails(at(299), "api", "timeout"));
        assert!(repeats.fails(at(300), "api", "timeout"));
        assert!(repeats.fails(at(301), "api", "refused"));
        assert!(!repeats.fails(at(302), "api", "refused"));
        assert!(repeats.works("api"));
        assert!(!repeats.works("api"));
        assert!(repeats.fails(at(303), "api", "refused"));
    }
}
