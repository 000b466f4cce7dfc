//! How late a change is in the table where push does not tell of it: `make bench-unpushed`. With the default settings,
//! so the budget of requests is the limit; beside it what a user would write instead, a loop in Python. It takes
//! minutes for each size, for it waits for changes at the pace of the real world.

use crate::subject::{Running, fresh_directory, launch, python, run_with, write_config};
use crate::world::{name, now, pause};
use anyhow::Context;
use kick_sim::{Face, Fault, Kick, Transport};
use lab::{Cluster, Database};
use postgres::fallible_iterator::FallibleIterator;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

const SIZES: [usize; 4] = [50, 200, 1_000, 10_000];
const LAGS: [Duration; 2] = [Duration::ZERO, Duration::from_secs(10)];
/// Of each kind.
const CHANGES: usize = 20;
/// Misses that make a transport a silent one (R11), and one for good measure.
const MISSES: usize = 6;
const APART: Duration = Duration::from_secs(4);
/// Until the last change must have been seen.
const LIMIT: Duration = Duration::from_secs(400);
const READY_LIMIT: Duration = Duration::from_secs(600);

/// Why push does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Push {
    /// It does: what all that costs when nothing is wrong.
    Well,
    /// No connection can be made.
    Dead,
    /// It is connected and subscribed, and nothing comes.
    Silent,
    /// The website refuses us, and so no channel id is known but of those who are live: the API tells it.
    NoIds,
}

/// What is measured.
#[derive(Clone, Copy, Debug)]
enum Subject {
    Monitor(Push),
    /// A loop that asks about everybody, then pauses for this number of seconds.
    Loop(u64),
}

impl Subject {
    fn name(self) -> String {
        match self {
            Subject::Monitor(Push::Well) => "push works".to_owned(),
            Subject::Monitor(Push::Dead) => "push dead".to_owned(),
            Subject::Monitor(Push::Silent) => "push silent".to_owned(),
            Subject::Monitor(Push::NoIds) => "no channel ids".to_owned(),
            Subject::Loop(rest) => format!("Python, every {rest} s"),
        }
    }
}

/// A line for each subject, size and lag.
pub(crate) fn measure(program: &Path, sizes: &[usize]) -> anyhow::Result<()> {
    let mut subjects = [Push::Well, Push::Dead, Push::Silent, Push::NoIds].map(Subject::Monitor).to_vec();
    if python().is_some() {
        subjects.extend([Subject::Loop(60), Subject::Loop(10)]);
    }
    println!(
        "| | streamers | API trails by | Online: half within, all within | Offline | requests in the busiest minute |"
    );
    println!("|---|---|---|---|---|---|");
    for size in if sizes.is_empty() { SIZES.to_vec() } else { sizes.to_vec() } {
        eprintln!("{size} streamers");
        let all = subjects.iter().flat_map(|subject| LAGS.map(|lag| (*subject, lag)));
        let stages = all.enumerate().map(|(n, (subject, lag))| Stage::begin(subject, size, lag, program, n));
        let stages: Vec<Stage> = stages.collect::<anyhow::Result<_>>()?;
        // They rest most of the time, so that they do not disturb one another.
        let lines = std::thread::scope(|scope| {
            let runs: Vec<_> = stages.iter().map(|stage| scope.spawn(|| stage.run())).collect();
            let ends = runs.into_iter().map(|run| run.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a panic"))));
            ends.collect::<anyhow::Result<Vec<String>>>()
        })?;
        lines.iter().for_each(|line| println!("{line}"));
    }
    Ok(())
}

/// One program in a world of its own.
struct Stage {
    subject: Subject,
    size: usize,
    lag: Duration,
    kick: Kick,
    database: Database,
    running: Running,
}

impl Stage {
    fn begin(subject: Subject, size: usize, lag: Duration, program: &Path, n: usize) -> anyhow::Result<Stage> {
        let kick = Kick::start();
        let ids: Vec<_> = (0..size).map(|n| kick.add(&name(n))).collect();
        // Those who will stop are live already.
        for n in CHANGES..2 * CHANGES {
            kick.go_live_silently(&name(n));
        }
        kick.set_api_lag(lag);
        match subject {
            Subject::Monitor(Push::Silent) => kick.deafen(Transport::Pusher, true),
            Subject::Monitor(Push::NoIds) => kick.fault([Face::Website], Fault::blocked()),
            _ => {}
        }
        let database = Cluster::shared().database();
        database.execute(
            "CREATE TABLE streamers (id bigint PRIMARY KEY, username text NOT NULL, status text, kick_user bigint);
             CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN PERFORM pg_notify('seen', NEW.id || ' ' || NEW.status); RETURN NULL; END $$;
             CREATE TRIGGER tell AFTER UPDATE ON streamers FOR EACH ROW
                 WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION tell()",
        );
        let users: Vec<i64> = ids.iter().map(|ids| ids.user).collect();
        let live = format!("CASE WHEN n > {CHANGES} AND n <= {} THEN 'Online' ELSE 'Offline' END", 2 * CHANGES);
        let insert = format!(
            "INSERT INTO streamers SELECT n - 1, 'streamer' || n - 1, {live}, kick_user
             FROM unnest($1::bigint[]) WITH ORDINALITY AS n (kick_user, n)"
        );
        database.client().execute(insert.as_str(), &[&users])?;
        let directory = fresh_directory(&format!("unpushed-{n}"))?;
        let streamers = ids.iter().enumerate().map(|(n, ids)| {
            let known = !matches!(subject, Subject::Monitor(Push::NoIds));
            json!({"name": name(n), "slug": name(n), "user": ids.user, "channel": known.then_some(ids.channel)})
        });
        let learned = json!({"version": 1, "streamers": streamers.collect::<Vec<_>>()});
        fs::write(directory.join("learned.json"), learned.to_string())?;
        let (program, arguments) = match subject {
            Subject::Monitor(push) => {
                let config = directory.join("config");
                let nowhere = || "ws://127.0.0.1:9".to_owned();
                let pusher = if push == Push::Dead { nowhere() } else { kick.pusher_url() };
                let own = [("PUSHER_URL", pusher), ("DATABASE_URL", database.url())];
                write_config(&kick, own, &directory, &config)?;
                (program.to_owned(), run_with(&config))
            }
            Subject::Loop(rest) => {
                let python = python().context("there is no Python")?;
                let script = Path::new("target/bench/peers/loop.py").canonicalize()?;
                let [id, secret] = [kick.client_id(), kick.client_secret()].map(str::to_owned);
                let words = [kick.oauth_url(), kick.api_url(), id, secret, database.url(), rest.to_string()];
                (python, [vec![script.display().to_string()], words.to_vec()].concat())
            }
        };
        let running = launch(&program, arguments, directory)?;
        Ok(Stage { subject, size, lag, kick, database, running })
    }

    /// The line of the table.
    fn run(&self) -> anyhow::Result<String> {
        match self.subject {
            Subject::Monitor(_) => self.wait_said(" event=ready ")?,
            Subject::Loop(_) => self.wait_said("compared")?,
        }
        if let Subject::Monitor(Push::Silent) = self.subject {
            // Push is expected to tell what it stood long enough for.
            pause(Duration::from_secs(100));
            for n in 2 * CHANGES..2 * CHANGES + MISSES {
                self.kick.go_live_silently(&name(n));
            }
            self.wait_said(" event=push_silent ")?;
        }
        let mut client = self.database.client();
        client.batch_execute("LISTEN seen")?;
        let began = now();
        let mut made: BTreeMap<String, Instant> = BTreeMap::new();
        let mut took: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
        while took.values().map(Vec::len).sum::<usize>() < 2 * CHANGES && began.elapsed() < LIMIT {
            let next = made.len();
            // A little off the beat, so that no pace of a few whole seconds meets them all alike.
            let at = APART * next as u32 + Duration::from_millis(next as u64 * 377 % 1000);
            if next < 2 * CHANGES && began.elapsed() >= at {
                let (starts, n) = (next % 2 == 0, next / 2);
                let (n, status) = if starts { (n, "Online") } else { (CHANGES + n, "Offline") };
                made.insert(format!("{n} {status}"), now());
                self.change(&name(n), starts);
            }
            let mut told = client.notifications();
            let mut told = told.timeout_iter(Duration::from_millis(20));
            while let Some(seen) = told.next()? {
                if let Some(since) = made.get(seen.payload()) {
                    let kind = if seen.payload().ends_with("Online") { "Online" } else { "Offline" };
                    took.entry(kind).or_default().push(since.elapsed());
                }
            }
        }
        let figures = ["Online", "Offline"].map(|kind| {
            let mut took = took.remove(kind).unwrap_or_default();
            took.sort_unstable();
            match (took.get(took.len() / 2), took.last(), took.len()) {
                (Some(half), Some(all), CHANGES) => format!("{:.1} s, {:.1} s", half.as_secs_f64(), all.as_secs_f64()),
                (.., seen) => format!("{seen} of {CHANGES} seen"),
            }
        });
        let [online, offline] = figures;
        let (name, size, lag) = (self.subject.name(), self.size, self.lag.as_secs());
        Ok(format!("| {name} | {size} | {lag} s | {online} | {offline} | {} |", self.kick.busiest_minute()))
    }

    fn change(&self, slug: &str, starts: bool) {
        let told = matches!(self.subject, Subject::Monitor(Push::Well | Push::NoIds));
        let known = match (starts, told) {
            (true, true) => Some(self.kick.go_live(slug)),
            (true, false) => Some(self.kick.go_live_silently(slug)),
            (false, true) => self.kick.stop(slug),
            (false, false) => self.kick.stop_silently(slug),
        };
        debug_assert!(known.is_some(), "{slug} was not live");
    }

    fn wait_said(&self, words: &str) -> anyhow::Result<()> {
        self.running.wait_said(words, READY_LIMIT).context(self.subject.name())
    }
}
