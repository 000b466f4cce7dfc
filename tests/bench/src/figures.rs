//! What is measured of one program with one roster. It judges nothing.

use crate::floor::Floor;
use crate::subject::{Running, START_LIMIT, Subject};
use crate::table::{Figure, Table, median, percentile};
use crate::world::{World, now, pause};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);
/// Single changes, one after the other. The first ones are not counted: the first statements of a connection are
/// planned, and caches are filled.
pub(crate) const SINGLES: (usize, usize) = (200, 1_000);
/// Frames that change nothing.
const CHATTER: usize = 200_000;
/// After this everybody was asked about a second time (R17), and the roster is all that is left to do.
const SETTLED: Duration = Duration::from_secs(45);
/// Long enough for three looks at the roster.
const IDLE: Duration = Duration::from_secs(30);
/// Long enough to be told from nothing.
const IDLE_SMALL: Duration = Duration::from_secs(5);

/// Takes the figures of one program.
pub(crate) fn take(world: &World, subject: &Subject, table: &mut Table) -> anyhow::Result<()> {
    let (column, size) = (subject.name(), world.size());
    let many = thousands(size);
    let mut add = |order: u8, what: &str, unit: &'static str, value: f64| {
        table.add(Figure { order: order + rank(size), what: what.to_owned(), unit }, &column, value);
    };
    let began = now();
    let running = subject.begin(world)?;
    let Some(subscribing) = world.server.wait_subscribed(size, LIMIT) else {
        anyhow::bail!("{column} does not subscribe: {}", running.said());
    };
    let started = began.elapsed();
    add(30, &format!("subscribing to {many} channels"), "s", subscribing.as_secs_f64());
    add(40, &format!("from its start until {many} are subscribed to"), "s", started.as_secs_f64());
    let is_monitor = matches!(subject, Subject::Monitor { .. });
    if is_monitor {
        running.wait_said(" event=ready ", START_LIMIT)?;
        add(50, &format!("until each of {many} is compared with Kick, too"), "s", began.elapsed().as_secs_f64());
    }
    match size {
        1_000 => {
            idle(world, &running, &many, (Duration::from_secs(2), IDLE_SMALL), &mut add)?;
            let singles = world.push_singles(SINGLES.0, SINGLES.1)?;
            let singles: Vec<f64> = singles.iter().map(|took| took.as_secs_f64() * 1e3).collect();
            add(0, "a change, from its frame to another client of the database, p50", "ms", median(&singles));
            add(3, "the same, p99", "ms", percentile(&singles, 99));
            chatter(world, &running, &mut add)?;
        }
        _ => {
            if is_monitor && size == 100_000 {
                idle(world, &running, &many, (SETTLED, IDLE), &mut add)?;
            }
            add(10, &format!("{many} changes at once"), "ms", bursts(|turn| world.burst(turn))?);
        }
    }
    add(20, &format!("peak memory, {many} streamers"), "MB", running.peak()? as f64 / 1e6);
    add(23, &format!("of that, programs and libraries, {many} streamers"), "MB", running.files()? as f64 / 1e6);
    if let (Subject::Floor(Floor::Batch), 10_000..) = (subject, size) {
        add(13, &format!("{many} changes in one UPDATE"), "ms", bursts(|turn| world.bulk(turn))?);
    }
    Ok(())
}

/// Everybody goes live or stops, or the reverse, three times: the median, in milliseconds.
fn bursts(mut burst: impl FnMut(usize) -> anyhow::Result<Duration>) -> anyhow::Result<f64> {
    let mut took = Vec::new();
    for turn in 0..3 {
        took.push(burst(turn)?.as_secs_f64() * 1e3);
    }
    Ok(median(&took))
}

/// What is spent while nothing happens, the program and the database.
fn idle(
    world: &World,
    running: &Running,
    many: &str,
    (before, lasts): (Duration, Duration),
    add: &mut impl FnMut(u8, &str, &'static str, f64),
) -> anyhow::Result<()> {
    pause(before);
    let ((busy, waits), database) = (running.spent()?, world.spent()?);
    pause(lasts);
    let ((later, more), database_later) = (running.spent()?, world.spent()?);
    let each_second = |spent: Duration| spent.as_secs_f64() * 1e3 / lasts.as_secs_f64();
    add(60, &format!("processor while idle, {many} streamers"), "ms/s", each_second(later - busy));
    add(
        63,
        &format!("processor of the database meanwhile, {many} streamers"),
        "ms/s",
        each_second(database_later - database),
    );
    add(66, &format!("wake-ups while idle, {many} streamers"), "1/s", (more - waits) as f64 / lasts.as_secs_f64());
    Ok(())
}

/// What frames cost that change nothing: what is spent until there is nothing more to do.
fn chatter(world: &World, running: &Running, add: &mut impl FnMut(u8, &str, &'static str, f64)) -> anyhow::Result<()> {
    let frames: Vec<_> = (0..CHATTER).map(|n| world.chatter(n)).collect();
    let load = world.server.load(&frames)?;
    let (before, _) = running.spent()?;
    load.send()?;
    let mut spent = before;
    loop {
        pause(Duration::from_millis(200));
        let (now, _) = running.spent()?;
        if now - spent < Duration::from_millis(2) {
            break;
        }
        spent = now;
    }
    add(70, "processor for a frame that changes nothing", "µs", (spent - before).as_secs_f64() * 1e6 / CHATTER as f64);
    Ok(())
}

/// Figures of greater rosters come behind the same of smaller ones.
fn rank(size: usize) -> u8 {
    match size {
        1_000 => 0,
        10_000 => 1,
        _ => 2,
    }
}

fn thousands(size: usize) -> String {
    format!("{},000", size / 1_000)
}
