//! The streamers by key, by row and by the channel that push tells of them on: a table that every part may be given.
//! It decides nothing.

use super::streamer::Streamer;
use crate::domain::{ChannelId, RowId};
use std::collections::BTreeMap;
use std::ops::Bound;

/// Names a streamer inside the core; never used again for another row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key(u32);

/// The table. Its order is that in which the rows came.
#[derive(Debug, Default)]
pub(super) struct Streamers {
    /// Boxed, for the nodes of the map are half empty.
    by_key: BTreeMap<Key, Box<Streamer>>,
    by_row: BTreeMap<RowId, Key>,
    by_channel: BTreeMap<ChannelId, Vec<Key>>,
    next: u32,
}

impl Streamers {
    /// One more, under a key of its own.
    pub(super) fn insert(&mut self, streamer: Streamer) -> Key {
        let key = Key(self.next);
        self.next += 1;
        self.by_row.insert(streamer.row.clone(), key);
        self.by_key.insert(key, Box::new(streamer));
        key
    }

    pub(super) fn remove(&mut self, key: Key) -> Option<Box<Streamer>> {
        let streamer = self.by_key.remove(&key)?;
        self.by_row.remove(&streamer.row);
        Some(streamer)
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

    /// Whose row this is.
    pub(super) fn of_row(&self, row: &RowId) -> Option<Key> {
        self.by_row.get(row).copied()
    }

    /// Those whose channel this is, in the order in which they came to it.
    pub(super) fn of_channel(&self, channel: ChannelId) -> &[Key] {
        self.by_channel.get(&channel).map_or(&[], Vec::as_slice)
    }

    /// One who is told of on that channel.
    pub(super) fn of_channel_first(&self, channel: ChannelId) -> Option<&Streamer> {
        self.get(self.of_channel(channel).first()?)
    }

    pub(super) fn join_channel(&mut self, key: Key, channel: ChannelId) {
        let keys = self.by_channel.entry(channel).or_default();
        if !keys.contains(&key) {
            keys.push(key);
        }
    }

    /// Whether nobody is on that channel any more, since now.
    pub(super) fn leave_channel(&mut self, key: Key, channel: ChannelId) -> bool {
        let Some(keys) = self.by_channel.get_mut(&channel) else { return false };
        keys.retain(|other| *other != key);
        let empty = keys.is_empty();
        if empty {
            self.by_channel.remove(&channel);
        }
        empty
    }

    /// The other rows that name the same streamer, as far as they are followed (R16).
    pub(super) fn namesakes(&self, key: Key) -> Vec<Key> {
        let ids = self.get(&key).map(|streamer| &streamer.ids);
        let Some((user, channel)) = ids.and_then(|ids| ids.user.zip(ids.channel)) else { return Vec::new() };
        let same = |other: &&Key| **other != key && self.get(other).is_some_and(|it| it.ids.user == Some(user));
        self.of_channel(channel).iter().filter(same).copied().collect()
    }

    /// The keys of the rows behind this one, in the order of their ids as text.
    pub(super) fn behind(&self, row: Option<&RowId>) -> impl Iterator<Item = Key> + '_ {
        let from = row.map_or(Bound::Unbounded, Bound::Excluded);
        self.by_row.range((from, Bound::Unbounded)).map(|(_, key)| *key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Key, &Streamer)> {
        self.by_key.iter().map(|(key, streamer)| (*key, &**streamer))
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
