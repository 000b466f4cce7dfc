//! What push does not tell of: R11 by kind, and R24. Neither excuses anything of a row: what push does not tell, the
//! sweep finds, within the same bound.

use crate::simulate::conditions::Conditions;
use crate::simulate::kick::Kick;
use crate::simulate::push::renamed;
use kick_monitor::domain::event::Event;
use kick_monitor::domain::push::{LinkEvent, LinkId, Transport};
use kick_monitor::domain::{ChannelId, Now, Status};
use kick_monitor::monitor::{Input, Monitor, Output};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// R11: this many changes of one kind missed in a row are silence.
const MISSED_MAX: u32 = 5;
/// R11: push has this long to tell of a change that an answer told.
const GRACE: Duration = Duration::from_secs(10);

#[derive(Default)]
pub(super) struct Silence {
    /// The transport of each connection that stands; none of one that does not.
    links: BTreeMap<LinkId, Option<Transport>>,
    /// How often in a row a change to each status was missed over connections that stood all the while and had one
    /// transport, without an event of that kind.
    missed: BTreeMap<Status, u32>,
    /// Whose misses were counted when that was last done: several rows may name one streamer.
    counted: (Duration, BTreeSet<(usize, Status)>),
    /// When an event under an unknown name last came for each channel, over such connections.
    unrecognised: BTreeMap<(ChannelId, String), Duration>,
    /// A change was missed just now.
    looks: bool,
    /// Push was said to leave a good part of the changes out.
    pub(super) partial: bool,
}

impl Silence {
    pub(super) fn hear(&mut self, now: Duration, input: &Input) {
        match input {
            Input::Push(_, push) => drop(self.missed.remove(&push.what.status())),
            Input::Link(_, LinkEvent::Unrecognised(event)) if self.one_transport() => {
                self.unrecognised.insert((event.channel, event.name.clone()), now);
            }
            Input::Link(link, event) => {
                let transport = match event {
                    LinkEvent::Connected(transport) => Some(*transport),
                    LinkEvent::Started | LinkEvent::Ended { .. } => None,
                    _ => return,
                };
                self.missed.clear();
                self.links.entry(*link).and_modify(|known| *known = transport);
            }
            _ => {}
        }
    }

    /// The machine opens or closes a connection: what was missed before does not count for those that it has then.
    pub(super) fn open(&mut self, output: &Output) {
        match output {
            Output::OpenLink(link) => drop(self.links.insert(*link, None)),
            Output::CloseLink(link) => drop(self.links.remove(link)),
            _ => return,
        }
        self.missed.clear();
    }

    fn one_transport(&self) -> bool {
        let mut transports = self.links.values();
        transports.next().is_some_and(|first| first.is_some() && transports.all(|other| other == first))
    }

    /// R24: a change that was missed is said with the name under which it came all the same: at the time of the
    /// change, which is between two sweeps, as far as the answer that found it took no longer than it may.
    pub(super) fn check(
        &mut self,
        now: Duration,
        event: &Event,
        kick: &Kick,
        conditions: &Conditions,
    ) -> Result<(), String> {
        self.partial |= matches!(event, Event::PushPartial { .. });
        let Event::PushMissed { username, status, unrecognised } = event else { return Ok(()) };
        self.looks = true;
        let Some(n) = kick.by_username(username) else { return Ok(()) };
        if self.counted.0 != now {
            self.counted = (now, BTreeSet::new());
        }
        if self.counted.1.insert((n, *status)) && self.one_transport() {
            *self.missed.entry(*status).or_default() += 1;
        }
        let name = renamed(*status);
        let came = self.unrecognised.get(&(kick.streamers[n].channel, name.to_owned()));
        let near = came.is_some_and(|at| *at + conditions.settings.sweep >= now && *at + GRACE <= now);
        match near && !unrecognised.contains(name) {
            true => Err(format!("push_missed of {username} does not name {name}, which came for it")),
            false => Ok(()),
        }
    }

    /// R11: five of one kind in a row without an event of that kind are said to be silence.
    pub(super) fn check_said(&mut self, monitor: &mut Monitor, now: Now) -> Result<(), String> {
        let looks = std::mem::take(&mut self.looks);
        let Some((status, missed)) = self.missed.iter().find(|(_, missed)| looks && **missed >= MISSED_MAX) else {
            return Ok(());
        };
        match monitor.report(now).problems.iter().any(|problem| problem.code == "push_silent") {
            true => Ok(()),
            false => {
                Err(format!("push told of no {} for {missed} changes, and is not said to be silent", status.word()))
            }
        }
    }
}
