//! The columns may be of any type, and be called anything.

use super::{fixture, open, refusal, shown, write};
use kick_monitor::config::DatabaseConfig;
use kick_monitor::domain::Status::{Offline, Online};
use kick_monitor::domain::row::WriteResult::{AlreadySo, Gone, Written};
use kick_monitor::domain::shards::Scope;
use kick_monitor::domain::{ChannelId, UserId};
use kick_monitor::stop::Stop;

/// Three rows, `ids` in order, that show online, offline and NULL; every result is met once.
fn check(prepare: &str, id_type: &str, status_type: &str, ids: [&str; 4], values: [&str; 2]) {
    let [a, b, c, missing] = ids;
    let [qa, qb, qc] = [a, b, c].map(|id| id.replace('\'', "''"));
    let [online, offline] = values;
    let (lab, mut config) = fixture(&format!(
        "{prepare}; CREATE TABLE streamers (id {id_type} PRIMARY KEY, username text, status {status_type});
         INSERT INTO streamers VALUES ('{qa}', 'a', '{online}'), ('{qb}', 'b', '{offline}'), ('{qc}', 'c', NULL)"
    ));
    config.online_value = online.to_owned();
    config.offline_value = offline.to_owned();
    let database = open(&config);
    let what = format!("id {id_type}, status {status_type}");
    assert_eq!(shown(&database), [format!("{a}=Online"), format!("{b}=Offline"), format!("{c}=?")], "{what}");
    assert_eq!(write(&database, &[a, b, c, missing], Online), [AlreadySo, Written, Written, Gone], "{what}");
    assert_eq!(write(&database, &[a], Offline), [Written], "{what}");
    assert_eq!(shown(&database), [format!("{a}=Offline"), format!("{b}=Online"), format!("{c}=Online")], "{what}");
    assert_eq!(lab.value("SELECT count(*) FROM streamers").as_deref(), Some("3"));
}

#[test]
fn an_id_may_be_of_any_type() {
    let words = ["Online", "Offline"];
    check("", "bigint", "text", ["1", "2", "3", "4"], words);
    check("", "smallint", "text", ["1", "2", "3", "4"], words);
    check("", "text", "text", ["a'b", "b\"\\", "ü ", "{,}"], words);
    check("", "char(4)", "text", ["ab", "cd", "efgh", "x"], words);
    check("CREATE DOMAIN number AS bigint CHECK (VALUE > 0)", "number", "text", ["1", "2", "3", "4"], words);
    let uuid = |n: u8| format!("5d1f6a3e-0000-4000-8000-00000000000{n}");
    check("", "uuid", "text", [&uuid(1), &uuid(2), &uuid(3), &uuid(4)], words);
}

#[test]
fn a_status_may_be_of_many_types() {
    let ids = ["1", "2", "3", "4"];
    let words = ["Online", "Offline"];
    check("", "int", "varchar(7)", ids, words);
    check("", "int", "char(10)", ids, words);
    check("CREATE TYPE \"Live?\" AS ENUM ('Offline', 'Online')", "int", "\"Live?\"", ids, words);
    check("", "int", "boolean", ids, ["true", "false"]);
    check("", "int", "boolean", ids, ["yes", "no"]);
    check("", "int", "smallint", ids, ["1", "0"]);
    check("", "int", "integer", ids, ["1", "-1"]);
    check("CREATE DOMAIN state AS text CHECK (VALUE IN ('Online', 'Offline'))", "int", "state", ids, words);
    check("CREATE DOMAIN inner_state AS varchar(7); CREATE DOMAIN state AS inner_state", "int", "state", ids, words);
    check(
        "CREATE SCHEMA x; CREATE TYPE x.s AS ENUM ('Online', 'Offline'); CREATE DOMAIN state AS x.s",
        "int",
        "state",
        ids,
        words,
    );
}

#[test]
fn a_value_that_does_not_fit_is_said_with_column_and_type() {
    let check = |status_type: &str, online: &str, offline: &str| {
        let (_lab, mut config) = fixture(&format!(
            "CREATE TYPE state AS ENUM ('Offline', 'On'); CREATE DOMAIN small AS varchar(3);
             CREATE DOMAIN known AS text CHECK (VALUE IN ('live', 'Offline'));
             CREATE TABLE streamers (id int PRIMARY KEY, username text, status {status_type})"
        ));
        config.online_value = online.to_owned();
        config.offline_value = offline.to_owned();
        refusal(&config)
    };
    for (status_type, name) in [
        ("varchar(3)", "character varying(3)"),
        ("char(3)", "character(3)"),
        ("state", "state"),
        ("boolean", "boolean"),
        ("integer", "integer"),
        ("known", "known"),
        ("small", "small"),
    ] {
        let text = check(status_type, "Online", "Offline");
        let start = format!(
            "the value \"Online\" (DB_ONLINE_VALUE) does not fit column \"status\" of table \"streamers\", which is of \
             type {name}: "
        );
        assert!(text.starts_with(&start), "{status_type}: {text}");
    }
    assert!(check("state", "On", "Off").starts_with("the value \"Off\" (DB_OFFLINE_VALUE) does not fit"));
    assert!(check("boolean", "true", "yes").contains("are the same in column \"status\""));
}

#[test]
fn names_may_hold_any_character() {
    let (lab, config) = fixture(
        r#"CREATE SCHEMA "Live ""Stuff""";
           CREATE TABLE "Live ""Stuff"""."Kick.Users; DROP" ("Nº" bigint PRIMARY KEY, "user name" text, "sta""tus" text,
               "select" text, "Ü'id" bigint, "changed at" timestamptz);
           INSERT INTO "Live ""Stuff"""."Kick.Users; DROP" VALUES (1, 'a', 'x', ' 77 ', NULL), (2, NULL, 'Online', 'n/a', 88),
               (3, '', NULL, '99999999999999999999', 7)"#,
    );
    let config = DatabaseConfig {
        table: r#""Live ""Stuff"""."Kick.Users; DROP""#.to_owned(),
        id_column: "Nº".to_owned(),
        username_column: "user name".to_owned(),
        status_column: "sta\"tus".to_owned(),
        channel_id_column: Some("select".to_owned()),
        user_id_column: Some("Ü'id".to_owned()),
        changed_at_column: Some("changed at".to_owned()),
        ..config
    };
    let database = open(&config);
    let mut rows = database.read_roster(&Scope::All, &Stop::never()).expect("the roster is read");
    rows.sort_by(|a, b| a.id.cmp(&b.id));
    let ids: Vec<_> = rows.iter().map(|row| (&*row.username, row.channel, row.user)).collect();
    assert_eq!(
        ids,
        [("a", Some(ChannelId(77)), None), ("", None, Some(UserId(88))), ("", None, Some(UserId(7)))],
        "what is no number is no id"
    );
    assert_eq!(write(&database, &["1", "2"], Online), [Written, AlreadySo]);
    let written = lab.value(
        r#"SELECT string_agg(("changed at" AT TIME ZONE 'UTC')::text, ',') FROM "Live ""Stuff"""."Kick.Users; DROP""#,
    );
    assert_eq!(written.as_deref(), Some("2026-11-23 12:34:56.123456"), "only the row that changed");
}

#[test]
fn a_time_without_a_zone_is_written_in_utc_whatever_the_zone_of_the_session() {
    for kind in ["timestamp", "timestamp(0)", "timestamptz", "moment"] {
        let (lab, mut config) = fixture(&format!(
            "CREATE DOMAIN moment AS timestamp; CREATE TABLE streamers (id int PRIMARY KEY, username text, status text, changed {kind});
             INSERT INTO streamers VALUES (1, 'a', NULL, NULL), (2, 'b', NULL, NULL), (3, 'c', NULL, NULL)"
        ));
        lab.execute(&format!("ALTER DATABASE {} SET timezone = 'Asia/Tokyo'", lab.name()));
        config.changed_at_column = Some("changed".to_owned());
        let database = open(&config);
        // By the statement of one row, and by that of many.
        assert_eq!(write(&database, &["1"], Online), [Written]);
        assert_eq!(write(&database, &["2", "3"], Online), [Written, Written]);
        let zone = if kind == "timestamptz" { " AT TIME ZONE 'UTC'" } else { "" };
        let written = lab.value(&format!(
            "SELECT string_agg(DISTINCT to_char(changed{zone}, 'YYYY-MM-DD HH24:MI:SS'), ',') FROM streamers"
        ));
        assert_eq!(written.as_deref(), Some("2026-11-23 12:34:56"), "{kind}");
    }
}

#[test]
fn a_filter_limits_what_is_read() {
    let (_lab, mut config) = fixture(
        "CREATE TABLE streamers (id int PRIMARY KEY, username text, status text, enabled boolean, platform text);
         INSERT INTO streamers VALUES (1, 'a', 'Online', true, 'kick'), (2, 'b', 'Online', false, 'kick'),
             (3, 'c', 'Online', true, 'other'), (4, 'd', 'x', false, 'mine')",
    );
    for (filter, expected) in [
        ("enabled AND platform = 'kick'", vec!["1=Online"]),
        ("enabled OR platform = 'mine' -- the rest is not ours", vec!["1=Online", "3=Online", "4=?"]),
        ("EXISTS (SELECT FROM streamers AS s WHERE s.id = streamers.id + 1)", vec!["1=Online", "2=Online", "3=Online"]),
    ] {
        config.filter = Some(filter.to_owned());
        assert_eq!(shown(&open(&config)), expected, "{filter}");
    }
    for (filter, reason) in [
        ("enabledd", "DB_FILTER (enabledd): 42703: column \"enabledd\" does not exist"),
        ("enabled AND", "DB_FILTER (enabled AND): 42601: syntax error"),
        ("1/(id-1) > 0", "DB_FILTER (1/(id-1) > 0): 22012: division by zero"),
        ("true); DELETE FROM streamers; SELECT (1", "DB_FILTER (true); DELETE"),
    ] {
        config.filter = Some(filter.to_owned());
        let text = refusal(&config);
        assert!(text.starts_with(reason), "{filter}: {text}");
    }
}

#[test]
fn a_simple_view_and_a_partitioned_table_will_do() {
    for table in [
        "CREATE TABLE base (id int PRIMARY KEY, username text, status text, mine boolean);
         CREATE VIEW streamers AS SELECT id, username, status FROM base WHERE mine;
         INSERT INTO base VALUES (1, 'a', NULL, true), (2, 'b', NULL, false)",
        "CREATE TABLE streamers (id int PRIMARY KEY, username text, status text) PARTITION BY RANGE (id);
         CREATE TABLE low PARTITION OF streamers FOR VALUES FROM (0) TO (100);
         INSERT INTO streamers VALUES (1, 'a', NULL)",
    ] {
        let (_lab, config) = fixture(table);
        let database = open(&config);
        assert_eq!(write(&database, &["1", "2"], Offline), [Written, Gone]);
        assert_eq!(shown(&database), ["1=Offline"]);
    }
}
