//! The documents are true as far as a machine can tell: links and paths lead somewhere, what the source cites
//! exists, every rule names the tests that hold it, and tables of names are those of the code.

use super::source;
use super::{none, read};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The folders of the repository that paths in documents begin with.
const FOLDERS: [&str; 6] = ["src/", "tests/", "docs/", "etc/", "debian/", ".ci/"];

/// This file, which has wrong citations to try itself with.
const OWN: &str = "tests/house/documents.rs";

/// Papers that a reader of the repository does not have, and the tracker that docs/kick.md explains.
const ELSEWHERE: [&str; 9] =
    ["KICK.md", "RULES", "CONTRACT", "HOUSE.md", "DEBIAN.md", "STYLE.md", "PAINS.md", "TRAPS.md", "KDD"];

/// Files beside the sources and the documents.
const OTHERS: [&str; 7] = [
    "Makefile",
    "Cargo.toml",
    "clippy.toml",
    "deny.toml",
    "etc/kick-monitor.env",
    "debian/rules",
    "debian/kick-monitor.service",
];

/// Documents that must stay short, and their most lines.
const SHORT: [(&str, usize); 2] = [("README.md", 180), ("ARCHITECTURE.md", 300)];

/// Every Markdown file, by its path from the root, with its text.
pub(super) fn documents() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for directory in ["", "docs", "tests", "etc/man"] {
        let entries = fs::read_dir(root.join(directory)).expect("a directory can be read");
        let names = entries.map(|entry| entry.expect("an entry can be read").file_name());
        let names = names.filter_map(|name| name.to_str().map(str::to_owned));
        for name in names.filter(|name| name.ends_with(".md")) {
            let path = if directory.is_empty() { name } else { format!("{directory}/{name}") };
            let text = read(&path);
            found.push((path, text));
        }
    }
    assert!(found.len() > 10, "the documents are not where they were");
    found.sort();
    found
}

/// What stands between single backticks, line by line, outside of fenced blocks.
pub(super) fn spans(text: &str) -> Vec<(usize, &str)> {
    let (mut spans, mut fenced) = (Vec::new(), false);
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced && !line.starts_with("    ") {
            spans.extend(line.split('`').skip(1).step_by(2).map(|span| (number, span)));
        }
    }
    spans
}

/// What stands at the top of the repository, apart from hidden files.
const TOP: [&str; 20] = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "Makefile",
    "README.md",
    "SECURITY.md",
    "clippy.toml",
    "debian",
    "deny.toml",
    "docs",
    "etc",
    "rustfmt.toml",
    "src",
    "target",
    "tests",
];

#[test]
fn nothing_else_stands_at_the_top() {
    let entries = fs::read_dir(root()).expect("a directory");
    let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    let known = |name: &str| TOP.contains(&name) || name.starts_with('.');
    none(&names.filter(|name| !known(name)).map(|name| format!("{name}:1: a stray file")).collect::<Vec<_>>());
}

#[test]
fn every_link_leads_somewhere() {
    let (mut violations, mut looked_at) = (Vec::new(), 0);
    for (path, text) in documents() {
        for (number, line) in (1..).zip(text.lines()) {
            for target in line.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target) {
                looked_at += 1;
                violations.extend(wrong_link(&path, &text, target).map(|wrong| format!("{path}:{number}: {wrong}")));
            }
        }
    }
    assert!(looked_at > 50, "the links are found: {looked_at}");
    none(&violations);
}

/// What is wrong with a link, if anything.
fn wrong_link(path: &str, text: &str, target: &str) -> Option<String> {
    if target.contains("://") {
        return None;
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let other = Path::new(path).parent().unwrap_or(Path::new("")).join(file);
    let linked = match file {
        "" => text.to_owned(),
        _ => match fs::read_to_string(root().join(&other)) {
            Ok(linked) => linked,
            Err(error) => return Some(format!("the link to {target}: {error}")),
        },
    };
    let headings = linked.lines().filter(|line| line.starts_with('#')).map(anchor_of).collect::<BTreeSet<_>>();
    (!anchor.is_empty() && !headings.contains(anchor)).then(|| format!("{target}: no such heading"))
}

/// The anchor that a heading gets.
fn anchor_of(heading: &str) -> String {
    let words = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = words.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn every_path_in_a_document_exists() {
    let sources: Vec<String> = source::all().iter().map(|source| format!("/{}", source.path)).collect();
    let (mut violations, mut looked_at) = (Vec::new(), 0);
    for (path, text) in documents().into_iter().filter(|(path, _)| path != "CHANGELOG.md") {
        for (number, span) in spans(&text) {
            for word in span.split_whitespace().filter(|word| !word.contains(['*', '…', '<']) && !word.contains("NAME"))
            {
                let word = word.trim_end_matches(['/', ',', '.', ':']);
                let exists = if FOLDERS.iter().any(|folder| word.starts_with(folder)) {
                    root().join(word).exists()
                } else if word.ends_with(".rs") {
                    sources.iter().any(|source| source.ends_with(&format!("/{word}")))
                } else {
                    continue;
                };
                looked_at += 1;
                if !exists {
                    violations.push(format!("{path}:{number}: there is no {word}"));
                }
            }
        }
    }
    assert!(looked_at > 200, "the paths are found: {looked_at}");
    none(&violations);
}

#[test]
fn every_cited_rule_and_section_exists() {
    let rules = headings("docs/rules.md", "## R");
    let sections = sections();
    assert!(rules.len() > 20 && sections.len() > 25, "the headings are read");
    let mut violations = Vec::new();
    let sources = source::all().iter().map(|source| (source.path.clone(), source.text.clone()));
    for (path, text) in sources.chain(documents()).filter(|(path, _)| path != OWN) {
        for (number, line) in (1..).zip(text.lines()) {
            for rule in numbers(line, "R").into_iter().filter(|rule| !rules.contains(rule)) {
                violations.push(format!("{path}:{number}: docs/rules.md has no R{rule}"));
            }
            // Nothing else has sections with such a mark.
            for section in numbers(line, "§").into_iter().filter(|section| !sections.contains(section)) {
                violations.push(format!("{path}:{number}: docs/kick.md has no §{section}"));
            }
            violations.extend(wrong_citation(line).map(|wrong| format!("{path}:{number}: {wrong}")));
        }
    }
    none(&violations);
}

#[test]
fn nothing_is_cited_that_is_not_here() {
    let sources = source::all().iter().map(|source| (source.path.clone(), source.text.clone()));
    let others = OTHERS.map(|path| (path.to_owned(), read(path)));
    let texts = sources.chain(documents()).chain(others);
    let mut violations = Vec::new();
    for (path, text) in texts.filter(|(path, _)| path != OWN) {
        for (number, line) in (1..).zip(text.lines()) {
            let cited = ELSEWHERE.iter().filter(|word| source::has_word(line, word));
            let cited = cited.filter(|word| !(path.starts_with("docs/") && **word == "KDD"));
            violations.extend(cited.map(|word| format!("{path}:{number}: cites {word}")));
        }
    }
    none(&violations);
}

/// What is wrong with a citation such as `docs/rules.md, "Times"`, if a line has one.
fn wrong_citation(line: &str) -> Option<String> {
    line.match_indices("docs/").find_map(|(at, _)| {
        let (name, behind) = line[at..].split_once(".md")?;
        let file = format!("{name}.md");
        if name.contains(|c: char| !c.is_ascii_alphanumeric() && !"/-_".contains(c)) {
            return None;
        }
        let Ok(text) = fs::read_to_string(root().join(&file)) else { return Some(format!("there is no {file}")) };
        let heading = behind.strip_prefix(", \"").and_then(|rest| rest.split('"').next())?;
        let exists = text.lines().any(|line| line.starts_with('#') && line.trim_start_matches('#').trim() == heading);
        (!exists).then(|| format!("{file} has no heading {heading}"))
    })
}

/// The numbers of the sections of docs/kick.md, and of the points of its list in §9.
fn sections() -> BTreeSet<String> {
    let text = read("docs/kick.md");
    let mut sections: BTreeSet<String> = headings("docs/kick.md", "# ");
    sections.extend(headings("docs/kick.md", "## "));
    let list = text.split("\n# 9. ").nth(1).and_then(|rest| rest.split("\n# ").next()).unwrap_or_default();
    let points = list.lines().filter_map(|line| line.split_once(". ")).map(|(number, _)| number);
    sections.extend(points.filter(|number| number.parse::<u8>().is_ok()).map(|number| format!("9.{number}")));
    sections
}

/// The numbers with which the headings of a level begin.
fn headings(path: &str, level: &str) -> BTreeSet<String> {
    let text = read(path);
    let headings = text.lines().filter_map(|line| line.strip_prefix(level));
    let numbers = headings.filter_map(|heading| heading.split([' ', ':']).next());
    let numbers = numbers.map(|number| number.trim_end_matches('.'));
    numbers.filter(|number| number.starts_with(|c: char| c.is_ascii_digit())).map(str::to_owned).collect()
}

/// The numbers behind a mark that is no part of a longer word.
fn numbers(line: &str, mark: &str) -> Vec<String> {
    let mut numbers = Vec::new();
    for (at, _) in line.match_indices(mark) {
        let rest = &line[at + mark.len()..];
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number = rest[..end].trim_end_matches('.');
        let apart = !line[..at].ends_with(|c: char| c.is_alphanumeric() || "_\\\"'".contains(c))
            && !rest[end..].starts_with(|c: char| c.is_alphanumeric() || c == '_');
        if apart && !number.is_empty() {
            numbers.push(number.to_owned());
        }
    }
    numbers
}

#[test]
fn every_rule_names_its_code_and_all_of_its_tests() {
    let text = read("docs/rules.md");
    let mut violations = Vec::new();
    for section in text.split("\n## R").skip(1) {
        let section = section.split("\n# ").next().unwrap_or_default();
        let rule = section.split('.').next().unwrap_or_default();
        let Some((_, tests)) = section.split_once("**Tests.**").filter(|_| section.contains("**Code.**")) else {
            violations.push(format!("docs/rules.md:1: R{rule} has no Code or no Tests"));
            continue;
        };
        let (_, code) = section.split_once("**Code.**").unwrap_or_default();
        violations.extend(absent_functions(code).map(|absent| format!("docs/rules.md:1: R{rule}: {absent}")));
        let name = format!("fn r{rule}_");
        for source in source::all().iter().filter(|source| source.code.contains(&name)) {
            if !tests.contains(&format!("`{}`", source.path)) {
                violations
                    .push(format!("docs/rules.md:1: R{rule} does not name {}, which has tests of it", source.path));
            }
        }
    }
    none(&violations);
}

/// The functions that `` `PATH` (`name`, `name`) `` names and that file does not have.
fn absent_functions(text: &str) -> impl Iterator<Item = String> + '_ {
    let named = text.split(".rs` (`").collect::<Vec<_>>();
    let pairs: Vec<(&str, &str)> = named.windows(2).map(|pair| (pair[0], pair[1])).collect();
    pairs.into_iter().flat_map(|(before, behind)| {
        let path = format!("{}.rs", before.rsplit('`').next().unwrap_or_default());
        let names = behind.split(')').next().unwrap_or_default().split('`').step_by(2);
        let names = names.filter_map(|name| name.rsplit(':').next()).filter(|name| !name.is_empty());
        let source = source::all().iter().find(|source| source.path == path);
        let has = move |name: &str| source.is_some_and(|it| source::has_word(&it.code, name));
        names.filter(move |name| !has(name)).map(move |name| format!("{path} has no {name}")).collect::<Vec<_>>()
    })
}

#[test]
fn every_dependency_is_argued_for() {
    let (manifest, text) = (read("Cargo.toml"), read("docs/dependencies.md"));
    let of = |section: &str| -> BTreeSet<String> {
        let section = manifest.split("\n[").find_map(|part| part.strip_prefix(&format!("{section}]\n")));
        let names = section.expect("Cargo.toml has the section").lines().filter_map(|line| line.split_once('='));
        names.map(|(name, _)| name.trim().trim_end_matches(".workspace").to_owned()).collect()
    };
    let mut tables = text.split("\n|---").map(|part| {
        let rows = part.lines().skip(1).take_while(|line| line.starts_with("| "));
        rows.filter_map(|row| row.strip_prefix("| ")?.split(' ').next().map(str::to_owned)).collect::<BTreeSet<_>>()
    });
    tables.next();
    assert_eq!(tables.next(), Some(of("dependencies")), "docs/dependencies.md:1: the first table");
    assert_eq!(tables.next(), Some(of("dev-dependencies")), "docs/dependencies.md:1: the second table");
}

#[test]
fn the_words_of_the_transcripts_are_listed() {
    let text = read("tests/README.md");
    let table = text.split("\n| Command | What happens |").nth(1).expect("the table is there");
    let rows: Vec<&str> = table.lines().skip(2).take_while(|line| line.starts_with("| ")).collect();
    let first = |span: &str| span.split([' ', '[']).next().unwrap_or_default().to_owned();
    let cells = rows.iter().filter_map(|row| row.strip_prefix("| ")?.split(" | ").next());
    let listed: BTreeSet<String> = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2).map(first)).collect();
    let script = read("src/monitor/tests/script.rs");
    let words = read("src/monitor/tests/script/words.rs");
    let commands = script.split("fn command(").nth(1).and_then(|rest| rest.split("\n    }\n").next());
    let mut known = arms(commands.expect("script.rs has its commands"));
    let outcomes = words.split("fn result(").nth(1).and_then(|rest| rest.split("\n}\n").next());
    known.extend(arms(outcomes.expect("words.rs has its outcomes")));
    assert!(known.len() > 40, "the commands are read: {known:?}");
    assert_eq!(listed, known, "tests/README.md:1: the commands of the transcripts");
    // What a link may tell, and which settings there are.
    let links = words.split("fn link_event(").nth(1).and_then(|rest| rest.split("\n}\n").next()).unwrap_or_default();
    let settings = script.split("fn set(").nth(1).and_then(|rest| rest.split("\n    }\n").next()).unwrap_or_default();
    let missing = arms(links).into_iter().chain(arms(settings)).filter(|word| !table.contains(&format!("`{word}`")));
    none(&missing.map(|word| format!("tests/README.md:1: {word} is missing")).collect::<Vec<_>>());
}

/// The words between quotes that the arms of a `match` begin with; those of a `match` inside it are not meant.
fn arms(text: &str) -> BTreeSet<String> {
    let patterns = text.lines().filter_map(|line| line.split_once(" =>")).map(|(pattern, _)| pattern);
    let patterns: Vec<&str> = patterns.filter(|it| it.trim_start().starts_with('"') && it.ends_with('"')).collect();
    let indent = |pattern: &str| pattern.len() - pattern.trim_start().len();
    let outer = patterns.iter().map(|pattern| indent(pattern)).min();
    let patterns = patterns.into_iter().filter(|pattern| Some(indent(pattern)) == outer);
    patterns.flat_map(|pattern| pattern.split('"').skip(1).step_by(2).map(str::to_owned)).collect()
}

#[test]
fn what_must_stay_short_is_short() {
    let long = SHORT.into_iter().filter(|(path, most)| read(path).lines().count() > *most);
    none(&long.map(|(path, most)| format!("{path}:{most}: goes on")).collect::<Vec<_>>());
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn citations_are_found() {
    assert_eq!(numbers("(R7; docs/kick.md §3.3, §3.4) CR8 R9x \\R1", "R"), ["7"]);
    assert_eq!(numbers("docs/kick.md §4 to §6. §9.25, §5.", "§"), ["4", "6", "9.25", "5"]);
    assert_eq!(wrong_citation("(R7; docs/rules.md, \"Times\")"), None);
    assert!(wrong_citation("docs/rules.md, \"Tides\"").is_some() && wrong_citation("docs/rule.md").is_some());
    assert_eq!(anchor_of("## Is all well? – `x_y`"), "is-all-well--x_y");
}
