//! What came of a fault: for `make faults`, which prints it. Every cell must be there, with nothing
//! false and nothing lost.

use crate::e2e::stage::{Stage, changes};
use kick_sim::Kick;
use lab::{Daemon, Database, wait_for};
use std::fs;
use std::iter::Sum;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// One fault at one edge.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    pub edge: &'static str,
    pub fault: &'static str,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Came {
    /// From the beginning of the fault until the log says that something is wrong; nothing if it never does.
    pub noticed: Option<Duration>,
    /// From the end of the fault until all was right and the edge proven to work.
    pub healed: Duration,
    /// Statuses written that were not the next truth.
    pub false_writes: usize,
    /// Truths that were never written.
    pub lost_writes: usize,
}

impl Cell {
    /// Says that this cell is to come: one that stays empty is a failure of `make faults`.
    pub(super) fn announce(self) {
        self.note("");
    }

    /// Notes what came of it.
    ///
    /// # Panics
    ///
    /// When something false was written, or something true was not.
    #[track_caller]
    pub(super) fn record(self, came: Came) {
        let noticed = came.noticed.map_or("-".to_owned(), |noticed| format!("{:.1}", noticed.as_secs_f64()));
        let healed = came.healed.as_secs_f64();
        self.note(&format!("{noticed}\t{healed:.1}\t{}\t{}\n", came.false_writes, came.lost_writes));
        assert_eq!((came.false_writes, came.lost_writes), (0, 0), "false and lost writes of {self:?}");
    }

    fn note(self, text: &str) {
        let Some(directory) = std::env::var_os("FAULTS_MATRIX").map(PathBuf::from) else { return };
        let file = directory.join(format!("{}\t{}", self.edge, self.fault));
        fs::write(file, text).expect("the matrix can be written");
    }
}

impl Sum for Came {
    fn sum<I: Iterator<Item = Came>>(all: I) -> Came {
        all.fold(Came::default(), |sum, one| Came {
            false_writes: sum.false_writes + one.false_writes,
            lost_writes: sum.lost_writes + one.lost_writes,
            ..sum
        })
    }
}

/// Since when a fault lasts, and how busy the daemon had been until then.
pub(super) struct Watch {
    began: Instant,
    busy: Duration,
}

impl Watch {
    #[expect(clippy::disallowed_methods, reason = "how long healing takes is what the matrix tells")]
    pub(super) fn start(daemon: &Daemon) -> Watch {
        Watch { began: Instant::now(), busy: daemon.busy() }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// No fault makes the daemon spin.
    #[track_caller]
    pub(super) fn assert_idle(&self, daemon: &Daemon, cell: Cell) {
        let (busy, lasted) = (daemon.busy() - self.busy, self.elapsed());
        assert!(busy < lasted / 2 + Duration::from_secs(1), "{cell:?}: busy for {busy:?} of {lasted:?}");
    }
}

/// The longest that a dead connection may go unnoticed, or a pause lasts, and a busy machine.
pub(super) const LONG: Duration = Duration::from_secs(75);
/// Whom the faults befall: two who change meanwhile, and one who shows that it is over.
pub(super) const THREE: [&str; 3] = ["ana", "bob", "cyd"];

/// Waits until the row shows it.
#[track_caller]
pub(super) fn wait_online(stage: &Stage, username: &str) {
    let query = format!("SELECT status FROM streamers WHERE username = '{username}'");
    let online = |database: &Database| database.value(&query).as_deref() == Some("Online");
    wait_for(&format!("{username} to be Online"), LONG, || online(&stage.database).then_some(()));
}

/// Waits until push follows all three, and has it tell of cyd.
#[track_caller]
pub(super) fn prove_push(stage: &Stage, daemon: &Daemon) {
    let followed = |kick: &Kick| kick.connections() == 1 && kick.subscriptions().len() == THREE.len();
    assert!(stage.kick.wait_for(LONG, followed), "push does not come back");
    stage.kick.set_api_lag(None);
    stage.kick.go_live("cyd");
    assert_told(daemon, "push");
}

/// Waits until the program has told that cyd is Online; it is from this that it knows.
#[track_caller]
pub(super) fn assert_told(daemon: &Daemon, source: &str) {
    let told = wait_for("cyd to be told of", LONG, || {
        changes(daemon, "cyd").into_iter().find(|line| line.key("status") == "Online")
    });
    assert_eq!(told.key("source"), source, "{}", told.text);
}

/// What came of all three, of whom each went live once.
pub(super) fn compare_three(stage: &Stage) -> Came {
    THREE.map(|username| compare(&stage.written(username), &["Offline", "Online"])).into_iter().sum()
}

/// How far the trace of what was written is from the truth, which changed so.
pub(super) fn compare(written: &[String], truth: &[&str]) -> Came {
    let mut rest = truth.iter().peekable();
    let mut false_writes = 0;
    for status in written {
        if rest.next_if(|truth| **truth == status).is_none() {
            false_writes += 1;
        }
    }
    Came { false_writes, lost_writes: rest.count(), ..Came::default() }
}

#[test]
fn what_is_false_and_what_is_lost_is_counted() {
    let written = ["Offline", "Online", "Offline"].map(str::to_owned);
    let came = |truth: &[&str]| {
        let came = compare(&written, truth);
        (came.false_writes, came.lost_writes)
    };
    assert_eq!(came(&["Offline", "Online", "Offline"]), (0, 0));
    assert_eq!(came(&["Offline", "Online"]), (1, 0));
    assert_eq!(came(&["Offline", "Online", "Offline", "Online"]), (0, 1));
}
