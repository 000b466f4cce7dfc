//! The website's own look-up of a channel (docs/kick.md §6.2). Not enveloped, and truer than the API.

use super::api::{banner, viewers};
use super::not_found;
use crate::clock::Moment;
use crate::fault::Face;
use crate::http::{Answer, Request};
use crate::world::{Shown, Streamer, World};
use jiff::Timestamp;
use serde_json::{Value, json};

/// `GET /api/v2/channels/<slug>`
pub(super) fn channel(world: &World, request: &Request, now: Moment) -> Answer {
    let slug = request.path.strip_prefix("/api/v2/channels/").unwrap_or_default();
    let Some(streamer) = world.find(slug) else { return unknown() };
    let shown = streamer.shown(Face::Website, now.steady);
    if shown == Shown::Missing {
        return unknown();
    }
    let ids = streamer.ids;
    let body = json!({
        "id": ids.channel,
        "user_id": ids.user,
        "slug": streamer.slug,
        "is_banned": false,
        "playback_url": "https://playback.invalid/signed.m3u8?token=do-not-log-me",
        "vod_enabled": true,
        "subscription_enabled": true,
        "is_affiliate": false,
        // A number or a string, as it happens.
        "followers_count": if ids.channel % 2 == 0 { json!(1234) } else { json!("1234") },
        "subscriber_badges": [],
        "banner_image": {"url": banner(streamer)},
        "livestream": livestream(streamer, &shown),
        "role": null,
        "muted": false,
        "verified": false,
        "recent_categories": [],
        "can_host": true,
        "user": {"id": ids.user, "username": streamer.slug.replace('-', "_"), "bio": ""},
        "chatroom": {"id": ids.chatroom, "channel_id": ids.channel, "slow_mode": false},
    });
    Answer::json(200, &body).with_header("Cache-Control", "max-age=15")
}

fn livestream(streamer: &Streamer, shown: &Shown) -> Value {
    let Shown::Live { started_at, broadcast } = shown else { return Value::Null };
    let created_at = broadcast.as_ref().map(|broadcast| broadcast.created_at).or(*started_at);
    json!({
        "id": broadcast.as_ref().map_or(1, |broadcast| broadcast.id),
        "slug": format!("{}-live", streamer.slug),
        "channel_id": streamer.ids.channel,
        "created_at": naive(created_at),
        "session_title": streamer.title(),
        "is_live": true,
        "risk_level_id": null,
        "start_time": naive(*started_at),
        "source": null,
        "twitch_channel": null,
        "duration": 0,
        "language": "English",
        "is_mature": false,
        "viewer_count": viewers(streamer),
        "thumbnail": {"url": ""},
        "lang_iso": "en",
        "tags": [],
        "categories": [],
    })
}

fn unknown() -> Answer {
    not_found("Channel not found.").with_header("Cache-Control", "max-age=10")
}

/// UTC without saying so.
fn naive(time: Option<Timestamp>) -> String {
    time.map_or_else(|| "0001-01-01 00:00:00".to_owned(), |time| time.strftime("%Y-%m-%d %H:%M:%S").to_string())
}
