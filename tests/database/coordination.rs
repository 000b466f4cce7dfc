//! The session by which instances share a table (R25): its locks, when the server lets go of them, and what a lease is
//! worth.

use super::{PATIENCE, fixture, open, wish};
use kick_monitor::clock::Clock;
use kick_monitor::config::{Coordination, DatabaseConfig};
use kick_monitor::domain::Status::Online;
use kick_monitor::domain::row::WriteResult::{self, Lapsed, Written};
use kick_monitor::domain::secret::Secret;
use kick_monitor::domain::shards::{Scope, Shard};
use kick_monitor::gateway::database::{Attempt, Database, Joining, Lease, Seat, Unfit};
use kick_monitor::stop::Stop;
use lab::{Bouncer, Cluster, Shutdown, wait_for};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const TABLE: &str = "CREATE TABLE streamers (id int PRIMARY KEY, username text, status text);
    INSERT INTO streamers SELECT n, 'u', 'Offline' FROM generate_series(1, 200) AS n";

fn shared(config: &DatabaseConfig, shards: u16) -> DatabaseConfig {
    DatabaseConfig { shards, coordination: Coordination::Auto, ..config.clone() }
}

/// An instance that has joined.
fn member(database: &Database) -> Seat {
    let mut seat = database.coordinate().expect("a session");
    assert_eq!(seat.join(PATIENCE), Ok(Joining::Joined));
    seat
}

fn shards(numbers: impl IntoIterator<Item = u16>) -> BTreeSet<Shard> {
    numbers.into_iter().map(Shard).collect()
}

/// The number of instances that a look sees, and the shards that they have.
fn seen(seat: &mut Seat) -> (usize, BTreeSet<Shard>) {
    let sight = seat.look(PATIENCE).expect("an answer");
    assert_eq!(sight.instances.iter().filter(|instance| instance.own).count(), 1);
    (sight.instances.len(), sight.instances.into_iter().flat_map(|instance| instance.shards).collect())
}

fn lease(seat: &mut Seat) -> Lease {
    seat.look(PATIENCE).expect("an answer").lease
}

/// Writes these rows with a lease, in one statement.
fn write(database: &Database, ids: &[&str], lease: &Lease) -> Vec<WriteResult> {
    let writes: Vec<_> = (0..).zip(ids).map(|(number, id)| wish(number, id, Online)).collect();
    match database.write(&writes, Some(lease), PATIENCE, &Stop::never(), &|| ()) {
        Attempt::Done(results) => results.into_iter().map(|(_, result)| result).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_shard_has_one_holder_and_goes_with_its_session() {
    let (lab, config) = fixture(TABLE);
    let database = open(&shared(&config, 4));
    let [mut first, mut second] = [0, 1].map(|_| member(&database));
    assert_eq!(first.take(PATIENCE, &shards([0, 1])), Ok(shards([0, 1])));
    assert_eq!(second.take(PATIENCE, &shards([1, 2])), Ok(shards([2])));
    assert_eq!(seen(&mut first), (2, shards([0, 1, 2])));
    let keys = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2
                AND classid = 'streamers'::regclass AND mode = 'ExclusiveLock'";
    assert_eq!(lab.value(keys).as_deref(), Some("3"));
    first.release(PATIENCE, &shards([1])).expect("released");
    assert_eq!(second.take(PATIENCE, &shards([0, 1])), Ok(shards([1])));
    drop(first);
    wait_for("the first one to be gone", PATIENCE, || (seen(&mut second) == (1, shards([1, 2]))).then_some(()));
    second.leave(PATIENCE).expect("it leaves");
    assert_eq!(lab.value(keys).as_deref(), Some("0"));
}

#[test]
fn one_with_another_number_of_shards_does_not_join() {
    let (_lab, config) = fixture(TABLE);
    let [one, four] = [1, 4].map(|shards| open(&shared(&config, shards)));
    let first = member(&one);
    let mut other = four.coordinate().expect("a session");
    assert_eq!(other.join(PATIENCE), Ok(Joining::Misfit));
    let sight = other.look(PATIENCE).expect("an answer");
    assert_eq!(sight.instances.iter().map(|instance| (instance.of, instance.own)).collect::<Vec<_>>(), [(1, false)]);
    drop(first);
    wait_for("the first one to be gone", PATIENCE, || (other.join(PATIENCE) == Ok(Joining::Joined)).then_some(()));
    assert_eq!(one.coordinate().expect("a session").join(PATIENCE), Ok(Joining::Misfit));
}

#[test]
fn one_that_follows_other_rows_is_told_apart() {
    let (_lab, config) = fixture(TABLE);
    let filtered = DatabaseConfig { filter: Some("id > 5".to_owned()), ..shared(&config, 4) };
    let (all, some) = (open(&shared(&config, 1)), open(&filtered));
    let (mut first, _second) = (member(&all), member(&some));
    let sight = first.look(PATIENCE).expect("an answer");
    let same: Vec<_> = sight.instances.iter().map(|instance| (instance.own, instance.same_rows)).collect();
    assert!(same.contains(&(true, true)) && same.contains(&(false, false)), "{same:?}");
}

#[test]
fn many_that_join_at_once_never_have_different_numbers_of_shards() {
    let (lab, config) = fixture(TABLE);
    let databases = [1, 2].map(|shards| open(&shared(&config, shards)));
    for _ in 0..20 {
        std::thread::scope(|scope| {
            for database in databases.iter().chain(&databases) {
                scope.spawn(|| {
                    let mut seat = database.coordinate().expect("a session");
                    let joined = seat.join(PATIENCE).expect("an answer") == Joining::Joined;
                    let sight = seat.look(PATIENCE).expect("an answer");
                    let of: BTreeSet<u16> = sight.instances.iter().map(|instance| instance.of).collect();
                    assert!(of.len() <= 1, "{sight:?}");
                    assert!(!joined || of.len() == 1);
                });
            }
        });
        let left = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database =
                    (SELECT oid FROM pg_database WHERE datname = current_database())";
        wait_for("all to be gone", PATIENCE, || (lab.value(left).as_deref() == Some("0")).then_some(()));
    }
}

#[test]
fn a_stopped_holder_loses_its_share_and_its_last_writes_change_nothing() {
    let (lab, config) = fixture(TABLE);
    // An ordinary role, with the least privileges.
    let role = format!("holder_{}", lab.name());
    lab.execute(&format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'p';
         GRANT SELECT (id, username, status), UPDATE (status) ON streamers TO {role}"
    ));
    let config = DatabaseConfig { url: Secret::new(lab.url_as(&role, "p")), ..shared(&config, 2) };
    let (database, other) = (open(&config), open(&config));
    let mut holder = member(&database);
    assert!(holder.ends_when_stopped);
    holder.take(PATIENCE, &shards([0])).expect("an answer");
    let mut heir = member(&other);
    assert_eq!(write(&database, &["1"], &lease(&mut holder)), [Written]);
    let mut client = lab.client();
    let mut lock = client.transaction().expect("a transaction");
    lock.batch_execute("LOCK TABLE streamers IN EXCLUSIVE MODE").expect("locked");
    let lease = lease(&mut holder);
    let clock = Clock::start();
    std::thread::scope(|scope| {
        // Both wait for the table, for longer than the lease lasts.
        let one = scope.spawn(|| write(&database, &["2"], &lease));
        let many = scope.spawn(|| write(&database, &["3", "4"], &lease));
        let gone = wait_for("the server to let go", PATIENCE, || {
            let free = heir.take(PATIENCE, &shards([0])) == Ok(shards([0]));
            free.then(|| clock.steady().elapsed())
        });
        assert!(gone >= Duration::from_secs(8), "the lease had not ended after {gone:?}");
        println!("the server let go after {gone:?}");
        lock.rollback().expect("unlocked");
        assert_eq!(one.join().expect("an answer"), [Lapsed]);
        assert_eq!(many.join().expect("an answer"), [Lapsed, Lapsed]);
    });
    assert_eq!(lab.value("SELECT count(*) FROM streamers WHERE status = 'Online'").as_deref(), Some("1"));
    assert!(matches!(holder.look(PATIENCE), Err(Unfit::Failed(_))), "its session has ended");
}

#[test]
fn a_lease_is_worth_nothing_after_a_restart() {
    let cluster = Cluster::start();
    let lab = cluster.database();
    lab.execute(TABLE);
    let database = open(&shared(&super::config(&lab.url()), 1));
    let lease = lease(&mut member(&database));
    assert_eq!(write(&database, &["1"], &lease), [Written]);
    cluster.stop(Shutdown::Fast);
    cluster.start_again();
    assert_eq!(write(&database, &["2"], &lease), [Lapsed]);
    assert_eq!(write(&database, &["1", "2", "999"], &lease), [WriteResult::AlreadySo, Lapsed, WriteResult::Gone]);
}

#[test]
fn a_pooler_is_recognised() {
    let (lab, config) = fixture(TABLE);
    let bouncer = Bouncer::start(Cluster::shared(), &lab);
    let database = open(&DatabaseConfig { url: Secret::new(bouncer.url()), ..shared(&config, 1) });
    for _ in 0..5 {
        match database.coordinate() {
            Err(Unfit::Never(reason)) => assert!(reason.contains("pooler"), "{reason}"),
            other => panic!("{other:?}"),
        }
    }
    // Others use the same sessions at the same moments.
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut other = postgres::Client::connect(bouncer.url(), postgres::NoTls).expect("a connection");
            while !over.load(Ordering::Relaxed) {
                other.batch_execute("SELECT").expect("an answer");
            }
        });
        let seats: Vec<_> = (0..40).map(|_| database.coordinate().is_ok()).collect();
        over.store(true, Ordering::Relaxed);
        assert!(!seats.contains(&true), "the pooler was not noticed: {seats:?}");
    });
    let locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database =
                 (SELECT oid FROM pg_database WHERE datname = current_database())";
    assert_eq!(lab.value(locks).as_deref(), Some("0"), "none is left in a session that others use");
}

#[test]
fn without_a_table_there_is_nothing_to_share() {
    let (_lab, config) = fixture("CREATE TABLE others (id int)");
    let refused = open(&shared(&config, 1)).coordinate().map(drop);
    assert!(matches!(&refused, Err(Unfit::Failed(error)) if error.to_string().contains("DB_TABLE")), "{refused:?}");
}

#[test]
fn every_row_is_in_one_shard_whatever_its_id_is() {
    for kind in ["int", "bigint", "text", "uuid"] {
        let value = if kind == "uuid" { "gen_random_uuid()" } else { "n" };
        let (_lab, config) = fixture(&format!(
            "CREATE TABLE streamers (id {kind} PRIMARY KEY, username text, status text);
             INSERT INTO streamers SELECT {value}, 'u', 'Offline' FROM generate_series(1, 200) AS n"
        ));
        // A filter that ends with a comment.
        let config = DatabaseConfig { filter: Some("username = 'u' -- all".to_owned()), ..shared(&config, 7) };
        let database = open(&config);
        let read = |scope: &Scope| database.read_roster(scope, &Stop::never()).expect("the rows are read");
        let mut rows: Vec<_> = read(&Scope::All).into_iter().map(|row| (row.shard, row.id)).collect();
        rows.sort();
        let mut parts = Vec::new();
        for shard in 0..7 {
            let part = read(&Scope::Shards(shards([shard])));
            assert!((10..60).contains(&part.len()), "{} rows of {kind} in shard {shard}", part.len());
            parts.extend(part.into_iter().map(|row| (row.shard, row.id)));
        }
        parts.sort();
        assert_eq!(parts, rows, "{kind}");
        let two: BTreeSet<_> = read(&Scope::Shards(shards([2, 5]))).into_iter().map(|row| row.shard).collect();
        assert_eq!(two, shards([2, 5]));
    }
}

/// What a seat has heard by the time that another one's `last` has come.
fn heard(seat: &mut Seat, last: &[u8]) -> Vec<Vec<u8>> {
    let mut heard: Vec<Vec<u8>> = Vec::new();
    wait_for("what was passed on last", PATIENCE, || {
        heard.extend(seat.hear(Duration::from_millis(50)).expect("it hears"));
        heard.last().is_some_and(|end| end == last).then_some(())
    });
    heard
}

#[test]
fn what_one_instance_passes_on_reaches_the_others_as_it_is() {
    let (lab, config) = fixture(TABLE);
    let database = open(&shared(&config, 4));
    let [mut first, mut second] = [0, 1].map(|_| member(&database));
    let nothing: Vec<Vec<u8>> = Vec::new();
    assert_eq!(first.hear(Duration::ZERO), Ok(nothing.clone()));
    assert_eq!(second.hear(Duration::ZERO), Ok(nothing.clone()));
    // Text of any kind, the longest that there is room for, and what is too long.
    let all = [b"\0 \xff '\\".to_vec(), Vec::new(), vec![b'x'; 5997]];
    for what in &all {
        assert_eq!(first.pass_on(PATIENCE, what), Ok(true));
    }
    assert_eq!(first.pass_on(PATIENCE, &[b'x'; 5998]), Ok(false));
    assert_eq!(heard(&mut second, &all[2]), all);
    assert_eq!(first.hear(Duration::ZERO), Ok(nothing), "nobody hears themselves");
    // Somebody else's, which is no base64, is nothing.
    let oid = lab.value("SELECT 'streamers'::regclass::oid::text").expect("the table");
    lab.execute(&format!("SELECT pg_notify('kick_monitor_{oid}', 'änything')"));
    assert_eq!(first.pass_on(PATIENCE, b"last"), Ok(true));
    assert_eq!(heard(&mut second, b"last"), [b"last"]);
    // Who listens no longer gets nothing of what came meanwhile.
    second.stop_hearing(PATIENCE).expect("it stops");
    assert_eq!(first.pass_on(PATIENCE, b"unheard"), Ok(true));
    assert_eq!(second.hear(Duration::ZERO), Ok(Vec::new()));
    assert_eq!(first.pass_on(PATIENCE, b"heard"), Ok(true));
    assert_eq!(heard(&mut second, b"heard"), [b"heard"]);
    // A session that has ended is noticed at once.
    lab.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()
                 AND datname = current_database()",
    );
    let end = wait_for("the end of the session", PATIENCE, || second.hear(Duration::from_millis(50)).err());
    assert!(matches!(end, Unfit::Failed(_)), "{end:?}");
}
