//! A Kick of a few lines: it answers what a test says, and notes what it was asked.

use super::{Found, Lack, Needs, by_api, by_website};
use crate::domain::ask::{Liveness, Query, Seen, SeenChannel};
use crate::domain::{ChannelId, Slug, UserId};

const BOTH: Needs = Needs { user: true, channel: true };

fn slug(name: &str) -> Slug {
    Slug::from_username(name).expect("a usable name")
}

fn seen(name: &str, user: i64, channel: Option<SeenChannel>) -> Seen {
    Seen { user: Some(UserId(user)), slug: Some(slug(name)), channel, liveness: Liveness::Nothing, title: None }
}

fn stated(channel: i64) -> Option<SeenChannel> {
    Some(SeenChannel::Stated(ChannelId(channel)))
}

/// Answers as `answer` does; gives what was found, and the questions.
fn asked<T>(
    answer: impl Fn(&str) -> Result<Vec<Seen>, Lack>,
    search: impl FnOnce(&mut super::Ask<'_>) -> T,
) -> (T, Vec<String>) {
    let mut questions = Vec::new();
    let found = search(&mut |query| {
        let list = |names: &[Slug]| names.iter().map(Slug::as_str).collect::<Vec<_>>().join(" ");
        let question = match query {
            Query::ChannelsBySlug(names) => format!("channels {}", list(names)),
            Query::Livestreams(users) => {
                format!("live {}", users.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
            }
            Query::Website(name) => format!("website {name}"),
            other => format!("{other:?}"),
        };
        questions.push(question.clone());
        answer(&question)
    });
    (found, questions)
}

/// The ids of each, where known.
fn ids(found: &[Found]) -> Vec<(Option<i64>, Option<i64>, bool)> {
    found.iter().map(|it| (it.user.map(|id| id.0), it.channel().map(|id| id.0), it.denied)).collect()
}

#[test]
fn the_api_gives_user_ids_in_one_request_and_channels_of_those_who_are_live() {
    let names = ["ana", "ben", "cid"].map(slug);
    let answer = |question: &str| match question {
        "channels ana ben cid" => {
            Ok(vec![seen("cid", 3, Some(SeenChannel::Banner(ChannelId(30)))), seen("ana", 1, None)])
        }
        "live 1 3" => Ok(vec![Seen { slug: None, ..seen("ana", 1, stated(10)) }]),
        other => panic!("{other}"),
    };
    let (found, questions) = asked(answer, |ask| by_api(&names, BOTH, ask));
    assert_eq!(ids(&found), [(Some(1), Some(10), false), (None, None, true), (Some(3), Some(30), false)]);
    assert_eq!(questions.len(), 2);
    let users_alone = Needs { user: true, channel: false };
    let (found, questions) = asked(answer, |ask| by_api(&names, users_alone, ask));
    assert_eq!((questions.len(), found[0].is_whole(users_alone), found[0].is_whole(BOTH)), (1, true, false));
}

#[test]
fn a_name_that_spoils_a_request_is_found_by_halving() {
    let names = ["ana", "ben", "bad", "cid"].map(slug);
    let answer = |question: &str| match question.strip_prefix("channels ") {
        Some(names) if names.split(' ').any(|name| name == "bad") => Err(Lack::Refused),
        Some(names) => Ok(names.split(' ').zip(1..).map(|(name, id)| seen(name, id, None)).collect()),
        None => Err(Lack::Silence),
    };
    let (found, questions) = asked(answer, |ask| by_api(&names, BOTH, ask));
    assert_eq!(
        found.iter().map(|it| (it.user.is_some(), it.denied)).collect::<Vec<_>>(),
        [(true, false), (true, false), (false, true), (true, false)]
    );
    assert_eq!(
        questions[..5].join(", "),
        "channels ana ben bad cid, channels ana ben, channels bad cid, channels bad, channels cid"
    );
}

#[test]
fn the_other_spelling_is_asked_about_and_no_other_name_counts() {
    let answer = |question: &str| match question {
        "channels sino_tf ana" => Ok(vec![seen("somebody", 9, stated(9))]),
        "channels sino-tf" => Ok(vec![seen("sino-tf", 1, None)]),
        "live 1" => Ok(vec![seen("else", 7, stated(7))]),
        "website sino-tf" => Ok(vec![seen("sino-tf", 1, stated(10))]),
        "website ana" => Ok(vec![seen("anna", 8, stated(80))]),
        other => panic!("{other}"),
    };
    let names = ["sino_tf", "ana"].map(slug);
    let (mut found, _) = asked(answer, |ask| by_api(&names, BOTH, ask));
    assert_eq!(ids(&found), [(Some(1), None, false), (None, None, true)]);
    for (name, found) in names.iter().zip(&mut found) {
        asked(answer, |ask| by_website(name, found, ask));
    }
    assert_eq!(ids(&found), [(Some(1), Some(10), false), (None, None, true)]);
}

#[test]
fn the_entry_of_a_name_that_was_asked_about_is_nobody_elses() {
    let answer = |question: &str| match question {
        "channels a-b a_b" => Ok(vec![seen("a_b", 1, None)]),
        other => panic!("{other}"),
    };
    let user_id = Needs { user: true, channel: false };
    let (found, _) = asked(answer, |ask| by_api(&["a-b", "a_b"].map(slug), user_id, ask));
    assert_eq!(ids(&found), [(None, None, true), (Some(1), None, false)]);
}

#[test]
fn the_website_alone_is_enough() {
    let answer = |question: &str| match question {
        "website a_b" => Err(Lack::Unknown),
        "website a-b" => Ok(vec![seen("a-b", 1, stated(10))]),
        "website gone" => Err(Lack::Unknown),
        _ => Err(Lack::Silence),
    };
    let mut found = vec![Found::default(); 3];
    for (name, found) in ["a_b", "gone", "c_d"].map(slug).iter().zip(&mut found) {
        asked(answer, |ask| by_website(name, found, ask));
    }
    assert_eq!(ids(&found), [(Some(1), Some(10), false), (None, None, true), (None, None, false)]);
}

#[test]
fn what_the_website_says_of_another_user_does_not_count() {
    let mut found = Found { user: Some(UserId(1)), ..Found::default() };
    let answer = |_: &str| Ok(vec![seen("ana", 2, stated(20))]);
    asked(answer, |ask| by_website(&slug("ana"), &mut found, ask));
    assert_eq!(ids(&[found]), [(Some(1), None, false)]);
}
