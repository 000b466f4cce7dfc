//! The threads around the gateway, as the process runs them.

use super::{PATIENCE, config, fixture, open, wish};
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use kick_monitor::clock::{Clock, Pulse};
use kick_monitor::config::DatabaseConfig;
use kick_monitor::domain::Status::Online;
use kick_monitor::domain::Steady;
use kick_monitor::domain::row::{DatabaseEvent, Nudge, WriteId, WriteResult, Written};
use kick_monitor::domain::secret::Secret;
use kick_monitor::monitor::io::Input;
use kick_monitor::stop::{Stop, stop_pair};
use kick_monitor::worker::roster::Roster;
use kick_monitor::worker::{Worker, hold_cell::HoldCell, listener::Listener, writer::Writer};
use lab::{Cluster, Shutdown};
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

const TABLE: &str = "CREATE TABLE streamers (id int PRIMARY KEY, username text, status text);
    INSERT INTO streamers SELECT n, 'u', 'Offline' FROM generate_series(1, 50) AS n";

/// The cell of workers whose instance does not share the table.
fn undivided(clock: Clock) -> Arc<HoldCell> {
    let cell = HoldCell::new(clock);
    cell.set_off();
    Arc::new(cell)
}

#[test]
fn a_writer_writes_all_that_is_queued_and_ends_when_it_is_hung_up() {
    let (lab, config) = fixture(TABLE);
    let clock = Clock::start();
    let (sender, inbox) = unbounded();
    let (inputs, seen) = unbounded();
    let before = wish(99, "1", Online);
    sender.send(before).expect("the inbox lives");
    let (database, cell) = (Arc::new(open(&config)), undivided(clock));
    let writer = Writer { lane: 0, lanes: 1, inbox, inputs, database, cell, clock };
    std::thread::scope(|scope| {
        scope.spawn(|| writer.run(&Pulse::new(clock, PATIENCE), &Stop::never()).expect("it ends in order"));
        // What was queued before this is given out again by the core, so it is not done twice.
        assert_eq!(seen.recv_timeout(PATIENCE), Ok(Input::WriterStarted { lane: 0, lanes: 1 }));
        for n in 1..=50 {
            sender.send(wish(n, &n.to_string(), Online)).expect("the inbox lives");
        }
        drop(sender);
    });
    let answers: Vec<Written> = seen
        .try_iter()
        .map(|input| match input {
            Input::Written(written) => written,
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(answers.len() < 50, "{} statements for 50 rows", answers.len());
    let results: Vec<_> = answers.into_iter().flat_map(|written| written.results).collect();
    assert_eq!(results, (1..=50).map(|n| (WriteId(n), WriteResult::Written)).collect::<Vec<_>>());
    assert_eq!(lab.value("SELECT count(*) FROM streamers WHERE status = 'Online'").as_deref(), Some("50"));
}

#[test]
fn a_writer_that_nobody_hears_ends() {
    let (_lab, config) = fixture(TABLE);
    let clock = Clock::start();
    let (_sender, inbox) = unbounded();
    let (inputs, _) = bounded(1);
    let (database, cell) = (Arc::new(open(&config)), undivided(clock));
    let writer = Writer { lane: 0, lanes: 1, inbox, inputs, database, cell, clock };
    writer.run(&Pulse::new(clock, PATIENCE), &Stop::never()).expect("it ends in order");
}

/// The number of rows of the next roster.
fn roster(seen: &Receiver<Input>) -> usize {
    loop {
        match seen.recv_timeout(PATIENCE).expect("a roster comes") {
            Input::Roster(read) => return read.rows.len(),
            Input::Database(DatabaseEvent::Up) | Input::Listening(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_notification_has_the_roster_read_at_once() {
    let (lab, config) = fixture(TABLE);
    let database = Arc::new(open(&config));
    let clock = Clock::start();
    let (source, stop) = stop_pair();
    let (nudge, nudged) = bounded(1);
    let (inputs, seen) = unbounded();
    let rng = fastrand::Rng::with_seed(1);
    let roster_worker = Roster {
        poll: Duration::from_secs(3600),
        nudge: nudged,
        inputs,
        database: Arc::clone(&database),
        cell: undivided(clock),
        clock,
        rng: rng.clone(),
    };
    let inputs = roster_worker.inputs.clone();
    let listener = Listener { channel: "Roster!".to_owned(), nudge: nudge.clone(), inputs, database, clock, rng };
    let pulse = Pulse::new(clock, PATIENCE);
    std::thread::scope(|scope| {
        let _source = source;
        scope.spawn(|| roster_worker.run(&pulse, &stop).expect("it ends in order"));
        scope.spawn(|| listener.run(&pulse, &stop).expect("it ends in order"));
        // The first read is the roster's own, the second because listening began.
        assert_eq!((roster(&seen), roster(&seen)), (50, 50));
        lab.execute("DELETE FROM streamers WHERE id > 40; NOTIFY \"Roster!\"");
        assert_eq!(roster(&seen), 40);
        // A connection that was cut is made anew, and what it missed is read.
        lab.execute("DELETE FROM streamers WHERE id > 30");
        lab.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()
             AND pid <> pg_backend_pid() AND (query LIKE 'LISTEN%' OR query LIKE '%listening%')",
        );
        assert_eq!(roster(&seen), 30);
        nudge.send(Nudge::Notified).expect("the roster lives");
        assert_eq!(roster(&seen), 30);
    });
}

/// A worker that reads the roster when it is nudged, and what it tells.
fn reader(config: &DatabaseConfig, cell: Arc<HoldCell>, clock: Clock) -> (Roster, Sender<Nudge>, Receiver<Input>) {
    let (nudge, nudged) = bounded(1);
    let (inputs, seen) = unbounded();
    let database = Arc::new(open(config));
    let (poll, rng) = (Duration::from_secs(3600), fastrand::Rng::with_seed(1));
    (Roster { poll, nudge: nudged, inputs, database, cell, clock, rng }, nudge, seen)
}

#[test]
fn a_large_roster_comes_in_parts_and_after_a_failure_as_a_whole() {
    let (lab, config) = fixture(TABLE);
    lab.execute("INSERT INTO streamers SELECT n, 'u', 'Offline' FROM generate_series(51, 2500) AS n");
    let clock = Clock::start();
    let (source, stop) = stop_pair();
    let (worker, nudge, seen) = reader(&config, undivided(clock), clock);
    let pulse = Pulse::new(clock, PATIENCE);
    let read = || {
        let mut parts: Vec<(Steady, usize)> = Vec::new();
        loop {
            match seen.recv_timeout(PATIENCE).expect("a part") {
                Input::Roster(read) => {
                    parts.push((read.started, read.rows.len()));
                    if !read.more {
                        assert!(parts.iter().all(|(started, _)| *started == parts[0].0), "of one read");
                        return parts.into_iter().map(|(_, rows)| rows).collect::<Vec<usize>>();
                    }
                }
                // What the parts are of is said before the last one.
                Input::Database(DatabaseEvent::Up) => {}
                other => panic!("{other:?}"),
            }
        }
    };
    std::thread::scope(|scope| {
        let _source = source;
        scope.spawn(|| worker.run(&pulse, &stop).expect("it ends in order"));
        assert_eq!(read(), [1000, 1000, 500]);
        nudge.send(Nudge::Ordered).expect("the roster lives");
        assert_eq!(read(), [1000, 1000, 500]);
        lab.execute("ALTER TABLE streamers RENAME COLUMN username TO name");
        nudge.send(Nudge::Ordered).expect("the roster lives");
        lab::wait_for("the failure", PATIENCE, || match seen.recv_timeout(PATIENCE) {
            Ok(Input::Database(DatabaseEvent::Down(reason))) => Some(reason),
            _ => None,
        });
        lab.execute("ALTER TABLE streamers RENAME COLUMN name TO username");
        assert_eq!(read(), [2500]);
        nudge.send(Nudge::Ordered).expect("the roster lives");
        assert_eq!(read(), [1000, 1000, 500]);
    });
}

#[test]
fn the_first_read_waits_for_the_hold_and_an_order_waits_for_nothing() {
    let (_lab, config) = fixture(TABLE);
    let clock = Clock::start();
    let (source, stop) = stop_pair();
    let (worker, nudge, seen) = reader(&config, Arc::new(HoldCell::new(clock)), clock);
    let pulse = Pulse::new(clock, PATIENCE);
    std::thread::scope(|scope| {
        let _source = source;
        let begun = clock.steady();
        scope.spawn(|| worker.run(&pulse, &stop).expect("it ends in order"));
        // A notification is no order.
        nudge.send(Nudge::Notified).expect("the roster lives");
        assert!(seen.recv_timeout(Duration::from_millis(100)).is_err() || clock.steady().since(begun).as_secs() >= 1);
        nudge.send(Nudge::Ordered).expect("the roster lives");
        assert_eq!(roster(&seen), 50);
        nudge.send(Nudge::Ordered).expect("the roster lives");
        assert_eq!(roster(&seen), 50);
    });
}

/// When reads of the roster began while any role notified as often as it liked.
fn flooded(config: &DatabaseConfig, reads: usize) -> Vec<Steady> {
    let clock = Clock::start();
    let (source, stop) = stop_pair();
    let (worker, nudge, seen) = reader(config, undivided(clock), clock);
    let pulse = Pulse::new(clock, PATIENCE);
    let mut started = Vec::new();
    std::thread::scope(|scope| {
        let _source = source;
        scope.spawn(|| worker.run(&pulse, &stop).expect("it ends in order"));
        let pause = Stop::never();
        while started.len() < reads {
            let _ = nudge.try_send(Nudge::Notified);
            pause.wait(Duration::from_millis(5));
            started.extend(seen.try_iter().filter_map(|input| match input {
                Input::Roster(read) => Some(read.started),
                _ => None,
            }));
        }
        // Once it is quiet, a nudge is followed at once.
        pause.wait(started[reads - 1].since(started[reads - 2]) + Duration::from_millis(500));
        assert!(seen.try_iter().count() < 4, "at most one more read was owed");
        nudge.send(Nudge::Notified).expect("the roster lives");
        assert_eq!(roster(&seen), 50);
    });
    started
}

#[test]
fn a_flood_of_notifications_does_not_become_a_flood_of_reads() {
    let (_lab, config) = fixture(TABLE);
    // A read that takes long is followed by a pause ten times as long.
    let slow = DatabaseConfig { filter: Some("(SELECT true FROM pg_sleep(0.1))".to_owned()), ..config.clone() };
    for (config, reads, least) in [(config, 5, 500), (slow, 3, 1100)] {
        let started = flooded(&config, reads);
        for pair in started.windows(2) {
            let apart = pair[1].since(pair[0]);
            assert!(apart >= Duration::from_millis(least), "two reads {apart:?} apart");
        }
    }
}

/// A way to PostgreSQL that can swallow what is sent on it, and keeps its connections open.
struct Swamp {
    listener: TcpListener,
    to: u16,
    /// Connections with a lower number are swallowed.
    swallowed: AtomicUsize,
    over: AtomicBool,
}

impl Swamp {
    fn carry<'a>(&'a self, scope: &'a std::thread::Scope<'a, '_>) {
        self.listener.set_nonblocking(true).expect("a listener can be told not to block");
        for number in 0.. {
            let client = loop {
                match self.listener.accept() {
                    Ok((client, _)) => break client,
                    Err(_) if self.over.load(Ordering::Relaxed) => return,
                    Err(_) => drop(Stop::never().wait(Duration::from_millis(10))),
                }
            };
            client.set_nonblocking(false).expect("a socket can be told to block");
            let server = TcpStream::connect(("127.0.0.1", self.to)).expect("the server is there");
            let copy = |stream: &TcpStream| stream.try_clone().expect("a handle can be copied");
            let (client_too, server_too) = (copy(&client), copy(&server));
            scope.spawn(move || self.pump(number, client, server));
            scope.spawn(move || self.pump(number, server_too, client_too));
        }
    }

    fn pump(&self, number: usize, mut from: TcpStream, mut to: TcpStream) {
        from.set_read_timeout(Some(Duration::from_millis(100))).expect("a time-out can be set");
        let mut bytes = [0; 4096];
        while !self.over.load(Ordering::Relaxed) {
            match from.read(&mut bytes) {
                Ok(0) => return drop(to.shutdown(std::net::Shutdown::Both)),
                Ok(_) if number < self.swallowed.load(Ordering::Relaxed) => {}
                Ok(count) => drop(to.write_all(&bytes[..count])),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => return,
            }
        }
    }
}

/// Ends the swamp, whatever becomes of the test.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_listener_whose_connection_died_in_silence_listens_again() {
    let (lab, config) = fixture(TABLE);
    let port: u16 = Cluster::shared().port();
    let swamp = Swamp {
        listener: TcpListener::bind(("127.0.0.1", 0)).expect("a free port is left"),
        to: port,
        swallowed: AtomicUsize::new(0),
        over: AtomicBool::new(false),
    };
    let through = swamp.listener.local_addr().expect("it has an address").port();
    let mut config = config;
    config.url = Secret::new(config.url.reveal().replace(&format!(":{port}/"), &format!(":{through}/")));
    let clock = Clock::start();
    let (source, stop) = stop_pair();
    let (nudge, nudged) = bounded(1);
    let (inputs, seen) = unbounded();
    let (database, rng) = (Arc::new(open(&config)), fastrand::Rng::with_seed(1));
    let listener = Listener { channel: "roster".to_owned(), nudge, inputs, database, clock, rng };
    let pulse = Pulse::new(clock, PATIENCE);
    std::thread::scope(|scope| {
        let _over = Over(&swamp.over);
        scope.spawn(|| swamp.carry(scope));
        scope.spawn(|| listener.run(&pulse, &stop).expect("it ends in order"));
        nudged.recv_timeout(PATIENCE).expect("a nudge, for listening began");
        assert_eq!(seen.recv_timeout(PATIENCE), Ok(Input::Listening(None)));
        lab.execute("NOTIFY roster");
        nudged.recv_timeout(PATIENCE).expect("a nudge, for it was notified");
        // The first connection is the one that listens.
        swamp.swallowed.store(1, Ordering::Relaxed);
        lab.execute("NOTIFY roster");
        let told = seen.recv_timeout(PATIENCE);
        assert!(matches!(told, Ok(Input::Listening(Some(_)))), "{told:?}");
        nudged.recv_timeout(PATIENCE).expect("a nudge, for what was missed");
        assert_eq!(seen.recv_timeout(PATIENCE), Ok(Input::Listening(None)));
        lab.execute("NOTIFY roster");
        nudged.recv_timeout(PATIENCE).expect("a nudge, for it was notified again");
        drop(source);
    });
}

#[test]
fn an_outage_is_told_and_its_end_is_told() {
    let cluster = Cluster::start();
    let lab = cluster.database();
    lab.execute(TABLE);
    let clock = Clock::start();
    let (source, stop) = stop_pair();
    let (_nudge, nudged) = bounded(1);
    let (inputs, seen) = unbounded();
    let worker = Roster {
        poll: Duration::from_millis(100),
        nudge: nudged,
        inputs,
        database: Arc::new(open(&config(&lab.url()))),
        cell: undivided(clock),
        clock,
        rng: fastrand::Rng::with_seed(1),
    };
    let pulse = Pulse::new(clock, PATIENCE);
    std::thread::scope(|scope| {
        let _source = source;
        scope.spawn(|| worker.run(&pulse, &stop).expect("it ends in order"));
        assert_eq!(roster(&seen), 50);
        cluster.stop(Shutdown::Immediate);
        lab::wait_for("the outage", PATIENCE, || match seen.recv_timeout(PATIENCE) {
            Ok(Input::Database(DatabaseEvent::Down(reason))) => Some(reason),
            _ => None,
        });
        cluster.start_again();
        lab::wait_for("the recovery", PATIENCE, || match seen.recv_timeout(PATIENCE) {
            Ok(Input::Roster(read)) => (read.rows.len() == 50).then_some(()),
            _ => None,
        });
    });
}
