//! Values by key, from the file or the environment, and the problems with them. A bad value is noted and then
//! replaced by its default, so that all problems of a file are found in one go; the caller must look at the
//! problems last.

use super::keys::{self, Form, KEYS, Key};
use super::problem::{Problem, shown};
use super::{WebUrl, dotenv, edges};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The most characters of an unknown key that a message repeats.
const KEY_SHOWN_MAX: usize = 200;

/// What a configuration is made from.
pub struct Sources<'a> {
    /// The file's name, for messages.
    pub file: &'a str,
    /// The file's content.
    pub text: &'a [u8],
    /// The environment; overrides the file. Names that are not keys are ignored.
    pub environment: &'a BTreeMap<OsString, OsString>,
    /// Reads a file that the configuration names. The error completes the sentence "the file …" and never contains
    /// the file's content.
    pub read: &'a mut dyn FnMut(FileKind, &Path) -> Result<String, String>,
    /// Whether credentials and database may be missing, and are then empty: for a command that needs neither.
    pub partial: bool,
}

/// What a file that the configuration names contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A secret: other users must not be able to read it.
    Secret,
    /// Certificates, which are public.
    Certificates,
}

const NUL: &str = "has a NUL character; expected text without one";

pub(super) struct Values<'a> {
    file: &'a str,
    given: BTreeMap<&'static str, Given>,
    read: &'a mut dyn FnMut(FileKind, &Path) -> Result<String, String>,
    partial: bool,
    problems: Vec<Problem>,
}

/// A key that was given.
struct Given {
    /// The line of the file; `None` for the environment.
    line: Option<usize>,
    /// The value; `None` if it cannot be read, which has been noted as a problem.
    value: Option<String>,
}

impl<'a> Values<'a> {
    pub(super) fn new(sources: Sources<'a>) -> Values<'a> {
        let Sources { file, text, environment, read, partial } = sources;
        let mut values = Values { file, given: BTreeMap::new(), read, partial, problems: Vec::new() };
        for entry in dotenv::entries(text) {
            values.take_entry(entry);
        }
        for key in KEYS {
            if let Some(value) = environment.get(&OsString::from(key.name)) {
                values.given.insert(key.name, Given { line: None, value: value.to_str().map(str::to_owned) });
                if value.to_str().is_none() {
                    values.problem(key.name, dotenv::NOT_UTF8);
                }
            }
        }
        values.check_edges();
        values
    }

    /// Notes values that begin or end with something that does not belong to them, and drops them.
    fn check_edges(&mut self) {
        for key in KEYS {
            let value = self.value(key.name).map(str::to_owned);
            let fault = value.and_then(|value| Some((edges::check(key, &value).err()?, value)));
            if let Some((why, value)) = fault {
                self.bad(key.name, &value, &why);
                self.given.entry(key.name).and_modify(|given| given.value = None);
            }
        }
    }

    fn take_entry(&mut self, entry: dotenv::Entry) {
        let line = Some(entry.line);
        let mut tell = |key: &str, text: String| {
            self.problems.push(Problem { file: self.file.to_owned(), line, key: key.to_owned(), text });
        };
        let value = match entry.value {
            Ok(value) if value.contains('\0') => Err(NUL.to_owned()),
            value => value,
        };
        let value = value.map_err(|text| tell(&entry.key, text)).ok();
        match keys::find(&entry.key) {
            Some(key) => match self.given.get(key.name) {
                Some(Given { line: Some(first), .. }) => {
                    tell(key.name, format!("is given twice, first on line {first}; expected it once"));
                }
                _ => drop(self.given.insert(key.name, Given { line, value })),
            },
            None if entry.key.is_empty() => {}
            None => {
                let meant = keys::nearest(&entry.key).map(|name| format!("; did you mean {name}?"));
                let key: String = entry.key.chars().take(KEY_SHOWN_MAX).collect();
                tell(&key, format!("is not a key of kick-monitor{}", meant.unwrap_or_default()));
            }
        }
    }

    /// Notes what is wrong with a key, at the place where it was given.
    pub(super) fn problem(&mut self, name: &str, text: impl Into<String>) {
        let given = self.given.get(name);
        let overridden = given.is_some_and(|given| given.line.is_none());
        self.problems.push(Problem {
            file: if overridden { "environment" } else { self.file }.to_owned(),
            line: given.and_then(|given| given.line),
            key: name.to_owned(),
            text: text.into(),
        });
    }

    /// All problems: those of the file by line, those without a line after them.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems;
        problems.sort_by_key(|problem| (problem.file != self.file, problem.line.unwrap_or(usize::MAX)));
        problems
    }

    /// The value of an optional key; an empty one counts as not given. `read`'s error completes the sentence
    /// "the value …".
    pub(super) fn optional<T>(&mut self, name: &str, read: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        let value = self.value(name).filter(|value| !value.is_empty())?.to_owned();
        read(&value).map_err(|why| self.bad(name, &value, &why)).ok()
    }

    /// The value of a key that has a default.
    pub(super) fn preset<T>(&mut self, name: &str, read: impl Fn(&str) -> Result<T, String>) -> T {
        let key = key(name);
        let value = match self.value(name) {
            Some("") => {
                self.problem(name, format!("is empty; expected {}", key.form));
                None
            }
            Some(value) => {
                let value = value.to_owned();
                read(&value).map_err(|why| self.bad(name, &value, &why)).ok()
            }
            None => None,
        };
        let default = || read(key.default.unwrap_or_default()).expect("the defaults of the table of keys are good");
        value.unwrap_or_else(default)
    }

    /// The value of a required key.
    pub(super) fn required(&mut self, name: &str, read: impl Fn(&str) -> Result<String, String>) -> String {
        if !self.is_set(name) {
            self.lacks(name, "");
        }
        self.optional(name, read).unwrap_or_default()
    }

    /// The value of a secret key, or the content of the file that its `_FILE` key names, with the name of the key
    /// that was used. No message repeats the value.
    pub(super) fn secret<T>(
        &mut self,
        name: &'static str,
        file_name: &'static str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<(&'static str, T)> {
        let in_file = match (self.is_set(name), self.is_set(file_name)) {
            (false, false) => {
                self.lacks(name, &format!(", or {file_name}"));
                return None;
            }
            // The environment overrides the file, whichever of the two forms it uses.
            (true, true) => match (self.is_overridden(name), self.is_overridden(file_name)) {
                (true, false) => false,
                (false, true) => true,
                _ => {
                    self.problem(file_name, format!("is given as well as {name}; expected one of the two"));
                    return None;
                }
            },
            (_, in_file) => in_file,
        };
        let key = if in_file { file_name } else { name };
        let secret = if in_file { self.secret_file(name, file_name)? } else { self.value(name)?.to_owned() };
        read(&secret).map_err(|why| self.problem(key, format!("the value {why}"))).ok().map(|value| (key, value))
    }

    /// The content of the file of the secret `of`, without the line end that editors add.
    fn secret_file(&mut self, of: &str, name: &str) -> Option<String> {
        let path = self.path(name)?;
        let names = format!("names {}, which", shown(&path.to_string_lossy()));
        let content = self.file(name, &names, FileKind::Secret, &path)?;
        let line = content.strip_suffix('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
        let secret = line.unwrap_or(&content);
        let fault = match secret {
            "" => Err("is empty; expected the secret in it".to_owned()),
            secret if secret.contains('\0') => Err(NUL.to_owned()),
            secret => edges::check(key(of), secret),
        };
        fault.map_err(|why| self.problem(name, format!("{names} {why}"))).ok()?;
        Some(secret.to_owned())
    }

    /// The content of the file at `path`, which the value of `name` names. `subject` begins the message if it cannot
    /// be read.
    pub(super) fn file(&mut self, name: &str, subject: &str, kind: FileKind, path: &Path) -> Option<String> {
        (self.read)(kind, path).map_err(|why| self.problem(name, format!("{subject} {why}"))).ok()
    }

    /// The number of a key that has a default.
    pub(super) fn number(&mut self, name: &str) -> u64 {
        let form = key(name).form;
        let Form::Number(least, most) = form else { unreachable!("{name} is a number") };
        self.preset(name, |text| {
            let digits = text.bytes().all(|b| b.is_ascii_digit());
            let number = text.parse().ok().filter(|number| digits && (least..=most).contains(number));
            number.ok_or_else(|| not_allowed(form))
        })
    }

    /// The word of a key that has a default.
    pub(super) fn word(&mut self, name: &str) -> &'static str {
        let form = key(name).form;
        let Form::Word(words) = form else { unreachable!("{name} is a word") };
        self.preset(name, |text| words.iter().find(|word| **word == text).copied().ok_or_else(|| not_allowed(form)))
    }

    /// The URL of a key that has a default.
    pub(super) fn url(&mut self, name: &str) -> WebUrl {
        let Form::Url(tls, plain) = key(name).form else { unreachable!("{name} is a URL") };
        self.preset(name, |text| WebUrl::parse(text, tls, plain))
    }

    /// The path of an optional key.
    pub(super) fn path(&mut self, name: &str) -> Option<PathBuf> {
        self.optional(name, |text| absolute(text, key(name).form))
    }

    /// The path of a key that has a default.
    pub(super) fn preset_path(&mut self, name: &str) -> PathBuf {
        self.preset(name, |text| absolute(text, key(name).form))
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.given.get(name).and_then(|given| given.value.as_deref())
    }

    /// Whether the key was given and is not empty. One that cannot be read counts.
    fn is_set(&self, name: &str) -> bool {
        self.given.get(name).is_some_and(|given| given.value.as_deref() != Some(""))
    }

    /// Whether the key was given by the environment.
    fn is_overridden(&self, name: &str) -> bool {
        self.given.get(name).is_some_and(|given| given.line.is_none())
    }

    fn lacks(&mut self, name: &str, or: &str) {
        if self.partial {
            return;
        }
        let how = if self.given.contains_key(name) { "empty" } else { "missing" };
        self.problem(name, format!("is {how}; expected {}{or}", key(name).form));
    }

    fn bad(&mut self, name: &str, value: &str, why: &str) {
        // A URL with an @ may hold a password, whatever key it is given for; and a secret may have been
        // put where the name of its file belongs.
        let is_secret = |name: &str| keys::find(name).is_some_and(|key| matches!(key.form, Form::Secret(_)));
        let hidden =
            is_secret(name.strip_suffix("_FILE").unwrap_or(name)) || value.contains('@') && value.contains("://");
        let value = if hidden { "the value".to_owned() } else { shown(value) };
        self.problem(name, format!("{value} {why}"));
    }
}

fn key(name: &str) -> &'static Key {
    keys::find(name).expect("the table of keys is complete")
}

fn absolute(text: &str, form: Form) -> Result<PathBuf, String> {
    // The daemon's working directory is not the administrator's.
    if text.starts_with('/') { Ok(PathBuf::from(text)) } else { Err(not_allowed(form)) }
}

fn not_allowed(form: Form) -> String {
    format!("is not allowed; expected {form}")
}
