//! A long life with everything going wrong all the time: nothing false is written, nothing is lost, and
//! what the daemon takes of the machine stays the same. `make soak MINUTES=30` makes it long.
//!
//! False is a status that was not true at any time of the last 90 s: so long may two ways fail at once, and
//! who was told of nothing cannot know better.

use super::ways::through_relays;
use crate::e2e::stage::{PATIENCE, Stage};
use kick_sim::Transport;
use lab::{Daemon, Signal, Trouble, wait_for};
use std::time::{Duration, Instant};

/// So many that each changes every half a minute or so: what stops and begins again within 15 s is told apart
/// from the API's lag by push alone (R7).
const STREAMERS: usize = 48;
/// After so long of a life what it takes must not grow any more.
const WARM: Duration = Duration::from_secs(20);
const LATE: Duration = Duration::from_secs(240);

const TROUBLES: [Trouble; 9] = [
    Trouble::Refused,
    Trouble::Reset,
    Trouble::Closed,
    Trouble::Silent,
    Trouble::HalfOpen,
    Trouble::Drip,
    Trouble::Cut,
    Trouble::Late(Duration::from_millis(500)),
    Trouble::Garbage,
];

/// What the daemon takes of the machine.
#[derive(Clone, Copy, Debug, Default)]
struct Taken {
    resident: u64,
    threads: usize,
    descriptors: usize,
}

impl Taken {
    fn of(daemon: &Daemon) -> Taken {
        Taken { resident: daemon.resident(), threads: daemon.threads(), descriptors: daemon.descriptors() }
    }

    /// The most of both.
    fn most(self, other: Taken) -> Taken {
        Taken {
            resident: self.resident.max(other.resident),
            threads: self.threads.max(other.threads),
            descriptors: self.descriptors.max(other.descriptors),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a soak lasts so long as it is told")]
fn now() -> Instant {
    Instant::now()
}

fn username(n: usize) -> String {
    format!("streamer{n}")
}

/// Streamer `n` changes at Kick. The table of truths knows first, for nobody is faster than the daemon.
fn turn(stage: &Stage, n: usize, live: &mut [bool; STREAMERS]) {
    let username = username(n);
    live[n] = !live[n];
    let status = if live[n] { "Online" } else { "Offline" };
    stage.database.execute(&format!("INSERT INTO truth VALUES ('{username}', '{status}')"));
    if live[n] {
        stage.kick.go_live(&username);
    } else {
        stage.kick.stop(&username);
    }
}

/// What was written although it had not been true for 90 s.
const FALSE: &str = "SELECT count(*) FROM written AS w WHERE NOT EXISTS (
    SELECT FROM (SELECT username, status, at, lead(at) OVER (PARTITION BY username ORDER BY at) AS until FROM truth) AS t
    WHERE t.username = w.username AND t.status = w.status AND t.at <= w.at
        AND coalesce(t.until, 'infinity') >= w.at - interval '90 s')";
/// Rows that do not show the truth.
const WRONG: &str = "SELECT count(*) FROM streamers AS s
    JOIN (SELECT DISTINCT ON (username) username, status FROM truth ORDER BY username, at DESC) AS t USING (username)
    WHERE s.status IS DISTINCT FROM t.status";

#[test]
fn a_long_life_with_everything_going_wrong_stays_right_and_small() {
    let seconds = std::env::var("SOAK_SECONDS").map_or(60, |text| text.parse().expect("a number of seconds"));
    let names: Vec<String> = (0..STREAMERS).map(username).collect();
    let stage = Stage::with(&names.iter().map(String::as_str).collect::<Vec<_>>());
    stage.database.execute(
        "ALTER TABLE written ADD at timestamptz DEFAULT clock_timestamp();
         CREATE TABLE truth (username text, status text, at timestamptz DEFAULT clock_timestamp());
         INSERT INTO truth SELECT username, 'Offline' FROM streamers",
    );
    let builder = stage.builder().set("SWEEP_SECS", "5").set("LOG_LEVEL", "info");
    let builder = builder.set("PUSHER_CHANNELS_PER_CONNECTION", "2");
    let (builder, relays) = through_relays(&stage, builder);
    let daemon = stage.start(builder);
    let mut chance = fastrand::Rng::with_seed(seconds);
    let (began, mut told) = (now(), Duration::ZERO);
    let (mut warm, mut late) = (Taken::default(), Taken::default());
    let (mut troubles, mut next, mut live) = (0, 0, [false; STREAMERS]);
    while began.elapsed() < Duration::from_secs(seconds) {
        let way = chance.usize(..relays.len());
        relays[way].trouble(Some(TROUBLES[chance.usize(..TROUBLES.len())]));
        troubles += 1;
        for _ in 0..chance.u32(1..4) {
            turn(&stage, next % STREAMERS, &mut live);
            next += 1;
        }
        match chance.u32(..12) {
            0 => daemon.signal(Signal::HUP),
            1 => daemon.signal(Signal::USR1),
            2 => stage.kick.close_push_on(Transport::Pusher, 4200, "come back"),
            3 => stage.kick.revoke_tokens(),
            _ => {}
        }
        let lasts = Duration::from_millis(chance.u64(200..3000));
        let until = now() + lasts;
        wait_for("the trouble to last", PATIENCE, || (now() >= until).then_some(()));
        relays[way].trouble(None);
        let (age, taken) = (began.elapsed(), Taken::of(&daemon));
        if age < WARM.max(Duration::from_secs(seconds) / 6) {
            warm = warm.most(taken);
        } else {
            late = late.most(taken);
        }
        if age >= told + Duration::from_secs(60) {
            told = age;
            println!("after {} s: {troubles} troubles, {taken:?}", age.as_secs());
        }
    }
    let share = daemon.busy().as_secs_f64() / began.elapsed().as_secs_f64();
    wait_for("the table to be right", LATE, || (stage.database.value(WRONG).as_deref() == Some("0")).then_some(()));
    let wrote = stage.database.value("SELECT count(*) FROM written").unwrap_or_default();
    let reconnects = daemon.events("realtime_connected").len();
    println!(
        "{troubles} troubles, {reconnects} connections of push, {wrote} writes, busy for {:.1} % of one processor, \
         at most {warm:?} at first and {late:?} later",
        share * 100.0
    );
    assert_eq!(stage.database.value(FALSE).as_deref(), Some("0"), "false statuses were written");
    assert!(daemon.events("thread_restarted").is_empty() && daemon.runs());
    assert!(share < 0.5, "busy for {share} of the time");
    assert!(late.resident <= warm.resident * 3 / 2 + (8 << 20), "{warm:?} became {late:?}");
    assert!(late.threads <= warm.threads + 8, "{warm:?} became {late:?}");
    assert!(late.descriptors <= warm.descriptors + 16, "{warm:?} became {late:?}");
}
