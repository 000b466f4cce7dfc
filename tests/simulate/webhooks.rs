//! Webhooks of one core: the subscriptions that Kick keeps for it, and deliveries that are lost, late and out of order.
//! Chance of its own, so that a day without webhooks is the same day.

use super::agenda::{Agenda, Happening};
use super::conditions::Conditions;
use super::kick::{Broadcast, Kick};
use kick_monitor::domain::ask::{Answer, Request};
use kick_monitor::domain::webhook::{Delivery, Subscription, WebhookAnswer, WebhookEvent, WebhookQuery};
use kick_monitor::domain::{Now, Status, Steady, UserId};
use kick_monitor::monitor::Input;
use std::collections::BTreeMap;
use std::time::Duration;

/// What is older than this is refused before the core hears of it.
const AGE_MAX: Duration = Duration::from_secs(600);

pub(super) struct Webhooks {
    /// Whose they are.
    core: usize,
    chance: fastrand::Rng,
    /// What Kick shows.
    shown: BTreeMap<UserId, String>,
    made: u64,
    /// The process that asked.
    life: u32,
}

#[derive(Debug)]
pub(super) enum Step {
    Answer(u32, Request<WebhookQuery>, Now),
    Deliver(Delivery),
}

impl Webhooks {
    pub(super) fn new(core: usize, agenda: &Agenda) -> Webhooks {
        let chance = fastrand::Rng::with_seed(agenda.chance.clone().u64(..) ^ core as u64);
        Webhooks { core, chance, shown: BTreeMap::new(), made: 0, life: 0 }
    }

    /// Whether a core takes webhooks on this day.
    pub(super) fn are_on(agenda: &Agenda) -> bool {
        fastrand::Rng::with_seed(agenda.chance.clone().u64(..) ^ 0x77_65_62).f64() < 0.4
    }

    /// What was asked is lost; what Kick shows stays.
    pub(super) fn kill_process(&mut self) {
        self.life += 1;
    }

    pub(super) fn ask(&mut self, request: Request<WebhookQuery>, now: Now, agenda: &mut Agenda) {
        let pause = Duration::from_millis(self.chance.u64(20..900));
        agenda.after(pause, Happening::Webhooks(self.core, Step::Answer(self.life, request, now)));
    }

    pub(super) fn step(&mut self, step: Step, now: Now) -> Option<Input> {
        match step {
            Step::Answer(life, Request { id, query }, started) => {
                (life == self.life).then_some(())?;
                let result = Ok(self.answer(query));
                Some(Input::WebhookAnswer(Answer { id, started, finished: now, server_date: None, spent: 1, result }))
            }
            Step::Deliver(delivery) => {
                let delivery = Delivery { received: Steady::after(now.steady.elapsed()), ..delivery };
                Some(Input::Webhook(WebhookEvent::Delivered(delivery)))
            }
        }
    }

    fn answer(&mut self, query: WebhookQuery) -> WebhookAnswer {
        match query {
            WebhookQuery::PublicKey => WebhookAnswer::PublicKey("kick".to_owned()),
            WebhookQuery::List => {
                let entry = |(user, id): (&UserId, &String)| Subscription { id: id.clone(), user: *user };
                WebhookAnswer::List(self.shown.iter().map(entry).collect())
            }
            WebhookQuery::Make(user) => {
                self.made += 1;
                let id = format!("{user}-{}", self.made);
                // Some are confirmed and never shown, and bring nothing (docs/kick.md §10.5).
                if self.chance.f64() < 0.9 {
                    self.shown.insert(user, id.clone());
                }
                WebhookAnswer::Made(id)
            }
            WebhookQuery::Delete(ids) => {
                self.shown.retain(|_, id| !ids.contains(id));
                WebhookAnswer::Deleted
            }
        }
    }

    /// Kick delivers that a broadcast began or ended, or does not.
    pub(super) fn tell(
        &mut self,
        user: UserId,
        status: Status,
        broadcast: Broadcast,
        kick: &Kick,
        conditions: &Conditions,
        agenda: &mut Agenda,
    ) {
        if !self.shown.contains_key(&user) || self.chance.f64() < conditions.loss {
            return;
        }
        let late = self.chance.f64() < conditions.tardy;
        let most = if late { conditions.late.min(AGE_MAX) } else { Duration::from_secs(2) };
        let delay = Duration::from_millis(600) + most.mul_f64(self.chance.f64());
        let delivery = Delivery {
            received: Steady::default(),
            sent: kick.clock(agenda.now),
            user,
            status,
            started_at: Some(broadcast.start),
        };
        if delay < AGE_MAX {
            agenda.after(delay, Happening::Webhooks(self.core, Step::Deliver(delivery)));
        }
    }
}
