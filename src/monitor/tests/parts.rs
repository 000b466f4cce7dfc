//! R14: a read of the table that comes in parts, and one that is worked off in several turns.

use super::check_watched;
use super::shards::check_sharing;
use expect_test::expect;

#[test]
fn r14_rows_are_compared_as_they_come_and_what_is_new_or_gone_counts_at_the_end() {
    check_watched(
        "
        1 roster 2:train:Offline 3:b:. more
        .. roster 1:xqc:Online more
        2 live 668 10
        3 roster read@1 4:d:.
        ",
        &expect![[r#"

            1.0    ask users_livestreams: 676
            3.0    log roster_loaded streamers=4 added=3 removed=0
            3.0    ask website: train
        "#]],
    );
}

#[test]
fn r14_a_row_that_has_not_come_yet_is_not_gone() {
    check_watched(
        "
        1 roster read@1 2:train:Offline more
        2 roster read@2 1:xqc:Offline
        3 roster read@1 3:late:Offline
        ",
        &expect![[r#"

            nothing
        "#]],
    );
}

#[test]
fn r13_rows_that_share_an_id_are_noticed_whichever_part_they_are_in() {
    check_watched(
        "
        1 roster read@1 1:xqc:Offline 2:train:. more
        2 roster read@1 2:b:. more
        3 roster read@1 1:xqc:Offline 3:d:.
        4 live 668 10
        5 roster 1:xqc:Offline 2:train:. 3:d:.
        ",
        &expect![[r#"

            3.0    log streamer_unusable username=xqc id=1 reason="other rows have the same id; set DB_ID_COLUMN to a column that tells rows apart"
            3.0    log streamer_unusable username=train id=2 reason="other rows have the same id; set DB_ID_COLUMN to a column that tells rows apart"
            3.0    log roster_loaded streamers=1 added=1 removed=1
            3.0    ask channels: d
            3.0    ask website: d
            3.0    close 0
            4.0    log detail push_stranger
            5.0    log roster_loaded streamers=3 added=2 removed=0
            5.0    open 1
        "#]],
    );
}

#[test]
fn r14_a_large_read_is_worked_off_turn_by_turn_and_events_do_not_wait_for_it() {
    check_watched(
        "
        1 set rows=1
        .. roster 1:xqc:Offline 2:a:. 3:b:. 4:c:.
        .. live 668 10
        .. tick
        .. tick
        .. tick
        .. quiet
        2 until
        .. loud
        .. roster 5:e:.
        .. stop 668 10
        3 until
        ",
        &expect![[r#"

            1.0    ask channels: a
            1.0    ask website: a
            1.0    write 1 Online by push
            1.0    log roster_loaded streamers=4 added=3 removed=0
            2.0    close 0
            2.0    log detail push_stranger
            2.0    log roster_loaded streamers=1 added=1 removed=4
        "#]],
    );
}

#[test]
fn r14_the_next_read_has_the_last_one_worked_off() {
    check_watched(
        "
        1 set rows=1
        .. roster 2:a:. 3:b:. 4:c:. | 2:a:. 3:b:.
        2 until
        ",
        &expect![[r#"

            1.0    log roster_loaded streamers=3 added=3 removed=1
            1.0    ask channels: a b
            1.0    ask website: a
            1.0    close 0
            1.0    log roster_loaded streamers=2 added=0 removed=1
        "#]],
    );
}

#[test]
fn r14_a_large_sweep_and_check_of_names_are_queued_turn_by_turn() {
    check_watched(
        "
        1 quiet
        .. set rows=1
        .. learned a/1/11 b/2/12
        .. kick xqc/676/668=offline a/1/11=offline b/2/12=offline
        .. auto asks
        .. roster 1:xqc:Offline 2:a:Offline 3:b:Offline
        50 loud
        61 quiet
        599 loud
        601 until
        ",
        &expect![[r#"

            60.0   ask users_livestreams: 676
            60.0   ask users_livestreams: 1
            60.0   ask users_livestreams: 2
            600.0  ask users_livestreams: 676
            600.0  ask channels: xqc
            600.0  ask users_livestreams: 1
            600.0  ask channels: a
            600.0  ask users_livestreams: 2
            600.0  ask channels: b
        "#]],
    );
}

#[test]
fn r25_a_read_counts_only_while_the_same_shards_are_held() {
    check_sharing(
        "
        0 shards held 2 of 2 by 1 0 1
        1 roster 1/0:xqc:Offline scope@0,1 more
        2 shards held 2 of 2 by 2 0
        3 roster read@1 2/1:train:Offline scope@0,1
        4 roster 1/0:xqc:Offline scope@0
        ",
        &expect![[r#"

            0.0    log shards_changed held=2 of=2 instances=1
            0.0    read the roster
            2.0    log shards_changed held=1 of=2 instances=2
            2.0    read the roster
            2.0    released 2 1
            4.0    log roster_loaded streamers=1 added=1 removed=0
            4.0    ask users_livestreams: 676
            4.0    open 0
        "#]],
    );
}

#[test]
fn r25_not_all_are_compared_before_the_read_is_complete() {
    check_sharing(
        "
        0 shards off
        .. learned a/1/11 b/2/12
        .. kick a/1/11=offline b/2/12=offline
        .. auto asks
        .. set rows=1
        .. roster 1:a:Offline 2:b:Offline
        1 until
        ",
        &expect![[r#"

            0.0    ask users_livestreams: 1
            0.0    open 0
            0.0    ask users_livestreams: 2
            0.0    log roster_loaded streamers=2 added=2 removed=0
            0.0    log ready version=- seconds=0.0 streamers=2
        "#]],
    );
}
