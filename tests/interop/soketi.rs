//! soketi, a Pusher server, as its users run it: settings in the environment, events by its HTTP API
//! (Pusher's, signed). Everything of it is on 127.0.0.1; it would look for others of its kind elsewhere.

use super::parts;
use lab::{Signal, Who, free_port, spawn, wait_for};
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use rustix::process::{Pid, kill_process};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The key of its only app.
pub(super) const KEY: &str = "a-key-of-ours";
const SECRET: &str = "a-secret-of-ours";
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server, gone with this value.
pub(super) struct Soketi {
    port: u16,
    most: Option<usize>,
    child: Mutex<Child>,
}

impl Soketi {
    /// One that lets in so many at a time.
    pub(super) fn start(most: Option<usize>) -> Soketi {
        let port = free_port();
        let soketi = Soketi { port, most, child: Mutex::new(run(port, most)) };
        soketi.wait_serving();
        soketi
    }

    /// For `PUSHER_URL`.
    pub(super) fn url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.port)
    }

    /// Ends it by this signal.
    pub(super) fn stop(&self, signal: Signal) {
        let mut child = self.child();
        kill_process(Pid::from_child(&child), signal).expect("it runs");
        wait_for("the end of soketi", PATIENCE, || child.try_wait().ok().flatten());
    }

    /// Starts it again at the same port.
    pub(super) fn start_again(&self) {
        *self.child() = run(self.port, self.most);
        self.wait_serving();
    }

    /// How many channels somebody is subscribed to.
    pub(super) fn channels(&self) -> usize {
        let answer = self.call("GET", "/apps/app/channels", "");
        answer["channels"].as_object().map_or(0, serde_json::Map::len)
    }

    /// Has it send an event to who is subscribed to a channel.
    #[track_caller]
    pub(super) fn trigger(&self, channel: &str, event: &str, data: &str) {
        let body = json!({"name": event, "channels": [channel], "data": data}).to_string();
        assert_eq!(self.call("POST", "/apps/app/events", &body), json!({"ok": true}));
    }

    /// One request of its API, signed as Pusher has it.
    #[track_caller]
    fn call(&self, method: &str, path: &str, body: &str) -> Value {
        let time = jiff::Timestamp::now().as_second();
        let mut query = format!("auth_key={KEY}&auth_timestamp={time}&auth_version=1.0");
        if !body.is_empty() {
            let digest = openssl::hash::hash(MessageDigest::md5(), body.as_bytes()).expect("MD5 is there");
            query = format!("{query}&body_md5={}", hex(&digest));
        }
        let key = PKey::hmac(SECRET.as_bytes()).expect("any bytes are a key");
        let mut signer = Signer::new(MessageDigest::sha256(), &key).expect("SHA-256 is there");
        let signature = signer.sign_oneshot_to_vec(format!("{method}\n{path}\n{query}").as_bytes()).expect("signed");
        let url = format!("http://127.0.0.1:{}{path}?{query}&auth_signature={}", self.port, hex(&signature));
        let answer = match method {
            "GET" => ureq::get(&url).call(),
            _ => ureq::post(&url).header("content-type", "application/json").send(body),
        };
        let text = answer.and_then(|mut answer| answer.body_mut().read_to_string());
        let text = text.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("{method} {path}: {text}"))
    }

    fn wait_serving(&self) {
        let url = format!("http://127.0.0.1:{}/", self.port);
        wait_for("soketi to serve", PATIENCE, || {
            let ended = !matches!(self.child().try_wait(), Ok(None));
            assert!(!ended, "soketi has ended");
            ureq::get(&url).call().ok()
        });
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Soketi {
    fn drop(&mut self) {
        let mut child = self.child();
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn run(port: u16, most: Option<usize>) -> Child {
    let (port, cluster_port) = (port.to_string(), free_port().to_string());
    let most = most.map_or("-1".to_owned(), |most| most.to_string());
    let child = spawn(Path::new("node"), Who::Us, |command| {
        command
            .arg(parts().join("node_modules/@soketi/soketi/bin/server.js"))
            .arg("start")
            .current_dir(parts())
            .envs([
                ("SOKETI_HOST", "127.0.0.1"),
                ("SOKETI_CLUSTER_HOST", "127.0.0.1"),
                ("SOKETI_CLUSTER_BROADCAST_ADDRESS", "127.0.0.1"),
                ("SOKETI_CLUSTER_UNICAST_ADDRESSES", "127.0.0.1"),
                ("SOKETI_CLUSTER_PORT", cluster_port.as_str()),
                ("SOKETI_METRICS_ENABLED", "0"),
                ("SOKETI_SHUTDOWN_GRACE_PERIOD", "500"),
                ("SOKETI_PORT", &port),
                ("SOKETI_DEFAULT_APP_ID", "app"),
                ("SOKETI_DEFAULT_APP_KEY", KEY),
                ("SOKETI_DEFAULT_APP_SECRET", SECRET),
                ("SOKETI_DEFAULT_APP_MAX_CONNS", &most),
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
    });
    child.expect("setpriv can be started")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
