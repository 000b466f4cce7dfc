//! The truth: who broadcasts when, and what Kick announces of it. Everything else in the simulation is a distorted
//! view of this.

use super::agenda::{Agenda, Happening};
use super::profile::Habits;
use kick_monitor::domain::push::PushKind;
use kick_monitor::domain::time::Timestamp;
use kick_monitor::domain::{ChannelId, LivestreamId, Slug, Status, UserId};
use std::time::Duration;

/// A broadcast that stops for less than this may go on.
const INTERRUPTED: Duration = Duration::from_secs(120);

/// Kick as it is.
pub(super) struct Kick {
    pub streamers: Vec<Streamer>,
    /// No broadcast begins or ends any more.
    pub frozen: bool,
    /// Kick's clock at the beginning of the day.
    midnight: Timestamp,
    next_livestream: i64,
}

pub(super) struct Streamer {
    pub slug: Slug,
    pub user: UserId,
    pub channel: ChannelId,
    /// `/channels` gives the channel id away in the banner's address (docs/kick.md §6.1).
    pub banner: bool,
    /// Push told of a broadcast under an id that is not its own: later ones may be lower than that.
    pub misnamed: bool,
    /// All that ever happened, the latest last.
    moments: Vec<(Duration, Moment)>,
}

/// What is true of a streamer from a moment on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Moment {
    Live(Broadcast),
    Off,
    /// Missing everywhere (R6).
    Banned,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Broadcast {
    pub id: LivestreamId,
    /// `start_time`, in whole seconds of Kick's clock.
    pub start: Timestamp,
}

impl Moment {
    pub(super) fn status(self) -> Status {
        match self {
            Moment::Live(_) => Status::Online,
            Moment::Off | Moment::Banned => Status::Offline,
        }
    }
}

impl Kick {
    pub(super) fn new(count: usize, skew: jiff::SignedDuration, agenda: &mut Agenda) -> Kick {
        let mut kick =
            Kick { streamers: Vec::new(), frozen: false, midnight: super::MIDNIGHT + skew, next_livestream: 100 };
        for n in 0..count {
            let streamer = Streamer {
                slug: slug(n),
                user: UserId(1_000 + n as i64),
                channel: ChannelId(5_000 + n as i64),
                banner: agenda.odds(0.2),
                misnamed: false,
                moments: vec![(Duration::ZERO, Moment::Off)],
            };
            kick.streamers.push(streamer);
            if agenda.odds(0.3) {
                kick.begin(n, agenda);
            }
            let turn = agenda.secs(1, 7_200);
            agenda.after(turn, Happening::Turn(n));
        }
        kick
    }

    /// Kick's clock.
    pub(super) fn clock(&self, now: Duration) -> Timestamp {
        self.midnight + now
    }

    pub(super) fn by_slug(&self, slug: &Slug) -> Option<usize> {
        self.streamers.iter().position(|streamer| streamer.slug == *slug)
    }

    pub(super) fn by_user(&self, user: UserId) -> Option<usize> {
        self.streamers.iter().position(|streamer| streamer.user == user)
    }

    /// Whom a username in the table means, whether Kick is asked in its own spelling or not.
    pub(super) fn by_username(&self, username: &str) -> Option<usize> {
        let name = Slug::from_username(username).ok()?;
        self.by_slug(&name).or_else(|| self.by_slug(&name.dashed()?))
    }

    /// A streamer's next step, and when the one after that comes. Says what was true before, and is now.
    pub(super) fn turn(&mut self, n: usize, habits: &Habits, agenda: &mut Agenda) -> Option<(Moment, Moment)> {
        if self.frozen {
            return None;
        }
        let before = self.streamers[n].now();
        let until_next = match before {
            Moment::Live(_) => {
                let banned = habits.bans && agenda.odds(0.1);
                self.streamers[n].moments.push((agenda.now, if banned { Moment::Banned } else { Moment::Off }));
                match agenda.chance.u32(..10) {
                    0..3 => agenda.secs(2, 120),
                    3..5 => agenda.secs(120, 900),
                    _ => agenda.secs(900, 4 * 3_600),
                }
            }
            Moment::Off | Moment::Banned => {
                let streamer = &mut self.streamers[n];
                let short = agenda.now < streamer.since() + INTERRUPTED && before == Moment::Off;
                match streamer.broadcast() {
                    Some(last) if short && agenda.odds(habits.resumes) => {
                        streamer.moments.push((agenda.now, Moment::Live(last)))
                    }
                    _ => self.begin(n, agenda),
                }
                match agenda.chance.u32(..10) {
                    0 => agenda.secs(5, 120),
                    1..3 => agenda.secs(120, 900),
                    _ => agenda.secs(900, 3 * 3_600),
                }
            }
        };
        agenda.after(until_next, Happening::Turn(n));
        Some((before, self.streamers[n].now()))
    }

    /// What push tells of a change, the same to all who listen; nothing of a ban that ends.
    pub(super) fn announce(
        &mut self,
        n: usize,
        change: (Moment, Moment),
        habits: &Habits,
        agenda: &mut Agenda,
    ) -> Option<PushKind> {
        let (before, after) = change;
        let id = |broadcast: Broadcast, agenda: &mut Agenda| match agenda.odds(habits.absurd) {
            true => self.absurd_id(n, agenda),
            false => broadcast.id,
        };
        match (before, after) {
            (Moment::Live(broadcast), _) => Some(PushKind::Stop { livestream: id(broadcast, agenda) }),
            (_, Moment::Live(broadcast)) => {
                let created_at = broadcast.start + Duration::from_secs(agenda.chance.u64(0..3));
                let livestream = id(broadcast, agenda);
                self.streamers[n].misnamed |= livestream != broadcast.id;
                Some(PushKind::Live { livestream, created_at: Some(created_at), title: None })
            }
            _ => None,
        }
    }

    /// The highest id that there can be, the lowest, or that of an earlier broadcast.
    fn absurd_id(&self, n: usize, agenda: &mut Agenda) -> LivestreamId {
        let first = self.streamers[n].moments.iter().find_map(|(_, moment)| match moment {
            Moment::Live(broadcast) => Some(broadcast.id),
            Moment::Off | Moment::Banned => None,
        });
        let ids = [LivestreamId(i64::MAX), LivestreamId(1), first.unwrap_or(LivestreamId(1))];
        agenda.pick(&ids).unwrap_or(ids[0])
    }

    fn begin(&mut self, n: usize, agenda: &mut Agenda) {
        self.next_livestream += agenda.chance.i64(1..50);
        let start = Timestamp::from_second(self.clock(agenda.now).as_second()).expect("a time of our days");
        let broadcast = Broadcast { id: LivestreamId(self.next_livestream), start };
        self.streamers[n].moments.push((agenda.now, Moment::Live(broadcast)));
    }
}

impl Streamer {
    pub(super) fn now(&self) -> Moment {
        self.at(Duration::MAX)
    }

    pub(super) fn at(&self, time: Duration) -> Moment {
        let past = self.moments.iter().rev().find(|(at, _)| *at <= time);
        past.map_or(Moment::Off, |(_, moment)| *moment)
    }

    /// The last broadcast, over or not.
    fn broadcast(&self) -> Option<Broadcast> {
        self.moments.iter().rev().find_map(|(_, moment)| match moment {
            Moment::Live(broadcast) => Some(*broadcast),
            Moment::Off | Moment::Banned => None,
        })
    }

    /// The last broadcast, over or not; of one who never broadcast, one that began with the day.
    pub(super) fn last(&self) -> Broadcast {
        self.broadcast().unwrap_or(Broadcast { id: LivestreamId(1), start: super::MIDNIGHT })
    }

    /// When this broadcast began, by Kick's clock.
    pub(super) fn start_of(&self, id: LivestreamId) -> Option<Timestamp> {
        self.moments.iter().rev().find_map(|(_, moment)| match moment {
            Moment::Live(broadcast) if broadcast.id == id => Some(broadcast.start),
            _ => None,
        })
    }

    /// The broadcast that began then, by Kick's clock.
    pub(super) fn id_of(&self, start: Timestamp) -> Option<LivestreamId> {
        self.moments.iter().rev().find_map(|(_, moment)| match moment {
            Moment::Live(broadcast) if broadcast.start == start => Some(broadcast.id),
            _ => None,
        })
    }

    /// Whether this broadcast had begun by then.
    pub(super) fn ran_before(&self, id: LivestreamId, at: Duration) -> bool {
        self.first_ran(id).is_some_and(|first| first <= at)
    }

    /// When this broadcast began, whether or not it has paused since.
    pub(super) fn first_ran(&self, id: LivestreamId) -> Option<Duration> {
        let ran = |moment: &Moment| matches!(moment, Moment::Live(broadcast) if broadcast.id == id);
        self.moments.iter().find(|(_, moment)| ran(moment)).map(|(at, _)| *at)
    }

    /// Since when the status is what it is.
    pub(super) fn since(&self) -> Duration {
        let status = self.now().status();
        let same = self.moments.iter().rev().take_while(|(_, moment)| moment.status() == status);
        same.last().map_or(Duration::ZERO, |(at, _)| *at)
    }

    /// When it last began to be so.
    pub(super) fn last_began(&self, status: Status) -> Duration {
        let began = self.moments.iter().rev().skip_while(|(_, moment)| moment.status() != status);
        began.take_while(|(_, moment)| moment.status() == status).last().map_or(Duration::ZERO, |(at, _)| *at)
    }

    /// When the last ban ended.
    pub(super) fn back_since(&self) -> Option<Duration> {
        let ended = |two: &&[(Duration, Moment)]| two[0].1 == Moment::Banned;
        self.moments.windows(2).rev().find(ended).map(|two| two[1].0)
    }

    /// Whether the status was this at any time from then on.
    pub(super) fn has_been(&self, status: Status, from: Duration) -> bool {
        let since = self.moments.iter().rev().take_while(|(at, _)| *at > from);
        self.at(from).status() == status || since.into_iter().any(|(_, moment)| moment.status() == status)
    }
}

/// Some names have a dash, which the table may spell as an underscore (docs/kick.md §6.4).
fn slug(n: usize) -> Slug {
    let name = if n % 4 == 0 { format!("kick-{n}") } else { format!("kick{n}") };
    Slug::from_username(&name).expect("a name that Kick could have")
}
