//! Which names Kick knows: those of the table, and those that were given to try them before they are in the table.

use super::Report;
use super::kick::remedy_for;
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::Slug;
use crate::domain::ask::{Endpoint, Failure, FailureKind, Query, Seen};
use crate::domain::secret::Secret;
use crate::domain::text::{counted, shown};
use crate::gateway::kick::Kick;
use crate::process::ids::{Found, Lack, Needs, Pace, by_api, by_website};
use crate::stop::Stop;

/// The most names of the table that are asked about: 40 requests, 40 s with the default budget.
const ROSTER_MAX: usize = 1000;

/// Asks Kick, no faster than the budget allows.
pub(super) struct Asker<'a> {
    config: &'a Config,
    kick: &'a Kick,
    token: Option<&'a Secret>,
    clock: Clock,
    pace: Pace,
    /// Why there was no answer to the last question that had none.
    failure: Option<Failure>,
}

impl<'a> Asker<'a> {
    pub(super) fn new(config: &'a Config, kick: &'a Kick, token: Option<&'a Secret>, clock: Clock) -> Asker<'a> {
        let pace = Pace::new(config.rules.requests_per_minute);
        Asker { config, kick, token, clock, pace, failure: None }
    }

    /// Reports which names of the table Kick does not know.
    pub(super) fn roster(mut self, names: &[Slug], report: &mut Report) {
        let asked = &names[..names.len().min(ROSTER_MAX)];
        if asked.is_empty() || self.token.is_none() {
            return;
        }
        let mut unknown = Vec::new();
        for (number, batch) in asked.chunks(self.config.rules.batch).enumerate() {
            let done = number * self.config.rules.batch;
            report.trying(&format!("asking Kick about the names of the table ({done} of {})", asked.len()));
            let found = by_api(batch, Needs { user: true, channel: false }, &mut |query| self.ask(query));
            if let Some(failure) = self.failure {
                let text = format!("not all names of the table could be tried: {}", failure.text);
                return report.warn("names", text, remedy_for(failure.kind, "KICK_API_URL"));
            }
            unknown.extend(batch.iter().zip(found).filter(|(_, found)| found.denied).map(|(name, _)| name.as_str()));
        }
        let rest = match names.len() - asked.len() {
            0 => String::new(),
            rest => format!(" ({rest} more were not asked about; the daemon logs streamer_unknown for such)"),
        };
        if unknown.is_empty() {
            return report.ok("names", format!("Kick knows {} of the table{rest}", counted(asked.len(), "name")));
        }
        let text = format!("Kick does not know {}: {}{rest}", counted(unknown.len(), "name"), unknown.join(", "));
        report.warn("names", text, "correct these usernames in the table");
    }

    /// Reports what Kick knows of names that were given.
    pub(super) fn given(mut self, names: &[String], report: &mut Report) {
        for given in names {
            report.trying(&format!("asking Kick about {}", shown(given)));
            match Slug::from_username(given) {
                Ok(name) => self.one(&name, report),
                Err(why) => {
                    let remedy = "give the name as it is in the address of the channel: https://kick.com/NAME";
                    report.fail("name", format!("{}: {why}", shown(given)), Some(remedy));
                }
            }
        }
    }

    fn one(&mut self, name: &Slug, report: &mut Report) {
        let needs = Needs { user: true, channel: true };
        self.failure = None;
        let mut found = match self.token {
            Some(_) => {
                by_api(std::slice::from_ref(name), needs, &mut |query| self.ask(query)).pop().unwrap_or_default()
            }
            None => Found::default(),
        };
        if !found.is_stated(needs) {
            by_website(name, &mut found, &mut |query| self.ask(query));
        }
        match (found.user, &self.failure) {
            (Some(user), _) => {
                let channel = found.channel().map_or("not told by Kick".to_owned(), |channel| channel.to_string());
                let live = match found.live {
                    Some(true) => "live now",
                    Some(false) => "not live now",
                    None => "Kick does not say whether it is live",
                };
                report.ok("name", format!("{name}: user id {user}, channel id {channel}, {live}"));
            }
            (None, _) if found.denied => report.fail(
                "name",
                format!("{name}: Kick does not know this name"),
                Some(&format!("look whether https://kick.com/{name} exists, and correct the name")),
            ),
            (None, failure) => {
                let (text, remedy) = match failure {
                    Some(failure) => (failure.text.as_str(), remedy_for(failure.kind, "KICK_API_URL")),
                    None => ("Kick gave no answer", "try again later"),
                };
                report.fail("name", format!("{name}: {text}"), Some(remedy));
            }
        }
    }

    fn ask(&mut self, query: &Query) -> Result<Vec<Seen>, Lack> {
        if query.endpoint() != Endpoint::Website && self.token.is_none() {
            return Err(Lack::Silence);
        }
        Stop::never().wait(self.pace.wait(self.clock.steady()));
        self.kick.ask(self.token, query).result.map_err(|failure| match failure.kind {
            FailureKind::BadRequest => Lack::Refused,
            FailureKind::NotFound => Lack::Unknown,
            _ => {
                self.failure = Some(failure);
                Lack::Silence
            }
        })
    }
}
