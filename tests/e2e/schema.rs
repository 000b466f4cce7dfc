//! `kick-monitor schema`: what it prints is valid, suffices, is for the configured table, and makes a new row be noticed
//! at once; and the database keeps the history of broadcasts by itself.

use super::scratch::{Ended, REQUIRED, Scratch, finish, program, with_config};
use super::stage::{PATIENCE, wait_change};
use kick_sim::{Kick, Timestamp};
use lab::{Cluster, Daemon, Database, wait_for};
use std::time::Duration;

#[track_caller]
fn printed(ended: &Ended) -> &str {
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    &ended.stdout
}

#[track_caller]
fn wait_value(database: &Database, query: &str, wanted: &str) {
    wait_for(&format!("{wanted} from {query}"), PATIENCE, || {
        (database.value(query).as_deref() == Some(wanted)).then_some(())
    });
}

#[test]
fn the_daemon_works_on_the_printed_table_as_the_printed_role() {
    let schema = finish(&mut program(&["schema"]));
    let sample = finish(&mut program(&["schema", "--sample"]));
    assert_eq!(printed(&schema), printed(&sample), "without a configuration it is the sample");
    // A role belongs to the whole cluster.
    let cluster = Cluster::start();
    let (kick, database) = (Kick::start(), cluster.database());
    database.psql(&schema.stdout);
    database.psql(&schema.stdout);
    let limits = "SELECT array_to_string(rolconfig, ' ') FROM pg_roles WHERE rolname = 'kick_monitor'";
    let limits = database.value(limits).expect("the role has limits");
    for limit in
        ["statement_timeout=30s", "search_path=pg_catalog, public, pg_temp", "client_connection_check_interval=2s"]
    {
        assert!(limits.contains(limit), "{limit}: {limits}");
    }
    kick.add("ana");
    database.execute("INSERT INTO streamers (username) VALUES ('ana')");
    let named = ["CHANNEL_ID", "USER_ID", "CHANGED_AT", "STARTED_AT"];
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
    let written =
        "SELECT status FROM streamers WHERE username = 'ben' AND changed_at IS NOT NULL AND started_at IS NOT NULL";
    wait_value(&database, written, "Online");
    wait_value(&database, "SELECT count(*) FROM kick_broadcasts WHERE username = 'ben' AND ended_at IS NULL", "1");
    assert!(daemon.events("db_unavailable").is_empty() && daemon.events("write_refused").is_empty());
}

/// A table with names of its own, and what is to be configured for it.
const ODD: &str = r#"CREATE SCHEMA "Live Stuff"; CREATE TYPE state AS ENUM ('on', 'off');
    CREATE TABLE "Live Stuff"."Kick Users" ("Row No." uuid PRIMARY KEY DEFAULT gen_random_uuid(), "user" text, state state,
        "Since" timestamp, "Began" timestamp, enabled bool DEFAULT true, "The Platform" text DEFAULT 'kick');
    INSERT INTO "Live Stuff"."Kick Users" ("user", state) VALUES ('ana', NULL)"#;
const ODD_KEYS: &[(&str, &str)] = &[
    ("DB_TABLE", r#"'"Live Stuff"."Kick Users"'"#),
    ("DB_ID_COLUMN", "'Row No.'"),
    ("DB_USERNAME_COLUMN", "user"),
    ("DB_STATUS_COLUMN", "state"),
    ("DB_ONLINE_VALUE", "on"),
    ("DB_OFFLINE_VALUE", "off"),
    ("DB_CHANGED_AT_COLUMN", "Since"),
    ("DB_STARTED_AT_COLUMN", "Began"),
    ("DB_FILTER", r#"enabled AND "The Platform" = lower('Kick')"#),
    ("ROSTER_NOTIFY_CHANNEL", "odd_roster"),
];

#[test]
fn it_is_for_the_configured_table_and_has_no_password() {
    let database = Cluster::shared().database();
    database.execute(ODD);
    database.execute(&format!("ALTER DATABASE {} SET timezone = 'Asia/Tokyo'", database.name()));
    let (role, scratch) = (format!("odd-{}", database.name()), Scratch::new());
    let url = database.url_as(&role, "pass-word");
    let quoted = |value: &str| {
        if value.starts_with('\'') { value.to_owned() } else { format!("\"{}\"", value.replace('"', "\\\"")) }
    };
    let keys: String = ODD_KEYS.iter().map(|(key, value)| format!("{key}={}\n", quoted(value))).collect();
    let config = scratch.config(format!("KICK_CLIENT_SECRET=hush-hush\nDATABASE_URL='{url}'\n{keys}"));
    let schema = finish(&mut with_config("schema", &config, &[]));
    let sql = printed(&schema);
    assert!(!sql.contains("pass-word") && !sql.contains("hush") && !sql.contains("choose-one"), "{sql}");
    assert!(!sql.contains("IF NOT EXISTS \"Live Stuff\".\"Kick Users\""), "the table is there already: {sql}");
    let grant = r#"GRANT SELECT ("Row No.", "user", "state", "Began", "enabled", "The Platform"), UPDATE ("state", "Since", "Began")"#;
    assert!(sql.contains(grant), "{grant} is not in\n{sql}");
    database.psql(sql);
    database.psql(sql);
    database.execute(&format!("ALTER ROLE \"{role}\" PASSWORD 'pass-word'"));
    let kick = Kick::start();
    kick.add("ana");
    kick.set_api_lag(None);
    let builder = Daemon::builder(env!("CARGO_BIN_EXE_kick-monitor")).settings(kick.settings());
    let bare = |value: &str| value.trim_matches('\'').to_owned();
    let builder = ODD_KEYS.iter().fold(builder, |builder, (key, value)| match *key {
        "DB_FILTER" => builder.set(key, *value),
        _ => builder.set(key, bare(value)),
    });
    let daemon = builder.set("DATABASE_URL", url).set("ROSTER_POLL_SECS", "3600").start();
    daemon.wait_event("ready", PATIENCE);
    let follows = |username: &str| {
        assert!(kick.wait_subscribed(&format!("channel.{}", kick.ids(username).channel), PATIENCE), "{username}");
    };
    follows("ana");
    // What the filter names has the table read, too.
    kick.add("ben");
    database.execute(r#"INSERT INTO "Live Stuff"."Kick Users" ("user", enabled) VALUES ('ben', false)"#);
    database.execute(r#"UPDATE "Live Stuff"."Kick Users" SET enabled = true"#);
    follows("ben");
    let history = |what: &str| format!(r#"SELECT {what} FROM "Live Stuff".kick_broadcasts WHERE username = 'ana'"#);
    let first = kick.go_live("ana");
    wait_value(&database, &history("count(*)"), "1");
    // Another broadcast takes over, then it ends; that is told twice.
    kick.push_live("ana", first + 1, Timestamp::now() + Duration::from_secs(10));
    wait_value(&database, &history("count(*)"), "2");
    wait_value(&database, &history("count(*) FILTER (WHERE ended_at IS NULL)"), "1");
    kick.push_stop("ana", first + 1);
    wait_value(&database, &history("count(*) FILTER (WHERE ended_at IS NULL)"), "0");
    let right = history(
        "string_agg((started_at BETWEEN now() - interval '5 min' AND now() + interval '15 s' AND ended_at >= started_at
            AND duration = ended_at - started_at AND streamer_id IS NOT NULL)::text, ' ')",
    );
    assert_eq!(database.value(&right).as_deref(), Some("true true"));
    assert!(daemon.events("db_unavailable").is_empty() && daemon.events("write_refused").is_empty());
}

#[test]
fn the_history_tells_broadcasts_apart_whoever_writes() {
    // The role of the sample belongs to the whole cluster.
    let cluster = Cluster::start();
    let database = cluster.database();
    database.psql(printed(&finish(&mut program(&["schema"]))));
    database.execute("INSERT INTO streamers (username, status) VALUES ('ana', 'Offline')");
    let set = |status: &str, started: &str, changed: &str| {
        database.execute(&format!(
            "UPDATE streamers SET status = {status}, started_at = {started}, changed_at = {changed} WHERE username = 'ana'"
        ));
    };
    let rows = || {
        database
            .value(
                "SELECT string_agg(concat_ws(' ', to_char(started_at AT TIME ZONE 'UTC', 'HH24:MI:SS'),
                     coalesce(to_char(ended_at AT TIME ZONE 'UTC', 'HH24:MI:SS'), 'runs'), duration), ', ' ORDER BY started_at)
                 FROM kick_broadcasts",
            )
            .unwrap_or_default()
    };
    set("'Online'", "'2026-11-23 10:00:00Z'", "'2026-11-23 10:00:07Z'");
    assert_eq!(rows(), "10:00:00 runs");
    set("'Offline'", "started_at", "'2026-11-23 11:00:00Z'");
    assert_eq!(rows(), "10:00:00 11:00:00 01:00:00");
    // Once more, or by NULL, it ends nothing.
    set("'Offline'", "started_at", "'2026-11-23 11:30:00Z'");
    set("NULL", "started_at", "'2026-11-23 11:40:00Z'");
    assert_eq!(rows(), "10:00:00 11:00:00 01:00:00");
    // It goes on after a pause, as its start tells.
    set("'Online'", "'2026-11-23 10:00:03Z'", "'2026-11-23 11:50:00Z'");
    assert_eq!(rows(), "10:00:00 runs");
    // Another one takes over without an Offline between; what changes nothing is no news.
    set("'Online'", "'2026-11-23 12:00:00Z'", "changed_at");
    set("'Online'", "started_at", "changed_at");
    database.execute("UPDATE streamers SET username = '@ana' WHERE username = 'ana'");
    database.execute("UPDATE streamers SET username = 'ana'");
    assert_eq!(rows(), "10:00:00 12:00:00 02:00:00, 12:00:00 runs");
    set("'Offline'", "started_at", "'2026-11-23 12:30:00Z'");
    // A start that becomes known later is that of the one that runs.
    set("'Online'", "NULL", "'2026-11-23 13:00:09Z'");
    set("'Online'", "'2026-11-23 13:00:00Z'", "changed_at");
    set("'Offline'", "started_at", "'2026-11-23 13:10:00Z'");
    assert_eq!(rows(), "10:00:00 12:00:00 02:00:00, 12:00:00 12:30:00 00:30:00, 13:00:00 13:10:00 00:10:00");
}

#[test]
fn the_history_compares_a_status_as_its_column_does() {
    let cluster = Cluster::start();
    let database = cluster.database();
    database.execute(
        "CREATE EXTENSION citext; CREATE TYPE word AS ENUM ('Online', 'Offline'); CREATE DOMAIN state AS word",
    );
    let scratch = Scratch::new();
    for (table, kind, first) in [("names", "citext", "ONLINE"), ("states", "state", "Online")] {
        database.execute(&format!(
            "CREATE TABLE {table} (id int PRIMARY KEY, username text, status {kind});
             INSERT INTO {table} VALUES (1, 'ana', '{first}')"
        ));
        let config = scratch.config(format!("{REQUIRED}DB_TABLE={table}\n"));
        database.psql(printed(&finish(&mut with_config("schema", &config, &[]))));
        let running = "SELECT count(*) FROM kick_broadcasts WHERE ended_at IS NULL";
        wait_value(&database, running, "1");
        database.execute(&format!("UPDATE {table} SET status = 'Offline'"));
        wait_value(&database, running, "0");
        database.execute("DROP TABLE kick_broadcasts");
    }
}

#[test]
fn on_a_view_the_role_and_its_grants_stay() {
    let cluster = Cluster::start();
    let database = cluster.database();
    database
        .execute("CREATE TABLE names (id int, username text, status text); CREATE VIEW live AS SELECT * FROM names");
    let scratch = Scratch::new();
    let config = scratch.config(format!("{REQUIRED}DB_TABLE=live\n"));
    let schema = finish(&mut with_config("schema", &config, &[]));
    let statements = printed(&schema);
    assert!(std::panic::catch_unwind(|| database.psql(statements)).is_err(), "a view has no such triggers");
    let granted = "SELECT count(DISTINCT grantee) FROM information_schema.column_privileges
         WHERE table_name = 'live' AND grantee <> current_user";
    assert_eq!(database.value(granted).as_deref(), Some("1"));
}

#[test]
fn a_broken_or_an_empty_configuration_is_told_from_none() {
    let scratch = Scratch::new();
    let schema = |text: &str, options: &[&str]| finish(&mut with_config("schema", &scratch.config(text), options));
    let sample = finish(&mut program(&["schema", "--sample"]));
    // Nothing is filled in yet.
    assert_eq!(printed(&schema("KICK_CLIENT_ID=\nDATABASE_URL=\n", &[])), printed(&sample));
    let named = schema("DB_STATUS_COLUMN=state\nDB_STARTED_AT_COLUMN=began\n", &[]);
    assert!(
        printed(&named)
            .contains("GRANT SELECT (\"id\", \"username\", \"state\", \"began\"), UPDATE (\"state\", \"began\")")
    );
    assert!(
        !named.stdout.contains("choose-one'';") && !named.stdout.contains("CREATE TABLE IF NOT EXISTS \"streamers\"")
    );
    let both = schema(&format!("{REQUIRED}DB_STATUS_COLUMN=state\n"), &["--sample"]);
    let both = printed(&both);
    assert!(both.contains("\"state\" text") && both.contains("\"changed_at\" timestamptz"), "{both}");
    assert!(!both.contains("pass-word"), "{both}");
    let broken = schema("DB_STATUS=state\n", &[]);
    assert_eq!((broken.code, broken.stdout.as_str()), (Some(78), ""));
    assert!(
        broken.stderr.contains("DB_STATUS: is not a key") && broken.stderr.contains("--sample"),
        "{}",
        broken.stderr
    );
    let missing = finish(&mut with_config("schema", &scratch.path("none"), &[]));
    assert_eq!(missing.code, Some(78), "a file that is named must be there: {}", missing.stderr);
}
