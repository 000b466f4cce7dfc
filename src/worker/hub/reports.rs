//! When the hub sends bulletins for the status files: the summary every two seconds and when a problem begins or
//! ends, and the streamers page by page, so that no push event waits for long.
//!
//! It never waits for the `status` thread: a bulletin that finds the channel full is skipped.

use crate::domain::report::{Bulletin, Page, Report};
use crate::domain::{Now, RowId, Steady};
use crate::monitor::Monitor;
use crossbeam_channel::{Sender, TrySendError};
use std::time::Duration;

/// The interval of the summary (docs/operating.md states at least every 2 s, so it is a little shorter).
const EVERY: Duration = Duration::from_millis(1900);
/// The shortest interval between bulletins. Problems that begin and end faster are not reported one by one.
const APART: Duration = Duration::from_millis(100);
/// Streamers in one page: a millisecond's work.
const PAGE: usize = 2000;

/// What was sent, and when.
#[derive(Debug, Default)]
pub(super) struct Reports {
    last: Option<Steady>,
    /// The last row of the previous page. `None`: no round is under way; `Some(None)`: the round has just begun.
    round: Option<Option<RowId>>,
    /// The core's revision when the last round began.
    told: Option<u64>,
}

impl Reports {
    pub(super) fn due(&self, monitor: &Monitor) -> Steady {
        let pause = if monitor.has_news() { APART } else { EVERY };
        self.last.map_or(Steady::default(), |last| last + pause)
    }

    /// Sends a bulletin if one is due; whether one was. `longest_turn`: of the hub.
    pub(super) fn tell(
        &mut self,
        now: Now,
        monitor: &mut Monitor,
        longest_turn: Duration,
        bulletins: &Sender<Bulletin>,
    ) -> bool {
        if self.due(monitor) > now.steady {
            return false;
        }
        self.last = Some(now.steady);
        if bulletins.is_full() {
            return true;
        }
        if self.round.is_none() && self.told != Some(monitor.revision()) {
            self.round = Some(None);
            self.told = Some(monitor.revision());
        }
        let page = self.round.as_ref().map(|after| {
            let streamers = monitor.page(now, after.as_ref(), PAGE);
            Page { first: after.is_none(), last: streamers.len() < PAGE, streamers }
        });
        let next = page.as_ref().filter(|page| !page.last).and_then(|page| page.streamers.last());
        let next = next.map(|streamer| Some(RowId::new(&streamer.id)));
        let longest_turn_ms = (longest_turn.as_secs_f64() * 1e6).round() / 1e3;
        let report = Report { longest_turn_ms, ..monitor.report(now) };
        let bulletin = Bulletin { report, sweep_every: monitor.sweep_every(), page };
        match bulletins.try_send(bulletin) {
            Ok(()) => self.round = next,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::{PAGE, Reports};
    use crate::clock::Clock;
    use crate::domain::row::{RosterRead, Row, Shown};
    use crate::domain::shards::{Coordination, Scope, Shard};
    use crate::domain::way::Place;
    use crate::domain::{Now, RowId};
    use crate::monitor::{Input, Monitor, Settings, Starts, Terms};
    use crossbeam_channel::bounded;
    use std::time::Duration;

    fn monitor(now: Now, streamers: usize) -> Monitor {
        let settings = Settings {
            sweep: Duration::from_secs(60),
            sweep_uncovered: Duration::from_secs(3),
            hold: Duration::from_secs(90),
            offline_delay: Duration::ZERO,
            starts: Starts::Ignored,
            batch: 25,
            requests_per_minute: 60,
            push: Terms {
                only: None,
                pusher: Place { tls: false, host: String::new(), port: 0, path_and_query: String::new() },
                app_key: String::new(),
                broker_is_loopback: false,
            },
            webhooks: false,
            heartbeat: None,
            streamers_per_link: 100,
            open_files: 1024,
            kept_files: 100,
            rows_a_turn: usize::MAX,
        };
        let mut monitor = Monitor::new(now, settings, 1);
        let row = |n: usize| Row {
            id: RowId::new(&n.to_string()),
            username: format!("name{n}").into(),
            shown: Shown::Unknown,
            shard: Shard::default(),
            channel: None,
            user: None,
            started_at: None,
            flaw: None,
        };
        monitor.handle(now, Input::Coordination(Coordination::Off(None)));
        let rows = (0..streamers).map(row).collect();
        monitor.handle(now, Input::Roster(RosterRead { started: now.steady, scope: Scope::All, rows, more: false }));
        monitor
    }

    #[test]
    fn a_round_tells_everybody_once_page_by_page_and_a_full_desk_loses_nobody() {
        let mut now = Clock::start().now();
        let mut monitor = monitor(now, PAGE + 7);
        let (sender, desk) = bounded(1);
        let mut reports = Reports::default();
        let mut told = Vec::new();
        for turn in 0..8 {
            now.steady = now.steady + Duration::from_secs(2);
            reports.tell(now, &mut monitor, Duration::ZERO, &sender);
            // Every other bulletin stays in the channel, so that the next one finds it full.
            if turn % 2 == 0 {
                continue;
            }
            let page = desk.try_recv().expect("a bulletin").page;
            told.extend(page.map(|page| (page.first, page.last, page.streamers)));
        }
        let ends: Vec<_> = told.iter().map(|(first, last, streamers)| (*first, *last, streamers.len())).collect();
        assert_eq!(ends, [(true, false, PAGE), (false, true, 7)], "one round, for nothing has changed");
        let mut ids: Vec<String> = told.into_iter().flat_map(|(_, _, page)| page).map(|one| one.id).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), PAGE + 7);
    }

    #[test]
    fn a_report_is_due_every_two_seconds_and_soon_after_a_problem() {
        let mut now = Clock::start().now();
        let mut monitor = monitor(now, 1);
        let (sender, desk) = bounded(1);
        let mut reports = Reports::default();
        let mut told_after = |millis: u64, monitor: &mut Monitor| {
            now.steady = now.steady + Duration::from_millis(millis);
            reports.tell(now, monitor, Duration::ZERO, &sender);
            desk.try_recv().is_ok()
        };
        assert!(told_after(0, &mut monitor), "at once");
        assert!(!told_after(1000, &mut monitor));
        assert!(told_after(1000, &mut monitor));
        let now = Clock::start().now();
        monitor.handle(now, Input::Listening(Some("a pooler".to_owned())));
        assert!(!told_after(50, &mut monitor) && told_after(50, &mut monitor));
    }
}
