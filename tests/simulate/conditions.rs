//! Under which conditions one core works: what its API, its push and its configuration are like.

use super::agenda::Agenda;
use super::profile::half;
use super::transports::terms;
use super::webhooks::Webhooks;
use kick_monitor::monitor::{Settings, Starts};
use std::time::Duration;

#[derive(Clone, Debug)]
pub(super) struct Conditions {
    /// The API trails the truth by at most this, at each endpoint by another time (docs/kick.md §5.4).
    pub lag: Duration,
    /// How often a large answer of `/channels` is wrong about half of those live, or about all who are
    /// not (docs/kick.md §5.1).
    pub lies: f64,
    /// Kick has no list of those live any more, so that `/channels` is asked about everybody.
    pub listless: bool,
    /// How often a list of those live leaves somebody out.
    pub omits: f64,
    /// How often `/channels` leaves somebody out, or says nothing usable of them.
    pub blanks: f64,
    /// `/channels` shows `"stream": null` for who is not live (R6).
    pub unsaid: bool,
    /// How often an answer about one name is about somebody else (R12).
    pub mixed: f64,
    /// How often an answer's `Date` is far from Kick's time (R5).
    pub jumps: f64,
    /// How often an answer takes seconds.
    pub slow: f64,
    /// One unknown name spoils the whole request (docs/kick.md §5.1).
    pub strict: bool,
    /// Kick does not say what time it is.
    pub dateless: bool,
    /// How often a push event is lost.
    pub loss: f64,
    /// How often a push event is late, and how late at most.
    pub tardy: f64,
    pub late: Duration,
    /// How often a push event comes twice.
    pub repeats: f64,
    /// How often a subscription fails at first.
    pub unsubscribed: f64,
    /// No push ever comes, though the connections look fine.
    pub deaf: bool,
    pub settings: Settings,
    pub poll: Duration,
    /// How many writers there are.
    pub writers: usize,
}

impl Conditions {
    pub(super) fn draw(agenda: &mut Agenda) -> Conditions {
        let lie = agenda.chance.u32(..4);
        Conditions {
            lag: lag(agenda),
            lies: if lie == 0 { 0.5 } else { 0.0 },
            listless: agenda.odds(if lie == 0 { 0.6 } else { 0.1 }),
            omits: if lie == 1 { 0.1 } else { 0.0 },
            blanks: half(agenda, 0.2),
            unsaid: agenda.odds(0.2),
            mixed: half(agenda, 0.1),
            jumps: half(agenda, 0.1),
            slow: half(agenda, 0.2),
            strict: agenda.odds(0.3),
            dateless: agenda.odds(0.1),
            loss: half(agenda, 0.5),
            tardy: half(agenda, 0.5),
            late: agenda.pick(&[5, 30, 120, 600]).map(Duration::from_secs).unwrap_or_default(),
            repeats: half(agenda, 0.5),
            unsubscribed: half(agenda, 0.3),
            deaf: agenda.odds(0.15),
            settings: Conditions::settings(agenda),
            poll: agenda.secs(10, 30),
            writers: agenda.pick(&[1, 1, 2, 4]).unwrap_or(1),
        }
    }

    /// Those of another core in the same world: Kick is the same, its own machine and network are not.
    pub(super) fn of_another(&self, agenda: &mut Agenda) -> Conditions {
        Conditions {
            lag: lag(agenda),
            slow: half(agenda, 0.2),
            loss: half(agenda, 0.5),
            tardy: half(agenda, 0.5),
            repeats: half(agenda, 0.5),
            unsubscribed: half(agenda, 0.3),
            deaf: agenda.odds(0.3),
            settings: Conditions::settings(agenda),
            poll: agenda.secs(10, 30),
            writers: agenda.pick(&[1, 2]).unwrap_or(1),
            ..self.clone()
        }
    }

    pub(super) fn settings(agenda: &mut Agenda) -> Settings {
        Settings {
            sweep: agenda.pick(&[30, 60, 60, 60, 180]).map(Duration::from_secs).unwrap_or_default(),
            // Longer than a sweep: none have a pace of their own.
            sweep_uncovered: agenda.pick(&[3, 10, 30, 86_400]).map(Duration::from_secs).unwrap_or_default(),
            hold: agenda.pick(&[90, 90, 90, 150]).map(Duration::from_secs).unwrap_or_default(),
            offline_delay: agenda.pick(&[0, 0, 0, 20, 120]).map(Duration::from_secs).unwrap_or_default(),
            starts: Starts::Kept,
            batch: agenda.pick(&[1, 5, 25, 25, 50]).unwrap_or(25),
            requests_per_minute: agenda.pick(&[60, 60, 60, 300]).unwrap_or(60),
            push: terms(),
            webhooks: Webhooks::are_on(agenda),
            heartbeat: agenda.odds(0.5).then_some(Duration::from_secs(300)),
            streamers_per_link: agenda.pick(&[1, 3, 100]).unwrap_or(100),
            open_files: 1024,
            kept_files: 100,
            rows_a_turn: agenda.pick(&[3, 20, 1000]).unwrap_or(1000),
        }
    }

    /// Those of a day on which nothing goes wrong by itself.
    pub(super) fn good(&self) -> Conditions {
        let settings = Settings {
            sweep: Duration::from_secs(60),
            sweep_uncovered: Duration::from_secs(3),
            hold: Duration::from_secs(90),
            offline_delay: Duration::ZERO,
            starts: Starts::Kept,
            batch: 25,
            requests_per_minute: 60,
            push: terms(),
            webhooks: false,
            heartbeat: None,
            streamers_per_link: 100,
            open_files: 1024,
            kept_files: 100,
            rows_a_turn: 1000,
        };
        let mut good = Conditions { listless: false, settings, ..self.clone() };
        good.calm();
        Conditions { lag: Duration::from_secs(5), ..good }
    }

    /// The same on a good day: what the rows must come right in.
    pub(super) fn calm(&mut self) {
        *self = Conditions {
            lag: Duration::ZERO,
            lies: 0.0,
            omits: 0.0,
            blanks: 0.0,
            unsaid: false,
            mixed: 0.0,
            jumps: 0.0,
            slow: 0.0,
            loss: 0.0,
            tardy: 0.0,
            repeats: 0.0,
            unsubscribed: 0.0,
            deaf: false,
            ..self.clone()
        };
    }

    /// No evidence is false or out of order; it may still be late at the API, or lost.
    pub(super) fn be_honest(&mut self) {
        let (lag, slow, loss, deaf, unsubscribed) = (self.lag, self.slow, self.loss, self.deaf, self.unsubscribed);
        self.calm();
        *self = Conditions { lag, slow, loss, deaf, unsubscribed, dateless: false, ..self.clone() };
    }

    /// How old the freshest evidence of a change may be when it is believed: the API's lag, the longest
    /// answer and a pause, and push that comes late.
    pub(super) fn stale(&self) -> Duration {
        self.lag
            + Duration::from_secs(20)
            + if self.tardy > 0.0 || self.repeats > 0.0 { self.late } else { Duration::ZERO }
    }

    /// How long a row may be wrong after the last thing that excuses it: a sweep and its confirmation; with
    /// push, a hold before that. Where many rows share a small budget, the sweep takes its time (R22).
    pub(super) fn bound(&self, rows: usize) -> Duration {
        // R6: two absences, half a minute apart, and the pauses between the looks.
        let unsaid = if self.unsaid { Duration::from_secs(75) } else { Duration::ZERO };
        let sweep = self.settings.sweep + self.asking(rows) + self.lag + Duration::from_secs(45) + unsaid;
        let pushed = !self.deaf || self.settings.webhooks;
        if pushed { sweep + self.settings.hold } else { sweep }
    }

    /// The same for a row that push does not cover, where those have quick turns: two of them and the looks between,
    /// and the time for which one endpoint may trail another (R7, R23).
    pub(super) fn quick_bound(&self, rows: usize) -> Option<Duration> {
        let quick = self.settings.sweep_uncovered < self.settings.sweep && self.honest() && !self.unsaid;
        let turns = 2 * (self.settings.sweep_uncovered + self.asking(rows));
        quick.then(|| turns + self.lag + Duration::from_secs(105))
    }

    /// How long the requests of a sweep take at most.
    fn asking(&self, rows: usize) -> Duration {
        let request = Duration::from_secs(60) / self.settings.requests_per_minute;
        2 * request * u32::try_from(rows.div_ceil(self.settings.batch)).unwrap_or(u32::MAX)
    }

    /// How much longer after a 429: a twentieth of the budget is what Kick leaves us at least, and another
    /// comes back with each minute.
    pub(super) fn recovery(&self, rows: usize) -> Duration {
        (20 * self.asking(rows)).min(Duration::from_secs(20 * 60))
    }

    /// No answer is false, and times can be compared; some evidence is late, lost or repeated.
    pub(super) fn honest(&self) -> bool {
        self.lies == 0.0 && self.omits == 0.0 && !self.dateless
    }
}

fn lag(agenda: &mut Agenda) -> Duration {
    agenda.pick(&[0, 5, 20, 60]).map(Duration::from_secs).unwrap_or_default()
}
