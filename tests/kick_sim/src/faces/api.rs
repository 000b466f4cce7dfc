//! The official API (docs/kick.md §5): who may ask, how much at once, and the exact fields.

use crate::clock::Moment;
use crate::fault::Face;
use crate::http::{Answer, Request};
use crate::world::{Shown, Streamer, UnknownSlug, World};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Go's zero time, which an offline channel starts at (docs/kick.md §5.1).
const ZERO_TIME: &str = "0001-01-01T00:00:00Z";

/// `GET /channels`: up to 50 ids or up to 50 slugs, not both.
pub(super) fn channels(world: &World, request: &Request, now: Moment) -> Answer {
    if let Err(refusal) = authorized(world, request, now) {
        return refusal;
    }
    let slugs: BTreeSet<&str> = request.all("slug").collect();
    let asked: Vec<&Streamer> = if slugs.is_empty() {
        match ids(request, "broadcaster_user_id", 50) {
            Ok(ids) => ids.into_iter().filter_map(|id| world.by_user(id)).collect(),
            Err(refusal) => return refusal,
        }
    } else if request.all("broadcaster_user_id").next().is_some() {
        return bad_request("slug and broadcaster_user_id cannot be used together");
    } else if request.all("slug").count() > 50 {
        return bad_request("too many slugs");
    } else if slugs.iter().any(|slug| slug.chars().count() > 25) {
        return bad_request("slug is too long");
    } else {
        let known: Vec<&Streamer> = slugs.iter().filter_map(|slug| world.find(slug)).collect();
        if known.len() < slugs.len() && world.unknown_slug == UnknownSlug::Refuse {
            return Answer::json(400, &json!({"message": "Invalid request"}));
        }
        known
    };
    let wrong = world.wrong_above.is_some_and(|above| asked.len() > above);
    let shown = asked.iter().enumerate().filter_map(|(index, streamer)| {
        let shown = streamer.shown(Face::Channels, now.steady);
        match shown {
            Shown::Missing => None,
            // Large batches came back with about half of the live ones offline (docs/kick.md §5.1).
            Shown::Live { .. } if wrong && index % 2 == 0 => Some(channel(streamer, &Shown::Offline)),
            shown => Some(channel(streamer, &shown)),
        }
    });
    enveloped(shown.collect())
}

/// `GET /livestreams`: the live ones of up to 50 ids, by viewers, cut at `limit`.
pub(super) fn livestreams(world: &World, request: &Request, now: Moment) -> Answer {
    if let Err(refusal) = authorized(world, request, now) {
        return refusal;
    }
    let limit = match request.all("limit").next().map(str::parse::<usize>) {
        None => 25,
        Some(Ok(limit @ 1..=100)) => limit,
        Some(_) => return bad_request("limit must be between 1 and 100"),
    };
    let mut live = match live_ones(world, request, "broadcaster_user_id", 50, Face::Livestreams, now) {
        Ok(live) => live,
        Err(refusal) => return refusal,
    };
    live.sort_by_key(|(streamer, _)| std::cmp::Reverse(viewers(streamer)));
    live.truncate(limit);
    enveloped(live.into_iter().map(|(streamer, started_at)| livestream(streamer, started_at)).collect())
}

/// `GET /users/livestreams`: the live ones of up to 100 ids.
pub(super) fn users_livestreams(world: &World, request: &Request, now: Moment) -> Answer {
    if let Err(refusal) = authorized(world, request, now) {
        return refusal;
    }
    match live_ones(world, request, "user_id", 100, Face::UsersLivestreams, now) {
        Ok(live) => enveloped(live.into_iter().map(|(streamer, start)| users_livestream(streamer, start)).collect()),
        Err(refusal) => refusal,
    }
}

pub(super) fn authorized(world: &World, request: &Request, now: Moment) -> Result<(), Answer> {
    let token = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    if token.is_some_and(|token| world.token_is_good(token, now.steady)) {
        return Ok(());
    }
    Err(Answer::json(401, &json!({"data": {}, "message": "Unauthorized"})))
}

/// The live ones of those asked about; of all when none are named.
fn live_ones<'a>(
    world: &'a World,
    request: &Request,
    parameter: &str,
    max: usize,
    face: Face,
    now: Moment,
) -> Result<Vec<(&'a Streamer, Option<Timestamp>)>, Answer> {
    let ids = ids(request, parameter, max)?;
    let live = world.streamers().filter(|streamer| ids.is_empty() || ids.contains(&streamer.ids.user)).filter_map(
        |streamer| match streamer.shown(face, now.steady) {
            Shown::Live { started_at, .. } => Some((streamer, started_at)),
            Shown::Offline | Shown::Missing => None,
        },
    );
    Ok(live.collect())
}

/// Repeated parameters; the comma form is refused like any other bad number.
fn ids(request: &Request, parameter: &str, max: usize) -> Result<BTreeSet<i64>, Answer> {
    if request.all(parameter).count() > max {
        return Err(bad_request("too many ids"));
    }
    let ids: Result<BTreeSet<i64>, _> = request.all(parameter).map(str::parse).collect();
    ids.map_err(|_| bad_request("ids must be numbers"))
}

fn enveloped(data: Vec<Value>) -> Answer {
    Answer::json(200, &json!({"data": data, "message": "OK"}))
}

pub(super) fn bad_request(why: &str) -> Answer {
    Answer::json(400, &json!({"data": why, "message": "Bad request"}))
}

fn channel(streamer: &Streamer, shown: &Shown) -> Value {
    let (is_live, start_time) = match shown {
        Shown::Live { started_at, .. } => (true, seconds_z(*started_at)),
        Shown::Offline | Shown::Missing => (false, ZERO_TIME.to_owned()),
    };
    let when_live = |text: String| if is_live { text } else { String::new() };
    json!({
        "active_subscribers_count": 0,
        "canceled_subscribers_count": 0,
        "banner_picture": banner(streamer),
        "broadcaster_user_id": streamer.ids.user,
        "category": category(),
        "channel_description": "",
        "slug": streamer.slug,
        "stream": {
            "custom_tags": [],
            "is_live": is_live,
            "is_mature": false,
            "key": "",
            "language": when_live("en".into()),
            "start_time": start_time,
            "thumbnail": when_live(thumbnail(streamer)),
            "url": "",
            "viewer_count": if is_live { viewers(streamer) } else { 0 },
        },
        "stream_title": streamer.title(),
    })
}

fn livestream(streamer: &Streamer, started_at: Option<Timestamp>) -> Value {
    json!({
        "broadcaster_user_id": streamer.ids.user,
        "channel_id": streamer.ids.channel,
        "slug": streamer.slug,
        "stream_title": streamer.title(),
        "started_at": seconds_z(started_at),
        "viewer_count": viewers(streamer),
        "category": category(),
        "language": "en",
        "has_mature_content": false,
        "custom_tags": [],
        "thumbnail": thumbnail(streamer),
        "profile_picture": "",
    })
}

fn users_livestream(streamer: &Streamer, started_at: Option<Timestamp>) -> Value {
    json!({
        // A string that is no number (docs/kick.md §9.25).
        "id": format!("{:08x}-0000-7000-8000-{:012x}", streamer.ids.user, streamer.ids.chatroom),
        "broadcaster_user": {
            "id": streamer.ids.user,
            "username": streamer.slug.replace('-', "_"),
            "profile_picture": "",
        },
        "channel": {"slug": streamer.slug},
        "category": category(),
        "title": streamer.title(),
        "thumbnail": thumbnail(streamer),
        "tags": [],
        "language_code": "en",
        "has_mature_content": false,
        "started_at": seconds_z(started_at),
        "viewer_count": viewers(streamer),
    })
}

/// A custom banner tells the channel id, the default one does not (docs/kick.md §6.1).
pub(super) fn banner(streamer: &Streamer) -> String {
    match streamer.custom_banner {
        true => format!("https://files.kick.com/images/channel/{}/banner_image/banner", streamer.ids.channel),
        false => "https://kick.com/img/default-banner-pictures/default2.jpeg".to_owned(),
    }
}

/// Made up, but such that the order by viewers is not the order by id.
pub(super) fn viewers(streamer: &Streamer) -> i64 {
    streamer.ids.user.wrapping_mul(7919).rem_euclid(4999) + 1
}

fn thumbnail(streamer: &Streamer) -> String {
    format!("https://images.kick.com/video_thumbnails/{}/720.webp", streamer.ids.user)
}

fn category() -> Value {
    json!({"id": 15, "name": "Just Chatting", "thumbnail": "https://files.kick.com/images/subcategories/15/banner"})
}

fn seconds_z(time: Option<Timestamp>) -> String {
    time.map_or_else(|| ZERO_TIME.to_owned(), |time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}
