//! How long after the death of the instance that holds a table another one has everybody right: `make bench-takeover`.
//! Streamers change before and while the other one begins to follow them. Changes before that are found by comparing all
//! streamers. So the budget of requests is the default one (60) up to 1,000 streamers, and above that one that allows to
//! compare all of them within ten seconds.

use crate::subject::{START_LIMIT, begin_as};
use crate::world::{World, name, now, pause};
use anyhow::ensure;
use postgres::fallible_iterator::FallibleIterator;
use rustix::process::Signal;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

const SIZES: [usize; 2] = [20, 10_000];
const ROUNDS: usize = 3;
/// The number of changes, half of them starts. With more, an answer about 20 streamers would be implausible (R10).
const CHANGES: usize = 6;
/// The ends, and how far apart the changes are, so that some of them come before the other one listens.
const ENDS: [(&str, Signal, Duration); 2] =
    [("kill -9", Signal::KILL, Duration::from_millis(300)), ("kill -STOP", Signal::STOP, Duration::from_millis(2_500))];
/// How long the other one has stood by: for longer than the API may trail (R13).
const STANDS_BY: Duration = Duration::from_secs(75);
const LIMIT: Duration = Duration::from_secs(300);

/// A line for each size, end and round.
pub(crate) fn measure(program: &Path, sizes: &[usize]) -> anyhow::Result<()> {
    println!(
        "| streamers | requests a minute | end | all are followed after | half, all of {CHANGES} changes are written after | \
         requests in the busiest minute |"
    );
    println!("|---|---|---|---|---|---|");
    for size in if sizes.is_empty() { SIZES.to_vec() } else { sizes.to_vec() } {
        for (name, signal, apart) in ENDS {
            for _ in 0..ROUNDS {
                println!("| {size} | {} | {name} | {} |", budget(size), round(program, size, signal, apart)?);
            }
        }
    }
    Ok(())
}

fn round(program: &Path, size: usize, end: Signal, apart: Duration) -> anyhow::Result<String> {
    let world = World::new(size)?;
    let budget = budget(size);
    world.database.execute(
        "CREATE TRIGGER tell AFTER UPDATE ON streamers FOR EACH ROW
             WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION tell()",
    );
    // They are spread over the roster, so over the requests of a comparison.
    let changing: Vec<usize> = (0..CHANGES).map(|n| n * size / CHANGES).collect();
    for n in changing.iter().skip(1).step_by(2) {
        world.kick.go_live_silently(&name(*n));
        world.database.execute(&format!("UPDATE streamers SET status = 'Online' WHERE id = {n}"));
    }
    let first = begin_as(program, &world, "first", budget)?;
    first.wait_said(" event=ready ", START_LIMIT)?;
    let began = now();
    while first.followed() < size as u64 {
        ensure!(began.elapsed() < LIMIT, "the first one does not follow everybody");
        pause(Duration::from_millis(100));
    }
    let second = begin_as(program, &world, "second", budget)?;
    second.wait_said(" event=shards_changed held=0 ", START_LIMIT)?;
    pause(STANDS_BY);
    let mut client = world.database.client();
    client.batch_execute("LISTEN seen")?;
    world.kick.clear_requests();
    first.signal(end)?;
    let began = now();
    let mut followed = None;
    let (mut made, mut awaited, mut took) = (0, BTreeSet::new(), Vec::new());
    while (took.len() < CHANGES || followed.is_none()) && began.elapsed() < LIMIT {
        if made < CHANGES && began.elapsed() >= apart * made as u32 {
            let (n, starts) = (changing[made], made % 2 == 0);
            let known = if starts { Some(world.kick.go_live(&name(n))) } else { world.kick.stop(&name(n)) };
            ensure!(known.is_some(), "{} was not live", name(n));
            awaited.insert(format!("{n} {}", if starts { "Online" } else { "Offline" }));
            made += 1;
        }
        if followed.is_none() && second.followed() == size as u64 {
            followed = Some(began.elapsed());
        }
        let mut told = client.notifications();
        let mut told = told.timeout_iter(Duration::from_millis(20));
        while let Some(seen) = told.next()? {
            if awaited.remove(seen.payload()) {
                took.push(began.elapsed());
            }
        }
    }
    let seconds =
        |time: Option<&Duration>| time.map_or("never".to_owned(), |time| format!("{:.1} s", time.as_secs_f64()));
    let [half, all] = [CHANGES / 2 - 1, CHANGES - 1].map(|n| seconds(took.get(n)));
    Ok(format!("{} | {half}, {all} | {}", seconds(followed.as_ref()), world.kick.busiest_minute()))
}

/// `API_REQUESTS_PER_MINUTE`. A request asks about a hundred.
fn budget(size: usize) -> usize {
    (size / 100 * 6).max(60)
}
