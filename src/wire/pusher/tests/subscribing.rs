//! Subscriptions: acknowledgements, failures, retries, and the pace.

use super::{acts, check, check_with, following, shown};
use crate::domain::{ChannelId, Steady};
use crate::wire::{Act, Session, SessionInput};
use expect_test::expect;
use std::time::Duration;

#[test]
fn a_streamer_is_subscribed_when_all_its_channels_are_acknowledged() {
    check_with(
        &["channel.{id}", "channel_{id}"],
        "
        0 open
        0 follow 668
        0 greet
        0.2 ack channel_668
        0.3 ack channel_668
        0.4 ack channel.668
        0.5 ack channel.668
        0.6 ack channel.669
        1 follow 668
        2 unfollow 668 670
        2.1 ack channel.668
        3 follow 668
        ",
        expect![[r#"
            0 open
            0 follow 668
            0 greet
                0 say Connected(Pusher)
                0 send {"event":"pusher:subscribe","data":{"auth":"","channel":"channel.668"}}
                0 send {"event":"pusher:subscribe","data":{"auth":"","channel":"channel_668"}}
            0.2 ack channel_668
            0.3 ack channel_668
            0.4 ack channel.668
                0.4 say Subscribed(ChannelId(668))
            0.5 ack channel.668
            0.6 ack channel.669
            1 follow 668
            2 unfollow 668 670
                2 send {"event":"pusher:unsubscribe","data":{"channel":"channel.668"}}
                2 send {"event":"pusher:unsubscribe","data":{"channel":"channel_668"}}
            2.1 ack channel.668
            3 follow 668
                3 send {"event":"pusher:subscribe","data":{"auth":"","channel":"channel.668"}}
                3 send {"event":"pusher:subscribe","data":{"auth":"","channel":"channel_668"}}
        "#]],
    );
}

#[test]
fn a_subscription_without_an_answer_is_tried_again_for_ever() {
    check(
        "
        0 open
        0 greet
        0 follow 668
        1 ack channel.1
        25 alive
        50 alive
        75 alive
        100 alive
        125 alive
        150 alive
        175 alive
        200 alive
        225 alive
        250 alive
        260 ack channel.668
        285 alive
        ",
        expect![[r#"
            0 open
            0 greet
                0 say Connected(Pusher)
            0 follow 668
                0 send {"event":"pusher:subscribe","data":{"auth":"","channel":"channel.668"}}
            1 ack channel.1
                10 say SubscriptionFailed(ChannelId(668))
                11 send {"event":"pusher:subscribe","data":{"auth":"","channel":"channel.668"}}
                21 say SubscriptionFailed(ChannelId(668))
                23 send {"event":"pusher:subscribe","data":{"auth":"","channel":"channel.668"}}
            25 alive
                33 say SubscriptionFailed(ChannelId(668))
                37 send {"event":"pusher:subscribe","data":{"auth":"","channel":"channel.668"}}
                47 say SubscriptionFailed(ChannelId(668))
            50 alive
                55 send {"event":"pusher:subscribe","data":{"auth":"","channel":"channel.668"}}
                65 say SubscriptionFailed(ChannelId(668))
            75 alive
                81 send {"event":"pusher:subscribe","data":{"auth":"","channel":"channel.668"}}
                91 say SubscriptionFailed(ChannelId(668))
            100 alive
                123 send {"event":"pusher:subscribe","data":{"auth":"","channel":"channel.668"}}
            125 alive
                133 say SubscriptionFailed(ChannelId(668))
            150 alive
            175 alive
                193 send {"event":"pusher:subscribe","data":{"auth":"","channel":"channel.668"}}
            200 alive
                203 say SubscriptionFailed(ChannelId(668))
            225 alive
            250 alive
            260 ack channel.668
                260 say Subscribed(ChannelId(668))
            285 alive
        "#]],
    );
}

#[test]
fn a_refused_subscription_is_said_once_and_tried_again() {
    check(
        r#"
        0 open
        0 greet
        0 follow 1 2 3 4
        1 text {"event":"pusher_internal:subscription_error","data":"{}","channel":"channel.1"}
        1 text {"event":"pusher:subscription_error","data":{"type":"AuthError"},"channel":"channel.2"}
        1 text {"event":"pusher:error","data":{"message":"Not allowed to join channel.3.","code":4009}}
        1 text {"event":"pusher:error","data":{"message":"no","code":null},"channel":"channel.4"}
        1 text {"event":"pusher:error","data":{"message":"no","code":null},"channel":"channel.4"}
        2.1 ack channel.1
        2.1 ack channel.2
        2.1 ack channel.3
        2.1 ack channel.4
        3 text {"event":"pusher_internal:subscription_error","data":"{}","channel":"channel.1"}
        5.1 ack channel.1
        "#,
        expect![[r#"
            0 open
            0 greet
                0 say Connected(Pusher)
            0 follow 1 2 3 4
                0 send {"event":"pusher:subscribe","data":{"auth":"","channel":"channel.1"}}
                0 send {"event":"pusher:subscribe","data":{"auth":"","channel":"channel.2"}}
                0 send {"event":"pusher:subscribe","data":{"auth":"","channel":"channel.3"}}
                0 send {"event":"pusher:subscribe","data":{"auth":"","channel":"channel.4"}}
            1 text {"event":"pusher_internal:subscription_error","data":"{}","channel":"channel.1"}
                1 say SubscriptionFailed(ChannelId(1))
            1 text {"event":"pusher:subscription_error","data":{"type":"AuthError"},"channel":"channel.2"}
                1 say SubscriptionFailed(ChannelId(2))
            1 text {"event":"pusher:error","data":{"message":"Not allowed to join channel.3.","code":4009}}
                1 say SubscriptionFailed(ChannelId(3))
            1 text {"event":"pusher:error","data":{"message":"no","code":null},"channel":"channel.4"}
                1 say SubscriptionFailed(ChannelId(4))
            1 text {"event":"pusher:error","data":{"message":"no","code":null},"channel":"channel.4"}
                2 send {"event":"pusher:subscribe","data":{"auth":"","channel":"channel.1"}}
                2 send {"event":"pusher:subscribe","data":{"auth":"","channel":"channel.2"}}
                2 send {"event":"pusher:subscribe","data":{"auth":"","channel":"channel.3"}}
                2 send {"event":"pusher:subscribe","data":{"auth":"","channel":"channel.4"}}
            2.1 ack channel.1
                2.1 say Subscribed(ChannelId(1))
            2.1 ack channel.2
                2.1 say Subscribed(ChannelId(2))
            2.1 ack channel.3
                2.1 say Subscribed(ChannelId(3))
            2.1 ack channel.4
                2.1 say Subscribed(ChannelId(4))
            3 text {"event":"pusher_internal:subscription_error","data":"{}","channel":"channel.1"}
                3 say SubscriptionFailed(ChannelId(1))
                5 send {"event":"pusher:subscribe","data":{"auth":"","channel":"channel.1"}}
            5.1 ack channel.1
                5.1 say Subscribed(ChannelId(1))
        "#]],
    );
}

#[test]
fn an_existing_subscription_is_an_acknowledgement() {
    check(
        r#"
        0 open
        0 greet
        0 follow 668
        12 text {"event":"pusher:error","data":{"message":"Existing subscription to channel channel.668","code":null}}
        13 text {"event":"pusher:error","data":{"message":"Existing subscription to channel channel.669","code":null}}
        14 text {"event":"pusher:error","data":{"message":"Existing subscription to channel channel.668","code":null}}
        "#,
        expect![[r#"
            0 open
            0 greet
                0 say Connected(Pusher)
            0 follow 668
                0 send {"event":"pusher:subscribe","data":{"auth":"","channel":"channel.668"}}
                10 say SubscriptionFailed(ChannelId(668))
                11 send {"event":"pusher:subscribe","data":{"auth":"","channel":"channel.668"}}
            12 text {"event":"pusher:error","data":{"message":"Existing subscription to channel channel.668","code":null}}
                12 say Subscribed(ChannelId(668))
            13 text {"event":"pusher:error","data":{"message":"Existing subscription to channel channel.669","code":null}}
            14 text {"event":"pusher:error","data":{"message":"Existing subscription to channel channel.668","code":null}}
        "#]],
    );
}

#[test]
fn an_answer_that_comes_after_the_failure_counts() {
    check(
        "
        0 open
        0 greet
        0 follow 668
        10.5 ack channel.668
        20 alive
        ",
        expect![[r#"
            0 open
            0 greet
                0 say Connected(Pusher)
            0 follow 668
                0 send {"event":"pusher:subscribe","data":{"auth":"","channel":"channel.668"}}
                10 say SubscriptionFailed(ChannelId(668))
            10.5 ack channel.668
                10.5 say Subscribed(ChannelId(668))
            20 alive
        "#]],
    );
}

#[test]
fn only_what_was_asked_for_is_given_up() {
    check(
        "
        0 follow 1 2
        0 unfollow 1
        0 open
        0 greet
        0 unfollow 2 1
        ",
        expect![[r#"
            0 follow 1 2
            0 unfollow 1
            0 open
            0 greet
                0 say Connected(Pusher)
                0 send {"event":"pusher:subscribe","data":{"auth":"","channel":"channel.2"}}
            0 unfollow 2 1
                0 send {"event":"pusher:unsubscribe","data":{"channel":"channel.2"}}
        "#]],
    );
}

#[test]
fn templates_that_collide_make_one_channel() {
    check_with(
        &["channel.{id}", "channel.{id}"],
        "
        0 open
        0 greet
        0 follow 668
        1 ack channel.668
        ",
        expect![[r#"
            0 open
            0 greet
                0 say Connected(Pusher)
            0 follow 668
                0 send {"event":"pusher:subscribe","data":{"auth":"","channel":"channel.668"}}
            1 ack channel.668
                1 say Subscribed(ChannelId(668))
        "#]],
    );
}

#[test]
fn a_thousand_subscriptions_are_paced() {
    let ids: Vec<ChannelId> = (1..=1000).map(ChannelId).collect();
    let mut session = following(&[]);
    let mut now = Steady::default();
    let mut sent = acts(&mut session, now, SessionInput::Follow(&ids)).len();
    let mut turns = 1;
    assert_eq!(sent, 100);
    while sent < 1000 {
        // Input that arrives in between does not speed up the pace.
        let greedy = acts(&mut session, now, SessionInput::Alive);
        assert_eq!(greedy, []);
        assert_eq!(session.next_wake(), now + Duration::from_millis(10));
        now = session.next_wake();
        let turn = acts(&mut session, now, SessionInput::Tick);
        assert!(turn.len() <= 100 && turn.iter().all(|act| matches!(act, Act::Send(_))), "{turn:?}");
        sent += turn.len();
        turns += 1;
    }
    assert_eq!((sent, turns, now), (1000, 10, Steady::after(Duration::from_millis(90))));
    let last: Vec<String> = acts(&mut session, now, SessionInput::Unfollow(&ids[998..])).iter().map(shown).collect();
    assert_eq!(
        last,
        [
            r#"send {"event":"pusher:unsubscribe","data":{"channel":"channel.999"}}"#,
            r#"send {"event":"pusher:unsubscribe","data":{"channel":"channel.1000"}}"#
        ]
    );
}
