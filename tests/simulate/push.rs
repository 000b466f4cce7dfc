//! Push as it is: connections that come and go, subscriptions, and events that are lost, late,
//! repeated and out of order.

use super::agenda::{Agenda, Happening};
use super::conditions::Conditions;
use super::transports::{Ill, Transports};
use kick_monitor::domain::ask::{Answer, Offered};
use kick_monitor::domain::push::{EndKind, LinkEvent, LinkId, Push, PushKind, Transport, UnrecognisedEvent};
use kick_monitor::domain::way::Way;
use kick_monitor::domain::{ChannelId, Status, Steady};
use kick_monitor::monitor::Input;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long a Centrifugo server waits for a token.
const TOKEN_WAIT: Duration = Duration::from_secs(9);

/// How long a link waits for the answer to a subscription.
const ACKNOWLEDGEMENT_WAIT: Duration = Duration::from_secs(10);

/// One core's links, and the server at their other end.
pub(super) struct Realtime {
    /// Whose it is.
    core: usize,
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
    /// Waits for a token.
    tokenless: bool,
    connected: Option<Transport>,
    wanted: BTreeSet<ChannelId>,
    acknowledged: BTreeSet<ChannelId>,
}

#[derive(Debug)]
pub(super) enum Step {
    Start(LinkId),
    /// The link asks where to go.
    Ask(LinkId, u32),
    Connect(LinkId, u32, Transport),
    /// A Centrifugo server has waited for long enough.
    GiveUp(LinkId, u32),
    /// It has its token, and greets.
    Greet(LinkId, u32),
    Acknowledge(LinkId, u32, ChannelId),
    Deliver(LinkId, u32, ChannelId, PushKind),
    /// The same under a name that nobody here knows.
    DeliverRenamed(LinkId, u32, ChannelId, PushKind),
    BrokerAnswers(Answer<Offered>),
}

impl Realtime {
    pub(super) fn new(core: usize) -> Realtime {
        Realtime {
            core,
            transports: Transports::new(core),
            links: BTreeMap::new(),
            next_life: 0,
            refused_until: Duration::ZERO,
            silent_until: Duration::ZERO,
        }
    }

    pub(super) fn open(&mut self, id: LinkId, agenda: &mut Agenda) {
        self.links.insert(id, Link::default());
        let pause = agenda.millis(0, 500);
        agenda.after(pause, Happening::Push(self.core, Step::Start(id)));
    }

    pub(super) fn close(&mut self, id: LinkId) {
        self.links.remove(&id);
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
        let life = link.life;
        if let Some(transport) = link.connected {
            self.acknowledge_later(id, life, transport, channels, agenda);
        }
    }

    pub(super) fn unsubscribe(&mut self, id: LinkId, channels: &[ChannelId]) {
        let Some(link) = self.links.get_mut(&id) else { return };
        for channel in channels {
            link.wanted.remove(channel);
            link.acknowledged.remove(channel);
        }
    }

    pub(super) fn step(&mut self, step: Step, conditions: &Conditions, agenda: &mut Agenda) -> Option<Input> {
        match step {
            Step::Start(id) => self.start(id, agenda),
            Step::Ask(id, life) => {
                self.links.get(&id).filter(|link| link.life == life)?;
                Some(Input::Link(id, LinkEvent::WantsWay))
            }
            Step::Connect(id, life, transport) => self.connect(id, life, transport, agenda),
            Step::GiveUp(id, life) => {
                self.links.get(&id).filter(|link| link.life == life && link.tokenless)?;
                self.end(id, EndKind::Lost, agenda)
            }
            Step::Greet(id, life) => self.greet(id, life, Transport::Centrifugo, agenda),
            Step::Acknowledge(id, life, channel) => {
                let link =
                    self.links.get_mut(&id).filter(|link| link.life == life && link.wanted.contains(&channel))?;
                let nobody = link.connected.is_some_and(|it| self.transports.takes_nobody(agenda.now, it));
                if nobody || agenda.odds(conditions.unsubscribed) {
                    let pause = agenda.secs(1, 60);
                    agenda.after(pause, Happening::Push(self.core, Step::Acknowledge(id, life, channel)));
                    return Some(Input::Link(id, LinkEvent::SubscriptionFailed(channel)));
                }
                link.acknowledged.insert(channel);
                Some(Input::Link(id, LinkEvent::Subscribed(channel)))
            }
            Step::Deliver(id, life, channel, what) => {
                let link = self.links.get(&id).filter(|link| link.life == life && link.wanted.contains(&channel));
                let inside = agenda.odds(0.9).then_some(channel);
                let push = Push { received: Steady::after(agenda.now), named: channel, inside, what };
                (link.is_some() && self.silent_until <= agenda.now).then_some(Input::Push(id, push))
            }
            Step::DeliverRenamed(id, life, channel, what) => {
                let link = self.links.get(&id).filter(|link| link.life == life && link.wanted.contains(&channel));
                let name = renamed(what.status()).to_owned();
                let received = Steady::after(agenda.now);
                let event = UnrecognisedEvent { channel, name, sample: "{}".to_owned(), times: 1, received };
                (link.is_some() && self.silent_until <= agenda.now)
                    .then(|| Input::Link(id, LinkEvent::Unrecognised(Box::new(event))))
            }
            Step::BrokerAnswers(answer) => self.transports.land(answer),
        }
    }

    /// The link's thread begins, and knows no channel.
    pub(super) fn start(&mut self, id: LinkId, agenda: &mut Agenda) -> Option<Input> {
        let link = self.links.get_mut(&id)?;
        self.next_life += 1;
        *link = Link { started: true, life: self.next_life, ..Link::default() };
        let asks = agenda.millis(1, 20);
        agenda.after(asks, Happening::Push(self.core, Step::Ask(id, self.next_life)));
        Some(Input::Link(id, LinkEvent::Started))
    }

    /// The link is told where to go. Without a way it asks again later.
    pub(super) fn go(&mut self, id: LinkId, way: Option<&Way>, agenda: &mut Agenda) {
        let Some(link) = self.links.get(&id) else { return };
        let (pause, step) = match way {
            Some(way) => (agenda.millis(20, 500), Step::Connect(id, link.life, way.transport())),
            None => (agenda.secs(1, 60), Step::Ask(id, link.life)),
        };
        agenda.after(pause, Happening::Push(self.core, step));
    }

    /// The link has its token.
    pub(super) fn give_token(&mut self, id: LinkId, agenda: &mut Agenda) {
        let Some(link) = self.links.get_mut(&id).filter(|link| link.tokenless) else { return };
        link.tokenless = false;
        let pause = agenda.millis(20, 500);
        agenda.after(pause, Happening::Push(self.core, Step::Greet(id, link.life)));
    }

    fn connect(&mut self, id: LinkId, life: u32, transport: Transport, agenda: &mut Agenda) -> Option<Input> {
        let link = self.links.get_mut(&id).filter(|link| link.life == life)?;
        if agenda.now < self.refused_until {
            return self.end(id, EndKind::Lost, agenda);
        }
        if self.transports.suffers(agenda.now, transport, Ill::Refuses) {
            return self.end(id, EndKind::Refused, agenda);
        }
        if transport == Transport::Pusher {
            return self.greet(id, life, transport, agenda);
        }
        link.tokenless = true;
        agenda.after(TOKEN_WAIT, Happening::Push(self.core, Step::GiveUp(id, life)));
        Some(Input::Link(id, LinkEvent::WantsToken))
    }

    fn greet(&mut self, id: LinkId, life: u32, transport: Transport, agenda: &mut Agenda) -> Option<Input> {
        let link = self.links.get_mut(&id).filter(|link| link.life == life)?;
        link.connected = Some(transport);
        let wanted = link.wanted.clone();
        self.acknowledge_later(id, life, transport, &wanted, agenda);
        // A trial follows what another one follows.
        let trial = self.links.iter().any(|(other, link)| *other != id && !link.wanted.is_disjoint(&wanted));
        if !trial {
            self.transports.uses(transport);
        }
        Some(Input::Link(id, LinkEvent::Connected(transport)))
    }

    /// The connection breaks.
    pub(super) fn lose(&mut self, id: LinkId, agenda: &mut Agenda) -> Option<Input> {
        self.links.get(&id).filter(|link| link.started && link.connected.is_some())?;
        self.end(id, EndKind::Lost, agenda)
    }

    /// The connection is over, or none came about; the link asks the way again after a pause.
    fn end(&mut self, id: LinkId, kind: EndKind, agenda: &mut Agenda) -> Option<Input> {
        let link = self.links.get_mut(&id)?;
        self.next_life += 1;
        *link =
            Link { started: true, life: self.next_life, wanted: std::mem::take(&mut link.wanted), ..Link::default() };
        let pause = match kind {
            EndKind::Refused => agenda.secs(5, 120),
            _ if agenda.odds(0.8) => agenda.millis(100, 2_000),
            _ => agenda.secs(2, 90),
        };
        agenda.after(pause, Happening::Push(self.core, Step::Ask(id, self.next_life)));
        Some(Input::Link(id, LinkEvent::Ended { kind, why: "simulated".to_owned() }))
    }

    /// The connections over this transport break.
    pub(super) fn lose_all(&mut self, transport: Transport, agenda: &mut Agenda) -> Vec<Input> {
        let over = |link: &Link| link.connected == Some(transport);
        let links: Vec<LinkId> = self.links.iter().filter(|(_, link)| over(link)).map(|(id, _)| *id).collect();
        links.into_iter().filter_map(|link| self.lose(link, agenda)).collect()
    }

    /// Kick announces that a broadcast began or ended: all who have subscribed are told, or not.
    pub(super) fn tell(&self, channel: ChannelId, what: &PushKind, conditions: &Conditions, agenda: &mut Agenda) {
        let (now, status) = (agenda.now, what.status());
        for (id, link) in &self.links {
            let Some(transport) = link.connected.filter(|_| link.acknowledged.contains(&channel)) else { continue };
            let delivers = self.transports.delivers(now, transport, channel, status);
            if conditions.deaf || !delivers || agenda.odds(conditions.loss) {
                continue;
            }
            let renamed = self.transports.suffers(now, transport, Ill::Renamed);
            let step = if renamed { Step::DeliverRenamed } else { Step::Deliver };
            let times = if agenda.odds(conditions.repeats) { 2 } else { 1 };
            for time in 0..times {
                let late = time == 1 || agenda.odds(conditions.tardy);
                let most = if late { conditions.late } else { Duration::from_secs(1) };
                let delay = agenda.between(Duration::from_millis(50), most);
                agenda.after(delay, Happening::Push(self.core, step(*id, link.life, channel, what.clone())));
            }
        }
    }

    fn acknowledge_later<'a>(
        &self,
        id: LinkId,
        life: u32,
        transport: Transport,
        channels: impl IntoIterator<Item = &'a ChannelId>,
        agenda: &mut Agenda,
    ) {
        let silent = self.transports.suffers(agenda.now, transport, Ill::AnswersNobody);
        for channel in channels {
            let pause = if silent { ACKNOWLEDGEMENT_WAIT } else { agenda.millis(10, 1_500) };
            agenda.after(pause, Happening::Push(self.core, Step::Acknowledge(id, life, *channel)));
        }
    }
}

/// What an event is called that has another name than we know.
pub(super) fn renamed(status: Status) -> &'static str {
    match status {
        Status::Online => "App\\Events\\BroadcastBegan",
        Status::Offline => "App\\Events\\BroadcastOver",
    }
}
