//! What the operator sees: `status` in all its forms, while the daemon runs, fares badly, and is gone.

use super::exposition;
use super::scratch::{Ended, REQUIRED, Scratch, finish, with_config};
use super::stage::{PATIENCE, Stage, wait_snapshot};
use lab::{Cluster, Daemon, Shutdown, wait_for};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;

fn status(daemon: &Daemon, options: &[&str]) -> Ended {
    finish(daemon.command("status").args(options))
}

fn codes(snapshot: &Value) -> Vec<&str> {
    let problems = snapshot["problems"].as_array().expect("a list");
    problems.iter().filter_map(|problem| problem["code"].as_str()).collect()
}

#[test]
fn while_all_is_well_every_form_says_so() {
    let stage = Stage::with(&["ana", "ben"]);
    let daemon = stage.watch(&["ana", "ben"]);
    ["ana", "ben"].iter().for_each(|username| stage.wait_status(username, "Offline"));
    stage.assert_push_tells(&daemon, "ana");
    let seen = wait_snapshot(&daemon, "ana in the status", |seen| {
        seen["counters"]["status_changes_push"] == 1 && seen["streamers"]["subscribed"] == 2 && seen["health"] == "ok"
    });
    let expected =
        json!({ "total": 2, "online": 1, "offline": 1, "unknown": 0, "subscribed": 2, "covered": 2, "unusable": 0 });
    assert_eq!(seen["streamers"], expected);
    assert_eq!((&seen["version"], &seen["pid"]), (&json!(env!("CARGO_PKG_VERSION")), &json!(daemon.pid())));
    assert_eq!(seen["problems"], json!([]));
    assert_eq!((&seen["realtime"]["transport"], &seen["realtime"]["connected"]), (&json!("pusher"), &json!(1)));
    assert_eq!((&seen["database"]["ok"], &seen["database"]["pending_writes"]), (&json!(true), &json!(0)));
    for (part, key) in [
        ("realtime", "last_event_at"),
        ("api", "token_expires_at"),
        ("api", "last_sweep_at"),
        ("database", "last_write_at"),
    ] {
        let time = seen[part][key].as_str().unwrap_or_else(|| panic!("{part}.{key} is {}", seen[part][key]));
        assert!(time.ends_with('Z') && time.len() <= "2026-01-01T00:00:00.000Z".len(), "{time}");
    }
    assert!(seen["latency_ms"]["p50"].is_number() && seen["latency_ms"]["p99"].is_number());
    assert_eq!((&seen["recent"][0]["username"], &seen["recent"][0]["source"]), (&json!("ana"), &json!("push")));

    let screen = status(&daemon, &[]).stdout;
    assert!(screen.starts_with(concat!("kick-monitor ", env!("CARGO_PKG_VERSION"), ": ok (process ")), "{screen}");
    assert!(screen.contains("2: 1 online, 1 offline, 0 not known; 2 subscribed"), "{screen}");
    assert!(!screen.contains('\u{1b}'), "no colours but on a terminal");

    let metrics = exposition::read(&status(&daemon, &["--prometheus"]).stdout);
    for (series, value) in [
        ("kick_monitor_up", 1.0),
        ("kick_monitor_streamers", 2.0),
        ("kick_monitor_streamers_online", 1.0),
        ("kick_monitor_subscriptions", 2.0),
        ("kick_monitor_realtime_connections", 1.0),
        ("kick_monitor_status_changes_total{source=\"push\"}", 1.0),
        ("kick_monitor_push_missed_total", 0.0),
        ("kick_monitor_realtime_reconnects_total", 0.0),
        ("kick_monitor_api_requests_total{endpoint=\"token\",code=\"200\"}", 1.0),
        ("kick_monitor_db_pending_writes", 0.0),
        ("kick_monitor_db_write_errors_total", 0.0),
        ("kick_monitor_change_latency_seconds_count", 1.0),
        ("kick_monitor_health{health=\"ok\"}", 1.0),
    ] {
        assert_eq!(metrics.get(series), Some(&value), "{series}");
    }
    for series in ["kick_monitor_last_sweep_timestamp_seconds", "kick_monitor_token_expiry_timestamp_seconds"] {
        assert!(metrics[series] > 1.7e9, "{series} is {}", metrics[series]);
    }
}

#[test]
fn a_streamer_is_told_with_the_reasons() {
    let stage = Stage::with(&["ana", "ben"]);
    let daemon = stage.watch(&["ana", "ben"]);
    stage.kick.set_api_lag(None);
    let livestream = stage.kick.go_live("ana");
    // By any way to write the name.
    let told = wait_for("ana Online in the status", PATIENCE, || {
        let ended = status(&daemon, &["--json", "https://kick.com/ANA"]);
        let told: Value = serde_json::from_str(&ended.stdout).ok()?;
        (told["status"] == "Online" && told["last_write"]["status"] == "Online").then_some(told)
    });
    let ids = stage.kick.ids("ana");
    assert_eq!((&told["source"], &told["shown"]), (&json!("push"), &json!("Online")));
    assert_eq!((&told["channel_id"], &told["livestream_id"]), (&json!(ids.channel), &json!(livestream)));
    assert!(told["subscribed_at"].is_string() && told["last_push"]["at"].is_string(), "{told}");
    let screen = status(&daemon, &["ana"]);
    assert!(screen.stdout.starts_with("ana (row 1) has been Online since "), "{}", screen.stdout);
    for part in ["told by push", "subscribed on connection 0", "shows Online, last written Online"] {
        assert!(screen.stdout.contains(part), "{part}: {}", screen.stdout);
    }
    assert!(!screen.stdout.contains("ben"), "{}", screen.stdout);
    let nobody = status(&daemon, &["zoe"]);
    assert_eq!((nobody.code, nobody.stdout.as_str()), (Some(1), ""));
    assert!(nobody.stderr.contains("no streamer called zoe"), "{}", nobody.stderr);
}

#[test]
fn a_push_that_is_away_degrades_and_a_database_that_is_away_fails() {
    let cluster = Cluster::start();
    let stage = Stage::on(&cluster).add(&["ana"]);
    let daemon = stage.watch(&["ana"]);
    wait_snapshot(&daemon, "a healthy daemon", |seen| seen["health"] == "ok");
    // At once, and after 5 s; then it heals.
    stage.kick.close_next_push(2, 4001, "no such app");
    stage.kick.close_push(4001, "no such app");
    let seen = wait_snapshot(&daemon, "push refused", |seen| codes(seen) == ["push_refused", "push_down"]);
    assert_eq!(seen["health"], "degraded");
    let screen = status(&daemon, &[]).stdout;
    assert!(screen.contains("push_refused since ") && screen.contains("4001 no such app"), "{screen}");
    assert!(screen.contains("correct REALTIME, PUSHER_URL or PUSHER_APP_KEY"), "{screen}");
    cluster.stop(Shutdown::Fast);
    let seen = wait_snapshot(&daemon, "a database away", |seen| seen["health"] == "failing");
    assert_eq!((codes(&seen)[0], &seen["database"]["ok"]), ("db_unavailable", &json!(false)));
    assert_eq!(status(&daemon, &[]).code, Some(0), "it runs");
    cluster.start_again();
    wait_snapshot(&daemon, "all well again", |seen| seen["health"] == "ok");
}

#[test]
fn a_daemon_that_is_gone_is_not_running_and_leaves_no_metrics_behind() {
    let stage = Stage::with(&["ana"]);
    let scratch = Scratch::new();
    let metrics = scratch.path("kick.prom");
    let daemon = stage.start(stage.builder().set("METRICS_FILE", metrics.display().to_string()));
    let file = |name: &str| daemon.directory().join("run").join(name);
    for path in [file("status.json"), file("streamers.jsonl"), metrics.clone()] {
        wait_for(&path.display().to_string(), PATIENCE, || path.exists().then_some(()));
        let mode = fs::metadata(&path).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o7777, 0o644, "{}", path.display());
        let text = fs::read_to_string(&path).expect("it can be read");
        for secret in [stage.kick.client_secret(), stage.kick.client_id(), "postgres:postgres"] {
            assert!(!text.contains(secret), "{} holds a secret", path.display());
        }
    }
    let up = |path: &_| exposition::read(&fs::read_to_string(path).expect("it is there"))["kick_monitor_up"];
    assert_eq!(up(&metrics), 1.0);
    // On reload, to another file.
    let other = scratch.path("other.prom");
    let text = other.display().to_string();
    daemon.rewrite_config([("METRICS_FILE", text.as_str())]);
    daemon.signal(Signal::HUP);
    wait_for("the other file", PATIENCE, || other.exists().then_some(()));
    assert!(!metrics.exists(), "the first file says for ever that the daemon is up");
    assert!(daemon.stop(PATIENCE).success());
    assert_eq!(up(&other), 0.0);
    let ended = status(&daemon, &["--json"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(3), ""));
    assert!(ended.stderr.contains("not running"), "{}", ended.stderr);

    daemon.start_again();
    wait_for("a status", PATIENCE, || (status(&daemon, &[]).code == Some(0)).then_some(()));
    daemon.signal(Signal::KILL);
    daemon.wait_exit(PATIENCE);
    let ended = status(&daemon, &["--prometheus"]);
    assert_eq!((ended.code, exposition::read(&ended.stdout)["kick_monitor_up"]), (Some(3), 0.0));
    assert!(ended.stderr.contains("has ended"), "{}", ended.stderr);
}

#[test]
fn a_status_that_nobody_writes_any_more_is_stale() {
    let scratch = Scratch::new();
    let config = scratch.config(format!("{REQUIRED}RUN_DIR={}\n", scratch.path("").display()));
    let old = json!({
        "version": "0.0.1", "pid": std::process::id(), "started_at": "2026-01-01T00:00:00Z",
        "written_at": "2026-01-01T00:00:00Z", "health": "ok", "problems": [],
        "streamers": { "total": 0, "online": 0, "offline": 0, "unknown": 0, "subscribed": 0, "unusable": 0 },
        "realtime": { "transport": null, "connections": 0, "connected": 0, "last_event_at": null, "unrecognised_events": [] },
        "api": { "token_expires_at": null, "last_sweep_at": null, "last_sweep_seconds": null, "ready": true },
        "database": { "ok": true, "pending_writes": 0, "last_write_at": null },
        "latency_ms": { "p50": null, "p99": null }, "recent": [],
        "counters": {
            "status_changes_push": 0, "status_changes_sweep": 0, "push_missed": 0, "push_discarded": 0,
            "realtime_reconnects": 0, "subscription_failures": 0, "api_requests": {}, "db_write_errors": 0,
            "change_latency": { "buckets": [], "count": 0, "sum": 0.0 },
        },
    });
    scratch.file("status.json", old.to_string(), 0o644);
    let ended = finish(&mut with_config("status", &config, &[]));
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(3), ""));
    assert!(ended.stderr.contains("old, although process"), "{}", ended.stderr);
    // The clock was set back, and nobody has written since.
    let to_come = old.to_string().replace("\"written_at\":\"2026-", "\"written_at\":\"2996-");
    scratch.file("status.json", to_come, 0o644);
    let ended = finish(&mut with_config("status", &config, &[]));
    assert_eq!(ended.code, Some(3), "{}", ended.stdout);
    assert!(ended.stderr.contains("in the future, although process"), "{}", ended.stderr);
    // A named pipe in the place of a file is no reason to wait.
    let pipe = scratch.path("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).expect("a pipe");
    for command in ["status", "check", "schema"] {
        assert_eq!(finish(&mut with_config(command, &pipe, &[])).code, Some(78), "{command}");
    }
}

#[test]
fn without_a_configuration_it_looks_in_the_default_place() {
    let scratch = Scratch::new();
    let ended = finish(&mut with_config("status", &scratch.path("none"), &[]));
    assert_eq!(ended.code, Some(78), "one that was named is missing: {}", ended.stderr);
    let config = scratch.config("SWEEP_SECS=0\n");
    if rustix::process::getuid().is_root() {
        let mut command = std::process::Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", env!("CARGO_BIN_EXE_kick-monitor")]);
        let ended = finish(command.args(["status", "--config"]).arg(&config).env_clear());
        assert_eq!(ended.code, Some(3), "{}", ended.stderr);
        assert!(
            ended.stderr.contains("/run/kick-monitor") && ended.stderr.contains("ermission denied"),
            "{}",
            ended.stderr
        );
    }
}

#[test]
fn files_that_cannot_be_written_are_said_and_nothing_else_suffers() {
    let stage = Stage::with(&["ana"]);
    let builder = stage.builder().set("STATE_DIR", "/dev/null/state").set("METRICS_FILE", "/dev/null/kick.prom");
    let daemon = stage.start(builder.set("RUN_DIR", "/dev/null/run"));
    for (event, file) in [("state_file", "/dev/null/state"), ("status_file", "/dev/null/run/status.json")] {
        let named = |line: &lab::Line| line.event == event && line.key("file").starts_with(file);
        daemon.wait_line(PATIENCE, named);
    }
    daemon.wait_line(PATIENCE, |line| line.event == "status_file" && line.key("file") == "/dev/null/kick.prom");
    stage.wait_followed(&["ana"]);
    stage.kick.go_live("ana");
    stage.wait_status("ana", "Online");
    assert_eq!(status(&daemon, &[]).code, Some(3));
}

#[test]
fn a_budget_that_is_too_small_and_a_push_that_is_silent_are_problems() {
    let stage = Stage::with(&["ana"]);
    let daemon = stage.builder().set("SWEEP_SECS", "1").set("API_REQUESTS_PER_MINUTE", "1").start();
    daemon.wait_event("sweep_behind", PATIENCE);
    wait_snapshot(&daemon, "a sweep behind", |seen| codes(seen).contains(&"sweep_behind"));

    let names = ["s0", "s1", "s2", "s3", "s4"];
    let stage = Stage::with(&names);
    let daemon = stage.start(stage.builder().set("SWEEP_SECS", "1").set("PUSH_HOLD_SECS", "0"));
    stage.wait_followed(&names);
    for name in names {
        stage.wait_status(name, "Offline");
    }
    // The API tells of each; push does not.
    for name in names {
        stage.kick.go_live_silently(name);
        stage.wait_status(name, "Online");
    }
    daemon.wait_event("push_silent", PATIENCE);
    wait_snapshot(&daemon, "a silent push", |seen| codes(seen).contains(&"push_silent"));
}
