//! Which webhook subscriptions there are, are wanted, and are to be made or deleted next.
//!
//! Kick's list is the truth, and is compared once an hour. What Kick said it made and does not show is made again after
//! growing pauses. Only what this daemon made is deleted, when no row is about its streamer any more.

use crate::domain::webhook::{Subscription, WebhookQuery};
use crate::domain::{Steady, UserId};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The most subscriptions to one event that Kick allows an app (docs/kick.md §10.5).
const SUBSCRIPTIONS_MAX: usize = 10_000;
/// How often Kick's list is compared.
const LISTS_APART: Duration = Duration::from_secs(3600);
/// How long after the last subscription was made the list is compared once more.
const LIST_AFTER: Duration = Duration::from_secs(5);
/// The pauses before a subscription that Kick does not show, or refuses, is made again.
const UNSEEN_PAUSE: Duration = Duration::from_secs(3600);
const REFUSED_PAUSE: Duration = Duration::from_secs(600);
const PAUSE_MOST: Duration = Duration::from_secs(24 * 3600);
/// The most subscriptions that one request deletes.
const DELETED_AT_ONCE: usize = 50;

/// The subscriptions.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    wanted: BTreeSet<UserId>,
    /// Those that this daemon made, with Kick's ids of them; kept over restarts.
    made: BTreeMap<UserId, String>,
    /// Those that Kick shows, or made since it was last asked; since when that is known.
    standing: BTreeMap<UserId, Steady>,
    /// Those that Kick made and did not show.
    unseen: BTreeSet<UserId>,
    /// Users whose subscriptions Kick showed although no row is about them, or none yet.
    others: BTreeSet<UserId>,
    /// When Kick's list came.
    listed: Steady,
    /// Users for whom a subscription was tried that Kick does not show yet.
    tries: BTreeMap<UserId, Try>,
    /// Users for whom one is to be made, each with the earliest time.
    to_make: BTreeSet<(Steady, UserId)>,
    to_delete: BTreeSet<UserId>,
    /// When Kick's list is asked for next; none before the first answer.
    list_due: Option<Steady>,
    /// The same, for what was made since.
    confirm_due: Option<Steady>,
}

/// A subscription that was made and is not shown, or refused.
#[derive(Debug, Default)]
struct Try {
    count: u32,
    not_before: Steady,
    /// Why Kick refuses it.
    refused: Option<String>,
}

/// What keeps subscriptions from standing, in words, by kind.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Lacking {
    pub(super) refused: Option<String>,
    pub(super) unseen: Option<String>,
    pub(super) beyond: Option<String>,
}

impl Subscriptions {
    /// What an earlier process made.
    pub(super) fn remember(&mut self, made: BTreeMap<UserId, String>) {
        self.made = made;
    }

    /// Webhooks were switched off: nothing is wanted, and what was made is kept in mind.
    pub(super) fn rest(&mut self) {
        *self = Subscriptions { made: std::mem::take(&mut self.made), ..Subscriptions::default() };
    }

    /// There is a row about this user.
    pub(super) fn want(&mut self, user: UserId) {
        self.to_delete.remove(&user);
        if !self.wanted.insert(user) {
            return;
        }
        match self.others.remove(&user) {
            true => drop(self.standing.insert(user, self.listed)),
            false => self.plan(user),
        }
    }

    /// There is no row about this user any more.
    pub(super) fn unwant(&mut self, user: UserId) {
        self.let_go(user);
        if self.made.contains_key(&user) {
            self.to_delete.insert(user);
        }
    }

    /// The subscription is not this instance's to care for any more.
    pub(super) fn let_go(&mut self, user: UserId) {
        self.to_make.remove(&(self.not_before(user), user));
        self.wanted.remove(&user);
        if self.standing.remove(&user).is_some() {
            self.others.insert(user);
        }
        self.unseen.remove(&user);
        self.tries.remove(&user);
    }

    fn not_before(&self, user: UserId) -> Steady {
        self.tries.get(&user).map_or(Steady::default(), |tried| tried.not_before)
    }

    fn plan(&mut self, user: UserId) {
        self.to_make.insert((self.not_before(user), user));
    }

    /// Whether Kick shows a subscription about this user, and since when that is known.
    pub(super) fn standing(&self, user: UserId) -> Option<Steady> {
        self.standing.get(&user).copied()
    }

    /// How many stand.
    pub(super) fn count(&self) -> usize {
        self.standing.len()
    }

    /// Whether all that are wanted stand.
    pub(super) fn are_complete(&self) -> bool {
        self.list_due.is_some() && self.standing.len() == self.wanted.len()
    }

    /// The next request, if one is due.
    pub(super) fn next(&self, now: Steady) -> Option<WebhookQuery> {
        self.due()?;
        if self.list_at() <= now {
            return Some(WebhookQuery::List);
        }
        let ids: Vec<String> =
            self.to_delete.iter().filter_map(|user| self.made.get(user)).take(DELETED_AT_ONCE).cloned().collect();
        if !ids.is_empty() {
            return Some(WebhookQuery::Delete(ids));
        }
        let due = self.to_make.first().filter(|(not_before, _)| *not_before <= now && self.has_room());
        due.map(|(_, user)| WebhookQuery::Make(*user))
    }

    /// When there is something to ask. Where nobody is followed, nothing is.
    pub(super) fn due(&self) -> Option<Steady> {
        if !self.to_delete.is_empty() {
            return Some(Steady::default());
        }
        if self.wanted.is_empty() {
            return None;
        }
        let make = self.to_make.first().filter(|_| self.has_room());
        Some(make.map_or(self.list_at(), |(not_before, _)| self.list_at().min(*not_before)))
    }

    fn list_at(&self) -> Steady {
        let confirm = self.confirm_due.into_iter().chain(self.list_due).min();
        if self.list_due.is_some() { confirm.unwrap_or_default() } else { Steady::default() }
    }

    /// Those that Kick made and does not show count as well.
    fn has_room(&self) -> bool {
        self.others.len() + self.standing.len() + self.unseen.len() < SUBSCRIPTIONS_MAX
    }

    /// A request to make one is out.
    pub(super) fn makes(&mut self, user: UserId) {
        self.to_make.remove(&(self.not_before(user), user));
    }

    /// It failed, and says nothing about the user.
    pub(super) fn failed(&mut self, user: UserId) {
        if self.wanted.contains(&user) {
            self.plan(user);
        }
    }

    /// Kick made one.
    pub(super) fn made(&mut self, now: Steady, user: UserId, id: String) {
        self.made.insert(user, id);
        if !self.wanted.contains(&user) {
            self.others.insert(user);
            self.to_delete.insert(user);
            return;
        }
        self.standing.insert(user, now);
        self.unseen.remove(&user);
        let tried = self.tries.entry(user).or_default();
        *tried = Try { count: tried.count + 1, not_before: now + pause(UNSEEN_PAUSE, tried.count), refused: None };
        self.confirm_due = Some(now + LIST_AFTER);
    }

    /// Kick refuses to make one.
    pub(super) fn refused(&mut self, now: Steady, user: UserId, why: String) {
        if !self.wanted.contains(&user) {
            return;
        }
        let tried = self.tries.entry(user).or_default();
        *tried =
            Try { count: tried.count + 1, not_before: now + pause(REFUSED_PAUSE, tried.count), refused: Some(why) };
        self.plan(user);
    }

    /// Kick's list. `all_known`: the user of every row is known. Returns the users whose subscription ids need not
    /// be kept any more.
    pub(super) fn listed(&mut self, now: Steady, list: &[Subscription], all_known: bool) -> Vec<UserId> {
        self.list_due = Some(now + LISTS_APART);
        self.confirm_due = None;
        let shown: BTreeSet<UserId> = list.iter().map(|entry| entry.user).collect();
        let before = std::mem::take(&mut self.standing);
        self.to_make.clear();
        self.unseen.clear();
        for user in &self.wanted {
            if shown.contains(user) {
                self.standing.insert(*user, before.get(user).copied().unwrap_or(now));
                self.tries.remove(user);
                continue;
            }
            let tried = self.tries.get(user);
            self.to_make.insert((tried.map_or(Steady::default(), |tried| tried.not_before), *user));
            if tried.is_some_and(|tried| tried.refused.is_none()) {
                self.unseen.insert(*user);
            }
        }
        self.others = shown.difference(&self.wanted).copied().collect();
        self.listed = now;
        let ids: BTreeSet<&str> = list.iter().map(|entry| entry.id.as_str()).collect();
        let (wanted, mut gone) = (&self.wanted, Vec::new());
        self.made.retain(|user, id| {
            let stays = wanted.contains(user) || ids.contains(id.as_str());
            if !stays {
                gone.push(*user);
            }
            stays
        });
        for user in &gone {
            self.to_delete.remove(user);
        }
        if all_known {
            self.to_delete.extend(self.made.keys().filter(|user| !wanted.contains(user)));
        }
        gone
    }

    /// These are deleted. Gives back whose they were.
    pub(super) fn deleted(&mut self, ids: &[String]) -> Vec<UserId> {
        let gone: Vec<UserId> = self
            .to_delete
            .iter()
            .filter(|user| self.made.get(user).is_some_and(|id| ids.contains(id)))
            .copied()
            .collect();
        for user in &gone {
            self.to_delete.remove(user);
            self.made.remove(user);
            self.others.remove(user);
        }
        gone
    }

    /// What is lacking, in words.
    pub(super) fn lacking(&self) -> Lacking {
        let refused: Vec<&String> = self.tries.values().filter_map(|tried| tried.refused.as_ref()).collect();
        let unseen = self.unseen.len();
        let beyond = (self.others.len() + self.wanted.len()).saturating_sub(SUBSCRIPTIONS_MAX);
        Lacking {
            refused: refused.first().map(|why| format!("{} refused by Kick, the first with: {why}", refused.len())),
            unseen: (unseen > 0).then(|| format!("{unseen} made by Kick, which does not show them")),
            beyond: (beyond > 0).then(|| format!("{beyond} beyond the limit of {SUBSCRIPTIONS_MAX}")),
        }
    }
}

/// The pause after this many earlier ones.
fn pause(first: Duration, before: u32) -> Duration {
    first.saturating_mul(1_u32.checked_shl(before).unwrap_or(u32::MAX)).min(PAUSE_MOST)
}

#[cfg(test)]
mod tests;
