//! What people and other programs do to the table.

use super::database::any_status;
use super::world::World;
use kick_monitor::domain::row::Shown;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edit {
    /// Another program writes a status, and knows the truth.
    TrueStatus,
    AnyStatus,
    RowAdded,
    RowRemoved,
    RowRenamed,
}

impl Edit {
    pub(super) const ALL: [Edit; 5] =
        [Edit::TrueStatus, Edit::AnyStatus, Edit::RowAdded, Edit::RowRemoved, Edit::RowRenamed];
}

impl World {
    pub(super) fn edit(&mut self, edit: Edit) {
        match edit {
            Edit::TrueStatus | Edit::AnyStatus => self.edit_status(edit == Edit::TrueStatus),
            Edit::RowAdded => self.add_row(),
            Edit::RowRemoved => {
                if let Some(id) = self.database.any_row(&mut self.agenda) {
                    self.database.rows.remove(&id);
                }
            }
            Edit::RowRenamed => {
                let username = self.any_username();
                let row = self.database.any_row(&mut self.agenda).and_then(|id| self.database.rows.get_mut(&id));
                if let Some(record) = row {
                    record.row.username = username.into();
                    record.row.channel = None;
                    record.row.user = None;
                    record.touched = self.agenda.now;
                }
            }
        }
    }

    /// Somebody writes into many rows while the server is slow.
    pub(super) fn rush(&mut self) {
        self.database.dawdles_until = self.agenda.now + Duration::from_secs(20);
        (0..self.database.rows.len()).for_each(|_| self.edit(Edit::AnyStatus));
    }

    fn edit_status(&mut self, truth: bool) {
        let World { agenda, kick, database, .. } = self;
        let Some(id) = database.any_row(agenda) else { return };
        let n = database.rows.get(&id).and_then(|record| kick.by_username(&record.row.username));
        let shown = match n {
            Some(n) if truth => Shown::Known(kick.streamers[n].now().status()),
            None if truth => return,
            _ => any_status(agenda),
        };
        if agenda.now >= database.down_until {
            database.edit(&id, shown, agenda.now);
        }
    }

    pub(super) fn add_row(&mut self) {
        let username = self.any_username();
        let World { agenda, kick, database, wrong_hints, .. } = self;
        let shown = any_status(agenda);
        let wrong = *wrong_hints && agenda.odds(0.3);
        let n = if wrong { Some(agenda.chance.usize(..kick.streamers.len())) } else { kick.by_username(&username) };
        let hints = n.map(|n| (kick.streamers[n].channel, kick.streamers[n].user));
        let row = database.add(username, shown, agenda.now);
        row.channel = hints.map(|(channel, _)| channel).filter(|_| agenda.odds(0.5));
        row.user = hints.map(|(_, user)| user).filter(|_| !wrong && agenda.odds(0.3));
    }

    /// What a person may write for a streamer; sometimes nobody, and sometimes no name at all.
    fn any_username(&mut self) -> String {
        let agenda = &mut self.agenda;
        match agenda.chance.u32(..20) {
            0 => return "nobody-there".to_owned(),
            1 => return "not a name".to_owned(),
            _ => {}
        }
        let n = agenda.chance.usize(..self.kick.streamers.len());
        let slug = self.kick.streamers[n].slug.to_string();
        match agenda.chance.u32(..4) {
            0 => format!(" @{}", slug.to_uppercase()),
            1 => slug.replace('-', "_"),
            _ => slug,
        }
    }
}
