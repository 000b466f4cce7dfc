//! Nothing that a server sends makes the session panic, miss the server's silence, or report evidence that was not
//! sent.

use super::{acts, following, mutated, stage};
use crate::domain::Steady;
use crate::domain::push::Push;
use crate::wire::{Act, Session, SessionInput};
use std::time::Duration;

const SEEDS: &[&str] = &[
    r#"{"push":{"channel":"channel.668","pub":{"data":{"event":"App\\Events\\StreamerIsLive","data":"{\"livestream\":{\"id\":74331109,\"channel_id\":668,\"session_title\":\"🎮\",\"source\":null,\"created_at\":\"2025-09-14T23:18:20.000000Z\"}}","tags":{}}}}}"#,
    r#"{"push":{"id":7,"pub":{"data":{"event":"App\\Events\\StopStreamBroadcast","data":{"livestream":{"id":129925755}},"tags":{}}}}}"#,
    r#"{"id":1,"connect":{"client":"c","version":"6.9.6 PRO","expires":true,"ttl":2700,"ping":25}}"#,
    r#"{"id":2,"subscribe":{"id":7}}"#,
    r#"{"id":3,"refresh":{"expires":true,"ttl":2700}}"#,
    r#"{"id":2,"error":{"code":103,"message":"permission denied"}}"#,
    r#"{"push":{"channel":"channel.668","unsubscribe":{"code":2500,"reason":"x"}}}"#,
    r#"{"push":{"disconnect":{"code":3001,"reason":"shutdown"}}}"#,
    "{}\n{}\n",
];

#[test]
fn no_frame_makes_the_session_panic_or_sleep_for_ever() {
    let mut rng = fastrand::Rng::with_seed(20_261_101);
    let begun = |greeted| {
        if greeted {
            return following(&[668]);
        }
        let mut stage = stage(&["channel.{id}"]);
        for line in ["open", "token t", "follow 668"] {
            stage.play(Steady::default(), line);
        }
        stage.session
    };
    let mut session = begun(true);
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
            session = begun(rng.bool());
            now = Steady::default();
        }
    }
}

/// Sends frames of the maximum size that consist of this line until the session ends. Returns the number of frames,
/// the most acts for one frame, and the reason of the end.
fn flooded(line: &str) -> (usize, usize, Option<String>) {
    let frame = line.repeat(256 * 1024 / line.len());
    let mut session = following(&[668]);
    let (mut frames, mut most) = (0, 0);
    loop {
        frames += 1;
        let done = acts(&mut session, Steady::after(Duration::from_millis(frames)), SessionInput::Text(&frame));
        most = most.max(done.len());
        let end = done.iter().find_map(|act| match act {
            Act::End(end) => Some(end.reason.clone()),
            _ => None,
        });
        if end.is_some() || frames == 100 {
            return (usize::try_from(frames).expect("a few"), most, end);
        }
    }
}

#[test]
fn whatever_floods_the_session_is_bounded_and_ends_the_connection() {
    for line in [
        "x\n",
        "{}\n",
        "{}{}\n",
        "{\"push\":{\"pub\":{}}}\n",
        "{\"push\":{\"channel\":\"channel.668\",\"unsubscribe\":{}}}\n{\"id\":2,\"subscribe\":{}}\n",
        "{\"push\":{\"channel\":\"channel.668\",\"pub\":{\"data\":{\"event\":\"App\\\\Events\\\\StopStreamBroadcast\"}}}}\n",
        "{\"push\":{\"channel\":\"channel.668\",\"pub\":{\"data\":{\"event\":\"App\\\\Events\\\\StopStreamBroadcast\",\"data\":{\"livestream\":{\"id\":7}}}}}}\n",
    ] {
        let (frames, most, end) = flooded(line);
        assert_eq!(end.as_deref(), Some("the server sends too many messages"), "{line:?} for {frames} frames");
        assert!(most <= 3000, "{most} acts of a frame of {line:?}");
    }
}
