//! How the process begins, what it says while it lives, and how it ends: in order, in time, and with
//! nothing lost that the database would take.

use super::scratch::{Scratch, finish, with_config};
use super::stage::{PATIENCE, Stage, wait_change};
use kick_sim::{Face, Fault};
use lab::{Daemon, Line, Signal, wait_for};
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

/// It has ended well and within the time that it may take; gives what it said last.
#[track_caller]
fn assert_ends_well(daemon: &Daemon) -> Line {
    assert_eq!(daemon.wait_exit(PATIENCE).code(), Some(0));
    let said = daemon.wait_event("stopped", PATIENCE);
    let seconds: f64 = said.key("seconds").parse().expect("it says how long it took");
    assert!(seconds <= 10.0, "{}", said.text);
    said
}

/// Every push connection was closed by the daemon, and as a going away is to be said.
#[track_caller]
fn assert_connections_closed(stage: &Stage, count: usize) {
    assert!(stage.kick.wait_for(PATIENCE, |kick| kick.push_ends().len() == count && kick.connections() == 0));
    let ends = stage.kick.push_ends();
    assert!(ends.iter().all(|end| end.client_code == Some(1000)), "{ends:?}");
}

#[test]
fn it_says_when_it_starts_is_ready_and_stops() {
    for (signal, name) in [(Signal::TERM, "SIGTERM"), (Signal::INT, "SIGINT")] {
        let stage = Stage::with(&["ana", "bea"]);
        let daemon = stage.start(stage.builder().set("PUSHER_CHANNELS_PER_CONNECTION", "1"));
        stage.wait_followed(&["ana", "bea"]);
        ["ana", "bea"].iter().for_each(|username| stage.wait_status(username, "Offline"));
        daemon.signal(signal);
        let stopped = assert_ends_well(&daemon);
        assert_eq!(stopped.key("unwritten"), "0");
        assert_connections_closed(&stage, 2);
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(daemon.events("started")[0].key("version"), version);
        let ready = &daemon.events("ready")[0];
        assert_eq!([ready.key("version"), ready.key("streamers")], [version, "2"]);
        let stopping = &daemon.events("stopping")[0];
        assert_eq!(stopping.key("reason"), name);
        for line in [ready, stopping] {
            assert!(line.key("seconds").parse::<f64>().is_ok(), "{}", line.text);
        }
        let lines = daemon.lines_from(0);
        assert_eq!([&lines[0].event, &lines[lines.len() - 1].event], ["started", "stopped"]);
    }
}

#[test]
fn what_waits_for_the_database_is_written_before_the_end() {
    let names: Vec<String> = (0..30).map(|number| format!("s{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let stage = Stage::with(&names);
    let daemon = stage.start(stage.builder().set("HEARTBEAT_SECS", "1"));
    stage.wait_followed(&names);
    names.iter().for_each(|username| stage.wait_status(username, "Offline"));
    let mut holder = stage.database.client();
    let mut lock = holder.transaction().expect("a transaction begins");
    lock.batch_execute("LOCK TABLE streamers IN EXCLUSIVE MODE").expect("the table is locked");
    for username in &names {
        stage.kick.go_live(username);
    }
    daemon.wait_line(PATIENCE, |line| line.event == "heartbeat" && line.key("pending") == "30");
    daemon.signal(Signal::TERM);
    daemon.wait_event("stopping", PATIENCE);
    lock.commit().expect("the lock is released");
    assert_eq!(assert_ends_well(&daemon).key("unwritten"), "0");
    let online = stage.database.value("SELECT count(*) FROM streamers WHERE status = 'Online'");
    assert_eq!(online.as_deref(), Some("30"));
    assert_connections_closed(&stage, 1);
}

#[test]
fn what_cannot_be_written_before_the_end_is_counted() {
    let stage = Stage::with(&["ana", "bea"]);
    let daemon = stage.watch(&["ana", "bea"]);
    ["ana", "bea"].iter().for_each(|username| stage.wait_status(username, "Offline"));
    let mut holder = stage.database.client();
    let mut lock = holder.transaction().expect("a transaction begins");
    lock.execute("SELECT FROM streamers WHERE username = 'ana' FOR UPDATE", &[]).expect("the row is locked");
    stage.kick.go_live("ana");
    stage.kick.go_live("bea");
    stage.wait_status("bea", "Online");
    daemon.signal(Signal::TERM);
    assert_eq!(assert_ends_well(&daemon).key("unwritten"), "1");
    assert_connections_closed(&stage, 1);
    lock.commit().expect("the lock is released");
    assert_eq!(stage.status("ana").as_deref(), Some("Offline"));
}

#[test]
fn a_silent_kick_does_not_hold_the_end_up() {
    let stage = Stage::with(&["ana"]);
    stage.database.execute("ALTER TABLE streamers ADD channel bigint");
    let channel = stage.kick.ids("ana").channel;
    stage.database.execute(&format!("UPDATE streamers SET channel = {channel}"));
    stage.kick.fault(Face::HTTP, Fault::Silent);
    let builder = stage.builder().set("DB_CHANNEL_ID_COLUMN", "channel").set("REALTIME", "pusher");
    let daemon = builder.start();
    stage.wait_followed(&["ana"]);
    daemon.signal(Signal::TERM);
    assert_ends_well(&daemon);
    assert_connections_closed(&stage, 1);
}

#[test]
fn a_database_that_is_not_there_does_not_hold_the_end_up() {
    let stage = Stage::with(&["ana"]);
    // Nobody listens on the port of the "discard" service here.
    let daemon = stage.builder().set("DATABASE_URL", "postgres://u:p@127.0.0.1:9/d").start();
    daemon.wait_event("db_unavailable", PATIENCE);
    daemon.signal(Signal::TERM);
    assert_eq!(assert_ends_well(&daemon).key("unwritten"), "0");
}

#[test]
fn usr1_reads_the_roster_and_sweeps_at_once() {
    let stage = Stage::with(&["ana"]);
    let daemon = stage.start(stage.builder().set("ROSTER_POLL_SECS", "3600"));
    stage.wait_followed(&["ana"]);
    stage.wait_status("ana", "Offline");
    stage.kick.add("bea");
    stage.insert("bea", None);
    stage.kick.go_live_silently("ana");
    daemon.signal(Signal::USR1);
    stage.wait_status("ana", "Online");
    stage.wait_status("bea", "Offline");
    assert_eq!(wait_change(&daemon, "ana", 2).key("source"), "sweep");
}

#[test]
fn the_heartbeat_says_how_it_is() {
    let stage = Stage::with(&["ana", "bea"]);
    let daemon = stage.start(stage.builder().set("HEARTBEAT_SECS", "1").set("LOG_LEVEL", "info"));
    stage.wait_followed(&["ana", "bea"]);
    ["ana", "bea"].iter().for_each(|username| stage.wait_status(username, "Offline"));
    stage.assert_push_tells(&daemon, "ana");
    let position = daemon.position();
    // The first may have been on its way already.
    let second = || {
        let mut beats = daemon.lines_from(position).into_iter().filter(|line| line.event == "heartbeat");
        beats.nth(1)
    };
    let beat = wait_for("two heartbeats", PATIENCE, second);
    let keys = ["streamers", "online", "subscribed", "connections", "pending"].map(|key| beat.key(key));
    assert_eq!(keys, ["2", "1", "2", "1", "0"]);
    for key in ["token_expires_in", "last_event_ago"] {
        assert!(beat.key(key).parse::<u64>().is_ok(), "{}", beat.text);
    }
    for key in ["latency_p50_ms", "latency_p99_ms"] {
        assert!(beat.key(key).parse::<f64>().is_ok_and(|took| took > 0.0), "{}", beat.text);
    }
}

#[test]
fn the_log_level_is_the_least_that_is_logged() {
    let stage = Stage::with(&["ana"]);
    stage.insert("no name", None);
    let daemon = stage.builder().set("LOG_LEVEL", "warn").start();
    daemon.wait_event("streamer_unusable", PATIENCE);
    stage.wait_status("ana", "Offline");
    daemon.stop(PATIENCE);
    let lines = daemon.lines_from(0);
    assert!(lines.iter().all(|line| line.event == "streamer_unusable"), "{lines:?}");
}

#[test]
fn not_even_a_trace_shows_a_secret() {
    let stage = Stage::with(&["ana"]);
    let daemon = stage.start(stage.builder().set("LOG_LEVEL", "trace"));
    stage.wait_followed(&["ana"]);
    stage.kick.revoke_tokens();
    daemon.signal(Signal::USR1);
    wait_for("another token", PATIENCE, || (daemon.events("token_refreshed").len() == 2).then_some(()));
    daemon.stop(PATIENCE);
    for line in daemon.lines_from(0) {
        // What is no event is a library's.
        assert!(!line.event.is_empty(), "{}", line.text);
        for secret in [stage.kick.client_secret(), "app-token", ":postgres@"] {
            assert!(!line.text.contains(secret), "{}", line.text);
        }
    }
}

#[test]
fn a_hostile_username_is_one_harmless_line() {
    let hostile = [
        "a\nkick-monitor stops event=stopped seconds=0",
        "say \"hi\" event=ready",
        "tab\tand\u{1b}[2Jescape\r",
        "\u{202e}nimda\u{2066}",
        "back\\slash=",
        "line\u{2028}separator\u{85}",
        &"é".repeat(300),
    ];
    let stage = Stage::empty();
    hostile.iter().for_each(|username| stage.insert(username, None));
    let daemon = stage.builder().start();
    let count = hostile.len();
    wait_for("a line for each", PATIENCE, || (daemon.events("streamer_unusable").len() == count).then_some(()));
    // They are reported once, however often the roster is read.
    stage.kick.add("ana");
    stage.insert("ana", None);
    stage.wait_status("ana", "Offline");
    daemon.stop(PATIENCE);
    let mut said: Vec<String> =
        daemon.events("streamer_unusable").iter().map(|line| line.key("username").to_owned()).collect();
    let mut expected: Vec<String> = hostile.iter().map(|name| name.chars().take(200).collect()).collect();
    said.sort();
    expected.sort();
    assert_eq!(said, expected);
    for line in daemon.lines_from(0) {
        let steers = |c: char| c.is_control() || "\u{2028}\u{202e}\u{2066}".contains(c);
        assert!(!line.event.is_empty() && !line.text.contains(steers), "{:?}", line.text);
    }
    assert_eq!(daemon.events("stopped").len(), 1);
    let untouched = "SELECT count(*) FROM streamers WHERE status IS NULL";
    assert_eq!(stage.database.value(untouched), Some(count.to_string()));
}

#[test]
fn the_service_manager_hears_how_it_goes() {
    let stage = Stage::with(&["ana"]);
    let scratch = Scratch::new();
    let manager = UnixDatagram::bind(scratch.path("notify")).expect("a socket can be bound");
    manager.set_read_timeout(Some(PATIENCE)).expect("a time-out can be set");
    let next = || {
        let mut message = [0; 1000];
        let length = manager.recv(&mut message).expect("the daemon says something");
        String::from_utf8_lossy(&message[..length]).into_owned()
    };
    // The watchdog's and the status messages may come at any time between the others.
    let next_step = || loop {
        let message = next();
        if message != "WATCHDOG=1" && !message.starts_with("STATUS=") {
            return message;
        }
    };
    let await_status = |wanted: &str| while next() != format!("STATUS={wanted}") {};
    let builder = stage.builder().environment("NOTIFY_SOCKET", scratch.path("notify").display().to_string());
    let daemon = builder.environment("WATCHDOG_USEC", "1000000").start();
    let first = loop {
        let message = next();
        if message != "WATCHDOG=1" {
            break message;
        }
    };
    assert_eq!(first, "READY=1");
    await_status("ok: 0 of 1 streamers online, 1 subscribed");
    while next() != "WATCHDOG=1" {}
    while next() != "WATCHDOG=1" {}
    stage.kick.go_live("ana");
    await_status("ok: 1 of 1 streamers online, 1 subscribed");
    daemon.signal(Signal::HUP);
    assert!(next_step().starts_with("RELOADING=1"));
    assert_eq!(next_step(), "READY=1");
    daemon.rewrite_config([("SWEEP_SECS", "0")]);
    daemon.signal(Signal::HUP);
    assert!(next_step().starts_with("RELOADING=1"));
    assert_eq!(next_step(), "READY=1", "the old settings are in force");
    daemon.signal(Signal::TERM);
    assert_eq!(next_step(), "STOPPING=1");
    assert_ends_well(&daemon);
}

/// A daemon in the background, ended with this value if need be.
struct Background(u32);

impl Background {
    fn proc(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{name}", self.0))
    }

    /// One that nobody has waited for is a zombie.
    fn has_ended(&self) -> bool {
        fs::read_to_string(self.proc("stat")).map_or(true, |stat| stat.contains(") Z "))
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.0).ok().and_then(rustix::process::Pid::from_raw);
        let _ = rustix::process::kill_process(pid.expect("a process id"), signal);
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if !self.has_ended() {
            self.signal(Signal::KILL);
        }
    }
}

#[test]
fn in_the_background_it_writes_a_pid_file_and_works() {
    let stage = Stage::with(&["ana"]);
    let scratch = Scratch::new();
    let (state, run) = (scratch.path("state"), scratch.path("run"));
    [&state, &run].iter().for_each(|path| fs::create_dir(path).expect("a directory can be made"));
    let settings = stage.kick.settings().into_iter().chain([
        ("DATABASE_URL", stage.database.url()),
        ("STATE_DIR", state.display().to_string()),
        ("RUN_DIR", run.display().to_string()),
        // In the background the log goes to syslog all the same.
        ("LOG_TARGET", "stderr".to_owned()),
    ]);
    let text: String = settings.map(|(key, value)| format!("{key}='{value}'\n")).collect();
    scratch.config(text);
    // Relative paths are those of the starter's directory.
    let start = || {
        let mut command = with_config("run", "config".as_ref(), &["--pid-file", "pid"]);
        finish(command.current_dir(scratch.path("")))
    };
    let started = start();
    assert_eq!((started.code, started.stdout.as_str(), started.stderr.as_str()), (Some(0), "", ""));
    // It is there as soon as the starter has ended.
    let pid = fs::read_to_string(scratch.path("pid")).expect("the pid file is there");
    let daemon = Background(pid.trim_end().parse().expect("it holds a number"));
    assert_eq!(fs::read_link(daemon.proc("cwd")).expect("it runs"), PathBuf::from("/"));
    for stream in ["fd/0", "fd/1", "fd/2"] {
        assert_eq!(fs::read_link(daemon.proc(stream)).expect("it runs"), PathBuf::from("/dev/null"));
    }
    stage.wait_status("ana", "Offline");
    stage.wait_followed(&["ana"]);
    stage.kick.go_live("ana");
    stage.wait_status("ana", "Online");

    let second = start();
    assert_eq!(second.code, Some(1));
    assert!(second.stderr.contains("runs already") && second.stderr.contains(pid.trim_end()), "{}", second.stderr);
    assert_eq!(fs::read_to_string(scratch.path("pid")).ok().as_deref(), Some(pid.as_str()));

    daemon.signal(Signal::HUP);
    daemon.signal(Signal::TERM);
    wait_for("the end of the daemon", PATIENCE, || daemon.has_ended().then_some(()));
    assert!(!scratch.path("pid").exists());
    assert_connections_closed(&stage, 1);
}

#[test]
fn in_the_background_a_bad_configuration_is_told_to_the_starter() {
    let scratch = Scratch::new();
    let config = scratch.config("SWEEP_SECS=0\n");
    let pid_file = scratch.path("pid").display().to_string();
    let ended = finish(&mut with_config("run", &config, &["--pid-file", &pid_file]));
    assert_eq!(ended.code, Some(78));
    assert!(ended.stderr.starts_with(&format!("{}:1: SWEEP_SECS: ", config.display())), "{}", ended.stderr);
    assert!(!scratch.path("pid").exists());
}
