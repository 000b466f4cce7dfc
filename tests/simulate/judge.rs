//! What must hold after every step, whatever the world does. The judge hears all that the machine
//! hears and says, and knows the truth besides.

mod verdict;

use super::profile::Profile;
use super::world::{Kick, Moment};
use kick_monitor::domain::ask::{Answer, Endpoint, Liveness, Query, Request, RequestId, SeenChannel};
use kick_monitor::domain::push::{Push, PushKind};
use kick_monitor::domain::row::{DatabaseEvent, RosterRead, Shown, Write, WriteId, WriteResult, Written};
use kick_monitor::domain::time::Timestamp;
use kick_monitor::domain::{LivestreamId, RowId, Slug, Status, UserId};
use kick_monitor::monitor::{Asker, Input, Output};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
/// R7: for so long a live may be what the API still shows of a broadcast that a stop ended.
const STALE_LIVE: Duration = Duration::from_secs(600);
/// R15: a crash may undo what was committed this long before.
const UNDOABLE: Duration = Duration::from_secs(30);

/// R13, R15: so late at most does the API know of what the table shows.
pub(super) const API_LAG: Duration = Duration::from_secs(60);

pub(super) struct Judge {
    rows: BTreeMap<RowId, Known>,
    emptied: bool,
    /// The process has read the roster.
    loaded: bool,
    /// Streamers whom push told of shortly before the process before this one ended; none: it may be any.
    told_before: Option<BTreeMap<usize, Status>>,
    in_flight: BTreeMap<WriteId, Write>,
    asked: BTreeMap<Asker, Asked>,
    requests: VecDeque<Duration>,
    budgets: VecDeque<(Duration, u32)>,
    /// When requests started that told of a streamer; and whether they said so or left them out.
    evidence: BTreeMap<usize, VecDeque<(Duration, bool)>>,
    /// When the machine last heard that the connections to the database broke.
    broke: Option<Duration>,
    /// Streamers whose channel id Kick has stated.
    confirmed: BTreeSet<UserId>,
    /// Whether it had when a streamer was last told of: a write may be given out long after it was decided upon.
    confirmed_when_told: BTreeMap<usize, bool>,
    /// When push last told of the broadcast that runs.
    announced: BTreeMap<usize, Duration>,
    /// The latest start of a broadcast that anybody told of.
    begun: BTreeMap<usize, Timestamp>,
    told: BTreeMap<usize, Told>,
    /// What push last told the end of, and when: if it runs again, the API is not believed for ten minutes (R7).
    stopped: BTreeMap<usize, (LivestreamId, Duration)>,
    /// When push last told of a start that was over: it looks like a broadcast that resumes (R1).
    repeated: BTreeMap<usize, Duration>,
    /// Until when push that told what was not true any more excuses a wrong row of a streamer.
    misled: BTreeMap<usize, Duration>,
    /// When requests started whose answers last had a streamer live, and not among those live.
    present: BTreeMap<usize, Duration>,
    absent: BTreeMap<usize, Duration>,
    /// How many false Online the API was believed at this moment.
    lied: (Duration, usize),
    pub writes: usize,
}

/// What push last told of a streamer.
struct Told {
    at: Duration,
    status: Status,
    last: LivestreamId,
    /// The highest livestream id that it told of before.
    before: Option<LivestreamId>,
}

struct Asked {
    id: RequestId,
    /// Only who is live is listed, so absence says something.
    lists_live: bool,
    about: Vec<usize>,
}

/// A row as far as the machine was told of it.
struct Known {
    username: Arc<str>,
    /// None: it may be anything, and writing it is no repetition.
    shown: Option<Shown>,
    committed: Option<Duration>,
    /// When a read last showed something else than the machine knew of, and what.
    edited: Option<(Duration, Status)>,
    /// The last status that was given out to be written, and when it was first.
    last: Option<(Duration, Status)>,
}

impl Judge {
    pub(super) fn new(budget: u32) -> Judge {
        Judge {
            rows: BTreeMap::new(),
            emptied: false,
            loaded: false,
            told_before: Some(BTreeMap::new()),
            in_flight: BTreeMap::new(),
            asked: BTreeMap::new(),
            requests: VecDeque::new(),
            budgets: VecDeque::from([(Duration::ZERO, budget)]),
            evidence: BTreeMap::new(),
            broke: None,
            confirmed: BTreeSet::new(),
            confirmed_when_told: BTreeMap::new(),
            announced: BTreeMap::new(),
            begun: BTreeMap::new(),
            told: BTreeMap::new(),
            repeated: BTreeMap::new(),
            stopped: BTreeMap::new(),
            misled: BTreeMap::new(),
            present: BTreeMap::new(),
            absent: BTreeMap::new(),
            lied: (Duration::ZERO, 0),
            writes: 0,
        }
    }

    /// A new process knows nothing, but for whom push told of within the hold; Kick still counts what the old one
    /// asked. `excused`: until then the API may tell of these in vain.
    pub(super) fn forget_process(&mut self, now: Duration, torn: bool, excused: Duration, hold: Duration) {
        let lately = self.told.iter().filter(|(_, told)| now < told.at + hold.max(API_LAG));
        let lately: BTreeMap<usize, Status> = lately.map(|(n, told)| (*n, told.status)).collect();
        for n in lately.keys() {
            let misled = self.misled.entry(*n).or_default();
            *misled = excused.max(*misled);
        }
        self.told_before = (!torn).then_some(lately);
        self.loaded = false;
        self.rows.clear();
        self.emptied = false;
        self.in_flight.clear();
        self.asked.clear();
        self.requests.clear();
        self.evidence.clear();
        self.announced.clear();
        self.begun.clear();
        self.told.clear();
        self.present.clear();
        self.absent.clear();
    }

    /// The machine is told this.
    pub(super) fn hear(&mut self, now: Duration, input: &Input, kick: &Kick) {
        match input {
            Input::Settings(settings) => self.budgets.push_back((now, settings.requests_per_minute)),
            Input::Roster(read) => self.hear_roster(now, read, kick),
            Input::Push(_, push) => self.hear_push(now, push, kick),
            Input::Answer(answer) => self.hear_answer(answer, kick),
            Input::Written(written) => self.hear_written(now, written),
            Input::WriterStarted { lane, lanes } => self.hear_lost_writes(*lane, *lanes),
            Input::Database(DatabaseEvent::Down(_) | DatabaseEvent::Reconnected) => self.hear_break(now),
            Input::AskerStarted(asker) => {
                self.asked.remove(asker);
            }
            _ => {}
        }
    }

    fn hear_roster(&mut self, now: Duration, read: &RosterRead, kick: &Kick) {
        if read.rows.is_empty() && !self.rows.is_empty() && !self.emptied {
            self.emptied = true;
            return;
        }
        self.emptied = false;
        let first = !std::mem::replace(&mut self.loaded, true);
        let busy: BTreeSet<&RowId> = self.in_flight.values().map(|write| &write.row).collect();
        let present: BTreeSet<&RowId> = read.rows.iter().map(|row| &row.id).collect();
        self.rows.retain(|id, _| present.contains(id));
        for row in &read.rows {
            let known = self.rows.get_mut(&row.id);
            let same =
                |known: &&mut Known| known.username == row.username || name(&known.username) == name(&row.username);
            match known.filter(same) {
                Some(known) => {
                    known.username.clone_from(&row.username);
                    let outdated = known.committed.is_some_and(|at| read.started.0 <= at);
                    if !outdated && !busy.contains(&row.id) && known.shown.is_some() {
                        let undone = self.broke > known.committed;
                        if known.shown != Some(row.shown) && !undone {
                            // R13: where it shows neither value, one answer is enough.
                            known.edited = match row.shown {
                                Shown::Known(status) => Some((now, status)),
                                Shown::Unknown => None,
                            };
                        }
                        known.shown = Some(row.shown);
                    }
                }
                None if name(&row.username).is_none() => {
                    self.rows.remove(&row.id);
                }
                None => {
                    // R13: what push told before may be fresher than the API.
                    let n = kick.by_username(&row.username);
                    let told = |n, shown| self.told_before.as_ref().is_none_or(|told| told.get(&n) == Some(&shown));
                    let fresh = match (first, n, row.shown) {
                        (true, Some(n), Shown::Known(shown)) => Some((now, shown)).filter(|_| told(n, shown)),
                        _ => None,
                    };
                    let known = Known {
                        username: row.username.clone(),
                        shown: Some(row.shown),
                        committed: None,
                        edited: fresh,
                        last: None,
                    };
                    self.rows.insert(row.id.clone(), known);
                }
            }
        }
    }

    /// A push event that tells of the broadcast that runs: nothing older can be believed after it.
    fn hear_push(&mut self, now: Duration, push: &Push, kick: &Kick) {
        let Some(n) = kick.streamers.iter().position(|streamer| streamer.channel == push.named) else { return };
        let (PushKind::Live { livestream, .. } | PushKind::Stop { livestream }) = &push.what;
        self.confirmed_when_told.insert(n, self.confirmed.contains(&kick.streamers[n].user));
        let before = self.told.get(&n).and_then(|told| told.before.max(Some(told.last)));
        let (streamer, live) = (&kick.streamers[n], matches!(push.what, PushKind::Live { .. }));
        let status = if live { Status::Online } else { Status::Offline };
        self.told.insert(n, Told { at: now, status, last: *livestream, before });
        if !live {
            self.stopped.insert(n, (*livestream, now));
        }
        if live != matches!(streamer.now(), Moment::Live(_)) {
            // R7: the broadcast that runs may be the one that the stop ended, for ten minutes, unless push told
            // that it began, or it is known that the one that ended had begun before.
            let so_since = |heard: &BTreeMap<usize, Duration>| heard.get(&n).is_some_and(|at| streamer.since() <= *at);
            let ended_is_known = self.begun.get(&n).copied() >= streamer.start_of(*livestream);
            let may_be_it = !live && !so_since(&self.announced) && (so_since(&self.present) || !ended_is_known);
            self.misled.insert(n, if may_be_it { now + STALE_LIVE } else { now });
        }
        if live && !matches!(streamer.now(), Moment::Live(_)) {
            self.repeated.insert(n, now);
        }
        if live {
            self.begun(n, streamer.start_of(*livestream));
        }
        if let (Moment::Live(runs), PushKind::Live { livestream, .. }) = (kick.streamers[n].now(), &push.what) {
            if runs.id == *livestream && self.confirmed.contains(&kick.streamers[n].user) {
                self.announced.insert(n, now);
            }
        }
    }

    fn begun(&mut self, n: usize, start: Option<Timestamp>) {
        if let Some(start) = start {
            let begun = self.begun.entry(n).or_insert(start);
            *begun = start.max(*begun);
        }
    }

    fn hear_answer(&mut self, answer: &Answer, kick: &Kick) {
        let Some(asker) = self.asked.iter().find(|(_, asked)| asked.id == answer.id).map(|(asker, _)| *asker) else {
            return;
        };
        let Some(asked) = self.asked.remove(&asker) else { return };
        let Ok(seen) = &answer.result else { return };
        for entry in seen {
            if let (Some(user), Some(SeenChannel::Stated(_))) = (entry.user, entry.channel) {
                self.confirmed.insert(user);
            }
        }
        if asker == Asker::Website {
            return;
        }
        for n in asked.about {
            let entry = seen.iter().find(|entry| entry.user == Some(kick.streamers[n].user));
            match entry.map(|entry| entry.liveness) {
                Some(Liveness::Live(start)) => {
                    self.present.insert(n, answer.started.steady.0);
                    self.begun(n, start);
                }
                Some(Liveness::Offline) | None => drop(self.absent.insert(n, answer.started.steady.0)),
                Some(Liveness::Unsaid | Liveness::Nothing) => {}
            }
            let usable =
                entry.map_or(asked.lists_live, |entry| matches!(entry.liveness, Liveness::Live(_) | Liveness::Offline));
            if !usable {
                continue;
            }
            self.confirmed_when_told.insert(n, self.confirmed.contains(&kick.streamers[n].user));
            let told = self.evidence.entry(n).or_default();
            told.push_back((answer.started.steady.0, entry.is_some()));
            if told.len() > 20 {
                told.pop_front();
            }
        }
    }

    fn hear_written(&mut self, now: Duration, written: &Written) {
        for (id, result) in &written.results {
            let Some(write) = self.in_flight.remove(id) else { continue };
            let Some(known) = self.rows.get_mut(&write.row) else { continue };
            match result {
                WriteResult::Written | WriteResult::AlreadySo => {
                    known.shown = Some(Shown::Known(write.status));
                    known.committed = Some(written.at.steady.0);
                    if self.broke.is_some_and(|broke| written.at.steady.0 <= broke) {
                        known.shown = None;
                    }
                }
                // Whether it was written is not known.
                WriteResult::Unavailable(_) => known.shown = None,
                _ => {}
            }
        }
        if written.results.iter().any(|(_, result)| matches!(result, WriteResult::Unavailable(_))) {
            self.hear_break(now);
        }
    }

    /// Whether what a writer had when it died was written is not known.
    fn hear_lost_writes(&mut self, lane: usize, lanes: usize) {
        let all = std::mem::take(&mut self.in_flight).into_iter();
        let (lost, kept): (BTreeMap<_, _>, _) = all.partition(|(_, write)| write.row.lane(lanes) == lane);
        self.in_flight = kept;
        for write in lost.into_values() {
            if let Some(known) = self.rows.get_mut(&write.row) {
                known.shown = None;
            }
        }
    }

    /// R15: what was committed shortly before may be written again.
    fn hear_break(&mut self, now: Duration) {
        self.broke = Some(now);
        for known in self.rows.values_mut() {
            if known.committed.is_some_and(|at| now.saturating_sub(at) <= UNDOABLE) {
                known.shown = None;
            }
        }
    }

    /// The machine says this: what is wrong with it, if anything.
    pub(super) fn check(
        &mut self,
        now: Duration,
        output: &Output,
        kick: &Kick,
        profile: &Profile,
    ) -> Result<(), String> {
        match output {
            Output::Write(write) => self.check_write(now, write, kick, profile),
            Output::Ask(asker, request) => self.check_ask(now, *asker, request, kick),
            _ => Ok(()),
        }
    }

    fn check_ask(&mut self, now: Duration, asker: Asker, request: &Request, kick: &Kick) -> Result<(), String> {
        let users = |users: &[UserId]| users.iter().filter_map(|user| kick.by_user(*user)).collect();
        let about = match &request.query {
            Query::ChannelsBySlug(slugs) => slugs.iter().filter_map(|slug| kick.by_slug(slug)).collect(),
            Query::Website(slug) => kick.by_slug(slug).into_iter().collect(),
            Query::ChannelsByUser(ids) | Query::Livestreams(ids) | Query::UsersLivestreams(ids) => users(ids),
        };
        let lists_live = matches!(request.query.endpoint(), Endpoint::Livestreams | Endpoint::UsersLivestreams);
        if self.asked.insert(asker, Asked { id: request.id, lists_live, about }).is_some() {
            return Err(format!("two requests at once for {asker:?}"));
        }
        self.requests.push_back(now);
        while self.requests.front().is_some_and(|at| *at + MINUTE <= now) {
            self.requests.pop_front();
        }
        while self.budgets.get(1).is_some_and(|(at, _)| *at + MINUTE <= now) {
            self.budgets.pop_front();
        }
        let most = self.budgets.iter().map(|(_, budget)| *budget).max().unwrap_or(0);
        if self.requests.len() > most as usize {
            return Err(format!("{} requests within a minute; {most} are allowed", self.requests.len()));
        }
        Ok(())
    }
}

fn name(username: &str) -> Option<Slug> {
    Slug::from_username(username).ok()
}
