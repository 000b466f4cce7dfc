//! What an instance sees of the rows that it does not follow (R25): for how long each has shown its status, so that it is
//! known after a takeover which statuses the API must know by now; and, while it stands by, which channel ids are to be
//! looked up until then.

use crate::domain::row::{Row, Shown};
use crate::domain::{RowId, Slug, Steady};
use crate::monitor::times::{API_LAG, LOOK_UPS_APART, WEBSITE_PAUSE};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// The rows and names, as of the last read.
#[derive(Debug, Default)]
pub(super) struct Bystander {
    rows: HashMap<RowId, Seen>,
    /// Names whose channel id is not known, and when each is looked up.
    names: BTreeSet<(Steady, Slug, RowId)>,
    /// The time for which the next look-up is scheduled.
    next: Option<Steady>,
}

/// One row.
#[derive(Debug)]
struct Seen {
    username: Arc<str>,
    shown: Shown,
    /// When the first read was sent that showed the status.
    since: Steady,
    /// When the last one was.
    read_at: Steady,
}

impl Bystander {
    /// Takes a row of a read.
    pub(super) fn watch(&mut self, now: Steady, row: Row, read_at: Steady, is_known: impl Fn(&Slug) -> bool) {
        let since = self.shown_since(&row, read_at).unwrap_or(read_at);
        let seen = self.rows.get(&row.id);
        if seen.is_none_or(|seen| seen.username != row.username) && row.channel.is_none() {
            let name = row.name().ok().filter(|name| !is_known(name));
            self.names.extend(name.map(|name| (now, name, row.id.clone())));
        }
        self.rows.insert(row.id, Seen { username: row.username, shown: row.shown, since, read_at });
    }

    /// The read is complete: other rows are gone, or this instance follows them.
    pub(super) fn watched(&mut self, read_at: Steady) {
        self.rows.retain(|_, seen| seen.read_at == read_at);
    }

    /// The time for which a look-up is to be scheduled, if that has changed.
    pub(super) fn next(&mut self, now: Steady) -> Option<Steady> {
        let first = self.names.first().map(|(due, ..)| now.max(*due));
        if self.next.is_none() || first < self.next { self.plan(now) } else { None }
    }

    /// A look-up is due. Returns the name, if there is one, and the time of the next look-up.
    pub(super) fn look_up(&mut self, now: Steady, is_known: impl Fn(&Slug) -> bool) -> (Option<Slug>, Option<Steady>) {
        if self.next.is_none_or(|next| next > now) {
            // It was scheduled for another time meanwhile.
            return (None, None);
        }
        while self.names.first().is_some_and(|(due, ..)| *due <= now) {
            let Some((_, name, row)) = self.names.pop_first() else { break };
            let names_it = |seen: &Seen| Slug::from_username(&seen.username).as_ref() == Ok(&name);
            if self.rows.get(&row).is_some_and(names_it) && !is_known(&name) {
                self.names.insert((now + WEBSITE_PAUSE, name.clone(), row));
                return (Some(name), self.plan(now + LOOK_UPS_APART));
            }
        }
        (None, self.plan(now + LOOK_UPS_APART))
    }

    fn plan(&mut self, earliest: Steady) -> Option<Steady> {
        self.next = self.names.first().map(|(due, ..)| earliest.max(*due));
        self.next
    }

    /// R13: since when a row has shown its status without a break. `None` if that is not known.
    pub(super) fn shown_since(&self, row: &Row, read_at: Steady) -> Option<Steady> {
        // A row that was not read for long may have changed twice.
        let goes_on = |seen: &&Seen| seen.shown == row.shown && read_at.since(seen.read_at) <= API_LAG;
        self.rows.get(&row.id).filter(goes_on).map(|seen| seen.since)
    }

    /// Looks no names up, because this instance does not stand by any more.
    pub(super) fn end(&mut self) {
        self.names.clear();
    }
}
