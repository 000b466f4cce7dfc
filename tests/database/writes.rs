//! What becomes of each row of a statement (R19 to R21).

use super::{PATIENCE, config, fixture, open, shown, wish, write, write_all};
use kick_monitor::domain::Status::{self, Offline, Online};
use kick_monitor::domain::row::WriteResult::{self, AlreadySo, Locked, Refused, SetAside, Written};
use kick_monitor::gateway::database::Attempt;
use kick_monitor::stop::Stop;
use lab::{Bouncer, Cluster};
use postgres::fallible_iterator::FallibleIterator;
use postgres::{Client, NoTls};
use std::collections::BTreeMap;

const TABLE: &str = "CREATE TABLE streamers (id int PRIMARY KEY, username text, status text);
    INSERT INTO streamers SELECT n, 'user ' || n, 'Offline' FROM generate_series(1, 9) AS n";

fn refused(result: &WriteResult) -> &str {
    match result {
        Refused(reason) => reason,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn a_row_that_is_already_so_is_not_touched() {
    let (lab, config) = fixture(TABLE);
    let database = open(&config);
    assert_eq!(write(&database, &["1"], Online), [Written]);
    let version = || lab.value("SELECT xmin FROM streamers WHERE id = 1");
    let before = version();
    assert_eq!(write(&database, &["1", "2"], Online), [AlreadySo, Written]);
    assert_eq!(version(), before);
}

#[test]
fn a_locked_row_is_set_aside_and_delays_no_other() {
    let (lab, config) = fixture(TABLE);
    let database = open(&config);
    let mut other = lab.client();
    let mut transaction = other.transaction().expect("a transaction");
    transaction.execute("UPDATE streamers SET username = 'x' WHERE id = 2", &[]).expect("the row is locked");
    assert_eq!(write(&database, &["1", "2", "3"], Online), [Written, Locked, Written]);
    transaction.commit().expect("committed");
    assert_eq!(write(&database, &["2"], Online), [Written]);
}

#[test]
fn a_foreign_key_insert_elsewhere_locks_nobody_out() {
    let (lab, config) = fixture(TABLE);
    lab.execute("CREATE TABLE clips (streamer int REFERENCES streamers)");
    let database = open(&config);
    let mut other = lab.client();
    let mut transaction = other.transaction().expect("a transaction");
    transaction.execute("INSERT INTO clips VALUES (1)", &[]).expect("the key is held");
    assert_eq!(write(&database, &["1"], Online), [Written]);
}

#[test]
fn a_row_that_a_trigger_refuses_stands_alone() {
    let (lab, config) = fixture(TABLE);
    lab.execute(
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             IF NEW.id = 4 THEN RAISE 'not this one'; END IF;
             IF NEW.id = 6 THEN PERFORM 1 FROM there_is_no_such_table; END IF;
             RETURN NEW;
         END $$;
         CREATE TRIGGER no BEFORE UPDATE ON streamers FOR EACH ROW EXECUTE FUNCTION no()",
    );
    let database = open(&config);
    let results = write(&database, &["1", "2", "3", "4", "5", "6", "7"], Online);
    assert_eq!(refused(&results[3]), "P0001: not this one (PL/pgSQL function no() line 3 at RAISE)");
    assert!(refused(&results[5]).starts_with("42P01: relation \"there_is_no_such_table\""), "{results:?}");
    for n in [0, 1, 2, 4, 6] {
        assert_eq!(results[n], Written, "row {}", n + 1);
    }
    let online = lab.value("SELECT string_agg(id::text, ',' ORDER BY id) FROM streamers WHERE status = 'Online'");
    assert_eq!(online.as_deref(), Some("1,2,3,5,7"));
}

#[test]
fn a_row_that_a_constraint_or_a_policy_refuses_stands_alone() {
    let (lab, config) = fixture(TABLE);
    lab.execute("ALTER TABLE streamers ADD CHECK (id <> 2 OR status = 'Offline')");
    let results = write(&open(&config), &["1", "2", "3"], Online);
    assert!(
        refused(&results[1]).starts_with("23514: new row for relation \"streamers\" violates check"),
        "{results:?}"
    );
    assert_eq!((&results[0], &results[2]), (&Written, &Written));

    let (lab, mut config) = fixture(TABLE);
    let role = format!("policed_{}", lab.name());
    lab.execute(&format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'p'; GRANT SELECT, UPDATE ON streamers TO {role};
         ALTER TABLE streamers ENABLE ROW LEVEL SECURITY;
         CREATE POLICY see ON streamers FOR SELECT USING (true);
         CREATE POLICY change ON streamers FOR UPDATE USING (id <> 3) WITH CHECK (id <> 2 OR status = 'Offline')"
    ));
    config.url = kick_monitor::domain::secret::Secret::new(lab.url_as(&role, "p"));
    let results = write(&open(&config), &["1", "2", "3"], Online);
    assert!(refused(&results[1]).starts_with("42501: new row violates row-level security"), "{results:?}");
    assert_eq!((&results[0], &results[2]), (&Written, &SetAside), "the policy hides row 3 from changes");
}

#[test]
fn a_row_in_conflict_with_another_client_is_set_aside() {
    let (lab, config) = fixture(TABLE);
    lab.execute(
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             IF NEW.id = 2 THEN RAISE 'try again' USING ERRCODE = '40001'; END IF;
             IF NEW.id = 5 THEN RAISE 'busy' USING ERRCODE = '55P03'; END IF;
             RETURN NEW;
         END $$;
         CREATE TRIGGER no BEFORE UPDATE ON streamers FOR EACH ROW EXECUTE FUNCTION no()",
    );
    let results = write(&open(&config), &["1", "2", "3", "4", "5", "6"], Online);
    assert_eq!(results, [Written, Locked, Written, Written, Locked, Written]);
}

#[test]
fn what_a_trigger_suppresses_is_set_aside_and_what_it_rewrites_is_written() {
    let (lab, config) = fixture(TABLE);
    lab.execute(
        "CREATE FUNCTION mind() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             IF NEW.id = 1 THEN RETURN NULL; END IF;
             IF NEW.id = 2 THEN NEW.status := lower(NEW.status); END IF;
             RETURN NEW;
         END $$;
         CREATE TRIGGER mind BEFORE UPDATE ON streamers FOR EACH ROW EXECUTE FUNCTION mind()",
    );
    let database = open(&config);
    for _ in 0..2 {
        assert_eq!(write(&database, &["1", "2"], Online), [SetAside, Written]);
    }
    assert_eq!(shown(&database)[..2], ["1=Offline", "2=?"]);
}

#[test]
fn each_real_change_is_notified_with_its_transaction() {
    let (lab, mut config) = fixture(TABLE);
    lab.execute("ALTER TABLE streamers ADD changed timestamptz");
    config.changed_at_column = Some("changed".to_owned());
    config.notify_channel = Some("Status Changes".to_owned());
    let database = open(&config);
    let mut listener = lab.client();
    listener.batch_execute("LISTEN \"Status Changes\"").expect("listening");
    assert_eq!(write(&database, &["1", "2"], Online), [Written, Written]);
    assert_eq!(write(&database, &["1"], Online), [AlreadySo]);
    assert_eq!(write(&database, &["1"], Offline), [Written]);
    let mut notifications = listener.notifications();
    let mut seen = notifications.timeout_iter(PATIENCE);
    let mut payloads: Vec<String> =
        (0..3).map(|_| seen.next().expect("connected").expect("three come").payload().to_owned()).collect();
    payloads[..2].sort();
    let expected = |id: u32, status: &str| {
        format!(
            "{{\"id\" : {id}, \"username\" : \"user {id}\", \"status\" : \"{status}\", \
             \"changed_at\" : \"2026-11-23T12:34:56.123456Z\", \"source\" : \"push\", \
             \"started_at\" : null, \"title\" : null}}"
        )
    };
    assert_eq!(payloads, [expected(1, "Online"), expected(2, "Online"), expected(1, "Offline")]);
    let changed = lab.value("SELECT count(*) FROM streamers WHERE changed = '2026-11-23T12:34:56.123456Z'");
    assert_eq!(changed.as_deref(), Some("2"), "the same time in the row");
}

#[test]
fn the_columns_grants_are_enough() {
    let (lab, mut config) = fixture(TABLE);
    let role = format!("least_{}", lab.name());
    lab.execute(&format!(
        "ALTER TABLE streamers ADD secret text, ADD changed timestamptz; CREATE ROLE {role} LOGIN PASSWORD 'p';
         GRANT SELECT (id, username, status), UPDATE (status, changed) ON streamers TO {role}"
    ));
    config.url = kick_monitor::domain::secret::Secret::new(lab.url_as(&role, "p"));
    config.changed_at_column = Some("changed".to_owned());
    config.notify_channel = Some("changes".to_owned());
    let database = open(&config);
    assert_eq!(shown(&database).len(), 9);
    assert_eq!(write(&database, &["1"], Online), [Written]);
    let inspection = database.inspect().expect("inspected");
    assert_eq!((&inspection.role, inspection.id_unique), (&role, true));
    assert!(inspection.unreadable.is_empty() && inspection.unwritable.is_empty(), "{inspection:?}");
}

#[test]
fn the_session_keeps_nothing_of_the_statement() {
    let (lab, mut config) = fixture(TABLE);
    lab.execute(
        "ALTER TABLE streamers ADD durable text;
         CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN NEW.durable := current_setting('synchronous_commit'); RETURN NEW; END $$;
         CREATE TRIGGER note BEFORE UPDATE ON streamers FOR EACH ROW EXECUTE FUNCTION note()",
    );
    config.pool_size = 1;
    assert_eq!(write(&open(&config), &["1"], Online), [Written]);
    config.synchronous_commit = "local".to_owned();
    assert_eq!(write(&open(&config), &["2"], Online), [Written]);
    let durable = lab.value("SELECT string_agg(durable, ',' ORDER BY id) FROM streamers");
    assert_eq!(durable.as_deref(), Some("off,local"));
}

#[test]
fn behind_a_pooler_of_transactions_another_session_is_no_trouble() {
    let (lab, _) = fixture(TABLE);
    let bouncer = Bouncer::start(Cluster::shared(), &lab);
    let database = open(&config(bouncer.url()));
    assert_eq!(write(&database, &["1"], Online), [Written]);
    // The pooler has two sessions, and gives out the one that was used last.
    let mut other = Client::connect(bouncer.url(), NoTls).expect("the pooler takes one more");
    let mut holding = other.transaction().expect("a transaction");
    holding.batch_execute("SELECT 1").expect("a session");
    assert_eq!(write(&database, &["2"], Online), [Written]);
    assert_eq!(write(&database, &["1"], Offline), [Written]);
    holding.rollback().expect("the session is given back");
    assert_eq!(write(&database, &["1", "2"], Offline), [AlreadySo, Written]);
}

#[test]
fn two_instances_with_shuffled_batches_write_each_change_once_without_deadlock() {
    const ROWS: u64 = 200;
    const ROUNDS: u64 = 10;
    let (lab, config) = fixture(
        "CREATE TABLE streamers (id int PRIMARY KEY, username text, status text, changes int NOT NULL DEFAULT 0);
         INSERT INTO streamers SELECT n, 'u', 'Offline' FROM generate_series(1, 200) AS n;
         CREATE FUNCTION count_change() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN NEW.changes := OLD.changes + 1; RETURN NEW; END $$;
         CREATE TRIGGER count_change BEFORE UPDATE ON streamers FOR EACH ROW EXECUTE FUNCTION count_change()",
    );
    // Each instance brings every row to the round's status, trying again what was set aside.
    let instance = |seed: u64, status: Status| {
        let database = open(&config);
        let mut state = seed;
        let mut open: BTreeMap<u64, String> = (1..=ROWS).map(|n| (n, n.to_string())).collect();
        let mut written = 0;
        while !open.is_empty() {
            let mut batch: Vec<_> = open.iter().map(|(number, id)| wish(*number, id, status)).collect();
            batch.sort_by_cached_key(|write| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(write.id.0);
                state >> 33
            });
            for (number, result) in batch.chunks(50).flat_map(|part| write_all(&database, part.to_vec())) {
                match result {
                    Written => written += 1,
                    AlreadySo => {}
                    Locked | SetAside => continue,
                    other => panic!("{other:?}"),
                }
                open.remove(&number.0);
            }
        }
        written
    };
    for round in 0..ROUNDS {
        let status = if round % 2 == 0 { Online } else { Offline };
        let written: u64 = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..2).map(|n| scope.spawn(move || instance(round * 2 + n + 1, status))).collect();
            workers.into_iter().map(|worker| worker.join().expect("no panic")).sum()
        });
        assert_eq!(written, ROWS, "round {round}");
    }
    let changes = lab.value("SELECT min(changes) || '-' || max(changes) FROM streamers");
    assert_eq!(changes, Some(format!("{ROUNDS}-{ROUNDS}")));
    let deadlocks = lab.value("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()");
    assert_eq!(deadlocks.as_deref(), Some("0"));
}

#[test]
fn the_same_row_twice_in_a_statement_breaks_nothing() {
    let (_lab, config) = fixture(TABLE);
    let database = open(&config);
    let writes = [wish(1, "1", Online), wish(2, "1", Offline), wish(3, "2", Online)];
    let Attempt::Done(results) = database.write(&writes, None, PATIENCE, &Stop::never(), &|| ()) else {
        panic!("not written")
    };
    assert_eq!(results.iter().map(|(_, result)| result).collect::<Vec<_>>(), [&Written, &SetAside, &Written]);
}
