//! Parses the bodies of the API's and the website's answers, as described in docs/kick.md §5 and §6.2. Without I/O.
//!
//! Fields that are not needed may have any form; a body without the documented envelope is not an answer (R5).

use crate::domain::ask::{Endpoint, Liveness, Seen, SeenChannel};
use crate::domain::json::{Json, mended};
use crate::domain::text;
use crate::domain::time::{Timestamp, parse_kick_time};
use crate::domain::{ChannelId, Slug, UserId};
use std::sync::Arc;

/// The address of custom banners up to the channel id (docs/kick.md §6.1).
const BANNERS: &str = "https://files.kick.com/images/channel/";

/// The channels listed in a body; `None` if the body does not have the documented form.
pub fn seen(endpoint: Endpoint, body: &[u8]) -> Option<Vec<Seen>> {
    let text = mended(body);
    let body = Json::read(&text)?;
    match endpoint {
        Endpoint::Website => Some(vec![website(body)?]),
        // An entry without a name or an id is no observation; its streamer counts as missing in the answer.
        Endpoint::Channels => Some(list(body)?.into_iter().filter_map(channel).collect()),
        // In a list of live streamers, a missing streamer is offline (R6), so one entry without an id makes the list
        // unusable.
        Endpoint::Livestreams => list(body)?.into_iter().map(livestream).collect(),
        Endpoint::UsersLivestreams => list(body)?.into_iter().map(user_livestream).collect(),
    }
}

/// The list in `{"data":[…],"message":"OK"}`.
fn list(body: Json<'_>) -> Option<Vec<Json<'_>>> {
    body.get("data")?.items()
}

/// An entry of `/channels` (docs/kick.md §5.1).
fn channel(entry: Json<'_>) -> Option<Seen> {
    let stream = entry.get("stream");
    let is_live = stream.and_then(|stream| stream.get("is_live")?.boolean());
    let (user, slug) = (user(entry, &["broadcaster_user_id"]), slug(entry, &["slug"]));
    let whole = user.is_some() && slug.is_some();
    let liveness = match (is_live, stream.and_then(|stream| time(stream, "start_time"))) {
        (Some(false), _) => Liveness::Offline,
        (Some(true), Some(start)) => Liveness::Live(Some(start)),
        _ if whole && stream.is_none_or(Json::is_null) => Liveness::Unsaid,
        _ => Liveness::Nothing,
    };
    let banner = || banner(&entry.get("banner_picture")?.text()?).map(SeenChannel::Banner);
    let is_live = matches!(liveness, Liveness::Live(_));
    let title = is_live.then(|| title(entry, "stream_title")).flatten();
    named(Seen { user, slug, channel: stated(entry).or_else(banner), liveness, title })
}

/// An entry of `/livestreams` (docs/kick.md §5.2).
fn livestream(entry: Json<'_>) -> Option<Seen> {
    named(Seen {
        user: user(entry, &["broadcaster_user_id"]),
        slug: slug(entry, &["slug"]),
        channel: stated(entry),
        liveness: Liveness::Live(time(entry, "started_at")),
        title: title(entry, "stream_title"),
    })
}

/// An entry of `/users/livestreams` (docs/kick.md §5.3).
fn user_livestream(entry: Json<'_>) -> Option<Seen> {
    named(Seen {
        user: user(entry, &["broadcaster_user", "id"]),
        slug: slug(entry, &["channel", "slug"]),
        channel: stated(entry),
        liveness: Liveness::Live(time(entry, "started_at")),
        title: title(entry, "title"),
    })
}

/// The website's answer (docs/kick.md §6.2). Its `livestream` comes from a cache and is ignored.
fn website(body: Json<'_>) -> Option<Seen> {
    named(Seen {
        user: user(body, &["user_id"]),
        slug: slug(body, &["slug"]),
        channel: Some(SeenChannel::Stated(ChannelId(number(body, &["id"])?))),
        liveness: Liveness::Nothing,
        title: None,
    })
}

/// The entry, if it identifies a streamer.
fn named(seen: Seen) -> Option<Seen> {
    (seen.user.is_some() || seen.slug.is_some()).then_some(seen)
}

/// The channel id in an entry. So far only `/livestreams` has it, but it is used wherever Kick adds it.
fn stated(entry: Json<'_>) -> Option<SeenChannel> {
    number(entry, &["channel_id"]).map(ChannelId).map(SeenChannel::Stated)
}

/// The channel id in the address of a custom banner.
fn banner(address: &str) -> Option<ChannelId> {
    let (id, _) = address.strip_prefix(BANNERS)?.split_once('/')?;
    id.parse().ok().filter(|id| *id > 0).map(ChannelId)
}

fn user(entry: Json<'_>, path: &[&str]) -> Option<UserId> {
    number(entry, path).map(UserId)
}

fn slug(entry: Json<'_>, path: &[&str]) -> Option<Slug> {
    Slug::from_username(&entry.at(path)?.text()?).ok()
}

fn title(entry: Json<'_>, name: &str) -> Option<Arc<str>> {
    text::title(&entry.get(name)?.text()?)
}

fn time(entry: Json<'_>, name: &str) -> Option<Timestamp> {
    parse_kick_time(&entry.get(name)?.text()?)
}

/// An id, as a number or as text; 0 is Go's zero value and means "none".
fn number(entry: Json<'_>, path: &[&str]) -> Option<i64> {
    let value = entry.at(path)?;
    let id = value.integer().or_else(|| value.text()?.parse().ok())?;
    (id > 0).then_some(id)
}

#[cfg(test)]
mod tests;
