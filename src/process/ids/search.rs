//! Finds the ids of names, by the answers of Kick's API and website: which question is next, and what an answer tells.
//! Pure; the caller asks the questions.
//!
//! An entry counts only if it is about the very name (R12): Kick may spell it with other `_` and `-`, and no otherwise.

use crate::domain::ask::{Liveness, Query, Seen, SeenChannel, by_slug, entry_named};
use crate::domain::{ChannelId, Slug, UserId};
use std::collections::BTreeSet;

/// Why a question has no entries for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::process) enum Lack {
    /// Kick does not like a name, or one of several.
    Refused,
    /// Kick does not know the name.
    Unknown,
    /// There is no answer.
    Silence,
}

/// Asks Kick.
pub(in crate::process) type Ask<'a> = dyn FnMut(&Query) -> Result<Vec<Seen>, Lack> + 'a;

/// Which ids are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::process) struct Needs {
    pub(in crate::process) user: bool,
    pub(in crate::process) channel: bool,
}

/// What is known of a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::process) struct Found {
    pub(in crate::process) user: Option<UserId>,
    /// Kick states it.
    channel: Option<ChannelId>,
    /// The address of the banner tells it.
    banner: Option<ChannelId>,
    /// Kick's spelling of the name.
    slug: Option<Slug>,
    /// Kick answered, and does not know the name.
    pub(in crate::process) denied: bool,
    /// Whether the streamer is live; `None` if Kick did not say.
    pub(in crate::process) live: Option<bool>,
}

impl Found {
    /// What Kick states, or else what the banner tells.
    pub(in crate::process) fn channel(&self) -> Option<ChannelId> {
        self.channel.or(self.banner)
    }

    /// Whether everything that is looked for is known.
    pub(in crate::process) fn is_whole(&self, needs: Needs) -> bool {
        (self.user.is_some() || !needs.user) && (self.channel().is_some() || !needs.channel)
    }

    /// Whether Kick itself states all of it.
    pub(in crate::process) fn is_stated(&self, needs: Needs) -> bool {
        self.is_whole(needs) && (self.channel.is_some() || !needs.channel)
    }

    /// Takes an entry about the name; nothing of one that is about another user.
    fn take(&mut self, seen: &Seen) {
        if self.user.is_some() && seen.user.is_some() && self.user != seen.user {
            return;
        }
        self.user = self.user.or(seen.user);
        self.live = match seen.liveness {
            Liveness::Live(_) => Some(true),
            Liveness::Offline => Some(false),
            Liveness::Unsaid | Liveness::Nothing => self.live,
        };
        self.slug = self.slug.take().or_else(|| seen.slug.clone());
        match seen.channel {
            Some(SeenChannel::Stated(channel)) => self.channel = Some(channel),
            Some(SeenChannel::Banner(channel)) => self.banner = Some(channel),
            None => {}
        }
    }
}

/// Asks the API about names, as many in one request as there are.
pub(in crate::process) fn by_api(names: &[Slug], needs: Needs, ask: &mut Ask<'_>) -> Vec<Found> {
    let mut found = vec![Found::default(); names.len()];
    by_name(names.iter().cloned().enumerate().collect(), &mut found, ask);
    let dashed = |(at, name): (usize, &Slug)| Some((at, name.dashed()?)).filter(|_| found[at].denied);
    let otherwise: Vec<(usize, Slug)> = names.iter().enumerate().filter_map(dashed).collect();
    by_name(otherwise, &mut found, ask);
    if needs.channel {
        let users: Vec<UserId> = found.iter().filter_map(|found| found.user).collect();
        let live = if users.is_empty() { Vec::new() } else { ask(&Query::Livestreams(users)).unwrap_or_default() };
        for found in found.iter_mut().filter(|found| found.user.is_some()) {
            if let Some(seen) = live.iter().find(|seen| seen.user == found.user) {
                found.take(seen);
            }
        }
    }
    found
}

/// Asks `/channels` about names, each with the place of what is found. One that Kick refuses spoils the request for the
/// others, so it is halved.
fn by_name(names: Vec<(usize, Slug)>, found: &mut [Found], ask: &mut Ask<'_>) {
    let mut parts = vec![names];
    while let Some(mut part) = parts.pop().filter(|part| !part.is_empty()) {
        let slugs = part.iter().map(|(_, name)| name.clone()).collect();
        match ask(&Query::ChannelsBySlug(slugs)) {
            Ok(seen) => {
                let (by_slug, asked) = (by_slug(&seen), part.iter().map(|(_, name)| name.clone()).collect());
                for (at, name) in part {
                    match entry_named(&name, &by_slug, &asked) {
                        Some(seen) => {
                            found[at].denied = false;
                            found[at].take(seen);
                        }
                        None => found[at].denied = true,
                    }
                }
            }
            Err(Lack::Refused) if part.len() > 1 => {
                let second = part.split_off(part.len() / 2);
                parts.extend([second, part]);
            }
            Err(Lack::Refused | Lack::Unknown) => part.iter().for_each(|(at, _)| found[*at].denied = true),
            Err(Lack::Silence) => {}
        }
    }
}

/// Asks the website about one name.
pub(in crate::process) fn by_website(name: &Slug, found: &mut Found, ask: &mut Ask<'_>) {
    let first = found.slug.clone().unwrap_or_else(|| name.clone());
    let second = name.dashed().filter(|dashed| *dashed != first);
    for slug in [Some(first), second].into_iter().flatten() {
        let about = |seen: Vec<Seen>| entry_named(name, &by_slug(&seen), &BTreeSet::new()).cloned();
        match ask(&Query::Website(slug)).map(about) {
            Ok(Some(seen)) => {
                found.denied = false;
                return found.take(&seen);
            }
            Ok(None) | Err(Lack::Refused | Lack::Unknown) => found.denied = true,
            Err(Lack::Silence) => return,
        }
    }
}

#[cfg(test)]
mod tests;
