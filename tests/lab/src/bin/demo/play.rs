//! The demonstration: streamers of a simulated Kick go on and off, kick-monitor keeps a table, and
//! PostgreSQL itself tells when a changed row can be seen.

use crate::screen::{Change, Screen};
use crate::tally::Tally;
use anyhow::Context;
use kick_sim::Kick;
use lab::{Cluster, Daemon};
use postgres::fallible_iterator::FallibleIterator;
use postgres::{Client, Row};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Who there is. The last is in the table alone: Kick does not know that name.
const STREAMERS: [&str; 12] = [
    "aurora",
    "bitwise",
    "cinder",
    "dovetail",
    "ember",
    "fathom",
    "gizmo",
    "harbour",
    "indigo",
    "juniper",
    "kestrel",
    "nobody-at-all",
];
/// Every third of them is live at the start.
const LIVE: usize = 3;
const STRANGER: &str = STREAMERS[11];
const CHANNEL: &str = "kick_monitor_demo";
const SEED: u64 = 1;

/// Until everything stands and every streamer has been compared once.
const START_LIMIT: Duration = Duration::from_secs(60);
/// For what is still on its way when Kick does nothing more.
const SETTLE_LIMIT: Duration = Duration::from_secs(10);
/// How often a signal is looked for.
const LOOK: Duration = Duration::from_millis(100);
/// A little more than the daemon allows itself.
const STOP_LIMIT: Duration = Duration::from_secs(15);

const INTRODUCTION: &str = "\
There is no .env here, so this is a demonstration: a simulated Kick, a private PostgreSQL and the real
kick-monitor, all on 127.0.0.1 and gone afterwards. Streamers go on and off at random; each line is a
row of the table at the moment when it can be seen, and how long after Kick's event that was. Between
them is the daemon's log. One row has a name that Kick does not know, which the log reports once
(streamer_unknown).
To run it for real, copy etc/kick-monitor.env to .env, fill it in, chmod 0600 it, and say make run again.
";

/// Plays for so long, or until a signal; fails unless the table tells the truth in the end.
pub(crate) fn run(program: &Path, limit: Option<Duration>) -> anyhow::Result<ExitCode> {
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted)).context("failed to catch signals")?;
    }
    let screen = Screen::new();
    screen.line(INTRODUCTION)?;

    let (kick, mut tally) = (Kick::start(), Tally::default());
    let channel_ids: Vec<i64> = STREAMERS[..11].iter().map(|slug| kick.add(slug).channel).collect();
    for slug in STREAMERS[..11].iter().step_by(LIVE) {
        kick.go_live(slug);
        tally.begins_live(slug);
    }
    let cluster = Cluster::start();
    let database = cluster.database();
    database.execute(&table(&channel_ids));
    let mut listener = database.client();
    listener.batch_execute(&format!("LISTEN {CHANNEL}")).context("failed to listen to the database")?;
    let daemon = Daemon::builder(program)
        .settings(kick.settings())
        .set("DATABASE_URL", database.url())
        .set("DB_CHANNEL_ID_COLUMN", "channel_id")
        .set("DB_CHANGED_AT_COLUMN", "changed_at")
        .set("DB_NOTIFY_CHANNEL", CHANNEL)
        // This Kick does not mind, and nobody likes to wait for the first looks.
        .set("API_REQUESTS_PER_MINUTE", "6000")
        .start();

    screen.heading()?;
    let mut play = Play { kick, listener, daemon, screen, tally, shown: 0, interrupted };
    play.until(START_LIMIT, Play::is_ready)?;
    if !play.is_interrupted() {
        anyhow::ensure!(play.is_ready()?, "kick-monitor was not ready within {START_LIMIT:?}");
    }
    play.changes(limit)?;
    play.interrupted.store(false, Ordering::Relaxed);
    play.until(SETTLE_LIMIT, |play| Ok(play.tally.all_settled() && play.lies()?.is_empty()))?;
    play.finish()
}

/// The parts, while they run. Fields are dropped in this order, the database after all of them.
struct Play {
    daemon: Daemon,
    kick: Kick,
    listener: Client,
    screen: Screen,
    tally: Tally,
    /// How many lines of the daemon's log were shown.
    shown: usize,
    interrupted: Arc<AtomicBool>,
}

impl Play {
    /// Somebody goes on or off about every second, until `limit` has passed or a signal comes.
    fn changes(&mut self, limit: Option<Duration>) -> anyhow::Result<()> {
        let mut chance = fastrand::Rng::with_seed(SEED);
        let end = limit.map(|limit| now() + limit);
        let mut next = now();
        while !self.is_interrupted() && end.is_none_or(|end| now() < end) {
            if next <= now() {
                next += Duration::from_millis(chance.u64(300..1500));
                let settled = STREAMERS[..11].iter().filter(|slug| self.tally.is_settled(slug));
                if let Some(slug) = chance.choice(settled.collect::<Vec<_>>()) {
                    self.tally.changed(slug, now());
                    if self.kick.stop(slug).is_none() {
                        self.kick.go_live(slug);
                    }
                }
            }
            self.turn(next.saturating_duration_since(now()).min(LOOK))?;
        }
        Ok(())
    }

    /// Goes on showing until `done`, a signal, or `limit` has passed.
    fn until(
        &mut self,
        limit: Duration,
        mut done: impl FnMut(&mut Play) -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        let end = now() + limit;
        while !self.is_interrupted() && now() < end && !done(self)? {
            self.turn(LOOK)?;
        }
        Ok(())
    }

    /// Shows what the daemon says, and one change if there is one within `wait`.
    fn turn(&mut self, wait: Duration) -> anyhow::Result<()> {
        self.show_log()?;
        anyhow::ensure!(self.daemon.runs(), "kick-monitor has ended, see above");
        let notification = self.listener.notifications().timeout_iter(wait).next();
        let notification = notification.context("failed to listen to the database")?;
        if let Some(change) = notification.and_then(|notification| Change::parse(notification.payload())) {
            let after = self.tally.landed(&change.username, &change.status, now());
            self.screen.change(&change, after)?;
        }
        Ok(())
    }

    fn show_log(&mut self) -> anyhow::Result<()> {
        let lines = self.daemon.lines_from(self.shown);
        self.shown += lines.len();
        // Changes are shown as the database tells them.
        for line in lines.iter().filter(|line| line.event != "status_changed") {
            self.screen.log(&line.text)?;
        }
        Ok(())
    }

    /// Whether every streamer was compared, every one of Kick's is listened to, and the table is right:
    /// a change to what a wrong row shows already would change nothing that can be seen.
    fn is_ready(&mut self) -> anyhow::Result<bool> {
        let stands = !self.daemon.events("ready").is_empty() && self.kick.subscriptions().len() == STREAMERS.len() - 1;
        Ok(stands && self.lies()?.is_empty())
    }

    /// Where the table does not tell the truth, or does not leave alone what nobody knows.
    fn lies(&mut self) -> anyhow::Result<Vec<String>> {
        let rows = self.listener.query("SELECT username, status FROM streamers ORDER BY id", &[]);
        let rows = rows.context("failed to read the table")?;
        let lie = |row: &Row| {
            let (slug, shown): (String, Option<String>) = (row.get(0), row.get(1));
            let truth = (slug != STRANGER).then(|| self.tally.status(&slug));
            let lies = shown.as_deref() != truth;
            lies.then(|| format!("{slug}: the table says {shown:?}, and the truth is {truth:?}"))
        };
        Ok(rows.iter().filter_map(lie).collect())
    }

    /// Stops the daemon, tells how it went, and judges.
    fn finish(mut self) -> anyhow::Result<ExitCode> {
        let status = self.daemon.stop(STOP_LIMIT);
        self.show_log()?;
        let lies = self.lies()?;
        self.screen.line(&format!("\n{}", self.tally.summary(lies.is_empty())))?;
        anyhow::ensure!(status.success(), "kick-monitor did not end as told: {status}");
        anyhow::ensure!(lies.is_empty(), "{}", lies.join("; "));
        anyhow::ensure!(self.tally.all_settled(), "a change is right in the table, and was not told");
        Ok(ExitCode::SUCCESS)
    }

    fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }
}

/// A table as somebody may have it: statuses that are right, without a meaning and missing, some channel ids. A wrong one
/// would stand for a minute, for it may be newer than what the API knows.
fn table(channel_ids: &[i64]) -> String {
    let mut sql = "CREATE TABLE streamers (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, \
                   username text NOT NULL, status text, channel_id bigint, changed_at timestamptz);"
        .to_owned();
    for (number, slug) in STREAMERS.iter().enumerate() {
        let status = match number % 4 {
            _ if *slug == STRANGER => "NULL",
            0 | 1 if number % LIVE == 0 => "'Online'",
            0 | 1 => "'Offline'",
            2 => "'soon'",
            _ => "NULL",
        };
        let channel_id = channel_ids.get(number).filter(|_| number % 2 == 0);
        let channel_id = channel_id.map_or_else(|| "NULL".to_owned(), i64::to_string);
        sql +=
            &format!("INSERT INTO streamers (username, status, channel_id) VALUES ('{slug}', {status}, {channel_id});");
    }
    sql
}

#[expect(clippy::disallowed_methods, reason = "what the demonstration measures is real time")]
fn now() -> Instant {
    Instant::now()
}
