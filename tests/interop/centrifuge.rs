//! The official `centrifuge` client against the Centrifugo that stands for Kick's in all tests: what it takes
//! for a server is one.

use super::parts;
use kick_sim::{Kick, Transport};
use lab::{Who, spawn, wait_for};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

/// The running client, gone with this value; when a test fails, it tells what it said.
struct Client {
    child: Child,
    orders: ChildStdin,
    said: Arc<Mutex<Vec<Value>>>,
}

impl Client {
    /// Follows this channel.
    fn start(kick: &Kick, channel: &str) -> Client {
        let url = kick.centrifugo_url();
        let mut child = spawn(Path::new("node"), Who::Us, |command| {
            command
                .arg(parts().join("centrifuge.mjs"))
                .args([url, &kick.realtime_url(), channel])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
        })
        .expect("setpriv can be started");
        let orders = child.stdin.take().expect("standard input is a pipe");
        let out = child.stdout.take().expect("standard output is a pipe");
        let said = Arc::<Mutex<Vec<Value>>>::default();
        let heard = Arc::clone(&said);
        std::thread::Builder::new()
            .spawn(move || {
                for line in BufReader::new(out).lines().map_while(Result::ok) {
                    let line = serde_json::from_str(&line).unwrap_or(Value::String(line));
                    heard.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                }
            })
            .expect("a thread can be started");
        Client { child, orders, said }
    }

    fn order(&mut self, order: &str) {
        writeln!(self.orders, "{order}").expect("it listens");
    }

    /// All that it said of this kind.
    fn all(&self, what: &str) -> Vec<Value> {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.iter().filter(|line| line["what"] == what).cloned().collect()
    }

    /// Waits until it has said so many of this kind, and gives the last of them.
    #[track_caller]
    fn wait(&self, what: &str, count: usize) -> Value {
        wait_for(&format!("{count} times {what}"), LONG, || self.all(what).into_iter().nth(count - 1))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
            said.iter().for_each(|line| eprintln!("the client: {line}"));
        }
    }
}

/// A Kick that pings often, and ana.
fn kick() -> (Kick, String) {
    let kick = Kick::start();
    kick.script_push(|script| script.ping_interval = Duration::from_secs(1));
    let channel = format!("channel.{}", kick.add("ana").channel);
    (kick, channel)
}

#[test]
fn what_kick_says_arrives_and_an_end_of_the_subscription_is_one() {
    let (kick, channel) = kick();
    let mut client = Client::start(&kick, &channel);
    client.wait("subscribed", 1);
    let livestream = kick.go_live("ana");
    let data = &client.wait("publication", 1)["data"];
    assert_eq!(data["event"], "App\\Events\\StreamerIsLive");
    let inner: Value = serde_json::from_str(data["data"].as_str().expect("JSON in a string")).expect("it is JSON");
    assert_eq!(inner["livestream"]["id"], livestream);
    client.order("unsubscribe");
    client.wait("unsubscribed", 1);
    wait_for("nobody to follow", LONG, || kick.subscriptions_on(Transport::Centrifugo).is_empty().then_some(()));
    kick.stop("ana");
    client.order("subscribe");
    client.wait("subscribed", 2);
    kick.go_live("ana");
    client.wait("publication", 2);
    assert_eq!(client.all("publication").len(), 2, "nothing comes to who does not follow");
    assert_eq!(client.all("error"), [] as [Value; 0]);
}

#[test]
fn its_pings_are_answered_and_one_connection_outlives_several_tokens() {
    let (kick, channel) = kick();
    kick.set_guest_lifetime(Duration::from_secs(3));
    let client = Client::start(&kick, &channel);
    // A client that takes a ping for something else, or a server that does not hear the answer, ends before.
    client.wait("token", 4);
    kick.go_live("ana");
    client.wait("publication", 1);
    assert_eq!((client.all("connected").len(), kick.connections_made()), (1, 1));
    assert_eq!(client.all("error"), [] as [Value; 0]);
}

#[test]
fn who_is_sent_away_for_a_while_comes_back_and_who_is_sent_away_for_good_does_not() {
    let (kick, channel) = kick();
    let client = Client::start(&kick, &channel);
    client.wait("subscribed", 1);
    kick.close_push_on(Transport::Centrifugo, 3000, "come back");
    client.wait("subscribed", 2);
    kick.close_push_on(Transport::Centrifugo, 3501, "stay away");
    let said = client.wait("disconnected", 1);
    assert_eq!((&said["code"], &said["reason"]), (&Value::from(3501), &Value::from("stay away")));
    assert_eq!(kick.connections_made(), 2);
}

#[test]
fn a_refused_subscription_is_an_error_and_the_connection_stays() {
    let (kick, _) = kick();
    let client = Client::start(&kick, "private-room");
    let said = client.wait("unsubscribed", 1);
    assert_eq!(said["code"], 103, "{said}");
    assert_eq!(kick.connections_on(Transport::Centrifugo), 1);
}
