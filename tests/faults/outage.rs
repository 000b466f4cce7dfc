//! Everything is away at once, for as long as `OUTAGE_SECONDS` says: how long a status stays stale behind
//! that. The settings are those of the manual.

use super::matrix::{Came, Cell, THREE, Watch, compare, prove_push, wait_online};
use super::ways::through_relays;
use crate::e2e::stage::Stage;
use lab::{Trouble, wait_for};
use std::ops::Range;
use std::time::Duration;

/// What is away, which of the relays that is, and how.
const OUTAGES: [(&str, Range<usize>, Trouble); 4] = [
    ("Kick refuses", 0..3, Trouble::Refused),
    ("Kick is silent", 0..3, Trouble::Silent),
    ("Kick and database refuse", 0..4, Trouble::Refused),
    ("database refuses", 3..4, Trouble::Refused),
];

#[test]
fn behind_an_outage_all_is_right_before_long() {
    let seconds = std::env::var("OUTAGE_SECONDS").map_or(15, |text| text.parse().expect("a number of seconds"));
    let cell = |fault| Cell { edge: "outage", fault };
    OUTAGES.iter().for_each(|(fault, ..)| cell(fault).announce());
    std::thread::scope(|scope| {
        for (fault, ways, trouble) in OUTAGES {
            scope.spawn(move || suffer(cell(fault), ways, trouble, Duration::from_secs(seconds)));
        }
    });
}

/// Ana goes live meanwhile, and of bob's broadcast nothing is left to tell.
fn suffer(cell: Cell, ways: Range<usize>, trouble: Trouble, lasts: Duration) {
    let stage = Stage::with(&THREE);
    let builder = stage.builder().set("SWEEP_SECS", "60").set("ROSTER_POLL_SECS", "10");
    let (builder, relays) =
        through_relays(&stage, builder.set("API_REQUESTS_PER_MINUTE", "60").set("LOG_LEVEL", "info"));
    let daemon = stage.start(builder);
    stage.wait_followed(&THREE);
    THREE.iter().for_each(|username| stage.wait_status(username, "Offline"));
    let watch = Watch::start(&daemon);
    relays[ways.clone()].iter().for_each(|relay| relay.trouble(Some(trouble)));
    let wait_until = |then| wait_for("the outage to last", lasts, || (watch.elapsed() >= then).then_some(()));
    wait_until(lasts / 2);
    stage.kick.go_live("ana");
    stage.kick.go_live("bob");
    stage.kick.stop("bob");
    wait_until(lasts);
    let ended = watch.elapsed();
    relays[ways].iter().for_each(|relay| relay.trouble(None));
    wait_online(&stage, "ana");
    let healed = watch.elapsed() - ended;
    prove_push(&stage, &daemon);
    watch.assert_idle(&daemon, cell);
    let truths: [&[&str]; 3] = [&["Offline", "Online"], &["Offline"], &["Offline", "Online"]];
    let all = THREE.iter().zip(truths).map(|(username, truth)| compare(&stage.written(username), truth));
    cell.record(Came { healed, ..all.sum() });
}
