//! Subscriptions: acknowledgements, failures and retries.

use super::{acts, check, check_with, following};
use crate::domain::{ChannelId, Steady};
use crate::wire::{Act, Session, SessionInput};
use expect_test::expect;

#[test]
fn a_streamer_is_subscribed_when_all_its_channels_are_acknowledged() {
    check_with(
        &["channel.{id}", "channel_{id}"],
        "
        0 open
        0 token t
        0 follow 668
        0 greet
        0.2 ack 3
        0.3 ack 3
        0.4 ack 2
        0.5 ack 2
        0.6 ack 99
        1 follow 668
        2 unfollow 668 670
        2.1 ack 2
        3 follow 668
        ",
        expect![[r#"
            0 open
                0 want token
            0 token t
                0 send {"id":1,"connect":{"token":"t","name":"js"}}
            0 follow 668
            0 greet
                0 say Connected(Centrifugo)
                0 send {"id":2,"subscribe":{"channel":"channel.668","flag":1}}
                0 send {"id":3,"subscribe":{"channel":"channel_668","flag":1}}
            0.2 ack 3
            0.3 ack 3
            0.4 ack 2
                0.4 say Subscribed(ChannelId(668))
            0.5 ack 2
            0.6 ack 99
            1 follow 668
            2 unfollow 668 670
                2 send {"id":4,"unsubscribe":{"channel":"channel.668"}}
                2 send {"id":5,"unsubscribe":{"channel":"channel_668"}}
            2.1 ack 2
            3 follow 668
                3 send {"id":6,"subscribe":{"channel":"channel.668","flag":1}}
                3 send {"id":7,"subscribe":{"channel":"channel_668","flag":1}}
        "#]],
    );
}

#[test]
fn a_refused_subscription_is_said_once_and_tried_again_ever_more_slowly() {
    check(
        r#"
        0 open
        0 token t
        0 greet
        0 follow 668
        0.1 error 2 103 permission denied
        0.2 error 2 103 permission denied
        1.2 error 3 103 permission denied
        3.3 error 4 109 token expired
        7.4 error 5 111 too many requests
        20 text {}
        20 ack 6
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
            0.1 error 2 103 permission denied
                0.1 say SubscriptionFailed(ChannelId(668))
            0.2 error 2 103 permission denied
                1.1 send {"id":3,"subscribe":{"channel":"channel.668","flag":1}}
            1.2 error 3 103 permission denied
                1.2 say SubscriptionFailed(ChannelId(668))
                3.2 send {"id":4,"subscribe":{"channel":"channel.668","flag":1}}
            3.3 error 4 109 token expired
                3.3 say SubscriptionFailed(ChannelId(668))
                7.3 send {"id":5,"subscribe":{"channel":"channel.668","flag":1}}
            7.4 error 5 111 too many requests
                7.4 say SubscriptionFailed(ChannelId(668))
                15.4 send {"id":6,"subscribe":{"channel":"channel.668","flag":1}}
            20 text {}
                20 send {}
            20 ack 6
                20 say Subscribed(ChannelId(668))
        "#]],
    );
}

#[test]
fn a_subscription_without_an_answer_is_tried_again_and_a_late_answer_counts() {
    check(
        "
        0 open
        0 token t
        0 greet
        0 follow 668
        10.5 text {}
        22 ack 2
        30 text {}
        31 ack 3
        ",
        expect![[r#"
            0 open
                0 want token
            0 token t
                0 send {"id":1,"connect":{"token":"t","name":"js"}}
            0 greet
                0 say Connected(Centrifugo)
            0 follow 668
                0 send {"id":2,"subscribe":{"channel":"channel.668","flag":1}}
                10 say SubscriptionFailed(ChannelId(668))
            10.5 text {}
                10.5 send {}
                11 send {"id":3,"subscribe":{"channel":"channel.668","flag":1}}
                21 say SubscriptionFailed(ChannelId(668))
            22 ack 2
                22 say Subscribed(ChannelId(668))
            30 text {}
                30 send {}
            31 ack 3
        "#]],
    );
}

#[test]
fn already_subscribed_is_an_acknowledgement() {
    check(
        "
        0 open
        0 token t
        0 greet
        0 follow 668
        12 error 3 105 already subscribed
        13 error 3 105 already subscribed
        14 error 77 105 already subscribed
        ",
        expect![[r#"
            0 open
                0 want token
            0 token t
                0 send {"id":1,"connect":{"token":"t","name":"js"}}
            0 greet
                0 say Connected(Centrifugo)
            0 follow 668
                0 send {"id":2,"subscribe":{"channel":"channel.668","flag":1}}
                10 say SubscriptionFailed(ChannelId(668))
                11 send {"id":3,"subscribe":{"channel":"channel.668","flag":1}}
            12 error 3 105 already subscribed
                12 say Subscribed(ChannelId(668))
            13 error 3 105 already subscribed
            14 error 77 105 already subscribed
        "#]],
    );
}

#[test]
fn a_subscription_that_the_server_ends_is_taken_up_again() {
    check(
        r#"
        0 open
        0 token t
        0 greet
        0 follow 1 2
        0.1 ack 2
        0.1 ack 3
        5 push {"channel":"channel.1","unsubscribe":{"code":2500,"reason":"insufficient state"}}
        5 push {"channel":"channel.2","unsubscribe":{"code":2000,"reason":"server unsubscribe"}}
        5 push {"channel":"channel.3","unsubscribe":{"code":2000,"reason":"server unsubscribe"}}
        5 push {"unsubscribe":{"code":2000}}
        6.1 ack 4
        6.1 ack 5
        "#,
        expect![[r#"
            0 open
                0 want token
            0 token t
                0 send {"id":1,"connect":{"token":"t","name":"js"}}
            0 greet
                0 say Connected(Centrifugo)
            0 follow 1 2
                0 send {"id":2,"subscribe":{"channel":"channel.1","flag":1}}
                0 send {"id":3,"subscribe":{"channel":"channel.2","flag":1}}
            0.1 ack 2
                0.1 say Subscribed(ChannelId(1))
            0.1 ack 3
                0.1 say Subscribed(ChannelId(2))
            5 push {"channel":"channel.1","unsubscribe":{"code":2500,"reason":"insufficient state"}}
            5 push {"channel":"channel.2","unsubscribe":{"code":2000,"reason":"server unsubscribe"}}
                5 say SubscriptionFailed(ChannelId(2))
            5 push {"channel":"channel.3","unsubscribe":{"code":2000,"reason":"server unsubscribe"}}
            5 push {"unsubscribe":{"code":2000}}
                6 send {"id":4,"subscribe":{"channel":"channel.1","flag":1}}
                6 send {"id":5,"subscribe":{"channel":"channel.2","flag":1}}
            6.1 ack 4
                6.1 say Subscribed(ChannelId(1))
            6.1 ack 5
                6.1 say Subscribed(ChannelId(2))
        "#]],
    );
}

#[test]
fn a_reply_to_what_was_asked_before_the_unfollowing_does_not_count_after_it() {
    check(
        "
        0 open
        0 token t
        0 greet
        0 follow 668
        0 unfollow 668
        0 follow 668
        0.1 ack 2
        0.2 error 4 103 permission denied
        ",
        expect![[r#"
            0 open
                0 want token
            0 token t
                0 send {"id":1,"connect":{"token":"t","name":"js"}}
            0 greet
                0 say Connected(Centrifugo)
            0 follow 668
                0 send {"id":2,"subscribe":{"channel":"channel.668","flag":1}}
            0 unfollow 668
                0 send {"id":3,"unsubscribe":{"channel":"channel.668"}}
            0 follow 668
                0 send {"id":4,"subscribe":{"channel":"channel.668","flag":1}}
            0.1 ack 2
            0.2 error 4 103 permission denied
                0.2 say SubscriptionFailed(ChannelId(668))
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
        0 token t
        0 greet
        0 unfollow 2 1
        ",
        expect![[r#"
            0 follow 1 2
            0 unfollow 1
            0 open
                0 want token
            0 token t
                0 send {"id":1,"connect":{"token":"t","name":"js"}}
            0 greet
                0 say Connected(Centrifugo)
                0 send {"id":2,"subscribe":{"channel":"channel.2","flag":1}}
            0 unfollow 2 1
                0 send {"id":3,"unsubscribe":{"channel":"channel.2"}}
        "#]],
    );
}

#[test]
fn a_thousand_subscriptions_are_paced() {
    let ids: Vec<ChannelId> = (1..=1000).map(ChannelId).collect();
    let mut session = following(&[]);
    let mut now = Steady::default();
    let mut sent = acts(&mut session, now, SessionInput::Follow(&ids)).len();
    assert_eq!(sent, 100);
    while sent < 1000 {
        now = session.next_wake();
        let turn = acts(&mut session, now, SessionInput::Tick);
        assert!(turn.len() <= 100 && turn.iter().all(|act| matches!(act, Act::Send(_))), "{turn:?}");
        sent += turn.len();
    }
    assert_eq!((sent, now.elapsed().as_millis()), (1000, 90));
}
