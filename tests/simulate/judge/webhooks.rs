//! What a delivery of a webhook tells, as the judge sees it.

use super::Judge;
use crate::simulate::conditions::Conditions;
use crate::simulate::kick::Kick;
use kick_monitor::domain::Status;
use kick_monitor::domain::push::PushKind;
use kick_monitor::domain::webhook::Delivery;
use std::time::Duration;

/// R27: what Kick sent so long ago is only a question.
const OLD_DELIVERY: jiff::SignedDuration = jiff::SignedDuration::from_secs(120);

impl Judge {
    /// R27: a delivery tells of a broadcast by its start. An old one is only a question, and so is a live one of what the
    /// API has shown as ended.
    pub(super) fn hear_delivery(&mut self, now: Duration, delivery: &Delivery, kick: &Kick, conditions: &Conditions) {
        let Some(n) = kick.by_user(delivery.user) else { return };
        let old = kick.clock(now).duration_since(delivery.sent) > OLD_DELIVERY;
        let gone = self.absent.get(&n) > self.present.get(&n);
        let shown = self.shown_start.get(&n).copied().flatten();
        let ended = delivery.status == Status::Online && gone && shown.is_some() && shown == delivery.started_at;
        let id = delivery.started_at.and_then(|start| kick.streamers[n].id_of(start)).filter(|_| !old);
        let what = id.map(|livestream| match delivery.status {
            Status::Online => PushKind::Live { livestream, created_at: delivery.started_at, title: None },
            Status::Offline => PushKind::Stop { livestream },
        });
        what.into_iter().for_each(|what| self.hear_push(now, n, &what, !ended, kick));
        self.told.get_mut(&n).into_iter().for_each(|told| told.doubtful = conditions.dateless);
    }
}
