//! What goes wrong with one core alone, all of a sudden.

use super::Core;
use crate::simulate::conditions::Conditions;
use crate::simulate::transports::Ill;
use crate::simulate::world::World;
use kick_monitor::domain::Steady;
use kick_monitor::domain::ask::Endpoint;
use kick_monitor::domain::push::Transport;
use kick_monitor::monitor::{Asker, Input};
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::simulate) enum CoreFault {
    ApiTrouble,
    EndpointGone,
    LinkLost,
    AllLinksLost,
    Silence,
    LinkDied,
    BlankRead,
    ClockJumped,
    AskerDied,
    WriterDied,
    ProcessDied,
    Relinked,
    SettingsChanged,
    SweepOrdered,
    TokenAsked,
    OffersChanged,
    /// A transport falls ill, and stays so for hours. Not among `ALL`.
    Transport(Ill),
}

impl CoreFault {
    pub(in crate::simulate) const ALL: [CoreFault; 16] = [
        CoreFault::ApiTrouble,
        CoreFault::EndpointGone,
        CoreFault::LinkLost,
        CoreFault::AllLinksLost,
        CoreFault::Silence,
        CoreFault::LinkDied,
        CoreFault::BlankRead,
        CoreFault::ClockJumped,
        CoreFault::AskerDied,
        CoreFault::WriterDied,
        CoreFault::ProcessDied,
        CoreFault::Relinked,
        CoreFault::SettingsChanged,
        CoreFault::SweepOrdered,
        CoreFault::TokenAsked,
        CoreFault::OffersChanged,
    ];
}

impl Core {
    /// Something goes wrong with one core alone. What it hears of it at once.
    pub(in crate::simulate) fn strike(&mut self, fault: CoreFault, world: &mut World) -> Vec<Input> {
        let agenda = &mut world.agenda;
        match fault {
            CoreFault::ApiTrouble => self.api.trouble(agenda),
            CoreFault::EndpointGone => {
                self.api.gone.extend(agenda.pick(&[Endpoint::Livestreams, Endpoint::UsersLivestreams]));
            }
            CoreFault::LinkLost => {
                let lost = agenda.pick(&self.realtime.links()).and_then(|link| self.realtime.lose(link, agenda));
                return lost.into_iter().collect();
            }
            CoreFault::AllLinksLost => {
                self.realtime.refused_until = agenda.now + agenda.secs(1, 3_600);
                return Transport::ALL.into_iter().flat_map(|it| self.realtime.lose_all(it, agenda)).collect();
            }
            CoreFault::Silence => self.realtime.silent_until = agenda.now + agenda.secs(60, 4 * 3_600),
            CoreFault::LinkDied => {
                let died = agenda.pick(&self.realtime.links()).and_then(|link| self.realtime.start(link, agenda));
                return died.into_iter().collect();
            }
            CoreFault::BlankRead => self.client.blank_read = true,
            CoreFault::ClockJumped => {
                let hours = agenda.pick(&[-1, 1]).unwrap_or(1);
                self.wall += jiff::SignedDuration::from_secs(hours * agenda.chance.i64(1..3_600));
            }
            CoreFault::AskerDied => {
                let asker = agenda.pick(&[Some(Asker::Api), Some(Asker::Website), None]).flatten();
                return vec![asker.map_or_else(|| self.realtime.transports.die(), |asker| self.api.die(asker))];
            }
            CoreFault::WriterDied => return vec![self.client.kill_some_writer(agenda)],
            CoreFault::ProcessDied => return self.begin_process(world),
            CoreFault::Relinked => return vec![Input::Relink],
            CoreFault::SettingsChanged => {
                let settings = Conditions::settings(agenda);
                self.conditions.settings = settings.clone();
                self.excused = agenda.now;
                return vec![Input::Settings(settings)];
            }
            CoreFault::Transport(ill) => {
                let until = agenda.now + agenda.secs(60, 6 * 3_600);
                let transport = agenda.pick(&Transport::ALL).unwrap_or(Transport::Pusher);
                self.realtime.transports.fall_ill(transport, ill, until);
                if self.realtime.transports.takes_nobody(agenda.now, transport) {
                    // Who has subscribed would not be concerned.
                    return self.realtime.lose_all(transport, agenda);
                }
            }
            CoreFault::OffersChanged => self.realtime.transports.change_offers(agenda),
            CoreFault::SweepOrdered => return vec![Input::SweepNow],
            CoreFault::TokenAsked => {
                return vec![Input::Spent, Input::Token(Steady::after(agenda.now + Duration::from_secs(3_600)))];
            }
        }
        Vec::new()
    }
}
