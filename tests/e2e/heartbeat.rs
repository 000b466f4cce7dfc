//! A dead man's switch is asked while the daemon does its work, and not while it fails; the switch itself disturbs
//! nothing, and its address stays secret.

use super::scratch::finish;
use super::stage::{PATIENCE, Stage, wait_snapshot};
use lab::{Builder, Cluster, Shutdown, Signal, wait_for};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

const SECRET: &str = "5f3c0a-secret";

/// A server that remembers the first line of each request.
struct Switch {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    requests: Vec<String>,
    /// The status of the answers; without one, nothing is answered.
    status: Option<u16>,
    /// Connections without an answer.
    held: Vec<TcpStream>,
    over: bool,
}

impl Switch {
    fn start(status: Option<u16>) -> Switch {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it listens");
        let seen = Arc::new(Mutex::new(Seen { status, ..Seen::default() }));
        let shared = Arc::clone(&seen);
        let serve = move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mut seen = shared.lock().unwrap_or_else(PoisonError::into_inner);
                if seen.over {
                    break;
                }
                seen.take(stream);
            }
        };
        std::thread::Builder::new().spawn(serve).expect("a thread can be started");
        Switch { address, seen }
    }

    fn url(&self) -> String {
        format!("http://{}/{SECRET}/?status=up&msg=", self.address)
    }

    fn answer(&self, status: u16) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).status = Some(status);
    }

    fn requests(&self) -> Vec<String> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).requests.clone()
    }

    /// Waits for this number of further requests.
    #[track_caller]
    fn wait_more(&self, count: usize) {
        let before = self.requests().len();
        wait_for("another request", PATIENCE, || (self.requests().len() >= before + count).then_some(()));
    }
}

impl Seen {
    fn take(&mut self, mut stream: TcpStream) {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count > 0) {
            head.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        self.requests.extend(head.lines().next().map(str::to_owned));
        match self.status {
            Some(status) => {
                let answer = format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                let _ = stream.write_all(answer.as_bytes());
            }
            None => self.held.push(stream),
        }
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).over = true;
        // Wakes the thread.
        let _ = TcpStream::connect(self.address);
    }
}

fn asking(stage: &Stage, switch: &Switch) -> Builder {
    stage.builder().set("HEARTBEAT_SECS", "1").set("HEARTBEAT_URL", switch.url())
}

#[test]
fn it_is_asked_while_the_daemon_works_and_not_while_it_fails() {
    let cluster = Cluster::start();
    let stage = Stage::on(&cluster).add(&["ana"]);
    let switch = Switch::start(Some(204));
    let daemon = stage.start(asking(&stage, &switch));
    switch.wait_more(3);
    let expected = format!("GET /{SECRET}/?status=up&msg= HTTP/1.1");
    assert!(switch.requests().iter().all(|line| *line == expected), "{:?}", switch.requests());
    cluster.stop(Shutdown::Fast);
    let failing = wait_snapshot(&daemon, "a failing daemon", |seen| seen["health"] == "failing");
    // One may be on its way. Later, nothing is asked however often it would be time.
    let written = |seen: &Value| seen["written_at"].as_str().and_then(|at| at.parse::<jiff::Timestamp>().ok());
    let later = |seconds: i64| {
        let from = written(&failing).expect("it has a time");
        wait_snapshot(&daemon, "some time to pass", |seen| {
            written(seen).is_some_and(|at| at.duration_since(from).as_secs() >= seconds)
        });
        switch.requests().len()
    };
    let asked = later(3);
    assert_eq!(later(8), asked);
    cluster.start_again();
    switch.wait_more(2);
    assert!(daemon.events("heartbeat_failed").is_empty());
}

#[test]
fn a_failure_is_said_once_without_the_address_and_its_end_too() {
    let stage = Stage::with(&["ana"]);
    let switch = Switch::start(Some(503));
    let daemon = stage.start(asking(&stage, &switch));
    let failed = daemon.wait_event("heartbeat_failed", PATIENCE);
    assert_eq!(failed.key("reason"), "status 503");
    switch.wait_more(2);
    let seen = wait_snapshot(&daemon, "the problem", |seen| seen["problems"][0]["code"] == "heartbeat_url");
    assert_eq!(seen["health"], "ok", "the statuses are right all the same");
    let check = finish(&mut daemon.command("check"));
    assert!(check.stdout.contains("ok   heartbeat: HEARTBEAT_URL is set, and is not asked here"), "{}", check.stdout);
    switch.answer(302);
    daemon.wait_line(PATIENCE, |line| line.event == "heartbeat_failed" && line.key("reason").contains("302"));
    switch.answer(200);
    daemon.wait_event("heartbeat_recovered", PATIENCE);
    wait_snapshot(&daemon, "no problem", |seen| seen["problems"] == json!([]));
    assert_eq!(daemon.events("heartbeat_failed").len(), 2);

    // To nowhere, and to none at all.
    let nowhere = format!("http://127.0.0.1:1/{SECRET}");
    daemon.rewrite_config([("HEARTBEAT_URL", nowhere.as_str())]);
    daemon.signal(Signal::HUP);
    daemon.wait_line(PATIENCE, |line| line.event == "heartbeat_failed" && line.key("reason").contains("refused"));
    wait_snapshot(&daemon, "the problem", |seen| seen["problems"][0]["code"] == "heartbeat_url");
    let told = finish(daemon.command("status").arg("--json")).stdout + &finish(&mut daemon.command("status")).stdout;
    let asked = switch.requests().len();
    daemon.rewrite_config([("HEARTBEAT_URL", "")]);
    daemon.signal(Signal::HUP);
    wait_snapshot(&daemon, "no problem", |seen| seen["problems"] == json!([]));
    assert_eq!(switch.requests().len(), asked);
    // A bad one is refused without being repeated.
    daemon.rewrite_config([("HEARTBEAT_URL", "http://hc.example.org/5f3c0a-secret")]);
    daemon.signal(Signal::HUP);
    let refused = daemon.wait_event("reload_refused", PATIENCE);
    assert_eq!(refused.key("key"), "HEARTBEAT_URL");
    assert!(daemon.stop(PATIENCE).success());
    let lines: String = daemon.lines_from(0).into_iter().map(|line| line.text).collect();
    for (what, text) in [("the log", &lines), ("status", &told), ("check", &check.stdout)] {
        assert!(!text.contains(SECRET), "{what} holds the address: {text}");
    }
}

#[test]
fn one_that_does_not_answer_holds_nothing_up() {
    let stage = Stage::with(&["ana"]);
    let switch = Switch::start(None);
    let daemon = stage.start(asking(&stage, &switch));
    wait_for("a request", PATIENCE, || (!switch.requests().is_empty()).then_some(()));
    stage.wait_followed(&["ana"]);
    stage.wait_status("ana", "Offline");
    stage.assert_push_tells(&daemon, "ana");
    daemon.wait_line(PATIENCE, |line| line.event == "heartbeat_failed" && line.key("reason").contains("timed out"));
    switch.wait_more(1);
    assert!(daemon.stop(PATIENCE).success(), "while a request is out");
    let lines = daemon.lines_from(0).into_iter().skip_while(|line| line.event != "stopping");
    assert_eq!(lines.filter(|line| line.event == "heartbeat_failed").count(), 0, "a stop is no failure");
}
