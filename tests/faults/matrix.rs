//! What came of a fault: for `make faults`, which prints it. Every cell must be there, with nothing
//! false and nothing lost.

use lab::Daemon;
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
