//! `kick-monitor schema`: what it prints is valid, suffices, and makes a new row be noticed at once.

use super::scratch::{finish, program};
use super::stage::{PATIENCE, wait_change};
use kick_sim::Kick;
use lab::{Cluster, Daemon};

#[test]
fn the_daemon_works_on_the_printed_table_as_the_printed_role() {
    let schema = finish(&mut program(&["schema"]));
    assert_eq!((schema.code, schema.stderr.as_str()), (Some(0), ""));
    // A role belongs to the whole cluster.
    let cluster = Cluster::start();
    let (kick, database) = (Kick::start(), cluster.database());
    database.execute(&schema.stdout);
    let limits = "SELECT array_to_string(rolconfig, ' ') FROM pg_roles WHERE rolname = 'kick_monitor'";
    let limits = database.value(limits).expect("the role has limits");
    for limit in
        ["statement_timeout=30s", "search_path=pg_catalog, public, pg_temp", "client_connection_check_interval=2s"]
    {
        assert!(limits.contains(limit), "{limit}: {limits}");
    }
    kick.add("ana");
    database.execute("INSERT INTO streamers (username) VALUES ('ana')");
    let named = ["CHANNEL_ID", "USER_ID", "CHANGED_AT"];
    let builder = named.iter().fold(Daemon::builder(env!("CARGO_BIN_EXE_kick-monitor")), |builder, name| {
        builder.set(&format!("DB_{name}_COLUMN"), name.to_lowercase())
    });
    let daemon = builder
        .settings(kick.settings())
        .set("DATABASE_URL", database.url_as("kick_monitor", "choose-one"))
        // It must be the trigger by which it hears of a row.
        .set("ROSTER_POLL_SECS", "3600")
        .set("ROSTER_NOTIFY_CHANNEL", "kick_roster")
        .start();
    daemon.wait_event("ready", PATIENCE);
    wait_change(&daemon, "ana", 1);
    kick.add("ben");
    database.execute("INSERT INTO streamers (username) VALUES ('ben')");
    assert!(kick.wait_subscribed(&format!("channel.{}", kick.ids("ben").channel), PATIENCE), "nobody follows ben");
    kick.go_live("ben");
    let written = "SELECT status FROM streamers WHERE username = 'ben' AND changed_at IS NOT NULL";
    lab::wait_for("ben Online", PATIENCE, || (database.value(written).as_deref() == Some("Online")).then_some(()));
    assert!(daemon.events("db_unavailable").is_empty());
}
