//! Webhooks as an administrator sets them up: Debian's nginx takes Kick's requests by HTTPS, with what
//! `debian/examples/nginx.conf` says, and passes them on to the program. Push does not work, and the API stands still.

use crate::e2e::stage::{PATIENCE, Stage, wait_snapshot};
use crate::e2e::webhooks::address;
use lab::{Daemon, Who, free_port, spawn, wait_for};
use native_tls::{Certificate, TlsConnector};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

/// Where the example expects the program.
const LISTENS: &str = "http://127.0.0.1:8437";

/// A running nginx, gone with this value.
struct Nginx {
    port: u16,
    directory: PathBuf,
    connector: TlsConnector,
    child: Child,
}

impl Nginx {
    /// One that passes on to `to`, as `proxy_pass` has it.
    fn start(name: &str, to: &str) -> Nginx {
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&directory).expect("a directory");
        let [chain, key, authority] = kick_sim::certificate().expect("OpenSSL makes them");
        fs::write(directory.join("chain.pem"), chain).expect("written");
        fs::write(directory.join("key.pem"), key).expect("written");
        let example = include_str!("../../debian/examples/nginx.conf");
        assert_eq!(example.matches(LISTENS).count(), 1, "the example has changed");
        let (port, example) = (free_port(), example.replace(LISTENS, to));
        let own = directory.display();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {own}/{kind};\n"))
            .concat();
        let whole = format!(
            "daemon off;
             user root;
             worker_processes 1;
             pid {own}/pid;
             error_log {own}/error.log;
             events {{}}
             http {{
                 access_log off;
                 {temporary}
                 server {{
                     listen 127.0.0.1:{port} ssl;
                     ssl_certificate {own}/chain.pem;
                     ssl_certificate_key {own}/key.pem;
                     {example}
                 }}
             }}"
        );
        let file = directory.join("nginx.conf");
        fs::write(&file, whole).expect("written");
        let child = spawn(Path::new("/usr/sbin/nginx"), Who::Us, |command| {
            command.arg("-c").arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null())
        });
        let authority = Certificate::from_pem(&authority).expect("a certificate");
        let connector = TlsConnector::builder().add_root_certificate(authority).build().expect("a connector");
        let nginx = Nginx { port, directory, connector, child: child.expect("nginx can be started") };
        wait_for("nginx to serve", PATIENCE, || TcpStream::connect(("127.0.0.1", port)).ok());
        nginx
    }

    /// Sends requests on one connection, and gives the status of each answer.
    fn send(&self, requests: &[String]) -> Vec<u16> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).expect("connected");
        stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
        let mut stream = self.connector.connect("localhost", stream).expect("a TLS connection");
        let mut text = String::new();
        for (n, request) in requests.iter().enumerate() {
            let stays = if n + 1 == requests.len() { "close" } else { "keep-alive" };
            let request = request.replace("Connection: close", &format!("Connection: {stays}"));
            stream.write_all(request.as_bytes()).expect("sent");
            let mut buffer = [0; 4096];
            while text.matches("HTTP/1.1 ").count() <= n {
                let read = stream.read(&mut buffer).expect("an answer");
                assert!(read > 0, "{text}");
                text.push_str(&String::from_utf8_lossy(&buffer[..read]));
            }
        }
        text.split("HTTP/1.1 ").skip(1).map(|answer| answer[..3].parse().expect("a status")).collect()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", fs::read_to_string(self.directory.join("error.log")).unwrap_or_default());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program, which takes webhooks there; everybody is Offline.
fn watch(stage: &Stage, listen: &str, usernames: &[&str]) -> Daemon {
    let daemon = stage.start(stage.unpushed().set("WEBHOOK_LISTEN", listen));
    usernames.iter().for_each(|username| stage.wait_status(username, "Offline"));
    daemon.wait_event("webhook_subscribed", PATIENCE);
    stage.kick.set_api_lag(None);
    daemon
}

#[test]
fn webhooks_come_through_nginx_and_what_is_none_is_stopped_there_or_refused() {
    let all: Vec<String> = (0..20).map(|n| format!("s{n}")).collect();
    let names: Vec<&str> = all.iter().map(String::as_str).collect();
    let stage = Stage::with(&names);
    let address = address();
    let daemon = watch(&stage, &address, &names);
    let nginx = Nginx::start(&stage.database.name().replace('/', "_"), &format!("http://{address}"));
    for name in &names {
        stage.kick.go_live_silently(name);
        assert_eq!(nginx.send(&[stage.kick.delivery(name).request("/kick")]), [200]);
        stage.wait_status(name, "Online");
    }
    // Several on one connection.
    let stop = |name: &&str| {
        stage.kick.stop_silently(name);
        stage.kick.delivery(name).request("/kick")
    };
    let stops: Vec<String> = names.iter().map(stop).collect();
    assert_eq!(nginx.send(&stops), [200; 20]);
    names.iter().for_each(|name| stage.wait_status(name, "Offline"));
    // What is not Kick's, or not new, or no webhook.
    let first = stops[0].clone();
    let forged = stage.kick.delivery("s0").request("/kick").replace("\"is_live\":false", "\"is_live\":true ");
    assert_eq!(nginx.send(&[forged]), [401]);
    assert_eq!(nginx.send(&stops[..1]), [401], "it was sent before");
    assert_eq!(nginx.send(&["GET /kick HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".to_owned()]), [403]);
    assert_eq!(nginx.send(&[first.replace("Content-Length: ", "Content-Length: 9999")]), [413]);
    let line = daemon.wait_event("webhook_refused", PATIENCE);
    assert_eq!(line.key("from"), "127.0.0.1 through 127.0.0.1");
    // nginx stopped the last two.
    let counted = serde_json::json!({"repeated": 1, "signature": 1, "taken": 40});
    wait_snapshot(&daemon, "all of them", |seen| seen["counters"]["webhook_deliveries"] == counted);
    for name in names {
        assert_eq!(stage.written(name), ["Offline", "Online", "Offline"]);
    }
}

#[test]
fn webhooks_come_through_nginx_to_a_socket_file() {
    let stage = Stage::with(&["ana"]);
    let name = format!("{}-socket", stage.database.name().replace('/', "_"));
    let socket = format!("unix:{}/{name}.sock", env!("CARGO_TARGET_TMPDIR"));
    let _daemon = watch(&stage, &socket, &["ana"]);
    // As the example's comment has it.
    let nginx = Nginx::start(&name, &format!("http://{socket}:/kick"));
    stage.kick.go_live_silently("ana");
    assert_eq!(nginx.send(&[stage.kick.delivery("ana").request("/kick")]), [200]);
    stage.wait_status("ana", "Online");
}
