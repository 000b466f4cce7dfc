//! Judges one request after another: is it Kick's, is it of now, is it new? What is taken goes to the core, and to the
//! other instances; what they pass on is judged in the same way.

use crate::clock::Clock;
use crate::domain::event::Event;
use crate::domain::time::Timestamp;
use crate::domain::webhook::{Refusal, WebhookEvent};
use crate::domain::{Now, Steady};
use crate::gateway::webhook::{Judge, Key};
use crate::monitor::io::Input;
use crate::repeats::Repeats;
use crate::wire::webhook::Request;
use crate::worker::passing_cell::PassingCell;
use crate::worker::webhook_cell::{Known, WebhookCell};
use crossbeam_channel::Sender;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// How far Kick's timestamp may be from Kick's present time.
const AGE_MAX: Duration = Duration::from_secs(600);
/// The most message ids that are remembered: more than Kick sends in twice that time, after which age refuses them.
const SEEN_MAX: usize = 20_000;
/// How often the core is told what was refused.
const REPORTS_APART: Duration = Duration::from_secs(1);
/// The sender, in the log, of what other instances pass on.
const PASSED_ON_BY: &str = "PostgreSQL";

/// The state of the judge.
#[derive(Debug)]
pub(super) struct Desk {
    cell: Arc<WebhookCell>,
    passing: Arc<PassingCell>,
    known: Known,
    key: Option<Key>,
    seen: Seen,
    /// Those that were passed on. A proxy may send to all instances, so none of these is a reason to refuse a request.
    passed_on: Seen,
    inputs: Sender<Input>,
    clock: Clock,
    stopping: bool,
    /// What was not evidence since the core was told last, and when that was.
    others: BTreeMap<&'static str, u64>,
    reported: Steady,
    /// Which refusals were logged, and how many since then.
    repeats: Repeats,
    unsaid: BTreeMap<&'static str, u64>,
}

/// The message ids that came last.
#[derive(Debug, Default)]
struct Seen {
    ids: BTreeSet<Arc<str>>,
    order: VecDeque<Arc<str>>,
}

impl Seen {
    /// Remembers an id. False if it is known already.
    fn is_new(&mut self, id: &str) -> bool {
        let id: Arc<str> = id.into();
        if !self.ids.insert(Arc::clone(&id)) {
            return false;
        }
        if self.order.len() == SEEN_MAX {
            if let Some(oldest) = self.order.pop_front() {
                self.ids.remove(&oldest);
            }
        }
        self.order.push_back(id);
        true
    }
}

impl Desk {
    pub(super) fn new(cell: Arc<WebhookCell>, passing: Arc<PassingCell>, inputs: Sender<Input>, clock: Clock) -> Desk {
        Desk {
            cell,
            passing,
            known: Known::default(),
            key: None,
            seen: Seen::default(),
            passed_on: Seen::default(),
            inputs,
            clock,
            stopping: false,
            others: BTreeMap::new(),
            reported: Steady::default(),
            repeats: Repeats::default(),
            unsaid: BTreeMap::new(),
        }
    }

    /// From now on everything is refused.
    pub(super) fn stop(&mut self) {
        self.stopping = true;
    }

    /// Takes what other instances have passed on.
    pub(super) fn hear(&mut self) {
        let passing = Arc::clone(&self.passing);
        for packed in passing.heard() {
            let request = Request::unpack(&packed).ok_or(Refusal::Malformed);
            if let Err(refusal) = request.and_then(|request| self.hear_one(&request)) {
                self.refused(refusal, PASSED_ON_BY);
            }
        }
    }

    fn hear_one(&mut self, request: &Request) -> Result<(), Refusal> {
        self.check(request)?;
        if self.seen.ids.contains(request.message.as_str()) || !self.passed_on.is_new(&request.message) {
            return Ok(());
        }
        self.deliver(request)
    }

    /// Whether Kick sent it, and lately.
    fn check(&mut self, request: &Request) -> Result<(), Refusal> {
        self.look_up();
        let key = self.key.as_ref().ok_or(Refusal::NoKey)?;
        if !key.holds(&request.signed(), &request.signature) {
            return Err(Refusal::Signature);
        }
        if request.sent.duration_since(self.kick_time(self.clock.now())).unsigned_abs() > AGE_MAX {
            return Err(Refusal::Age);
        }
        Ok(())
    }

    /// Hands it to the core, if it is about a streamer's status.
    fn deliver(&mut self, request: &Request) -> Result<(), Refusal> {
        match request.delivery(self.clock.steady())? {
            Some(delivery) if !self.send(WebhookEvent::Delivered(delivery)) => return Err(Refusal::Stopping),
            Some(_) => {}
            None => *self.others.entry("other").or_default() += 1,
        }
        Ok(())
    }

    /// Tells the core what was not evidence, once a second at most. False when the core is gone.
    pub(super) fn report(&mut self) -> bool {
        let now = self.clock.steady();
        if self.others.is_empty() || now.since(self.reported) < REPORTS_APART {
            return true;
        }
        self.reported = now;
        let others = std::mem::take(&mut self.others);
        self.send(WebhookEvent::Others(others))
    }

    fn send(&self, event: WebhookEvent) -> bool {
        self.inputs.send(Input::Webhook(event)).is_ok()
    }

    /// Takes over what the core has learned of Kick's key and time.
    fn look_up(&mut self) {
        let known = self.cell.known();
        if known.key != self.known.key {
            self.key = known.key.as_deref().and_then(Key::from_pem);
        }
        self.known = known;
    }

    /// What Kick's clock shows; ours until Kick has said.
    fn kick_time(&self, now: Now) -> Timestamp {
        self.known.zero.and_then(|zero| zero.checked_add(now.steady.elapsed()).ok()).unwrap_or(now.wall)
    }
}

impl Judge for Desk {
    fn judge(&mut self, request: &Request, _from: &str) -> Result<(), Refusal> {
        if self.stopping {
            return Err(Refusal::Stopping);
        }
        self.check(request)?;
        if !self.seen.is_new(&request.message) {
            return Err(Refusal::Repeated);
        }
        self.deliver(request)?;
        request.pack().into_iter().for_each(|packed| self.passing.pass_on(packed));
        Ok(())
    }

    fn refused(&mut self, refusal: Refusal, from: &str) {
        let reason = refusal.word();
        *self.others.entry(reason).or_default() += 1;
        let times = self.unsaid.entry(reason).or_default();
        *times += 1;
        if self.repeats.fails(self.clock.steady(), reason, "") {
            Event::WebhookRefused { reason, from: from.to_owned(), times: std::mem::take(times) }.say();
        }
    }
}
