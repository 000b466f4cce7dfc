//! How fast kick-monitor is beside the least that could do its work, all in one run and by turns: `make bench`.
//! It prints a table and leaves `target/bench.json`; it judges nothing.

mod floor;
mod server;
mod subject;
mod table;
mod world;

use anyhow::Context;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use subject::{Peer, Running, Subject};
use table::{Figure, Table, median, percentile};
use world::{World, now, pause};

const LIMIT: Duration = Duration::from_secs(120);
/// Single changes, one after the other.
const SINGLES: usize = 1_000;
/// Frames that change nothing.
const CHATTER: usize = 200_000;
const IDLE: Duration = Duration::from_secs(5);
const SIZES: [usize; 3] = [1_000, 10_000, 100_000];

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["floor", url, database, how] => floor::run(url, database, how == "batch"),
        [rounds, ref others @ ..] => measure(rounds.parse().context("the number of rounds")?, others),
        [] => anyhow::bail!("how to call it: bench ROUNDS [NAME=PROGRAM…]"),
    }
}

/// Everything, so many times; other programs, such as an older kick-monitor, have columns of their own.
fn measure(rounds: usize, others: &[&str]) -> anyhow::Result<()> {
    let own = std::env::current_exe().context("failed to find this program")?.with_file_name("kick-monitor");
    let monitor = |name: &str, program: &PathBuf, pool| Subject::Monitor {
        name: name.to_owned(),
        program: program.clone(),
        pool,
    };
    let mut subjects = vec![
        Subject::Floor { batch: false },
        Subject::Floor { batch: true },
        monitor("one connection", &own, 1),
        monitor("kick-monitor", &own, 2),
    ];
    for other in others {
        let (name, program) = other.split_once('=').context("another program is NAME=PROGRAM")?;
        subjects.push(monitor(name, &program.into(), 2));
    }
    let peers = [Peer::Node, Peer::Python].into_iter().filter(|peer| others.is_empty() && peer.present());
    subjects.extend(peers.map(Subject::Peer));
    let mut table = Table::default();
    for size in SIZES {
        // A hundred thousand take a minute to begin, each time.
        let rounds = if size == 100_000 { 1 } else { rounds };
        for round in 1..=rounds {
            // One UPDATE for each frame is no measure of many changes at once.
            let fit = |subject: &&Subject| match subject {
                Subject::Floor { batch: false } => size == 1_000,
                Subject::Peer(_) => size < 100_000,
                _ => true,
            };
            for subject in subjects.iter().filter(fit) {
                eprintln!("{size} streamers, round {round} of {rounds}: {}", subject.name());
                // Whoever comes second finds no caches that the first has filled.
                let world = World::new(size)?;
                figures(&world, subject, &mut table)?;
            }
        }
    }
    println!("{}", table.markdown());
    std::fs::write("target/bench.json", format!("{:#}\n", table.json())).context("failed to write target/bench.json")
}

const fn figure(order: u8, what: &'static str, unit: &'static str) -> Figure {
    Figure { order, what, unit }
}

/// What one program does with one roster.
fn figures(world: &World, subject: &Subject, table: &mut Table) -> anyhow::Result<()> {
    let column = subject.name();
    let mut add = |figure: Figure, value: f64| table.add(figure, &column, value);
    let began = now();
    let running = subject.begin(world)?;
    if !world.server.wait_subscribed(world.size(), LIMIT) {
        anyhow::bail!("{column} does not subscribe: {}", running.said());
    }
    let subscribed = began.elapsed().as_secs_f64();
    let mut compared = None;
    if let Subject::Monitor { .. } = subject {
        running.wait_ready()?;
        compared = Some(began.elapsed().as_secs_f64());
    }
    match world.size() {
        1_000 => {
            add(figure(30, "from the start until 1,000 are subscribed to", "s"), subscribed);
            compared
                .into_iter()
                .for_each(|took| add(figure(33, "the same, and each is compared with Kick", "s"), took));
            idle(&running, &mut add)?;
            let singles: Vec<f64> = world.singles(SINGLES)?.iter().map(|took| took.as_secs_f64() * 1e3).collect();
            add(figure(0, "a change, from frame to another client, p50", "ms"), median(&singles));
            add(figure(1, "the same, p99", "ms"), percentile(&singles, 99));
            chatter(world, &running, &mut add)?;
            add(figure(20, "peak memory, 1,000 streamers", "MB"), megabytes(&running)?);
        }
        10_000 => {
            add(figure(31, "from the start until 10,000 are subscribed to", "s"), subscribed);
            compared
                .into_iter()
                .for_each(|took| add(figure(34, "the same, and each is compared with Kick", "s"), took));
            add(figure(10, "10,000 changes at once", "ms"), bursts(world)?);
            add(figure(21, "peak memory, 10,000 streamers", "MB"), megabytes(&running)?);
        }
        _ => {
            add(figure(32, "from the start until 100,000 are subscribed to", "s"), subscribed);
            compared
                .into_iter()
                .for_each(|took| add(figure(35, "the same, and each is compared with Kick", "s"), took));
            add(figure(12, "100,000 changes at once", "ms"), bursts(world)?);
            add(figure(22, "peak memory, 100,000 streamers", "MB"), megabytes(&running)?);
        }
    }
    if let (Subject::Floor { batch: true }, 10_000..) = (subject, world.size()) {
        let mut took = Vec::new();
        for status in ["Offline", "Online", "Offline"] {
            took.push(world.bulk(status)?.as_secs_f64() * 1e3);
        }
        let (order, what) = match world.size() {
            10_000 => (11, "10,000 changes in one UPDATE"),
            _ => (13, "100,000 changes in one UPDATE"),
        };
        table.add(figure(order, what, "ms"), &column, median(&took));
    }
    Ok(())
}

/// Everybody goes live, stops, and goes live: the median of the three.
fn bursts(world: &World) -> anyhow::Result<f64> {
    let mut took = Vec::new();
    for turn in 0..3 {
        took.push(world.burst(turn)?.as_secs_f64() * 1e3);
    }
    Ok(median(&took))
}

/// What is spent while nothing happens.
fn idle(running: &Running, add: &mut impl FnMut(Figure, f64)) -> anyhow::Result<()> {
    pause(Duration::from_secs(2));
    let (busy, waits) = running.spent()?;
    pause(IDLE);
    let (later, more) = running.spent()?;
    add(
        figure(40, "processor while idle, 1,000 streamers", "ms/s"),
        (later - busy).as_secs_f64() * 1e3 / IDLE.as_secs_f64(),
    );
    add(figure(41, "wake-ups while idle, 1,000 streamers", "1/s"), (more - waits) as f64 / IDLE.as_secs_f64());
    Ok(())
}

/// What frames cost that change nothing: what is spent until there is nothing more to do.
fn chatter(world: &World, running: &Running, add: &mut impl FnMut(Figure, f64)) -> anyhow::Result<()> {
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
    let each = (spent - before).as_secs_f64() * 1e6 / CHATTER as f64;
    add(figure(50, "processor for a frame that changes nothing", "µs"), each);
    Ok(())
}

fn megabytes(running: &Running) -> anyhow::Result<f64> {
    Ok(running.peak()? as f64 / 1e6)
}
