//! What goes wrong all of a sudden, and with whom.

use super::agenda::{Agenda, Happening};
use super::core::CoreFault;
use super::database::TableFault;
use super::edits::Edit;
use super::run::Day;
use super::transports::Ill;
use super::world::World;
use kick_monitor::monitor::Input;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// One core's, any of them.
    Core(CoreFault),
    /// The table's or its server's, which all cores share.
    Table(TableFault),
    /// Somebody else's, in the table.
    Edit(Edit),
    /// One core's share of the table, on days on which it is shared.
    Share(ShareFault),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ShareFault {
    /// The process is killed, and another one begins later.
    Killed,
    /// The host is lost, so that nobody tells the server.
    HostLost,
    /// The process is stopped, and goes on later.
    Frozen,
    /// The network between the process and the server is cut.
    Cut,
    /// The server ends the session.
    SessionEnded,
}

impl ShareFault {
    pub(super) const ALL: [ShareFault; 5] =
        [ShareFault::Killed, ShareFault::HostLost, ShareFault::Frozen, ShareFault::Cut, ShareFault::SessionEnded];
}

impl Fault {
    /// All kinds, and how often a day has them.
    pub(super) fn all() -> impl Iterator<Item = (Fault, f64)> {
        let core = CoreFault::ALL.into_iter().map(|fault| (Fault::Core(fault), 0.4));
        let table = TableFault::ALL.into_iter().map(|fault| (Fault::Table(fault), 0.4));
        let edits = Edit::ALL.into_iter().map(|edit| (Fault::Edit(edit), 0.4));
        // There are two transports, and many ways in which each may fail.
        let ills = Ill::ALL.into_iter().map(|ill| (Fault::Core(CoreFault::Transport(ill)), 0.15));
        core.chain(table).chain(edits).chain(ills)
    }
}

/// Plans the next fault of this kind.
pub(super) fn plan(fault: Fault, apart: Duration, agenda: &mut Agenda) {
    let pause = apart.mul_f64(2.0 * agenda.chance.f64()) + Duration::from_secs(1);
    agenda.after(pause, Happening::Fault(fault));
}

impl Day {
    /// Does it, and says what cores hear of it at once.
    pub(super) fn strike(&mut self, fault: Fault) -> Vec<(usize, Input)> {
        let Day { world, cores, .. } = self;
        match fault {
            Fault::Core(fault) => {
                let id = world.agenda.chance.usize(..cores.len());
                cores[id].strike(fault, world).into_iter().map(|input| (id, input)).collect()
            }
            Fault::Table(fault) => match world.database.strike(fault, &mut world.agenda) {
                true => self.break_connections(),
                false => Vec::new(),
            },
            Fault::Edit(edit) => {
                world.edit(edit);
                Vec::new()
            }
            Fault::Share(fault) => self.strike_share(fault),
        }
    }

    /// Something goes wrong with one core's share, now or with the next statement in hand.
    fn strike_share(&mut self, fault: ShareFault) -> Vec<(usize, Input)> {
        let agenda = &mut self.world.agenda;
        let id = agenda.chance.usize(..self.cores.len());
        let span = if agenda.odds(0.7) { agenda.secs(1, 20) } else { agenda.secs(20, 120) };
        if agenda.odds(0.5) {
            self.cores[id].client.strikes = Some((fault, span));
            return Vec::new();
        }
        let until = agenda.now + span;
        self.strike_core(id, fault, until).into_iter().map(|input| (id, input)).collect()
    }

    /// Does it to this core, until then.
    pub(super) fn strike_core(&mut self, id: usize, fault: ShareFault, until: Duration) -> Vec<Input> {
        let Day { world, cores, .. } = self;
        let core = &mut cores[id];
        let session = core.seat.as_ref().and_then(|seat| seat.session);
        world.referee.iter_mut().for_each(|referee| referee.disturbed = referee.disturbed.max(until));
        if matches!(fault, ShareFault::Killed | ShareFault::SessionEnded) {
            session.into_iter().for_each(|session| world.database.locks.end(session));
        }
        match fault {
            ShareFault::Killed | ShareFault::HostLost => {
                core.freeze(until);
                if world.agenda.odds(0.5) {
                    // While the next process is given its share by the others.
                    let rush = until - world.agenda.now + world.agenda.secs(0, 5);
                    world.agenda.after(rush, Happening::Rush);
                }
                core.begin_process(world)
            }
            ShareFault::Frozen => {
                core.freeze(until);
                Vec::new()
            }
            ShareFault::Cut => core.cut(until, world),
            ShareFault::SessionEnded => Vec::new(),
        }
    }

    /// The server is gone for all cores at once.
    fn break_connections(&mut self) -> Vec<(usize, Input)> {
        let World { agenda, database, .. } = &mut self.world;
        let broken = self.cores.iter_mut().enumerate().map(|(id, core)| {
            let heard = core.client.break_connections(database, agenda).into_iter();
            heard.map(move |input| (id, input)).collect::<Vec<_>>()
        });
        broken.flatten().collect()
    }
}
