//! The problems that exist at present, since when, and what they concern, for the report and for the log. They are kept
//! as they begin and end, so that a report costs the same however many streamers there are.

use crate::domain::Now;
use crate::domain::problem::{Code, Health};
use crate::domain::report::Problem;
use crate::domain::text::{escaped, shown};
use crate::domain::time::{Timestamp, to_milliseconds};
use crate::repeats::Repeats;
use std::collections::BTreeMap;

/// The most subjects of one problem that are named.
const NAMED_MAX: usize = 3;

/// The problems.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    standing: BTreeMap<Code, Standing>,
    said: Repeats,
    /// A problem began or ended since this was last reset.
    pub(super) changed: bool,
}

/// A problem that exists.
#[derive(Debug)]
struct Standing {
    since: Timestamp,
    /// What it concerns (a row, an endpoint, a channel), with the words that describe it.
    subjects: BTreeMap<String, String>,
}

impl Troubles {
    /// Notes a problem with `subject`; `words` describe it, and may come from outside. Another thread logs it, or
    /// nothing does.
    pub(super) fn note(&mut self, now: Now, code: Code, subject: &str, words: impl Into<String>) {
        let changed = &mut self.changed;
        let standing = self.standing.entry(code).or_insert_with(|| {
            *changed = true;
            Standing { since: to_milliseconds(now.wall), subjects: BTreeMap::new() }
        });
        standing.subjects.insert(subject.to_owned(), words.into());
    }

    /// Notes a problem that concerns nothing in particular if `words` is given, and ends it otherwise.
    pub(super) fn set(&mut self, now: Now, code: Code, words: Option<String>) {
        match words {
            Some(words) => self.note(now, code, "", words),
            None => self.rest(code, ""),
        }
    }

    /// Notes a problem, and returns true if it is to be logged now: when it begins, when `how` changes, and every five
    /// minutes while it lasts. `how` should not contain anything that differs each time, such as a pause.
    #[must_use]
    pub(super) fn raise(&mut self, now: Now, code: Code, subject: &str, words: impl Into<String>, how: &str) -> bool {
        self.note(now, code, subject, words);
        self.said.fails(now.steady, &name(code, subject), how)
    }

    /// The same for a fact that is logged once, until it changes.
    #[must_use]
    pub(super) fn raise_once(
        &mut self,
        now: Now,
        code: Code,
        subject: &str,
        words: impl Into<String>,
        how: &str,
    ) -> bool {
        self.note(now, code, subject, words);
        self.said.fails_once(now.steady, &name(code, subject), how)
    }

    /// Ends a problem with `subject`. Returns true if it had been logged, so that its end may be logged too.
    pub(super) fn settle(&mut self, code: Code, subject: &str) -> bool {
        self.rest(code, subject);
        self.said.works(&name(code, subject))
    }

    /// Ends a problem with `subject` that may be back at once, and is not logged as a new one then.
    pub(super) fn rest(&mut self, code: Code, subject: &str) {
        if let Some(standing) = self.standing.get_mut(&code) {
            standing.subjects.remove(subject);
            self.forget_empty(code);
        }
    }

    /// Ends the problem for every subject of `code` for which `stays` is false. Another thread logs that, or nothing
    /// does.
    pub(super) fn keep(&mut self, code: Code, mut stays: impl FnMut(&str) -> bool) {
        if let Some(standing) = self.standing.get_mut(&code) {
            standing.subjects.retain(|subject, _| stays(subject));
            self.forget_empty(code);
        }
    }

    fn forget_empty(&mut self, code: Code) {
        if self.standing.get(&code).is_some_and(|standing| standing.subjects.is_empty()) {
            self.standing.remove(&code);
            self.changed = true;
        }
    }

    /// The health that follows from all problems.
    pub(super) fn health(&self) -> Health {
        self.standing.keys().map(|code| code.facts().health).max().unwrap_or_default()
    }

    /// All problems, the worst first.
    pub(super) fn list(&self) -> Vec<Problem> {
        self.standing.iter().map(|(code, standing)| standing.told(*code)).collect()
    }
}

impl Standing {
    fn told(&self, code: Code) -> Problem {
        let facts = code.facts();
        let named = self.subjects.values().filter(|words| !words.is_empty()).take(NAMED_MAX);
        let mut text = facts.text.to_owned();
        for (n, words) in named.enumerate() {
            text.push_str(if n == 0 { ": " } else { "; " });
            // What the database says is cut where it is described, and ends with the statement to run.
            text.push_str(&if code == Code::DatabaseUnavailable { escaped(words) } else { shown(words) });
        }
        if self.subjects.len() > NAMED_MAX {
            text.push_str(&format!("; and {} more", self.subjects.len() - NAMED_MAX));
        }
        Problem { code: facts.code.to_owned(), text, remedy: facts.remedy.to_owned(), since: self.since }
    }
}

/// The name under which [`Repeats`] knows a problem.
fn name(code: Code, subject: &str) -> String {
    format!("{} {subject}", code.facts().code)
}

#[cfg(test)]
mod tests {
    use super::Troubles;
    use crate::domain::problem::{Code, Health};
    use crate::domain::time::Timestamp;
    use crate::domain::{Now, Steady};
    use std::time::Duration;

    fn at(second: u32) -> Now {
        let wall = Timestamp::from_second(second.into()).expect("a time");
        Now { steady: Steady::after(Duration::from_secs(second.into())), wall }
    }

    #[test]
    fn a_trouble_lasts_from_the_first_concerned_to_the_last() {
        let mut troubles = Troubles::default();
        for second in 1..=5 {
            troubles.note(at(second), Code::StreamerUnknown, &second.to_string(), format!("name{second}\n"));
        }
        troubles.rest(Code::StreamerUnknown, "1");
        let [told] = &troubles.list()[..] else { panic!("one problem") };
        assert_eq!((told.code.as_str(), told.since), ("streamer_unknown", at(1).wall));
        assert_eq!(
            told.text, "Kick does not know some usernames: name2\\n; name3\\n; name4\\n; and 1 more",
            "what comes from outside is escaped"
        );
        assert_eq!(troubles.health(), Health::Degraded);
        troubles.set(at(9), Code::DatabaseUnavailable, Some(String::new()));
        assert_eq!(troubles.health(), Health::Failing);
        assert_eq!(troubles.list()[0].code, "db_unavailable", "the worst comes first");
        troubles.set(at(10), Code::DatabaseUnavailable, None);
        troubles.keep(Code::StreamerUnknown, |subject| subject == "7");
        assert_eq!((troubles.health(), troubles.list().len()), (Health::Ok, 0));
    }

    #[test]
    fn only_what_comes_or_goes_is_a_change() {
        let mut troubles = Troubles::default();
        for (subject, changes) in [("a", true), ("b", false), ("a", false)] {
            troubles.note(at(1), Code::ApiError, subject, "");
            assert_eq!(std::mem::take(&mut troubles.changed), changes, "{subject}");
        }
        for (subject, changes) in [("a", false), ("z", false), ("b", true), ("b", false)] {
            troubles.settle(Code::ApiError, subject);
            assert_eq!(std::mem::take(&mut troubles.changed), changes, "{subject}");
        }
    }

    #[test]
    fn what_rests_is_not_logged_again_until_it_is_settled() {
        let mut troubles = Troubles::default();
        let mut raise = |second, how| troubles.raise(at(second), Code::SubscriptionFailed, "7", "", how);
        assert_eq!([raise(0, "a"), raise(1, "a"), raise(2, "b"), raise(3, "b")], [true, false, true, false]);
        troubles.rest(Code::SubscriptionFailed, "7");
        assert_eq!(troubles.health(), Health::Ok);
        assert!(!troubles.raise(at(4), Code::SubscriptionFailed, "7", "", "b"));
        assert!(troubles.settle(Code::SubscriptionFailed, "7"), "it had been logged");
        assert!(!troubles.settle(Code::SubscriptionFailed, "7"));
        assert!(troubles.raise(at(5), Code::SubscriptionFailed, "7", "", "b"));
    }
}
