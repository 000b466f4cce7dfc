//! Push as it is: connections that come and go, subscriptions, and events that are lost, late,
//! repeated and out of order.

use super::agenda::{Agenda, Happening};
use super::profile::Profile;
use super::transports::{Attempt, Transports};
use super::world::{Kick, Moment};
use kick_monitor::domain::push::{LinkEvent, LinkId, Push, PushKind, Transport};
use kick_monitor::domain::{ChannelId, Steady};
use kick_monitor::monitor::Input;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How often the broker looks for something to do.
const LOOK: Duration = Duration::from_secs(30);

/// The links' threads and the server at their other end.
pub(super) struct Realtime {
    pub transports: Transports,
    links: BTreeMap<LinkId, Link>,
    next_life: u32,
    /// Nothing can connect before.
    pub refused_until: Duration,
    /// Nothing is delivered before, though all looks well.
    pub silent_until: Duration,
}

#[derive(Default)]
struct Link {
    /// Which connection this is; what was under way in another one never arrives.
    life: u32,
    started: bool,
    connected: Option<Transport>,
    wanted: BTreeSet<ChannelId>,
    acknowledged: BTreeSet<ChannelId>,
}

#[derive(Debug)]
pub(super) enum Step {
    Start(LinkId),
    Connect(LinkId, u32),
    Acknowledge(LinkId, u32, ChannelId),
    Deliver(LinkId, u32, ChannelId, PushKind),
    /// The broker looks whether a silent transport deserves a trial.
    Look,
    Relink,
}

impl Realtime {
    pub(super) fn new(agenda: &mut Agenda) -> Realtime {
        agenda.after(LOOK, Happening::Push(Step::Look));
        Realtime {
            transports: Transports::new(),
            links: BTreeMap::new(),
            next_life: 0,
            refused_until: Duration::ZERO,
            silent_until: Duration::ZERO,
        }
    }

    pub(super) fn open(&mut self, id: LinkId, agenda: &mut Agenda) {
        self.links.insert(id, Link::default());
        let pause = agenda.millis(0, 500);
        agenda.after(pause, Happening::Push(Step::Start(id)));
    }

    pub(super) fn close(&mut self, id: LinkId) {
        self.links.remove(&id);
        self.transports.closed(id);
    }

    /// The process is gone, and its connections with it.
    pub(super) fn kill_process(&mut self) {
        self.links.clear();
        self.transports.kill_process();
    }

    pub(super) fn calm(&mut self, now: Duration) {
        self.refused_until = self.refused_until.min(now);
        self.silent_until = self.silent_until.min(now);
        self.transports.calm();
    }

    pub(super) fn links(&self) -> Vec<LinkId> {
        self.links.keys().copied().collect()
    }

    pub(super) fn subscribe(&mut self, id: LinkId, channels: &[ChannelId], agenda: &mut Agenda) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.wanted.extend(channels);
        if link.connected.is_some() {
            acknowledge_later(id, link.life, channels, agenda);
        }
    }

    pub(super) fn unsubscribe(&mut self, id: LinkId, channels: &[ChannelId]) {
        let Some(link) = self.links.get_mut(&id) else { return };
        for channel in channels {
            link.wanted.remove(channel);
            link.acknowledged.remove(channel);
        }
    }

    pub(super) fn step(&mut self, step: Step, profile: &Profile, agenda: &mut Agenda) -> Option<Input> {
        match step {
            Step::Start(id) => self.start(id, agenda),
            Step::Connect(id, life) => {
                let wait = self.refused_until.saturating_sub(agenda.now);
                let link = self.links.get_mut(&id).filter(|link| link.life == life)?;
                if !wait.is_zero() {
                    let pause = wait + agenda.secs(0, 60);
                    agenda.after(pause, Happening::Push(Step::Connect(id, life)));
                    return None;
                }
                let attempt = self.transports.connect(agenda.now, id);
                let Some(Attempt::Connected(transport)) = attempt else {
                    let pause = agenda.secs(5, 120);
                    agenda.after(pause, Happening::Push(Step::Connect(id, life)));
                    return matches!(attempt, Some(Attempt::Refused { trial: true })).then_some(Input::TrialFailed);
                };
                link.connected = Some(transport);
                let wanted: Vec<ChannelId> = link.wanted.iter().copied().collect();
                acknowledge_later(id, life, &wanted, agenda);
                Some(Input::Link(id, LinkEvent::Connected(transport)))
            }
            Step::Acknowledge(id, life, channel) => {
                let link =
                    self.links.get_mut(&id).filter(|link| link.life == life && link.wanted.contains(&channel))?;
                if agenda.odds(profile.unsubscribed) {
                    let pause = agenda.secs(1, 60);
                    agenda.after(pause, Happening::Push(Step::Acknowledge(id, life, channel)));
                    return Some(Input::Link(id, LinkEvent::SubscriptionFailed(channel)));
                }
                link.acknowledged.insert(channel);
                Some(Input::Link(id, LinkEvent::Subscribed(channel)))
            }
            Step::Deliver(id, life, channel, what) => {
                let link = self.links.get(&id).filter(|link| link.life == life && link.wanted.contains(&channel));
                let inside = agenda.odds(0.9).then_some(channel);
                let push = Push { received: Steady(agenda.now), named: channel, inside, what };
                (link.is_some() && self.silent_until <= agenda.now).then_some(Input::Push(id, push))
            }
            Step::Look => {
                agenda.after(LOOK, Happening::Push(Step::Look));
                self.transports.look(agenda.now).then_some(Input::Trial)
            }
            Step::Relink => Some(Input::Relink),
        }
    }

    /// The link's thread begins, and knows no channel.
    pub(super) fn start(&mut self, id: LinkId, agenda: &mut Agenda) -> Option<Input> {
        let link = self.links.get_mut(&id)?;
        self.next_life += 1;
        *link = Link { started: true, life: self.next_life, ..Link::default() };
        connect_later(id, self.next_life, agenda);
        Some(Input::Link(id, LinkEvent::Started))
    }

    /// The connection breaks.
    pub(super) fn lose(&mut self, id: LinkId, agenda: &mut Agenda) -> Option<Input> {
        let link = self.links.get_mut(&id).filter(|link| link.started && link.connected.is_some())?;
        self.next_life += 1;
        link.life = self.next_life;
        link.connected = None;
        link.acknowledged.clear();
        connect_later(id, self.next_life, agenda);
        self.transports.lost(agenda.now, id);
        Some(Input::Link(id, LinkEvent::Disconnected))
    }

    /// A broadcast began or ended: whoever has subscribed is told, or not.
    pub(super) fn tell(&self, kick: &Kick, n: usize, change: (Moment, Moment), profile: &Profile, agenda: &mut Agenda) {
        let channel = kick.streamers[n].channel;
        let what = match change {
            (Moment::Live(broadcast), _) => PushKind::Stop { livestream: broadcast.id },
            (_, Moment::Live(broadcast)) => {
                let created_at = broadcast.start + Duration::from_secs(agenda.chance.u64(0..3));
                PushKind::Live { livestream: broadcast.id, created_at: Some(created_at) }
            }
            _ => return,
        };
        for (id, link) in &self.links {
            let deaf = link.connected.is_none_or(|transport| self.transports.is_deaf(agenda.now, transport));
            if !link.acknowledged.contains(&channel) || profile.deaf || deaf || agenda.odds(profile.loss) {
                continue;
            }
            let times = if agenda.odds(profile.repeats) { 2 } else { 1 };
            for time in 0..times {
                let late = time == 1 || agenda.odds(profile.tardy);
                let delay =
                    agenda.between(Duration::from_millis(50), if late { profile.late } else { Duration::from_secs(1) });
                agenda.after(delay, Happening::Push(Step::Deliver(*id, link.life, channel, what.clone())));
            }
        }
    }
}

/// The broker's thread would have the connections made anew.
pub(super) fn relink_soon(agenda: &mut Agenda) {
    agenda.after(Duration::from_millis(5), Happening::Push(Step::Relink));
}

fn connect_later(id: LinkId, life: u32, agenda: &mut Agenda) {
    let pause = if agenda.odds(0.8) { agenda.millis(100, 2_000) } else { agenda.secs(2, 90) };
    agenda.after(pause, Happening::Push(Step::Connect(id, life)));
}

fn acknowledge_later(id: LinkId, life: u32, channels: &[ChannelId], agenda: &mut Agenda) {
    for channel in channels {
        let pause = agenda.millis(10, 1_500);
        agenda.after(pause, Happening::Push(Step::Acknowledge(id, life, *channel)));
    }
}
