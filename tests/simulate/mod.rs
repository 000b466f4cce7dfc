//! The core in a simulated world: whole days in moments, each made by a seed.
//!
//! First faults, and nothing wrong may be written; then calm, and every row must come right.
//! `SIMULATE_SEEDS=N` runs so many days, from the first or from `SIMULATE_FIRST=n`; `SIMULATE_SEED=n` runs one and
//! tells the last `SIMULATE_LINES=n` lines of it.

mod agenda;
mod api;
mod client;
mod conditions;
mod core;
mod database;
mod edits;
mod faults;
mod judge;
mod kick;
mod locks;
mod profile;
mod push;
mod referee;
mod run;
mod seat;
mod transports;
mod webhooks;
mod words;
mod world;

use kick_monitor::domain::Status;
use kick_monitor::domain::push::Transport;
use kick_monitor::domain::time::Timestamp;
use run::{live_sharing, live_through, live_with_an_ill_transport};
use std::time::Duration;
use transports::Ill;

/// 2026-10-01T00:00:00Z, when every simulated day begins by our clock.
const MIDNIGHT: Timestamp = Timestamp::constant(1_790_812_800, 0);
const HOUR: Duration = Duration::from_secs(3_600);
const SEEDS: u64 = 300;
/// Days on which cores share the table.
const SHARED_SEEDS: u64 = 60;
/// How much of a transcript is shown.
const LINES: u64 = 60;

#[test]
fn whatever_happens_the_table_is_not_wrong_and_comes_right() {
    all_days(SEEDS, 20, live_through);
}

/// R25: crashes, stopped processes, cut networks and lost sessions; two to five cores.
#[test]
fn several_cores_that_share_a_table_are_as_good_as_one() {
    all_days(SHARED_SEEDS, 20, live_sharing);
}

/// Simulates this number of days, or the number that the environment names. With fewer `writes` a day on average, the
/// world is too quiet to prove anything.
fn all_days(seeds: u64, writes: u64, live: fn(u64, bool) -> run::Outcome) {
    if let Some(seed) = number("SIMULATE_SEED") {
        let day = live(seed, true);
        assert!(day.wrong.is_none(), "{}", story(seed, &day));
        return;
    }
    let seeds = number("SIMULATE_SEEDS").unwrap_or(seeds);
    let first = number("SIMULATE_FIRST").unwrap_or(1);
    let outcome = |seed: u64| {
        let day = live(seed, false);
        (seed, day.wrong, day.writes)
    };
    // Two halves, one for each of two processors.
    let half = |odd: u64| (first..first + seeds).filter(move |seed| seed % 2 == odd).map(outcome).collect::<Vec<_>>();
    let (mut days, odd) = std::thread::scope(|scope| {
        let odd = scope.spawn(|| half(1));
        (half(0), odd.join().expect("a half of the days"))
    });
    days.extend(odd);
    days.sort_by_key(|(seed, _, _)| *seed);
    let wrong: Vec<String> =
        days.iter().filter_map(|(seed, wrong, _)| Some(format!("seed {seed}: {}", wrong.as_ref()?))).collect();
    if let Some((seed, _, _)) = days.iter().find(|(_, wrong, _)| wrong.is_some()) {
        let story = story(*seed, &live(*seed, true));
        panic!("{} of {seeds} days went wrong:\n{}\n{story}", wrong.len(), wrong.join("\n"));
    }
    let written: usize = days.iter().map(|(_, _, writes)| writes).sum();
    assert!(written as u64 >= seeds * writes, "only {written} writes in {seeds} days");
}

/// R11: the connections do not swing, and the statuses come by the sweep in between.
#[test]
fn a_transport_that_is_ill_all_day_is_left_once() {
    let ills = [
        Ill::Deaf,
        Ill::DeafTo(Status::Online),
        Ill::DeafTo(Status::Offline),
        Ill::TakesNobody,
        Ill::AnswersNobody,
        Ill::Renamed,
    ];
    for (ill, seed) in ills.into_iter().flat_map(|ill| [(ill, 1), (ill, 2)]) {
        let day = live_with_an_ill_transport(seed, ill, 24 * HOUR);
        assert!(day.wrong.is_none(), "{ill:?}: {}", story(seed, &day));
        assert_eq!((day.transport, day.changes), (Some(Transport::Centrifugo), 1), "{ill:?}, seed {seed}");
        // R24: whose events came under other names, their names are told.
        let named = !day.report.realtime.unrecognised_events.is_empty();
        assert_eq!(named, ill == Ill::Renamed, "{ill:?}, seed {seed}");
    }
}

/// R11: the preferred transport is taken again when it has proved itself, by what it did not tell.
#[test]
fn a_transport_that_was_ill_for_hours_is_taken_again() {
    for (seed, ill) in [Ill::Deaf, Ill::DeafTo(Status::Online), Ill::TakesNobody].into_iter().enumerate() {
        let day = live_with_an_ill_transport(seed as u64, ill, 5 * HOUR);
        assert!(day.wrong.is_none(), "{ill:?}: {}", story(seed as u64, &day));
        assert_eq!((day.transport, day.changes), (Some(Transport::Pusher), 2), "{ill:?}, seed {seed}");
    }
}

/// R11: a third of the channels, never told of by push, are found by the sweep, and it is said.
#[test]
fn a_transport_that_leaves_channels_out_is_said_to_do_so() {
    for seed in 1..=2 {
        let day = live_with_an_ill_transport(seed, Ill::PartlyDeaf, 24 * HOUR);
        assert!(day.wrong.is_none(), "{}", story(seed, &day));
        assert!(day.partial, "seed {seed}");
    }
}

fn story(seed: u64, day: &run::Outcome) -> String {
    let end = day.transcript.len().saturating_sub(number("SIMULATE_LINES").unwrap_or(LINES) as usize).max(1);
    format!(
        "{}\n{}\n{}\nreplay: SIMULATE_SEED={seed} cargo test --test tests simulate",
        day.transcript.first().map_or("", String::as_str),
        day.transcript[end.min(day.transcript.len())..].join("\n"),
        day.wrong.as_deref().unwrap_or("nothing went wrong"),
    )
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|value| value.parse().expect("a number of seeds"))
}
