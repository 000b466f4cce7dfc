//! The two events that are evidence, in the forms that Kick sends and in others that it might send.

use super::{acts, check, following, shown};
use crate::domain::Steady;
use crate::wire::SessionInput;
use crate::wire::tests::RECORDED;
use expect_test::expect;
use std::time::Duration;

#[test]
fn the_recorded_frames_are_read() {
    let mut session = following(&[668, 2587387, 2915525, 5541527, 67262278]);
    let now = Steady::after(Duration::from_secs(1));
    let read: Vec<String> = RECORDED
        .lines()
        .flat_map(|line| acts(&mut session, now, SessionInput::Text(line)))
        .map(|act| shown(&act))
        .collect();
    expect![[r#"
        push named 2587387 inside 2587387: live 74265904 since 2025-09-14T16:11:18Z, received 1
        push named 2587387 inside 2587387: stop 74265904, received 1
        push named 668 inside 668: live 74331109 since 2025-09-14T23:18:20Z, received 1
        push named 668 inside 668: stop 74331109, received 1
        push named 2915525 inside 2915525: live 74384438 since 2025-09-15T09:45:15Z, received 1
        push named 67262278 inside 67262278: stop 74394967, received 1
        push named 2587387 inside 2587387: stop 74409800, received 1
        push named 668 inside 668: live 74454116 since 2025-09-15T21:12:45Z, received 1
        push named 5541527 inside 5541527: live 74489327 since 2025-09-16T01:07:28Z, received 1
        push named 668 inside 668: stop 129925755, received 1"#]]
    .assert_eq(&read.join("\n"));
}

#[test]
fn only_the_two_events_on_followed_channels_are_evidence() {
    check(
        r#"
        0 open
        0 greet
        0 follow 668
        0 ack channel.668
        1 text {"event":"App\\Events\\StreamerIsLive","data":"{\"livestream\":{\"id\":7,\"channel_id\":668}}","channel":"channel.669"}
        1 text {"event":"App\\Events\\StreamerIsLive","data":"{\"livestream\":{\"id\":7,\"channel_id\":668}}","channel":"channel_668"}
        1 text {"event":"App\\Events\\StreamHostedEvent","data":"{\"livestream\":{\"id\":7,\"channel_id\":668}}","channel":"channel.668"}
        1 text {"event":"App\\Events\\ChatMoveToSupportedChannelEvent","data":"{\"channel\":{\"current_livestream\":{\"is_live\":true}}}","channel":"channel.668"}
        1 text {"event":"GoalProgressUpdateEvent","data":"{\"channel_id\":\"channel_01JZ\"}","channel":"channel.668"}
        1 text {"event":"App\\Events\\PinnedMessageDeletedEvent","data":"[]","channel":"channel.668"}
        1 text {"event":"StreamerIsLive","data":"{\"livestream\":{\"id\":7,\"channel_id\":668}}","channel":"channel.668"}
        1 text {"event":"App\\Events\\StreamerIsLive2","data":"{\"livestream\":{\"id\":7,\"channel_id\":668}}","channel":"channel.668"}
        1 text {"event":"pusher_internal:subscription_count","data":"{\"subscription_count\":2}","channel":"channel.668"}
        1 text {"event":"App\\Events\\StreamerIsLive","data":"{\"livestream\":{\"id\":7,\"channel_id\":668}}","channel":"channel.668"}
        "#,
        expect![[r#"
            0 open
            0 greet
                0 say Connected(Pusher)
            0 follow 668
                0 send {"event":"pusher:subscribe","data":{"auth":"","channel":"channel.668"}}
            0 ack channel.668
                0 say Subscribed(ChannelId(668))
            1 text {"event":"App\\Events\\StreamerIsLive","data":"{\"livestream\":{\"id\":7,\"channel_id\":668}}","channel":"channel.669"}
            1 text {"event":"App\\Events\\StreamerIsLive","data":"{\"livestream\":{\"id\":7,\"channel_id\":668}}","channel":"channel_668"}
            1 text {"event":"App\\Events\\StreamHostedEvent","data":"{\"livestream\":{\"id\":7,\"channel_id\":668}}","channel":"channel.668"}
            1 text {"event":"App\\Events\\ChatMoveToSupportedChannelEvent","data":"{\"channel\":{\"current_livestream\":{\"is_live\":true}}}","channel":"channel.668"}
            1 text {"event":"GoalProgressUpdateEvent","data":"{\"channel_id\":\"channel_01JZ\"}","channel":"channel.668"}
            1 text {"event":"App\\Events\\PinnedMessageDeletedEvent","data":"[]","channel":"channel.668"}
            1 text {"event":"StreamerIsLive","data":"{\"livestream\":{\"id\":7,\"channel_id\":668}}","channel":"channel.668"}
                1 push named 668 inside 668: live 7, received 1
            1 text {"event":"App\\Events\\StreamerIsLive2","data":"{\"livestream\":{\"id\":7,\"channel_id\":668}}","channel":"channel.668"}
                1 say Unrecognised(UnrecognisedEvent { channel: ChannelId(668), name: "App\\Events\\StreamerIsLive2", sample: "\"{\\\"livestream\\\":{\\\"id\\\":7,\\\"channel_id\\\":668}}\"", times: 1, received: Steady(1s) })
            1 text {"event":"pusher_internal:subscription_count","data":"{\"subscription_count\":2}","channel":"channel.668"}
            1 text {"event":"App\\Events\\StreamerIsLive","data":"{\"livestream\":{\"id\":7,\"channel_id\":668}}","channel":"channel.668"}
                1 push named 668 inside 668: live 7, received 1
        "#]],
    );
}

#[test]
fn r24_an_event_of_an_unknown_name_is_told_of_a_few_times_and_is_no_evidence() {
    check(
        r#"
        0 open
        0 greet
        0 follow 668
        0 ack channel.668
        1 text {"event":"App\\Events\\StreamerWentLive","data":"{\"livestream\":{\"id\":7}}","channel":"channel.669"}
        1 text {"event":"App\\Events\\StreamerWentLive","data":"{\"livestream\":{\"id\":7}}","channel":"channel.668"}
        2 text {"channel":"channel.668","event":"App\\Events\\StreamerWentLive"}
        "#,
        expect![[r#"
            0 open
            0 greet
                0 say Connected(Pusher)
            0 follow 668
                0 send {"event":"pusher:subscribe","data":{"auth":"","channel":"channel.668"}}
            0 ack channel.668
                0 say Subscribed(ChannelId(668))
            1 text {"event":"App\\Events\\StreamerWentLive","data":"{\"livestream\":{\"id\":7}}","channel":"channel.669"}
            1 text {"event":"App\\Events\\StreamerWentLive","data":"{\"livestream\":{\"id\":7}}","channel":"channel.668"}
                1 say Unrecognised(UnrecognisedEvent { channel: ChannelId(668), name: "App\\Events\\StreamerWentLive", sample: "\"{\\\"livestream\\\":{\\\"id\\\":7}}\"", times: 1, received: Steady(1s) })
            2 text {"channel":"channel.668","event":"App\\Events\\StreamerWentLive"}
                2 say Unrecognised(UnrecognisedEvent { channel: ChannelId(668), name: "App\\Events\\StreamerWentLive", sample: "", times: 1, received: Steady(2s) })
        "#]],
    );
}

#[test]
fn the_order_of_the_fields_and_the_escapes_are_the_senders_choice() {
    let data = r#"{"livestream":{"id":7,"channel_id":668}}"#;
    let quoted = r#""{\"livestream\":{\"id\":7,\"channel_id\":668}}""#;
    for text in [
        format!(r#"{{"event":"App\\Events\\StreamerIsLive","data":{data},"channel":"channel.668"}}"#),
        format!(r#"{{"channel":"channel.668","data":{quoted},"event":"App\\Events\\StreamerIsLive"}}"#),
        format!(
            r#" {{ "event" : "App\u005cEvents\u005CStreamerIsLive" , "channel":"channel\u002e668","data":{quoted}}} "#
        ),
        format!(
            r#"{{"event":"\u0041pp\\Events\\StreamerIsLive","data":{quoted},"channel":"channel.668","id":[{{}}]}}"#
        ),
    ] {
        let mut session = following(&[668]);
        let read: Vec<String> =
            acts(&mut session, Steady::default(), SessionInput::Text(&text)).iter().map(shown).collect();
        assert_eq!(read, ["push named 668 inside 668: live 7, received 0"], "{text}");
    }
}

#[test]
fn the_channel_id_inside_is_handed_on_as_it_is() {
    check(
        r#"
        0 open
        0 greet
        0 follow 668
        0 ack channel.668
        1 text {"event":"App\\Events\\StreamerIsLive","data":"{\"livestream\":{\"id\":7,\"channel_id\":669}}","channel":"channel.668"}
        2 text {"event":"App\\Events\\StopStreamBroadcast","data":"{\"livestream\":{\"id\":7}}","channel":"channel.668"}
        "#,
        expect![[r#"
            0 open
            0 greet
                0 say Connected(Pusher)
            0 follow 668
                0 send {"event":"pusher:subscribe","data":{"auth":"","channel":"channel.668"}}
            0 ack channel.668
                0 say Subscribed(ChannelId(668))
            1 text {"event":"App\\Events\\StreamerIsLive","data":"{\"livestream\":{\"id\":7,\"channel_id\":669}}","channel":"channel.668"}
                1 push named 668 inside 669: live 7, received 1
            2 text {"event":"App\\Events\\StopStreamBroadcast","data":"{\"livestream\":{\"id\":7}}","channel":"channel.668"}
                2 push named 668 inside nothing: stop 7, received 2
        "#]],
    );
}

#[test]
fn evidence_that_cannot_be_read_is_counted_and_ends_nothing() {
    let live = |rest: &str| format!(r#"{{"event":"App\\Events\\StreamerIsLive",{rest}}}"#);
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
    .map(|data| live(&format!(r#""data":{data},"channel":"channel.668""#)))
    .collect();
    texts.push(live(r#""channel":"channel.668""#));
    texts.push(live(r#""data":"{\"livestream\":{\"id\":7,\"channel_id\":668}}""#));
    texts.push(live(r#""data":{"livestream":{"id":7}},"channel":668"#));
    texts.extend(["", "nonsense", "{}", "[]", "null", r#"{"event":7}"#, r#"{"event":"App"#].map(str::to_owned));
    // Nested more deeply than a parser should follow.
    texts.push(live(&format!(r#""data":{}1{},"channel":"channel.668""#, "[".repeat(5000), "]".repeat(5000))));
    for text in texts {
        let mut session = following(&[668]);
        let said: Vec<String> =
            acts(&mut session, Steady::default(), SessionInput::Text(&text)).iter().map(shown).collect();
        assert_eq!(said, ["say Unreadable"], "{text}");
    }
}
