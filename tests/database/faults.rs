//! What is wrong is said with the table, column or privilege at fault and the remedy, and heals
//! without a restart.

use super::{PATIENCE, config, fixture, open, refusal, shown, write};
use kick_monitor::domain::Status::{Offline, Online};
use kick_monitor::domain::row::WriteResult::{AlreadySo, Unavailable, Written};
use kick_monitor::domain::secret::Secret;
use kick_monitor::domain::shards::Scope;
use kick_monitor::gateway::database::{DbError, Misfit};
use kick_monitor::stop::Stop;
use lab::{Cluster, Shutdown};

const TABLE: &str = "CREATE TABLE streamers (id int PRIMARY KEY, username text, status text);
    INSERT INTO streamers VALUES (1, 'a', 'Offline'), (2, 'b', 'Offline')";

fn unavailable(results: &[kick_monitor::domain::row::WriteResult]) -> &str {
    match results {
        [Unavailable(reason), rest @ ..] => {
            assert!(rest.iter().all(|other| matches!(other, Unavailable(_))), "{results:?}");
            reason
        }
        other => panic!("available: {other:?}"),
    }
}

#[test]
fn a_missing_table_or_column_is_named_with_its_key() {
    let (_lab, mut config) = fixture(TABLE);
    config.status_column = "State".to_owned();
    assert_eq!(refusal(&config), "table \"streamers\" has no column \"State\" (DB_STATUS_COLUMN)");
    config.table = "\"streamer\"".to_owned();
    assert!(refusal(&config).starts_with("there is no table \"streamer\" (DB_TABLE"), "{}", refusal(&config));
    let error = open(&config).read_roster(&Scope::All, &Stop::never()).expect_err("there is no such table");
    assert!(matches!(error, DbError::Setup(Misfit::Table, _)));
}

#[test]
fn a_missing_privilege_is_said_with_the_grant() {
    let (lab, mut config) = fixture(TABLE);
    let role = format!("poor_{}", lab.name());
    lab.execute(&format!("CREATE ROLE {role} LOGIN PASSWORD 'p'"));
    config.url = Secret::new(lab.url_as(&role, "p"));
    let remedy = format!(
        "to allow it: GRANT SELECT (\"id\", \"username\", \"status\"), UPDATE (\"status\") ON \"streamers\" TO \"{role}\""
    );
    assert_eq!(refusal(&config), format!("42501: permission denied for table streamers; {remedy}"));
    lab.execute(&format!("GRANT SELECT (id, username, status) ON streamers TO {role}"));
    let database = open(&config);
    assert_eq!(shown(&database).len(), 2);
    let results = write(&database, &["1", "2"], Online);
    assert_eq!(unavailable(&results), format!("42501: permission denied for table streamers; {remedy}"));
    assert_eq!(database.inspect().expect("inspected").unwritable, ["status"]);
    lab.execute(&format!("GRANT UPDATE (status) ON streamers TO {role}"));
    assert_eq!(write(&database, &["1", "2"], Online), [Written, Written]);
}

#[test]
fn a_table_that_is_renamed_and_comes_back_heals() {
    let (lab, config) = fixture(TABLE);
    let database = open(&config);
    assert_eq!(shown(&database).len(), 2);
    lab.execute("ALTER TABLE streamers RENAME TO gone");
    assert!(database.read_roster(&Scope::All, &Stop::never()).is_err());
    assert!(unavailable(&write(&database, &["1"], Online)).starts_with("there is no table"));
    lab.execute("ALTER TABLE gone RENAME TO streamers");
    assert_eq!(write(&database, &["1"], Online), [Written]);
}

#[test]
fn a_column_that_gets_another_type_under_the_connection_is_no_matter() {
    let (lab, config) = fixture(TABLE);
    let database = open(&config);
    assert_eq!(write(&database, &["1"], Online), [Written]);
    lab.execute(
        "CREATE TYPE state AS ENUM ('Online', 'Offline');
         ALTER TABLE streamers ALTER status TYPE state USING status::state, ALTER id TYPE text",
    );
    assert_eq!(write(&database, &["1", "2"], Online), [AlreadySo, Written]);
    assert_eq!(shown(&database), ["1=Online", "2=Online"]);
}

#[test]
fn a_read_only_server_makes_all_unavailable_until_it_is_writable() {
    let (lab, config) = fixture(TABLE);
    let database = open(&config);
    lab.execute(&format!("ALTER DATABASE {} SET default_transaction_read_only = on", lab.name()));
    assert_eq!(shown(&database).len(), 2);
    let results = write(&database, &["1", "2"], Online);
    assert!(unavailable(&results).contains("25006: cannot execute"), "{results:?}");
    lab.execute(&format!(
        "BEGIN READ WRITE; ALTER DATABASE {} RESET default_transaction_read_only; COMMIT",
        lab.name()
    ));
    assert_eq!(write(&database, &["1", "2"], Online), [Written, Written]);
}

#[test]
fn no_message_holds_the_password() {
    let lab = Cluster::shared().database();
    let text = refusal(&config(&lab.url_as("postgres", "hunter2")));
    assert!(text.contains("28P01: password authentication failed for user \"postgres\""), "{text}");
    assert!(text.contains(lab.name()) && text.contains("127.0.0.1") && !text.contains("hunter2"), "{text}");
    let database = open(&config(&lab.url_as("postgres", "hunter2")));
    assert!(!format!("{database:?}").contains("hunter2"));
    let other = config(&lab.url().replace(lab.name(), "nowhere"));
    assert!(refusal(&other).contains("3D000: database \"nowhere\" does not exist"), "{}", refusal(&other));
}

#[test]
fn a_refused_connection_is_told_at_once_and_healed_when_the_server_is_back() {
    let cluster = Cluster::start();
    let lab = cluster.database();
    lab.execute(TABLE);
    let database = open(&config(&lab.url()));
    assert_eq!(write(&database, &["1"], Online), [Written]);
    for how in [Shutdown::Fast, Shutdown::Immediate, Shutdown::Kill] {
        cluster.stop(how);
        // Attempts that the pool began while the server was ending may meet anything: a reset, a hang-up,
        // a word of farewell. They are told at once, too, and the next one is refused.
        lab::wait_for("the refusal of a connection", PATIENCE, || {
            let results = write(&database, &["1", "2"], Online);
            let text = unavailable(&results);
            assert!(text.starts_with("failed to connect to database"), "{how:?}: {text}");
            text.contains("Connection refused").then_some(())
        });
        assert!(matches!(database.read_roster(&Scope::All, &Stop::never()), Err(DbError::Connection(..))));
        cluster.start_again();
        lab::wait_for("the roster to be read again", PATIENCE, || {
            database.read_roster(&Scope::All, &Stop::never()).ok()
        });
    }
}

#[test]
fn a_wait_for_a_tables_lock_is_cancelled() {
    let (lab, config) = fixture(TABLE);
    let database = open(&config);
    assert_eq!(shown(&database).len(), 2);
    let mut other = lab.client();
    let mut transaction = other.transaction().expect("a transaction");
    transaction.execute("LOCK TABLE streamers", &[]).expect("locked");
    let results = write(&database, &["1", "2"], Online);
    assert!(unavailable(&results).contains("57014"), "{results:?}");
    transaction.rollback().expect("rolled back");
    assert_eq!(write(&database, &["1", "2"], Online), [Written, Written]);
}

#[test]
fn a_connection_whose_statement_was_cancelled_is_not_used_again() {
    let (lab, config) = fixture(TABLE);
    let database = open(&config);
    assert_eq!(shown(&database).len(), 2);
    lab.execute(
        "CREATE TABLE writers (pid int);
         CREATE FUNCTION notes() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             INSERT INTO writers VALUES (pg_backend_pid()); RETURN new; END $$;
         CREATE TRIGGER notes BEFORE UPDATE ON streamers FOR EACH ROW EXECUTE FUNCTION notes()",
    );
    assert_eq!(write(&database, &["1"], Online), [Written]);
    assert_eq!(write(&database, &["2"], Online), [Written]);
    assert_eq!(lab.value("SELECT count(DISTINCT pid)::text FROM writers").as_deref(), Some("1"));
    let mut other = lab.client();
    let mut transaction = other.transaction().expect("a transaction");
    transaction.execute("LOCK TABLE streamers", &[]).expect("locked");
    let results = write(&database, &["1"], Offline);
    assert!(unavailable(&results).contains("57014"), "{results:?}");
    transaction.rollback().expect("rolled back");
    assert_eq!(write(&database, &["1"], Offline), [Written]);
    assert_eq!(lab.value("SELECT count(DISTINCT pid)::text FROM writers").as_deref(), Some("2"));
}

#[test]
fn a_cancellation_that_comes_too_late_hits_no_other_statement() {
    let cluster = Cluster::start();
    let lab = cluster.database();
    lab.execute(TABLE);
    // The first ends just after its limit of 10 s; the second runs when the server would cancel the first.
    lab.execute(
        "CREATE SEQUENCE runs;
         CREATE FUNCTION waits() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF new.id = 1 THEN PERFORM pg_sleep(10.7); ELSE PERFORM nextval('runs'), pg_sleep(4); END IF;
             RETURN new; END $$;
         CREATE TRIGGER waits BEFORE UPDATE ON streamers FOR EACH ROW EXECUTE FUNCTION waits()",
    );
    let database = open(&config(&lab.url()));
    assert_eq!(shown(&database).len(), 2);
    // A request to cancel is a connection of its own, and takes that long, too.
    lab.execute("ALTER SYSTEM SET pre_auth_delay = 3");
    lab.execute("SELECT pg_reload_conf()");
    assert_eq!(write(&database, &["1"], Online), [Written]);
    assert_eq!(write(&database, &["2"], Online), [Written]);
    assert_eq!(lab.value("SELECT last_value::text FROM runs").as_deref(), Some("1"), "the second was sent again");
}
