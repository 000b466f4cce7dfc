//! What the operator is told is whole: the manual names every event as the log does, docs/operating.md has steps for
//! every problem, and the example alerts are about metrics that there are.

use super::{none, read, source};
use kick_monitor::domain::problem::CODES;
use std::collections::BTreeSet;

fn program(path: &str) -> &'static str {
    let found = source::all().iter().find(|source| source.path == path);
    &found.unwrap_or_else(|| panic!("there is no {path}")).text
}

/// The words between quotes that follow `before` in a file.
fn quoted(text: &str, before: &str) -> BTreeSet<String> {
    let starts = text.match_indices(before).map(|(at, _)| &text[at + before.len()..]);
    starts.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())).collect()
}

fn differences(page: &str, what: &str, code: &BTreeSet<String>, told: &BTreeSet<String>) -> Vec<String> {
    let missing = code.difference(told).map(|name| format!("{page}:1: the {what} {name} is not documented"));
    let surplus = told.difference(code).map(|name| format!("{page}:1: there is no {what} {name}"));
    missing.chain(surplus).collect()
}

#[test]
fn every_event_is_documented_and_no_other() {
    let names = program("src/domain/event/line.rs").split("pub fn severity").next().unwrap_or_default();
    let code = quoted(names, "{ .. } => \"");
    assert!(code.len() > 30, "the names are read: {code:?}");
    let page = "etc/man/kick-monitor.8.md";
    let manual = read(page);
    let section = manual.split("\n# EVENTS\n").nth(1).and_then(|rest| rest.split("\n# ").next()).unwrap_or_default();
    let told = section.lines().filter_map(|line| Some(line.strip_prefix("**")?.split_once("** (")?.0.to_owned()));
    none(&differences(page, "event", &code, &told.collect()));
}

#[test]
fn every_problem_has_its_steps_and_no_other() {
    let code: BTreeSet<String> = CODES.iter().map(|code| code.facts().code.to_owned()).collect();
    let page = "docs/operating.md";
    let text = read(page);
    let section = text.split("\n# Problems, one by one\n").nth(1).and_then(|rest| rest.split("\n# ").next());
    let rows = section.unwrap_or_default().lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
    none(&differences(page, "problem", &code, &rows.map(|(name, _)| name.to_owned()).collect()));
}

/// Reads the shape of YAML that the file has: `key: value`, lists of such, two spaces a level.
fn rules() -> Vec<Vec<(String, String)>> {
    let text = read("etc/kick-monitor.rules.yml");
    let mut rules: Vec<Vec<(String, String)>> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let indent = line.len() - line.trim_start().len();
        let (begins, rest) = match line.trim_start().strip_prefix("- ") {
            Some(rest) => (true, rest),
            None => (false, line.trim_start()),
        };
        let (key, value) = rest.split_once(':').unwrap_or_else(|| panic!("no key: {line}"));
        let bare = value.trim();
        let quoted = bare.len() > 1 && bare.starts_with('"') && bare.ends_with('"');
        assert!(
            quoted || !bare.contains(": ") && !bare.starts_with(['{', '"', '\'', '&', '*']),
            "wants quotes: {line}"
        );
        assert!(indent % 2 == 0 && line.trim_end() == line && key.chars().all(|c| c.is_ascii_lowercase()), "{line}");
        if begins && indent == 6 {
            rules.push(Vec::new());
        }
        if let Some(rule) = rules.last_mut() {
            rule.push((key.to_owned(), bare.to_owned()));
        }
    }
    rules
}

#[test]
fn the_example_alerts_are_about_what_there_is() {
    let metrics = program("src/process/status/prometheus.rs");
    let rules = rules();
    assert!(rules.len() > 5);
    for rule in rules {
        let keys: Vec<&str> = rule.iter().map(|(key, _)| key.as_str()).collect();
        let wanted = ["alert", "expr", "for", "labels", "severity", "annotations", "summary", "description"];
        assert_eq!(keys, wanted, "{rule:?}");
        let expr = &rule[1].1;
        for (open, close) in [('(', ')'), ('[', ']'), ('{', '}')] {
            assert_eq!(expr.matches(open).count(), expr.matches(close).count(), "{expr}");
        }
        let starts = expr.match_indices("kick_monitor_").map(|(at, word)| &expr[at + word.len()..]);
        for rest in starts {
            let name = rest.split(|c: char| !c.is_ascii_lowercase() && c != '_').next().unwrap_or_default();
            let counted = name.strip_suffix("_total").unwrap_or(name);
            let known = [name, counted, name.strip_suffix("_bucket").unwrap_or(name)];
            assert!(known.iter().any(|name| metrics.contains(&format!("\"{name}\""))), "no metric {name}: {expr}");
        }
    }
}
