//! What a test can see of Kick. Nothing here changes what Kick does.

use crate::Kick;
use crate::fault::Face;
use crate::journal::Request;
use crate::push::{PushEnd, Transport};
use crate::realtime::Guest;
use std::collections::BTreeSet;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

impl Kick {
    /// The requests so far, websocket handshakes included, in the order in which they were answered.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.journal.with(|requests| requests.iter().cloned().collect())
    }

    /// How many of them were for these faces.
    pub fn count(&self, faces: impl IntoIterator<Item = Face>) -> usize {
        let faces: BTreeSet<Face> = faces.into_iter().collect();
        self.shared.journal.with(|requests| requests.iter().filter(|request| faces.contains(&request.face)).count())
    }

    /// How many came in the busiest minute, websocket handshakes left out: what a budget of requests limits.
    pub fn busiest_minute(&self) -> usize {
        let requests = self.requests().into_iter().filter(|it| !matches!(it.face, Face::Push | Face::Centrifugo));
        let mut times: Vec<_> = requests.map(|request| request.at).collect();
        times.sort_unstable();
        let within = |n: usize| times[n..].iter().take_while(|at| at.duration_since(times[n]) < MINUTE).count();
        (0..times.len()).map(within).max().unwrap_or(0)
    }

    /// Forgets them.
    pub fn clear_requests(&self) {
        self.shared.journal.with(std::collections::VecDeque::clear);
    }

    /// The slugs of who is truly live.
    pub fn live(&self) -> BTreeSet<String> {
        let world = self.shared.world();
        world.streamers().filter(|streamer| streamer.live.is_some()).map(|streamer| streamer.slug.clone()).collect()
    }

    /// The slugs of those whom the app is subscribed to by webhook, one entry a subscription.
    pub fn webhooks(&self) -> Vec<String> {
        let world = self.shared.world();
        let slug = |user: &i64| world.by_user(*user).map_or_else(|| user.to_string(), |it| it.slug.clone());
        let mut slugs: Vec<String> = world.webhooks.subscriptions().map(|(_, user)| slug(user)).collect();
        slugs.sort();
        slugs
    }

    /// Everybody who was given a guest token, one entry a token, the oldest first.
    pub fn guests(&self) -> Vec<Guest> {
        self.shared.world().realtime.guests().cloned().collect()
    }

    /// Push connections that were greeted and are open.
    pub fn connections(&self) -> usize {
        self.shared.push.subscriptions(None).len()
    }

    /// The same of one transport.
    pub fn connections_on(&self, transport: Transport) -> usize {
        self.shared.push.subscriptions(Some(transport)).len()
    }

    /// Push connections that were ever greeted.
    pub fn connections_made(&self) -> u64 {
        self.shared.push.made()
    }

    /// Push connections that are over.
    pub fn push_ends(&self) -> Vec<PushEnd> {
        self.shared.push.ends()
    }

    /// The push channels that somebody is subscribed to.
    pub fn subscriptions(&self) -> BTreeSet<String> {
        self.subscriptions_by_connection().into_iter().flatten().collect()
    }

    /// The push channels of each open connection, the oldest connection first.
    pub fn subscriptions_by_connection(&self) -> Vec<BTreeSet<String>> {
        self.shared.push.subscriptions(None)
    }

    /// The push channels that somebody is subscribed to on one transport.
    pub fn subscriptions_on(&self, transport: Transport) -> BTreeSet<String> {
        self.shared.push.subscriptions(Some(transport)).into_iter().flatten().collect()
    }

    /// Whether somebody is subscribed to the push channel within `limit`.
    #[must_use]
    pub fn wait_subscribed(&self, channel: &str, limit: Duration) -> bool {
        self.shared.bell.wait_for(limit, || self.shared.push.is_subscribed(None, channel))
    }

    /// The same on one transport.
    #[must_use]
    pub fn wait_subscribed_on(&self, transport: Transport, channel: &str, limit: Duration) -> bool {
        self.shared.bell.wait_for(limit, || self.shared.push.is_subscribed(Some(transport), channel))
    }

    /// Whether `there` becomes true within `limit`. It is asked again after every request,
    /// subscription, and begin or end of a push connection.
    #[must_use]
    pub fn wait_for(&self, limit: Duration, mut there: impl FnMut(&Kick) -> bool) -> bool {
        self.shared.bell.wait_for(limit, || there(self))
    }
}
