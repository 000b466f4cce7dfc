//! How fast kick-monitor is beside the least that could do its work, all in one run and by turns: `make bench`.
//! It prints a table and leaves `target/bench.json`; it judges nothing.

mod figures;
mod floor;
mod server;
mod subject;
mod table;
mod takeover;
mod unpushed;
mod webhooks;
mod world;

use anyhow::Context;
use floor::Floor;
use lab::Cluster;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use subject::{Peer, Subject};
use table::Table;
use world::World;

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
        ["floor", url, database, name] => floor::run(url, database, name),
        ["unpushed", ref sizes @ ..] => unpushed::measure(&own()?, &numbers(sizes)?),
        ["takeover", ref sizes @ ..] => takeover::measure(&own()?, &numbers(sizes)?),
        [rounds, ref others @ ..] => measure(rounds.parse().context("the number of rounds")?, others),
        [] => anyhow::bail!("how to call it: bench ROUNDS [NAME=PROGRAM…], or bench unpushed|takeover [STREAMERS…]"),
    }
}

fn numbers(sizes: &[&str]) -> anyhow::Result<Vec<usize>> {
    let sizes: Result<Vec<usize>, _> = sizes.iter().map(|size| size.parse()).collect();
    sizes.context("how many streamers")
}

/// Everything, so many times; other programs, such as an older kick-monitor, have columns of their own.
fn measure(rounds: usize, others: &[&str]) -> anyhow::Result<()> {
    let own = own()?;
    let monitor = |name: &str, program: &PathBuf, pool| Subject::Monitor {
        name: name.to_owned(),
        program: program.clone(),
        pool,
    };
    let mut subjects = vec![
        Subject::Floor(Floor::One),
        Subject::Floor(Floor::Threads),
        Subject::Floor(Floor::Batch),
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
        // A hundred thousand take two minutes, each time: most of it is to see them idle.
        let rounds = if size == 100_000 { 1 } else { rounds };
        for round in 1..=rounds {
            // One UPDATE for each frame is no measure of many changes at once.
            let fit = |subject: &&Subject| match subject {
                Subject::Floor(Floor::One | Floor::Threads) => size == 1_000,
                Subject::Monitor { pool, .. } => size < 100_000 || *pool > 1,
                Subject::Floor(Floor::Batch) | Subject::Peer(_) => true,
            };
            for subject in subjects.iter().filter(fit) {
                eprintln!("{size} streamers, round {round} of {rounds}: {}", subject.name());
                // Whoever comes second finds no caches that the first has filled.
                let world = World::new(size)?;
                figures::take(&world, subject, &mut table)?;
            }
            if size == 1_000 {
                eprintln!("{size} streamers, round {round} of {rounds}: webhooks");
                webhooks::take(&own, &monitor("kick-monitor", &own, 2), &mut table)?;
            }
        }
    }
    let machine = machine();
    println!("{}\n{machine}", table.markdown());
    std::fs::write("target/bench.json", format!("{:#}\n", table.json(&machine)))
        .context("failed to write target/bench.json")
}

/// The kick-monitor that was built with this program.
fn own() -> anyhow::Result<PathBuf> {
    Ok(std::env::current_exe().context("failed to find this program")?.with_file_name("kick-monitor"))
}

/// What all this was measured on.
fn machine() -> String {
    let said = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
        (!text.is_empty()).then_some(text)
    };
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split(':').nth(1));
    let database = Cluster::shared().database().value("SELECT current_setting('server_version')");
    let parts = [
        Some(format!("{processors} processors ({})", model.unwrap_or("unknown").trim())),
        said("uname", &["-sr"]),
        database.map(|version| format!("PostgreSQL {version}")),
        said("node", &["--version"]).map(|version| format!("Node {version}")),
        said("python3", &["--version"]),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
