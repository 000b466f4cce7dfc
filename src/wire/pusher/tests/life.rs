//! The handshake, pings, and the ways in which a connection ends.

use super::{acts, check, following, shown, stage};
use crate::domain::Steady;
use crate::domain::push::EndKind;
use crate::wire::{Session, SessionInput};
use expect_test::expect;
use std::time::Duration;

#[test]
fn an_ordinary_conversation() {
    check(
        r#"
        0 follow 668 2587387
        0.1 open
        0.2 greet
        0.45 ack channel.668
        0.46 ack channel.2587387
        9 text {"event":"App\\Events\\StreamerIsLive","data":"{\"livestream\":{\"id\":74331109,\"channel_id\":668,\"session_title\":\"x\",\"source\":null,\"created_at\":\"2025-09-14T23:18:20.000000Z\"}}","channel":"channel.668"}
        12 text {"event":"pusher:ping","data":"{}"}
        43 text {"event":"pusher:pong","data":"{}"}
        50 text {"event":"App\\Events\\StopStreamBroadcast","data":"{\"livestream\":{\"id\":74331109,\"channel\":{\"id\":668,\"is_banned\":false}}}","channel":"channel.668"}
        51 unfollow 668
        52 text {"event":"App\\Events\\StopStreamBroadcast","data":"{\"livestream\":{\"id\":74331109,\"channel\":{\"id\":668,\"is_banned\":false}}}","channel":"channel.668"}
        "#,
        expect![[r#"
            0 follow 668 2587387
            0.1 open
            0.2 greet
                0.2 say Connected(Pusher)
                0.2 send {"event":"pusher:subscribe","data":{"auth":"","channel":"channel.668"}}
                0.2 send {"event":"pusher:subscribe","data":{"auth":"","channel":"channel.2587387"}}
            0.45 ack channel.668
                0.45 say Subscribed(ChannelId(668))
            0.46 ack channel.2587387
                0.46 say Subscribed(ChannelId(2587387))
            9 text {"event":"App\\Events\\StreamerIsLive","data":"{\"livestream\":{\"id\":74331109,\"channel_id\":668,\"session_title\":\"x\",\"source\":null,\"created_at\":\"2025-09-14T23:18:20.000000Z\"}}","channel":"channel.668"}
                9 push named 668 inside 668: live 74331109 since 2025-09-14T23:18:20Z, received 9
            12 text {"event":"pusher:ping","data":"{}"}
                12 send {"event":"pusher:pong","data":{}}
                42 send {"event":"pusher:ping","data":{}}
            43 text {"event":"pusher:pong","data":"{}"}
            50 text {"event":"App\\Events\\StopStreamBroadcast","data":"{\"livestream\":{\"id\":74331109,\"channel\":{\"id\":668,\"is_banned\":false}}}","channel":"channel.668"}
                50 push named 668 inside 668: stop 74331109, received 50
            51 unfollow 668
                51 send {"event":"pusher:unsubscribe","data":{"channel":"channel.668"}}
            52 text {"event":"App\\Events\\StopStreamBroadcast","data":"{\"livestream\":{\"id\":74331109,\"channel\":{\"id\":668,\"is_banned\":false}}}","channel":"channel.668"}
        "#]],
    );
}

#[test]
fn nothing_is_sent_before_the_greeting_and_its_absence_is_the_end() {
    check(
        r#"
        5 open
        5 follow 668
        6 text {"event":"pusher:ping","data":{}}
        7 text {"event":"pusher_internal:subscription_succeeded","data":"{}","channel":"channel.668"}
        8 text hello
        9 alive
        16 greet
        16 tick
        "#,
        expect![[r#"
            5 open
            5 follow 668
            6 text {"event":"pusher:ping","data":{}}
            7 text {"event":"pusher_internal:subscription_succeeded","data":"{}","channel":"channel.668"}
            8 text hello
                8 say Unreadable
            9 alive
                15 end Lost None "no greeting"
            16 greet
            16 tick
        "#]],
    );
}

#[test]
fn the_greeting_may_be_an_object_or_lack_the_timeout() {
    for data in [
        r#"{"socket_id":"1.2","activity_timeout":120}"#,
        r#"{"activity_timeout":"120"}"#,
        r#"{"activity_timeout":-1}"#,
        r#""{}""#,
        r#""[]""#,
        r#""nonsense""#,
        "null",
        "[]",
        "7",
    ] {
        let mut stage = stage(&["channel.{id}"]);
        stage.play(Steady::default(), "open");
        stage.play(Steady::default(), &format!("greet {data}"));
        assert_eq!(stage.transcript, "    0 say Connected(Pusher)\n", "{data}");
        assert_eq!(stage.session.next_wake(), Steady::after(Duration::from_secs(30)), "our own ping, {data}");
    }
}

#[test]
fn a_dead_socket_is_noticed_within_45_seconds() {
    check(
        "
        0 open
        1 greet
        60 tick
        ",
        expect![[r#"
            0 open
            1 greet
                1 say Connected(Pusher)
                31 send {"event":"pusher:ping","data":{}}
                46 end Lost None "no answer to ping"
            60 tick
        "#]],
    );
}

#[test]
fn a_short_activity_timeout_is_obeyed_within_reason() {
    check(
        r#"
        0 open
        0 greet "{\"activity_timeout\":12}"
        13 alive
        14 text {"event":"App\\Events\\ChatMessageEvent","data":"{}","channel":"chatrooms.668.v2"}
        40 alive
        "#,
        expect![[r#"
            0 open
            0 greet "{\"activity_timeout\":12}"
                0 say Connected(Pusher)
                12 send {"event":"pusher:ping","data":{}}
            13 alive
            14 text {"event":"App\\Events\\ChatMessageEvent","data":"{}","channel":"chatrooms.668.v2"}
                26 send {"event":"pusher:ping","data":{}}
            40 alive
        "#]],
    );
    check(
        r#"
        0 open
        0 greet "{\"activity_timeout\":0}"
        6 alive
        "#,
        expect![[r#"
            0 open
            0 greet "{\"activity_timeout\":0}"
                0 say Connected(Pusher)
                5 send {"event":"pusher:ping","data":{}}
            6 alive
        "#]],
    );
}

#[test]
fn anything_received_proves_that_the_server_lives() {
    check(
        r#"
        0 open
        0 greet
        29 alive
        58 text nonsense
        87 text {"event":"GoalProgressUpdateEvent","data":"{}","channel":"channel.668"}
        130 text {"event":"pusher:pong","data":{}}
        "#,
        expect![[r#"
            0 open
            0 greet
                0 say Connected(Pusher)
            29 alive
            58 text nonsense
                58 say Unreadable
            87 text {"event":"GoalProgressUpdateEvent","data":"{}","channel":"channel.668"}
                117 send {"event":"pusher:ping","data":{}}
            130 text {"event":"pusher:pong","data":{}}
        "#]],
    );
}

#[test]
fn an_error_with_the_code_of_a_close_ends_the_connection() {
    for (code, kind) in [
        (4000, EndKind::Refused),
        (4001, EndKind::Refused),
        (4009, EndKind::Refused),
        (4100, EndKind::Later),
        (4201, EndKind::ComeBack),
    ] {
        for greeted in [false, true] {
            let mut stage = stage(&["channel.{id}"]);
            stage.play(Steady::default(), "open");
            if greeted {
                stage.play(Steady::default(), "greet");
            }
            let text = format!(r#"{{"event":"pusher:error","data":{{"message":"No such app","code":{code}}}}}"#);
            let said = acts(&mut stage.session, Steady::default(), SessionInput::Text(&text));
            let said: Vec<String> = said.iter().map(shown).collect();
            assert_eq!(said, [format!("end {kind:?} Some({code}) \"No such app\"")], "greeted: {greeted}");
        }
    }
}

#[test]
fn an_error_without_such_a_code_changes_nothing() {
    for data in [
        r#"{"message":"hm","code":null}"#,
        r#"{"message":"client event rate","code":4301}"#,
        r#"{"message":"?","code":65537}"#,
        r#"{"message":"?","code":-4001}"#,
        r#"{"code":"4001"}"#,
        r#""text""#,
        "null",
        "[]",
    ] {
        let text = format!(r#"{{"event":"pusher:error","data":{data}}}"#);
        assert_eq!(acts(&mut following(&[668]), Steady::default(), SessionInput::Text(&text)), [], "{data}");
    }
}

#[test]
fn after_the_end_there_is_nothing() {
    check(
        r#"
        0 follow 668
        0 open
        0 greet
        1 text {"event":"pusher:error","data":{"message":"over capacity","code":4100}}
        2 text {"event":"pusher:ping","data":{}}
        3 follow 669
        4 unfollow 668
        1000 tick
        "#,
        expect![[r#"
            0 follow 668
            0 open
            0 greet
                0 say Connected(Pusher)
                0 send {"event":"pusher:subscribe","data":{"auth":"","channel":"channel.668"}}
            1 text {"event":"pusher:error","data":{"message":"over capacity","code":4100}}
                1 end Later Some(4100) "over capacity"
            2 text {"event":"pusher:ping","data":{}}
            3 follow 669
            4 unfollow 668
            1000 tick
        "#]],
    );
}

#[test]
fn a_close_is_understood_by_its_code() {
    let session = following(&[]);
    let end = session.end_of(Some(4200), "Please reconnect immediately");
    assert_eq!(
        (end.kind, end.code, end.reason.as_str()),
        (EndKind::ComeBack, Some(4200), "Please reconnect immediately")
    );
    assert_eq!(session.end_of(None, "").kind, EndKind::Lost);
}

#[test]
fn a_thread_that_was_held_up_pings_before_it_gives_up() {
    let mut session = following(&[]);
    let hour = Steady::after(Duration::from_secs(3600));
    let said: Vec<String> = acts(&mut session, hour, SessionInput::Tick).iter().map(shown).collect();
    assert_eq!(said, [r#"send {"event":"pusher:ping","data":{}}"#]);
}
