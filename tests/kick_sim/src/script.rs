//! What a test makes Kick do. Naming a streamer that was not added is a mistake in the test: a panic.

use crate::clock;
use crate::fault::{Face, Fault};
use crate::push::{PushScript, STOP_STREAM_BROADCAST, STREAMER_IS_LIVE, Transport, live_data, no_such_app, stop_data};
use crate::realtime::{Offer, OfferForm};
use crate::webhooks::{self, Delivery};
use crate::world::{Broadcast, ExpiresIn, Ids, Lie, UnknownSlug};
use crate::{Kick, SignedDuration, Timestamp};
use std::time::Duration;

/// Who there is.
impl Kick {
    /// A new streamer, offline, with ids of its own.
    pub fn add(&self, slug: &str) -> Ids {
        let mut world = self.shared.world();
        let ids = world.fresh_ids();
        world.add(slug, ids);
        ids
    }

    /// The same with given ids, such as real ones.
    pub fn add_with(&self, slug: &str, ids: Ids) {
        self.shared.world().add(slug, ids);
    }

    /// A streamer's ids.
    pub fn ids(&self, slug: &str) -> Ids {
        self.shared.world().get(slug).ids
    }

    /// The ids stay; the old slug is unknown from now on (docs/kick.md §5.4).
    pub fn rename(&self, slug: &str, new: &str) {
        self.shared.world().rename(slug, new);
    }

    /// Unknown to Kick from now on.
    pub fn remove(&self, slug: &str) {
        self.shared.world().remove(slug);
    }

    /// Whether the banner is one that tells the channel id (docs/kick.md §6.1). The default one does not.
    pub fn custom_banner(&self, slug: &str, custom: bool) {
        self.shared.world().get_mut(slug).custom_banner = custom;
    }
}

/// The truth.
impl Kick {
    /// A broadcast begins: push says so at once, the API after its lag. Gives the livestream id. One
    /// that was still on ends without a word; its stop may come late, by [`Kick::push_stop`].
    pub fn go_live(&self, slug: &str) -> i64 {
        self.begin(slug, true).id
    }

    /// The same, and the push event is lost.
    pub fn go_live_silently(&self, slug: &str) -> i64 {
        self.begin(slug, false).id
    }

    /// The broadcast ends: push says so at once, the API after its lag. Gives the livestream id, if
    /// there was a broadcast.
    pub fn stop(&self, slug: &str) -> Option<i64> {
        self.end(slug, true)
    }

    /// The same, and the push event is lost.
    pub fn stop_silently(&self, slug: &str) -> Option<i64> {
        self.end(slug, false)
    }

    // Events are published under the world's lock, so that they come in the order of the truth.

    fn begin(&self, slug: &str, told: bool) -> Broadcast {
        let mut world = self.shared.world();
        let broadcast = world.go_live(slug, clock::now());
        if told {
            let streamer = world.get(slug);
            let data = live_data(streamer.ids, &broadcast, &streamer.title());
            self.shared.push.publish(&channel(streamer.ids), STREAMER_IS_LIVE, &data);
        }
        broadcast
    }

    fn end(&self, slug: &str, told: bool) -> Option<i64> {
        let mut world = self.shared.world();
        let broadcast = world.stop(slug, clock::now())?;
        if told {
            let ids = world.get(slug).ids;
            self.shared.push.publish(&channel(ids), STOP_STREAM_BROADCAST, &stop_data(ids, broadcast.id));
        }
        Some(broadcast.id)
    }
}

/// Webhooks. Who is not subscribed to is told of all the same, if a test sends what it is given.
impl Kick {
    /// The truth of now about a streamer who has been live, as Kick would deliver it.
    pub fn delivery(&self, slug: &str) -> Delivery {
        self.delivery_of(slug, Duration::ZERO)
    }

    /// The same, sent by Kick so long ago.
    pub fn delivery_of(&self, slug: &str, ago: Duration) -> Delivery {
        let mut world = self.shared.world();
        let sent = webhooks::earlier(world.kick_time(clock::now()), ago);
        let streamer = world.get(slug);
        let start = streamer.latest().unwrap_or_else(|| panic!("{slug:?} was never live")).started_at;
        let (user, live) = (streamer.ids.user, streamer.live.is_some());
        world.webhooks.delivery(user, slug, live, start, sent)
    }

    /// From now on another key signs.
    pub fn new_webhook_key(&self) {
        self.shared.world().webhooks.new_key();
    }

    /// From now on subscriptions are confirmed, and not listed (docs/kick.md §10.5).
    pub fn hide_subscriptions(&self, hides: bool) {
        self.shared.world().webhooks.hides = hides;
    }

    /// From now on subscriptions are refused, in an answer with 200.
    pub fn refuse_subscriptions(&self, why: Option<&str>) {
        self.shared.world().webhooks.refuses = why.map(str::to_owned);
    }

    /// Removes a streamer's subscriptions, as Kick does after a day of failures.
    pub fn drop_subscriptions(&self, slug: &str) {
        let mut world = self.shared.world();
        let user = world.get(slug).ids.user;
        world.webhooks.remove(|_, about| about != user);
    }

    /// Another deployment of the same app subscribes to a streamer.
    pub fn subscribe_for_others(&self, slug: &str) {
        let mut world = self.shared.world();
        let user = world.get(slug).ids.user;
        world.webhooks.subscribe(user);
    }
}

/// Push that is not the truth: repeated, late, out of order, of somebody else.
impl Kick {
    /// `StreamerIsLive` on the streamer's channel.
    pub fn push_live(&self, slug: &str, livestream: i64, created_at: Timestamp) {
        let world = self.shared.world();
        let streamer = world.get(slug);
        let broadcast = Broadcast { id: livestream, created_at, started_at: created_at };
        let data = live_data(streamer.ids, &broadcast, &streamer.title());
        self.shared.push.publish(&channel(streamer.ids), STREAMER_IS_LIVE, &data);
    }

    /// `StopStreamBroadcast` on the streamer's channel.
    pub fn push_stop(&self, slug: &str, livestream: i64) {
        let ids = self.ids(slug);
        self.shared.push.publish(&channel(ids), STOP_STREAM_BROADCAST, &stop_data(ids, livestream));
    }

    /// Any event to who subscribed to a channel; `data` is put into the frame as a string.
    pub fn push_raw(&self, channel: &str, event: &str, data: &str) {
        self.shared.push.publish(channel, event, data);
    }

    /// Any text frame to every connection.
    pub fn send_raw_frame(&self, text: &str) {
        self.shared.push.send_to_all(text);
    }

    /// Closes every open push connection, behind the events so far.
    pub fn close_push(&self, code: u16, reason: &str) {
        self.shared.push.close(None, code, reason);
    }

    /// The same on one transport.
    pub fn close_push_on(&self, transport: Transport, code: u16, reason: &str) {
        self.shared.push.close(Some(transport), code, reason);
    }

    /// Closes the next `count` push connections instead of greeting them.
    pub fn close_next_push(&self, count: usize, code: u16, reason: &str) {
        self.shared.push.close_next(None, count, code, reason);
    }

    /// The same on one transport.
    pub fn close_next_push_on(&self, transport: Transport, count: usize, code: u16, reason: &str) {
        self.shared.push.close_next(Some(transport), count, code, reason);
    }

    /// Ends every subscription to the channel on Centrifugo, which says so (docs/kick.md §1.4). On Pusher
    /// there is no such thing.
    pub fn end_subscriptions(&self, channel: &str, code: u32, reason: &str) {
        self.shared.push.end_subscriptions(channel, code, reason);
    }

    /// Whether a transport connects, acknowledges and answers pings, and delivers no event.
    pub fn deafen(&self, transport: Transport, deaf: bool) {
        self.shared.push.script(|script| match deaf {
            true => script.deaf.insert(transport),
            false => script.deaf.remove(&transport),
        });
    }

    /// Changes what push does, and does wrong: `kick.script_push(|push| push.copies = 2)`.
    pub fn script_push(&self, change: impl FnOnce(&mut PushScript)) {
        self.shared.push.script(change);
    }
}

/// Which transports there are (docs/kick.md §1.3). Pusher alone at the beginning.
impl Kick {
    /// What the broker offers, best first, to who accepts it.
    pub fn offer(&self, offers: &[Offer]) {
        self.shared.world().realtime.offers = offers.to_vec();
    }

    /// How the broker writes it.
    pub fn set_offer_form(&self, form: OfferForm) {
        self.shared.world().realtime.form = form;
    }

    /// From now on Pusher takes this app key alone; who is connected stays so.
    pub fn set_app_key(&self, key: &str) {
        self.shared.world().realtime.set_key(key);
    }

    /// From now on Pusher takes no app key, and closes every connection with 4001.
    pub fn retire_key(&self) {
        let mut world = self.shared.world();
        let reason = no_such_app(world.realtime.retire_key());
        self.shared.push.close(Some(Transport::Pusher), 4001, &reason);
    }

    /// How long guest tokens live from now on; 2700 s at the beginning.
    pub fn set_guest_lifetime(&self, lifetime: Duration) {
        self.shared.world().realtime.guest_lifetime = lifetime;
    }
}

/// What the API says.
impl Kick {
    /// How long after the truth the API learns of what begins or ends from now on; `None`: when it is
    /// told to catch up, and no sooner.
    pub fn set_api_lag(&self, lag: impl Into<Option<Duration>>) {
        self.shared.world().api_lag = lag.into();
    }

    /// The API learns now all that it was still to learn.
    pub fn api_catches_up(&self) {
        self.shared.world().catch_up();
    }

    /// These faces (of the API, or the website) lie about the streamer until the truth is told again.
    pub fn lie(&self, slug: &str, faces: impl IntoIterator<Item = Face>, lie: Lie) {
        self.shared.world().lie(slug, faces, lie, clock::now());
    }

    /// No lies any more.
    pub fn tell_the_truth(&self) {
        self.shared.world().tell_the_truth();
    }

    /// What `/channels` does about unknown slugs.
    pub fn set_unknown_slug(&self, does: UnknownSlug) {
        self.shared.world().unknown_slug = does;
    }

    /// `/channels` shows every other live streamer offline in answers about more than so many
    /// (docs/kick.md §5.1).
    pub fn set_wrong_above(&self, streamers: impl Into<Option<usize>>) {
        self.shared.world().wrong_above = streamers.into();
    }

    /// `expires_in` of the tokens to come.
    pub fn set_expires_in(&self, expires_in: ExpiresIn) {
        self.shared.world().expires_in = expires_in;
    }

    /// No token so far is good any more.
    pub fn revoke_tokens(&self) {
        self.shared.world().revoke_tokens();
    }

    /// Kick's clock, in `Date` headers and in the times of broadcasts to come, is off by so much.
    pub fn set_clock_offset(&self, offset: SignedDuration) {
        self.shared.world().clock_offset = offset;
    }
}

/// What is wrong.
impl Kick {
    /// From now on this befalls every request to these faces.
    pub fn fault(&self, faces: impl IntoIterator<Item = Face>, fault: Fault) {
        faces.into_iter().for_each(|face| self.set_fault(face, Some(&fault)));
    }

    /// This befalls the next `count` requests to this face, before whatever befalls every one.
    pub fn fault_next(&self, face: Face, count: usize, fault: Fault) {
        self.shared.faults.add(face, count, &fault);
    }

    /// These faces are well again.
    pub fn clear_fault(&self, faces: impl IntoIterator<Item = Face>) {
        faces.into_iter().for_each(|face| self.set_fault(face, None));
    }

    /// Everything is well again, push's script included.
    pub fn clear_faults(&self) {
        self.clear_fault(Face::ALL);
        self.shared.push.heal();
    }

    fn set_fault(&self, face: Face, fault: Option<&Fault>) {
        self.shared.faults.set(face, fault.cloned());
        if let Some(transport) = face.transport() {
            self.shared.push.feel(transport, fault);
        }
    }
}

fn channel(ids: Ids) -> String {
    format!("channel.{}", ids.channel)
}
