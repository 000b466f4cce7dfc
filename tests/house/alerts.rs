//! What is offered to Prometheus and Grafana is tried with Prometheus' own tool: each alert fires in its case and is
//! silent in its counter-case, and each query of the dashboard is one, about metrics that there are.

use super::{none, read};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

const TESTS: &str = "tests/house/alerts.yml";
const DASHBOARD: &str = "etc/kick-monitor.dashboard.json";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The machine's, or the one that tests/needs.sh has unpacked.
fn promtool() -> PathBuf {
    let unpacked = root().join("target/tools/usr/bin/promtool");
    if unpacked.exists() { unpacked } else { PathBuf::from("promtool") }
}

/// Runs it from the root of the repository.
#[track_caller]
fn accepts(arguments: &[&str]) {
    let output = Command::new(promtool()).args(arguments).current_dir(root()).output();
    let output = output.unwrap_or_else(|error| panic!("there is no promtool ({error}); run: tests/needs.sh"));
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "promtool {}: {said}", arguments.join(" "));
}

#[test]
fn each_alert_fires_in_its_case_and_is_silent_in_its_counter_case() {
    accepts(&["check", "rules", "etc/kick-monitor.rules.yml"]);
    accepts(&["test", "rules", TESTS]);
    // A case in which it fires, and one in which it is silent: at another time, or for another instance.
    let rules = read("etc/kick-monitor.rules.yml");
    let mut fires = BTreeMap::new();
    for alert in rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        fires.insert(alert, (0, 0));
    }
    for case in read(TESTS).split("eval_time: ").skip(1) {
        let name = case.split("alertname: ").nth(1).map(|rest| rest.split([',', '\n']).next().unwrap_or_default());
        let counted = name.and_then(|name| fires.get_mut(name)).unwrap_or_else(|| panic!("no such alert: {case}"));
        if case.contains("exp_alerts: []") { counted.1 += 1 } else { counted.0 += 1 }
    }
    let only_by_instance = ["KickMonitorPushMisses", "KickMonitorSlow"];
    let lacking =
        fires.iter().filter(|(name, (fires, silent))| *fires == 0 || *silent == 0 && !only_by_instance.contains(name));
    none(&lacking.map(|(name, _)| format!("{TESTS}:1: {name} has no case, or no counter-case")).collect::<Vec<_>>());
}

/// Every value of this key, however deep.
fn values<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get(key).and_then(Value::as_str));
            fields.values().for_each(|value| values(value, key, found));
        }
        Value::Array(items) => items.iter().for_each(|value| values(value, key, found)),
        _ => {}
    }
}

/// The queries of the dashboard, with what Grafana puts in: rates over a minute, and any instance.
pub(crate) fn dashboard_queries() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&read(DASHBOARD)).expect("it is JSON");
    let mut queries = Vec::new();
    values(&dashboard, "expr", &mut queries);
    assert!(queries.len() > 15, "they are found: {queries:?}");
    queries.iter().map(|query| query.replace("$__rate_interval", "1m").replace("$instance", ".*")).collect()
}

#[test]
fn each_query_of_the_dashboard_is_one_about_metrics_that_there_are() {
    let manual = read("etc/man/kick-monitor.8.md");
    let mut violations = Vec::new();
    let mut rules = "groups:\n  - name: dashboard\n    rules:\n".to_owned();
    for query in dashboard_queries() {
        for (at, _) in query.match_indices("kick_monitor_") {
            let name = query[at..].split(|c: char| !c.is_ascii_lowercase() && c != '_').next().unwrap_or_default();
            let name = name.strip_suffix("_bucket").unwrap_or(name);
            if !manual.contains(&format!("**{name}** (")) {
                violations.push(format!("{DASHBOARD}:1: no metric {name}: {query}"));
            }
        }
        rules.push_str(&format!("      - record: tried\n        expr: '{}'\n", query.replace('\'', "''")));
    }
    none(&violations);
    let file = std::env::temp_dir().join(format!("kick-dashboard-{:016x}.yml", fastrand::u64(..)));
    std::fs::write(&file, rules).expect("a file can be written");
    accepts(&["check", "rules", "--lint=none", &file.display().to_string()]);
    std::fs::remove_file(&file).expect("it is there");
}
