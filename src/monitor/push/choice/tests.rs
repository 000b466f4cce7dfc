//! The choice of a transport, as transcripts: what happened when, and where a link is sent then.

mod trials;

use super::{Choice, KEPT};
use crate::domain::Steady;
use crate::domain::push::{EndKind, LinkId, Transport};
use crate::domain::way::{Offer, Place, Way};
use crate::monitor::misses::Kind;
use crate::monitor::push::ways::Terms;
use expect_test::{Expect, expect};
use std::fmt::Write;
use std::time::Duration;

/// A choice, and the transcript so far.
struct Story {
    choice: Choice,
    trial: Option<(Way, LinkId)>,
    transcript: String,
}

fn terms(only: Option<Transport>) -> Terms {
    let pusher = Place { tls: true, host: "ws-us2.pusher.com".to_owned(), port: 443, path_and_query: String::new() };
    Terms { only, pusher, app_key: "configured".to_owned(), broker_is_loopback: false }
}

/// `pusher:KEY`, or `centrifugo:HOST`.
fn offer(word: &str) -> Offer {
    match word.split_once(':').expect("TRANSPORT:WHERE") {
        ("pusher", key) => Offer::Pusher { app_key: key.to_owned(), cluster: "us2".to_owned() },
        (_, host) => Offer::Centrifugo { url: format!("wss://{host}.kick.com/connection") },
    }
}

/// Runs a script: what happens, separated by semicolons, and `@SECONDS`.
fn check(script: &str, expected: &Expect) {
    check_with(terms(None), None, script, expected);
}

fn check_with(terms: Terms, worked: Option<Offer>, script: &str, expected: &Expect) {
    let mut story = Story { choice: Choice::new(terms, worked), trial: None, transcript: "\n".to_owned() };
    let mut now = 0.0;
    for line in script.split([';', '\n']).map(str::trim).filter(|line| !line.is_empty()) {
        match line.strip_prefix('@') {
            Some(time) => now = time.parse().expect("seconds"),
            None => story.play(Steady::after(Duration::from_secs_f64(now)), line),
        }
    }
    expected.assert_eq(&story.transcript);
}

impl Story {
    fn play(&mut self, now: Steady, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let link = LinkId(words.get(1).and_then(|word| word.parse().ok()).unwrap_or(0));
        let choice = &mut self.choice;
        match words[0] {
            "answer" => choice.take_answer(now, now, Some(words[1..].iter().map(|word| offer(word)).collect())),
            "blocked" => choice.take_answer(now, now, None),
            "way" => {
                let ask = if choice.must_ask(now) { "should ask; " } else { "" };
                let tried = self.trial.as_ref().filter(|(_, on_trial)| *on_trial == link).map(|(way, _)| way.clone());
                let way = tried.or_else(|| choice.best(now));
                way.iter().for_each(|way| choice.send(link, way));
                let way = way.map_or("nowhere".to_owned(), |way| match way {
                    Way::Pusher { place, app_key } => format!("{}/app/{app_key}", place.host),
                    Way::Centrifugo { place } => format!("{}{}", place.host, place.path_and_query),
                });
                self.say(now, &format!("{line}: {ask}{way}"));
            }
            "connected" => {
                if let Some(offer) = choice.connected(now, link) {
                    let text = format!("remember {offer:?}");
                    self.say(now, &text);
                }
            }
            "refused" => choice.ended(now, link, EndKind::Refused),
            "in-vain" | "lost" => choice.ended(now, link, EndKind::Lost),
            "closed" => choice.closed(link),
            "budget" => choice.set_budget(words[1].parse().expect("requests a minute")),
            "silent" => {
                let transport = if words[1] == "pusher" { Transport::Pusher } else { Transport::Centrifugo };
                choice.silent(now, transport, Kind::Both, self.trial.as_ref().map(|(_, on_trial)| *on_trial));
                let ask = choice.must_ask(now);
                let moves = choice.should_move(now);
                self.say(now, &format!("{line}: ask {ask}, move {moves}"));
            }
            "trial" => {
                let next = choice.next_trial();
                let due = next.as_ref().map_or("never".to_owned(), |(_, at)| at.elapsed().as_secs().to_string());
                self.trial = next.filter(|(_, at)| *at <= now).map(|(way, _)| (way, link));
                let begun = self.trial.is_some();
                self.say(now, &format!("{line}: due {due}, begun {begun}"));
            }
            "proved" | "deaf" => {
                let (way, on_trial) = self.trial.take().expect("a trial");
                choice.closed(on_trial);
                match words[0] {
                    "proved" => choice.proved(&way),
                    _ => choice.unproved(now, way),
                }
            }
            _ => panic!("no verb {line}"),
        }
    }

    fn say(&mut self, now: Steady, text: &str) {
        writeln!(self.transcript, "{} {text}", now.elapsed().as_secs_f64()).expect("a string takes all");
    }
}

#[test]
fn pusher_is_taken_where_kick_offers_it_with_kicks_key_and_centrifugo_otherwise() {
    check(
        "way 0; answer centrifugo:a pusher:new; way 0",
        &expect![[r#"

        0 way 0: should ask; ws-us2.pusher.com/app/configured
        0 way 0: ws-us2.pusher.com/app/new
    "#]],
    );
    check(
        "answer centrifugo:a centrifugo:b; way 0; connected 0",
        &expect![[r#"

        0 way 0: a.kick.com/connection
        0 remember Centrifugo { url: "wss://a.kick.com/connection" }
    "#]],
    );
}

#[test]
fn r22_half_of_a_small_budget_is_left_to_the_api() {
    check(
        "budget 10; answer pusher:k; way 0; @1; refused 0; @6; way 0; @12; way 0",
        &expect![[r#"

            0 way 0: ws-us2.pusher.com/app/k
            6 way 0: ws-us2.pusher.com/app/configured
            12 way 0: should ask; ws-us2.pusher.com/app/configured
        "#]],
    );
    check(
        "budget 60; answer pusher:k; way 0; @1; refused 0; @4; way 0; @5; way 0",
        &expect![[r#"

            0 way 0: ws-us2.pusher.com/app/k
            4 way 0: ws-us2.pusher.com/app/configured
            5 way 0: should ask; ws-us2.pusher.com/app/configured
        "#]],
    );
}

#[test]
fn without_an_answer_it_is_what_is_configured_and_then_what_worked_last() {
    let worked = Some(offer("centrifugo:last"));
    check_with(
        terms(None),
        worked,
        "blocked; way 0; refused 0; way 0; refused 0; way 0",
        &expect![[r#"

        0 way 0: ws-us2.pusher.com/app/configured
        0 way 0: last.kick.com/connection
        0 way 0: ws-us2.pusher.com/app/configured
    "#]],
    );
    check(
        "answer; way 0",
        &expect![[r#"

        0 way 0: ws-us2.pusher.com/app/configured
    "#]],
    );
}

#[test]
fn an_answer_serves_a_minute_and_in_doubt_five_seconds() {
    check(
        "
        answer pusher:old centrifugo:a; way 0; @59.9; way 0; @60; way 0
        answer pusher:old centrifugo:a; @64.9; refused 0; way 0; @65; way 0; blocked; way 0
        ",
        &expect![[r#"

            0 way 0: ws-us2.pusher.com/app/old
            59.9 way 0: ws-us2.pusher.com/app/old
            60 way 0: should ask; ws-us2.pusher.com/app/old
            64.9 way 0: a.kick.com/connection
            65 way 0: should ask; a.kick.com/connection
            65 way 0: ws-us2.pusher.com/app/configured
        "#]],
    );
    assert_eq!(KEPT, Duration::from_secs(60));
}

#[test]
fn a_refused_key_leads_to_another_transport_for_all_links_and_is_tried_again_later() {
    check(
        "
        answer pusher:old centrifugo:a; way 0; connected 0; way 1; @100; refused 0; refused 1
        answer pusher:old centrifugo:a; way 0; way 1; connected 0; @699; lost 0; way 0; @701; lost 0
        way 0
        ",
        &expect![[r#"

            0 way 0: ws-us2.pusher.com/app/old
            0 remember Pusher { app_key: "old", cluster: "us2" }
            0 way 1: ws-us2.pusher.com/app/old
            100 way 0: a.kick.com/connection
            100 way 1: a.kick.com/connection
            100 remember Centrifugo { url: "wss://a.kick.com/connection" }
            699 way 0: should ask; a.kick.com/connection
            701 way 0: should ask; ws-us2.pusher.com/app/old
        "#]],
    );
}

#[test]
fn a_new_key_of_kicks_is_taken_after_a_refusal() {
    check(
        "
        answer pusher:old; way 0; connected 0; @100; refused 0; answer pusher:new
        way 0; connected 0
        ",
        &expect![[r#"

            0 way 0: ws-us2.pusher.com/app/old
            0 remember Pusher { app_key: "old", cluster: "us2" }
            100 way 0: ws-us2.pusher.com/app/new
            100 remember Pusher { app_key: "new", cluster: "us2" }
        "#]],
    );
}

#[test]
fn where_kick_offers_only_what_it_refuses_the_configured_key_is_tried_too() {
    check(
        "answer pusher:old; way 0; refused 0; way 0; refused 0; way 0",
        &expect![[r#"

        0 way 0: ws-us2.pusher.com/app/old
        0 way 0: ws-us2.pusher.com/app/configured
        0 way 0: ws-us2.pusher.com/app/old
    "#]],
    );
}

#[test]
fn a_way_that_cannot_be_reached_three_times_is_left_for_a_minute() {
    check(
        "
        answer pusher:old centrifugo:a; way 0; in-vain 0; way 0; in-vain 0; way 0; in-vain 0; way 0
        connected 0; @59; lost 0; way 0; @60; answer pusher:old centrifugo:a; way 0; connected 0
        ",
        &expect![[r#"

            0 way 0: ws-us2.pusher.com/app/old
            0 way 0: ws-us2.pusher.com/app/old
            0 way 0: ws-us2.pusher.com/app/old
            0 way 0: a.kick.com/connection
            0 remember Centrifugo { url: "wss://a.kick.com/connection" }
            59 way 0: a.kick.com/connection
            60 way 0: ws-us2.pusher.com/app/old
            60 remember Pusher { app_key: "old", cluster: "us2" }
        "#]],
    );
}

#[test]
fn a_way_that_greets_us_only_to_hang_up_is_left_like_one_that_cannot_be_reached() {
    check(
        "
        answer pusher:old centrifugo:a; way 0; connected 0; @9; lost 0; way 0; connected 0; @19; lost 0
        way 0; connected 0; @28; lost 0; way 0; connected 0; @37; lost 0; way 0; connected 0; @46; lost 0; way 0
        ",
        &expect![[r#"

            0 way 0: ws-us2.pusher.com/app/old
            0 remember Pusher { app_key: "old", cluster: "us2" }
            9 way 0: ws-us2.pusher.com/app/old
            19 way 0: ws-us2.pusher.com/app/old
            28 way 0: ws-us2.pusher.com/app/old
            37 way 0: ws-us2.pusher.com/app/old
            46 way 0: a.kick.com/connection
        "#]],
    );
}

#[test]
fn in_an_outage_each_way_has_its_turn() {
    check(
        "
        answer pusher:old centrifugo:a; way 0; in-vain 0; way 0; in-vain 0; way 0; in-vain 0; @1
        way 0; in-vain 0; way 0; in-vain 0; way 0; in-vain 0; @2
        way 0; in-vain 0; way 0; in-vain 0; way 0; in-vain 0; @3; way 0
        ",
        &expect![[r#"

            0 way 0: ws-us2.pusher.com/app/old
            0 way 0: ws-us2.pusher.com/app/old
            0 way 0: ws-us2.pusher.com/app/old
            1 way 0: a.kick.com/connection
            1 way 0: a.kick.com/connection
            1 way 0: a.kick.com/connection
            2 way 0: ws-us2.pusher.com/app/configured
            2 way 0: ws-us2.pusher.com/app/configured
            2 way 0: ws-us2.pusher.com/app/configured
            3 way 0: ws-us2.pusher.com/app/old
        "#]],
    );
}

#[test]
fn one_transport_alone_is_taken_where_the_configuration_says_so() {
    let only = |transport| terms(Some(transport));
    let pusher = "way 0; refused 0; way 0; answer pusher:old centrifugo:a; way 0; refused 0; way 0";
    check_with(
        only(Transport::Pusher),
        None,
        pusher,
        &expect![[r#"

        0 way 0: ws-us2.pusher.com/app/configured
        0 way 0: should ask; ws-us2.pusher.com/app/configured
        0 way 0: ws-us2.pusher.com/app/old
        0 way 0: ws-us2.pusher.com/app/configured
    "#]],
    );
    let centrifugo =
        "way 0; blocked; way 0; @5; way 0; answer pusher:old; way 0; answer pusher:old centrifugo:a; way 0";
    check_with(
        only(Transport::Centrifugo),
        None,
        centrifugo,
        &expect![[r#"

            0 way 0: should ask; nowhere
            0 way 0: nowhere
            5 way 0: should ask; nowhere
            5 way 0: nowhere
            5 way 0: a.kick.com/connection
        "#]],
    );
    check_with(
        only(Transport::Centrifugo),
        Some(offer("centrifugo:last")),
        "blocked; way 0",
        &expect![[r#"

        0 way 0: last.kick.com/connection
    "#]],
    );
    assert_eq!(Choice::new(only(Transport::Centrifugo), None).speaks(), [Transport::Centrifugo]);
    assert_eq!(Choice::new(terms(None), None).speaks(), [Transport::Pusher, Transport::Centrifugo]);
}

#[test]
fn what_kick_may_not_hand_out_is_not_followed() {
    let foreign = Offer::Centrifugo { url: "wss://kick.com.example/connection".to_owned() };
    let mut choice = Choice::new(terms(None), None);
    choice.take_answer(Steady::default(), Steady::default(), Some(vec![foreign]));
    let way = choice.best(Steady::default()).expect("the configured one");
    assert_eq!(way.place().host, "ws-us2.pusher.com");
}

#[test]
fn a_broker_that_offers_another_way_each_time_does_not_fill_the_memory() {
    let mut choice = Choice::new(terms(None), None);
    let mut now = Steady::default();
    for n in 0..2000 {
        now = now + Duration::from_secs(60);
        choice.take_answer(now, now, Some(vec![offer(&format!("centrifugo:host-{n}"))]));
        let way = choice.best(now).expect("a way");
        choice.send(LinkId(0), &way);
        assert_eq!(way.place().host, format!("host-{n}.kick.com"), "a new one is taken");
        match n % 2 {
            0 => choice.ended(now, LinkId(0), EndKind::Refused),
            _ => choice.silent(now, Transport::Centrifugo, Kind::Both, None),
        }
        assert!(choice.ailing.len() <= 64 && choice.silent.len() <= 64, "after {n}");
    }
}
