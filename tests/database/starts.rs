//! The start of the broadcast in the table, and in the notification (R26).

use super::{PATIENCE, fixture, open, wish, write_all};
use kick_monitor::config::{Coordination, DatabaseConfig};
use kick_monitor::domain::Status::{self, Offline, Online};
use kick_monitor::domain::row::Write;
use kick_monitor::domain::row::WriteResult::{self, AlreadySo, Gone, Locked, Refused, Written};
use kick_monitor::domain::secret::Secret;
use kick_monitor::domain::shards::Scope;
use kick_monitor::gateway::database::Database;
use kick_monitor::stop::Stop;
use lab::Cluster;
use postgres::Client;
use postgres::fallible_iterator::FallibleIterator;
use serde_json::Value;

/// Row 1 is Offline and has a start, row 2 is Online with one, row 3 Online without one.
const TABLE: &str = "CREATE TABLE streamers (id int PRIMARY KEY, username text, status text, started timestamptz);
    INSERT INTO streamers VALUES (1, 'a', 'Offline', '2026-11-20Z'), (2, 'b', 'Online', '2026-11-23T10:00:00Z'),
        (3, 'c', 'Online', NULL), (4, 'd', 'Offline', NULL)";

fn with_column(sql: &str) -> (lab::Database, DatabaseConfig) {
    let (lab, config) = fixture(sql);
    (lab, DatabaseConfig { started_at_column: Some("started".to_owned()), ..config })
}

/// A write of a status, and of the start that belongs to it.
fn turn(id: &str, status: Status, start: &str) -> Write {
    let started_at = (!start.is_empty()).then(|| format!("2026-11-23T{start}Z").parse().expect("a time"));
    Write { started_at, title: Some("Hello".into()), ..wish(id.parse().unwrap_or(9), id, status) }
}

/// A write of the start alone.
fn start(id: &str, start: &str) -> Write {
    Write { start_only: true, ..turn(id, Online, start) }
}

#[track_caller]
fn check(database: &Database, writes: &[Write], results: &[WriteResult]) {
    let mut came = write_all(database, writes.to_vec());
    came.sort_by_key(|(number, _)| *number);
    let came: Vec<WriteResult> = came.into_iter().map(|(_, result)| result).collect();
    assert_eq!(came, results, "{writes:?}");
}

fn started(lab: &lab::Database) -> String {
    let starts =
        "SELECT string_agg(coalesce((started::timestamptz AT TIME ZONE 'UTC')::time::text, '-'), ' ' ORDER BY id)";
    lab.value(&format!("{starts} FROM streamers")).expect("there are rows")
}

#[test]
fn online_sets_it_and_offline_leaves_it_alone() {
    let (lab, config) = with_column(TABLE);
    let database = open(&config);
    // By the statement of one row, and by that of many.
    check(&database, &[turn("1", Online, "11:00:00")], &[Written]);
    assert_eq!(started(&lab), "11:00:00 10:00:00 - -");
    check(&database, &[turn("2", Offline, "12:00:00"), turn("4", Online, "12:00:00")], &[Written, Written]);
    assert_eq!(started(&lab), "11:00:00 10:00:00 - 12:00:00");
    check(&database, &[turn("1", Offline, "")], &[Written]);
    assert_eq!(started(&lab), "11:00:00 10:00:00 - 12:00:00");
    // A start that is not known yet is not that of the broadcast before.
    check(&database, &[turn("1", Online, "")], &[Written]);
    check(&database, &[turn("2", Online, ""), turn("3", Online, "13:00:00")], &[Written, AlreadySo]);
    assert_eq!(started(&lab), "- - - 12:00:00");
}

#[test]
fn r26_a_later_one_alone_replaces_it_and_only_while_the_row_shows_online() {
    let (lab, config) = with_column(TABLE);
    let database = open(&config);
    let version = || lab.value("SELECT string_agg(xmin::text, ' ' ORDER BY id) FROM streamers");
    let before = version();
    let writes = [start("1", "11:00:00"), start("2", "10:00:04"), start("9", "10:00:00")];
    check(&database, &writes, &[AlreadySo, AlreadySo, Gone]);
    check(&database, &[start("2", "09:00:00")], &[AlreadySo]);
    assert_eq!(version(), before, "nothing is touched");
    let writes = [start("2", "10:00:05"), start("3", "09:00:00"), turn("4", Online, "08:00:00")];
    check(&database, &writes, &[Written, Written, Written]);
    assert_eq!(started(&lab), "00:00:00 10:00:05 09:00:00 08:00:00");
    check(&database, &[start("2", "10:00:05"), start("3", "09:00:04")], &[AlreadySo, AlreadySo]);
}

#[test]
fn a_locked_row_is_told_from_one_that_has_it() {
    let (lab, config) = with_column(TABLE);
    let database = open(&config);
    let mut other = lab.client();
    let mut transaction = other.transaction().expect("a transaction");
    transaction.execute("UPDATE streamers SET username = 'x' WHERE id = 2", &[]).expect("the row is locked");
    check(&database, &[start("2", "11:00:00"), start("3", "11:00:00")], &[Locked, Written]);
    check(&database, &[start("2", "10:00:00")], &[AlreadySo]);
    transaction.commit().expect("committed");
    check(&database, &[start("2", "11:00:00")], &[Written]);
}

#[test]
fn a_row_that_refuses_its_start_stands_alone() {
    let (lab, config) = with_column(TABLE);
    lab.execute("ALTER TABLE streamers ADD CHECK (id <> 2 OR started < '2026-11-23T11:00:00Z')");
    let database = open(&config);
    let writes = [turn("1", Online, "12:00:00"), start("2", "12:00:00"), start("3", "12:00:00")];
    // Its statement is another one than that of the status, which is committed.
    check(&database, &writes, &[Written, Locked, Locked]);
    let mut came = write_all(&database, writes[1..].to_vec());
    came.sort_by_key(|(number, _)| *number);
    let [(_, Refused(reason)), (_, Written)] = &came[..] else { panic!("{came:?}") };
    assert!(reason.starts_with("23514"), "{reason}");
    assert_eq!(started(&lab), "12:00:00 10:00:00 12:00:00 -");
}

#[test]
fn the_roster_has_it_whatever_the_type_and_the_zone() {
    for kind in ["timestamptz", "timestamp", "timestamp(0)", "moment", "moment_tz"] {
        let (lab, config) = with_column(&format!(
            "CREATE DOMAIN moment AS timestamp; CREATE DOMAIN moment_tz AS timestamptz;
             CREATE TABLE streamers (id int PRIMARY KEY, username text, status text, started {kind});
             INSERT INTO streamers VALUES (1, 'a', 'Offline', NULL), (2, 'b', 'Online', 'infinity'), (3, 'c', 'Online', NULL)"
        ));
        lab.execute(&format!("ALTER DATABASE {} SET timezone = 'Asia/Tokyo'", lab.name()));
        let database = open(&config);
        check(&database, &[turn("1", Online, "11:00:00")], &[Written]);
        check(&database, &[start("2", "11:00:00"), start("3", "12:00:00")], &[AlreadySo, Written]);
        check(&database, &[start("1", "11:00:03"), start("3", "13:00:00")], &[AlreadySo, Written]);
        let mut rows = database.read_roster(&Scope::All, &Stop::never()).expect("it is read");
        rows.sort_by(|a, b| a.id.cmp(&b.id));
        let starts: Vec<_> = rows.iter().map(|row| row.started_at.map(|at| at.to_string())).collect();
        let wanted = [Some("2026-11-23T11:00:00Z".to_owned()), None, Some("2026-11-23T13:00:00Z".to_owned())];
        assert_eq!(starts, wanted, "{kind}");
        database.plan_writes(Some(&rows[0].id)).expect("it can be planned");
    }
    let (_lab, config) = with_column("CREATE TABLE streamers (id int, username text, status text, started date)");
    let error = open(&config).inspect().expect_err("a date is no time").to_string();
    assert!(error.contains("column \"started\" (DB_STARTED_AT_COLUMN)") && error.contains("type date"), "{error}");
}

/// The notifications that came, without those of other databases.
fn told(listener: &mut Client, count: usize) -> Vec<Value> {
    let mut notifications = listener.notifications();
    let mut seen = notifications.timeout_iter(PATIENCE);
    let next = |_| {
        let payload = seen.next().expect("connected").expect("a notification").payload().to_owned();
        serde_json::from_str(&payload).expect("it is JSON")
    };
    (0..count).map(next).collect()
}

#[test]
fn r26_another_broadcast_is_notified_and_what_was_unknown_is_not() {
    for column in [true, false] {
        let (lab, config) = with_column(TABLE);
        let config = DatabaseConfig {
            started_at_column: config.started_at_column.filter(|_| column),
            notify_channel: Some("changes".to_owned()),
            ..config
        };
        let database = open(&config);
        let mut listener = lab.client();
        listener.batch_execute("LISTEN changes").expect("listening");
        check(&database, &[turn("1", Online, "")], &[Written]);
        check(&database, &[start("2", "11:00:00")], &[Written]);
        if column {
            // It fills what was empty.
            check(&database, &[start("3", "11:00:00")], &[Written]);
        }
        check(&database, &[start("4", "11:00:00")], &[AlreadySo]);
        check(&database, &[turn("2", Offline, "11:00:00"), turn("4", Online, "12:00:00")], &[Written, Written]);
        let told = told(&mut listener, 4);
        let said = |payload: &Value| {
            let [id, status, start, title] = ["id", "status", "started_at", "title"].map(|key| &payload[key]);
            format!("{id} {status} {start} {title}")
        };
        let mut said: Vec<String> = told.iter().map(said).collect();
        said[2..].sort();
        let wanted = [
            r#"1 "Online" null "Hello""#,
            r#"2 "Online" "2026-11-23T11:00:00.000000Z" "Hello""#,
            r#"2 "Offline" null "Hello""#,
            r#"4 "Online" "2026-11-23T12:00:00.000000Z" "Hello""#,
        ];
        assert_eq!(said, wanted, "column: {column}");
    }
}

#[test]
fn a_title_of_any_characters_is_told_in_any_encoding() {
    let title = format!("\u{1f600} caf\u{e9} \u{7}\"{}", "\u{65e5}".repeat(300));
    for (encoding, start) in [
        ("UTF8", "\u{1f600} caf\u{e9} \\u0007\""),
        ("LATIN1", "? caf? \\u0007\""),
        ("SQL_ASCII", "\u{1f600} caf\u{e9} \\u0007\""),
    ] {
        let lab = Cluster::shared().database_in(encoding);
        lab.execute(TABLE);
        let config = DatabaseConfig { notify_channel: Some("changes".to_owned()), ..super::config(&lab.url()) };
        let database = open(&config);
        let mut listener = lab.client();
        listener.batch_execute("LISTEN changes").expect("listening");
        let titled = |write: Write| Write { title: Some(title.as_str().into()), ..write };
        check(&database, &[titled(turn("1", Online, ""))], &[Written]);
        check(&database, &[titled(turn("2", Offline, "")), titled(turn("4", Online, ""))], &[Written, Written]);
        for payload in told(&mut listener, 3) {
            let told = payload["title"].as_str().expect("a title");
            assert!(told.starts_with(start) && told.chars().count() <= 205, "{encoding}: {told}");
        }
    }
}

#[test]
fn the_columns_grants_are_enough() {
    let (lab, config) = with_column(TABLE);
    let role = format!("starts_{}", lab.name());
    lab.execute(&format!(
        "ALTER TABLE streamers ADD changed timestamptz; CREATE ROLE {role} LOGIN PASSWORD 'p';
         GRANT SELECT (id, username, status, started), UPDATE (status, changed, started) ON streamers TO {role}"
    ));
    let config = DatabaseConfig {
        url: Secret::new(lab.url_as(&role, "p")),
        changed_at_column: Some("changed".to_owned()),
        notify_channel: Some("changes".to_owned()),
        ..config
    };
    let database = open(&config);
    check(&database, &[turn("1", Online, "11:00:00")], &[Written]);
    check(&database, &[start("2", "11:00:00"), turn("4", Online, "11:00:00")], &[Written, Written]);
    check(&database, &[start("2", "11:00:00"), start("3", "11:00:00")], &[AlreadySo, Written]);
    let inspection = database.inspect().expect("inspected");
    assert!(inspection.unreadable.is_empty() && inspection.unwritable.is_empty(), "{inspection:?}");
    // With a lease (R25), and for those who listen alone, the statements are others.
    for (coordination, column) in [(Coordination::Auto, true), (Coordination::Auto, false), (Coordination::Off, false)]
    {
        let started_at_column = config.started_at_column.clone().filter(|_| column);
        let config = DatabaseConfig { coordination, started_at_column, ..config.clone() };
        open(&config).plan_writes(None).expect("it can be planned");
    }
    let changed = lab.value("SELECT string_agg(id::text, ' ' ORDER BY id) FROM streamers WHERE changed IS NOT NULL");
    assert_eq!(changed.as_deref(), Some("1 4"), "the start alone is no change of the status");
}
