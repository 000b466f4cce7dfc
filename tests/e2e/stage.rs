//! What every test stands on: a Kick and a database of its own, and the default table, in which
//! every UPDATE leaves a trace.

use super::scratch::finish;
use kick_sim::{Kick, Transport};
use lab::{Builder, Cluster, Daemon, Database, Line, free_port, wait_for};
use serde_json::Value;
use std::time::Duration;

/// Longer than anything takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Longer than what somebody else wrote stands against the API, a minute, and the second look.
pub(crate) const LAGGING: Duration = Duration::from_secs(120);

/// The table of the documentation. `written` is what was ever written into it, by anybody.
const TABLE: &str = "
    CREATE TABLE streamers (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, username text NOT NULL, status text);
    CREATE TABLE written (number bigint GENERATED ALWAYS AS IDENTITY, username text, status text);
    CREATE FUNCTION trace() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN INSERT INTO written (username, status) VALUES (NEW.username, NEW.status); RETURN NULL; END $$;
    CREATE TRIGGER trace AFTER UPDATE ON streamers FOR EACH ROW EXECUTE FUNCTION trace();";

/// A Kick and a database.
pub(crate) struct Stage {
    pub(crate) kick: Kick,
    pub(crate) database: Database,
}

impl Stage {
    /// Streamers who are in the table with no status, and who exist at Kick, offline.
    pub(crate) fn with(usernames: &[&str]) -> Stage {
        Stage::empty().add(usernames)
    }

    /// Adds such streamers.
    pub(crate) fn add(self, usernames: &[&str]) -> Stage {
        for username in usernames {
            self.kick.add(username);
            self.insert(username, None);
        }
        self
    }

    /// No streamers, neither in the table nor at Kick.
    pub(crate) fn empty() -> Stage {
        Stage::on(Cluster::shared())
    }

    /// The same in a cluster of the test's own, which it may stop.
    pub(crate) fn on(cluster: &Cluster) -> Stage {
        let database = cluster.database();
        database.execute(TABLE);
        Stage { kick: Kick::start(), database }
    }

    /// The program with settings that suit a test: the roster is read every second, requests are
    /// plenty, everything is logged, and both sweeps are so far away that they do not help push.
    pub(crate) fn builder(&self) -> Builder {
        Daemon::builder(env!("CARGO_BIN_EXE_kick-monitor"))
            .settings(self.kick.settings())
            .set("DATABASE_URL", self.database.url())
            .set("ROSTER_POLL_SECS", "1")
            .set("SWEEP_SECS", "3600")
            .set("SWEEP_UNCOVERED_SECS", "3600")
            .set("API_REQUESTS_PER_MINUTE", "6000")
            .set("HEARTBEAT_SECS", "0")
            .set("LOG_LEVEL", "debug")
    }

    /// The same, and no push connection can be made.
    pub(crate) fn unpushed(&self) -> Builder {
        let nowhere = format!("ws://127.0.0.1:{}", free_port());
        self.builder().set("REALTIME", "pusher").set("PUSHER_URL", nowhere)
    }

    /// Starts the program and waits until it has compared everybody.
    #[track_caller]
    pub(crate) fn start(&self, builder: Builder) -> Daemon {
        let daemon = builder.start();
        daemon.wait_event("ready", PATIENCE);
        daemon
    }

    /// The same with the usual settings, and waits until push follows everybody.
    #[track_caller]
    pub(crate) fn watch(&self, usernames: &[&str]) -> Daemon {
        let daemon = self.start(self.builder());
        self.wait_followed(usernames);
        daemon
    }

    // Kick.

    /// The push channel of a streamer.
    pub(crate) fn channel(&self, username: &str) -> String {
        format!("channel.{}", self.kick.ids(username).channel)
    }

    /// Waits until push follows these streamers.
    #[track_caller]
    pub(crate) fn wait_followed(&self, usernames: &[&str]) {
        for username in usernames {
            assert!(self.kick.wait_subscribed(&self.channel(username), PATIENCE), "nobody follows {username}");
        }
    }

    /// Waits, not longer than this, until push follows these streamers over this transport.
    #[track_caller]
    pub(crate) fn wait_followed_over(&self, transport: Transport, usernames: &[&str], limit: Duration) {
        for username in usernames {
            let followed = self.kick.wait_subscribed_on(transport, &self.channel(username), limit);
            assert!(followed, "nobody follows {username} over {transport:?}");
        }
    }

    /// Starts the program and waits until everybody is followed over this transport and Offline, with
    /// an API that learns of nothing until it is told to catch up.
    #[track_caller]
    pub(crate) fn watch_over(&self, transport: Transport, builder: Builder, usernames: &[&str]) -> Daemon {
        self.kick.set_api_lag(None);
        let daemon = self.start(builder);
        self.wait_followed_over(transport, usernames, PATIENCE);
        usernames.iter().for_each(|username| self.wait_status(username, "Offline"));
        daemon
    }

    /// Whoever is live stops, and whoever is not goes live: push tells, the API learning of nothing.
    /// What was written before may still be on its way to the log, and is of the other status.
    #[track_caller]
    pub(crate) fn assert_push_tells(&self, daemon: &Daemon, username: &str) {
        let said = changes(daemon, username).len();
        self.kick.set_api_lag(None);
        let status = if self.kick.stop(username).is_some() { "Offline" } else { "Online" };
        if status == "Online" {
            self.kick.go_live(username);
        }
        let line = wait_for(&format!("{username} told {status}"), PATIENCE, || {
            changes(daemon, username).into_iter().skip(said).find(|line| line.key("status") == status)
        });
        assert_eq!(line.key("source"), "push", "{}", line.text);
    }

    // The table.

    /// Adds a row.
    pub(crate) fn insert(&self, username: &str, status: Option<&str>) {
        let mut client = self.database.client();
        client
            .execute("INSERT INTO streamers (username, status) VALUES ($1, $2)", &[&username, &status])
            .unwrap_or_else(|error| panic!("no row for {username:?}: {error}"));
    }

    /// A streamer's status; `None` when it is NULL.
    pub(crate) fn status(&self, username: &str) -> Option<String> {
        self.database.value(&format!("SELECT status FROM streamers WHERE username = '{username}' LIMIT 1"))
    }

    /// Waits until a streamer's rows have this status.
    #[track_caller]
    pub(crate) fn wait_status(&self, username: &str, status: &str) {
        self.wait_status_within(PATIENCE, username, status);
    }

    /// The same, not longer than this.
    #[track_caller]
    pub(crate) fn wait_status_within(&self, limit: Duration, username: &str, status: &str) {
        let mut client = self.database.client();
        wait_for(&format!("{username} to be {status}"), limit, || {
            let query = "SELECT coalesce(bool_and(status IS NOT DISTINCT FROM $2), false) FROM streamers \
                         WHERE username = $1";
            let right = client.query_one(query, &[&username, &status]).is_ok_and(|row| row.get(0));
            right.then_some(())
        });
    }

    /// Every status that an UPDATE ever left in a streamer's rows, in order.
    pub(crate) fn written(&self, username: &str) -> Vec<String> {
        let query = "SELECT coalesce(status, 'NULL') FROM written WHERE username = $1 ORDER BY number";
        let rows = self.database.client().query(query, &[&username]).expect("the trace is there");
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// What tells whether a row was touched.
    pub(crate) fn xmin(&self, username: &str) -> String {
        self.database
            .value(&format!(
                "SELECT string_agg(xmin::text, ' ' ORDER BY id) FROM streamers WHERE username = '{username}'"
            ))
            .expect("the row is there")
    }
}

/// The changes of a streamer that the daemon has said so far.
pub(crate) fn changes(daemon: &Daemon, username: &str) -> Vec<Line> {
    daemon.events("status_changed").into_iter().filter(|line| line.key("username") == username).collect()
}

/// Waits until the daemon has said so many changes of a streamer, and gives the last of them. A
/// change is in the table before it is said.
#[track_caller]
pub(crate) fn wait_change(daemon: &Daemon, username: &str, count: usize) -> Line {
    wait_for(&format!("change {count} of {username}"), PATIENCE, || {
        changes(daemon, username).into_iter().nth(count - 1)
    })
}

/// Waits until `status --json` is such that something holds.
#[track_caller]
pub(crate) fn wait_snapshot(daemon: &Daemon, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
    wait_for(what, PATIENCE, || {
        let ended = finish(daemon.command("status").arg("--json"));
        let snapshot: Value = serde_json::from_str(&ended.stdout).ok()?;
        holds(&snapshot).then_some(snapshot)
    })
}
