//! The manual pages are complete and true: every configuration key with its default, every event with
//! its keys, and nothing that there is not. The package's version is the program's.

use super::none;
use kick_monitor::config::keys::KEYS;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

const PROGRAM_PAGE: &str = "etc/man/kick-monitor.8.md";
const FILE_PAGE: &str = "etc/man/kick-monitor.env.5.md";

#[test]
fn every_key_is_in_the_manual_with_its_default() {
    let said = terms(FILE_PAGE);
    let mut violations = Vec::new();
    for key in KEYS {
        // A backslash escapes in the page's source.
        let default = key.default.map(|default| format!("(*{}*)", default.replace('\\', "\\\\"))).unwrap_or_default();
        match said.get(key.name) {
            None => violations.push(format!("{FILE_PAGE}:1: {} is missing", key.name)),
            Some(behind) if *behind != default => {
                violations.push(format!("{FILE_PAGE}:1: behind {} stands {behind:?}, not {default:?}", key.name));
            }
            Some(_) => {}
        }
    }
    let known: BTreeSet<&str> = KEYS.iter().map(|key| key.name).collect();
    let unknown = said.keys().filter(|name| !known.contains(name.as_str()));
    violations.extend(unknown.map(|name| format!("{FILE_PAGE}:1: there is no key {name}")));
    none(&violations);
}

#[test]
fn every_event_is_in_the_manual_with_its_keys() {
    let said = terms(PROGRAM_PAGE);
    let events = events();
    assert!(events.len() > 30, "the events are not where they were");
    let mut violations = Vec::new();
    for (name, keys) in &events {
        // (severity; key, key)
        let behind = said.get(name).map(|behind| behind.trim_matches(['(', ')']));
        let given: Option<BTreeSet<&str>> =
            behind.and_then(|behind| behind.split_once("; ")).map(|(_, keys)| keys.split(", ").collect());
        match given {
            None => violations.push(format!("{PROGRAM_PAGE}:1: {name} is missing, or its keys are")),
            Some(given) => {
                let differing = given.symmetric_difference(keys);
                violations.extend(differing.map(|key| format!("{PROGRAM_PAGE}:1: {name} and its key {key}")));
            }
        }
    }
    // Of what is defined there, the events alone have such a bracket.
    let unknown = said.iter().filter(|(name, behind)| behind.contains("; ") && !events.contains_key(*name));
    violations.extend(unknown.map(|(name, _)| format!("{PROGRAM_PAGE}:1: there is no event {name}")));
    none(&violations);
}

#[test]
fn the_package_has_the_programs_version() {
    let first = read("debian/changelog").lines().next().unwrap_or_default().to_owned();
    let version = first.split(['(', ')']).nth(1);
    assert_eq!(version, Some(env!("CARGO_PKG_VERSION")), "debian/changelog:1: {first}");
}

/// What a page defines: the bold words that open a line, and what stands behind them.
fn terms(page: &str) -> BTreeMap<String, String> {
    let page = read(page);
    let mut lines = page.lines().peekable();
    let mut terms = BTreeMap::new();
    while let Some(line) = lines.next() {
        let defines = lines.peek().is_some_and(|next| next.starts_with(":   "));
        let term = line.strip_prefix("**").and_then(|rest| rest.split_once("**")).filter(|_| defines);
        if let Some((term, behind)) = term {
            let again = terms.insert(term.to_owned(), behind.trim().to_owned());
            assert_eq!(again, None, "{term} is defined twice");
        }
    }
    terms
}

/// The events by their names in the log, with the keys of each, as `domain::event` declares them.
fn events() -> BTreeMap<String, BTreeSet<&'static str>> {
    let source: &'static str = read("src/domain/event.rs").leak();
    let declared = source.split_once("pub enum Event {").map(|(_, rest)| rest).unwrap_or_default();
    let mut events = BTreeMap::new();
    for variant in declared.split_inclusive('}') {
        let lines: Vec<&str> = variant.lines().map(str::trim).filter(|line| !line.starts_with("//")).collect();
        let text: &'static str = lines.join(" ").leak();
        let Some((names, fields)) = text.trim_end_matches('}').split_once('{') else { continue };
        let keys = fields.split(',').filter_map(|field| Some(field.split_once(':')?.0.trim()));
        // The one field that is not called as its key: a Duration cannot have the unit in its name.
        let keys: BTreeSet<&str> = keys.map(|key| if key == "lag" { "lag_ms" } else { key }).collect();
        // Those before the last one have no fields.
        let mut names = names.split(',').map(str::trim).filter(|name| !name.is_empty()).rev();
        events.extend(names.next().map(|name| (snake(name), keys)));
        events.extend(names.map(|name| (snake(name), BTreeSet::new())));
    }
    events
}

/// `StatusChanged` as `status_changed`.
fn snake(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
