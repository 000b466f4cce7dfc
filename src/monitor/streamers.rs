//! The streamers by key, by row and by push channel: a map that every part may be given. It decides nothing, and counts
//! the beliefs.

use super::book::{Book, Timer};
use super::streamer::Streamer;
use crate::domain::row::Shown;
use crate::domain::{ChannelId, Now, RowId, Source, Status, Steady, UserId};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

/// Identifies a streamer inside the core. Never used again for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key(u32);

/// The number of streamers by believed status. Kept up to date as beliefs change: counting a hundred thousand takes ten
/// milliseconds, during which no push event would be judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) online: usize,
    pub(super) offline: usize,
    pub(super) unknown: usize,
}

impl Tally {
    fn of(&mut self, status: Option<Status>) -> &mut usize {
        match status {
            Some(Status::Online) => &mut self.online,
            Some(Status::Offline) => &mut self.offline,
            None => &mut self.unknown,
        }
    }

    fn enters(&mut self, status: Option<Status>) {
        *self.of(status) += 1;
    }

    fn leaves(&mut self, status: Option<Status>) {
        let count = self.of(status);
        *count = count.saturating_sub(1);
    }
}

/// The map. Its order is that in which the rows came.
#[derive(Debug, Default)]
pub(super) struct Streamers {
    /// Boxed, because the nodes of the map are half empty.
    by_key: BTreeMap<Key, Box<Streamer>>,
    by_row: BTreeMap<RowId, Key>,
    by_channel: BTreeSet<(ChannelId, Key)>,
    by_user: BTreeSet<(UserId, Key)>,
    tally: Tally,
    next: u32,
    moves: Vec<Move>,
}

/// A change in the channels to be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Move {
    /// A streamer uses this channel.
    In(ChannelId),
    /// No streamer uses it any more.
    Out(ChannelId),
}

impl Streamers {
    /// Adds a streamer, under a new key.
    pub(super) fn insert(&mut self, streamer: Streamer) -> Key {
        let key = Key(self.next);
        self.next += 1;
        self.tally.enters(streamer.belief.status);
        self.by_row.insert(streamer.row.clone(), key);
        self.by_key.insert(key, Box::new(streamer));
        key
    }

    pub(super) fn remove(&mut self, key: Key) -> Option<Box<Streamer>> {
        let streamer = self.by_key.remove(&key)?;
        self.by_row.remove(&streamer.row);
        self.tally.leaves(streamer.belief.status);
        streamer.ids.channel.into_iter().for_each(|channel| self.leave_channel(key, channel));
        streamer.ids.user.into_iter().for_each(|user| _ = self.by_user.remove(&(user, key)));
        Some(streamer)
    }

    /// Changes what is believed about a streamer.
    pub(super) fn believe(&mut self, now: Now, key: Key, status: Status, source: Source, received: Steady) {
        let Some(streamer) = self.by_key.get_mut(&key) else { return };
        self.tally.leaves(streamer.belief.status);
        streamer.believe(status, source, received, now);
        self.tally.enters(Some(status));
    }

    /// Believes what the table shows of a streamer, and has Kick asked to confirm it (R13, R15).
    pub(super) fn believe_table(&mut self, now: Now, key: Key, shown: Shown, book: &mut Book) {
        let Some(streamer) = self.by_key.get_mut(&key) else { return };
        self.tally.leaves(streamer.belief.status);
        streamer.believe_table(shown, now);
        self.tally.enters(streamer.belief.status);
        book.at(now.steady, Timer::Ask(key));
    }

    /// The number of streamers by believed status.
    pub(super) fn tally(&self) -> Tally {
        debug_assert_eq!(self.tally, self.tally_anew(), "a belief changed and was not counted");
        self.tally
    }

    fn tally_anew(&self) -> Tally {
        let mut tally = Tally::default();
        self.values().for_each(|streamer| tally.enters(streamer.belief.status));
        tally
    }

    pub(super) fn get(&self, key: &Key) -> Option<&Streamer> {
        self.by_key.get(key).map(|streamer| &**streamer)
    }

    pub(super) fn get_mut(&mut self, key: &Key) -> Option<&mut Streamer> {
        self.by_key.get_mut(key).map(|streamer| &mut **streamer)
    }

    pub(super) fn contains_key(&self, key: &Key) -> bool {
        self.by_key.contains_key(key)
    }

    /// The streamer of this row.
    pub(super) fn of_row(&self, row: &RowId) -> Option<Key> {
        self.by_row.get(row).copied()
    }

    /// The streamers of this channel, in the order in which their rows came.
    pub(super) fn of_channel(&self, channel: ChannelId) -> impl Iterator<Item = Key> + '_ {
        let from = self.by_channel.range((channel, Key(0))..);
        from.take_while(move |(other, _)| *other == channel).map(|(_, key)| *key)
    }

    /// The first streamer of this channel.
    pub(super) fn of_channel_first(&self, channel: ChannelId) -> Option<&Streamer> {
        self.get(&self.of_channel(channel).next()?)
    }

    pub(super) fn join_channel(&mut self, key: Key, channel: ChannelId) {
        if self.of_channel(channel).next().is_none() {
            self.moves.push(Move::In(channel));
        }
        self.by_channel.insert((channel, key));
    }

    pub(super) fn leave_channel(&mut self, key: Key, channel: ChannelId) {
        if self.by_channel.remove(&(channel, key)) && self.of_channel(channel).next().is_none() {
            self.moves.push(Move::Out(channel));
        }
    }

    /// The channels to follow and to unfollow since the last call, in order.
    pub(super) fn moves(&mut self) -> Vec<Move> {
        std::mem::take(&mut self.moves)
    }

    /// A row is about this user of Kick's from now on, or about nobody who is known.
    pub(super) fn set_user(&mut self, key: Key, user: Option<UserId>) {
        let Some(streamer) = self.by_key.get_mut(&key).filter(|streamer| streamer.ids.user != user) else { return };
        let before = std::mem::replace(&mut streamer.ids.user, user);
        before.into_iter().for_each(|user| _ = self.by_user.remove(&(user, key)));
        self.by_user.extend(user.map(|user| (user, key)));
    }

    /// The other rows of the same streamer (R16).
    pub(super) fn namesakes(&self, key: Key) -> Vec<Key> {
        let Some(user) = self.get(&key).and_then(|streamer| streamer.ids.user) else { return Vec::new() };
        let rows = self.by_user.range((user, Key(0))..=(user, Key(u32::MAX)));
        rows.map(|(_, other)| *other).filter(|other| *other != key).collect()
    }

    /// The keys of the rows after this one, in the order of their ids as text.
    pub(super) fn behind(&self, row: Option<&RowId>) -> impl Iterator<Item = Key> + '_ {
        let from = row.map_or(Bound::Unbounded, Bound::Excluded);
        self.by_row.range((from, Bound::Unbounded)).map(|(_, key)| *key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Key, &Streamer)> {
        self.by_key.iter().map(|(key, streamer)| (*key, &**streamer))
    }

    /// Those whose rows came after that of this one.
    pub(super) fn after(&self, key: Option<Key>) -> impl Iterator<Item = (Key, &Streamer)> {
        let from = key.map_or(Bound::Unbounded, Bound::Excluded);
        self.by_key.range((from, Bound::Unbounded)).map(|(key, streamer)| (*key, &**streamer))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (Key, &mut Streamer)> {
        self.by_key.iter_mut().map(|(key, streamer)| (*key, &mut **streamer))
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Streamer> {
        self.by_key.values().map(|streamer| &**streamer)
    }

    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }
}
