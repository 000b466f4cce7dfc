//! Tables of every kind, each kept right by the real daemon; and the ways to it: a role that may do
//! little, and PgBouncer.

use super::stage::{PATIENCE, Stage, wait_change};
use kick_sim::{Face, Fault, Kick};
use lab::{Bouncer, Builder, Cluster, Daemon, wait_for};
use postgres::fallible_iterator::FallibleIterator;
use serde_json::Value;

/// A Kick that knows ana, and a database prepared by `sql`.
fn stage(sql: &str) -> Stage {
    let database = Cluster::shared().database();
    database.execute(sql);
    let kick = Kick::start();
    kick.add("ana");
    Stage { kick, database }
}

#[track_caller]
fn wait_value(stage: &Stage, query: &str, wanted: &str) {
    wait_for(&format!("{wanted} from {query}"), PATIENCE, || {
        (stage.database.value(query).as_deref() == Some(wanted)).then_some(())
    });
}

/// Ana goes live and stops, push alone tells, and `query` gives `online` and `offline` for it.
#[track_caller]
fn check(stage: &Stage, builder: Builder, query: &str, [online, offline]: [&str; 2]) -> Daemon {
    stage.kick.set_api_lag(None);
    let daemon = stage.start(builder);
    stage.wait_followed(&["ana"]);
    wait_value(stage, query, offline);
    stage.kick.go_live("ana");
    wait_value(stage, query, online);
    stage.kick.stop("ana");
    wait_value(stage, query, offline);
    daemon
}

#[test]
fn an_id_may_be_a_uuid_and_a_status_an_enum() {
    let stage = stage(
        "CREATE TYPE state AS ENUM ('Offline', 'Online', 'Banned');
         CREATE TABLE streamers (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), username text, status state);
         INSERT INTO streamers (username) VALUES ('ana')",
    );
    let daemon = check(&stage, stage.builder(), "SELECT status FROM streamers", ["Online", "Offline"]);
    let id = stage.database.value("SELECT id FROM streamers").expect("there is a row");
    assert_eq!(wait_change(&daemon, "ana", 3).key("id"), id);
}

#[test]
fn a_status_may_be_a_boolean() {
    let stage = stage(
        "CREATE TABLE streamers (id int PRIMARY KEY, username text, status boolean);
         INSERT INTO streamers VALUES (1, 'ana', NULL)",
    );
    let builder = stage.builder().set("DB_ONLINE_VALUE", "true").set("DB_OFFLINE_VALUE", "false");
    let daemon = check(&stage, builder, "SELECT status FROM streamers", ["t", "f"]);
    assert_eq!(wait_change(&daemon, "ana", 2).key("status"), "Online", "the log keeps its own words");
}

#[test]
fn a_status_may_be_an_integer() {
    let stage = stage(
        "CREATE TABLE streamers (id text PRIMARY KEY, username text, status int);
         INSERT INTO streamers VALUES ('a', 'ana', 7)",
    );
    let builder = stage.builder().set("DB_ONLINE_VALUE", "1").set("DB_OFFLINE_VALUE", "0");
    check(&stage, builder, "SELECT status FROM streamers", ["1", "0"]);
}

#[test]
fn a_status_may_be_of_a_domain() {
    let stage = stage(
        "CREATE DOMAIN state AS varchar(7) CHECK (VALUE IN ('on', 'off'));
         CREATE TABLE streamers (id int PRIMARY KEY, username varchar(25), status state NOT NULL);
         INSERT INTO streamers VALUES (1, 'ana', 'off')",
    );
    let builder = stage.builder().set("DB_ONLINE_VALUE", "on").set("DB_OFFLINE_VALUE", "off");
    check(&stage, builder, "SELECT status FROM streamers", ["on", "off"]);
}

#[test]
fn a_status_may_be_a_varchar_and_a_username_an_address() {
    let stage = stage(
        "CREATE TABLE streamers (id smallint PRIMARY KEY, username varchar(50), status varchar(7));
         INSERT INTO streamers VALUES (1, '  https://kick.com/ANA ', 'Offline'), (2, '@Ana', NULL)",
    );
    let query = "SELECT string_agg(status, ' ' ORDER BY id) FROM streamers";
    check(&stage, stage.builder(), query, ["Online Online", "Offline Offline"]);
}

#[test]
fn table_and_columns_may_have_any_name() {
    let stage = stage(
        r#"CREATE SCHEMA "Live Stuff";
           CREATE TABLE "Live Stuff"."Kick Users" ("Row No." int PRIMARY KEY, "user" text, "is ""live""?" text,
               "Ändert" timestamptz);
           INSERT INTO "Live Stuff"."Kick Users" VALUES (1, 'ana', 'Offline')"#,
    );
    let builder = stage
        .builder()
        .set("DB_TABLE", r#""Live Stuff"."Kick Users""#)
        .set("DB_ID_COLUMN", "Row No.")
        .set("DB_USERNAME_COLUMN", "user")
        .set("DB_STATUS_COLUMN", r#"is "live"?"#)
        .set("DB_CHANGED_AT_COLUMN", "Ändert");
    check(&stage, builder, r#"SELECT "is ""live""?" FROM "Live Stuff"."Kick Users""#, ["Online", "Offline"]);
}

#[test]
fn a_filter_limits_the_roster() {
    let stage = stage(
        "CREATE TABLE streamers (id int PRIMARY KEY, username text, status text, enabled bool, platform text);
         INSERT INTO streamers VALUES (1, 'ana', NULL, true, 'kick'), (2, 'bea', NULL, false, 'kick'),
             (3, 'ana', NULL, true, 'other')",
    );
    stage.kick.add("bea");
    let filter = "enabled AND platform = 'kick' -- only ours";
    let daemon = check(
        &stage,
        stage.builder().set("DB_FILTER", filter),
        "SELECT status FROM streamers WHERE id = 1",
        ["Online", "Offline"],
    );
    assert_eq!(daemon.wait_event("roster_loaded", PATIENCE).key("streamers"), "1");
    let others = "SELECT count(*) FROM streamers WHERE id > 1 AND status IS NULL";
    assert_eq!(stage.database.value(others).as_deref(), Some("2"));
    stage.database.execute("UPDATE streamers SET enabled = true");
    wait_value(&stage, "SELECT status FROM streamers WHERE id = 2", "Offline");
}

const WITH_IDS: &str =
    "CREATE TABLE streamers (id int PRIMARY KEY, username text, status text, channel bigint, kick_user text)";

fn with_ids(stage: &Stage) -> Builder {
    stage.builder().set("DB_CHANNEL_ID_COLUMN", "channel").set("DB_USER_ID_COLUMN", "kick_user")
}

#[test]
fn configured_ids_need_no_website_and_null_is_fine() {
    let stage = stage(WITH_IDS);
    stage.kick.add("bea");
    let ids = stage.kick.ids("ana");
    stage.database.execute(&format!(
        "INSERT INTO streamers VALUES (1, 'ana', 'Offline', {}, '{}'), (2, 'bea', NULL, NULL, NULL)",
        ids.channel, ids.user
    ));
    stage.kick.fault(Face::Website, Fault::challenge());
    let _daemon = check(&stage, with_ids(&stage), "SELECT status FROM streamers WHERE id = 1", ["Online", "Offline"]);
    wait_value(&stage, "SELECT status FROM streamers WHERE id = 2", "Offline");
    assert_eq!(stage.database.value("SELECT count(*) FROM streamers WHERE channel IS NULL").as_deref(), Some("1"));
}

#[test]
fn a_wrong_channel_id_is_found_out_when_the_streamer_is_live() {
    let stage = stage(WITH_IDS);
    // An earlier run, which push told nothing: what the table shows is old.
    let daemon = stage.start(with_ids(&stage));
    assert_eq!(daemon.stop(PATIENCE).code(), Some(0));
    stage.database.execute("INSERT INTO streamers VALUES (1, 'ana', 'Offline', 987654, NULL)");
    stage.kick.go_live("ana");
    daemon.start_again();
    let said = daemon.wait_event("channel_id_mismatch", PATIENCE);
    let actual = stage.kick.ids("ana").channel.to_string();
    assert_eq!(["username", "configured", "actual"].map(|key| said.key(key)), ["ana", "987654", &actual]);
    stage.wait_followed(&["ana"]);
    wait_value(&stage, "SELECT status FROM streamers", "Online");
    stage.kick.stop("ana");
    wait_value(&stage, "SELECT status FROM streamers", "Offline");
    assert_eq!(stage.database.value("SELECT channel FROM streamers").as_deref(), Some("987654"), "never written");
}

#[test]
fn two_streamers_with_one_channel_id_are_looked_up_at_the_website() {
    let stage = stage(WITH_IDS);
    stage.kick.add("bea");
    let channel = stage.kick.ids("ana").channel;
    stage.database.execute(&format!(
        "INSERT INTO streamers VALUES (1, 'ana', 'Offline', {channel}, NULL), (2, 'bea', 'Offline', {channel}, NULL)"
    ));
    stage.kick.set_api_lag(None);
    let daemon = stage.start(with_ids(&stage));
    let said = daemon.wait_event("channel_id_mismatch", PATIENCE);
    assert_eq!(said.key("username"), "bea");
    stage.wait_followed(&["ana", "bea"]);
    assert!(stage.kick.count(Face::Website) > 0);
    stage.kick.go_live("bea");
    wait_value(&stage, "SELECT status FROM streamers WHERE id = 2", "Online");
    assert_eq!(stage.database.value("SELECT status FROM streamers WHERE id = 1").as_deref(), Some("Offline"));
}

#[test]
fn each_change_has_its_time_and_is_notified_once() {
    let stage = stage(
        "CREATE TABLE streamers (id int PRIMARY KEY, username text, status text, changed_at timestamptz);
         INSERT INTO streamers VALUES (1, 'ana', 'Offline', NULL), (2, 'bea', 'Offline', NULL)",
    );
    stage.kick.add("bea");
    stage.kick.set_api_lag(None);
    let mut listener = stage.database.client();
    listener.batch_execute("LISTEN \"Live Changes\"").expect("it listens");
    let builder = stage.builder().set("DB_CHANGED_AT_COLUMN", "changed_at").set("DB_NOTIFY_CHANNEL", "Live Changes");
    let _daemon = stage.start(builder);
    stage.wait_followed(&["ana", "bea"]);
    let mut next = || -> Value {
        let mut notifications = listener.notifications();
        let notification = notifications.timeout_iter(PATIENCE).next().expect("connected").expect("a notification");
        serde_json::from_str(notification.payload()).expect("it is JSON")
    };
    let livestream = stage.kick.go_live("ana");
    let told = next();
    let keys: Vec<&str> = told.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(keys, ["changed_at", "id", "source", "started_at", "status", "title", "username"]);
    assert_eq!([&told["username"], &told["status"], &told["source"]], ["ana", "Online", "push"]);
    assert_eq!(told["id"].to_string().trim_matches('"'), "1");
    let same =
        format!("SELECT changed_at = '{}' FROM streamers WHERE id = 1", told["changed_at"].as_str().expect("text"));
    assert_eq!(stage.database.value(&same).as_deref(), Some("t"));
    let recent =
        "SELECT changed_at BETWEEN now() - interval '5 min' AND now() + interval '1 s' FROM streamers WHERE id = 1";
    assert_eq!(stage.database.value(recent).as_deref(), Some("t"));
    // What changes nothing says nothing: the next word is about somebody else.
    stage.kick.push_live("ana", livestream, kick_sim::Timestamp::now());
    stage.kick.go_live("bea");
    let told = next();
    assert_eq!([&told["username"], &told["status"]], ["bea", "Online"]);
    stage.kick.stop("ana");
    let told = next();
    assert_eq!([&told["username"], &told["status"]], ["ana", "Offline"]);
}

/// A role that has nothing but these grants on the table.
fn role(stage: &Stage, grants: &str) -> String {
    let role = format!("role_{}", stage.database.name());
    stage.database.execute(&format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'p'; REVOKE ALL ON DATABASE {} FROM PUBLIC;
         GRANT CONNECT ON DATABASE {} TO {role}; GRANT {grants} ON streamers TO {role}",
        stage.database.name(),
        stage.database.name()
    ));
    role
}

#[test]
fn the_least_privileges_are_enough() {
    let stage = stage(
        "CREATE TABLE streamers (id int PRIMARY KEY, username text, status text, changed_at timestamptz, wanted bool,
             channel bigint, secret text);
         INSERT INTO streamers VALUES (1, 'ana', NULL, NULL, true)",
    );
    let role = role(&stage, "SELECT (id, username, status, wanted, channel), UPDATE (status, changed_at)");
    let builder = stage
        .builder()
        .set("DATABASE_URL", stage.database.url_as(&role, "p"))
        .set("DB_CHANGED_AT_COLUMN", "changed_at")
        .set("DB_CHANNEL_ID_COLUMN", "channel")
        .set("DB_FILTER", "wanted")
        .set("DB_NOTIFY_CHANNEL", "changes")
        .set("ROSTER_NOTIFY_CHANNEL", "roster");
    let daemon = check(&stage, builder, "SELECT status FROM streamers", ["Online", "Offline"]);
    assert_eq!(daemon.events("db_unavailable").len() + daemon.events("write_refused").len(), 0);
}

#[test]
fn pgbouncer_may_pool_transactions() {
    let stage = stage(
        "CREATE TYPE state AS ENUM ('Offline', 'Online');
         CREATE TABLE streamers (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), username text, status state);
         INSERT INTO streamers (username) VALUES ('ana')",
    );
    for number in 0..40 {
        stage.kick.add(&format!("s{number}"));
        stage.database.execute(&format!("INSERT INTO streamers (username) VALUES ('s{number}')"));
    }
    let bouncer = Bouncer::start(Cluster::shared(), &stage.database);
    let builder = stage
        .builder()
        .set("DATABASE_URL", bouncer.url())
        // More than the pooler has, so that they take turns.
        .set("DB_POOL_SIZE", "4")
        .set("DB_NOTIFY_CHANNEL", "changes");
    let query = "SELECT status FROM streamers WHERE username = 'ana'";
    let daemon = check(&stage, builder, query, ["Online", "Offline"]);
    for number in 0..40 {
        assert!(stage.kick.wait_subscribed(&stage.channel(&format!("s{number}")), PATIENCE));
        stage.kick.go_live(&format!("s{number}"));
    }
    wait_value(&stage, "SELECT count(*) FROM streamers WHERE status = 'Online'", "40");
    assert_eq!(daemon.events("db_unavailable").len() + daemon.events("write_refused").len(), 0);
}
