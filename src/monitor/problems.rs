//! What is wrong at present, since when, and with whom: kept as it begins and ends, so that telling
//! costs nothing however many streamers there are.

use crate::domain::problem::{Code, Health};
use crate::domain::report::Problem;
use crate::domain::text::shown;
use crate::domain::time::{Timestamp, to_milliseconds};
use std::collections::BTreeMap;

/// So many of those concerned are named.
const NAMED_MAX: usize = 3;

/// The problems.
#[derive(Debug, Default)]
pub(super) struct Problems {
    standing: BTreeMap<Code, Standing>,
    /// A problem came or went since this was last taken back.
    pub(super) changed: bool,
}

/// One that there is.
#[derive(Debug)]
struct Standing {
    since: Timestamp,
    /// Whom it concerns (a row, an endpoint, a channel), and in what words that is told.
    subjects: BTreeMap<String, String>,
}

impl Problems {
    /// There is this problem with `subject`; `words` name it, and may come from outside.
    pub(super) fn raise(&mut self, now: Timestamp, code: Code, subject: &str, words: impl Into<String>) {
        let changed = &mut self.changed;
        let standing = self.standing.entry(code).or_insert_with(|| {
            *changed = true;
            Standing { since: to_milliseconds(now), subjects: BTreeMap::new() }
        });
        standing.subjects.insert(subject.to_owned(), words.into());
    }

    /// There is not, or not any more.
    pub(super) fn settle(&mut self, code: Code, subject: &str) {
        let Some(standing) = self.standing.get_mut(&code) else { return };
        standing.subjects.remove(subject);
        if standing.subjects.is_empty() {
            self.standing.remove(&code);
            self.changed = true;
        }
    }

    /// There is, or there is not.
    pub(super) fn set(&mut self, now: Timestamp, code: Code, words: Option<String>) {
        match words {
            Some(words) => self.raise(now, code, "", words),
            None => self.settle(code, ""),
        }
    }

    /// Whoever `stays` is not asked of any more.
    pub(super) fn settle_all_but(&mut self, code: Code, mut stays: impl FnMut(&str) -> bool) {
        let Some(standing) = self.standing.get_mut(&code) else { return };
        standing.subjects.retain(|subject, _| stays(subject));
        if standing.subjects.is_empty() {
            self.standing.remove(&code);
            self.changed = true;
        }
    }

    /// How all of them together leave the daemon.
    pub(super) fn health(&self) -> Health {
        self.standing.keys().map(|code| code.facts().health).max().unwrap_or_default()
    }

    /// All of them, the worst first.
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
            text.push_str(&shown(words));
        }
        if self.subjects.len() > NAMED_MAX {
            text.push_str(&format!("; and {} more", self.subjects.len() - NAMED_MAX));
        }
        Problem { code: facts.code.to_owned(), text, remedy: facts.remedy.to_owned(), since: self.since }
    }
}

#[cfg(test)]
mod tests {
    use super::Problems;
    use crate::domain::problem::{Code, Health};
    use crate::domain::time::Timestamp;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    #[test]
    fn a_problem_lasts_from_the_first_concerned_to_the_last() {
        let mut problems = Problems::default();
        for second in 1..=5 {
            problems.raise(at(second), Code::StreamerUnknown, &second.to_string(), format!("name{second}\n"));
        }
        problems.settle(Code::StreamerUnknown, "1");
        let [told] = &problems.list()[..] else { panic!("one problem") };
        assert_eq!((told.code.as_str(), told.since), ("streamer_unknown", at(1)));
        assert_eq!(
            told.text, "Kick does not know some usernames: name2\\n; name3\\n; name4\\n; and 1 more",
            "what comes from outside is escaped"
        );
        assert_eq!(problems.health(), Health::Degraded);
        problems.set(at(9), Code::DatabaseUnavailable, Some(String::new()));
        assert_eq!(problems.health(), Health::Failing);
        assert_eq!(problems.list()[0].code, "db_unavailable", "the worst comes first");
        problems.set(at(10), Code::DatabaseUnavailable, None);
        problems.settle_all_but(Code::StreamerUnknown, |subject| subject == "7");
        assert_eq!((problems.health(), problems.list().len()), (Health::Ok, 0));
    }

    #[test]
    fn only_what_comes_or_goes_is_a_change() {
        let mut problems = Problems::default();
        for (subject, changes) in [("a", true), ("b", false), ("a", false)] {
            problems.raise(at(1), Code::ApiError, subject, "");
            assert_eq!(std::mem::take(&mut problems.changed), changes, "{subject}");
        }
        for (subject, changes) in [("a", false), ("z", false), ("b", true), ("b", false)] {
            problems.settle(Code::ApiError, subject);
            assert_eq!(std::mem::take(&mut problems.changed), changes, "{subject}");
        }
    }
}
