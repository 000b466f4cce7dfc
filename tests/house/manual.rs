//! The manual pages are complete and true: every configuration key with its default, every event with its severity
//! and keys, every problem with its health, every metric, signal and exit code, and nothing that there is not. The
//! package's version is the program's.

use super::{none, read};
use kick_monitor::config::keys::KEYS;
use kick_monitor::domain::problem::CODES;
use std::collections::{BTreeMap, BTreeSet};

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
    let (events, severities) = (events(), severities());
    assert!(events.len() > 30 && events.len() == severities.len(), "the events are not where they were");
    let mut violations = Vec::new();
    for (name, keys) in &events {
        // (severity; key, key)
        let behind = said.get(name).map(|behind| behind.trim_matches(['(', ')']));
        let given: Option<(&str, BTreeSet<&str>)> =
            behind.and_then(|behind| behind.split_once("; ")).map(|(how, keys)| (how, keys.split(", ").collect()));
        match given {
            None => violations.push(format!("{PROGRAM_PAGE}:1: {name} is missing, or its keys are")),
            Some((severity, _)) if severities.get(name).map(String::as_str) != Some(severity) => {
                violations.push(format!("{PROGRAM_PAGE}:1: {name} is not of severity {severity}"));
            }
            Some((_, given)) => {
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

/// What is not in the rules is reported by mail.
#[test]
fn logcheck_is_told_of_every_routine_event() {
    const LOGCHECK: &str = "debian/kick-monitor.logcheck.ignore.server";
    let rules = read(LOGCHECK);
    let (_, behind) = rules.split_once("event=(").expect("the rule names events");
    let ignored: BTreeSet<&str> = behind.split_once(')').expect("the names end").0.split('|').collect();
    let severities = severities();
    let is_routine = |name: &&String| matches!(severities[*name].as_str(), "info" | "notice");
    let missing = severities.keys().filter(is_routine).filter(|name| !ignored.contains(name.as_str()));
    none(&missing.map(|name| format!("{LOGCHECK}:1: {name} is missing")).collect::<Vec<_>>());
}

#[test]
fn every_problem_is_in_the_manual_with_its_health() {
    let page = section("PROBLEMS");
    let said = page.lines().filter_map(|line| line.strip_prefix('*')?.split_once("* ("));
    let said: BTreeMap<&str, &str> = said.map(|(code, health)| (code, health.trim_end_matches(')'))).collect();
    let known = CODES.map(|code| code.facts()).map(|facts| (facts.code, facts.health.word()));
    assert_eq!(said, known.into_iter().collect(), "{PROGRAM_PAGE}:1: PROBLEMS");
}

#[test]
fn every_problem_is_in_the_manual_with_the_words_of_the_program() {
    // Without emphasis, indentation, and capitals at the start of a sentence.
    let plain = |text: &str| text.replace('*', "").split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    let page = section("PROBLEMS");
    let paragraphs = page.split("\n*").skip(1).map(plain);
    let mut violations = Vec::new();
    for (facts, paragraph) in CODES.map(|code| code.facts()).into_iter().zip(paragraphs) {
        let words = [facts.text, facts.remedy].map(|text| plain(&text.replace("; ", ". ")));
        let paragraph = paragraph.replace("; ", ". ");
        for words in words.into_iter().filter(|words| !paragraph.contains(words)) {
            violations.push(format!("{PROGRAM_PAGE}:1: {} does not say: {words}", facts.code));
        }
    }
    none(&violations);
}

#[test]
fn every_metric_is_in_the_manual() {
    let page = section("METRICS");
    let said = page.lines().filter_map(|line| line.strip_prefix("**")?.split_once("** ("));
    let said: BTreeMap<String, String> = said
        .map(|(name, kind)| (name.to_owned(), kind.split([',', ')']).next().unwrap_or_default().to_owned()))
        .collect();
    assert_eq!(said, metrics(), "{PROGRAM_PAGE}:1: METRICS");
}

/// The metrics and their kinds, as `process::status::prometheus` makes them.
fn metrics() -> BTreeMap<String, String> {
    let source = read("src/process/status/prometheus.rs");
    let mut metrics = BTreeMap::new();
    for (call, kind, ending) in [
        ("gauge", "gauge", ""),
        ("counter", "counter", "_total"),
        ("time", "gauge", ""),
        ("histogram", "histogram", ""),
    ] {
        let call = format!("page.{call}(");
        let names = source.split(&call).skip(1);
        let names = names.filter_map(|rest| rest.trim_start().strip_prefix('"')?.split_once('"'));
        metrics.extend(names.map(|(name, _)| (format!("kick_monitor_{name}{ending}"), kind.to_owned())));
    }
    for begun in source.split(".begin(\"").skip(1) {
        let mut words = begun.split('"').step_by(2);
        if let (Some(name), Some(kind)) = (words.next(), words.next()) {
            metrics.insert(format!("kick_monitor_{name}"), kind.to_owned());
        }
    }
    assert!(metrics.len() > 25, "the metrics are read: {metrics:?}");
    metrics
}

#[test]
fn every_signal_and_exit_code_is_in_the_manual() {
    let bold = |title: &str| -> BTreeSet<String> {
        let page = section(title);
        let terms = page.lines().filter(|line| line.starts_with("**"));
        terms.flat_map(|line| line.split("**").skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>()).collect()
    };
    let signals = read("src/process/signals.rs");
    let served = signals.split("const SERVED").nth(1).and_then(|rest| rest.split(';').nth(1)).unwrap_or_default();
    let served = served.split("SIG").skip(1).filter_map(|rest| rest.split([',', ']']).next().map(str::to_owned));
    assert_eq!(bold("SIGNALS"), served.collect(), "{PROGRAM_PAGE}:1: SIGNALS");
    let codes = read("src/process/exit.rs");
    let codes = codes.lines().filter_map(|line| line.split_once(" = ")?.1.strip_suffix(',').map(str::to_owned));
    assert_eq!(bold("EXIT STATUS"), codes.collect(), "{PROGRAM_PAGE}:1: EXIT STATUS");
}

/// A section of the program's page.
fn section(title: &str) -> String {
    let page = read(PROGRAM_PAGE);
    let section = page.split(&format!("\n# {title}\n")).nth(1).and_then(|rest| rest.split("\n# ").next());
    section.unwrap_or_else(|| panic!("{PROGRAM_PAGE} has no {title}")).to_owned()
}

/// The severities of the events, in syslog's words.
fn severities() -> BTreeMap<String, String> {
    let source = read("src/domain/event/line.rs");
    let body = source.split("pub fn severity").nth(1).and_then(|rest| rest.split("\n    }\n").next());
    let mut severities = BTreeMap::new();
    for arm in body.expect("events have severities").split_inclusive("=> Severity::").collect::<Vec<_>>().windows(2) {
        let word = arm[1].split([',', '\n']).next().unwrap_or_default();
        let word = match word {
            "Error" => "err",
            "Warn" => "warning",
            other => &other.to_lowercase(),
        };
        let names = arm[0].split("Event::").skip(1).filter_map(|rest| rest.split([' ', ',']).next());
        severities.extend(names.map(|name| (snake(name), word.to_owned())));
    }
    severities
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
