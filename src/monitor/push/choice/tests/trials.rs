//! Silent transports (R11): left for another offered one, and taken again when a trial proved them.

use super::check;
use expect_test::expect;

#[test]
fn a_silent_transport_is_left_for_another_that_kick_offers() {
    check(
        "
        answer pusher:old centrifugo:a; way 0; connected 0; way 1; @100; silent pusher
        answer pusher:old centrifugo:a; way 2; way 3; connected 2
        ",
        &expect![[r#"

            0 way 0: ws-us2.pusher.com/app/old
            0 remember Pusher { app_key: "old", cluster: "us2" }
            0 way 1: ws-us2.pusher.com/app/old
            100 silent pusher: ask true, move true
            100 way 2: a.kick.com/connection
            100 way 3: a.kick.com/connection
            100 remember Centrifugo { url: "wss://a.kick.com/connection" }
        "#]],
    );
}

#[test]
fn a_silent_transport_is_kept_where_kick_offers_no_other() {
    check(
        "
        answer pusher:old; way 0; connected 0; @100; silent pusher; answer pusher:old; silent pusher
        way 0
        ",
        &expect![[r#"

            0 way 0: ws-us2.pusher.com/app/old
            0 remember Pusher { app_key: "old", cluster: "us2" }
            100 silent pusher: ask true, move false
            100 silent pusher: ask false, move false
            100 way 0: ws-us2.pusher.com/app/old
        "#]],
    );
    check(
        "answer centrifugo:a; way 0; connected 0; @100; silent centrifugo; way 0; trial 9",
        &expect![[r#"

        0 way 0: a.kick.com/connection
        0 remember Centrifugo { url: "wss://a.kick.com/connection" }
        100 silent centrifugo: ask true, move false
        100 way 0: should ask; a.kick.com/connection
        100 trial 9: due never, begun false
    "#]],
    );
}

#[test]
fn with_a_new_key_the_silent_transport_is_another_way() {
    check(
        "
        answer pusher:old; way 0; connected 0; @100; silent pusher; answer pusher:new; silent pusher
        way 1
        ",
        &expect![[r#"

            0 way 0: ws-us2.pusher.com/app/old
            0 remember Pusher { app_key: "old", cluster: "us2" }
            100 silent pusher: ask true, move false
            100 silent pusher: ask false, move true
            100 way 1: ws-us2.pusher.com/app/new
        "#]],
    );
}

#[test]
fn a_silent_transport_does_not_come_back_by_time_alone() {
    check(
        "
        answer pusher:old centrifugo:a; way 0; connected 0; @100; silent pusher; way 1; @90000
        lost 1; answer pusher:old centrifugo:a; way 1
        ",
        &expect![[r#"

            0 way 0: ws-us2.pusher.com/app/old
            0 remember Pusher { app_key: "old", cluster: "us2" }
            100 silent pusher: ask true, move true
            100 way 1: should ask; a.kick.com/connection
            90000 way 1: a.kick.com/connection
        "#]],
    );
}

#[test]
fn it_comes_back_when_a_trial_proves_it_and_trials_grow_rare() {
    check(
        "
        answer pusher:old centrifugo:a; way 0; connected 0; @100; silent pusher; closed 0; way 1
        connected 1; trial 9; @700; trial 9; way 9; way 1; @800; deaf; @2000
        answer pusher:old centrifugo:a; trial 10; way 10; @2001; proved; way 11
        connected 11; @2500; silent pusher; closed 11; way 12; trial 13
        ",
        &expect![[r#"

            0 way 0: ws-us2.pusher.com/app/old
            0 remember Pusher { app_key: "old", cluster: "us2" }
            100 silent pusher: ask true, move true
            100 way 1: should ask; a.kick.com/connection
            100 remember Centrifugo { url: "wss://a.kick.com/connection" }
            100 trial 9: due 700, begun false
            700 trial 9: due 700, begun true
            700 way 9: should ask; ws-us2.pusher.com/app/old
            700 way 1: should ask; a.kick.com/connection
            2000 trial 10: due 2000, begun true
            2000 way 10: ws-us2.pusher.com/app/old
            2001 way 11: ws-us2.pusher.com/app/old
            2001 remember Pusher { app_key: "old", cluster: "us2" }
            2500 silent pusher: ask true, move true
            2500 way 12: should ask; a.kick.com/connection
            2500 trial 13: due 4900, begun false
        "#]],
    );
}

#[test]
fn where_all_are_silent_nobody_moves_without_proof() {
    check(
        "
        answer pusher:old centrifugo:a; way 0; connected 0; @100; silent pusher; closed 0; way 1
        @500; silent centrifugo; @700; trial 9; way 9; @1200; silent centrifugo; proved; way 2
        ",
        &expect![[r#"

            0 way 0: ws-us2.pusher.com/app/old
            0 remember Pusher { app_key: "old", cluster: "us2" }
            100 silent pusher: ask true, move true
            100 way 1: should ask; a.kick.com/connection
            500 silent centrifugo: ask true, move false
            700 trial 9: due 700, begun true
            700 way 9: should ask; ws-us2.pusher.com/app/old
            1200 silent centrifugo: ask true, move false
            1200 way 2: should ask; ws-us2.pusher.com/app/old
        "#]],
    );
}

#[test]
fn what_kick_no_longer_offers_is_not_tried() {
    check(
        "
        answer pusher:old centrifugo:a; way 0; connected 0; @100; silent pusher; closed 0; way 1
        @700; answer centrifugo:a; trial 9
        ",
        &expect![[r#"

            0 way 0: ws-us2.pusher.com/app/old
            0 remember Pusher { app_key: "old", cluster: "us2" }
            100 silent pusher: ask true, move true
            100 way 1: should ask; a.kick.com/connection
            700 trial 9: due never, begun false
        "#]],
    );
}

#[test]
fn a_silent_transport_that_is_not_wanted_is_not_tried() {
    check(
        "
        answer centrifugo:a; way 0; @100; silent centrifugo; answer pusher:old centrifugo:a; closed 0; way 1
        @5000; trial 9
        ",
        &expect![[r#"

            0 way 0: a.kick.com/connection
            100 silent centrifugo: ask true, move false
            100 way 1: ws-us2.pusher.com/app/old
            5000 trial 9: due never, begun false
        "#]],
    );
}

#[test]
fn what_is_merely_on_trial_is_not_what_worked_last() {
    check(
        "
        answer pusher:old centrifugo:a; way 0; connected 0; @100; silent pusher; closed 0; way 1; connected 1
        @700; trial 9; way 9; connected 9; @800; deaf; @900; blocked; way 1
        refused 1; way 1
        ",
        &expect![[r#"

            0 way 0: ws-us2.pusher.com/app/old
            0 remember Pusher { app_key: "old", cluster: "us2" }
            100 silent pusher: ask true, move true
            100 way 1: should ask; a.kick.com/connection
            100 remember Centrifugo { url: "wss://a.kick.com/connection" }
            700 trial 9: due 700, begun true
            700 way 9: should ask; ws-us2.pusher.com/app/old
            900 way 1: ws-us2.pusher.com/app/configured
            900 way 1: a.kick.com/connection
        "#]],
    );
}

#[test]
fn an_outage_does_not_make_a_silent_transport_well() {
    check(
        "
        answer pusher:old centrifugo:a; way 0; connected 0; @100; silent pusher; closed 0; way 1; connected 1
        @200; lost 1; way 1; in-vain 1; way 1; in-vain 1; way 1; in-vain 1
        @201; way 1; in-vain 1; way 1; in-vain 1; way 1; in-vain 1; way 1
        @300; answer pusher:old centrifugo:a; way 1; connected 1; way 2
        @700; answer pusher:old centrifugo:a; trial 9; way 9; in-vain 9; way 9; in-vain 9; way 9; in-vain 9
        @800; answer pusher:old centrifugo:a; way 9; connected 9; way 2; proved; way 3
        ",
        &expect![[r#"

            0 way 0: ws-us2.pusher.com/app/old
            0 remember Pusher { app_key: "old", cluster: "us2" }
            100 silent pusher: ask true, move true
            100 way 1: should ask; a.kick.com/connection
            100 remember Centrifugo { url: "wss://a.kick.com/connection" }
            200 way 1: should ask; a.kick.com/connection
            200 way 1: should ask; a.kick.com/connection
            200 way 1: should ask; a.kick.com/connection
            201 way 1: should ask; a.kick.com/connection
            201 way 1: should ask; a.kick.com/connection
            201 way 1: should ask; a.kick.com/connection
            201 way 1: should ask; a.kick.com/connection
            300 way 1: a.kick.com/connection
            300 way 2: a.kick.com/connection
            700 trial 9: due 700, begun true
            700 way 9: ws-us2.pusher.com/app/old
            700 way 9: ws-us2.pusher.com/app/old
            700 way 9: ws-us2.pusher.com/app/old
            800 way 9: ws-us2.pusher.com/app/old
            800 way 2: a.kick.com/connection
            800 way 3: ws-us2.pusher.com/app/old
        "#]],
    );
}
