//! What goes wrong all of a sudden, and what people do.

use super::agenda::{Agenda, Happening};
use super::database::{Ill, any_status};
use super::profile::Profile;
use super::run::Day;
use kick_monitor::domain::Steady;
use kick_monitor::domain::ask::Endpoint;
use kick_monitor::domain::row::Shown;
use kick_monitor::monitor::{Asker, Input};
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    ApiTrouble,
    EndpointGone,
    LinkLost,
    AllLinksLost,
    Silence,
    LinkDied,
    RowLocked,
    RowRefused,
    RowHangs,
    TableSlow,
    StatementRefused,
    DatabaseAway,
    DatabaseCrashed,
    SecondInstance,
    HandEdit,
    RowAdded,
    RowRemoved,
    RowRenamed,
    BlankRead,
    ClockJumped,
    AskerDied,
    WriterDied,
    ProcessDied,
    Relinked,
    SettingsChanged,
    SweepOrdered,
    TokenAsked,
    TransportDeaf,
    TransportRefused,
    OffersChanged,
}

impl Fault {
    pub(super) const ALL: [Fault; 30] = [
        Fault::ApiTrouble,
        Fault::EndpointGone,
        Fault::LinkLost,
        Fault::AllLinksLost,
        Fault::Silence,
        Fault::LinkDied,
        Fault::RowLocked,
        Fault::RowRefused,
        Fault::RowHangs,
        Fault::TableSlow,
        Fault::StatementRefused,
        Fault::DatabaseAway,
        Fault::DatabaseCrashed,
        Fault::SecondInstance,
        Fault::HandEdit,
        Fault::RowAdded,
        Fault::RowRemoved,
        Fault::RowRenamed,
        Fault::BlankRead,
        Fault::ClockJumped,
        Fault::AskerDied,
        Fault::WriterDied,
        Fault::ProcessDied,
        Fault::Relinked,
        Fault::SettingsChanged,
        Fault::SweepOrdered,
        Fault::TokenAsked,
        Fault::TransportDeaf,
        Fault::TransportRefused,
        Fault::OffersChanged,
    ];
}

/// A trigger may raise anything, and end the connection.
fn refused_row(agenda: &mut Agenda) -> Ill {
    const WORDS: [&str; 6] = ["23514: too early", "P0001: no", "08006: no", "25006: no", "57014: no", "XX000: no"];
    match agenda.chance.u32(..10) {
        0 => Ill::Breaks,
        1 => Ill::Conflicts,
        2 => Ill::Refuses { words: "53100: no space", general: true },
        _ => Ill::Refuses { words: agenda.pick(&WORDS).unwrap_or_default(), general: false },
    }
}

fn slow_row(agenda: &mut Agenda) -> Ill {
    match agenda.chance.u32(..4) {
        0 => Ill::Dawdles { takes: agenda.millis(50, 9_000), refuses: agenda.odds(0.5) },
        _ => Ill::Hangs,
    }
}

/// Plans the next fault of this kind.
pub(super) fn plan(fault: Fault, apart: Duration, agenda: &mut Agenda) {
    let pause = apart.mul_f64(2.0 * agenda.chance.f64()) + Duration::from_secs(1);
    agenda.after(pause, Happening::Fault(fault));
}

impl Day {
    /// Does it, and says what the machine hears of it at once.
    pub(super) fn strike(&mut self, fault: Fault) -> Vec<Input> {
        let agenda = &mut self.agenda;
        match fault {
            Fault::ApiTrouble => self.api.trouble(agenda),
            Fault::EndpointGone => {
                self.api.gone.extend(agenda.pick(&[Endpoint::Livestreams, Endpoint::UsersLivestreams]));
            }
            Fault::LinkLost => {
                let lost = agenda.pick(&self.realtime.links()).and_then(|link| self.realtime.lose(link, agenda));
                return lost.into_iter().collect();
            }
            Fault::AllLinksLost => {
                self.realtime.refused_until = agenda.now + agenda.secs(1, 3_600);
                let links = self.realtime.links();
                return links.into_iter().filter_map(|link| self.realtime.lose(link, agenda)).collect();
            }
            Fault::Silence => self.realtime.silent_until = agenda.now + agenda.secs(60, 4 * 3_600),
            Fault::LinkDied => {
                let died = agenda.pick(&self.realtime.links()).and_then(|link| self.realtime.start(link, agenda));
                return died.into_iter().collect();
            }
            Fault::RowLocked | Fault::RowRefused | Fault::RowHangs => {
                let until = agenda.now + if agenda.odds(0.8) { agenda.secs(1, 60) } else { agenda.secs(60, 3_600) };
                let ill = if fault == Fault::RowHangs { slow_row(agenda) } else { refused_row(agenda) };
                let row = self.database.any_row(agenda).and_then(|row| self.database.rows.get_mut(&row));
                match row {
                    Some(record) if fault == Fault::RowLocked => record.locked_until = until,
                    Some(record) => (record.ill, record.ill_until) = (ill, until),
                    None => {}
                }
            }
            Fault::TableSlow => self.database.slow = (agenda.now + agenda.secs(60, 3_600), agenda.millis(5, 400)),
            Fault::StatementRefused => self.database.refuses_until = agenda.now + agenda.secs(1, 1_800),
            Fault::DatabaseAway => {
                self.database.down_until =
                    agenda.now + if agenda.odds(0.7) { agenda.secs(1, 60) } else { agenda.secs(60, 3_600) };
                return self.database.break_connections(agenda);
            }
            Fault::DatabaseCrashed => {
                self.database.down_until =
                    agenda.now + agenda.pick(&[0, 0, 1, 5, 60]).map(Duration::from_secs).unwrap_or_default();
                return self.database.crash(agenda);
            }
            Fault::SecondInstance | Fault::HandEdit => self.edit_status(fault),
            Fault::RowAdded | Fault::RowRemoved | Fault::RowRenamed => self.edit_roster(fault),
            Fault::BlankRead => self.database.blank_read = true,
            Fault::ClockJumped => {
                let hours = agenda.pick(&[-1, 1]).unwrap_or(1);
                self.wall += jiff::SignedDuration::from_secs(hours * agenda.chance.i64(1..3_600));
            }
            Fault::AskerDied => {
                let asker = agenda.pick(&[Some(Asker::Api), Some(Asker::Website), None]).flatten();
                return vec![asker.map_or_else(|| self.realtime.transports.die(), |asker| self.api.die(asker))];
            }
            Fault::WriterDied => {
                let lane = agenda.chance.usize(..self.database.lanes());
                return vec![self.database.kill_writer(lane)];
            }
            Fault::ProcessDied => return self.begin_process(),
            Fault::Relinked => return vec![Input::Relink],
            Fault::SettingsChanged => {
                let settings = Profile::settings(agenda);
                self.profile.settings = settings.clone();
                self.excused = agenda.now;
                return vec![Input::Settings(settings)];
            }
            Fault::TransportDeaf => self.realtime.transports.deafen(agenda),
            Fault::TransportRefused => self.realtime.transports.refuse(agenda),
            Fault::OffersChanged => self.realtime.transports.change_offers(agenda),
            Fault::SweepOrdered => return vec![Input::SweepNow],
            Fault::TokenAsked => {
                return vec![Input::Spent, Input::Token(Steady(agenda.now + Duration::from_secs(3_600)))];
            }
        }
        Vec::new()
    }

    /// A second instance knows the truth; a hand sets anything.
    fn edit_status(&mut self, fault: Fault) {
        let Some(id) = self.database.any_row(&mut self.agenda) else { return };
        let truth = self.database.rows.get(&id).and_then(|record| self.kick.by_username(&record.row.username));
        let shown = match truth {
            Some(n) if fault == Fault::SecondInstance => Shown::Known(self.kick.streamers[n].now().status()),
            _ if fault == Fault::SecondInstance => return,
            _ => any_status(&mut self.agenda),
        };
        if self.agenda.now >= self.database.down_until {
            self.database.edit(&id, shown, self.agenda.now);
        }
    }

    fn edit_roster(&mut self, fault: Fault) {
        let now = self.agenda.now;
        match fault {
            Fault::RowAdded => self.add_row(),
            Fault::RowRemoved => {
                if let Some(id) = self.database.any_row(&mut self.agenda) {
                    self.database.rows.remove(&id);
                }
            }
            _ => {
                let username = self.any_username();
                let row = self.database.any_row(&mut self.agenda).and_then(|id| self.database.rows.get_mut(&id));
                if let Some(record) = row {
                    record.row.username = username.into();
                    record.row.channel = None;
                    record.row.user = None;
                    record.touched = now;
                }
            }
        }
    }

    pub(super) fn add_row(&mut self) {
        let username = self.any_username();
        let shown = any_status(&mut self.agenda);
        let agenda = &mut self.agenda;
        let wrong = self.profile.wrong_hints && agenda.odds(0.3);
        let n = if wrong {
            Some(agenda.chance.usize(..self.kick.streamers.len()))
        } else {
            self.kick.by_username(&username)
        };
        let hints = n.map(|n| (self.kick.streamers[n].channel, self.kick.streamers[n].user));
        let row = self.database.add(username, shown, agenda.now);
        row.channel = hints.map(|(channel, _)| channel).filter(|_| agenda.odds(0.5));
        row.user = hints.map(|(_, user)| user).filter(|_| !wrong && agenda.odds(0.3));
    }

    /// What a person may write for a streamer; sometimes nobody, and sometimes no name at all.
    pub(super) fn any_username(&mut self) -> String {
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
