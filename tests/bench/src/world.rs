//! What all programs are measured in: one PostgreSQL, one push server, one Kick, and the user's table.

use crate::server::{Server, frame};
use jiff::Timestamp;
use kick_sim::Kick;
use lab::{Cluster, Database};
use postgres::fallible_iterator::FallibleIterator;
use serde_json::json;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(120);

/// For so many streamers, all Offline.
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) kick: Kick,
    pub(crate) database: Database,
    channels: Vec<i64>,
    users: Vec<i64>,
}

/// The one place where the benchmark reads the time.
#[expect(clippy::disallowed_methods, reason = "time is what is measured")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

impl World {
    pub(crate) fn new(streamers: usize) -> anyhow::Result<World> {
        let kick = Kick::start();
        let ids: Vec<_> = (0..streamers).map(|n| kick.add(&name(n))).collect();
        let database = Cluster::shared().database();
        database.execute(
            "CREATE TABLE streamers (id bigint PRIMARY KEY, username text NOT NULL, status text, channel bigint,
                 kick_user bigint);
             CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN PERFORM pg_notify('seen', NEW.id || ' ' || NEW.status); RETURN NULL; END $$;",
        );
        let channels: Vec<i64> = ids.iter().map(|ids| ids.channel).collect();
        let users: Vec<i64> = ids.iter().map(|ids| ids.user).collect();
        database.client().execute(
            "INSERT INTO streamers SELECT n - 1, 'streamer' || n - 1, 'Offline', channel, kick_user
             FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS n (channel, kick_user, n)",
            &[&channels, &users],
        )?;
        ["VACUUM ANALYZE streamers", "CHECKPOINT"].iter().for_each(|sql| database.execute(sql));
        Ok(World { server: Server::start()?, kick, database, channels, users })
    }

    /// How many streamers there are.
    pub(crate) fn size(&self) -> usize {
        self.channels.len()
    }

    /// The streamers as a kick-monitor remembers them that has run for some time: it asks Kick for no ids.
    pub(crate) fn learned(&self) -> String {
        let ids = self.users.iter().zip(&self.channels).enumerate();
        let streamers = ids.map(|(n, (user, channel))| {
            let name = name(n);
            json!({"name": name, "slug": name, "user": user, "channel": channel})
        });
        json!({"version": 1, "streamers": streamers.collect::<Vec<_>>()}).to_string()
    }

    /// The change number `turn` of streamer `n`: the first goes live (docs/kick.md §3.3), the next one stops (§3.4).
    fn change(&self, n: usize, turn: usize) -> (String, Vec<u8>) {
        let channel = self.channels[n];
        let livestream = 1_000_000 + turn / 2 * self.size() + n;
        let (event, data) = if status(turn) == "Online" {
            let livestream = json!({"id": livestream, "channel_id": channel, "session_title": "a title of some words",
                "source": null, "created_at": Timestamp::now().to_string()});
            ("App\\Events\\StreamerIsLive", json!({"livestream": livestream}))
        } else {
            let channel = json!({"id": channel, "is_banned": false});
            ("App\\Events\\StopStreamBroadcast", json!({"livestream": {"id": livestream, "channel": channel}}))
        };
        self.event(channel, event, &data.to_string())
    }

    /// Something that changes no status.
    pub(crate) fn chatter(&self, n: usize) -> (String, Vec<u8>) {
        let (event, data) = if n % 2 == 0 {
            let sender = json!({"id": n, "username": "somebody", "slug": "somebody",
                "identity": {"color": "#FBCFD8", "badges": [{"type": "subscriber", "text": "Subscriber", "count": 3}]}});
            let data = json!({"id": "d3b07384-d9a0-4c9b-8f1e-2f6c1f0a9b11", "chatroom_id": n, "type": "message",
                "content": "what a chat is full of, of no interest to anybody here", "sender": sender,
                "created_at": "2026-11-01T12:00:00+00:00"});
            ("App\\Events\\ChatMessageEvent", data)
        } else {
            let data =
                json!({"id": "x", "channel_id": n, "type": "followers", "current_value": 10, "target_value": 20});
            ("App\\Events\\GoalProgressUpdateEvent", data)
        };
        self.event(self.channels[n % self.channels.len()], event, &data.to_string())
    }

    fn event(&self, channel: i64, event: &str, data: &str) -> (String, Vec<u8>) {
        let channel = format!("channel.{channel}");
        let text = json!({"event": event, "data": data, "channel": channel}).to_string();
        (channel, frame(&text))
    }

    /// What the database has spent on a kick-monitor so far.
    pub(crate) fn spent(&self) -> anyhow::Result<Duration> {
        let mut client = self.database.client();
        let backends = "SELECT pid FROM pg_stat_activity WHERE application_name = 'kick-monitor'
            AND datname = current_database()";
        let mut spent = Duration::ZERO;
        for row in client.query(backends, &[])? {
            spent += busy(&Path::new("/proc").join(row.get::<_, i32>(0).to_string()))?;
        }
        Ok(spent)
    }

    /// One change after the other that push reports.
    pub(crate) fn push_singles(&self, first: usize, count: usize) -> anyhow::Result<Vec<Duration>> {
        self.singles(first, count, |n, turn| {
            let load = self.server.load(&[self.change(n, turn)])?;
            Ok(move || Ok(load.send()?))
        })
    }

    /// One change after the other, each when the one before is seen: how long each took, behind the first ones, until
    /// another client of the database was told of it. `report` makes the report of a change ready to be sent: number
    /// `turn` of streamer `n`.
    pub(crate) fn singles<Send: FnOnce() -> anyhow::Result<()>>(
        &self,
        first: usize,
        count: usize,
        report: impl Fn(usize, usize) -> anyhow::Result<Send>,
    ) -> anyhow::Result<Vec<Duration>> {
        self.database.execute("CREATE TRIGGER tell AFTER UPDATE ON streamers FOR EACH ROW EXECUTE FUNCTION tell()");
        let mut client = self.database.client();
        client.batch_execute("LISTEN seen")?;
        let mut all = Vec::new();
        for n in 0..first + count {
            let (n, turn) = (n % self.size(), n / self.size());
            let send = report(n, turn)?;
            let wanted = format!("{n} {}", status(turn));
            let began = now();
            send()?;
            let mut told = client.notifications();
            let mut told = told.timeout_iter(LIMIT);
            loop {
                let seen = told.next()?;
                let seen = seen.ok_or_else(|| anyhow::anyhow!("{wanted} was never seen"))?;
                if seen.payload() == wanted {
                    break;
                }
            }
            all.push(began.elapsed());
        }
        self.database.execute("DROP TRIGGER tell ON streamers");
        Ok(all.split_off(first))
    }

    /// Everybody changes at once, for the time number `turn`: how long until another client of the database
    /// sees it.
    pub(crate) fn burst(&self, turn: usize) -> anyhow::Result<Duration> {
        let frames: Vec<_> = (0..self.size()).map(|n| self.change(n, turn)).collect();
        let load = self.server.load(&frames)?;
        let began = now();
        load.send()?;
        self.wait_all(status(turn), began)
    }

    /// The reverse of a burst by one statement of the table's owner.
    pub(crate) fn bulk(&self, turn: usize) -> anyhow::Result<Duration> {
        let status = status(turn + 1);
        let mut client = self.database.client();
        client.batch_execute("SET synchronous_commit = off")?;
        let began = now();
        client.execute("UPDATE streamers SET status = $1", &[&status])?;
        self.wait_all(status, began)
    }

    fn wait_all(&self, status: &str, began: Instant) -> anyhow::Result<Duration> {
        let mut client = self.database.client();
        let others = client.prepare("SELECT EXISTS (SELECT FROM streamers WHERE status <> $1)")?;
        loop {
            let looked = now();
            if !client.query_one(&others, &[&status])?.get::<_, bool>(0) {
                return Ok(began.elapsed());
            }
            anyhow::ensure!(began.elapsed() < LIMIT, "not everybody is {status}");
            // Looking reads much of the table, on a processor that others need.
            pause((looked.elapsed() * 4).max(Duration::from_millis(2)));
        }
    }
}

/// What a thread, or the first one of a process, has spent on processors (proc(5), schedstat).
pub(crate) fn busy(thread: &Path) -> anyhow::Result<Duration> {
    let schedule = fs::read_to_string(thread.join("schedstat"))?;
    let nanoseconds = schedule.split_whitespace().next().and_then(|word| word.parse().ok());
    Ok(Duration::from_nanos(nanoseconds.unwrap_or_default()))
}

/// The name of streamer number `n`.
pub(crate) fn name(n: usize) -> String {
    format!("streamer{n}")
}

/// What a streamer is after this change of theirs.
pub(crate) fn status(turn: usize) -> &'static str {
    if turn % 2 == 0 { "Online" } else { "Offline" }
}

/// Lets time pass, where that is what is measured.
#[expect(clippy::disallowed_methods, reason = "a benchmark of idleness waits for nothing")]
pub(crate) fn pause(lasts: Duration) {
    std::thread::sleep(lasts);
}
