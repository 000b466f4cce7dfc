//! Further forms of `status`: a line a streamer, a line for a monitoring system, and a screen that is drawn anew.

use super::scratch::{Ended, REQUIRED, Scratch, finish, with_config};
use super::stage::{PATIENCE, Stage, wait_snapshot};
use lab::{Cluster, Shutdown, wait_for};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A directory with the files of a daemon that runs: this process.
struct Told {
    scratch: Scratch,
    config: PathBuf,
}

impl Told {
    fn new(health: &str, problems: &Value) -> Told {
        let scratch = Scratch::new();
        let config = scratch.config(format!("{REQUIRED}RUN_DIR={}\n", scratch.path("").display()));
        let told = Told { scratch, config };
        told.write(health, problems);
        told
    }

    fn write(&self, health: &str, problems: &Value) {
        let now = jiff::Timestamp::now().to_string();
        let whole = json!({
            "version": "0.0.1", "pid": std::process::id(), "started_at": now, "written_at": now,
            "health": health, "problems": problems,
            "streamers": { "total": 3, "online": 1, "offline": 2, "unknown": 0, "subscribed": 3, "covered": 3, "unusable": 0 },
            "realtime": { "transport": "pusher", "connections": 1, "connected": 1, "last_event_at": null },
            "api": { "token_expires_at": null, "last_sweep_at": null, "last_sweep_seconds": null, "ready": true },
            "database": { "ok": true, "pending_writes": 0, "last_write_at": null },
            "latency_ms": { "p50": null, "p99": null }, "recent": [],
            "counters": {
                "status_changes_push": 0, "status_changes_sweep": 0, "push_missed": 0, "push_discarded": 0,
                "realtime_reconnects": 0, "subscription_failures": 0, "api_requests": {}, "db_write_errors": 0,
                "change_latency": { "buckets": [], "count": 0, "sum": 0.0 },
            },
        });
        // In one step, as the daemon does it.
        self.scratch.file("fresh", whole.to_string(), 0o644);
        std::fs::rename(self.scratch.path("fresh"), self.scratch.path("status.json")).expect("it is there");
    }

    fn status(&self, options: &[&str]) -> Ended {
        finish(&mut with_config("status", &self.config, options))
    }
}

fn streamer(name: &str, status: Option<&str>, covered: bool) -> String {
    let told = json!({
        "id": "1", "username": format!("https://kick.com/{name}"), "name": name, "status": status, "source": "push",
        "since": "2026-11-30T08:12:03.5Z", "shown": status, "covered": covered,
    });
    format!("{told}\n")
}

#[test]
fn all_is_a_line_a_streamer_and_can_be_limited_to_a_status() {
    let told = Told::new("ok", &json!([]));
    let missing = told.status(&["--all"]);
    assert_eq!(missing.code, Some(1), "{}", missing.stderr);
    assert!(missing.stderr.contains("try again in a few seconds"), "{}", missing.stderr);
    let all =
        [streamer("ana", Some("Online"), true), streamer("ben", Some("Offline"), true), streamer("cid", None, false)];
    told.scratch.file("streamers.jsonl", all.concat(), 0o644);
    let lines = [
        "ana                       Online  2026-11-30T08:12:03Z push  covered\n",
        "ben                       Offline 2026-11-30T08:12:03Z push  covered\n",
        "cid                       Unknown 2026-11-30T08:12:03Z push  uncovered\n",
    ];
    for (options, wanted) in [
        (&["--all"][..], lines.concat()),
        (&["--all", "--online"], lines[0].to_owned()),
        (&["--offline", "--all"], lines[1].to_owned()),
        (&["--all", "--unknown"], lines[2].to_owned()),
    ] {
        let ended = told.status(options);
        assert_eq!((ended.code, ended.stdout, ended.stderr.as_str()), (Some(0), wanted, ""), "{options:?}");
    }
}

#[test]
fn all_of_a_large_table_is_not_held_and_a_reader_may_leave() {
    const ROWS: usize = 100_000;
    let all: String = (0..ROWS).map(|n| streamer(&format!("name{n}"), Some("Online"), true)).collect();
    // Less memory for data than the file is large. The files are fresh each time, for the list may take seconds.
    let limited = |tail: &str| {
        let told = Told::new("ok", &json!([]));
        told.scratch.file("streamers.jsonl", &all, 0o644);
        let mut shell = Command::new("bash");
        let script =
            format!("set -o pipefail; {{ ulimit -d 12000; exec \"$0\" status --config \"$1\" --all; }} {tail}");
        finish(shell.args(["-c", &script, env!("CARGO_BIN_EXE_kick-monitor")]).arg(&told.config).env_clear())
    };
    assert!(all.len() > 12_000 * 1024, "{}", all.len());
    let ended = limited("| wc -l");
    assert_eq!((ended.code, ended.stdout.trim(), ended.stderr.as_str()), (Some(0), "100000", ""));
    let ended = limited("| head -n 1");
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{}", ended.stdout);
}

#[test]
fn the_list_is_that_of_the_running_daemon() {
    let stage = Stage::with(&["ana", "ben"]);
    let daemon = stage.watch(&["ana", "ben"]);
    ["ana", "ben"].iter().for_each(|username| stage.wait_status(username, "Offline"));
    stage.assert_push_tells(&daemon, "ana");
    let list = wait_for("both in the list", PATIENCE, || {
        let ended = finish(daemon.command("status").arg("--all"));
        (ended.stdout.contains("Online") && ended.stdout.lines().count() == 2).then_some(ended.stdout)
    });
    let words: Vec<Vec<&str>> = list.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!((words[0][0], words[0][1], words[0][3], words[0][4]), ("ana", "Online", "push", "covered"), "{list}");
    assert_eq!((words[1][0], words[1][1]), ("ben", "Offline"), "{list}");
}

#[test]
fn a_monitoring_system_is_told_by_a_line_and_a_code() {
    let problem =
        json!([{ "code": "push_down", "text": "no push", "remedy": "wait", "since": "2026-01-01T00:00:00Z" }]);
    for (health, problems, code, start) in [
        ("ok", &json!([]), 0, "KICK-MONITOR OK - 3 streamers, 1 online, 3 covered by push | streamers=3 online=1 "),
        ("degraded", &problem, 1, "KICK-MONITOR WARNING - degraded: push_down (no push); 3 streamers, "),
        ("failing", &problem, 2, "KICK-MONITOR CRITICAL - failing: push_down (no push); 3 streamers, "),
    ] {
        let ended = Told::new(health, problems).status(&["--check"]);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(code), ""), "{}", ended.stdout);
        assert!(ended.stdout.starts_with(start), "{}", ended.stdout);
        assert_eq!(ended.stdout.lines().count(), 1, "{}", ended.stdout);
    }
    let told = Told::new("ok", &json!([]));
    let unknown = |ended: Ended, why: &str| {
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(3), ""), "{}", ended.stdout);
        assert!(ended.stdout.starts_with("KICK-MONITOR UNKNOWN - ") && ended.stdout.contains(why), "{}", ended.stdout);
        assert_eq!(ended.stdout.lines().count(), 1, "{}", ended.stdout);
    };
    told.scratch.file("status.json", "{}", 0o644);
    unknown(told.status(&["--check"]), "was written by another version");
    std::fs::remove_file(told.scratch.path("status.json")).expect("it is there");
    unknown(told.status(&["--check"]), "not running: ");
    unknown(finish(&mut with_config("status", &told.scratch.path("none"), &["--check"])), "cannot be read");
}

#[test]
fn a_database_that_is_away_is_critical_for_a_monitoring_system() {
    let cluster = Cluster::start();
    let stage = Stage::on(&cluster).add(&["ana"]);
    let daemon = stage.watch(&["ana"]);
    wait_snapshot(&daemon, "a healthy daemon", |seen| seen["health"] == "ok");
    assert_eq!(finish(daemon.command("status").arg("--check")).code, Some(0));
    cluster.stop(Shutdown::Fast);
    wait_snapshot(&daemon, "a failing daemon", |seen| seen["health"] == "failing");
    let ended = finish(daemon.command("status").arg("--check"));
    assert_eq!(ended.code, Some(2), "{}", ended.stdout);
    assert!(ended.stdout.starts_with("KICK-MONITOR CRITICAL - failing: db_unavailable ("), "{}", ended.stdout);
    // Without it, the screen is for people: that it could be shown is all that its code says.
    assert_eq!(finish(&mut daemon.command("status")).code, Some(0));
}

#[test]
fn metrics_that_cannot_be_written_are_a_problem_until_they_can() {
    let stage = Stage::with(&["ana"]);
    let daemon = stage.start(stage.builder().set("METRICS_FILE", "/dev/null/kick.prom"));
    let seen = wait_snapshot(&daemon, "the problem", |seen| seen["problems"][0]["code"] == "metrics_file");
    assert_eq!(seen["health"], "degraded");
    let text = seen["problems"][0]["text"].as_str().unwrap_or_default();
    assert!(text.contains("/dev/null/kick.prom: ") && text.contains("METRICS_FILE"), "{text}");
    let good = daemon.directory().join("kick.prom").display().to_string();
    daemon.rewrite_config([("METRICS_FILE", good.as_str())]);
    daemon.signal(Signal::HUP);
    wait_snapshot(&daemon, "no problem", |seen| seen["health"] == "ok" && seen["problems"] == json!([]));
}

#[test]
fn a_file_that_is_broken_since_the_start_hides_no_daemon() {
    let told = Told::new("ok", &json!([]));
    for broken in ["SWEEP_SECS=0", "SWEEP_SCS=7", "no key", "DATABASE_URL=nonsense"] {
        let run_dir = told.scratch.path("").display().to_string();
        let config = told.scratch.config(format!("{broken}\nRUN_DIR={run_dir}\n"));
        let ended = finish(&mut with_config("status", &config, &[]));
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{broken}");
        assert!(ended.stdout.contains("3: 1 online, 2 offline"), "{}", ended.stdout);
        // What is missing altogether is no reason either: a credential is in the service's environment alone.
        let ended = finish(with_config("status", &config, &["--prometheus"]).env("RUN_DIR", &run_dir));
        assert!(ended.stdout.contains("kick_monitor_up 1"), "{}", ended.stdout);
    }
    // A daemon that does not run is said not to, whatever the file is like.
    let elsewhere = told.scratch.path("elsewhere").display().to_string();
    let config = told.scratch.config(format!("SWEEP_SECS=0\nRUN_DIR={elsewhere}\n"));
    let ended = finish(&mut with_config("status", &config, &["--prometheus"]));
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert!(ended.stdout.contains("kick_monitor_up 0"), "{}", ended.stdout);
    let words = ["not running: ", elsewhere.as_str(), "run: kick-monitor check"];
    assert!(words.iter().all(|word| ended.stderr.contains(word)), "{}", ended.stderr);
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
}

/// A terminal with the program on it.
struct Watching {
    screen: BufReader<std::fs::File>,
    terminal: OwnedFd,
    child: Child,
}

impl Watching {
    fn start(told: &Told, rows: u16) -> Watching {
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a terminal");
        grantpt(&controller).and_then(|()| unlockpt(&controller)).expect("it can be used");
        let name = ptsname(&controller, Vec::new()).expect("it has a name");
        let terminal = rustix::fs::open(&name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty());
        let terminal = terminal.expect("it can be opened");
        tcsetwinsize(&terminal, Winsize { ws_row: rows, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 }).expect("a terminal");
        let copy = || Stdio::from(terminal.try_clone().expect("it can be copied"));
        let mut command = with_config("status", &told.config, &["--watch"]);
        let child = command.env("TERM", "xterm").stdin(copy()).stdout(copy()).stderr(copy()).spawn();
        let child = child.expect("the program can be started");
        Watching { screen: BufReader::new(std::fs::File::from(controller)), terminal, child }
    }

    fn is_raw(&self) -> bool {
        let modes = tcgetattr(&self.terminal).expect("a terminal").local_modes;
        !modes.contains(LocalModes::ICANON | LocalModes::ECHO)
    }

    /// Reads up to the text that ends a page.
    fn page(&mut self) -> String {
        let mut page = Vec::new();
        while !page.ends_with(b"ends this)") {
            let count = self.screen.read_until(b')', &mut page).expect("the program draws");
            assert!(count > 0, "it has ended: {}", String::from_utf8_lossy(&page));
        }
        String::from_utf8(page).expect("it is text")
    }

    fn write(&mut self, key: &[u8]) {
        rustix::io::write(self.screen.get_ref(), key).expect("the terminal takes a key");
    }

    #[track_caller]
    fn ends_and_leaves_the_terminal_as_it_was(mut self) {
        let status = wait_for("the end of the program", PATIENCE, || self.child.try_wait().ok().flatten());
        assert_eq!(status.code(), Some(0));
        let modes = tcgetattr(&self.terminal).expect("a terminal").local_modes;
        assert!(modes.contains(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG), "{modes:?}");
        drop(self.terminal);
        let mut rest = Vec::new();
        // The end of a terminal is an error.
        let _ = std::io::Read::read_to_end(&mut self.screen, &mut rest);
        let rest = String::from_utf8_lossy(&rest).into_owned();
        assert!(rest.ends_with("\u{1b}[?7h\u{1b}[?25h\u{1b}[?1049l"), "{rest:?}");
    }
}

#[test]
fn watch_draws_again_until_a_key_or_a_signal_and_restores_the_terminal() {
    let told = Told::new("ok", &json!([]));
    let mut watching = Watching::start(&told, 24);
    let first = watching.page();
    assert!(first.starts_with("\u{1b}[?1049h\u{1b}[?25l\u{1b}[?7l\u{1b}[Hkick-monitor 0.0.1: "), "{first:?}");
    assert!(first.contains("3: 1 online, 2 offline") && watching.is_raw(), "{first:?}");
    told.write("failing", &json!([]));
    wait_for("another health", PATIENCE, || watching.page().contains("failing").then_some(()));
    std::fs::remove_file(told.scratch.path("status.json")).expect("it is there");
    wait_for("that it is gone", PATIENCE, || watching.page().contains("not running: ").then_some(()));
    watching.write(b"q");
    watching.ends_and_leaves_the_terminal_as_it_was();

    for key in [&b"\x03"[..], b" ", b"\x1b[A"] {
        let mut watching = Watching::start(&told, 24);
        watching.page();
        watching.write(key);
        watching.ends_and_leaves_the_terminal_as_it_was();
    }
    for signal in [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT, Signal::TSTP] {
        let mut watching = Watching::start(&told, 24);
        watching.page();
        kill_process(Pid::from_child(&watching.child), signal).expect("it runs");
        watching.ends_and_leaves_the_terminal_as_it_was();
    }
}

#[test]
fn watch_shows_what_fits_and_follows_the_size_of_the_terminal() {
    let told = Told::new("ok", &json!([]));
    let mut watching = Watching::start(&told, 4);
    let lines = |page: &str| page.matches("\r\n").count();
    assert_eq!(lines(&watching.page()), 3);
    let size = Winsize { ws_row: 9, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&watching.terminal, size).expect("a terminal");
    wait_for("a larger page", PATIENCE, || (lines(&watching.page()) == 8).then_some(()));
    watching.write(b"\n");
    watching.ends_and_leaves_the_terminal_as_it_was();
}

#[test]
fn watch_needs_a_terminal() {
    let told = Told::new("ok", &json!([]));
    let ended = told.status(&["--watch"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
    assert!(ended.stderr.contains("--watch needs a terminal"), "{}", ended.stderr);
}
