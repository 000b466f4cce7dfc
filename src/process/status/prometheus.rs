//! The metrics, in Prometheus' text exposition format, of a snapshot. Pure.
//!
//! Where the values of a label are known in advance, all of its series exist from the start, so that a rate never
//! begins with a gap.

use super::Snapshot;
use crate::domain::ask::Endpoint;
use crate::domain::problem::{CODES, Health};
use crate::domain::report::Histogram;
use crate::domain::text::escaped;
use crate::domain::time::Timestamp;
use crate::domain::webhook::RESULTS;
use std::collections::BTreeSet;
use std::fmt::{Display, Write};

/// The metrics of a daemon that does not run.
pub(super) const DOWN: &str = "\
# HELP kick_monitor_up 1 while the daemon runs, 0 otherwise.
# TYPE kick_monitor_up gauge
kick_monitor_up 0
";

/// All metrics of a snapshot.
pub(super) fn render(snapshot: &Snapshot) -> String {
    let report = &snapshot.report;
    let (streamers, counters) = (&report.streamers, &report.counters);
    let mut page = Page::default();
    page.gauge("up", "1 while the daemon runs, 0 otherwise.", 1);
    page.begin("build_info", "gauge", "The version of the program; always 1.");
    page.series("build_info", &[("version", &snapshot.version)], 1);
    page.time("start_timestamp_seconds", "When the daemon started.", Some(snapshot.started_at));
    page.time("status_timestamp_seconds", "When this status was written.", Some(snapshot.written_at));
    page.begin("health", "gauge", "1 for the current health, 0 for the others.");
    for health in [Health::Ok, Health::Degraded, Health::Failing] {
        page.series("health", &[("health", health.word())], u8::from(health == report.health));
    }
    page.begin("problem", "gauge", "1 while there is this problem.");
    for code in CODES.map(|code| code.facts().code) {
        let there = report.problems.iter().any(|problem| problem.code == code);
        page.series("problem", &[("code", code)], u8::from(there));
    }
    page.gauge("streamers", "Streamers that are followed.", streamers.total);
    page.gauge("streamers_online", "Streamers believed Online.", streamers.online);
    page.gauge("streamers_offline", "Streamers believed Offline.", streamers.offline);
    page.gauge("streamers_unknown", "Streamers whose status is not known yet.", streamers.unknown);
    page.gauge("streamers_unusable", "Rows whose username or id cannot be used.", streamers.unusable);
    page.gauge("subscriptions", "Streamers whose push subscription is confirmed.", streamers.subscribed);
    page.gauge("streamers_covered", "Streamers that push covers.", streamers.covered);
    page.gauge("realtime_connections", "Push connections that are established.", report.realtime.connected);
    page.gauge(
        "realtime_connections_wanted",
        "Push connections that should be established.",
        report.realtime.connections,
    );
    page.counter("realtime_reconnects", "Push connections established again.", counters.realtime_reconnects);
    page.time(
        "last_event_timestamp_seconds",
        "When the last push event of any streamer came.",
        report.realtime.last_event_at,
    );
    let webhooks = report.webhooks.unwrap_or_default();
    page.gauge("webhook_subscriptions", "Streamers with a webhook subscription.", webhooks.subscriptions);
    page.begin("webhook_deliveries_total", "counter", "Requests for webhooks, by result.");
    for result in RESULTS {
        let count = counters.webhook_deliveries.get(result).copied().unwrap_or_default();
        page.series("webhook_deliveries_total", &[("result", result)], count);
    }
    page.time(
        "last_webhook_timestamp_seconds",
        "When the last webhook of any streamer came.",
        webhooks.last_delivery_at,
    );
    page.begin("status_changes_total", "counter", "Status changes written, found by push or by sweep.");
    page.series("status_changes_total", &[("source", "push")], counters.status_changes_push);
    page.series("status_changes_total", &[("source", "sweep")], counters.status_changes_sweep);
    page.counter(
        "push_missed",
        "Changes that push should have reported, and another source did.",
        counters.push_missed,
    );
    page.counter("push_discarded", "Push events that could not be used.", counters.push_discarded);
    page.counter(
        "subscription_failures",
        "Push subscriptions refused or not acknowledged.",
        counters.subscription_failures,
    );
    page.requests(snapshot);
    page.gauge("db_up", "1 while the database can be read and written.", u8::from(report.database.ok));
    page.gauge("db_pending_writes", "Streamers whose change is not written yet.", report.database.pending_writes);
    page.counter("db_write_errors", "Rows refused and statements failed.", counters.db_write_errors);
    page.time("last_write_timestamp_seconds", "When the last change was committed.", report.database.last_write_at);
    page.time("last_sweep_timestamp_seconds", "When all streamers had last been compared.", report.api.last_sweep_at);
    page.gauge("sweep_interval_seconds", "How often all streamers are to be compared.", snapshot.sweep_every_seconds);
    if let Some(seconds) = report.api.last_sweep_seconds {
        page.gauge("last_sweep_duration_seconds", "How long that took.", seconds);
    }
    page.begin("comparison_age_seconds", "summary", "How long ago the streamers were last compared with the API.");
    let age = report.api.comparison_age_seconds;
    for (quantile, age) in [("0.5", age.p50), ("0.99", age.p99), ("1", age.max)] {
        page.series("comparison_age_seconds", &[("quantile", quantile)], age.unwrap_or(f64::NAN));
    }
    let shared = &report.coordination;
    page.gauge("shards_held", "Shards of the roster that this instance holds.", shared.held);
    page.gauge("shards", "Shards of the roster.", shared.of);
    page.gauge("instances", "Instances that share the table.", shared.instances);
    page.time("token_expiry_timestamp_seconds", "When the token in use ends.", report.api.token_expires_at);
    page.histogram("change_latency_seconds", "Time from the push frame to the commit.", &counters.change_latency);
    page.0
}

/// The text so far.
#[derive(Default)]
struct Page(String);

impl Page {
    /// `name` is without `kick_monitor_`.
    fn begin(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(self.0, "# HELP kick_monitor_{name} {help}\n# TYPE kick_monitor_{name} {kind}");
    }

    fn series(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", label(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.0, "kick_monitor_{name}{labels} {value}");
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.begin(name, "gauge", help);
        self.series(name, &[], value);
    }

    /// `name` is without `_total`.
    fn counter(&mut self, name: &str, help: &str, value: u64) {
        let name = format!("{name}_total");
        self.begin(&name, "counter", help);
        self.series(&name, &[], value);
    }

    /// A point in time, in seconds since 1970; 0 if it is not known yet.
    fn time(&mut self, name: &str, help: &str, at: Option<Timestamp>) {
        let seconds = at.map_or(0.0, |at| at.as_millisecond() as f64 / 1000.0);
        self.gauge(name, help, seconds);
    }

    fn requests(&mut self, snapshot: &Snapshot) {
        self.begin("api_requests_total", "counter", "Requests to Kick, by endpoint and HTTP status; none: no answer.");
        let counted = &snapshot.report.counters.api_requests;
        let api = [Endpoint::Channels, Endpoint::Livestreams, Endpoint::UsersLivestreams, Endpoint::Website];
        let webhooks = ["public_key", "subscriptions"].into_iter().filter(|_| snapshot.report.webhooks.is_some());
        let always = api.map(Endpoint::word).into_iter().chain(["token"]).chain(webhooks);
        let endpoints: BTreeSet<&str> = always.chain(counted.keys().map(String::as_str)).collect();
        for endpoint in endpoints {
            let codes = counted.get(endpoint);
            if codes.is_none_or(|codes| !codes.contains_key("200")) {
                self.series("api_requests_total", &[("endpoint", endpoint), ("code", "200")], 0);
            }
            for (code, count) in codes.into_iter().flatten() {
                self.series("api_requests_total", &[("endpoint", endpoint), ("code", code)], count);
            }
        }
    }

    fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        self.begin(name, "histogram", help);
        let bucket = format!("{name}_bucket");
        for (bound, count) in &histogram.buckets {
            self.series(&bucket, &[("le", &bound.to_string())], count);
        }
        self.series(&bucket, &[("le", "+Inf")], histogram.count);
        self.series(&format!("{name}_sum"), &[], histogram.sum);
        self.series(&format!("{name}_count"), &[], histogram.count);
    }
}

/// A label's value, escaped. No value comes from the table.
fn label(value: &str) -> String {
    escaped(value).replace('\\', "\\\\").replace('"', "\\\"")
}
