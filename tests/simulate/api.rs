//! Kick's HTTP faces as one core meets them: each endpoint trails the truth in its own time, and sometimes
//! answers wrongly, partly, late or not at all.

use super::agenda::{Agenda, Happening};
use super::conditions::Conditions;
use super::kick::{Kick, Moment};
use kick_monitor::domain::ask::{
    Answer, Endpoint, Failure, FailureKind, Liveness, Phase, Query, Request, RequestId, Seen, SeenChannel,
};
use kick_monitor::domain::time::Timestamp;
use kick_monitor::domain::{Now, Slug, UserId};
use kick_monitor::monitor::{Asker, Input};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

/// A name that Kick left out, or refused, is asked about again after this at the latest.
const UNKNOWN_NAME_PAUSE: Duration = Duration::from_secs(600);
/// The longest that Kick has us wait after a failure; we ourselves wait less (docs/rules.md, "Times").
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(45);
/// By how many seconds a time that is not Kick's differs from it: less would count at once (R5).
const CLOCK_JUMP: Range<i64> = 180..300_000;
/// A batch up to this size is never mixed up by Kick (R9).
const SMALL_BATCH: usize = 10;

/// The API, the website, and the threads that ask them.
#[derive(Default)]
pub(super) struct Api {
    /// Whose it is.
    core: usize,
    /// The request that each thread has.
    out: BTreeMap<Asker, RequestId>,
    /// How far each endpoint has caught up with each streamer: it never goes back.
    caught_up: BTreeMap<(Endpoint, usize), Duration>,
    /// Most requests fail like this until then.
    trouble: Option<(FailureKind, Duration)>,
    pub gone: BTreeSet<Endpoint>,
    /// The last time a request failed, and the last time it did by a 429.
    pub failed: Duration,
    pub limited: Option<Duration>,
    /// Until when answers kept the truth about a streamer back: who has been told nothing true since a
    /// change cannot know of it.
    pub kept_back: BTreeMap<usize, Duration>,
}

#[derive(Debug)]
pub(super) enum Step {
    /// The request reaches Kick, and the answer will be there after so long.
    Reach(Asker, Request, Now, Duration),
    Land(Asker, Answer),
}

impl Api {
    pub(super) fn new(core: usize, conditions: &Conditions) -> Api {
        let lists = [Endpoint::Livestreams, Endpoint::UsersLivestreams];
        let gone = lists.into_iter().filter(|_| conditions.listless).collect();
        Api { core, gone, ..Api::default() }
    }

    pub(super) fn ask(
        &mut self,
        asker: Asker,
        request: Request,
        now: Now,
        conditions: &Conditions,
        agenda: &mut Agenda,
    ) {
        self.out.insert(asker, request.id);
        let takes = if agenda.odds(conditions.slow) { agenda.millis(400, 15_000) } else { agenda.millis(10, 400) };
        let there = takes.mul_f64(agenda.chance.f64());
        agenda.after(there, Happening::Api(self.core, Step::Reach(asker, request, now, takes - there)));
    }

    pub(super) fn trouble(&mut self, agenda: &mut Agenda) {
        let kinds = [
            FailureKind::NoToken,
            FailureKind::BadRequest,
            FailureKind::Unauthorized,
            FailureKind::Blocked,
            FailureKind::RateLimited(None),
            FailureKind::RateLimited(Some(Duration::from_secs(20))),
            FailureKind::Server(None),
            FailureKind::Server(Some(RETRY_AFTER)),
            FailureKind::Garbage,
            FailureKind::Network(Phase::Answer),
        ];
        let until = agenda.now + if agenda.odds(0.7) { agenda.secs(1, 300) } else { agenda.secs(300, 7_200) };
        self.trouble = agenda.pick(&kinds).map(|kind| (kind, until));
    }

    pub(super) fn calm(&mut self) {
        self.trouble = None;
    }

    pub(super) fn kill_process(&mut self) {
        self.out.clear();
    }

    /// The thread that asks dies and is begun anew; its request is lost.
    pub(super) fn die(&mut self, asker: Asker) -> Input {
        self.out.remove(&asker);
        Input::AskerStarted(asker)
    }

    pub(super) fn step(
        &mut self,
        step: Step,
        kick: &Kick,
        finished: Now,
        conditions: &Conditions,
        agenda: &mut Agenda,
    ) -> Option<Input> {
        match step {
            Step::Reach(asker, request, started, takes) => {
                let result = self.result(&request.query, kick, conditions, agenda);
                let refused = result.as_ref().is_err_and(|failure| failure.kind == FailureKind::BadRequest);
                if let (Query::ChannelsBySlug(slugs), true) = (&request.query, refused) {
                    let known = slugs.iter().filter_map(|slug| kick.by_slug(slug));
                    known.for_each(|n| self.keep_back(n, agenda.now + UNKNOWN_NAME_PAUSE));
                }
                let sign = if agenda.odds(0.5) { 1 } else { -1 };
                let ahead = if agenda.odds(conditions.jumps) { sign * agenda.chance.i64(CLOCK_JUMP) } else { 0 };
                let seconds = kick.clock(agenda.now).as_second() + ahead;
                let date = Timestamp::from_second(seconds).expect("a time of our days");
                let server_date = (!conditions.dateless && agenda.odds(0.95)).then_some(date);
                let spent = if agenda.odds(0.02) { 2 } else { 1 };
                let answer = Answer { id: request.id, started, finished, server_date, spent, result };
                agenda.after(takes, Happening::Api(self.core, Step::Land(asker, answer)));
                None
            }
            Step::Land(asker, answer) => {
                if self.out.get(&asker) != Some(&answer.id) {
                    return None;
                }
                self.out.remove(&asker);
                if let Err(failure) = &answer.result {
                    self.failed = agenda.now;
                    if matches!(failure.kind, FailureKind::RateLimited(_)) {
                        self.limited = Some(agenda.now);
                    }
                }
                Some(Input::Answer(Answer { finished, ..answer }))
            }
        }
    }

    fn result(
        &mut self,
        query: &Query,
        kick: &Kick,
        conditions: &Conditions,
        agenda: &mut Agenda,
    ) -> Result<Vec<Seen>, Failure> {
        let endpoint = query.endpoint();
        if self.gone.contains(&endpoint) {
            return Err(failure(FailureKind::NotFound));
        }
        if let Some((kind, until)) = self.trouble {
            if agenda.now < until && agenda.odds(0.9) {
                return Err(failure(kind));
            }
        }
        let (asked, unknown, batch) = match query {
            Query::ChannelsBySlug(slugs) => {
                let known: Vec<usize> = slugs.iter().filter_map(|slug| kick.by_slug(slug)).collect();
                let unknown = slugs.len() > known.len();
                (known, unknown, slugs.len())
            }
            Query::Website(slug) => return self.website(slug, kick, conditions, agenda),
            Query::ChannelsByUser(users) | Query::Livestreams(users) | Query::UsersLivestreams(users) => {
                (known_users(users, kick), false, users.len())
            }
        };
        if unknown && conditions.strict {
            return Err(failure(FailureKind::BadRequest));
        }
        let lists = endpoint != Endpoint::Channels;
        let by_name = matches!(query, Query::ChannelsBySlug(_));
        let mixed_up = !lists && batch > SMALL_BATCH && agenda.odds(conditions.lies);
        let off = asked.iter().filter(|n| kick.streamers[**n].now() == Moment::Off).count();
        let reversed = mixed_up && conditions.blanks == 0.0 && 2 * off > batch && agenda.odds(0.3);
        let mut seen = Vec::new();
        if let ([n], true, true) = (asked.as_slice(), by_name, agenda.odds(conditions.mixed)) {
            // Somebody else's entry, to the only name that was asked about.
            self.keep_back(*n, agenda.now + UNKNOWN_NAME_PAUSE);
            let other = (n + 1) % kick.streamers.len();
            let moment = self.view(endpoint, other, kick, conditions, agenda);
            return Ok(Vec::from_iter((other != *n).then(|| entry(kick, other, endpoint, moment, conditions, agenda))));
        }
        for n in asked {
            let moment = self.view(endpoint, n, kick, conditions, agenda);
            let live = matches!(moment, Moment::Live(_));
            let left_out =
                if lists { !live || agenda.odds(conditions.omits) } else { agenda.odds(conditions.blanks / 4.0) };
            if moment == Moment::Banned || left_out {
                if !lists || live {
                    let pause = if by_name { UNKNOWN_NAME_PAUSE } else { Duration::ZERO };
                    self.keep_back(n, agenda.now + pause);
                }
                continue;
            }
            let told = match moment {
                // So many at once are implausible; a few would be believed (R8, R10).
                Moment::Off if reversed => Moment::Live(kick.streamers[n].last()),
                Moment::Live(_) if mixed_up && !reversed && agenda.odds(0.5) => Moment::Off,
                honest => honest,
            };
            let mut entry = entry(kick, n, endpoint, told, conditions, agenda);
            let has_lists = self.gone.len() < 2;
            if endpoint == Endpoint::Channels && entry.liveness == Liveness::Offline && conditions.unsaid && has_lists {
                entry.liveness = Liveness::Unsaid;
            }
            if told != moment || entry.liveness == Liveness::Nothing {
                self.keep_back(n, agenda.now);
            }
            seen.push(entry);
        }
        agenda.chance.shuffle(&mut seen);
        Ok(seen)
    }

    fn keep_back(&mut self, n: usize, until: Duration) {
        let kept_back = self.kept_back.entry(n).or_default();
        *kept_back = until.max(*kept_back);
    }

    /// What an endpoint knows of a streamer.
    fn view(
        &mut self,
        endpoint: Endpoint,
        n: usize,
        kick: &Kick,
        conditions: &Conditions,
        agenda: &mut Agenda,
    ) -> Moment {
        let lag = agenda.between(Duration::ZERO, conditions.lag);
        let caught_up = self.caught_up.entry((endpoint, n)).or_default();
        *caught_up = (*caught_up).max(agenda.now.saturating_sub(lag));
        kick.streamers[n].at(*caught_up)
    }

    fn website(
        &mut self,
        slug: &Slug,
        kick: &Kick,
        conditions: &Conditions,
        agenda: &mut Agenda,
    ) -> Result<Vec<Seen>, Failure> {
        let Some(n) = kick.by_slug(slug) else { return Err(failure(FailureKind::NotFound)) };
        match agenda.chance.u32(..10) {
            0..2 => Err(failure(FailureKind::Blocked)),
            2 => Err(failure(FailureKind::NotFound)),
            _ => {
                let moment = self.view(Endpoint::Website, n, kick, conditions, agenda);
                Ok(vec![entry(kick, n, Endpoint::Website, moment, conditions, agenda)])
            }
        }
    }
}

fn entry(
    kick: &Kick,
    n: usize,
    endpoint: Endpoint,
    moment: Moment,
    conditions: &Conditions,
    agenda: &mut Agenda,
) -> Seen {
    let streamer = &kick.streamers[n];
    let channel = match endpoint {
        Endpoint::Livestreams | Endpoint::Website => Some(SeenChannel::Stated(streamer.channel)),
        Endpoint::Channels if streamer.banner => Some(SeenChannel::Banner(streamer.channel)),
        Endpoint::Channels | Endpoint::UsersLivestreams => None,
    };
    let liveness = match moment {
        _ if endpoint == Endpoint::Channels && agenda.odds(conditions.blanks) => Liveness::Nothing,
        Moment::Live(broadcast) => {
            let timeless = endpoint == Endpoint::UsersLivestreams && agenda.odds(conditions.blanks);
            Liveness::Live((!timeless).then_some(broadcast.start))
        }
        Moment::Off | Moment::Banned => Liveness::Offline,
    };
    Seen { user: Some(streamer.user), slug: Some(streamer.slug.clone()), channel, liveness, title: None }
}

fn known_users(users: &[UserId], kick: &Kick) -> Vec<usize> {
    users.iter().filter_map(|user| kick.by_user(*user)).collect()
}

fn failure(kind: FailureKind) -> Failure {
    Failure { kind, status: None, text: "simulated".to_owned() }
}
