//! The threads `coordinator` of several instances on one table (R25).

use super::{PATIENCE, config, fixture, open, wish};
use crossbeam_channel::{Receiver, Sender, unbounded};
use kick_monitor::clock::{Clock, Pulse};
use kick_monitor::config::DatabaseConfig;
use kick_monitor::domain::Status::Online;
use kick_monitor::domain::row::{Write, WriteResult};
use kick_monitor::domain::secret::Secret;
use kick_monitor::domain::shards::{Coordination, Hold, Shard};
use kick_monitor::gateway::database::Database;
use kick_monitor::monitor::io::Input;
use kick_monitor::stop::{Stop, StopSource, stop_pair};
use kick_monitor::worker::Worker;
use kick_monitor::worker::coordinator::Coordinator;
use kick_monitor::worker::hold_cell::HoldCell;
use kick_monitor::worker::writer::Writer;
use lab::{Bouncer, Cluster, wait_for};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

const TABLE: &str = "CREATE TABLE streamers (id int PRIMARY KEY, username text, status text);
    INSERT INTO streamers SELECT n, 'u', 'Offline' FROM generate_series(1, 9) AS n";

fn shared(config: &DatabaseConfig, shards: u16) -> DatabaseConfig {
    DatabaseConfig { shards, coordination: kick_monitor::config::Coordination::Auto, ..config.clone() }
}

/// A coordinator that runs, and the core's end of its channels.
struct Instance {
    clock: Clock,
    database: Arc<Database>,
    cell: Arc<HoldCell>,
    released: Sender<(Hold, BTreeSet<Shard>)>,
    inputs: Receiver<Input>,
    _stop: StopSource,
    _thread: JoinHandle<()>,
}

impl Instance {
    fn start(config: &DatabaseConfig) -> Instance {
        let clock = Clock::start();
        let (stop, token) = stop_pair();
        let (released, releases) = unbounded();
        let (sender, inputs) = unbounded();
        let (database, cell) = (Arc::new(open(config)), Arc::new(HoldCell::new(clock)));
        let coordinator = Coordinator {
            mode: config.coordination,
            shards: config.shards,
            cell: Arc::clone(&cell),
            released: releases,
            passing: Arc::default(),
            inputs: sender,
            database: Arc::clone(&database),
            clock,
            rng: fastrand::Rng::with_seed(1),
        };
        let body = move || coordinator.run(&Pulse::new(clock, PATIENCE), &token).expect("it ends in order");
        let thread = std::thread::Builder::new().spawn(body).expect("a thread");
        Instance { clock, database, cell, released, inputs, _stop: stop, _thread: thread }
    }

    /// What the core is told next.
    #[track_caller]
    fn told(&self) -> Coordination {
        match self.inputs.recv_timeout(PATIENCE) {
            Ok(Input::Coordination(news)) => news,
            other => panic!("{other:?}"),
        }
    }

    /// Waits until this instance has this number of shards, and knows of this number of instances.
    #[track_caller]
    fn wait_held(&self, count: usize, together: u32) -> (Hold, BTreeSet<Shard>) {
        loop {
            match self.told() {
                Coordination::Held { hold, shards, instances, .. }
                    if (shards.len(), instances) == (count, together) =>
                {
                    return (hold, shards);
                }
                Coordination::Held { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// What becomes of a write of this hold.
    fn write(&self, number: u64, hold: Option<Hold>) -> WriteResult {
        let (lane, inbox) = unbounded();
        let (inputs, seen) = unbounded();
        let (database, cell) = (Arc::clone(&self.database), Arc::clone(&self.cell));
        let writer = Writer { lane: 0, lanes: 1, inbox, inputs, database, cell, clock: self.clock };
        std::thread::scope(|scope| {
            scope.spawn(|| writer.run(&Pulse::new(self.clock, PATIENCE), &Stop::never()).expect("it ends in order"));
            assert!(matches!(seen.recv_timeout(PATIENCE), Ok(Input::WriterStarted { .. })));
            let write = Write { hold, ..wish(number, &number.to_string(), Online) };
            lane.send(write).expect("the inbox lives");
            drop(lane);
            match seen.recv_timeout(PATIENCE) {
                Ok(Input::Written(mut written)) => written.results.remove(0).1,
                other => panic!("{other:?}"),
            }
        })
    }
}

#[test]
fn one_that_joins_is_handed_its_share_when_the_other_has_released_it() {
    let (_lab, config) = fixture(TABLE);
    let config = shared(&config, 4);
    let first = Instance::start(&config);
    let (hold, all) = first.wait_held(4, 1);
    assert_eq!(first.write(1, Some(hold)), WriteResult::Written);
    assert_eq!(first.write(2, Some(Hold(hold.0 + 1))), WriteResult::Lapsed);
    assert_eq!(first.write(3, None), WriteResult::Lapsed);
    let second = Instance::start(&config);
    second.wait_held(0, 2);
    let (same, kept) = first.wait_held(2, 2);
    assert_eq!(same, hold);
    // Nothing moves before the core says so, for whatever hold.
    let leaving: BTreeSet<Shard> = all.difference(&kept).copied().collect();
    first.released.send((Hold(hold.0 + 1), leaving.clone())).expect("it runs");
    assert!(second.inputs.recv_timeout(Duration::from_secs(3)).is_err());
    assert_eq!(first.write(4, Some(hold)), WriteResult::Written, "what was on its way is written");
    first.released.send((hold, leaving.clone())).expect("it runs");
    assert_eq!(second.wait_held(2, 2).1, leaving);
    // The end of an instance gives the other one everything.
    drop(first);
    assert_eq!(second.wait_held(4, 1).1, all);
}

#[test]
fn a_session_that_is_cut_ends_the_hold() {
    let (lab, config) = fixture(TABLE);
    let instance = Instance::start(&shared(&config, 1));
    let (hold, _) = instance.wait_held(1, 1);
    lab.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ExclusiveLock'
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    );
    // It is soon back, so it is not said to be lost.
    let (next, _) = instance.wait_held(1, 1);
    assert_ne!(next, hold);
    assert_eq!(instance.write(1, Some(hold)), WriteResult::Lapsed);
    assert_eq!(instance.write(1, Some(next)), WriteResult::Written);
}

#[test]
fn a_server_that_does_not_answer_ends_the_hold_before_its_locks_can_go() {
    let cluster = Cluster::start();
    let lab = cluster.database();
    lab.execute(TABLE);
    let instance = Instance::start(&shared(&config(&lab.url()), 1));
    let (hold, _) = instance.wait_held(1, 1);
    // Just after a turn, which takes a new lease.
    cluster.freeze();
    let frozen = instance.clock.steady();
    assert!(matches!(instance.told(), Coordination::Lost(_)));
    assert!(instance.clock.steady().since(frozen) < Duration::from_secs(10), "{:?}", instance.clock.steady());
    assert_eq!(instance.write(1, Some(hold)), WriteResult::Lapsed, "without asking the server");
    cluster.thaw();
    wait_for("a new hold", PATIENCE, || match instance.told() {
        Coordination::Held { hold: next, .. } => (next != hold).then_some(()),
        _ => None,
    });
}

#[test]
fn one_with_another_number_of_shards_stands_by_until_the_other_is_gone() {
    let (_lab, config) = fixture(TABLE);
    let first = Instance::start(&shared(&config, 1));
    first.wait_held(1, 1);
    let second = Instance::start(&shared(&config, 4));
    match second.told() {
        Coordination::Misfit(reason) => assert!(reason.contains("DB_SHARDS=1"), "{reason}"),
        other => panic!("{other:?}"),
    }
    drop(first);
    second.wait_held(4, 1);
}

#[test]
fn those_that_follow_other_rows_do_not_share_while_both_are_there() {
    let (_lab, config) = fixture(TABLE);
    let first = Instance::start(&shared(&config, 1));
    let (hold, _) = first.wait_held(1, 1);
    let filtered = DatabaseConfig { filter: Some("id > 5".to_owned()), ..shared(&config, 1) };
    let second = Instance::start(&filtered);
    for instance in [&first, &second] {
        let told = instance.told();
        assert!(matches!(&told, Coordination::Off(Some(reason)) if reason.contains("DB_FILTER")), "{told:?}");
    }
    assert_eq!(first.write(1, None), WriteResult::Written);
    assert_eq!(first.write(2, Some(hold)), WriteResult::Lapsed);
    drop(second);
    assert_ne!(first.wait_held(1, 1).0, hold);
}

#[test]
fn behind_a_pooler_each_follows_everything() {
    let (lab, config) = fixture(TABLE);
    let bouncer = Bouncer::start(Cluster::shared(), &lab);
    let config = DatabaseConfig { url: Secret::new(bouncer.url()), ..shared(&config, 1) };
    let instance = Instance::start(&config);
    let told = instance.told();
    assert!(matches!(&told, Coordination::Off(Some(reason)) if reason.contains("pooler")), "{told:?}");
    assert_eq!(instance.write(1, None), WriteResult::Written);
}
