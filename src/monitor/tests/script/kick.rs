//! Kick as a script describes it: what is true, where an endpoint says something else, and which endpoint does not
//! answer. It answers requests accordingly, at once.

use super::words::failure;
use crate::domain::Slug;
use crate::domain::ask::{Endpoint, Failure, Liveness, Query, Seen, SeenChannel};
use std::collections::BTreeMap;

/// The truth, and how the endpoints differ from it.
#[derive(Default)]
pub(super) struct Kick {
    /// By endpoint (empty: all that have no entry of their own) and slug. `None`: no entry.
    entries: BTreeMap<(String, Slug), Option<Seen>>,
    down: BTreeMap<String, String>,
    /// User ids or slugs for which an endpoint fails, whatever else the request contains.
    poisoned: BTreeMap<(String, String), String>,
}

impl Kick {
    /// From now on this entry is what the endpoint shows, or every endpoint.
    pub(super) fn show(&mut self, endpoint: &str, slug: &Slug, seen: Option<Seen>) {
        self.entries.insert((endpoint.to_owned(), slug.clone()), seen);
    }

    /// From now on the endpoint fails in this way, or works.
    pub(super) fn fail(&mut self, endpoint: &str, how: Option<&str>) {
        match how {
            Some(how) => self.down.insert(endpoint.to_owned(), how.to_owned()),
            None => self.down.remove(endpoint),
        };
    }

    /// From now on the endpoint fails in this way for every request that contains this user id or slug, or works.
    pub(super) fn poison(&mut self, endpoint: &str, who: &str, how: Option<&str>) {
        let what = (endpoint.to_owned(), who.to_owned());
        match how {
            Some(how) => self.poisoned.insert(what, how.to_owned()),
            None => self.poisoned.remove(&what),
        };
    }

    pub(super) fn answer(&self, query: &Query) -> Result<Vec<Seen>, Failure> {
        let endpoint = query.endpoint();
        if let Some(how) = self.down.get(endpoint.word()) {
            return Err(failure(&how.split(' ').collect::<Vec<_>>()));
        }
        let words: Vec<String> = match query {
            Query::ChannelsBySlug(slugs) => slugs.iter().map(Slug::to_string).collect(),
            Query::Website(slug) => vec![slug.to_string()],
            Query::ChannelsByUser(users) | Query::Livestreams(users) | Query::UsersLivestreams(users) => {
                users.iter().map(ToString::to_string).collect()
            }
        };
        for word in words {
            if let Some(how) = self.poisoned.get(&(endpoint.word().to_owned(), word)) {
                return Err(failure(&[how]));
            }
        }
        let asked = |seen: &Seen| match query {
            Query::ChannelsBySlug(slugs) => seen.slug.as_ref().is_some_and(|slug| slugs.contains(slug)),
            Query::Website(slug) => seen.slug.as_ref() == Some(slug),
            Query::ChannelsByUser(users) | Query::Livestreams(users) | Query::UsersLivestreams(users) => {
                seen.user.is_some_and(|user| users.contains(&user))
            }
        };
        let here: Vec<Seen> = self.at(endpoint).into_iter().filter(asked).collect();
        if endpoint == Endpoint::Website && here.is_empty() {
            return Err(failure(&["404"]));
        }
        Ok(here)
    }

    /// All that an endpoint shows.
    fn at(&self, endpoint: Endpoint) -> Vec<Seen> {
        let slugs = self.entries.keys().map(|(_, slug)| slug).collect::<std::collections::BTreeSet<_>>();
        let entry = |slug: &&Slug| {
            let of = |place: &str| self.entries.get(&(place.to_owned(), (*slug).clone()));
            of(endpoint.word()).or_else(|| of("")).cloned().flatten()
        };
        let mut all: Vec<Seen> = slugs.iter().filter_map(entry).collect();
        if matches!(endpoint, Endpoint::Livestreams | Endpoint::UsersLivestreams) {
            all.retain(|seen| matches!(seen.liveness, Liveness::Live(_)));
        }
        let states_channels = matches!(endpoint, Endpoint::Livestreams | Endpoint::Website);
        for seen in &mut all {
            seen.channel = seen.channel.filter(|id| states_channels || matches!(id, SeenChannel::Banner(_)));
        }
        all
    }
}
