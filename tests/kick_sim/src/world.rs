//! Kick's own knowledge: who exists, who is live, and what the slower parts of Kick believe about it.
//! Pure: every time is an argument, nothing is sent from here.

use crate::clock::Moment;
use crate::fault::Face;
use crate::realtime::Realtime;
use crate::webhooks::Webhooks;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// How much earlier than its creation a broadcast started, says the API (docs/kick.md §3.6: 1–3 s).
const START_BEFORE_CREATION: SignedDuration = SignedDuration::from_secs(2);

/// The numbers of one streamer, all different (docs/kick.md §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ids {
    /// `broadcaster_user_id`
    pub user: i64,
    /// What push channels are named after.
    pub channel: i64,
    /// The chatroom's.
    pub chatroom: i64,
}

/// A broadcast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broadcast {
    /// The livestream id.
    pub id: i64,
    /// As push and the website say it; whole seconds.
    pub created_at: Timestamp,
    /// As the API says it: a little earlier.
    pub started_at: Timestamp,
}

/// What one face says about a streamer instead of what it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// Live: with the last broadcast's start if there was one, else since the lie was told.
    Live,
    /// Live since then.
    LiveSince(Timestamp),
    /// Not live.
    Offline,
    /// There is no such streamer.
    Missing,
    /// Live, with the zero start time of an offline channel (R5).
    ZeroTime,
}

/// What `/channels` does about a slug that it does not know; both were reported (docs/kick.md §5.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownSlug {
    /// Leaves it out.
    #[default]
    Omit,
    /// Refuses the whole request with 400.
    Refuse,
}

/// The token endpoint's `expires_in`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExpiresIn {
    /// A number of seconds; tokens are really refused after it.
    Seconds(u64),
    /// The same in quotes, as the documentation has it (docs/kick.md §4).
    Quoted(u64),
    /// Not said at all; tokens live for ever.
    Unsaid,
}

/// What a face shows of a streamer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    Missing,
    Offline,
    /// Since then by the API, or the zero time; of this broadcast if it is a real one.
    Live {
        started_at: Option<Timestamp>,
        broadcast: Option<Broadcast>,
    },
}

/// One streamer, as Kick knows it.
#[derive(Clone, Debug)]
pub(crate) struct Streamer {
    pub(crate) slug: String,
    pub(crate) ids: Ids,
    pub(crate) custom_banner: bool,
    pub(crate) live: Option<Broadcast>,
    last: Option<Broadcast>,
    /// What the API knew before the first of `coming`.
    known: Option<Broadcast>,
    /// What the API will know, and from when on; in order of time.
    coming: VecDeque<(Instant, Option<Broadcast>)>,
    lies: BTreeMap<Face, (Lie, Timestamp)>,
}

impl Streamer {
    fn change(&mut self, live: Option<Broadcast>, now: Instant, visible: Option<Instant>) {
        self.known = self.known_at(now).cloned();
        self.coming.retain(|(at, _)| *at > now);
        // `None` is further away than any test lives: the API learns it when it is told to catch up.
        let never = now + Duration::from_secs(365 * 86_400);
        let at = visible.unwrap_or(never).max(self.coming.back().map_or(now, |(at, _)| *at));
        self.coming.push_back((at, live.clone()));
        self.last = live.clone().or(self.live.take()).or(self.last.take());
        self.live = live;
    }

    /// The title of every broadcast; beyond ASCII, as real ones are.
    pub(crate) fn title(&self) -> String {
        format!("{} | ¡hola! 🎮", self.slug)
    }

    /// The broadcast that runs, or the one that ran last.
    pub(crate) fn latest(&self) -> Option<&Broadcast> {
        self.live.as_ref().or(self.last.as_ref())
    }

    fn known_at(&self, now: Instant) -> Option<&Broadcast> {
        let news = self.coming.iter().rev().find(|(at, _)| *at <= now);
        news.map_or(self.known.as_ref(), |(_, broadcast)| broadcast.as_ref())
    }

    /// What a face shows now. The website shows the truth, the API what it knows of it.
    pub(crate) fn shown(&self, face: Face, now: Instant) -> Shown {
        let live = |broadcast: &Broadcast| Shown::Live {
            started_at: Some(broadcast.started_at),
            broadcast: Some(broadcast.clone()),
        };
        let invented = |started_at| Shown::Live { started_at, broadcast: None };
        match self.lies.get(&face) {
            Some((Lie::Missing, _)) => Shown::Missing,
            Some((Lie::Offline, _)) => Shown::Offline,
            Some((Lie::ZeroTime, _)) => invented(None),
            Some((Lie::LiveSince(then), _)) => invented(Some(*then)),
            Some((Lie::Live, told_at)) => self.last.as_ref().map_or_else(|| invented(Some(*told_at)), live),
            None if face == Face::Website => self.live.as_ref().map_or(Shown::Offline, live),
            None => self.known_at(now).map_or(Shown::Offline, live),
        }
    }
}

/// All of it.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) api_lag: Option<Duration>,
    pub(crate) unknown_slug: UnknownSlug,
    pub(crate) wrong_above: Option<usize>,
    pub(crate) expires_in: ExpiresIn,
    pub(crate) clock_offset: SignedDuration,
    pub(crate) realtime: Realtime,
    pub(crate) webhooks: Webhooks,
    streamers: BTreeMap<i64, Streamer>,
    by_slug: BTreeMap<String, i64>,
    tokens: BTreeMap<String, Option<Instant>>,
    tokens_made: u64,
    added: i64,
    last_livestream: i64,
}

impl World {
    pub(crate) fn new() -> World {
        World {
            api_lag: Some(Duration::ZERO),
            unknown_slug: UnknownSlug::default(),
            wrong_above: None,
            expires_in: ExpiresIn::Seconds(5_184_000),
            clock_offset: SignedDuration::ZERO,
            realtime: Realtime::new(),
            webhooks: Webhooks::new(),
            streamers: BTreeMap::new(),
            by_slug: BTreeMap::new(),
            tokens: BTreeMap::new(),
            tokens_made: 0,
            added: 0,
            last_livestream: 130_000_000,
        }
    }

    /// The time by Kick's clock.
    pub(crate) fn kick_time(&self, now: Moment) -> Timestamp {
        // A test that shifts the clock out of the calendar gets the true time.
        now.wall.checked_add(self.clock_offset).unwrap_or(now.wall)
    }

    // Streamers.

    pub(crate) fn fresh_ids(&mut self) -> Ids {
        self.added += 1;
        Ids { user: 1_000_000 + self.added, channel: 2_000_000 + self.added, chatroom: 3_000_000 + self.added }
    }

    pub(crate) fn add(&mut self, slug: &str, ids: Ids) {
        assert!(!self.by_slug.contains_key(slug), "there is a streamer called {slug:?} already");
        assert!(!self.streamers.contains_key(&ids.user), "user id {} is taken", ids.user);
        let streamer = Streamer {
            slug: slug.to_owned(),
            ids,
            custom_banner: false,
            live: None,
            last: None,
            known: None,
            coming: VecDeque::new(),
            lies: BTreeMap::new(),
        };
        self.by_slug.insert(slug.to_owned(), ids.user);
        self.streamers.insert(ids.user, streamer);
    }

    pub(crate) fn rename(&mut self, slug: &str, new: &str) {
        assert!(!self.by_slug.contains_key(new), "there is a streamer called {new:?} already");
        self.get_mut(slug).slug = new.to_owned();
        if let Some(user) = self.by_slug.remove(slug) {
            self.by_slug.insert(new.to_owned(), user);
        }
    }

    pub(crate) fn remove(&mut self, slug: &str) {
        if let Some(user) = self.by_slug.remove(slug) {
            self.streamers.remove(&user);
        }
    }

    pub(crate) fn find(&self, slug: &str) -> Option<&Streamer> {
        self.by_user(*self.by_slug.get(slug)?)
    }

    pub(crate) fn by_user(&self, user: i64) -> Option<&Streamer> {
        self.streamers.get(&user)
    }

    pub(crate) fn streamers(&self) -> impl Iterator<Item = &Streamer> {
        self.streamers.values()
    }

    /// For scripts: a name that does not exist is a mistake in the test.
    pub(crate) fn get(&self, slug: &str) -> &Streamer {
        self.find(slug).unwrap_or_else(|| panic!("there is no streamer called {slug:?}"))
    }

    pub(crate) fn get_mut(&mut self, slug: &str) -> &mut Streamer {
        let streamer = self.by_slug.get(slug).and_then(|user| self.streamers.get_mut(user));
        streamer.unwrap_or_else(|| panic!("there is no streamer called {slug:?}"))
    }

    // Broadcasts.

    pub(crate) fn go_live(&mut self, slug: &str, now: Moment) -> Broadcast {
        self.last_livestream += 1;
        let seconds = self.kick_time(now).as_second();
        let created_at = Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH);
        let broadcast =
            Broadcast { id: self.last_livestream, created_at, started_at: created_at - START_BEFORE_CREATION };
        let visible = self.api_lag.map(|lag| now.steady + lag);
        self.get_mut(slug).change(Some(broadcast.clone()), now.steady, visible);
        broadcast
    }

    /// Ends the broadcast; nothing when there is none.
    pub(crate) fn stop(&mut self, slug: &str, now: Moment) -> Option<Broadcast> {
        let ended = self.get(slug).live.clone()?;
        let visible = self.api_lag.map(|lag| now.steady + lag);
        self.get_mut(slug).change(None, now.steady, visible);
        Some(ended)
    }

    /// The API learns now all that it was still to learn.
    pub(crate) fn catch_up(&mut self) {
        for streamer in self.streamers.values_mut() {
            streamer.known = streamer.live.clone();
            streamer.coming.clear();
        }
    }

    pub(crate) fn lie(&mut self, slug: &str, faces: impl IntoIterator<Item = Face>, lie: Lie, now: Moment) {
        let told_at = self.kick_time(now);
        self.get_mut(slug).lies.extend(faces.into_iter().map(|face| (face, (lie, told_at))));
    }

    pub(crate) fn tell_the_truth(&mut self) {
        self.streamers.values_mut().for_each(|streamer| streamer.lies.clear());
    }

    // Tokens.

    pub(crate) fn issue_token(&mut self, now: Instant) -> String {
        self.tokens_made += 1;
        let token = format!("app-token-{}", self.tokens_made);
        let end = match self.expires_in {
            ExpiresIn::Seconds(seconds) | ExpiresIn::Quoted(seconds) => now.checked_add(Duration::from_secs(seconds)),
            ExpiresIn::Unsaid => None,
        };
        self.tokens.insert(token.clone(), end);
        token
    }

    pub(crate) fn token_is_good(&self, token: &str, now: Instant) -> bool {
        self.tokens.get(token).is_some_and(|end| end.is_none_or(|end| now < end))
    }

    pub(crate) fn revoke_tokens(&mut self) {
        self.tokens.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::{Lie, Shown, World};
    use crate::clock;
    use crate::fault::Face;
    use std::time::Duration;

    #[test]
    fn the_api_lags_and_never_learns_out_of_order() {
        let mut world = World::new();
        let (ids, now) = (world.fresh_ids(), clock::now());
        world.add("ana", ids);
        world.api_lag = Some(Duration::from_secs(60));
        let broadcast = world.go_live("ana", now);
        world.api_lag = Some(Duration::from_secs(10));
        assert_eq!(world.stop("ana", now).map(|ended| ended.id), Some(broadcast.id));
        let at = |seconds| world.get("ana").shown(Face::Channels, now.steady + Duration::from_secs(seconds));
        assert_eq!(at(59), Shown::Offline);
        assert_eq!(at(60), Shown::Offline, "the stop came with the start, not before it");
        world.go_live("ana", now);
        assert_eq!(world.get("ana").shown(Face::Channels, now.steady), Shown::Offline);
        assert!(matches!(world.get("ana").shown(Face::Website, now.steady), Shown::Live { .. }));
        world.catch_up();
        assert!(matches!(world.get("ana").shown(Face::Channels, now.steady), Shown::Live { .. }));
    }

    #[test]
    fn a_lie_is_told_by_its_face_alone() {
        let mut world = World::new();
        let (ids, now) = (world.fresh_ids(), clock::now());
        world.add("ana", ids);
        let ended = world.go_live("ana", now);
        world.stop("ana", now);
        world.lie("ana", Face::Channels, Lie::Live, now);
        let shown = Shown::Live { started_at: Some(ended.started_at), broadcast: Some(ended) };
        assert_eq!(world.get("ana").shown(Face::Channels, now.steady), shown);
        assert_eq!(world.get("ana").shown(Face::Livestreams, now.steady), Shown::Offline);
        world.tell_the_truth();
        assert_eq!(world.get("ana").shown(Face::Channels, now.steady), Shown::Offline);
    }
}
