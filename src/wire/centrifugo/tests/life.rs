//! The token, the handshake, pings, and the ways in which a connection ends.

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
        0.2 token eyJ.a"b\c
        0.3 greet
        0.45 ack 2
        0.46 ack 3
        9 push {"channel":"channel.668","pub":{"data":{"event":"App\\Events\\StreamerIsLive","data":"{\"livestream\":{\"id\":74331109,\"channel_id\":668,\"session_title\":\"x\",\"source\":null,\"created_at\":\"2025-09-14T23:18:20.000000Z\"}}","tags":{}}}}
        25 text {}
        50 text {}
        51 push {"channel":"channel.668","pub":{"data":{"event":"App\\Events\\StopStreamBroadcast","data":"{\"livestream\":{\"id\":74331109,\"channel\":{\"id\":668,\"is_banned\":false}}}","tags":{}}}}
        52 unfollow 668
        52.1 text {"id":4,"unsubscribe":{}}
        53 push {"channel":"channel.668","pub":{"data":{"event":"App\\Events\\StopStreamBroadcast","data":"{\"livestream\":{\"id\":74331109,\"channel\":{\"id\":668,\"is_banned\":false}}}","tags":{}}}}
        "#,
        expect![[r#"
            0 follow 668 2587387
            0.1 open
                0.1 want token
            0.2 token eyJ.a"b\c
                0.2 send {"id":1,"connect":{"token":"eyJ.a\"b\\c","name":"js"}}
            0.3 greet
                0.3 say Connected(Centrifugo)
                0.3 send {"id":2,"subscribe":{"channel":"channel.668","flag":1}}
                0.3 send {"id":3,"subscribe":{"channel":"channel.2587387","flag":1}}
            0.45 ack 2
                0.45 say Subscribed(ChannelId(668))
            0.46 ack 3
                0.46 say Subscribed(ChannelId(2587387))
            9 push {"channel":"channel.668","pub":{"data":{"event":"App\\Events\\StreamerIsLive","data":"{\"livestream\":{\"id\":74331109,\"channel_id\":668,\"session_title\":\"x\",\"source\":null,\"created_at\":\"2025-09-14T23:18:20.000000Z\"}}","tags":{}}}}
                9 push named 668 inside 668: live 74331109 since 2025-09-14T23:18:20Z, received 9
            25 text {}
                25 send {}
            50 text {}
                50 send {}
            51 push {"channel":"channel.668","pub":{"data":{"event":"App\\Events\\StopStreamBroadcast","data":"{\"livestream\":{\"id\":74331109,\"channel\":{\"id\":668,\"is_banned\":false}}}","tags":{}}}}
                51 push named 668 inside 668: stop 74331109, received 51
            52 unfollow 668
                52 send {"id":4,"unsubscribe":{"channel":"channel.668"}}
            52.1 text {"id":4,"unsubscribe":{}}
            53 push {"channel":"channel.668","pub":{"data":{"event":"App\\Events\\StopStreamBroadcast","data":"{\"livestream\":{\"id\":74331109,\"channel\":{\"id\":668,\"is_banned\":false}}}","tags":{}}}}
        "#]],
    );
}

#[test]
fn without_a_token_nothing_is_sent() {
    check(
        r#"
        5 open
        5 follow 668
        6 text {}
        7 greet
        8 ack 2
        9 text hello
        10 alive
        26 token late
        26 greet
        26 tick
        "#,
        expect![[r#"
            5 open
                5 want token
            5 follow 668
            6 text {}
            7 greet
            8 ack 2
            9 text hello
                9 say Unreadable
            10 alive
                14 end Lost None "no guest token"
            26 token late
            26 greet
            26 tick
        "#]],
    );
}

#[test]
fn before_the_greeting_nothing_else_is_sent_and_its_absence_is_the_end() {
    check(
        r#"
        5 open
        13 token t
        15 token again
        15 follow 668
        16 text {}
        17 text {"id":1}
        18 text {"id":7,"connect":{}}
        22 alive
        26 greet
        26 tick
        "#,
        expect![[r#"
            5 open
                5 want token
            13 token t
                13 send {"id":1,"connect":{"token":"t","name":"js"}}
            15 token again
            15 follow 668
            16 text {}
            17 text {"id":1}
            18 text {"id":7,"connect":{}}
            22 alive
                23 end Lost None "no reply to connect"
            26 greet
            26 tick
        "#]],
    );
}

#[test]
fn a_token_that_nobody_asked_for_is_not_used() {
    check(
        "
        0 open
        0 token t
        0 greet
        1 token another
        ",
        expect![[r#"
            0 open
                0 want token
            0 token t
                0 send {"id":1,"connect":{"token":"t","name":"js"}}
            0 greet
                0 say Connected(Centrifugo)
            1 token another
        "#]],
    );
}

#[test]
fn a_refused_token_is_an_ordinary_loss_and_other_refusals_are_not() {
    for (error, kind) in [
        (r#"{"code":101,"message":"unauthorized"}"#, EndKind::Lost),
        (r#"{"code":109,"message":"token expired"}"#, EndKind::Lost),
        (r#"{"code":100,"message":"internal server error","temporary":true}"#, EndKind::Lost),
        (r#"{"code":103,"message":"permission denied"}"#, EndKind::Refused),
        (r#"{"code":107,"message":"bad request"}"#, EndKind::Refused),
    ] {
        let mut stage = stage(&["channel.{id}"]);
        stage.play(Steady::default(), "open");
        stage.play(Steady::default(), "token t");
        let text = format!(r#"{{"id":1,"error":{error}}}"#);
        let said = acts(&mut stage.session, Steady::default(), SessionInput::Text(&text));
        let said: Vec<String> = said.iter().map(shown).collect();
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].starts_with(&format!("end {kind:?} None \"connect refused: 1")), "{said:?}");
        assert_eq!(stage.session.next_wake(), Steady::after(Duration::MAX));
    }
}

#[test]
fn a_dead_socket_is_noticed_within_45_seconds() {
    check(
        "
        0 open
        0 token t
        1 greet
        60 tick
        ",
        expect![[r#"
            0 open
                0 want token
            0 token t
                0 send {"id":1,"connect":{"token":"t","name":"js"}}
            1 greet
                1 say Connected(Centrifugo)
                31 send {"id":2,"ping":{}}
                46 end Lost None "no answer to ping"
            60 tick
        "#]],
    );
}

#[test]
fn silence_is_measured_by_the_servers_own_pings() {
    for (ping, asked) in [
        (r#""ping":25"#, 30),
        (r#""ping":5"#, 10),
        (r#""ping":1"#, 6),
        (r#""ping":0"#, 30),
        (r#""ping":600"#, 30),
        (r#""ping":18446744073709551615"#, 30),
        (r#""ping":null"#, 30),
        (r#""client":"c""#, 30),
    ] {
        let mut stage = stage(&["channel.{id}"]);
        for line in ["open", "token t", &format!("greet {{{ping}}}")] {
            stage.play(Steady::default(), line);
        }
        stage.transcript.clear();
        stage.pass_until(Steady::after(Duration::from_secs(60)));
        let dead = asked + 15;
        assert_eq!(
            stage.transcript,
            format!("    {asked} send {{\"id\":2,\"ping\":{{}}}}\n    {dead} end Lost None \"no answer to ping\"\n"),
            "{ping}"
        );
    }
}

#[test]
fn anything_received_proves_that_the_server_lives() {
    check(
        r#"
        0 open
        0 token t
        0 greet
        29 alive
        58 text nonsense
        87 push {"channel":"channel.1","pub":{"data":{"event":"GoalProgressUpdateEvent","data":"{}","tags":{}}}}
        116 text {}
        150 text {"id":2,"error":{"code":104,"message":"method not found"}}
        "#,
        expect![[r#"
            0 open
                0 want token
            0 token t
                0 send {"id":1,"connect":{"token":"t","name":"js"}}
            0 greet
                0 say Connected(Centrifugo)
            29 alive
            58 text nonsense
                58 say Unreadable
            87 push {"channel":"channel.1","pub":{"data":{"event":"GoalProgressUpdateEvent","data":"{}","tags":{}}}}
            116 text {}
                116 send {}
                146 send {"id":2,"ping":{}}
            150 text {"id":2,"error":{"code":104,"message":"method not found"}}
        "#]],
    );
}

#[test]
fn a_disconnection_that_is_announced_is_understood_by_its_code() {
    for greeted in [false, true] {
        for (disconnect, end) in [
            (r#"{"code":3001,"reason":"shutdown"}"#, r#"Lost Some(3001) "shutdown""#),
            (r#"{"code":3500,"reason":"invalid token"}"#, r#"Refused Some(3500) "invalid token""#),
            (r#"{"code":4500,"reason":"banned"}"#, r#"Refused Some(4500) "banned""#),
            (r#"{"code":69036}"#, r#"Lost None """#),
            ("{}", r#"Lost Some(0) """#),
        ] {
            let mut stage = stage(&["channel.{id}"]);
            stage.play(Steady::default(), "open");
            stage.play(Steady::default(), "token t");
            if greeted {
                stage.play(Steady::default(), "greet");
            }
            stage.transcript.clear();
            stage.play(Steady::default(), &format!(r#"push {{"disconnect":{disconnect}}}"#));
            assert_eq!(stage.transcript, format!("    0 end {end}\n"), "greeted: {greeted}");
        }
    }
}

#[test]
fn after_the_end_there_is_nothing() {
    check(
        r#"
        0 follow 668
        0 open
        0 token t
        0 greet
        1 push {"disconnect":{"code":3001,"reason":"shutdown"}}
        2 text {}
        3 follow 669
        4 unfollow 668
        5 token t
        1000 tick
        "#,
        expect![[r#"
            0 follow 668
            0 open
                0 want token
            0 token t
                0 send {"id":1,"connect":{"token":"t","name":"js"}}
            0 greet
                0 say Connected(Centrifugo)
                0 send {"id":2,"subscribe":{"channel":"channel.668","flag":1}}
            1 push {"disconnect":{"code":3001,"reason":"shutdown"}}
                1 end Lost Some(3001) "shutdown"
            2 text {}
            3 follow 669
            4 unfollow 668
            5 token t
            1000 tick
        "#]],
    );
}

#[test]
fn what_follows_the_end_in_the_same_frame_is_not_read() {
    let text = "{\"push\":{\"disconnect\":{\"code\":3001,\"reason\":\"shutdown\"}}}\n{}\nnonsense";
    let said = acts(&mut following(&[]), Steady::default(), SessionInput::Text(text));
    assert_eq!(said.iter().map(shown).collect::<Vec<_>>(), [r#"end Lost Some(3001) "shutdown""#]);
}

#[test]
fn a_close_is_understood_by_its_code() {
    let session = following(&[]);
    let end = session.end_of(Some(3503), "force disconnect");
    assert_eq!((end.kind, end.code, end.reason.as_str()), (EndKind::Refused, Some(3503), "force disconnect"));
    assert_eq!(session.end_of(None, "").kind, EndKind::Lost);
}

#[test]
fn a_thread_that_was_held_up_asks_before_it_gives_up() {
    let mut session = following(&[]);
    let said = acts(&mut session, Steady::after(Duration::from_secs(600)), SessionInput::Tick);
    assert_eq!(said.iter().map(shown).collect::<Vec<_>>(), [r#"send {"id":2,"ping":{}}"#]);
}
