//! Whether the machine asks no more than it may.

use super::{Judge, MINUTE};
use crate::simulate::kick::Kick;
use kick_monitor::domain::UserId;
use kick_monitor::domain::ask::{Answer, Endpoint, Liveness, Query, Request, RequestId, SeenChannel};
use kick_monitor::monitor::Asker;
use std::time::Duration;

/// A request that is out.
pub(super) struct Asked {
    pub(super) id: RequestId,
    endpoint: Endpoint,
    /// Only who is live is listed, so absence says something.
    lists_live: bool,
    by_name: bool,
    about: Vec<usize>,
}

impl Judge {
    pub(super) fn hear_answer(&mut self, answer: &Answer, kick: &Kick) {
        let Some(asker) = self.asked.iter().find(|(_, asked)| asked.id == answer.id).map(|(asker, _)| *asker) else {
            return;
        };
        let Some(asked) = self.asked.remove(&asker) else { return };
        let Ok(seen) = &answer.result else {
            if let [n] = asked.about.as_slice() {
                self.failing.insert((*n, asked.endpoint));
            }
            return;
        };
        self.failing.retain(|(n, endpoint)| *endpoint != asked.endpoint || !asked.about.contains(n));
        for entry in seen {
            if let (Some(user), Some(SeenChannel::Stated(_))) = (entry.user, entry.channel) {
                self.confirmed.insert(user);
            }
            let n = entry.user.filter(|_| asked.by_name).and_then(|user| kick.by_user(user));
            let rows = self.rows.iter().filter(|(_, known)| n.is_some() && kick.by_username(&known.username) == n);
            let rows: Vec<_> = rows.filter_map(|(row, _)| Some((row.clone(), n?))).collect();
            // R16: the website is asked for one row, and another one may be a name that Kick did not know.
            if asker != Asker::Website || rows.len() == 1 {
                self.met.extend(rows);
            }
        }
        if asker == Asker::Website {
            return;
        }
        for n in asked.about {
            let entry = seen.iter().find(|entry| entry.user == Some(kick.streamers[n].user));
            match entry.map(|entry| entry.liveness) {
                Some(Liveness::Live(start)) => {
                    self.present.insert(n, answer.started.steady.elapsed());
                    self.shown_start.insert(n, start);
                    self.begun(answer.finished.steady.elapsed(), n, start);
                }
                Some(Liveness::Offline) | None => drop(self.absent.insert(n, answer.started.steady.elapsed())),
                Some(Liveness::Unsaid | Liveness::Nothing) => {}
            }
            let usable =
                entry.map_or(asked.lists_live, |entry| matches!(entry.liveness, Liveness::Live(_) | Liveness::Offline));
            if !usable {
                continue;
            }
            let confirmed = self.confirmed.contains(&kick.streamers[n].user);
            self.note_confirmed(answer.finished.steady.elapsed(), n, confirmed);
            let told = self.evidence.entry(n).or_default();
            told.push_back((answer.started.steady.elapsed(), entry.is_some()));
            if told.len() > 20 {
                told.pop_front();
            }
        }
    }

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
        let endpoint = request.query.endpoint();
        let lists_live = matches!(endpoint, Endpoint::Livestreams | Endpoint::UsersLivestreams);
        let by_name = matches!(request.query, Query::ChannelsBySlug(_) | Query::Website(_));
        if self.asked.insert(asker, Asked { id: request.id, endpoint, lists_live, by_name, about }).is_some() {
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
