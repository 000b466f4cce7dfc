//! Where links connect, and which transport delivers (R11): a silent one is reported and left.

use super::{check, check_watched};
use expect_test::expect;

/// One streamer on link 0, by Pusher, while Kick offers Centrifugo, too. Push delivers nothing from 1 s on, and what
/// the sweep finds at 180 s, 243 s, 300 s, 363 s and 420 s makes Pusher silent at 430 s.
pub(super) const DEAF: &str = "
    1 auto
    .. link 0 wants-way
    .. offers pusher:old centrifugo:a
    .. link 0 connected
    .. link 0 subscribed 668
    .. quiet
    170 kick xqc/676/668=live@170
    230 kick xqc/676/668=offline
    290 kick xqc/676/668=live@290
    350 kick xqc/676/668=offline
    410 kick xqc/676/668=live@410
    425 loud
";

#[test]
fn many_links_cost_one_question_and_what_worked_is_kept() {
    check(
        "
        0 learned a/1/11 b/2/12 c/3/13 d/4/14
        .. quiet
        .. auto
        .. roster 1:a:Offline 2:b:Offline 3:c:Offline 4:d:Offline
        .. loud
        1 link 0 wants-way
        .. link 1 wants-way
        2 offers centrifugo:a pusher:new
        3 link 0 connected
        .. link 1 connected
        50 link 0 disconnected
        .. link 0 wants-way
        70 link 0 disconnected
        .. link 0 wants-way
        71 offers
        ",
        &expect![[r#"

            1.0    ask realtime: pusher centrifugo
            2.0    go 0 pusher:new
            2.0    go 1 pusher:new
            3.0    remember pusher
            50.0   go 0 pusher:new
            70.0   ask realtime: pusher centrifugo
            71.0   go 0 pusher:configured
        "#]],
    );
}

#[test]
fn a_kick_without_a_broker_leads_to_what_is_configured_and_then_to_what_worked_last() {
    check_watched(
        "
        1 auto
        .. worked centrifugo:last
        .. link 0 wants-way
        2 broker-fail 404
        .. link 0 refused 4001 no such app
        .. link 0 wants-way
        70 link 0 disconnected
        .. link 0 wants-way
        71 offers pusher:new
        ",
        &expect![[r#"

            1.0    ask realtime: pusher centrifugo
            2.0    log api_error status=404 endpoint=realtime retry_in=60.0 reason=404
            2.0    go 0 pusher:configured
            2.0    go 0 centrifugo:last
            70.0   ask realtime: pusher centrifugo
            71.0   log api_recovered endpoint=realtime
            71.0   go 0 pusher:new
        "#]],
    );
}

#[test]
fn a_link_without_any_way_is_told_so() {
    check_watched(
        "
        1 auto
        .. only centrifugo
        .. set sweep=60
        .. relink
        .. link 1 started
        .. link 1 wants-way
        2 offers pusher:new
        ",
        &expect![[r#"

            1.0    open 1
            1.0    close 0
            1.0    subscribe 1 668
            1.0    ask realtime: centrifugo
            2.0    go 1 nowhere
        "#]],
    );
}

#[test]
fn a_token_reaches_whom_it_is_for_and_after_a_refusal_another_client_asks() {
    check(
        "
        0 learned a/1/11 b/2/12 c/3/13 d/4/14
        .. quiet
        .. auto
        .. roster 1:a:Offline 2:b:Offline 3:c:Offline 4:d:Offline
        .. link 0 wants-way
        .. link 1 wants-way
        .. offers centrifugo:a
        .. loud
        1 link 0 wants-token
        .. link 1 wants-token
        2 broker-fail 503
        4 token-given secret
        5 link 0 wants-token
        6 link 1 refused 3500 invalid token
        7 token-given out-of-date
        8 token-given another
        ",
        &expect![[r#"

            1.0    ask guest_token
            2.0    log api_error status=503 endpoint=guest_token retry_in=1.0 reason=503
            3.0    ask guest_token
            4.0    log api_recovered endpoint=guest_token
            4.0    token 0 Secret(…)
            4.0    token 1 Secret(…)
            5.0    ask guest_token
            7.0    ask guest_token
            8.0    token 0 Secret(…)
        "#]],
    );
}

#[test]
fn what_the_broker_was_asked_is_asked_again_when_its_thread_begins_anew() {
    check_watched(
        "
        1 auto
        .. link 0 wants-way
        2 broker-died
        3 offers pusher:new
        4 broker-died
        ",
        &expect![[r#"

            1.0    ask realtime: pusher centrifugo
            2.0    ask realtime: pusher centrifugo
            3.0    go 0 pusher:new
        "#]],
    );
}

#[test]
fn other_push_settings_have_every_link_ask_anew_and_the_answer_to_the_old_ones_is_not_used() {
    check_watched(
        "
        1 auto
        .. link 0 wants-way
        2 relink
        .. link 0 wants-way
        3 link 1 started
        .. link 1 wants-way
        4 offers centrifugo:old
        5 offers pusher:new
        ",
        &expect![[r#"

            1.0    ask realtime: pusher centrifugo
            2.0    open 1
            2.0    close 0
            3.0    subscribe 1 668
            4.0    ask realtime: pusher centrifugo
            5.0    go 1 pusher:new
        "#]],
    );
}

#[test]
fn a_link_that_begins_anew_is_told_again_where_to_go_when_it_asks() {
    check_watched(
        "
        1 auto
        .. link 0 wants-way
        2 link 0 started
        3 offers pusher:new
        4 link 0 wants-way
        ",
        &expect![[r#"

            1.0    ask realtime: pusher centrifugo
            2.0    subscribe 0 668
            4.0    go 0 pusher:new
        "#]],
    );
}

#[test]
fn r11_a_silent_transport_is_left_for_another_that_kick_offers() {
    check_watched(
        &format!("{DEAF} 430.5 offers pusher:old centrifugo:a\n431 link 1 started\n.. link 1 wants-way"),
        &expect![[r#"

            1.0    ask realtime: pusher centrifugo
            1.0    go 0 pusher:old
            1.0    remember pusher
            430.0  log push_missed username=xqc status=Online
            430.0  log push_silent transport=pusher missed=5 kind=both
            430.0  ask realtime: pusher centrifugo
            430.5  open 1
            430.5  close 0
            431.0  subscribe 1 668
            431.0  go 1 centrifugo:a
        "#]],
    );
}

#[test]
fn r11_a_silent_transport_is_kept_where_kick_offers_no_other_and_said_again_after_every_five() {
    check_watched(
        &format!(
            "{DEAF}
            430.5 offers pusher:old
            431 quiet
            470 kick xqc/676/668=offline
            530 kick xqc/676/668=live@530
            590 kick xqc/676/668=offline
            650 kick xqc/676/668=live@650
            710 kick xqc/676/668=offline
            725 loud
            740 until
            "
        ),
        &expect![[r#"

            1.0    ask realtime: pusher centrifugo
            1.0    go 0 pusher:old
            1.0    remember pusher
            430.0  log push_missed username=xqc status=Online
            430.0  log push_silent transport=pusher missed=5 kind=both
            430.0  ask realtime: pusher centrifugo
            733.0  log push_missed username=xqc status=Offline
            733.0  log push_silent transport=pusher missed=10 kind=both
        "#]],
    );
}

#[test]
fn r11_after_the_move_the_new_connection_is_judged_by_what_it_misses_itself() {
    check_watched(
        "
        1 auto
        .. quiet
        170 kick xqc/676/668=live@170
        230 kick xqc/676/668=offline
        290 kick xqc/676/668=live@290
        350 kick xqc/676/668=offline
        400 relink
        .. link 1 started
        .. link 1 centrifugo
        .. link 1 subscribed 668
        500 loud
        530 kick xqc/676/668=live@530
        600 stop 668 10 link=1
        ",
        &expect![[r#"

            540.0  write 1 Online by sweep
            550.0  log push_missed username=xqc status=Online
        "#]],
    );
}
