//! What must hold after every step, whatever the world does. The judge of a core hears all that its machine
//! hears and says, and knows the truth besides.

mod prompt;
mod requests;
mod roster;
mod silence;
mod verdict;
mod webhooks;

pub(super) use verdict::VANISHED;

use super::conditions::Conditions;
use super::kick::{Kick, Moment};
use kick_monitor::domain::ask::Endpoint;
use kick_monitor::domain::push::PushKind;
use kick_monitor::domain::row::{DatabaseEvent, Shown, Write, WriteId, WriteResult, Written};
use kick_monitor::domain::time::Timestamp;
use kick_monitor::domain::webhook::WebhookEvent;
use kick_monitor::domain::{LivestreamId, Now, RowId, Status, UserId};
use kick_monitor::monitor::{Asker, Input, Monitor, Output};
use requests::Asked;
use roster::{Known, Reading};
use silence::Silence;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
/// R7: how long a "live" may be what the API still shows of a broadcast that a stop ended.
const STALE_LIVE: Duration = Duration::from_secs(600);
/// R15: a crash may undo what was committed this long before.
const UNDOABLE: Duration = Duration::from_secs(30);

/// R13, R15: so late at most does the API know of what the table shows.
pub(super) const API_LAG: Duration = Duration::from_secs(60);
/// R21: how long a row that was refused is left alone at most: five minutes, and what its answer takes.
pub(super) const REFUSAL_PAUSE: Duration = Duration::from_secs(310);

/// R1: a live event of a broadcast that a stop ended may mean that it resumes when it comes this much later.
const RESUMED_AFTER: Duration = Duration::from_secs(5);

pub(super) struct Judge {
    /// Whose judge it is.
    core: usize,
    /// The table may name wrong channels (R12).
    wrong_hints: bool,
    /// What push does not tell of (R11).
    silence: Silence,
    rows: BTreeMap<RowId, Known>,
    reading: Reading,
    /// Streamers whom push told of shortly before the process before this one ended; none: it may be any.
    told_before: Option<BTreeMap<usize, Status>>,
    in_flight: BTreeMap<WriteId, Write>,
    /// What has to be given out before the machine's turn is over.
    expected: BTreeMap<RowId, Status>,
    /// When the process began, and when the database last did not take a row at once.
    began: Duration,
    troubled: Duration,
    asked: BTreeMap<Asker, Asked>,
    /// Streamers about whom a request by itself failed, and where: until that endpoint answers for them, they are left
    /// to the sweep (R22, R23).
    failing: BTreeSet<(usize, Endpoint)>,
    requests: VecDeque<Duration>,
    budgets: VecDeque<(Duration, u32)>,
    /// When requests started that told of a streamer; and whether they said so or left them out.
    evidence: BTreeMap<usize, VecDeque<(Duration, bool)>>,
    /// When the machine last heard that the connections to the database broke.
    broke: Option<Duration>,
    /// Streamers whose channel id Kick has stated.
    confirmed: BTreeSet<UserId>,
    /// Rows whose name Kick has answered with this streamer: until then a row may name anybody (R12).
    met: BTreeSet<(RowId, usize)>,
    /// Whether it had when a streamer was last told of, and when one was last told of without: a write may be given out
    /// long after it was decided upon.
    confirmed_when_told: BTreeMap<usize, bool>,
    unconfirmed_at: BTreeMap<usize, Duration>,
    /// When push last told of the broadcast that runs.
    announced: BTreeMap<usize, Duration>,
    /// The latest start of a broadcast that anybody told of.
    begun: BTreeMap<usize, Timestamp>,
    /// When that was told first.
    renewed: BTreeMap<usize, Duration>,
    told: BTreeMap<usize, Told>,
    /// When push last told of a streamer that they are Online, or not: a later event may only be a question.
    told_so: BTreeMap<(usize, Status), Duration>,
    /// What push last told the end of, and when: if it runs again, the API is not believed for ten minutes (R7).
    stopped: BTreeMap<usize, (LivestreamId, Duration)>,
    /// When push last told of a start after the stop of the same broadcast: it looks as if that resumed (R1).
    repeated: BTreeMap<usize, Duration>,
    /// Until when push that told what was not true any more excuses a wrong row of a streamer.
    misled: BTreeMap<usize, Duration>,
    /// When requests started whose answers last had a streamer live, and not among those live.
    present: BTreeMap<usize, Duration>,
    /// When the broadcast began that such an answer last had.
    shown_start: BTreeMap<usize, Option<Timestamp>>,
    absent: BTreeMap<usize, Duration>,
    /// Of whom a false Online of the API was believed at this moment.
    lied: (Duration, BTreeSet<usize>),
    pub writes: usize,
}

/// What push last told of a streamer.
struct Told {
    at: Duration,
    /// When it told so first: a duplicate has no hold of its own (R1).
    first: Duration,
    status: Status,
    last: LivestreamId,
    /// The highest livestream id that it told of before.
    before: Option<LivestreamId>,
    /// Kick had stated the channel id that it came through (R12).
    confirmed: bool,
    /// Without Kick's clock, ours may make a delivery look old (R27): it may be only a question.
    doubtful: bool,
}

impl Told {
    /// It is evidence: of a lower id than another one it is only a question (R1, R2).
    fn counts(&self) -> bool {
        Some(self.last) >= self.before
    }
}

impl Judge {
    pub(super) fn new(core: usize, budget: u32, wrong_hints: bool) -> Judge {
        Judge {
            core,
            wrong_hints,
            silence: Silence::default(),
            rows: BTreeMap::new(),
            reading: Reading::default(),
            told_before: Some(BTreeMap::new()),
            in_flight: BTreeMap::new(),
            expected: BTreeMap::new(),
            began: Duration::ZERO,
            troubled: Duration::ZERO,
            asked: BTreeMap::new(),
            failing: BTreeSet::new(),
            requests: VecDeque::new(),
            budgets: VecDeque::from([(Duration::ZERO, budget)]),
            evidence: BTreeMap::new(),
            broke: None,
            confirmed: BTreeSet::new(),
            met: BTreeSet::new(),
            confirmed_when_told: BTreeMap::new(),
            unconfirmed_at: BTreeMap::new(),
            announced: BTreeMap::new(),
            begun: BTreeMap::new(),
            renewed: BTreeMap::new(),
            told: BTreeMap::new(),
            told_so: BTreeMap::new(),
            repeated: BTreeMap::new(),
            stopped: BTreeMap::new(),
            misled: BTreeMap::new(),
            present: BTreeMap::new(),
            shown_start: BTreeMap::new(),
            absent: BTreeMap::new(),
            lied: (Duration::ZERO, BTreeSet::new()),
            writes: 0,
        }
    }

    /// A new process knows nothing, but for whom push told of within the hold, and ids that may be doubted (R12); Kick
    /// still counts what the old one asked. `excused`: until then the API may tell of these in vain.
    pub(super) fn forget_process(&mut self, now: Duration, torn: bool, excused: Duration, hold: Duration) {
        let lately = self.told.iter().filter(|(_, told)| now < told.first + hold.max(API_LAG) && told.counts());
        let lately: BTreeMap<usize, &Told> = lately.map(|(n, told)| (*n, told)).collect();
        for n in lately.keys() {
            let misled = self.misled.entry(*n).or_default();
            *misled = excused.max(*misled);
        }
        // R12: through an id that was not confirmed it has no hold.
        let lately = lately
            .iter()
            .filter(|(_, told)| told.confirmed && !told.doubtful)
            .map(|(n, told)| (*n, told.status))
            .collect();
        self.silence = Silence::default();
        self.told_before = (!torn).then_some(lately);
        self.reading = Reading::default();
        self.began = now;
        self.rows.clear();
        self.in_flight.clear();
        self.asked.clear();
        self.failing.clear();
        self.requests.clear();
        self.evidence.clear();
        self.announced.clear();
        self.begun.clear();
        self.confirmed.clear();
        self.confirmed_when_told.clear();
        self.unconfirmed_at.clear();
        self.told.clear();
        self.told_so.clear();
        self.present.clear();
        self.absent.clear();
    }

    /// The machine is told this.
    pub(super) fn hear(&mut self, now: Duration, input: &Input, kick: &Kick, conditions: &Conditions) {
        self.silence.hear(now, input);
        match input {
            Input::Settings(settings) => self.budgets.push_back((now, settings.requests_per_minute)),
            Input::Roster(read) => self.hear_roster(now, read, kick, conditions),
            Input::Push(_, push) => {
                self.expect_writes(now, push, kick, conditions);
                let n = kick.streamers.iter().position(|streamer| streamer.channel == push.named);
                let confirmed = n.is_some_and(|n| self.confirmed.contains(&kick.streamers[n].user));
                n.into_iter().for_each(|n| self.hear_push(now, n, &push.what, confirmed, kick));
            }
            Input::Webhook(WebhookEvent::Delivered(delivery)) => self.hear_delivery(now, delivery, kick, conditions),
            Input::Answer(answer) => self.hear_answer(answer, kick),
            Input::Written(written) => self.hear_written(now, written),
            Input::WriterStarted { lane, lanes } => self.hear_lost_writes(now, *lane, *lanes),
            Input::Database(DatabaseEvent::Down(_) | DatabaseEvent::Reconnected) => self.hear_break(now),
            Input::AskerStarted(asker) => {
                self.asked.remove(asker);
            }
            _ => {}
        }
    }

    /// A push event that tells of the broadcast that runs: nothing older can be believed after it.
    fn hear_push(&mut self, now: Duration, n: usize, what: &PushKind, confirmed: bool, kick: &Kick) {
        let (PushKind::Live { livestream, .. } | PushKind::Stop { livestream }) = what;
        self.note_confirmed(now, n, confirmed);
        let before = self.told.get(&n).and_then(|told| told.before.max(Some(told.last)));
        let (streamer, live) = (&kick.streamers[n], matches!(what, PushKind::Live { .. }));
        let status = if live { Status::Online } else { Status::Offline };
        // R1: of a broadcast that is known to run it is a duplicate.
        let told = self.told.get(&n).filter(|told| (told.status, told.last) == (status, *livestream));
        let (duplicate, first) = (told.is_some(), told.map_or(now, |told| told.first));
        self.told.insert(n, Told { at: now, first, status, last: *livestream, before, confirmed, doubtful: false });
        self.told_so.insert((n, status), now);
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
        let stopped = self.stopped.get(&n).filter(|(stopped, at)| stopped == livestream && *at + RESUMED_AFTER <= now);
        if live && stopped.is_some() {
            self.repeated.insert(n, now);
        }
        if live {
            self.begun(now, n, streamer.start_of(*livestream));
        }
        if let (Moment::Live(runs), PushKind::Live { livestream, .. }) = (kick.streamers[n].now(), what) {
            // One that is lower than another that push told of is only a question.
            let highest = before.is_none_or(|before| *livestream >= before);
            if runs.id == *livestream && highest && !duplicate && confirmed {
                self.announced.insert(n, now);
            }
        }
    }

    fn note_confirmed(&mut self, now: Duration, n: usize, confirmed: bool) {
        self.confirmed_when_told.insert(n, confirmed);
        if !confirmed {
            self.unconfirmed_at.insert(n, now);
        }
    }

    fn begun(&mut self, now: Duration, n: usize, start: Option<Timestamp>) {
        if start > self.begun.get(&n).copied() {
            self.begun.extend(start.map(|start| (n, start)));
            self.renewed.insert(n, now);
        }
    }

    fn hear_written(&mut self, now: Duration, written: &Written) {
        for (id, result) in &written.results {
            let Some(write) = self.in_flight.remove(id) else { continue };
            let Some(known) = self.rows.get_mut(&write.row) else { continue };
            match result {
                WriteResult::Written | WriteResult::AlreadySo => {
                    // Where the row showed Online already, the column may have the start of an earlier broadcast.
                    let told = write.start_only || *result == WriteResult::Written;
                    if write.status == Status::Online {
                        known.start = write.started_at.filter(|_| told);
                    }
                    if write.start_only && *result == WriteResult::AlreadySo {
                        continue;
                    }
                    known.shown = Some(Shown::Known(write.status));
                    if known.overruled.0 != Some(write.status) {
                        known.overruled = (None, 0);
                    }
                    known.committed = Some(written.at.steady.elapsed());
                    if self.broke.is_some_and(|broke| written.at.steady.elapsed() <= broke) {
                        (known.shown, known.start) = (None, None);
                    }
                }
                // Whether it was written is not known.
                WriteResult::Unavailable(_) => {
                    known.shown = None;
                    self.troubled = now;
                }
                _ => self.troubled = now,
            }
        }
        if written.results.iter().any(|(_, result)| matches!(result, WriteResult::Unavailable(_))) {
            self.hear_break(now);
        }
    }

    /// Whether what a writer had when it died was written is not known.
    fn hear_lost_writes(&mut self, now: Duration, lane: usize, lanes: usize) {
        self.troubled = now;
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
        self.troubled = now;
        self.broke = Some(now);
        for known in self.rows.values_mut() {
            if known.committed.is_some_and(|at| now.saturating_sub(at) <= UNDOABLE) {
                known.shown = None;
                known.start = None;
            }
        }
    }

    /// The machine says this: what is wrong with it, if anything.
    pub(super) fn check(
        &mut self,
        now: Now,
        output: &Output,
        kick: &Kick,
        conditions: &Conditions,
    ) -> Result<(), String> {
        match output {
            Output::Log(event) if !self.wrong_hints => {
                self.silence.check(now.steady.elapsed(), event, kick, conditions)
            }
            Output::OpenLink(_) | Output::CloseLink(_) => {
                self.silence.open(output);
                Ok(())
            }
            Output::Write(write) => self.check_write(now, write, kick, conditions),
            Output::Ask(asker, request) => self.check_ask(now.steady.elapsed(), *asker, request, kick),
            _ => Ok(()),
        }
    }

    /// Whether the machine said that push leaves a good part of the changes out.
    pub(super) fn was_partial(&self) -> bool {
        self.silence.partial
    }

    /// What the machine has to say by now.
    pub(super) fn check_said(&mut self, monitor: &mut Monitor, now: Now) -> Result<(), String> {
        self.check_expected()?;
        self.silence.check_said(monitor, now)
    }
}
