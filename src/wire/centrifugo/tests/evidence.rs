//! The two events that are evidence, in the forms that Kick sends and in others that it might send.

use super::{acts, check, following, shown, stage};
use crate::domain::Steady;
use crate::domain::push::Push;
use crate::wire::names::EventNames;
use crate::wire::pusher::Pusher;
use crate::wire::tests::RECORDED;
use crate::wire::{Act, Session, SessionInput};
use expect_test::expect;
use serde_json::{Value, json};

/// A Pusher frame in Centrifugo's envelope.
fn wrapped(frame: &str) -> String {
    let frame: Value = serde_json::from_str(frame).expect("a frame is JSON");
    let data = json!({ "event": frame["event"], "data": frame["data"], "tags": {} });
    json!({ "push": { "channel": frame["channel"], "pub": { "data": data } } }).to_string()
}

fn pushes(session: &mut impl Session, text: &str) -> Vec<Push> {
    let said = acts(session, Steady::default(), SessionInput::Text(text));
    said.into_iter().filter_map(|act| if let Act::Push(push) = act { Some(push) } else { None }).collect()
}

#[test]
fn the_recorded_frames_say_the_same_as_through_pusher() {
    let ids = [668, 2587387, 2915525, 5541527, 67262278];
    let mut pusher = Pusher::new(Steady::default(), ["channel.{id}".to_owned()].into(), EventNames::default());
    acts(&mut pusher, Steady::default(), SessionInput::Opened);
    pushes(&mut pusher, r#"{"event":"pusher:connection_established","data":"{}"}"#);
    acts(&mut pusher, Steady::default(), SessionInput::Follow(&ids.map(crate::domain::ChannelId)));
    let through_pusher: Vec<Push> = RECORDED.lines().flat_map(|frame| pushes(&mut pusher, frame)).collect();
    assert_eq!(through_pusher.len(), 10);
    let one_by_one: Vec<Push> =
        RECORDED.lines().flat_map(|frame| pushes(&mut following(&ids), &wrapped(frame))).collect();
    assert_eq!(one_by_one, through_pusher);
    let together: Vec<String> = RECORDED.lines().map(wrapped).collect();
    assert_eq!(pushes(&mut following(&ids), &together.join("\n")), through_pusher);
}

#[test]
fn r24_an_event_of_an_unknown_name_is_told_of_and_is_no_evidence() {
    let told = |event: &str| {
        let data = r#""data":"{\"livestream\":{\"id\":7,\"channel_id\":668}}","tags":{}"#;
        let text = format!(r#"{{"push":{{"channel":"channel.668","pub":{{"data":{{"event":"{event}",{data}}}}}}}}}"#);
        let said = acts(&mut following(&[668]), Steady::default(), SessionInput::Text(&text));
        said.iter().map(shown).collect::<Vec<_>>().join("\n")
    };
    expect![[r#"say Unrecognised(UnrecognisedEvent { channel: ChannelId(668), name: "App\\Events\\StreamerIsLive2", sample: "\"{\\\"livestream\\\":{\\\"id\\\":7,\\\"channel_id\\\":668}}\"", times: 1, received: Steady(0ns) })"#]].assert_eq(&told(r"App\\Events\\StreamerIsLive2"));
    expect![[r#"say Unrecognised(UnrecognisedEvent { channel: ChannelId(668), name: "", sample: "\"{\\\"livestream\\\":{\\\"id\\\":7,\\\"channel_id\\\":668}}\"", times: 1, received: Steady(0ns) })"#]].assert_eq(&told(""));
}

#[test]
fn only_the_two_events_on_followed_channels_are_evidence() {
    let inner = r#""data":"{\"livestream\":{\"id\":7,\"channel_id\":668}}","tags":{}"#;
    for (channel, event, evident) in [
        ("channel.668", r"App\\Events\\StreamerIsLive", true),
        ("channel.668", r"\u0041pp\\Events\\StreamerIsLive", true),
        ("channel\\u002e668", r"App\\Events\\StreamerIsLive", true),
        ("channel.669", r"App\\Events\\StreamerIsLive", false),
        ("channel_668", r"App\\Events\\StreamerIsLive", false),
        ("channel.668", r"App\\Events\\StreamHostedEvent", false),
        ("channel.668", r"App\\Events\\ChatMoveToSupportedChannelEvent", false),
        ("channel.668", "GoalProgressUpdateEvent", false),
        ("channel.668", "StreamerIsLive", true),
        ("channel.669", r"App\\Events\\StreamerIsLive2", false),
    ] {
        let text = format!(r#"{{"push":{{"channel":"{channel}","pub":{{"data":{{"event":"{event}",{inner}}}}}}}}}"#);
        let said: Vec<String> =
            acts(&mut following(&[668]), Steady::default(), SessionInput::Text(&text)).iter().map(shown).collect();
        let expected: &[&str] = if evident { &["push named 668 inside 668: live 7, received 0"] } else { &[] };
        assert_eq!(said, expected, "{text}");
    }
}

#[test]
fn the_order_of_the_fields_is_the_senders_choice_and_data_may_be_an_object() {
    for text in [
        r#"{"push":{"channel":"channel.668","pub":{"data":{"event":"App\\Events\\StopStreamBroadcast","data":{"livestream":{"id":7}},"tags":{}}}}}"#,
        r#"{"push":{"pub":{"offset":3,"data":{"tags":{},"data":"{\"livestream\":{\"id\":\"7\"}}","event":"App\\Events\\StopStreamBroadcast"}},"channel":"channel.668"}}"#,
        r#" { "push" : { "channel" : "channel.668" , "pub" : {"info":{"user":"u"},"data":{"event":"App\\Events\\StopStreamBroadcast","data":{"livestream":{"id":7}}}} } } "#,
        r#"{"result":null,"push":{"type":1,"channel":"channel.668","pub":{"data":{"event":"App\\Events\\StopStreamBroadcast","data":{"livestream":{"id":7}},"tags":{"a":[{}]}},"tags":{"x":"y"}}}}"#,
    ] {
        let said: Vec<String> =
            acts(&mut following(&[668]), Steady::default(), SessionInput::Text(text)).iter().map(shown).collect();
        assert_eq!(said, ["push named 668 inside nothing: stop 7, received 0"], "{text}");
    }
}

#[test]
fn a_frame_may_hold_several_messages() {
    let stop = r#"{"push":{"channel":"channel.668","pub":{"data":{"event":"App\\Events\\StopStreamBroadcast","data":{"livestream":{"id":7}}}}}}"#;
    let chat = r#"{"push":{"channel":"channel.668","pub":{"data":{"event":"ChatMessageEvent","data":"a\nb"}}}}"#;
    let text = format!("{{}}\n{chat}\n{stop}\r\n\nnonsense\n{stop}\n");
    let said: Vec<String> =
        acts(&mut following(&[668]), Steady::default(), SessionInput::Text(&text)).iter().map(shown).collect();
    let push = "push named 668 inside nothing: stop 7, received 0";
    assert_eq!(said, ["send {}", push, "say Unreadable", push]);
}

#[test]
fn a_channel_that_was_given_a_number_is_known_by_it() {
    check(
        r#"
        0 open
        0 token t
        0 greet
        0 follow 668
        1 push {"id":5,"pub":{"data":{"event":"App\\Events\\StopStreamBroadcast","data":{"livestream":{"id":6}}}}}
        2 ack 2 {"id":5}
        3 push {"id":5,"pub":{"data":{"event":"App\\Events\\StopStreamBroadcast","data":{"livestream":{"id":7}}}}}
        4 push {"id":5,"pub":{"data":{"event":"App\\Events\\ChatMessageEvent","data":"{}"}}}
        5 push {"id":5,"unsubscribe":{"code":2500,"reason":"insufficient state"}}
        6 ack 3 {"id":6}
        7 push {"id":6,"pub":{"data":{"event":"App\\Events\\StopStreamBroadcast","data":{"livestream":{"id":8}}}}}
        8 unfollow 668
        9 push {"id":6,"pub":{"data":{"event":"App\\Events\\StopStreamBroadcast","data":{"livestream":{"id":9}}}}}
        "#,
        expect![[r#"
            0 open
                0 want token
            0 token t
                0 send {"id":1,"connect":{"token":"t","name":"js"}}
            0 greet
                0 say Connected(Centrifugo)
            0 follow 668
                0 send {"id":2,"subscribe":{"channel":"channel.668","flag":1}}
            1 push {"id":5,"pub":{"data":{"event":"App\\Events\\StopStreamBroadcast","data":{"livestream":{"id":6}}}}}
            2 ack 2 {"id":5}
                2 say Subscribed(ChannelId(668))
            3 push {"id":5,"pub":{"data":{"event":"App\\Events\\StopStreamBroadcast","data":{"livestream":{"id":7}}}}}
                3 push named 668 inside nothing: stop 7, received 3
            4 push {"id":5,"pub":{"data":{"event":"App\\Events\\ChatMessageEvent","data":"{}"}}}
            5 push {"id":5,"unsubscribe":{"code":2500,"reason":"insufficient state"}}
                6 send {"id":3,"subscribe":{"channel":"channel.668","flag":1}}
            6 ack 3 {"id":6}
                6 say Subscribed(ChannelId(668))
            7 push {"id":6,"pub":{"data":{"event":"App\\Events\\StopStreamBroadcast","data":{"livestream":{"id":8}}}}}
                7 push named 668 inside nothing: stop 8, received 7
            8 unfollow 668
                8 send {"id":4,"unsubscribe":{"channel":"channel.668"}}
            9 push {"id":6,"pub":{"data":{"event":"App\\Events\\StopStreamBroadcast","data":{"livestream":{"id":9}}}}}
        "#]],
    );
}

#[test]
fn evidence_that_cannot_be_read_is_counted_and_ends_nothing() {
    let live = |rest: &str| {
        format!(
            r#"{{"push":{{"channel":"channel.668","pub":{{"data":{{"event":"App\\Events\\StreamerIsLive"{rest}}}}}}}}}"#
        )
    };
    let mut texts: Vec<String> = [
        r#""{\"livestream\":{\"id\":7,\"channel_id\":668,\"channel\":{\"id\":669}}}""#,
        r#""{\"livestream\":{\"channel_id\":668}}""#,
        r#""[]""#,
        r#""nonsense""#,
        r#""""#,
        "[]",
        "null",
        "7",
        "{}",
    ]
    .iter()
    .map(|data| live(&format!(r#","data":{data}"#)))
    .collect();
    texts.push(live(""));
    texts.push(live(r#","data":{"livestream":{"id":7}}}"#));
    texts.extend(
        [
            r#"{"push":{"pub":{"data":{"event":"App\\Events\\StreamerIsLive","data":{"livestream":{"id":7}}}}}}"#,
            r#"{"push":{"channel":668,"pub":{"data":{"event":"App\\Events\\StreamerIsLive","data":{"livestream":{"id":7}}}}}}"#,
            r#"{"push":{"channel":"channel.668","pub":{"data":"text"}}}"#,
            r#"{"push":{"channel":"channel.668","pub":{}}}"#,
            r#"{"push":{"channel":"channel.668","pub":{"data":{"event":7}}}}"#,
            r#"{"push":{"channel":"channel.668","pub":{"data":{"event":"App"#,
            r#"{"push":7}"#,
            r#"{"id":-1}"#,
            "nonsense",
            "7",
            "[",
        ]
        .map(str::to_owned),
    );
    // Nested more deeply than a parser should follow.
    texts.push(live(&format!(r#","data":{}1{}"#, "[".repeat(5000), "]".repeat(5000))));
    for text in texts {
        let said: Vec<String> =
            acts(&mut following(&[668]), Steady::default(), SessionInput::Text(&text)).iter().map(shown).collect();
        assert_eq!(said, ["say Unreadable"], "{text}");
    }
}

#[test]
fn what_is_no_business_of_ours_is_passed_over() {
    for text in [
        r#"{"push":{"channel":"channel.668","join":{"info":{"user":"u","client":"c"}}}}"#,
        r#"{"push":{"message":{"data":{"event":"x"}}}}"#,
        r#"{"push":{"refresh":{"expires":true,"ttl":2700}}}"#,
        r#"{"push":{}}"#,
        r#"{"push":null}"#,
        r#"{"push":{"id":99,"pub":{"data":{"event":"App\\Events\\StreamerIsLive","data":{"livestream":{"id":7}}}}}}"#,
        r#"{"id":99,"subscribe":{}}"#,
        r#"{"id":99,"error":{"code":103,"message":"permission denied"}}"#,
        r#"{"something":"else"}"#,
        // The rest of the message is not read, which keeps busy channels cheap.
        r#"{"push":{"channel":"channel.668","pub":{"data":{"event":"App\\Events\\ChatMessageEvent","data":"#,
        r#"{"push":{"id":5,"pub":{"data":{"event":"GoalProgressUpdateEvent","data":"#,
    ] {
        assert_eq!(acts(&mut following(&[668]), Steady::default(), SessionInput::Text(text)), [], "{text}");
    }
}

#[test]
fn nothing_is_evidence_before_the_greeting() {
    let mut stage = stage(&["channel.{id}"]);
    for line in ["follow 668", "open", "token t"] {
        stage.play(Steady::default(), line);
    }
    let text = wrapped(RECORDED.lines().nth(2).expect("there are ten"));
    assert_eq!(acts(&mut stage.session, Steady::default(), SessionInput::Text(&text)), []);
}
