//! How a streamer is asked about: by what, at which endpoint, and with how many others.

use super::{Asking, Kind, Queue};
use crate::domain::ask::{Endpoint, Query};
use crate::domain::{Slug, UserId};
use crate::monitor::streamers::{Key, Streamers};
use crate::monitor::times::{SMALL_BATCH, USERS_BATCH};

impl Asking {
    pub(super) fn endpoint(&self, kind: Kind) -> Endpoint {
        match kind {
            Kind::Name | Kind::Hint | Kind::Channels => Endpoint::Channels,
            Kind::LiveList => self.live_list().unwrap_or(Endpoint::Channels),
            Kind::Reveal => Endpoint::Livestreams,
            Kind::Website => Endpoint::Website,
        }
    }

    pub(super) fn kind_for(&self, queue: Queue, key: Key, streamers: &Streamers) -> Kind {
        let Some(streamer) = streamers.get(&key) else { return Kind::Name };
        let ids = &streamer.ids;
        if queue == Queue::Names {
            return Kind::Name;
        }
        if ids.user.is_none() && ids.unknown && !ids.dashed && ids.configured_user.is_some() {
            return Kind::Hint;
        }
        if ids.user.is_none() || ids.doubtful.is_some() {
            return Kind::Name;
        }
        if queue != Queue::Reveal && self.poison.goes_around(key) {
            return Kind::Channels;
        }
        match queue {
            Queue::Reveal => Kind::Reveal,
            Queue::Second => match &streamer.doubt {
                Some(doubt) if doubt.first.endpoint == Endpoint::Channels || doubt.mentioned_twice() => Kind::LiveList,
                _ => Kind::Channels,
            },
            _ => Kind::LiveList,
        }
    }

    pub(super) fn batch_limit(&self, queue: Queue, kind: Kind) -> usize {
        match (queue, kind) {
            (Queue::Second, _) => SMALL_BATCH.min(self.batch),
            (_, Kind::LiveList) if self.live_list() == Some(Endpoint::UsersLivestreams) => USERS_BATCH,
            _ => self.batch,
        }
    }

    /// The endpoint that lists live streams, as long as Kick has one.
    pub(in crate::monitor) fn live_list(&self) -> Option<Endpoint> {
        [Endpoint::UsersLivestreams, Endpoint::Livestreams].into_iter().find(|endpoint| self.weather.has(*endpoint))
    }

    /// Whether `/livestreams` can be asked for a channel id.
    pub(in crate::monitor) fn has_livestreams(&self) -> bool {
        self.weather.has(Endpoint::Livestreams)
    }

    /// The query about these streamers, and the number of names or ids in it. Kick is asked once about a streamer with
    /// several rows (R16).
    pub(super) fn query(&self, kind: Kind, keys: &[Key], streamers: &Streamers) -> Option<(Query, usize)> {
        let of = |key: &Key| streamers.get(key);
        if matches!(kind, Kind::Name | Kind::Website) {
            let mut slugs: Vec<Slug> = keys.iter().filter_map(of).map(|streamer| streamer.asked_slug()).collect();
            slugs.sort();
            slugs.dedup();
            let batch = slugs.len();
            let query = match kind {
                Kind::Website => Query::Website(slugs.pop()?),
                _ => Query::ChannelsBySlug(slugs),
            };
            return (batch > 0).then_some((query, batch));
        }
        let user = |key: &Key| of(key).and_then(|streamer| streamer.ids.user.or(streamer.ids.configured_user));
        let mut users: Vec<UserId> = keys.iter().filter_map(user).collect();
        users.sort();
        users.dedup();
        let batch = users.len();
        let query = match (kind, self.live_list()) {
            (Kind::Reveal, _) | (Kind::LiveList, Some(Endpoint::Livestreams)) => Query::Livestreams(users),
            (Kind::LiveList, Some(_)) => Query::UsersLivestreams(users),
            _ => Query::ChannelsByUser(users),
        };
        (batch > 0).then_some((query, batch))
    }
}

/// The user id or the slug by which a streamer is asked about.
pub(super) fn asked_by(kind: Kind, key: Key, streamers: &Streamers) -> (Option<UserId>, Option<Slug>) {
    let Some(streamer) = streamers.get(&key) else { return (None, None) };
    match kind {
        Kind::Name | Kind::Website => (None, Some(streamer.asked_slug())),
        _ => (streamer.ids.user.or(streamer.ids.configured_user), None),
    }
}
