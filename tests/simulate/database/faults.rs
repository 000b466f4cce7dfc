//! What goes wrong with the table and its server, all of a sudden.

use super::{Database, Ill};
use crate::simulate::agenda::Agenda;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::simulate) enum TableFault {
    RowLocked,
    RowRefused,
    RowHangs,
    Slow,
    StatementRefused,
    Away,
    Crashed,
}

impl TableFault {
    pub(in crate::simulate) const ALL: [TableFault; 7] = [
        TableFault::RowLocked,
        TableFault::RowRefused,
        TableFault::RowHangs,
        TableFault::Slow,
        TableFault::StatementRefused,
        TableFault::Away,
        TableFault::Crashed,
    ];
}

impl Database {
    /// Does it. Whether all connections break.
    pub(in crate::simulate) fn strike(&mut self, fault: TableFault, agenda: &mut Agenda) -> bool {
        let long = |odds: f64, agenda: &mut Agenda| {
            agenda.now + if agenda.odds(odds) { agenda.secs(1, 60) } else { agenda.secs(60, 3_600) }
        };
        match fault {
            TableFault::RowLocked | TableFault::RowRefused | TableFault::RowHangs => {
                let until = long(0.8, agenda);
                let ill = if fault == TableFault::RowHangs { slow_row(agenda) } else { refused_row(agenda) };
                let row = self.any_row(agenda).and_then(|row| self.rows.get_mut(&row));
                match row {
                    Some(record) if fault == TableFault::RowLocked => record.locked_until = until,
                    Some(record) => (record.ill, record.ill_until) = (ill, until),
                    None => {}
                }
            }
            TableFault::Slow => self.slow = (agenda.now + agenda.secs(60, 3_600), agenda.millis(5, 400)),
            TableFault::StatementRefused => self.refuses_until = agenda.now + agenda.secs(1, 1_800),
            TableFault::Away => {
                self.down_until = long(0.7, agenda);
                return true;
            }
            TableFault::Crashed => {
                let down = agenda.pick(&[0, 0, 1, 5, 60]).map(Duration::from_secs);
                self.down_until = agenda.now + down.unwrap_or_default();
                self.locks.end_all();
                self.crash(agenda);
                return true;
            }
        }
        false
    }
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
