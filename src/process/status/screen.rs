//! A snapshot, or one streamer of it, as text for people. Pure; text from outside is escaped.

use super::Snapshot;
use crate::domain::ask::ChannelSource;
use crate::domain::problem::Health;
use crate::domain::report::{
    Api, Basis, Change, Coordination, Problem, Report, Sharing, Streamer, Streamers, Told, Trust,
};
use crate::domain::text::{counted, escaped};
use crate::domain::time::Timestamp;
use crate::domain::{Source, Status};
use crate::process::cli::Which;
use crate::process::paint::Paint;
use std::fmt::Write;
use std::time::Duration;

/// The whole snapshot, on one screen.
pub(super) fn whole(snapshot: &Snapshot, now: Timestamp, paint: Paint) -> String {
    let report = &snapshot.report;
    let health = match report.health {
        Health::Ok => paint.good("ok"),
        Health::Degraded => paint.poor("degraded"),
        Health::Failing => paint.bad("failing"),
    };
    let mut page = format!(
        "kick-monitor {}: {health} (process {}, up {})\n",
        snapshot.version,
        snapshot.pid,
        span(since(snapshot.started_at, now))
    );
    if !report.problems.is_empty() {
        line(&mut page, format_args!("\n{}", paint.strong("Problems")));
    }
    for problem in &report.problems {
        page.push_str(&told_problem(problem, now, paint));
    }
    page.push('\n');
    for (name, text) in parts(report, now) {
        line(&mut page, format_args!("{} {text}", paint.strong(&format!("{name:<10}"))));
    }
    if !report.recent.is_empty() {
        line(&mut page, format_args!("\n{}", paint.strong("Last changes")));
    }
    for change in &report.recent {
        let (username, source) = (escaped(&change.username), change.source.word());
        let status = format!("{:<7}", change.status.word());
        line(&mut page, format_args!("  {}  {status}  {username}, by {source}, {}", clock(change.at), lag(change)));
    }
    page
}

/// Whether the streamer has this status.
pub(super) fn is_selected(told: &Streamer, which: Option<Which>) -> bool {
    match which {
        None => true,
        Some(Which::Online) => told.status == Some(Status::Online),
        Some(Which::Offline) => told.status == Some(Status::Offline),
        Some(Which::Unknown) => told.status.is_none(),
    }
}

/// One streamer as one line of five words, for people and for `awk`.
pub(super) fn listed(told: &Streamer) -> String {
    let status = told.status.map_or("Unknown", Status::word);
    let source = match told.source {
        Basis::Push => "push",
        Basis::Sweep => "sweep",
        Basis::Table => "table",
    };
    let covered = if told.covered { "covered" } else { "uncovered" };
    let since = told.since.strftime("%Y-%m-%dT%H:%M:%SZ");
    format!("{:<25} {status:<7} {since} {source:<5} {covered}\n", escaped(&told.name))
}

/// One streamer, and why.
pub(super) fn streamer(told: &Streamer, now: Timestamp, paint: Paint) -> String {
    let status = match told.status {
        Some(Status::Online) => paint.good("Online"),
        Some(Status::Offline) => paint.strong("Offline"),
        None => paint.poor("not known"),
    };
    let why = match told.source {
        Basis::Push => "told by push",
        Basis::Sweep => "told by the API",
        Basis::Table => "the table shows it, and Kick has not confirmed it yet",
    };
    let who = format!("{} (row {})", paint.strong(&escaped(&told.username)), escaped(&told.id));
    let mut page = match &told.status {
        Some(_) => format!("{who} has been {status} since {}: {why}\n", when(told.since, now)),
        None if told.unknown_to_kick => {
            format!("{who}: status {status}; Kick does not know this name (asked again every 10 minutes)\n")
        }
        None => format!("{who}: status {status}; not compared with Kick yet\n"),
    };
    let mut part = |name: &str, texts: Vec<String>| {
        if !texts.is_empty() {
            line(&mut page, format_args!("  {name:<8} {}", texts.join(", ")));
        }
    };
    let known = |name: &str, id: Option<i64>| id.map_or(format!("no {name} yet"), |id| format!("{name} {id}"));
    let mut kick = vec![known("user id", told.user_id), known("channel id", told.channel_id) + &channel_trust(told)];
    kick.extend(told.slug.as_ref().map(|slug| format!("named {} there", escaped(slug))));
    kick.extend(told.unknown_to_kick.then(|| "Kick does not know the name".to_owned()));
    kick.extend(told.livestream_id.map(|id| format!("livestream {id}")));
    kick.extend(told.started_at.map(|at| format!("live since {}", when(at, now))));
    // It was escaped where the report was made.
    kick.extend(told.title.as_ref().map(|title| format!("called \"{title}\"")));
    part("Kick", kick);
    let mut push = vec![match (told.connection, told.subscribed_at) {
        (Some(link), Some(at)) => format!("subscribed on connection {link} since {}", when(at, now)),
        (Some(link), None) => format!("not subscribed yet on connection {link}"),
        (None, _) => "not followed, because the channel id is not known yet; the sweep finds changes".to_owned(),
    }];
    if !told.covered && told.connection.is_some() {
        push.push(
            "does not cover this streamer, who is compared with the API as often as the budget allows".to_owned(),
        );
    }
    push.extend(told.last_push.as_ref().map(|last| format!("last event {}", what(last, now))));
    part("Push", push);
    let subscribed = told.webhook_since.map(|at| format!("subscribed since {}", when(at, now)));
    let delivery = told.last_delivery.as_ref().map(|last| format!("last delivery {}", what(last, now)));
    part("Webhook", subscribed.into_iter().chain(delivery).collect());
    let mut api: Vec<String> =
        told.compared_at.iter().map(|at| format!("last compared at {}", when(*at, now))).collect();
    api.extend(told.last_found.as_ref().map(|found| format!("first reported {}", what(found, now))));
    api.extend(told.doubt.as_ref().map(|doubt| format!("to be confirmed: {}", what(doubt, now))));
    part("API", api);
    let mut table = vec![format!("shows {}", told.shown.map_or("neither status", Status::word))];
    table.extend(told.last_write.as_ref().map(|write| format!("last written {}", what(write, now))));
    table.extend(told.delayed_until.map(|until| {
        let wait = span(since(now, until));
        format!("Offline is written at {} (in {wait}), unless the stream is back by then", clock(until))
    }));
    let pending = told.pending.as_ref().filter(|_| told.delayed_until.is_none());
    table.extend(pending.map(|why| format!("to be written: {why}")));
    part("Table", table);
    page
}

/// How certain the channel id is, and its source.
fn channel_trust(told: &Streamer) -> String {
    let trust = told.channel_trust.map(|trust| match trust {
        Trust::Confirmed => "confirmed",
        Trust::Configured => "not confirmed yet",
        Trust::Suspect => "suspect",
    });
    let source = told.channel_source.map(|source| match source {
        ChannelSource::Table => "from the table",
        ChannelSource::Kept => "kept from before the start",
        ChannelSource::Banner => "from the address of the banner",
        ChannelSource::Website => "told by the website",
        ChannelSource::Channels => "told by the API's /channels",
        ChannelSource::Livestreams => "told by the API's /livestreams",
    });
    let words: Vec<&str> = trust.into_iter().chain(source).collect();
    if words.is_empty() { String::new() } else { format!(" ({})", words.join(", ")) }
}

fn told_problem(problem: &Problem, now: Timestamp, paint: Paint) -> String {
    let code = paint.poor(&problem.code);
    // The text was escaped where the problem was raised.
    format!("  {code} since {}\n      {}\n      {}\n", when(problem.since, now), problem.text, problem.remedy)
}

fn parts(report: &Report, now: Timestamp) -> Vec<(&'static str, String)> {
    let Report { streamers, realtime, api, database, counters, .. } = report;
    let ago = |name: &str, at: Option<Timestamp>| match at {
        Some(at) => format!("{name} {} ago", span(since(at, now))),
        None => format!("no {} yet", name.trim_start_matches("last ")),
    };
    let unusable = if streamers.unusable == 0 {
        String::new()
    } else {
        format!("; {} unusable", counted(streamers.unusable, "row"))
    };
    let sweep =
        api.last_sweep_seconds.map(|seconds| format!(", took {}", span(Duration::from_secs_f64(seconds.max(0.0)))));
    let token = match api.token_expires_at {
        Some(at) if at > now => format!("token expires in {}", span(since(now, at))),
        Some(_) => "the token has expired".to_owned(),
        None => "no token yet".to_owned(),
    };
    let latency = match (report.latency_ms.p50, report.latency_ms.p99) {
        (Some(p50), Some(p99)) => format!("median {p50} ms, 99th percentile {p99} ms, from push to commit"),
        _ => "no change by push yet".to_owned(),
    };
    let transport = match &realtime.transport {
        Some(transport) => {
            format!("{transport}, {} of {}", realtime.connected, counted(realtime.connections, "connection"))
        }
        None => "not connected yet".to_owned(),
    };
    let unrecognised = realtime.unrecognised_events.iter();
    let unrecognised: Vec<String> = unrecognised.map(|it| format!("{} ({})", escaped(&it.name), it.count)).collect();
    let webhooks = report.webhooks.map(|webhooks| {
        let subscriptions = counted(webhooks.subscriptions, "subscription");
        format!("{subscriptions}; {}", ago("last delivery", webhooks.last_delivery_at))
    });
    let mut parts = shards(&report.coordination);
    parts.extend([
        (
            "Streamers",
            format!(
                "{}: {} online, {} offline, {} not known; {} subscribed, {} covered by push{unusable}",
                streamers.total,
                streamers.online,
                streamers.offline,
                streamers.unknown,
                streamers.subscribed,
                streamers.covered
            ),
        ),
        ("Push", format!("{}; {}", transport, ago("last event", realtime.last_event_at))),
        ("API", format!("{}{}; {token}", ago("last sweep", api.last_sweep_at), sweep.unwrap_or_default())),
        ("Compared", compared(streamers, api)),
        (
            "Database",
            format!(
                "{}; {} pending; {}",
                if database.ok { "ok" } else { "not usable" },
                counted(database.pending_writes, "write"),
                ago("last write", database.last_write_at)
            ),
        ),
        ("Latency", latency),
        (
            "Since start",
            format!(
                "{} by push, {} by sweep; {} missed by push, {}, {}",
                counted(counters.status_changes_push, "change"),
                counters.status_changes_sweep,
                counters.push_missed,
                counted(counters.realtime_reconnects, "reconnect"),
                counted(counters.db_write_errors, "write error")
            ),
        ),
    ]);
    parts.extend(webhooks.map(|text| ("Webhooks", text)));
    if !unrecognised.is_empty() {
        let names = unrecognised.join(", ");
        parts.push(("Unknown", format!("push events {names}; see PUSH_LIVE_EVENTS in kick-monitor.env(5)")));
    }
    parts
}

/// The part of the roster that this instance follows; nothing if instances do not share the table.
fn shards(told: &Coordination) -> Vec<(&'static str, String)> {
    let Coordination { held, of, instances, .. } = told;
    let instances = counted(*instances, "instance");
    let text = match told.mode {
        Sharing::Shared if *held == 0 => format!("this instance stands by; others hold all; {instances}"),
        Sharing::Shared => format!("holds {held} of {}; {instances}", counted(*of, "shard")),
        Sharing::Lost => "this instance holds none, and writes nothing until it holds some again".to_owned(),
        Sharing::Misfit => "this instance stands by, because others have another DB_SHARDS".to_owned(),
        Sharing::Off if told.reason.is_some() => "not shared; this instance follows all streamers".to_owned(),
        Sharing::Off | Sharing::Starting => return Vec::new(),
    };
    vec![("Shards", text)]
}

/// How often streamers are compared with the API, and how long ago the oldest comparison was.
fn compared(streamers: &Streamers, api: &Api) -> String {
    let seconds = |seconds: f64| span(Duration::from_secs_f64(seconds.max(0.0)));
    let oldest = match api.comparison_age_seconds.max {
        Some(age) => format!("the oldest comparison was {} ago", seconds(age)),
        None => "no streamer yet".to_owned(),
    };
    match api.uncovered_every_seconds {
        Some(every) => {
            let uncovered = streamers.total.saturating_sub(streamers.covered);
            format!("{uncovered} not covered by push, every {}; {oldest}", seconds(every))
        }
        None => oldest,
    }
}

/// How long after the evidence a change was committed; short times to a tenth of a millisecond.
fn lag(change: &Change) -> String {
    let since = if change.source == Source::Push { "the event" } else { "the answer" };
    let lag = if change.lag_ms < 10.0 {
        format!("{:.1} ms", change.lag_ms.max(0.0))
    } else {
        span(Duration::from_secs_f64(change.lag_ms / 1000.0))
    };
    format!("{lag} after {since}")
}

fn what(told: &Told, now: Timestamp) -> String {
    let by = told.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
    format!("{}{by} at {}", told.status.word(), when(told.at, now))
}

fn when(at: Timestamp, now: Timestamp) -> String {
    format!("{} ({} ago)", clock(at), span(since(at, now)))
}

/// To the second, in UTC, because the reader may be in another time zone than the machine.
fn clock(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

fn since(then: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(then)).unwrap_or_default()
}

/// A span in its two largest units.
pub(in crate::process) fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match () {
        () if days > 0 => format!("{days} d {hours} h"),
        () if seconds >= 3600 => format!("{hours} h {minutes} min"),
        () if seconds >= 60 => format!("{minutes} min {} s", seconds % 60),
        () if seconds >= 10 => format!("{seconds} s"),
        () if seconds >= 1 => format!("{:.1} s", span.as_secs_f64()),
        () => format!("{} ms", span.as_millis()),
    }
}

fn line(page: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(page, "{text}");
}

#[cfg(test)]
mod tests {
    use super::shards;
    use crate::domain::report::{Coordination, Sharing};

    #[test]
    fn the_share_of_this_instance_is_told_where_there_may_be_others() {
        let told = |mode, held, of, instances, reason: Option<&str>| {
            let reason = Option::map(reason, str::to_owned);
            let lines = shards(&Coordination { mode, held, of, instances, reason });
            lines.into_iter().map(|(name, text)| format!("{name}: {text}")).collect::<Vec<_>>().join("\n")
        };
        assert_eq!(told(Sharing::Off, 1, 1, 1, None), "");
        assert_eq!(told(Sharing::Starting, 0, 0, 0, None), "");
        assert_eq!(told(Sharing::Off, 1, 1, 1, Some("why")), "Shards: not shared; this instance follows all streamers");
        assert_eq!(told(Sharing::Shared, 8, 16, 2, None), "Shards: holds 8 of 16 shards; 2 instances");
        assert_eq!(
            told(Sharing::Shared, 0, 1, 3, None),
            "Shards: this instance stands by; others hold all; 3 instances"
        );
        assert!(told(Sharing::Lost, 0, 1, 1, Some("why")).contains("writes nothing"));
        assert!(told(Sharing::Misfit, 0, 1, 1, Some("why")).contains("DB_SHARDS"));
    }
}
