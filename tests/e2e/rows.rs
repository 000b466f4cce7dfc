//! What a single row holds (bytes that are no text, 100 MB, control characters, an id that it shares) harms that
//! row alone, and nothing of it reaches an operator's terminal raw.

use super::scratch::finish;
use super::stage::{PATIENCE, Stage, wait_change};
use kick_sim::Kick;
use lab::{Cluster, Daemon, Database, wait_for};
use postgres::fallible_iterator::FallibleIterator;
use std::collections::BTreeSet;
use std::fs;

/// A Kick that knows ana, and this database with a table that holds her as row 1 and, besides, `rows`.
fn stage(database: Database, rows: &str) -> Stage {
    database.execute(
        "CREATE TABLE streamers (id text PRIMARY KEY, username text, status text, kick_channel text, kick_user text);
         INSERT INTO streamers VALUES ('1', 'ana', 'Offline')",
    );
    database.execute(rows);
    let kick = Kick::start();
    kick.add("ana");
    Stage { kick, database }
}

/// The ids of the rows that were said to be unusable, each once.
#[track_caller]
fn wait_unusable(daemon: &Daemon, count: usize) -> BTreeSet<String> {
    wait_for("the unusable rows to be said", PATIENCE, || {
        let said = daemon.events("streamer_unusable");
        (said.len() >= count).then(|| {
            assert_eq!(said.len(), count, "each is said once: {said:?}");
            said.iter().map(|line| line.key("id").to_owned()).collect()
        })
    })
}

/// Ana goes live and stops, whatever the other rows are, and the daemon has nothing against the database.
#[track_caller]
fn ana_is_kept_right(stage: &Stage, daemon: &Daemon) {
    stage.wait_followed(&["ana"]);
    stage.kick.go_live("ana");
    wait_row(stage, "1", "Online");
    stage.kick.stop("ana");
    wait_row(stage, "1", "Offline");
    assert_eq!(daemon.events("db_unavailable"), [], "the database is well");
    assert_eq!(daemon.events("write_refused"), [], "no row is refused");
}

#[track_caller]
fn wait_row(stage: &Stage, id: &str, status: &str) {
    let query = format!("SELECT status FROM streamers WHERE id = '{id}'");
    wait_for(&format!("row {id} to be {status}"), PATIENCE, || {
        (stage.database.value(&query).as_deref() == Some(status)).then_some(())
    });
}

#[test]
fn bytes_that_are_no_text_make_their_row_alone_unusable() {
    let cluster = Cluster::shared();
    for (encoding, rows) in [
        (
            "SQL_ASCII",
            // In the name, where no name can be any more, in the id, and where a number should be.
            r"INSERT INTO streamers VALUES ('7', 'ana', 'Offline', E'6\351', E'\377');
              INSERT INTO streamers VALUES ('2', E'caf\351', 'x'), ('3', E'https://kick.com/ana?x=\351', 'x'),
                  (E'4\351', 'ana', 'x'), ('5', E'a\\b', 'x'), ('6', E'\303\251', 'x')",
        ),
        (
            "WIN1252",
            "INSERT INTO streamers VALUES ('7', 'ana', 'Offline', '6' || chr(129), chr(143));
             INSERT INTO streamers VALUES ('2', 'x' || chr(129), 'x'),
                 ('3', 'https://kick.com/ana?x=' || chr(141), 'x'), ('4' || chr(144), 'ana', 'x'),
                 ('5', 'x' || chr(157) || chr(233), 'x'), ('6', chr(233), 'x')",
        ),
    ] {
        let stage = stage(cluster.database_in(encoding), rows);
        // What can be decoded is not at fault for its neighbours: an id and an address beyond ASCII.
        stage.database.execute(if encoding == "WIN1252" {
            "INSERT INTO streamers VALUES ('8' || chr(233), 'https://kick.com/ana?x=' || chr(128), 'Offline')"
        } else {
            r"INSERT INTO streamers VALUES (E'8\303\251', E'https://kick.com/ana?x=\342\202\254', 'Offline')"
        });
        let builder = stage.builder().set("DB_NOTIFY_CHANNEL", "changes");
        let builder = builder.set("DB_CHANNEL_ID_COLUMN", "kick_channel").set("DB_USER_ID_COLUMN", "kick_user");
        let daemon = stage.start(builder);
        let ids = wait_unusable(&daemon, 5);
        let bytes: Vec<&String> = ids.iter().filter(|id| id.starts_with('4')).collect();
        assert_eq!((ids.len(), bytes.len()), (5, 1), "{encoding}: {ids:?}");
        assert!(["2", "3", "5", "6"].iter().all(|id| ids.contains(*id)), "{encoding}: {ids:?}");
        ana_is_kept_right(&stage, &daemon);
        wait_row(&stage, "7", "Offline");
        let right = "SELECT count(*) FROM streamers WHERE status = 'Offline'";
        wait_for("every usable row to be right", PATIENCE, || {
            (stage.database.value(right).as_deref() == Some("3")).then_some(())
        });
        let untouched = "SELECT count(*) FROM streamers WHERE status = 'x'";
        assert_eq!(stage.database.value(untouched).as_deref(), Some("5"), "{encoding}");
        let checked = finish(&mut daemon.command("check"));
        assert!(checked.stdout.contains("warn usernames: 5 rows"), "{encoding}: {}", checked.stdout);
    }
}

#[test]
fn bytes_that_a_changed_encoding_left_behind_make_their_row_alone_unusable() {
    let cluster = Cluster::start();
    let database = cluster.database_in("SQL_ASCII");
    let stage = stage(database, r"INSERT INTO streamers VALUES ('2', E'caf\351', 'x'), ('3', E'\351\351bb', 'x')");
    // As administrators do it who are told that this makes a database UTF-8.
    stage.database.execute(
        "UPDATE pg_catalog.pg_database SET encoding = pg_char_to_encoding('UTF8') WHERE datname = current_database()",
    );
    let daemon = stage.start(stage.builder());
    assert_eq!(wait_unusable(&daemon, 2), ["2", "3"].map(str::to_owned).into());
    ana_is_kept_right(&stage, &daemon);
}

#[test]
fn a_hundred_megabytes_in_a_row_cost_no_memory_and_make_it_unusable() {
    let stage = stage(
        Cluster::shared().database(),
        "ALTER TABLE streamers DROP CONSTRAINT streamers_pkey;
         INSERT INTO streamers VALUES ('5', 'ana', 'Offline', repeat('6', 100000000), repeat(' ', 100000000));
         INSERT INTO streamers VALUES ('2', repeat('a', 100000000), 'x'), (repeat('c', 100000000), 'ana', 'x'),
             ('3', 'https://kick.com/ana?' || repeat('b', 100000000), 'x'),
             ('6', 'ana' || repeat(' ', 5000) || 'x', 'x')",
    );
    let builder = stage.builder().set("DB_CHANNEL_ID_COLUMN", "kick_channel").set("DB_USER_ID_COLUMN", "kick_user");
    let daemon = stage.start(builder);
    let ids = wait_unusable(&daemon, 4);
    assert!(["2", "3", "6"].iter().all(|id| ids.contains(*id)), "{ids:?}");
    ana_is_kept_right(&stage, &daemon);
    wait_row(&stage, "5", "Offline");
    let peak = fs::read_to_string(format!("/proc/{}/status", daemon.pid())).expect("the daemon runs");
    let peak = peak.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its peak is told");
    let kilobytes: u64 = peak.trim().trim_end_matches(" kB").parse().expect("a number");
    assert!(kilobytes < 100_000, "{kilobytes} kB at its peak");
    assert_eq!(stage.database.value("SELECT count(*) FROM streamers WHERE status = 'x'").as_deref(), Some("4"));
}

/// A `check` and every form of `status` have been looked at, and the log.
#[track_caller]
fn nothing_raw_is_shown(daemon: &Daemon) {
    let raw = |c: char| c.is_control() && c != '\n' || ('\u{200e}'..='\u{202e}').contains(&c) || c == '\u{2066}';
    let shown = |what: &str, text: &str| {
        assert!(!text.contains(raw), "{what} shows a control character: {text:?}");
        let longest = text.split(['"', ' ']).map(str::len).max().unwrap_or_default();
        assert!(longest < 2000, "{what} shows {longest} bytes in one piece");
    };
    for options in [&["--json"][..], &[], &["--prometheus"], &["ana"], &["--json", "ana"]] {
        let ended = finish(daemon.command("status").args(options));
        shown(&format!("status {options:?}"), &ended.stdout);
    }
    shown("check", &finish(&mut daemon.command("check")).stdout);
    for line in daemon.lines_from(0) {
        shown("the log", &line.text);
    }
}

#[test]
fn control_characters_and_long_texts_are_escaped_and_cut_wherever_they_are_shown() {
    let stage = stage(
        Cluster::shared().database(),
        r"INSERT INTO streamers VALUES (E'2\u009b\u202e', E'https://kick.com/ana?\u009b31m\u202e\u2066', 'Offline'),
              ('3', E'no\u009b31m\u202ename\u2066', 'x'), (E'4\u001b[2J', '', 'x')",
    );
    // An address whose query is longer than a notification may be.
    stage.database.execute("INSERT INTO streamers VALUES ('5', 'https://kick.com/ana?' || repeat('é\u{9b}', 4500))");
    let mut listener = stage.database.client();
    listener.batch_execute("LISTEN changes").expect("it listens");
    let daemon = stage.start(stage.builder().set("DB_NOTIFY_CHANNEL", "changes"));
    wait_unusable(&daemon, 2);
    stage.wait_followed(&["ana"]);
    stage.kick.go_live("ana");
    for id in ["1", "5"] {
        wait_row(&stage, id, "Online");
    }
    let online = "SELECT count(*) FROM streamers WHERE status = 'Online'";
    wait_for("all three rows", PATIENCE, || (stage.database.value(online).as_deref() == Some("3")).then_some(()));
    wait_change(&daemon, "ana", 1);
    let told = daemon.wait_line(PATIENCE, |line| line.event == "status_changed" && line.key("id") == "5");
    assert!(told.text.len() < 2000, "{}", told.text);
    // Everything that there is to tell has been written down.
    wait_for("the status of row 5", PATIENCE, || {
        let ended = finish(daemon.command("status").args(["--json", "ana"]));
        (ended.stdout.matches("\"status\":\"Online\"").count() >= 3).then_some(())
    });
    nothing_raw_is_shown(&daemon);
    let mut names = Vec::new();
    let mut notifications = listener.notifications();
    let mut next = notifications.timeout_iter(PATIENCE);
    while names.len() < 3 {
        let notification = next.next().expect("it listens").expect("a notification comes");
        let told: serde_json::Value = serde_json::from_str(notification.payload()).expect("it is JSON");
        if told["status"] == "Online" {
            names.push(told["username"].as_str().expect("a username").to_owned());
        }
    }
    for name in &names {
        assert!(name.chars().count() <= 200 * 6 && !name.contains(['\u{9b}', '\u{202e}']), "{name:?}");
    }
    let long = names.iter().find(|name| name.starts_with("https://kick.com/ana?é")).expect("row 5 is told");
    assert!(long.chars().filter(|c| *c == 'é').count() <= 100, "{long}");
}

#[test]
fn rows_that_share_an_id_are_left_alone_and_said_once() {
    let stage = stage(
        Cluster::shared().database(),
        "ALTER TABLE streamers DROP CONSTRAINT streamers_pkey, ADD COLUMN platform text DEFAULT 'kick';
         INSERT INTO streamers VALUES ('2', 'ana', 'x'), ('2', 'bea', 'y'), ('3', 'bea', NULL)",
    );
    stage.kick.add("bea");
    let daemon = stage.start(stage.builder());
    assert_eq!(wait_unusable(&daemon, 1), ["2".to_owned()].into());
    stage.kick.go_live("bea");
    wait_row(&stage, "3", "Online");
    ana_is_kept_right(&stage, &daemon);
    // Several reads later.
    let position = daemon.position();
    stage.database.execute("INSERT INTO streamers VALUES ('4', 'ana', NULL)");
    daemon.wait_line_from(position, PATIENCE, |line| line.event == "roster_loaded");
    wait_unusable(&daemon, 1);
    let kept = "SELECT string_agg(status, ' ' ORDER BY username) FROM streamers WHERE id = '2'";
    assert_eq!(stage.database.value(kept).as_deref(), Some("x y"), "they are never written");
    let screen = finish(&mut daemon.command("status")).stdout;
    assert!(screen.contains("2 rows unusable"), "{screen}");
    // Once the ids differ, both are followed.
    stage.database.execute("UPDATE streamers SET id = '5' WHERE id = '2' AND username = 'bea'");
    wait_row(&stage, "5", "Online");
    wait_row(&stage, "2", "Offline");
}
