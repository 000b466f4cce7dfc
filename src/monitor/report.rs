//! The core's report on itself (kick-monitor(8)): the problems of the daemon as a whole, and each streamer with the
//! evidence for the status.

use super::book::Book;
use super::streamer::Streamer;
use crate::domain::problem::Code;
use crate::domain::push::LinkId;
use crate::domain::report::{self, Basis, Realtime, Told, Trust};
use crate::domain::row::Shown;
use crate::domain::text::shown as escaped;
use crate::domain::time::to_milliseconds;
use crate::domain::{Now, Source, Status, Steady};
use std::time::Duration;

/// Updates the problems that no single event shows, because they last or concern several parts. `patience`: how long
/// push and the API may both be away, if any streamer is followed.
pub(super) fn judge_the_whole(now: Now, push: &Realtime, is_ready: bool, patience: Option<Duration>, book: &mut Book) {
    let (links, up) = (push.connections, push.connected);
    let both = book.both_away(now.steady, up > 0);
    let unreachable = both.zip(patience).is_some_and(|(both, patience)| both > patience);
    let nothing = |is: bool| is.then(String::new);
    let troubles = &mut book.troubles;
    troubles.set(now, Code::KickUnreachable, nothing(unreachable));
    troubles.set(now, Code::Starting, nothing(!is_ready));
    troubles.set(now, Code::PushDown, nothing(links > 0 && up == 0));
    let some = (up > 0 && up < links).then(|| format!("{} of {links}", links - up));
    troubles.set(now, Code::PushIncomplete, some);
}

/// The report on one streamer. `home`: the connection that carries the channel, and since when its subscription is
/// confirmed. `database`: whether it can be used. `delayed`: until when an Offline of theirs is not written (R26).
pub(super) fn tell_of(
    now: Now,
    streamer: &Streamer,
    home: Option<(LinkId, Option<Steady>)>,
    database: bool,
    delayed: Option<Steady>,
) -> report::Streamer {
    let Streamer { ids, belief, table, broadcast, .. } = streamer;
    let told =
        |status: Status, at: Steady, by: Option<&str>| Told { status, at: now.wall_at(at), by: by.map(str::to_owned) };
    let shown = match table.shown {
        Shown::Known(status) => Some(status),
        Shown::Unknown => None,
    };
    let source = match belief.source {
        _ if !belief.verified && belief.status == shown => Basis::Table,
        Source::Push => Basis::Push,
        Source::Sweep => Basis::Sweep,
    };
    let trust = match (ids.suspect, ids.are_confirmed()) {
        (true, _) => Trust::Suspect,
        (false, true) => Trust::Confirmed,
        (false, false) => Trust::Configured,
    };
    report::Streamer {
        id: streamer.row.to_string(),
        username: streamer.username.to_string(),
        name: streamer.name.to_string(),
        slug: ids.slug.as_ref().filter(|slug| **slug != streamer.name).map(ToString::to_string),
        status: belief.status,
        source,
        since: to_milliseconds(belief.since.wall),
        shown,
        pending: why_pending(now, streamer, database, delayed.is_some()).map(str::to_owned),
        delayed_until: delayed.map(|until| now.wall_at(until)),
        last_write: table.confirmed.map(|(status, at)| told(status, at, None)),
        last_push: streamer.heard.map(|heard| told(heard.status, heard.at, heard.sent.map(|_| "webhook"))),
        webhook_since: None,
        last_delivery: streamer.delivered.map(|(status, at)| told(status, at, None)),
        last_found: streamer.found.map(|found| told(found.status, found.at, Some(found.endpoint.word()))),
        doubt: streamer
            .doubt
            .as_ref()
            .map(|doubt| told(doubt.first.status, doubt.first.started, Some(doubt.first.endpoint.word()))),
        livestream_id: broadcast.current.map(|id| id.0),
        started_at: broadcast.start,
        title: broadcast.title.as_deref().map(escaped),
        user_id: ids.user.map(|id| id.0),
        channel_id: ids.channel.map(|id| id.0),
        channel_trust: ids.channel.map(|_| trust),
        channel_source: ids.channel_source,
        connection: home.map(|(link, _)| link.0),
        subscribed_at: home.and_then(|(_, since)| since).map(|at| now.wall_at(at)),
        covered: streamer.covered,
        compared_at: streamer.compared.map(|at| now.wall_at(at)),
        unknown_to_kick: ids.unknown,
    }
}

fn why_pending(now: Now, streamer: &Streamer, database: bool, delayed: bool) -> Option<&'static str> {
    let wanted = streamer.belief.status.filter(|status| !streamer.table.shows(*status));
    wanted.map(|_| match () {
        () if delayed => "an Offline must stand for OFFLINE_DELAY_SECS first",
        () if !database => "the database cannot be used",
        () if !streamer.belief.verified => "the API is asked first whether the table is right",
        () if streamer.table.not_before > now.steady => "the row is locked or refused, and tried again",
        () => "it is being written",
    })
}
