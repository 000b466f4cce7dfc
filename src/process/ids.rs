//! `kick-monitor ids`: looks up Kick's user id and channel id of names, for the table. Without channel ids there is no
//! push, and Kick's website, which tells them, refuses many a server; so it works anywhere, with names alone.
//!
//! It changes nothing: `--sql` prints statements for `psql`.

mod caller;
mod patience;
mod progress;
mod search;

pub(super) use patience::Pace;
pub(super) use search::{Found, Lack, Needs, by_api, by_website};

use crate::clock::Clock;
use crate::config::{Config, Problem};
use crate::domain::shards::Scope;
use crate::domain::text::{escaped, shown};
use crate::domain::{RowId, Slug};
use crate::gateway::database::{Database, Target, set_ids};
use crate::process::cli::DEFAULT_CONFIG;
use crate::process::exit::Code;
use crate::process::{complain, configuration, service};
use crate::stop::Stop;
use anyhow::Context;
use caller::Caller;
use progress::Progress;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

/// How many of the names without an answer are listed at most.
const UNANSWERED_MAX: usize = 50;

/// Looks up these names, or with none of them those of the roster.
///
/// # Errors
/// When the roster cannot be read, or standard output cannot be written to.
pub(super) fn run(config: &Path, sql: bool, names: &[String]) -> anyhow::Result<Code> {
    if names.is_empty() {
        service::act_as_the_service(config).map_err(anyhow::Error::msg)?;
    }
    let config = match settings(config, sql, names) {
        Ok(config) => config,
        Err(problems) => {
            // Each line begins with the file, as in every other command.
            problems.iter().for_each(|problem| drop(writeln!(io::stderr(), "{problem}")));
            if names.is_empty() {
                complain("names alone need no configuration: kick-monitor ids NAME...");
            }
            return Ok(Code::Config);
        }
    };
    let wanted = if names.is_empty() { Wanted::of_roster(&config)? } else { Wanted::of_names(names) };
    let database = &config.database;
    let needs = match sql {
        true => Needs { user: database.user_id_column.is_some(), channel: database.channel_id_column.is_some() },
        false => Needs { user: true, channel: true },
    };
    Lookup { config: &config, sql, needs, unanswered: Vec::new(), failed: wanted.unusable }.run(&wanted.names)
}

/// The configuration. Names alone need none: without a file that can be read, the environment and the defaults hold, and
/// the columns are those of the sample table.
fn settings(path: &Path, sql: bool, names: &[String]) -> Result<Config, Vec<Problem>> {
    let optional = path == Path::new(DEFAULT_CONFIG) && !names.is_empty();
    let absent = configuration::open(path).is_err_and(|error| match error.kind() {
        ErrorKind::NotFound => true,
        // It may name other columns than the sample table's.
        ErrorKind::PermissionDenied => !sql,
        _ => false,
    });
    let fileless = optional && absent;
    let mut config = if fileless { configuration::without_file()? } else { configuration::load(path)? };
    let database = &mut config.database;
    if sql {
        // A row may be known by Kick's own id, which is not to be written.
        let id = database.id_column.clone();
        for column in [&mut database.user_id_column, &mut database.channel_id_column] {
            *column = column.take().filter(|name| *name != id);
        }
    }
    if sql && database.user_id_column.is_none() && database.channel_id_column.is_none() {
        if !fileless {
            let text = "is missing, and so is DB_USER_ID_COLUMN; expected a column for the ids in one of the two, such as \
                        DB_CHANNEL_ID_COLUMN=channel_id";
            let (file, key) = (path.display().to_string(), "DB_CHANNEL_ID_COLUMN".to_owned());
            return Err(vec![Problem { file, line: None, key, text: text.to_owned() }]);
        }
        database.channel_id_column = Some("channel_id".to_owned());
        database.user_id_column = Some("user_id".to_owned());
    }
    Ok(config)
}

/// The names to look up.
#[derive(Default)]
struct Wanted {
    /// Each name once, in the order that they came.
    names: Vec<Name>,
    /// Whether something was given, or stands in a row, that cannot be a name at Kick.
    unusable: bool,
}

/// A name, and what stands for it.
struct Name {
    slug: Slug,
    /// As it was given; or as it stands in each row that has it, with the row's id.
    forms: Vec<(String, Option<RowId>)>,
}

impl Wanted {
    fn of_names(names: &[String]) -> Wanted {
        let mut wanted = Wanted::default();
        wanted.add_all(names.iter().map(|name| (name.as_str(), None, Slug::from_username(name))));
        // A name that was given twice is printed once.
        wanted.names.iter_mut().for_each(|name| name.forms.truncate(1));
        wanted
    }

    fn of_roster(config: &Config) -> anyhow::Result<Wanted> {
        let rows = Database::new(config.database.clone(), Clock::start())
            .and_then(|database| database.read_roster(&Scope::All, &Stop::never()))
            .context("failed to read the table")?;
        let mut wanted = Wanted::default();
        wanted.add_all(rows.iter().map(|row| (&*row.username, Some(row.id.clone()), row.name())));
        Ok(wanted)
    }

    fn add_all<'a, E: std::fmt::Display>(
        &mut self,
        given: impl IntoIterator<Item = (&'a str, Option<RowId>, Result<Slug, E>)>,
    ) {
        let mut places = BTreeMap::new();
        for (text, row, slug) in given {
            match slug {
                Ok(slug) => {
                    let place = *places.entry(slug.clone()).or_insert(self.names.len());
                    if place == self.names.len() {
                        self.names.push(Name { slug: slug.clone(), forms: Vec::new() });
                    }
                    self.names[place].forms.push((one_word(text, &slug), row));
                }
                Err(why) => {
                    self.unusable = true;
                    complain(&format!("{}: {why}", shown(text)));
                }
            }
        }
    }
}

/// The name as it was given, if that is a word that a line of output can begin with.
fn one_word(text: &str, slug: &Slug) -> String {
    let text = text.trim();
    let plain = !text.contains(char::is_whitespace) && escaped(text) == text;
    if plain { text.to_owned() } else { slug.to_string() }
}

/// One run over all names.
struct Lookup<'a> {
    config: &'a Config,
    sql: bool,
    needs: Needs,
    /// Names about which there was no answer.
    unanswered: Vec<String>,
    failed: bool,
}

impl Lookup<'_> {
    fn run(mut self, names: &[Name]) -> anyhow::Result<Code> {
        let (config, needs) = (self.config, self.needs);
        let mut caller = Caller::new(config, Progress::new(names.len()));
        let has_app = !config.kick.client_id.is_empty() && !config.kick.client_secret.reveal().is_empty();
        'all: for names in names.chunks(config.rules.batch) {
            let slugs: Vec<Slug> = names.iter().map(|name| name.slug.clone()).collect();
            let found = match has_app {
                true => by_api(&slugs, needs, &mut |query| caller.ask(query)),
                false => vec![Found::default(); names.len()],
            };
            for (name, mut found) in names.iter().zip(found) {
                caller.progress.next(name.slug.as_str());
                if !found.is_stated(needs) {
                    by_website(&name.slug, &mut found, &mut |query| caller.ask(query));
                }
                caller.progress.clear();
                if !self.tell(name, &found)? {
                    break 'all;
                }
            }
        }
        if !self.unanswered.is_empty() {
            let more = self.unanswered.len().saturating_sub(UNANSWERED_MAX);
            self.unanswered.truncate(UNANSWERED_MAX);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            complain(&format!("not found, for Kick gave no answer: {}{more}", self.unanswered.join(" ")));
        }
        Ok(if self.failed { Code::Failed } else { Code::Fine })
    }

    /// Prints what was found and says what was not; false when the reader has hung up.
    fn tell(&mut self, name: &Name, found: &Found) -> anyhow::Result<bool> {
        let whole = found.is_whole(self.needs);
        let lines = name.forms.iter().filter_map(|(form, row)| match self.sql {
            true => {
                let target = row.as_ref().map_or(Target::Name(&name.slug), Target::Row);
                set_ids(&self.config.database, target, found.user, found.channel())
            }
            false => Some(format!("{form} {} {}", found.user?, found.channel()?)),
        });
        let text: String = lines.map(|line| line + "\n").collect();
        if !whole {
            self.failed = true;
            let form = || name.forms.first().map(|(form, _)| form.clone()).unwrap_or_default();
            match (found.denied, found.user) {
                (true, Some(user)) => complain(&format!("{}: not found: the channel id of user {user}", form())),
                (true, None) => complain(&format!("{}: not found: Kick does not know the name", form())),
                (false, _) => self.unanswered.push(form()),
            }
        }
        let mut stdout = io::stdout().lock();
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
            written => written.map(|()| true).context("failed to write to standard output"),
        }
    }
}
