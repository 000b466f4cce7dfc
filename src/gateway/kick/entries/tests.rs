//! The answers of docs/kick.md §5 and §6, and how they are parsed.

use super::seen;
use crate::domain::ask::{Endpoint, Liveness, Seen, SeenChannel};
use expect_test::{Expect, expect};

/// Compares the entries in a body, one per line.
fn check(endpoint: Endpoint, body: &str, expect: &Expect) {
    let lines = match seen(endpoint, body.as_bytes()) {
        None => "garbage\n".to_owned(),
        Some(seen) => seen.iter().map(line).collect(),
    };
    expect.assert_eq(&lines);
}

fn line(seen: &Seen) -> String {
    let user = seen.user.map_or("-".to_owned(), |user| user.to_string());
    let slug = seen.slug.as_ref().map_or("-".to_owned(), ToString::to_string);
    let channel = match seen.channel {
        Some(SeenChannel::Stated(id)) => format!("stated {id}"),
        Some(SeenChannel::Banner(id)) => format!("banner {id}"),
        None => "-".to_owned(),
    };
    let liveness = match seen.liveness {
        Liveness::Live(start) => format!("live {}", start.map_or("-".to_owned(), |start| start.to_string())),
        Liveness::Offline => "offline".to_owned(),
        Liveness::Unsaid => "unsaid".to_owned(),
        Liveness::Nothing => "nothing".to_owned(),
    };
    let title = seen.title.as_ref().map_or(String::new(), |title| format!(" | {title}"));
    format!("{user} | {slug} | {channel} | {liveness}{title}\n")
}

#[test]
fn channels_say_who_is_live_and_who_is_not() {
    let body = r#"{"data":[
        {"active_subscribers_count":0,"canceled_subscribers_count":0,
         "banner_picture":"https://files.kick.com/images/channel/7560176/banner_image/x.webp","broadcaster_user_id":676,
         "category":{"id":15,"name":"Just Chatting","thumbnail":""},"channel_description":"","slug":"xqc",
         "stream":{"custom_tags":[],"is_live":true,"is_mature":false,"key":"","language":"en",
                   "start_time":"2026-09-30T19:24:14Z","thumbnail":"","url":"","viewer_count":0},
         "stream_title":"t"},
        {"banner_picture":"https://kick.com/img/default-banner-pictures/default2.jpeg","broadcaster_user_id":"7",
         "slug":"Sino-TF","stream":{"is_live":false,"start_time":"0001-01-01T00:00:00Z"}}
    ],"message":"OK"}"#;
    check(
        Endpoint::Channels,
        body,
        &expect![[r#"
            676 | xqc | banner 7560176 | live 2026-09-30T19:24:14Z | t
            7 | sino-tf | - | offline
        "#]],
    );
}

#[test]
fn a_contradiction_or_a_missing_field_says_nothing_of_being_live() {
    let entry = |stream: &str| format!(r#"{{"slug":"xqc"{stream}}}"#);
    let entries = [
        entry(r#","stream":{"is_live":true,"start_time":"0001-01-01T00:00:00Z"}"#),
        entry(r#","stream":{"is_live":true}"#),
        entry(r#","stream":{"start_time":"2026-09-30T19:24:14Z"}"#),
        entry(r#","stream":{"is_live":"true","start_time":"2026-09-30T19:24:14Z"}"#),
        entry(r#","stream":{"is_live":0}"#),
        entry(r#","stream":null"#),
        entry(""),
    ];
    let body = format!(r#"{{"data":[{}]}}"#, entries.join(","));
    check(
        Endpoint::Channels,
        &body,
        &expect![[r#"
        - | xqc | - | nothing
        - | xqc | - | nothing
        - | xqc | - | nothing
        - | xqc | - | nothing
        - | xqc | - | nothing
        - | xqc | - | nothing
        - | xqc | - | nothing
    "#]],
    );
}

#[test]
fn r6_a_whole_entry_without_a_stream_is_a_mention_without_a_status() {
    let entry = |rest: &str| format!(r#"{{"broadcaster_user_id":676,"slug":"xqc"{rest}}}"#);
    let entries = [
        entry(r#","stream":null"#),
        entry(""),
        entry(r#","stream":{}"#),
        entry(r#","stream":"null""#),
        entry(r#","stream":[]"#),
        entry(r#","stream":false"#),
        r#"{"broadcaster_user_id":676,"stream":null}"#.to_owned(),
    ];
    check(
        Endpoint::Channels,
        &format!(r#"{{"data":[{}]}}"#, entries.join(",")),
        &expect![[r#"
            676 | xqc | - | unsaid
            676 | xqc | - | unsaid
            676 | xqc | - | nothing
            676 | xqc | - | nothing
            676 | xqc | - | nothing
            676 | xqc | - | nothing
            676 | - | - | nothing
        "#]],
    );
}

#[test]
fn a_channel_that_names_nobody_is_left_out_and_spoils_no_other() {
    let body = r#"{"data":[{"broadcaster_user_id":0,"slug":""},null,17,"x",[],{"broadcaster_user_id":1.5},
        {"broadcaster_user_id":-3,"slug":"two words"},{"broadcaster_user_id":99999999999999999999},
        {"broadcaster_user_id":9,"slug":null,"banner_picture":"https://files.kick.com/images/channel/x/y",
         "stream":{"is_live":false}}]}"#;
    check(
        Endpoint::Channels,
        body,
        &expect![[r#"
        9 | - | - | offline
    "#]],
    );
}

#[test]
fn livestreams_state_the_channel_id() {
    let body = r#"{"data":[
        {"broadcaster_user_id":676,"channel_id":668,"slug":"xqc","stream_title":"t","started_at":"2026-09-30T19:24:14Z",
         "viewer_count":0,"category":{},"language":"en","has_mature_content":false,"custom_tags":[],"thumbnail":"",
         "profile_picture":""},
        {"broadcaster_user_id":"7","channel_id":"8","slug":"a"},
        {"broadcaster_user_id":9,"started_at":"0001-01-01T00:00:00Z"}
    ],"message":"OK"}"#;
    check(
        Endpoint::Livestreams,
        body,
        &expect![[r#"
            676 | xqc | stated 668 | live 2026-09-30T19:24:14Z | t
            7 | a | stated 8 | live -
            9 | - | - | live -
        "#]],
    );
}

#[test]
fn users_livestreams_name_the_user_inside() {
    let body = r#"{"data":[{"id":"0199a1b2-uuid","broadcaster_user":{"id":676,"username":"xQc","profile_picture":""},
        "channel":{"slug":"xqc"},"category":{},"title":"t","thumbnail":"","tags":[],"language_code":"en",
        "has_mature_content":false,"started_at":"2026-09-30T19:24:14Z","viewer_count":3}],"message":"OK"}"#;
    check(
        Endpoint::UsersLivestreams,
        body,
        &expect![[r#"
            676 | xqc | - | live 2026-09-30T19:24:14Z | t
        "#]],
    );
}

#[test]
fn a_channel_id_is_taken_wherever_kick_states_it() {
    let banner = r#""banner_picture":"https://files.kick.com/images/channel/9/banner_image/x""#;
    check(
        Endpoint::Channels,
        &format!(r#"{{"data":[{{"broadcaster_user_id":676,"slug":"xqc","channel_id":668,{banner}}}]}}"#),
        &expect![[r#"
            676 | xqc | stated 668 | unsaid
        "#]],
    );
    check(
        Endpoint::UsersLivestreams,
        r#"{"data":[{"broadcaster_user":{"id":676},"channel":{"slug":"xqc"},"channel_id":668}]}"#,
        &expect![[r#"
            676 | xqc | stated 668 | live -
        "#]],
    );
}

#[test]
fn a_list_of_the_live_that_cannot_be_read_whole_proves_nobody_offline() {
    for endpoint in [Endpoint::Livestreams, Endpoint::UsersLivestreams] {
        check(endpoint, r#"{"data":[]}"#, &expect![[""]]);
        check(
            endpoint,
            r#"{"data":[{"user":676,"started_at":"2026-09-30T19:24:14Z"}]}"#,
            &expect![[r#"
            garbage
        "#]],
        );
    }
}

#[test]
fn the_website_gives_ids_and_no_word_on_being_live() {
    let body = r#"{"id":668,"user_id":676,"slug":"xqc","is_banned":false,"playback_url":"https://x/y","followers_count":"1",
        "livestream":{"id":129925755,"slug":"t","channel_id":668,"created_at":"2026-09-30 19:24:17","is_live":true,
        "start_time":"2026-09-30 19:24:14"},"user":{"id":676,"username":"xQc"},"chatroom":{"id":668,"channel_id":668}}"#;
    check(
        Endpoint::Website,
        body,
        &expect![[r#"
        676 | xqc | stated 668 | nothing
    "#]],
    );
    for body in [r#"{"user_id":676,"slug":"xqc"}"#, r#"{"id":668}"#, r#"{"data":[]}"#, "[]", "null"] {
        check(
            Endpoint::Website,
            body,
            &expect![[r#"
            garbage
        "#]],
        );
    }
}

/// Values that are not needed and that many JSON decoders reject.
fn needless() -> Vec<Vec<u8>> {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let objects = format!("{}1{}", r#"{"a":"#.repeat(200), "}".repeat(200));
    [
        &br#""\ud83d""#[..],
        br#""\udc00\ud83d x""#,
        b"1e999",
        b"-1e-999",
        b"123456789012345678901234567890",
        b"\"\xff\xfe caf\xe9\"",
        b"\"line\nfeed\ttab\x01\"",
        deep.as_bytes(),
        objects.as_bytes(),
        br#"{"\ud83d":"\ud83d"}"#,
    ]
    .map(<[u8]>::to_vec)
    .to_vec()
}

#[test]
fn r5_what_nobody_needs_spoils_neither_the_entry_nor_its_neighbours() {
    let cases = [
        (
            Endpoint::Channels,
            r#"{"data":[{"broadcaster_user_id":1,"slug":"a","stream":{"is_live":false}},
                {"stream_title":#,"broadcaster_user_id":676,"slug":"xqc","\ud83d":1,"stream":{"viewer_count":#,
                 "is_live":true,"start_time":"2026-09-30T19:24:14Z"}}],"message":#}"#,
            "1 | a | - | offline\n676 | xqc | - | live 2026-09-30T19:24:14Z\n",
        ),
        (
            Endpoint::Livestreams,
            r#"{"pagination":#,"data":[{"broadcaster_user_id":1,"slug":"a","channel_id":2},
                {"category":{"name":#},"stream_title":#,"broadcaster_user_id":676,"slug":"xqc","channel_id":668,
                 "started_at":"2026-09-30T19:24:14Z"}]}"#,
            "1 | a | stated 2 | live -\n676 | xqc | stated 668 | live 2026-09-30T19:24:14Z\n",
        ),
        (
            Endpoint::UsersLivestreams,
            r#"{"data":[{"title":#,"broadcaster_user":{"name":#,"id":676},"channel":{"x":#,"slug":"xqc"}}]}"#,
            "676 | xqc | - | live -\n",
        ),
        (
            Endpoint::Website,
            r#"{"id":668,"user_id":676,"slug":"xqc","livestream":#,"user":{"bio":#}}"#,
            "676 | xqc | stated 668 | nothing\n",
        ),
    ];
    for (endpoint, template, lines) in cases {
        for needless in needless() {
            let parts: Vec<&[u8]> = template.split('#').map(str::as_bytes).collect();
            let body = parts.join(&needless[..]);
            let untitled = |entry: Seen| line(&Seen { title: None, ..entry });
            let told = seen(endpoint, &body).map(|seen| seen.into_iter().map(untitled).collect::<String>());
            assert_eq!(told.as_deref(), Some(lines), "{endpoint:?} with {}", String::from_utf8_lossy(&needless));
        }
    }
}

#[test]
fn r5_what_is_needed_and_unreadable_costs_its_own_entry_alone() {
    let body = r#"{"data":[
        {"broadcaster_user_id":1e999,"slug":"\ud83d"},
        {"broadcaster_user_id":2,"slug":"\ud83d","stream":{"is_live":false}},
        "\ud83d",
        {"broadcaster_user_id":3,"slug":"c","stream":"\ud83d"},
        {"broadcaster_user_id":4,"slug":"d","stream":{"is_live":true,"start_time":"\ud83d"}},
        {"broadcaster_user_id":5,"slug":"e","stream":{"is_live":false}}
    ]}"#;
    check(
        Endpoint::Channels,
        body,
        &expect![[r#"
            2 | - | - | offline
            3 | c | - | nothing
            4 | d | - | nothing
            5 | e | - | offline
        "#]],
    );
}
