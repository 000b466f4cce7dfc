//! `kick-monitor check` tries the very statements that will write: what the table, the view or a column would refuse
//! at the first change is named before it, with what helps; and what would work is no failure.

use super::check::SetUp;
use lab::wait_for;
use std::time::Duration;

/// The columns that views and tables of these tests have.
const BASE: &str = "CREATE TABLE base (id int PRIMARY KEY, username text, status text, changed_at timestamptz, k int);
    INSERT INTO base VALUES (1, 'ana', 'Offline', NULL, 1);
    CREATE TABLE other (k int PRIMARY KEY, note text); INSERT INTO other VALUES (1, 'x');
    CREATE FUNCTION put() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        UPDATE base SET status = NEW.status, changed_at = NEW.changed_at WHERE id = NEW.id; RETURN NEW; END $$;";

const CHANGED_AT: (&str, &str) = ("DB_CHANGED_AT_COLUMN", "changed_at");

#[test]
fn what_cannot_be_written_is_named_with_what_helps() {
    let set_up = SetUp::new();
    let database = &set_up.stage.database;
    database.execute(BASE);
    for (number, (kind, query, words)) in [
        (
            "VIEW",
            "SELECT b.id, username, status, changed_at FROM base b JOIN other USING (k)",
            &["view", "INSTEAD OF"][..],
        ),
        ("VIEW", "SELECT DISTINCT id, username, status, changed_at FROM base", &["view", "INSTEAD OF"]),
        ("MATERIALIZED VIEW", "SELECT id, username, status, changed_at FROM base", &["materialized view", "DB_TABLE"]),
        (
            "VIEW",
            "SELECT id, username, upper(status) AS status, changed_at FROM base",
            &["DB_STATUS_COLUMN", "column \"status\" of view"],
        ),
        (
            "VIEW",
            "SELECT id, username, status, now() AS changed_at FROM base",
            &["DB_CHANGED_AT_COLUMN", "column \"changed_at\" of view"],
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("shown_{number}");
        database.execute(&format!("CREATE {kind} {name} AS {query}"));
        set_up.fails(&[("DB_TABLE", &name), CHANGED_AT], &[&["write: ", name.as_str()][..], words].concat());
    }
    for (name, columns, words) in [
        (
            "generated",
            "status text GENERATED ALWAYS AS (upper(username)) STORED, changed_at timestamptz",
            ["\"status\"", "DB_STATUS_COLUMN"],
        ),
        (
            "generated_time",
            "status text, seen timestamptz, changed_at timestamptz GENERATED ALWAYS AS (seen) STORED",
            ["\"changed_at\"", "DB_CHANGED_AT_COLUMN"],
        ),
    ] {
        database.execute(&format!("CREATE TABLE {name} (id int PRIMARY KEY, username text, {columns})"));
        set_up.fails(&[("DB_TABLE", name), CHANGED_AT], &[&["write: ", "generated"][..], &words].concat());
    }
    // Updates that a publication would have to send, and cannot tell of which row they are.
    database.execute(
        "CREATE TABLE bare (id int NOT NULL UNIQUE, username text, status text); CREATE PUBLICATION p FOR ALL TABLES",
    );
    let remedy = "in psql: ALTER TABLE \"bare\" REPLICA IDENTITY FULL;";
    set_up.fails(&[("DB_TABLE", "bare")], &["write: ", "replica identity", remedy]);
    database.execute("ALTER TABLE bare REPLICA IDENTITY FULL");
    let ended = set_up.check(&[("DB_TABLE", "bare")], &[]);
    assert!(ended.stdout.contains("ok   write: "), "the remedy helps: {}", ended.stdout);
}

#[test]
fn what_can_be_written_is_no_failure_and_is_written() {
    let set_up = SetUp::new();
    let database = &set_up.stage.database;
    database.execute(BASE);
    for (number, (query, trigger)) in [
        ("SELECT id, username, status, changed_at FROM base", false),
        ("SELECT b.id, username, status, changed_at FROM base b JOIN other USING (k)", true),
        ("SELECT id, username, initcap(status) AS status, changed_at FROM base", true),
    ]
    .into_iter()
    .enumerate()
    {
        database.execute("UPDATE base SET status = 'x', changed_at = NULL");
        let name = format!("shown_{number}");
        database.execute(&format!("CREATE VIEW {name} AS {query}"));
        if trigger {
            database.execute(&format!(
                "CREATE TRIGGER put INSTEAD OF UPDATE ON {name} FOR EACH ROW EXECUTE FUNCTION put()"
            ));
        }
        let ended = set_up.check(&[("DB_TABLE", &name), CHANGED_AT], &[]);
        assert_eq!(ended.code, Some(0), "{query}: {}", ended.stdout);
        assert!(ended.stdout.contains("ok   write: ") && !ended.stdout.contains("warn id"), "{}", ended.stdout);
        let daemon = set_up.stage.builder().set("DB_TABLE", name.as_str()).set("DB_CHANGED_AT_COLUMN", "changed_at");
        let daemon = daemon.start();
        wait_for(&format!("ana Offline through {query}"), Duration::from_secs(30), || {
            let written = database.value("SELECT status FROM base WHERE changed_at IS NOT NULL");
            (written.as_deref() == Some("Offline")).then_some(())
        });
        assert!(daemon.events("db_unavailable").is_empty() && daemon.events("write_refused").is_empty());
    }
}

#[test]
fn a_time_of_the_change_that_is_none_is_named() {
    let set_up = SetUp::new();
    let database = &set_up.stage.database;
    for kind in ["bigint", "date", "text", "time", "boolean"] {
        let name = format!("changed_{kind}");
        database.execute(&format!(
            "CREATE TABLE {name} (id int PRIMARY KEY, username text, status text, changed_at {kind})"
        ));
        set_up.fails(
            &[("DB_TABLE", &name), CHANGED_AT],
            &["columns: ", "\"changed_at\"", "DB_CHANGED_AT_COLUMN", kind, "timestamptz"],
        );
    }
}

#[test]
fn values_that_are_equal_in_the_column_are_named() {
    let set_up = SetUp::new();
    let database = &set_up.stage.database;
    database.execute(
        "CREATE EXTENSION citext;
         CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
    );
    for (number, (kind, online, offline)) in [
        ("citext", "LIVE", "live"),
        ("text COLLATE nocase", "LIVE", "live"),
        ("varchar(9) COLLATE nocase", "LIVE", "live"),
        ("numeric", "1", "01"),
        ("int", "1", "+1"),
        ("float8", "1", "1.0"),
        ("boolean", "true", "yes"),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("same_{number}");
        database.execute(&format!("CREATE TABLE {name} (id int PRIMARY KEY, username text, status {kind})"));
        let changes = [("DB_TABLE", name.as_str()), ("DB_ONLINE_VALUE", online), ("DB_OFFLINE_VALUE", offline)];
        set_up.fails(&changes, &["values: ", "are the same", "DB_ONLINE_VALUE", "DB_OFFLINE_VALUE", "\"status\""]);
        // The daemon says so too, and does not look well.
        let builder = changes.iter().fold(set_up.stage.builder(), |builder, (key, value)| builder.set(key, *value));
        let said = builder.start().wait_event("db_unavailable", Duration::from_secs(30));
        assert!(said.key("reason").contains("are the same in column"), "{kind}: {}", said.text);
    }
    // What differs in such a column may stand in it.
    database.execute("CREATE TABLE apart (id int PRIMARY KEY, username text, status citext)");
    let ended = set_up.check(&[("DB_TABLE", "apart")], &[]);
    assert!(ended.stdout.contains("ok   values: "), "{}", ended.stdout);
}

#[test]
fn an_id_that_does_not_tell_rows_apart_is_named() {
    let set_up = SetUp::new();
    let database = &set_up.stage.database;
    database.execute(
        "CREATE TABLE half (id int, platform text, username text, status text, PRIMARY KEY (id, platform));
         INSERT INTO half VALUES (1, 'kick', 'ana', NULL);
         CREATE TABLE twice (id int, username text, status text);
         INSERT INTO twice VALUES (1, 'ana', NULL), (1, 'ben', NULL), (2, 'ben', NULL)",
    );
    set_up.fails(&[("DB_TABLE", "half")], &["id: ", "DB_ID_COLUMN", "\"id\"", "only part of a key"]);
    set_up.fails(&[("DB_TABLE", "twice")], &["id: ", "DB_ID_COLUMN", "\"id\"", "1"]);
}

#[test]
fn a_channel_with_capitals_is_warned_of() {
    let set_up = SetUp::new();
    let ended = set_up.check(&[("ROSTER_NOTIFY_CHANNEL", "Kick_Roster")], &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
    let words = ["warn notifications: ", "Kick_Roster", "kick_roster", "NOTIFY \"Kick_Roster\""];
    let named = |line: &str| words.iter().all(|word| line.contains(word));
    assert!(ended.stdout.lines().any(named), "{}", ended.stdout);
}

#[test]
fn a_schema_that_the_role_may_not_use_is_named_with_its_grant() {
    let set_up = SetUp::new();
    let database = &set_up.stage.database;
    let role = format!("Clerk-{}", database.name());
    database.execute(&format!(
        "CREATE SCHEMA \"Shut Off\"; CREATE TABLE \"Shut Off\".them (id int PRIMARY KEY, username text, status text);
         CREATE ROLE \"{role}\" LOGIN PASSWORD 'p'; GRANT SELECT, UPDATE ON \"Shut Off\".them TO \"{role}\""
    ));
    let url = database.url_as(&role, "p");
    let changes = [("DATABASE_URL", url.as_str()), ("DB_TABLE", "\"Shut Off\".them")];
    let remedy = format!("GRANT USAGE ON SCHEMA \"Shut Off\" TO \"{role}\"");
    set_up.fails(&changes, &["privileges: ", &format!("in psql: {remedy};")]);
    database.execute(&remedy);
    let ended = set_up.check(&changes, &[]);
    assert!(ended.stdout.contains("ok   privileges: "), "the remedy helps: {}", ended.stdout);
}

#[test]
fn a_schema_of_the_search_path_that_the_role_may_not_use_is_named_too() {
    let set_up = SetUp::new();
    let database = &set_up.stage.database;
    let role = format!("clerk-{}", database.name());
    database.execute(&format!(
        "CREATE SCHEMA \"Shut Off\"; CREATE TABLE \"Shut Off\".\"Them\" (id int PRIMARY KEY, username text, status text);
         INSERT INTO \"Shut Off\".\"Them\" VALUES (1, 'ana', NULL);
         CREATE ROLE \"{role}\" LOGIN PASSWORD 'p'; GRANT SELECT, UPDATE ON \"Shut Off\".\"Them\" TO \"{role}\""
    ));
    let url = database.url_as(&role, "p");
    let changes = [("DATABASE_URL", url.as_str()), ("DB_TABLE", "\"Them\"")];
    let remedy = format!("GRANT USAGE ON SCHEMA \"Shut Off\" TO \"{role}\"");
    set_up.fails(&changes, &["privileges: ", "\"Shut Off\"", &format!("in psql: {remedy};")]);
    database.execute(&remedy);
    // The next thing is named: its search path does not have that schema.
    let setting = "DB_TABLE='\"Shut Off\".\"Them\"'";
    set_up.fails(&changes, &["table: ", setting]);
    let changes = [("DATABASE_URL", url.as_str()), ("DB_TABLE", "\"Shut Off\".\"Them\"")];
    let ended = set_up.check(&changes, &[]);
    assert!(ended.stdout.contains("ok   write: "), "the remedies help: {}", ended.stdout);
}

#[test]
fn a_column_that_the_filter_names_is_granted_too() {
    let set_up = SetUp::new();
    let database = &set_up.stage.database;
    let role = format!("filter_{}", database.name());
    database.execute(&format!(
        "ALTER TABLE streamers ADD \"Wanted\" bool DEFAULT true, ADD platform text DEFAULT 'kick';
         CREATE ROLE {role} LOGIN PASSWORD 'p'; GRANT SELECT (id, username, status), UPDATE (status) ON streamers TO {role}"
    ));
    let url = database.url_as(&role, "p");
    let filter = "\"Wanted\" AND lower(platform) = $$kick$$ AND length(username) < 100";
    let changes = [("DATABASE_URL", url.as_str()), ("DB_FILTER", filter)];
    for column in ["Wanted", "platform"] {
        let remedy = format!("GRANT SELECT (\"{column}\") ON \"streamers\" TO \"{role}\"");
        set_up.fails(&changes, &["privileges: ", &format!("in psql: {remedy};")]);
        database.execute(&remedy);
    }
    let ended = set_up.check(&changes, &[]);
    assert_eq!(ended.code, Some(0), "the remedies help: {}", ended.stdout);
}
