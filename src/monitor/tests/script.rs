//! The language of the transcripts: a line in, the machine's outputs out.

use crate::domain::ask::{Answer, Failure, FailureKind, Learned, Liveness, Query, Request, Seen, SeenChannel};
use crate::domain::event::Event;
use crate::domain::push::{LinkEvent, LinkId, Push, PushKind};
use crate::domain::row::{DatabaseEvent, RosterRead, Row, Shown, Write, WriteResult, Written};
use crate::domain::time::Timestamp;
use crate::domain::{ChannelId, LivestreamId, Now, RowId, Slug, Status, Steady, UserId};
use crate::monitor::{Asker, Input, Monitor, Output, Settings};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

/// The machine, the world around it as far as a script says, and what came out.
pub(super) struct Story {
    monitor: Monitor,
    now: Now,
    asked: BTreeMap<Asker, (Request, Now)>,
    writes: Vec<Write>,
    transcript: String,
    quiet: bool,
}

pub(super) fn settings() -> Settings {
    Settings {
        sweep: Duration::from_secs(60),
        hold: Duration::from_secs(90),
        batch: 25,
        requests_per_minute: 600,
        heartbeat: None,
        streamers_per_link: 2,
    }
}

impl Story {
    pub(super) fn new() -> Story {
        let now = at(0.0);
        Story {
            monitor: Monitor::new(now, settings(), 1),
            now,
            asked: BTreeMap::new(),
            writes: Vec::new(),
            transcript: String::new(),
            quiet: false,
        }
    }

    pub(super) fn transcript(&self) -> String {
        format!("\n{}", self.transcript)
    }

    pub(super) fn forget_transcript(&mut self) {
        self.transcript.clear();
    }

    pub(super) fn play(&mut self, script: &str) {
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (time, command) = line.split_once(' ').expect("a time and a command");
            if time != ".." {
                self.wait_until(at(time.parse().expect("seconds")));
            }
            self.command(command.trim());
        }
    }

    /// Lets time pass, waking the machine when it wants to be woken.
    fn wait_until(&mut self, then: Now) {
        assert!(then.steady >= self.now.steady, "time goes forward");
        let mut turns = 0;
        while let Some(wake) = self.monitor.next_wake().filter(|wake| wake.at <= then.steady) {
            turns += 1;
            assert!(turns < 10_000, "the machine does not stop waking for {}", wake.why);
            self.now = at(wake.at.max(self.now.steady).0.as_secs_f64());
            self.now.steady = wake.at.max(self.now.steady);
            self.input(Input::Tick);
        }
        self.now = then;
    }

    fn command(&mut self, command: &str) {
        let (word, rest) = command.split_once(' ').unwrap_or((command, ""));
        let words: Vec<&str> = rest.split_whitespace().collect();
        match word {
            "quiet" => self.quiet = true,
            "loud" => self.quiet = false,
            "until" => {}
            "budget" => {
                let requests_per_minute = words[0].parse().expect("a number");
                self.input(Input::Settings(Settings { requests_per_minute, ..settings() }));
            }
            "relink" => self.input(Input::Relink),
            "learned" => self.input(Input::Learned(words.iter().map(|word| learned(word)).collect())),
            "roster" => self.roster(&words),
            "link" => self.link(&words),
            "live" | "stop" => self.push(word, &words),
            "answer" => self.answer(Asker::Api, &words),
            "website" => self.answer(Asker::Website, &words),
            "fail" => self.fail(Asker::Api, &words),
            "blocked" => self.fail(Asker::Website, &["403"]),
            "asker-died" => self.input(Input::AskerStarted(Asker::Api)),
            "writer-died" => self.input(Input::WriterStarted { lane: 0, lanes: 1 }),
            "sweep" => self.input(Input::SweepNow),
            "token" => self.input(Input::Token(self.now.steady + Duration::from_secs(3600))),
            "database" => self.input(Input::Database(match words[0] {
                "up" => DatabaseEvent::Up,
                "reconnected" => DatabaseEvent::Reconnected,
                _ => DatabaseEvent::Down(words[1..].join(" ")),
            })),
            _ => self.written(word, &words),
        }
    }

    fn input(&mut self, input: Input) {
        for output in self.monitor.handle(self.now, input) {
            self.take(output);
        }
    }

    fn take(&mut self, output: Output) {
        let said = match &output {
            Output::Ask(asker, request) => {
                let before = self.asked.insert(*asker, (request.clone(), self.now));
                assert!(before.is_none(), "two requests at once");
                format!("ask {}", query(&request.query))
            }
            Output::Write(write) => {
                assert!(!self.writes.iter().any(|other| other.row == write.row), "two writes of a row at once");
                self.writes.push(write.clone());
                format!("write {} {} by {}", write.row, write.status.word(), write.source.word())
            }
            Output::Log(Event::Detail { what, .. }) => format!("log detail {what}"),
            Output::Log(event) => {
                let line = event.line();
                format!("log {}", line.split_once(" event=").map_or(line.as_str(), |(_, keys)| keys))
            }
            Output::Learn(known) => {
                format!("learn {}/{:?}/{:?}", known.slug, num(known.user.map(|u| u.0)), num(known.channel.map(|c| c.0)))
            }
            Output::OpenLink(link) => format!("open {}", link.0),
            Output::CloseLink(link) => format!("close {}", link.0),
            Output::Subscribe(link, channels) => format!("subscribe {} {}", link.0, list(channels)),
            Output::Unsubscribe(link, channels) => format!("unsubscribe {} {}", link.0, list(channels)),
            Output::ReadRoster => "read the roster".to_owned(),
            Output::Ready => return,
        };
        if !self.quiet {
            let _ = writeln!(self.transcript, "{:>6.1} {said}", self.now.steady.0.as_secs_f64());
        }
    }

    /// `roster ID:NAME:STATUS[:CHANNEL[:USER]] … [read@SECONDS]`; a `_` in a name stays, a `.` is none.
    fn roster(&mut self, words: &[&str]) {
        let mut started = self.now.steady;
        let mut rows = Vec::new();
        for word in words {
            if let Some(time) = word.strip_prefix("read@") {
                started = at(time.parse().expect("seconds")).steady;
                continue;
            }
            let mut fields = word.split(':');
            let mut next = || fields.next().filter(|field| *field != ".");
            let (id, name, shown) = (next(), next(), next());
            rows.push(Row {
                id: RowId::new(id.expect("an id")),
                username: name.unwrap_or("").to_owned(),
                shown: match shown {
                    Some("Online") => Shown::Known(Status::Online),
                    Some("Offline") => Shown::Known(Status::Offline),
                    _ => Shown::Unknown,
                },
                channel: next().map(|id| ChannelId(number(id))),
                user: next().map(|id| UserId(number(id))),
            });
        }
        self.input(Input::Roster(RosterRead { started, rows }));
    }

    fn link(&mut self, words: &[&str]) {
        let link = LinkId(words[0].parse().expect("a link"));
        for word in words.get(2..).filter(|more| !more.is_empty()).unwrap_or(&["0"]) {
            let channel = ChannelId(number(word));
            self.input(Input::Link(
                link,
                match words[1] {
                    "started" => LinkEvent::Started,
                    "connected" => LinkEvent::Connected,
                    "subscribed" => LinkEvent::Subscribed(channel),
                    "failed" => LinkEvent::SubscriptionFailed(channel),
                    "unreadable" => LinkEvent::Unreadable,
                    _ => LinkEvent::Disconnected,
                },
            ));
        }
    }

    /// `live CHANNEL LIVESTREAM [created@SECONDS] [inside=CHANNEL] [link=N]`, `stop CHANNEL LIVESTREAM …`
    fn push(&mut self, word: &str, words: &[&str]) {
        let livestream = LivestreamId(number(words[1]));
        let option = |name: &str| words.iter().find_map(|word| word.strip_prefix(name));
        let created = option("created@").map(|time| at(time.parse().expect("seconds")).wall);
        let what = match word {
            "live" => PushKind::Live { livestream, created_at: created.or(Some(self.now.wall)) },
            _ => PushKind::Stop { livestream },
        };
        let push = Push {
            received: self.now.steady,
            named: ChannelId(number(words[0])),
            inside: option("inside=").map(|id| ChannelId(number(id))),
            what,
        };
        let link = LinkId(option("link=").map_or(0, |link| link.parse().expect("a link")));
        self.input(Input::Push(link, push));
    }

    /// `answer ENDPOINT SLUG[/USER[/CHANNEL]]=live@SECONDS|live|offline|nothing …`; the endpoint must be
    /// the one that was asked. `asked@SECONDS` makes it an answer to an older question.
    fn answer(&mut self, asker: Asker, words: &[&str]) {
        let (request, mut started) = self.asked.remove(&asker).expect("something was asked");
        if asker == Asker::Api {
            assert_eq!(words[0], request.query.endpoint().word(), "the endpoint that was asked");
        }
        let mut seen = Vec::new();
        for word in words.iter().skip(usize::from(asker == Asker::Api)) {
            match word.strip_prefix("asked@") {
                Some(time) => started = at(time.parse().expect("seconds")),
                None => seen.push(entry(word)),
            }
        }
        self.land(request, started, Ok(seen));
    }

    fn fail(&mut self, asker: Asker, words: &[&str]) {
        let (request, started) = self.asked.remove(&asker).expect("something was asked");
        let status = words[0].parse::<u16>().ok();
        let after = words.get(1).map(|secs| Duration::from_secs(secs.parse().expect("seconds")));
        let kind = match words[0] {
            "400" => FailureKind::BadRequest,
            "401" => FailureKind::Unauthorized,
            "403" => FailureKind::Blocked,
            "404" | "410" => FailureKind::NotFound,
            "429" => FailureKind::RateLimited(after),
            "garbage" => FailureKind::Garbage,
            "network" => FailureKind::Network,
            "no-token" => FailureKind::NoToken,
            _ => FailureKind::Server(after),
        };
        self.land(request, started, Err(Failure { kind, status, text: words[0].to_owned() }));
    }

    fn land(&mut self, request: Request, started: Now, result: Result<Vec<Seen>, Failure>) {
        let answer = Answer { id: request.id, started, finished: self.now, server_date: None, spent: 1, result };
        self.input(Input::Answer(answer));
    }

    /// `written|already|gone|aside|refused|unavailable [ROW …]`: what became of the outstanding writes.
    fn written(&mut self, word: &str, rows: &[&str]) {
        let (of, rest): (Vec<Write>, Vec<Write>) =
            self.writes.drain(..).partition(|write| rows.is_empty() || rows.contains(&write.row.as_str()));
        self.writes = rest;
        assert!(!of.is_empty(), "no write is outstanding for {word} {rows:?}");
        let result = match word {
            "written" => WriteResult::Written,
            "already" => WriteResult::AlreadySo,
            "gone" => WriteResult::Gone,
            "aside" => WriteResult::SetAside,
            "refused" => WriteResult::Refused("23514 too early".to_owned()),
            "unavailable" => WriteResult::Unavailable("connection refused".to_owned()),
            _ => panic!("no command {word}"),
        };
        let results = of.into_iter().map(|write| (write.id, result.clone())).collect();
        self.input(Input::Written(Written { at: self.now, results }));
    }
}

/// The time of a script.
fn at(seconds: f64) -> Now {
    let steady = Duration::from_secs_f64(seconds);
    let wall = Timestamp::from_second(1_767_225_600).expect("2026") + steady;
    Now { steady: Steady(steady), wall }
}

fn number(text: &str) -> i64 {
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

fn learned(word: &str) -> Learned {
    let (name, user, channel) = ids(word);
    Learned { slug: name.clone(), name, user, channel }
}

fn entry(word: &str) -> Seen {
    let (who, what) = word.split_once('=').expect("WHO=WHAT");
    let (who, banner) = who.strip_suffix("/banner").map_or((who, false), |who| (who, true));
    let (slug, user, channel) = ids(who);
    let liveness = match what.split_once('@') {
        Some(("live", time)) => Liveness::Live(Some(at(time.parse().expect("seconds")).wall)),
        _ if what == "live" => Liveness::Live(None),
        _ if what == "offline" => Liveness::Offline,
        _ => Liveness::Nothing,
    };
    let channel = channel.map(|id| if banner { SeenChannel::Banner(id) } else { SeenChannel::Stated(id) });
    Seen { user, slug: Some(slug), channel, liveness }
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

fn list(channels: &[ChannelId]) -> String {
    channels.iter().map(ChannelId::to_string).collect::<Vec<_>>().join(" ")
}

fn num(id: Option<i64>) -> i64 {
    id.unwrap_or(-1)
}
