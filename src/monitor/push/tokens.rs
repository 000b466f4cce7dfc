//! Guest tokens for the links that want one (docs/kick.md §1.4): when Kick is asked for another, and who gets it.

use crate::backoff::Backoff;
use crate::domain::Steady;
use crate::domain::ask::{Failure, FailureKind};
use crate::domain::push::LinkId;
use crate::domain::secret::Secret;
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

/// All who want a token within this get the same one, each of them once: after a loss, a hundred links
/// want one at once, and where one was refused the next connection must bring another.
const SHARED: Duration = Duration::from_secs(2);
/// Between two requests for a token of which the first failed.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// Tokens that may be asked for at once, and how often one more after those: tokens that live for no time
/// must not take the budget of requests from everybody else.
const ALLOWED: (usize, Duration) = (10, Duration::from_secs(10));

/// The links that want a token, and the last one that came.
#[derive(Debug)]
pub(super) struct Tokens {
    token: Option<(Steady, Secret)>,
    /// Who was given that token. Who comes again wants another.
    given: BTreeSet<LinkId>,
    wanting: BTreeSet<LinkId>,
    /// Kick is not asked for one before.
    not_before: Steady,
    retry: Backoff,
    /// When each of the last tokens was asked for, as far as that still counts.
    fetched: VecDeque<Steady>,
}

impl Tokens {
    pub(super) fn new() -> Tokens {
        Tokens {
            token: None,
            given: BTreeSet::new(),
            wanting: BTreeSet::new(),
            not_before: Steady::default(),
            retry: Backoff::new(RETRY.0, RETRY.1),
            fetched: VecDeque::new(),
        }
    }

    /// A link wants one that it was not given before.
    pub(super) fn want(&mut self, link: LinkId) {
        self.wanting.insert(link);
    }

    /// The link's connection is over.
    pub(super) fn want_no_more(&mut self, link: LinkId) {
        self.wanting.remove(&link);
    }

    /// A token may be why a link was refused.
    pub(super) fn doubt(&mut self) {
        self.token = None;
    }

    /// Gives the last token to those who want one, where it will do.
    pub(super) fn share(&mut self, now: Steady) -> Vec<(LinkId, Secret)> {
        let again = self.wanting.iter().any(|link| self.given.contains(link));
        let Some((_, token)) = self.token.as_ref().filter(|(got, _)| now.since(*got) < SHARED && !again) else {
            return Vec::new();
        };
        let shared = std::mem::take(&mut self.wanting);
        self.given.extend(&shared);
        shared.into_iter().map(|link| (link, token.clone())).collect()
    }

    /// When Kick is to be asked for another one.
    pub(super) fn due(&self) -> Option<Steady> {
        (!self.wanting.is_empty()).then_some(self.not_before)
    }

    /// Kick gave one.
    pub(super) fn came(&mut self, now: Steady, token: Secret) {
        self.not_before = self.next(now);
        self.token = Some((now, token));
        self.given.clear();
        self.retry.reset();
    }

    /// Kick gave none. How long the next try waits.
    pub(super) fn failed(&mut self, now: Steady, failure: &Failure, rng: &mut fastrand::Rng) -> Duration {
        let after = if let FailureKind::RateLimited(after) = failure.kind { after } else { None };
        let pause = self.retry.next(rng).max(after.unwrap_or_default());
        self.not_before = self.next(now).max(now + pause);
        pause
    }

    /// When the next token may be asked for, after one more was: each takes its time off an allowance that
    /// begins anew when nothing was asked for a while.
    fn next(&mut self, now: Steady) -> Steady {
        let (at_once, apart) = ALLOWED;
        let counts = apart * u32::try_from(at_once).unwrap_or(u32::MAX);
        self.fetched.retain(|before| now.since(*before) < counts);
        self.fetched.push_back(now);
        match self.fetched.len() < at_once {
            true => now,
            false => now + apart,
        }
    }
}

#[cfg(test)]
mod tests;
