//! The database's weather: it is away, crashes, refuses, or is locked. Nothing is lost, the last word
//! wins, and what is wrong is said and heals by itself once it is put right.

use super::stage::{LAGGING, PATIENCE, Stage, changes, wait_change};
use kick_sim::{Face, Fault};
use lab::{Cluster, Daemon, Line, Shutdown, Signal};

/// A server that writes to the disk by its WAL writer alone, between checkpoints.
const FORGETFUL: &str = "autovacuum = off\nbgwriter_lru_maxpages = 0";

/// Watched and Offline.
fn watched(usernames: &[&str]) -> (Stage, Daemon) {
    let stage = Stage::with(usernames);
    let daemon = stage.watch(usernames);
    usernames.iter().for_each(|username| stage.wait_status(username, "Offline"));
    (stage, daemon)
}

/// The same in a cluster that the test may stop.
fn watched_on(cluster: &Cluster, usernames: &[&str]) -> (Stage, Daemon) {
    let stage = Stage::on(cluster).add(usernames);
    let daemon = stage.watch(usernames);
    usernames.iter().for_each(|username| stage.wait_status(username, "Offline"));
    (stage, daemon)
}

/// What was said of a database that cannot be used.
#[track_caller]
fn wait_reason(daemon: &Daemon, part: &str) -> Line {
    daemon.wait_line(PATIENCE, |line| line.event == "db_unavailable" && line.key("reason").contains(part))
}

// It is away.

#[test]
fn what_happens_while_the_database_is_away_is_written_when_it_is_back_but_not_what_is_over_by_then() {
    let cluster = Cluster::start();
    let (stage, daemon) = watched_on(&cluster, &["ana", "bob", "cyd"]);
    cluster.stop(Shutdown::Fast);
    stage.kick.go_live("bob");
    wait_reason(&daemon, "127.0.0.1");
    for _ in 0..3 {
        stage.kick.go_live("ana");
        stage.kick.stop("ana");
    }
    stage.kick.stop("bob");
    stage.kick.go_live("cyd");
    stage.kick.go_live("ana");
    // The events came on one connection: when the last of them has been written, all were seen.
    cluster.start_again();
    assert_eq!(wait_change(&daemon, "cyd", 2).key("status"), "Online");
    stage.wait_status("ana", "Online");
    daemon.wait_event("db_recovered", PATIENCE);
    assert_eq!(stage.written("ana"), ["Offline", "Online"]);
    assert_eq!(stage.written("cyd"), ["Offline", "Online"]);
    assert_eq!(stage.written("bob"), ["Offline"]);
    assert_eq!(daemon.events("realtime_disconnected").len(), 0);
}

#[test]
fn a_database_that_is_absent_at_the_start_is_waited_for() {
    let cluster = Cluster::start();
    let stage = Stage::on(&cluster).add(&["ana"]);
    cluster.stop(Shutdown::Fast);
    let daemon = stage.builder().start();
    let line = wait_reason(&daemon, "failed to connect");
    assert!(line.key("reason").contains(stage.database.name()), "{}", line.text);
    assert!(daemon.events("ready").is_empty());
    cluster.start_again();
    daemon.wait_event("ready", PATIENCE);
    stage.wait_status("ana", "Offline");
    daemon.wait_event("db_recovered", PATIENCE);
}

#[test]
fn connections_that_were_cut_are_made_anew_without_a_word() {
    let (stage, daemon) = watched(&["ana"]);
    // Established ones only: to cut one that is being made is to refuse it.
    let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
               WHERE application_name = 'kick-monitor' AND datname = current_database() AND state = 'idle'";
    for (n, status) in [(2, "Online"), (3, "Offline"), (4, "Online")] {
        assert_ne!(stage.database.value(cut).as_deref(), Some("0"));
        if status == "Online" {
            stage.kick.go_live("ana");
        } else {
            stage.kick.stop("ana");
        }
        assert_eq!(wait_change(&daemon, "ana", n).key("status"), status);
    }
    assert!(daemon.events("db_unavailable").is_empty());
    assert_eq!(stage.written("ana"), ["Offline", "Online", "Offline", "Online"]);
}

// It crashes, and undoes what it had confirmed (R15).

const THREE: [&str; 3] = ["ana", "bob", "cyd"];

/// Three who were found Online by the sweep, and written so by commits that a crash undoes. The API
/// says nothing any more, so that nobody but ourselves can put them right.
fn undoable(cluster: &Cluster, poll: &str) -> (Stage, Daemon) {
    let stage = Stage::on(cluster).add(&["ana", "bob", "cyd", "dan"]);
    let daemon = stage.start(stage.builder().set("ROSTER_POLL_SECS", poll).set("PUSH_HOLD_SECS", "0"));
    stage.wait_followed(&["ana", "bob", "cyd", "dan"]);
    wait_change(&daemon, "dan", 1);
    THREE.iter().for_each(|username| stage.wait_status(username, "Offline"));
    // What was written until now stays, and what follows is undone.
    stage.database.execute("CHECKPOINT");
    cluster.freeze_wal_writer();
    THREE.iter().for_each(|username| _ = stage.kick.go_live_silently(username));
    daemon.signal(Signal::USR1);
    for username in THREE {
        assert_eq!(wait_change(&daemon, username, 2).key("source"), "sweep");
    }
    stage.kick.fault(Face::API, Fault::status(503, "away"));
    (stage, daemon)
}

/// Each was written a second time, and not as Offline in between.
#[track_caller]
fn were_written_again(stage: &Stage, daemon: &Daemon) {
    for username in THREE {
        wait_change(daemon, username, 3);
        stage.wait_status(username, "Online");
        let said: Vec<Line> = changes(daemon, username);
        let said: Vec<&str> = said.iter().map(|line| line.key("status")).collect();
        assert_eq!(said, ["Offline", "Online", "Online"], "{username}");
    }
}

#[test]
fn what_a_crash_undid_is_written_again_by_who_saw_the_crash() {
    let cluster = Cluster::start_with(FORGETFUL, "", &[]);
    let (stage, daemon) = undoable(&cluster, "1");
    cluster.stop(Shutdown::Kill);
    wait_reason(&daemon, "127.0.0.1");
    cluster.start_again();
    were_written_again(&stage, &daemon);
}

#[test]
fn what_a_crash_undid_is_written_again_when_other_writes_wait_too() {
    let cluster = Cluster::start_with(FORGETFUL, "", &[]);
    let (stage, daemon) = undoable(&cluster, "1");
    cluster.stop(Shutdown::Kill);
    stage.kick.go_live("dan");
    wait_reason(&daemon, "127.0.0.1");
    cluster.start_again();
    were_written_again(&stage, &daemon);
    stage.wait_status("dan", "Online");
}

#[test]
fn what_a_crash_undid_between_two_reads_is_written_again() {
    let cluster = Cluster::start_with(FORGETFUL, "", &[]);
    let (stage, daemon) = undoable(&cluster, "3600");
    cluster.stop(Shutdown::Kill);
    cluster.start_again();
    assert_eq!(stage.status("ana").as_deref(), Some("Offline"), "the crash has undone it");
    daemon.signal(Signal::USR1);
    were_written_again(&stage, &daemon);
    assert!(daemon.events("db_unavailable").is_empty());
}

#[test]
fn what_a_crash_undid_is_written_again_at_the_next_write() {
    let cluster = Cluster::start_with(FORGETFUL, "", &[]);
    let (stage, daemon) = undoable(&cluster, "3600");
    cluster.stop(Shutdown::Kill);
    cluster.start_again();
    assert_eq!(stage.status("ana").as_deref(), Some("Offline"), "the crash has undone it");
    stage.kick.go_live("dan");
    were_written_again(&stage, &daemon);
    stage.wait_status("dan", "Online");
    assert!(daemon.events("db_unavailable").is_empty());
}

// A row is in the way.

#[test]
fn a_locked_row_delays_no_other() {
    let (stage, daemon) = watched(&["ana", "bob"]);
    let mut other = stage.database.client();
    let mut transaction = other.transaction().expect("a transaction begins");
    transaction.execute("SELECT FROM streamers WHERE username = 'ana' FOR UPDATE", &[]).expect("the row is locked");
    for username in ["ana", "bob"] {
        stage.kick.go_live(username);
    }
    assert_eq!(wait_change(&daemon, "bob", 2).key("status"), "Online");
    assert_eq!(stage.status("ana").as_deref(), Some("Offline"));
    transaction.commit().expect("the lock ends");
    assert_eq!(wait_change(&daemon, "ana", 2).key("status"), "Online");
    assert!(daemon.events("db_unavailable").is_empty());
}

#[test]
fn a_row_that_a_trigger_refuses_is_said_and_delays_no_other() {
    let (stage, daemon) = watched(&["ana", "bob"]);
    stage.database.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'ana is on holiday'; END $$;
         CREATE TRIGGER refuse BEFORE UPDATE ON streamers FOR EACH ROW WHEN (NEW.username = 'ana')
         EXECUTE FUNCTION refuse()",
    );
    for username in ["ana", "bob"] {
        stage.kick.go_live(username);
    }
    assert_eq!(wait_change(&daemon, "bob", 2).key("status"), "Online");
    let line = daemon.wait_event("write_refused", PATIENCE);
    assert_eq!((line.key("username"), line.key("id")), ("ana", "1"));
    assert!(line.key("reason").contains("ana is on holiday"), "{}", line.text);
    stage.database.execute("DROP TRIGGER refuse ON streamers");
    assert_eq!(wait_change(&daemon, "ana", 2).key("status"), "Online");
    assert_eq!(daemon.events("write_refused").len(), 1);
    assert!(daemon.events("db_unavailable").is_empty());
}

#[test]
fn a_hand_edit_is_asked_about_and_put_right() {
    let stage = Stage::with(&["ana", "bob"]);
    stage.kick.go_live("bob");
    let daemon = stage.watch(&["ana", "bob"]);
    stage.wait_status("ana", "Offline");
    stage.wait_status("bob", "Online");
    stage.database.execute("UPDATE streamers SET status = CASE username WHEN 'ana' THEN 'Online' ELSE 'Offline' END");
    stage.wait_status_within(LAGGING, "ana", "Offline");
    assert_eq!(wait_change(&daemon, "bob", 2).key("source"), "sweep");
    assert_eq!(wait_change(&daemon, "ana", 2).key("source"), "sweep");
    assert_eq!(stage.written("ana"), ["Offline", "Online", "Offline"]);
    assert_eq!(stage.written("bob"), ["Online", "Offline", "Online"]);
    // Nor does it matter whether the word is one that we know.
    stage.database.execute("UPDATE streamers SET status = NULL WHERE username = 'ana'");
    stage.wait_status("ana", "Offline");
    assert!(daemon.events("push_missed").is_empty());
}

// The table is not as configured.

/// Spoils the table, has a change come in, and puts the table right: what is wrong is said, and the
/// change is written.
#[track_caller]
fn is_said_and_heals(stage: &Stage, daemon: &Daemon, wrong: &str, said: &[&str], right: &str) {
    stage.database.execute(wrong);
    stage.kick.go_live("ana");
    let line = daemon.wait_event("db_unavailable", PATIENCE);
    for part in said {
        assert!(line.key("reason").contains(part), "{part} is not in {}", line.text);
    }
    assert_eq!(changes(daemon, "ana").len(), 1);
    stage.database.execute(right);
    assert_eq!(wait_change(daemon, "ana", 2).key("status"), "Online");
    daemon.wait_event("db_recovered", PATIENCE);
    assert_eq!(daemon.events("thread_restarted").len(), 0);
}

#[test]
fn a_table_that_is_gone_is_named_and_heals() {
    let (stage, daemon) = watched(&["ana"]);
    let (wrong, right) = ("ALTER TABLE streamers RENAME TO gone", "ALTER TABLE gone RENAME TO streamers");
    is_said_and_heals(&stage, &daemon, wrong, &["streamers", "DB_TABLE"], right);
}

#[test]
fn a_column_that_is_gone_is_named_and_heals() {
    let (stage, daemon) = watched(&["ana"]);
    // The trace, which speaks of the column, would be in the way.
    let wrong = "ALTER TABLE streamers DISABLE TRIGGER trace; ALTER TABLE streamers RENAME status TO state";
    let right = "ALTER TABLE streamers RENAME state TO status";
    is_said_and_heals(&stage, &daemon, wrong, &["status", "DB_STATUS_COLUMN"], right);
}

#[test]
fn a_privilege_that_is_missing_is_named_with_its_grant_and_heals() {
    let stage = Stage::with(&["ana"]);
    stage.database.execute(
        "CREATE ROLE clerk LOGIN PASSWORD 'clerk';
         GRANT SELECT, UPDATE ON streamers TO clerk; GRANT INSERT ON written TO clerk",
    );
    let daemon = stage.start(stage.builder().set("DATABASE_URL", stage.database.url_as("clerk", "clerk")));
    stage.wait_followed(&["ana"]);
    stage.wait_status("ana", "Offline");
    let wrong = "REVOKE UPDATE ON streamers FROM clerk";
    let said = ["42501", "GRANT SELECT", "UPDATE (\"status\")", "TO \"clerk\""];
    is_said_and_heals(&stage, &daemon, wrong, &said, "GRANT UPDATE (status) ON streamers TO clerk");
}

#[test]
fn a_read_only_database_is_said_and_heals() {
    let (stage, daemon) = watched(&["ana"]);
    let name = stage.database.name();
    let wrong = format!("ALTER DATABASE {name} SET default_transaction_read_only = on");
    stage.database.execute(&wrong);
    // It holds for new connections, so the old ones are ended.
    let wrong = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE application_name = 'kick-monitor' AND datname = current_database()";
    let right = format!("SET TRANSACTION READ WRITE; ALTER DATABASE {name} RESET default_transaction_read_only");
    is_said_and_heals(&stage, &daemon, wrong, &["read-only"], &right);
}
