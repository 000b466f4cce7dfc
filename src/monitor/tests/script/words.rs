//! The words of the transcripts: how a script writes times, ids, entries and failures, and how the outputs are written.

use super::webhooks;
use crate::domain::ask::{BrokerQuery, Failure, FailureKind, Learned, Liveness, Phase, Query, Seen, SeenChannel};
use crate::domain::event::Event;
use crate::domain::push::{EndKind, LinkEvent, LinkId, Push, PushKind, Transport, UnrecognisedEvent};
use crate::domain::report::Report;
use crate::domain::row::{Row, Shown, WriteResult};
use crate::domain::shards::{Coordination, Hold, Shard};
use crate::domain::time::Timestamp;
use crate::domain::way::{Offer, Place, Way};
use crate::domain::{ChannelId, LivestreamId, Now, RowId, Slug, Status, Steady, UserId};
use crate::monitor::{Output, Settings, Starts, Terms};
use std::collections::BTreeSet;
use std::time::Duration;

/// The time of a script.
pub(super) fn at(seconds: f64) -> Now {
    let steady = Duration::from_secs_f64(seconds);
    let wall = Timestamp::from_second(1_767_225_600).expect("2026") + steady;
    Now { steady: Steady::after(steady), wall }
}

pub(super) fn number(text: &str) -> i64 {
    text.parse().expect("a number")
}

fn slug(text: &str) -> Slug {
    Slug::from_username(text).expect("a slug")
}

/// `SLUG/USER/CHANNEL`, the last two optional.
fn ids(text: &str) -> (Slug, Option<UserId>, Option<ChannelId>) {
    let mut parts = text.split('/');
    let name = slug(parts.next().expect("a slug"));
    (name, parts.next().map(|id| UserId(number(id))), parts.next().map(|id| ChannelId(number(id))))
}

pub(super) fn learned(word: &str) -> Learned {
    let (name, user, channel) = ids(word);
    Learned { slug: name.clone(), name, user, channel }
}

pub(super) fn entry(word: &str) -> Seen {
    let (who, what) = word.split_once('=').expect("WHO=WHAT");
    let (who, banner) = who.strip_suffix("/banner").map_or((who, false), |who| (who, true));
    let (slug, user, channel) = ids(who);
    let liveness = match what.split_once('@') {
        Some(("live", time)) => Liveness::Live(Some(at(time.parse().expect("seconds")).wall)),
        _ if what == "live" => Liveness::Live(None),
        _ if what == "offline" => Liveness::Offline,
        _ if what == "null" => Liveness::Unsaid,
        _ => Liveness::Nothing,
    };
    let channel = channel.map(|id| if banner { SeenChannel::Banner(id) } else { SeenChannel::Stated(id) });
    Seen { user, slug: Some(slug), channel, liveness, title: None }
}

fn query(query: &Query) -> String {
    let names = |slugs: &[Slug]| slugs.iter().map(|slug| slug.as_str().to_owned()).collect::<Vec<_>>();
    let users = |users: &[UserId]| users.iter().map(|user| user.to_string()).collect::<Vec<_>>();
    let words = match query {
        Query::ChannelsBySlug(slugs) => names(slugs),
        Query::ChannelsByUser(ids) | Query::Livestreams(ids) | Query::UsersLivestreams(ids) => users(ids),
        Query::Website(slug) => names(std::slice::from_ref(slug)),
    };
    let words = if words.len() > 12 { format!("{} of them", words.len()) } else { words.join(" ") };
    format!("{}: {words}", query.endpoint().word())
}

/// Numbers of shards.
fn numbers(shards: &BTreeSet<Shard>) -> String {
    shards.iter().map(|shard| shard.0.to_string()).collect::<Vec<_>>().join(" ")
}

fn list(channels: &[ChannelId]) -> String {
    channels.iter().map(ChannelId::to_string).collect::<Vec<_>>().join(" ")
}

/// An output as a line of the transcript; `None` for outputs that transcripts leave out.
pub(super) fn said(output: &Output) -> Option<String> {
    Some(match output {
        Output::Ask(_, request) => format!("ask {}", query(&request.query)),
        Output::Write(write) => {
            let apart = if write.apart { " apart" } else { "" };
            let what = if write.start_only { "start" } else { write.status.word() };
            let start = write.started_at.map(|start| start.duration_since(at(0.0).wall).as_secs_f64());
            let start = start.map_or(String::new(), |start| format!(" since {start}"));
            let title = write.title.as_ref().map_or(String::new(), |title| format!(" called {title}"));
            format!("write {} {what} by {}{start}{title}{apart}", write.row, write.source.word())
        }
        Output::Log(Event::Detail { what, .. }) => format!("log detail {what}"),
        Output::Log(event) => {
            let line = event.line();
            let line = line.split_once(" event=").map_or(line.as_str(), |(_, keys)| keys);
            // A release changes no transcript.
            format!("log {}", line.replace(concat!("version=", env!("CARGO_PKG_VERSION")), "version=-"))
        }
        Output::Learn(known) => {
            format!("learn {}/{}/{}", known.slug, or_dash(known.user), or_dash(known.channel))
        }
        Output::OpenLink(link) => format!("open {}", link.0),
        Output::CloseLink(link) => format!("close {}", link.0),
        Output::Subscribe(link, channels) => format!("subscribe {} {}", link.0, list(channels)),
        Output::Unsubscribe(link, channels) => format!("unsubscribe {} {}", link.0, list(channels)),
        Output::AskBroker(request) => match &request.query {
            BrokerQuery::Offers { speaks, .. } => {
                format!("ask realtime: {}", speaks.iter().map(|spoken| spoken.word()).collect::<Vec<_>>().join(" "))
            }
            query @ BrokerQuery::GuestToken { .. } => format!("ask {}", query.word()),
        },
        Output::Go(link, way) => format!("go {} {}", link.0, way.as_ref().map_or("nowhere".to_owned(), shown)),
        Output::Token(link, token) => format!("token {} {token:?}", link.0),
        Output::Remember(offer) => format!("remember {}", offer.transport().word()),
        Output::Recent(rows, until) => {
            let rows: Vec<&str> = rows.iter().map(RowId::as_str).collect();
            let until = until.duration_since(at(0.0).wall).as_secs();
            format!("keep until {until}: {}", rows.join(" "))
        }
        Output::ReadRoster => "read the roster".to_owned(),
        Output::Released { hold, shards } => format!("released {} {}", hold.0, numbers(shards)),
        Output::AskWebhooks(_) | Output::Webhook(_) | Output::Subscribed(..) => return webhooks::said(output),
    })
}

fn shown(way: &Way) -> String {
    match way {
        Way::Pusher { app_key, .. } => format!("pusher:{app_key}"),
        Way::Centrifugo { place } => format!("centrifugo:{}", place.host.trim_end_matches(".kick.com")),
    }
}

/// `pusher:KEY`, or `centrifugo:HOST`.
pub(super) fn offer(word: &str) -> Offer {
    match word.split_once(':').expect("TRANSPORT:WHERE") {
        ("pusher", key) => Offer::Pusher { app_key: key.to_owned(), cluster: "us2".to_owned() },
        (_, host) => Offer::Centrifugo { url: format!("wss://{host}.kick.com/connection") },
    }
}

pub(super) fn shard(word: &str) -> Shard {
    Shard(word.parse().expect("a shard"))
}

/// `held HOLD of SHARDS by INSTANCES [SHARD …]`, `off [REASON]`, `lost REASON`, `misfit REASON`
pub(super) fn coordination(words: &str) -> Coordination {
    let (word, rest) = words.split_once(' ').unwrap_or((words, ""));
    match word {
        "off" => Coordination::Off(Some(rest.to_owned()).filter(|reason| !reason.is_empty())),
        "lost" => Coordination::Lost(rest.to_owned()),
        "misfit" => Coordination::Misfit(rest.to_owned()),
        _ => {
            let words: Vec<&str> = rest.split_whitespace().collect();
            let [hold, "of", of, "by", instances, shards @ ..] = &words[..] else { panic!("HOLD of N by N") };
            let (hold, of) = (Hold(hold.parse().expect("a hold")), shard(of).0);
            let instances = instances.parse().expect("instances");
            Coordination::Held { hold, shards: shards.iter().map(|word| shard(word)).collect(), of, instances }
        }
    }
}

/// `ID[/SHARD]:NAME:STATUS[:CHANNEL[:USER[:START]]]`; a `.` means no value.
pub(super) fn row(word: &str) -> Row {
    let mut fields = word.split(':');
    let mut next = || fields.next().filter(|field| *field != ".");
    let (id, name, shown) = (next().expect("an id"), next(), next());
    let (id, part) = id.split_once('/').unwrap_or((id, "0"));
    Row {
        id: RowId::new(id),
        username: name.unwrap_or("").into(),
        shown: match shown {
            Some("Online") => Shown::Known(Status::Online),
            Some("Offline") => Shown::Known(Status::Offline),
            _ => Shown::Unknown,
        },
        shard: shard(part),
        channel: next().map(|id| ChannelId(number(id))),
        user: next().map(|id| UserId(number(id))),
        started_at: next().map(|start| at(start.parse().expect("seconds")).wall),
        flaw: None,
    }
}

/// `live CHANNEL LIVESTREAM [created@SECONDS|undated] [title=TITLE] [inside=CHANNEL]`, `stop CHANNEL LIVESTREAM …`
pub(super) fn push(now: Now, word: &str, words: &[&str]) -> Push {
    let livestream = LivestreamId(number(words[1]));
    let option = |name: &str| words.iter().find_map(|word| word.strip_prefix(name));
    let created = option("created@").map(|time| at(time.parse().expect("seconds")).wall);
    let what = match word {
        "live" => PushKind::Live {
            livestream,
            created_at: created.or((!words.contains(&"undated")).then_some(now.wall)),
            title: option("title=").map(Into::into),
        },
        _ => PushKind::Stop { livestream },
    };
    Push {
        received: now.steady,
        named: ChannelId(number(words[0])),
        inside: option("inside=").map(|id| ChannelId(number(id))),
        what,
    }
}

/// `400`, `503 [RETRY-AFTER]`, `network`, …
pub(super) fn failure(words: &[&str]) -> Failure {
    let after = words.get(1).map(|secs| Duration::from_secs(secs.parse().expect("seconds")));
    let kind = match words[0] {
        "400" => FailureKind::BadRequest,
        "401" => FailureKind::Unauthorized,
        "403" => FailureKind::Blocked,
        "404" | "410" => FailureKind::NotFound,
        "429" => FailureKind::RateLimited(after),
        "garbage" => FailureKind::Garbage,
        "network" => FailureKind::Network(Phase::Answer),
        "no-token" => FailureKind::NoToken,
        _ => FailureKind::Server(after),
    };
    Failure { kind, status: words[0].parse().ok(), text: words[0].to_owned() }
}

/// The result of a write, by its command.
pub(super) fn result(word: &str) -> WriteResult {
    match word {
        "written" => WriteResult::Written,
        "already" => WriteResult::AlreadySo,
        "gone" => WriteResult::Gone,
        "locked" => WriteResult::Locked,
        "aside" => WriteResult::SetAside,
        "refused" => WriteResult::Refused("23514 too early".to_owned()),
        "timed-out" => WriteResult::TimedOut("57014 canceled; it took 10 s".to_owned()),
        "lapsed" => WriteResult::Lapsed,
        "unavailable" => WriteResult::Unavailable("connection refused".to_owned()),
        _ => panic!("no command {word}"),
    }
}

fn or_dash(id: Option<impl ToString>) -> String {
    id.map_or_else(|| "-".to_owned(), |id| id.to_string())
}

/// The report, one part per line.
pub(super) fn report(told: &Report) -> String {
    let mut said = format!("health {}\n", told.health.word());
    for problem in &told.problems {
        said += &format!("{} since {}: {}\n", problem.code, problem.since, problem.text);
    }
    let json = |part: serde_json::Value| format!("{part}\n");
    let mut counters = serde_json::to_value(&told.counters).expect("it is JSON");
    counters.as_object_mut().expect("an object").retain(|key, count| key != "change_latency" && *count != 0);
    said += &json(serde_json::json!({ "streamers": told.streamers, "realtime": told.realtime }));
    said += &json(serde_json::json!({ "api": told.api, "database": told.database, "latency_ms": told.latency_ms }));
    said += &json(counters);
    for change in &told.recent {
        said += &json(serde_json::json!(change));
    }
    said
}

/// Both transports allowed, and a Pusher server of the script's own.
fn terms() -> Terms {
    let pusher = Place { tls: true, host: "ws-us2.pusher.com".to_owned(), port: 443, path_and_query: String::new() };
    Terms { only: None, pusher, app_key: "configured".to_owned(), broker_is_loopback: false }
}

/// `link N WORD …`: an event in the life of a link, or of a channel on it.
pub(super) fn link_event(words: &[&str], channel: ChannelId) -> LinkEvent {
    let ended = |kind| LinkEvent::Ended { kind, why: words[2..].join(" ") };
    match words[1] {
        "started" => LinkEvent::Started,
        "connected" => LinkEvent::Connected(Transport::Pusher),
        "centrifugo" => LinkEvent::Connected(Transport::Centrifugo),
        "wants-way" => LinkEvent::WantsWay,
        "wants-token" => LinkEvent::WantsToken,
        "refused" => ended(EndKind::Refused),
        "subscribed" => LinkEvent::Subscribed(channel),
        "failed" => LinkEvent::SubscriptionFailed(channel),
        "full" => LinkEvent::Full(channel),
        "unreadable" => LinkEvent::Unreadable,
        "disconnected" => ended(EndKind::Lost),
        other => panic!("no link event {other}"),
    }
}

/// `link=LINK`; link 0 if that is not given.
pub(super) fn link_of(words: &[&str]) -> LinkId {
    let link = words.iter().find_map(|word| word.strip_prefix("link="));
    LinkId(link.map_or(0, |link| link.parse().expect("a link")))
}

/// `unrecognised NAME CHANNEL`
pub(super) fn unrecognised(now: Now, words: &[&str]) -> LinkEvent {
    let [name, channel, ..] = words[..] else { panic!("unrecognised NAME CHANNEL") };
    let (channel, name, sample) = (ChannelId(number(channel)), name.to_owned(), "{}".to_owned());
    LinkEvent::Unrecognised(Box::new(UnrecognisedEvent { channel, name, sample, times: 1, received: now.steady }))
}

/// The settings that a story begins with.
pub(super) fn settings() -> Settings {
    Settings {
        sweep: Duration::from_secs(60),
        // Quick turns have transcripts of their own, which set their pace.
        sweep_uncovered: Duration::from_secs(86_400),
        hold: Duration::from_secs(90),
        offline_delay: Duration::ZERO,
        starts: Starts::Ignored,
        batch: 25,
        requests_per_minute: 600,
        push: terms(),
        webhooks: false,
        heartbeat: None,
        streamers_per_link: 2,
        open_files: 1024,
        kept_files: 100,
        rows_a_turn: 2000,
    }
}
