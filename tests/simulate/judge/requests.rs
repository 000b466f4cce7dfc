//! Whether the machine asks no more than it may.

use super::{Asked, Judge, MINUTE};
use crate::simulate::kick::Kick;
use kick_monitor::domain::UserId;
use kick_monitor::domain::ask::{Endpoint, Query, Request};
use kick_monitor::monitor::Asker;
use std::time::Duration;

impl Judge {
    pub(super) fn check_ask(
        &mut self,
        now: Duration,
        asker: Asker,
        request: &Request,
        kick: &Kick,
    ) -> Result<(), String> {
        let users = |users: &[UserId]| users.iter().filter_map(|user| kick.by_user(*user)).collect();
        let about = match &request.query {
            Query::ChannelsBySlug(slugs) => slugs.iter().filter_map(|slug| kick.by_slug(slug)).collect(),
            Query::Website(slug) => kick.by_slug(slug).into_iter().collect(),
            Query::ChannelsByUser(ids) | Query::Livestreams(ids) | Query::UsersLivestreams(ids) => users(ids),
        };
        let lists_live = matches!(request.query.endpoint(), Endpoint::Livestreams | Endpoint::UsersLivestreams);
        let by_name = matches!(request.query, Query::ChannelsBySlug(_) | Query::Website(_));
        if self.asked.insert(asker, Asked { id: request.id, lists_live, by_name, about }).is_some() {
            return Err(format!("two requests at once for {asker:?}"));
        }
        self.requests.push_back(now);
        while self.requests.front().is_some_and(|at| *at + MINUTE <= now) {
            self.requests.pop_front();
        }
        while self.budgets.get(1).is_some_and(|(at, _)| *at + MINUTE <= now) {
            self.budgets.pop_front();
        }
        let most = self.budgets.iter().map(|(_, budget)| *budget).max().unwrap_or(0);
        if self.requests.len() > most as usize {
            return Err(format!("{} requests within a minute; {most} are allowed", self.requests.len()));
        }
        Ok(())
    }
}
