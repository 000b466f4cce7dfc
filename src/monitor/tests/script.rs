//! The language of the transcripts: commands in, the core's outputs out. `Story::command` is the list of commands.

mod kick;
mod webhooks;
mod words;

use crate::domain::ask::{Answer, BrokerQuery, Failure, FailureKind, Offered, Request, Seen};
use crate::domain::event::Event;
use crate::domain::push::{LinkId, Transport};
use crate::domain::row::{DatabaseEvent, Recent, RosterRead, Write, Written};
use crate::domain::secret::Secret;
use crate::domain::shards::{Coordination, Scope};
use crate::domain::{ChannelId, Now, RowId};
use crate::monitor::{Asker, Input, Monitor, Output, Settings, Starts};
use kick::Kick;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;
use words::{
    at, coordination, entry, failure, learned, link_event, link_of, number, offer, push, report, result, row, said,
    settings, shard, unrecognised,
};

/// The core, the world around it as far as a script describes it, and the transcript.
pub(super) struct Story {
    monitor: Monitor,
    settings: Settings,
    now: Now,
    asked: BTreeMap<Asker, (Request, Now)>,
    broker_asked: Option<(Request<BrokerQuery>, Now)>,
    webhooks: webhooks::Webhooks,
    writes: Vec<Write>,
    transcript: String,
    /// Nothing is written to the transcript.
    quiet: bool,
    /// Kick and the database answer by themselves, at once.
    auto: bool,
    /// Requests are written to the transcript although they are answered by themselves.
    asks: bool,
    kick: Kick,
    /// The number of requests and wake-ups since the last count.
    counts: BTreeMap<&'static str, usize>,
    /// The list of recent changes is written to the transcript.
    kept: bool,
    /// How far Kick's clock is ahead of ours, if its answers have a date.
    date: Option<jiff::SignedDuration>,
}

impl Story {
    pub(super) fn new() -> Story {
        let now = at(0.0);
        let settings = settings();
        let mut monitor = Monitor::new(now, settings.clone(), 1);
        monitor.handle(now, Input::Coordination(Coordination::Off(None)));
        Story {
            monitor,
            settings,
            now,
            asked: BTreeMap::new(),
            broker_asked: None,
            webhooks: webhooks::Webhooks::default(),
            writes: Vec::new(),
            transcript: String::new(),
            quiet: false,
            auto: false,
            asks: false,
            kick: Kick::default(),
            counts: BTreeMap::new(),
            kept: false,
            date: None,
        }
    }

    pub(super) fn transcript(&self) -> String {
        let said = if self.transcript.is_empty() { "nothing\n" } else { &self.transcript };
        format!("\n{said}")
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

    /// Lets time pass, and wakes the core when it wants to be woken.
    fn wait_until(&mut self, then: Now) {
        assert!(then.steady >= self.now.steady, "time goes forward");
        let mut turns = 0;
        while let Some(wake) = self.monitor.next_wake().filter(|wake| wake.at <= then.steady) {
            turns += 1;
            assert!(turns < 10_000, "the machine does not stop waking for {}", wake.why);
            *self.counts.entry("wakes").or_default() += 1;
            let steady = wake.at.max(self.now.steady);
            self.now = Now { steady, ..at(steady.elapsed().as_secs_f64()) };
            self.input(Input::Tick);
        }
        self.now = then;
    }

    /// Carries out one command. Commands without arguments come first, then those that set up the world, then those
    /// about events in it.
    fn command(&mut self, command: &str) {
        let (word, rest) = command.split_once(' ').unwrap_or((command, ""));
        let words: Vec<&str> = rest.split_whitespace().collect();
        match word {
            "quiet" | "loud" => self.quiet = word == "quiet",
            "until" => {}
            "tick" => self.input(Input::Tick),
            "count" => self.count(),
            "auto" => self.let_the_world_answer(words == ["asks"]),
            "manual" => self.auto = false,
            "kick" => self.show("", &words),
            "kick-at" => self.show(words[0], &words[1..]),
            "down" => self.kick.fail(words[0], Some(&words[1..].join(" "))),
            "up" => self.kick.fail(words[0], None),
            "poison" => self.kick.poison(words[0], words[1], Some(words[2])),
            "cure" => self.kick.poison(words[0], words[1], None),
            "kick-clock" => self.date = Some(jiff::SignedDuration::from_secs(number(words[0]))),
            "set" => self.set(&words),
            "relink" => self.input(Input::Relink),
            "only" => self.settings.push.only = Transport::from_word(words[0]),
            "worked" => self.input(Input::Remembered(offer(words[0]))),
            "offers" => self.broker_answers(Ok(Offered::Offers(words.iter().map(|word| offer(word)).collect()))),
            "token-given" => self.broker_answers(Ok(Offered::Token(Secret::new(words[0])))),
            "broker-fail" => self.broker_answers(Err(failure(&words))),
            "broker-died" => {
                self.broker_asked = None;
                self.input(Input::BrokerStarted);
            }
            "recent" => self.input(Input::Recent(match words[..] {
                ["any"] => Recent::Any,
                _ => Recent::Rows(words.iter().map(|row| RowId::new(row)).collect()),
            })),
            "kept" => self.kept = true,
            "shards" => self.input(Input::Coordination(coordination(rest))),
            "learned" => self.input(Input::Learned(words.iter().map(|word| learned(word)).collect())),
            "roster" => self.roster(&words),
            "link" => self.link(&words),
            "unrecognised" => self.input(Input::Link(link_of(&words), unrecognised(self.now, &words))),
            "live" | "stop" => self.input(Input::Push(link_of(&words), push(self.now, word, &words))),
            "answer" => self.answer(Asker::Api, &words),
            "website" => self.answer(Asker::Website, &words),
            "fail" => self.fail(Asker::Api, &words),
            "website-fail" => self.fail(Asker::Website, &words),
            "asker-died" => {
                let asker = if words == ["website"] { Asker::Website } else { Asker::Api };
                self.asked.remove(&asker);
                self.input(Input::AskerStarted(asker));
            }
            "writer-died" => {
                self.writes.clear();
                self.input(Input::WriterStarted { lane: 0, lanes: 1 });
            }
            "writers" => {
                let lanes = number(words[0]) as usize;
                (0..lanes).for_each(|lane| self.input(Input::WriterStarted { lane, lanes }));
            }
            "locked-until" => self.find_locked(at(words[0].parse().expect("seconds"))),
            "sweep" => self.input(Input::SweepNow),
            "report" => self.report(),
            "tell" => self.tell(words[0]),
            "token-refused" => self.token_failed(Some(401), true),
            "token-failed" => self.token_failed(Some(503), false),
            "listening" => self.input(Input::Listening((!rest.is_empty()).then(|| rest.to_owned()))),
            "token" => self.input(Input::Token(self.now.steady + Duration::from_secs(3600))),
            "database" => self.input(Input::Database(match words[0] {
                "up" => DatabaseEvent::Up,
                "reconnected" => DatabaseEvent::Reconnected,
                _ => DatabaseEvent::Down(words[1..].join(" ")),
            })),
            _ if self.about_webhooks(word, &words) => {}
            _ => self.written(word, &words),
        }
    }

    fn input(&mut self, input: Input) {
        for output in self.monitor.handle(self.now, input) {
            self.take(&output);
        }
        while self.auto && self.answer_one() {}
    }

    fn take(&mut self, output: &Output) {
        match output {
            Output::Ask(asker, request) => {
                *self.counts.entry(request.query.endpoint().word()).or_default() += 1;
                let before = self.asked.insert(*asker, (request.clone(), self.now));
                assert!(before.is_none(), "two requests at once");
            }
            Output::AskBroker(request) => {
                assert!(self.broker_asked.replace((request.clone(), self.now)).is_none(), "two requests at once");
            }
            Output::AskWebhooks(request) => self.ask_webhooks(request),
            Output::Write(write) => {
                assert!(!self.writes.iter().any(|other| other.row == write.row), "two writes of a row at once");
                self.writes.push(write.clone());
            }
            _ => {}
        }
        let routine = matches!(
            output,
            Output::Ask(..) | Output::Log(Event::SweepDone { .. } | Event::StatusChanged { .. }) | Output::Learn(_)
        );
        if self.auto && routine && !(self.asks && matches!(output, Output::Ask(..))) {
            return;
        }
        if let Some(line) = said(output).filter(|_| self.kept || !matches!(output, Output::Recent(..))) {
            self.write_down(&line);
        }
    }

    fn write_down(&mut self, line: &str) {
        if !self.quiet {
            let _ = writeln!(self.transcript, "{:<6.1} {line}", self.now.steady.elapsed().as_secs_f64());
        }
    }

    /// Writes how often Kick was asked since the last count, and how often the core was woken.
    fn count(&mut self) {
        let counts: Vec<String> =
            std::mem::take(&mut self.counts).into_iter().map(|(what, times)| format!("{what} {times}")).collect();
        self.write_down(&format!("counted: {}", counts.join(", ")));
    }

    /// `auto`: from now on Kick answers as `kick` set it up, and every write succeeds, at once and without a line in
    /// the transcript. `auto asks`: with a line for each request.
    fn let_the_world_answer(&mut self, asks: bool) {
        self.auto = true;
        self.asks = asks;
        while self.answer_one() {}
    }

    /// Answers one request or write, if any is out.
    fn answer_one(&mut self) -> bool {
        if let Some((_, (request, started))) = self.asked.pop_first() {
            let result = self.kick.answer(&request.query);
            self.land(request, started, result);
            return true;
        }
        if !self.writes.is_empty() {
            self.written("written", &[]);
            return true;
        }
        self.answer_webhooks()
    }

    /// The report, without its histogram.
    fn report(&mut self) {
        let said = report(&self.monitor.report(self.now));
        said.lines().for_each(|line| self.write_down(line));
    }

    /// `tell ROW`: the report on one streamer.
    fn tell(&mut self, row: &str) {
        let page = self.monitor.page(self.now, None, usize::MAX);
        let streamer = page.iter().find(|streamer| streamer.id == row).expect("a streamer");
        self.write_down(&serde_json::to_string(streamer).expect("it is JSON"));
    }

    fn token_failed(&mut self, status: Option<u16>, refused: bool) {
        let reason = if refused { "invalid_client" } else { "status 503: the server failed" };
        self.input(Input::TokenFailed { status, reason: reason.to_owned(), refused });
    }

    /// `kick WHO=WHAT …` for all endpoints, `kick-at ENDPOINT WHO=WHAT …` for one; `=missing` for no entry.
    fn show(&mut self, endpoint: &str, words: &[&str]) {
        for word in words {
            let seen = entry(word);
            let slug = seen.slug.clone().expect("a slug");
            self.kick.show(endpoint, &slug, Some(seen).filter(|_| !word.ends_with("=missing")));
        }
    }

    /// `set KEY=NUMBER …`
    fn set(&mut self, words: &[&str]) {
        for word in words {
            let (key, value) = word.split_once('=').expect("KEY=NUMBER");
            let value = value.parse::<u32>().expect("a number");
            let secs = Duration::from_secs(u64::from(value));
            match key {
                "budget" => self.settings.requests_per_minute = value,
                "sweep" => self.settings.sweep = secs,
                "uncovered" => self.settings.sweep_uncovered = secs,
                "hold" => self.settings.hold = secs,
                "delay" => self.settings.offline_delay = secs,
                "starts" => self.settings.starts = [Starts::Ignored, Starts::Told, Starts::Kept][value as usize],
                "batch" => self.settings.batch = value as usize,
                "heartbeat" => self.settings.heartbeat = Some(secs).filter(|secs| !secs.is_zero()),
                "files" => self.settings.open_files = value as usize,
                "rows" => self.settings.rows_a_turn = value as usize,
                "per-link" => self.settings.streamers_per_link = value as usize,
                _ => panic!("no setting {key}"),
            }
        }
        self.input(Input::Settings(self.settings.clone()));
    }

    /// `roster ROW … [read@SECONDS] [scope@SHARD,…] [more] [| ROW …]`: one read, or a part of it, or several before the
    /// machine has its turn.
    fn roster(&mut self, words: &[&str]) {
        let started = words.iter().find_map(|word| word.strip_prefix("read@"));
        let started = started.map_or(self.now, |time| at(time.parse().expect("seconds"))).steady;
        let reads = words.split(|word| *word == "|").map(|words| {
            let rows = words
                .iter()
                .filter(|word| !word.starts_with("read@") && !word.starts_with("scope@") && **word != "more");
            let rows = rows.map(|word| row(word)).collect();
            let more = words.contains(&"more");
            let scope = words.iter().find_map(|word| word.strip_prefix("scope@"));
            let scope = scope.map_or(Scope::All, |list| Scope::Shards(list.split(',').map(shard).collect()));
            Input::Roster(RosterRead { started, scope, rows, more })
        });
        let mut reads: Vec<Input> = reads.collect();
        match reads.len() {
            1 => self.input(reads.remove(0)),
            _ => self.input(Input::Several(reads)),
        }
    }

    /// `link LINK EVENT [CHANNEL …] [| EVENT …]`: all of them at once.
    fn link(&mut self, words: &[&str]) {
        let link = LinkId(words[0].parse().expect("a link"));
        let mut heard = Vec::new();
        for event in words[1..].split(|word| *word == "|") {
            let words = [&words[..1], event].concat();
            let reason = words[1] == "refused";
            for word in words.get(2..).filter(|_| !reason).filter(|more| !more.is_empty()).unwrap_or(&["0"]) {
                let channel = ChannelId(number(word));
                heard.push(Input::Link(link, link_event(&words, channel)));
            }
        }
        self.input(Input::Several(heard));
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
        self.land(request, started, Err(failure(words)));
    }

    fn land(&mut self, request: Request, started: Now, result: Result<Vec<Seen>, Failure>) {
        let answered = !matches!(&result, Err(Failure { kind: FailureKind::Network(_) | FailureKind::NoToken, .. }));
        let date = self.date.filter(|_| answered).map(|ahead| self.now.wall + ahead);
        let answer = Answer { id: request.id, started, finished: self.now, server_date: date, spent: 1, result };
        self.input(Input::Answer(answer));
    }

    /// Kick's broker answers its request. With `auto`, too, this is left to the script.
    fn broker_answers(&mut self, result: Result<Offered, Failure>) {
        let (request, started) = self.broker_asked.take().expect("the broker was asked");
        let answer = Answer { id: request.id, started, finished: self.now, server_date: None, spent: 1, result };
        self.input(Input::BrokerAnswer(answer));
    }

    /// `locked-until SECONDS`: every write finds its row locked.
    fn find_locked(&mut self, until: Now) {
        loop {
            if !self.writes.is_empty() {
                self.written("locked", &[]);
            }
            let wake = self.monitor.next_wake().map(|wake| at(wake.at.elapsed().as_secs_f64()));
            let Some(wake) = wake.filter(|wake| wake.steady <= until.steady) else { return };
            self.wait_until(wake);
        }
    }

    /// `written|already|gone|aside|refused|timed-out|unavailable [ROW …]`: the results of the outstanding writes.
    fn written(&mut self, word: &str, rows: &[&str]) {
        let (of, rest): (Vec<Write>, Vec<Write>) =
            self.writes.drain(..).partition(|write| rows.is_empty() || rows.contains(&write.row.as_str()));
        self.writes = rest;
        assert!(!of.is_empty(), "no write is outstanding for {word} {rows:?}");
        let results = of.into_iter().map(|write| (write.id, result(word))).collect();
        self.input(Input::Written(Written { at: self.now, results }));
    }
}
