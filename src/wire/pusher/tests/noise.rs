//! Nothing that a server sends makes the session panic, stop its pings, or report evidence that was not sent.

use super::{acts, following, mutated};
use crate::domain::Steady;
use crate::domain::push::Push;
use crate::wire::{Act, Session, SessionInput};
use std::time::Duration;

const SEEDS: &[&str] = &[
    r#"{"event":"App\\Events\\StreamerIsLive","data":"{\"livestream\":{\"id\":74331109,\"channel_id\":668,\"session_title\":\"🎮\",\"source\":null,\"created_at\":\"2025-09-14T23:18:20.000000Z\"}}","channel":"channel.668"}"#,
    r#"{"event":"App\\Events\\StopStreamBroadcast","data":"{\"livestream\":{\"id\":129925755,\"channel\":{\"id\":668,\"is_banned\":false}}}","channel":"channel.668"}"#,
    r#"{"event":"pusher:connection_established","data":"{\"socket_id\":\"1.2\",\"activity_timeout\":120}"}"#,
    r#"{"event":"pusher:error","data":{"message":"Existing subscription to channel channel.668","code":null}}"#,
    r#"{"event":"pusher_internal:subscription_succeeded","data":"{}","channel":"channel.668"}"#,
    r#"{"event":"pusher:ping","data":{}}"#,
];

#[test]
fn no_frame_makes_the_session_panic_or_sleep_for_ever() {
    let mut rng = fastrand::Rng::with_seed(20_251_101);
    let mut session = following(&[668]);
    let mut now = Steady::default();
    for _ in 0..20_000 {
        now = now + Duration::from_millis(rng.u64(0..100));
        let text = mutated(&mut rng, SEEDS);
        let done = acts(&mut session, now, SessionInput::Text(&text));
        let ended = done.iter().any(|act| matches!(act, Act::End(_)));
        for act in &done {
            if let Act::Push(Push { named, received, .. }) = act {
                assert_eq!((named.0, *received), (668, now), "{text}");
            }
        }
        assert!(ended || session.next_wake() <= now + Duration::from_secs(45), "{text}");
        if ended {
            session = following(&[668]);
            now = Steady::default();
        }
    }
}

#[test]
fn whatever_floods_the_session_ends_the_connection() {
    for frame in [
        "x",
        r#"{"event":"pusher:ping"}"#,
        r#"{"event":"pusher:error","data":{"message":"no"}}"#,
        r#"{"event":"App\\Events\\StopStreamBroadcast"}"#,
        r#"{"event":"App\\Events\\StopStreamBroadcast","channel":"channel.668","data":{"livestream":{"id":7}}}"#,
        r#"{"event":"pusher_internal:subscription_succeeded","channel":"channel.668"}"#,
        r#"{"event":"pusher:subscription_error","channel":"channel.668"}"#,
        r#"{"event":"pusher_internal:subscription_succeeded","channel":"channel.669"}"#,
    ] {
        let mut session = following(&[668]);
        let ended = (0..100_000).any(|n| {
            let done = acts(&mut session, Steady::after(Duration::from_micros(n)), SessionInput::Text(frame));
            done.iter().any(|act| matches!(act, Act::End(end) if end.reason == "the server sends too many messages"))
        });
        assert!(ended, "{frame}");
    }
}

#[test]
fn what_no_server_overdoes_ends_nothing() {
    let mut session = following(&[668]);
    for minute in 0..60 {
        for n in 0..50 {
            let now = Steady::after(Duration::from_millis(minute * 60_000 + n * 100));
            let done = acts(&mut session, now, SessionInput::Text("x"));
            assert!(!done.iter().any(|act| matches!(act, Act::End(_))), "minute {minute}");
        }
    }
}

#[test]
fn refusals_and_acknowledgements_by_turns_are_bounded() {
    let mut session = following(&[668]);
    let mut told = 0;
    // The server acknowledges each of our subscriptions at once, and revokes it at once.
    for minute in 0..10 {
        for n in 0..60 {
            let now = Steady::after(Duration::from_secs(minute * 60 + n));
            for frame in [
                r#"{"event":"pusher:subscription_error","channel":"channel.668"}"#,
                r#"{"event":"pusher_internal:subscription_succeeded","channel":"channel.668"}"#,
            ] {
                let done = acts(&mut session, now, SessionInput::Text(frame));
                assert!(!done.iter().any(|act| matches!(act, Act::End(_))), "{done:?}");
                told += done.iter().filter(|act| matches!(act, Act::Say(_))).count();
            }
        }
    }
    assert!(told <= 40, "{told} reports of one subscription in ten minutes");
}
