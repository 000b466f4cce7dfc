//! Debian's Prometheus reads the metrics of the real program, evaluates the alerts, and answers each query of the
//! dashboard. The metrics reach it by HTTP, as the node exporter would pass them on.

use crate::e2e::stage::{PATIENCE, Stage};
use crate::house::alerts::dashboard_queries;
use lab::{Who, free_port, spawn, wait_for};
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

/// A running Prometheus, gone with this value.
struct Prometheus {
    port: u16,
    directory: PathBuf,
    child: Child,
}

impl Prometheus {
    /// One that reads the metrics there every second.
    fn start(name: &str, exporter: u16) -> Prometheus {
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&directory).expect("a directory");
        let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("etc/kick-monitor.rules.yml");
        let (own, rules, port) = (directory.display(), rules.display(), free_port());
        let config = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: ['{rules}']
scrape_configs: [{{job_name: node, static_configs: [{{targets: ['127.0.0.1:{exporter}']}}]}}]
"
        );
        fs::write(directory.join("prometheus.yml"), config).expect("written");
        let log = fs::File::create(directory.join("log")).expect("a file");
        let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/usr/bin/prometheus");
        let program = if unpacked.exists() { unpacked } else { PathBuf::from("prometheus") };
        let child = spawn(&program, Who::Us, |command: &mut Command| {
            command
                .arg(format!("--config.file={own}/prometheus.yml"))
                .arg(format!("--storage.tsdb.path={own}/data"))
                .arg(format!("--web.listen-address=127.0.0.1:{port}"))
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log)
        });
        Prometheus { port, directory, child: child.expect("prometheus can be started; run: make interop") }
    }

    fn get(&self, path: &str, query: &[(&str, &str)]) -> Option<Value> {
        let request = ureq::get(format!("http://127.0.0.1:{}/api/v1/{path}", self.port));
        let answer = request.query_pairs(query.iter().copied()).call().ok()?.body_mut().read_to_string().ok()?;
        serde_json::from_str(&answer).ok()
    }

    /// The series that a query yields now. `None` if it is refused.
    fn query(&self, query: &str) -> Option<Vec<Value>> {
        self.get("query", &[("query", query)])?["data"]["result"].as_array().cloned()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", fs::read_to_string(self.directory.join("log")).unwrap_or_default());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Serves the file's current content to every client, until `done`.
fn export(listener: &TcpListener, metrics: &Path, done: &AtomicBool) {
    for mut client in listener.incoming().take_while(|_| !done.load(Ordering::Relaxed)).filter_map(Result::ok) {
        let _ = client.read(&mut [0; 4096]);
        let text = fs::read_to_string(metrics).unwrap_or_default();
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nConnection: close\r\n";
        let _ = write!(client, "{head}Content-Length: {}\r\n\r\n{text}", text.len());
    }
}

/// Ends what serves at this port, also when a test fails.
struct Done<'a>(&'a AtomicBool, u16);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.1));
    }
}

#[test]
fn a_real_prometheus_answers_each_query_of_the_dashboard_and_evaluates_the_alerts() {
    let stage = Stage::with(&["ana", "bea"]);
    // A problem, or there would be nothing to show of those.
    stage.database.execute("INSERT INTO streamers (username) VALUES ('nobody-there')");
    let name = stage.database.name().replace('/', "_");
    let metrics = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.prom"));
    let _daemon = stage.start(stage.builder().set("METRICS_FILE", metrics.display().to_string()));
    stage.wait_followed(&["ana", "bea"]);
    stage.kick.go_live("ana");
    stage.wait_status("ana", "Online");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let prometheus = Prometheus::start(&format!("{name}-prometheus"), port);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| export(&listener, &metrics, &done));
        let _done = Done(&done, port);
        check(&prometheus);
    });
    let _ = fs::remove_file(metrics);
}

fn check(prometheus: &Prometheus) {
    // The file is written every 15 s.
    wait_for("the change", PATIENCE, || {
        let changes = prometheus.query("sum(kick_monitor_status_changes_total) > 0")?;
        (!changes.is_empty()).then_some(())
    });
    for query in dashboard_queries() {
        wait_for(&format!("an answer to {query}"), PATIENCE, || {
            let series = prometheus.query(&query)?;
            (!series.is_empty()).then_some(())
        });
    }
    let rules = wait_for("the alerts to be evaluated", PATIENCE, || {
        let groups = prometheus.get("rules", &[])?["data"]["groups"].as_array().cloned()?;
        let rules = groups.iter().filter_map(|group| group["rules"].as_array()).flatten();
        let rules: Vec<Value> = rules.cloned().collect();
        (!rules.is_empty() && rules.iter().all(|rule| rule["health"] != "unknown")).then_some(rules)
    });
    let ill = |rule: &&Value| rule["health"] != "ok" || rule["state"] == "firing";
    let ill: Vec<&Value> = rules.iter().filter(ill).collect();
    assert!(ill.is_empty(), "{ill:?}");
}
