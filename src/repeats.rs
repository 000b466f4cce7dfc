//! When to speak of a failure that goes on: as it starts, as it changes, every five minutes while it
//! lasts, and as it ends (kick-monitor(8), LOG). A tool without opinions about what a failure is.

use crate::domain::Steady;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a failure that goes on unchanged is not spoken of.
const SILENCE: Duration = Duration::from_secs(300);

/// What fails at present, and when it was last spoken of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Repeats {
    failing: BTreeMap<String, (String, Steady)>,
}

impl Repeats {
    /// `what` failed in the manner `how`: whether to say so now. `how` should hold nothing that
    /// differs each time, such as a pause.
    pub(crate) fn fails(&mut self, now: Steady, what: &str, how: &str) -> bool {
        match self.failing.get_mut(what) {
            Some((before, said)) if before == how && now.since(*said) < SILENCE => false,
            _ => {
                self.failing.insert(what.to_owned(), (how.to_owned(), now));
                true
            }
        }
    }

    /// The same for what is no failure that goes on but a fact to be said once, until it changes.
    pub(crate) fn fails_once(&mut self, now: Steady, what: &str, how: &str) -> bool {
        if self.failing.get(what).is_some_and(|(before, _)| before == how) {
            return false;
        }
        self.fails(now, what, how)
    }

    /// `what` works: whether it did not before, and its end is to be said.
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
        let at = |s| Steady(Duration::from_secs(s));
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
