//! Guest tokens for the links that want one (docs/kick.md §1.4): when Kick is asked for another, and which link gets
//! it.

use crate::backoff::Backoff;
use crate::domain::Steady;
use crate::domain::ask::{Failure, FailureKind};
use crate::domain::push::LinkId;
use crate::domain::secret::Secret;
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

/// Links that want a token within this time get the same one, each of them once. After a loss a hundred links want one
/// at once; but a link whose token was refused must get another one.
const SHARED: Duration = Duration::from_secs(2);
/// The pause after a request for a token that failed, doubling.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// How many tokens may be requested at once, and the interval of those after them. Tokens that expire immediately must
/// not use up the budget of requests.
const ALLOWED: (usize, Duration) = (10, Duration::from_secs(10));

/// The links that want a token, and the last token that came.
#[derive(Debug)]
pub(super) struct Tokens {
    token: Option<(Steady, Secret)>,
    /// The links that were given this token. A link that wants one again needs another.
    given: BTreeSet<LinkId>,
    wanting: BTreeSet<LinkId>,
    /// No token is requested before this.
    not_before: Steady,
    retry: Backoff,
    /// When the latest tokens came, as far as that still counts.
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

    /// A link wants a token that it was not given before.
    pub(super) fn want(&mut self, link: LinkId) {
        self.wanting.insert(link);
    }

    /// The link's connection ended.
    pub(super) fn want_no_more(&mut self, link: LinkId) {
        self.wanting.remove(&link);
    }

    /// A link was refused, perhaps because of its token.
    pub(super) fn doubt(&mut self) {
        self.token = None;
    }

    /// Gives the last token to all links that want one, if it is fresh and none of them had it before.
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

    /// Kick issued a token.
    pub(super) fn came(&mut self, now: Steady, token: Secret) {
        self.not_before = self.next(now);
        self.token = Some((now, token));
        self.given.clear();
        self.retry.reset();
    }

    /// Kick issued no token. Returns the pause before the next request.
    pub(super) fn failed(&mut self, now: Steady, failure: &Failure, rng: &mut fastrand::Rng) -> Duration {
        let after = if let FailureKind::RateLimited(after) = failure.kind { after } else { None };
        let pause = self.retry.next(rng).max(after.unwrap_or_default());
        self.not_before = self.next(now).max(now + pause);
        pause
    }

    /// When the next token may be requested: the first few at once, the others at intervals. The allowance is renewed
    /// when none has been requested for a while.
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
