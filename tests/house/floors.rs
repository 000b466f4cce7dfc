//! A floor uses only floors below it, and floor 1 touches nothing of the outside.

use super::source::{self, Source, has_word};
use super::{holding, none};

/// The floor of each module of the crate.
const FLOORS: [(&str, u8); 12] = [
    ("domain", 0),
    ("clock", 0),
    ("stop", 0),
    ("thread", 0),
    ("backoff", 0),
    ("repeats", 0),
    ("monitor", 1),
    ("wire", 1),
    ("config", 1),
    ("gateway", 2),
    ("worker", 3),
    ("process", 4),
];

/// Floors whose rooms do not know each other either.
const ROOMS: [&str; 2] = ["gateway", "worker"];

/// What may be known all the same, and why.
const EXCEPTIONS: [(&str, &str, &str); 14] = [
    ("gateway/kick", "gateway/http", "how HTTP is spoken is what the two share; it is no party outside"),
    ("gateway/heartbeat", "gateway/http", "how HTTP is spoken is what the two share; it is no party outside"),
    ("gateway/http", "gateway/trust", "whom the platform trusts is what the two share; it is no party outside"),
    ("gateway/socket", "gateway/trust", "whom the platform trusts is what the two share; it is no party outside"),
    ("worker/hub", "worker/link", "the hub's outlets are the links' inboxes"),
    ("worker/coordinator", "worker/hold_cell", "the cell is what the three workers share; it is no worker"),
    ("worker/writer", "worker/hold_cell", "the cell is what the three workers share; it is no worker"),
    ("worker/roster", "worker/hold_cell", "the cell is what the three workers share; it is no worker"),
    ("worker/asker", "worker/token_cell", "the cell is what the two workers share; it is no worker"),
    ("worker/token", "worker/token_cell", "the cell is what the two workers share; it is no worker"),
    ("worker/hub", "worker/webhook_cell", "the cell is what the two workers share; it is no worker"),
    ("worker/webhook", "worker/webhook_cell", "the cell is what the two workers share; it is no worker"),
    ("worker/coordinator", "worker/passing_cell", "the cell is what the two workers share; it is no worker"),
    ("worker/webhook", "worker/passing_cell", "the cell is what the two workers share; it is no worker"),
];

#[test]
fn a_floor_uses_only_floors_below() {
    let mut violations = Vec::new();
    for source in source::program() {
        let Some(home) = home(&source.path) else { continue };
        for (number, path) in paths(source, &home) {
            if let Some(wrong) = wrong(&home, &path) {
                violations.push(format!("{}:{number}: {wrong}", source.path));
            }
        }
    }
    none(&violations);
}

#[test]
fn every_exception_is_needed() {
    for (from, to, _) in EXCEPTIONS {
        let used =
            source::program().filter(|source| room(&home(&source.path).unwrap_or_default()) == from).any(|source| {
                let home = home(&source.path).unwrap_or_default();
                paths(source, &home).iter().any(|(_, path)| room(path) == to)
            });
        assert!(used, "tests/house/floors.rs: {from} no longer uses {to}; take the exception out");
    }
}

#[test]
fn floor_1_touches_nothing_outside() {
    const TIME: [&str; 3] = ["SystemTime", "Instant", "std::env"];
    const THREADS: [&str; 8] =
        ["std::thread", "mpsc", "atomic", "Mutex", "RwLock", "Condvar", "crossbeam_channel", "thread_local"];
    const OUTSIDE: [&str; 8] =
        ["std::fs", "std::io", "std::process", "rustix", "TcpStream", "TcpListener", "UdpSocket", "ToSocketAddrs"];
    let words = [&TIME[..], &THREADS, &OUTSIDE].concat();
    let floor = |source: &&'static Source| {
        ["src/monitor/", "src/wire/", "src/config/"].iter().any(|at| source.path.starts_with(at))
    };
    none(&source::program().filter(floor).flat_map(|source| holding(source, &words)).collect::<Vec<_>>());
}

#[test]
fn the_part_that_decides_cannot_fail() {
    let core = source::program().filter(|source| source.path.starts_with("src/monitor/"));
    none(&core.flat_map(|source| holding(source, &["Result", "panic!", "unreachable!"])).collect::<Vec<_>>());
}

/// What is wrong with using `path` from `home`, if anything.
fn wrong(home: &[String], path: &[String]) -> Option<String> {
    let (from, to) = (home.first()?, path.first()?);
    let Some(below) = floor(to) else { return Some(format!("crate::{to} is on no floor; name it in FLOORS")) };
    let Some(above) = floor(from) else { return Some(format!("{from} is on no floor; name it in FLOORS")) };
    if from == to {
        let (own, other) = (room(home), room(path));
        let is_room = source::program().any(|source| self::home(&source.path).is_some_and(|home| room(&home) == other));
        let apart = ROOMS.contains(&from.as_str()) && home.len() > 1 && is_room && own != other;
        let argued = EXCEPTIONS.iter().any(|(from, to, _)| *from == own && *to == other);
        return (apart && !argued).then(|| format!("{own} knows {other}; on this floor nobody knows another"));
    }
    let tool_with_words = above == 0 && to == "domain" && from != "domain";
    let fine = below < above || tool_with_words;
    (!fine).then(|| format!("{from} (floor {above}) uses {to} (floor {below})"))
}

fn floor(module: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == module).map(|(_, floor)| *floor)
}

fn room(path: &[String]) -> String {
    path.iter().take(2).map(String::as_str).collect::<Vec<_>>().join("/")
}

/// The path of the module that a file is: `src/worker/link/orders.rs` is worker, link, orders.
pub(super) fn home(path: &str) -> Option<Vec<String>> {
    let module = path.strip_prefix("src/")?.strip_suffix(".rs")?;
    let module = module.strip_suffix("/mod").unwrap_or(module);
    (!matches!(module, "lib" | "main")).then(|| module.split('/').map(str::to_owned).collect())
}

/// The paths inside the crate that a file's program names, with the lines that they begin in.
pub(super) fn paths(source: &Source, home: &[String]) -> Vec<(usize, Vec<String>)> {
    let code = source.program();
    let mut paths = Vec::new();
    for (at, _) in code.match_indices("crate::").filter(|(at, _)| !is_inside_a_path(code, *at)) {
        let line = code[..at].lines().count().max(1);
        expand(&[], &code[at + "crate::".len()..], &mut |path| paths.push((line, path)));
    }
    for (at, _) in code.match_indices("super::").filter(|(at, _)| !is_inside_a_path(code, *at)) {
        let line = code[..at].lines().count().max(1);
        let mut rest = &code[at..];
        let mut base = home;
        while let Some(behind) = rest.strip_prefix("super::") {
            rest = behind;
            base = &base[..base.len().saturating_sub(1)];
        }
        if !base.is_empty() {
            expand(base, rest, &mut |path| paths.push((line, path)));
        }
    }
    paths
}

fn is_inside_a_path(code: &str, at: usize) -> bool {
    code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':')
}

/// Gives each path that begins with `prefix` and goes on as `text` does, up to the first two names.
fn expand(prefix: &[String], text: &str, give: &mut dyn FnMut(Vec<String>)) {
    if prefix.len() >= 2 {
        return give(prefix.to_vec());
    }
    if let Some(group) = text.strip_prefix('{') {
        return members(group).into_iter().for_each(|member| expand(prefix, member.trim(), give));
    }
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let mut path = prefix.to_vec();
    if !matches!(name, "" | "self") {
        path.push(name.to_owned());
    }
    match rest.strip_prefix("::") {
        Some(rest) if !name.is_empty() => expand(&path, rest, give),
        _ if path.is_empty() => {}
        _ => give(path),
    }
}

/// What stands between the commas of a group, up to the brace that closes it.
fn members(group: &str) -> Vec<&str> {
    let (mut depth, mut from, mut members) = (0_usize, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                members.push(&group[from..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                members.push(&group[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    members
}

#[test]
fn paths_are_found_in_every_form() {
    let mut found = Vec::new();
    let text = "{domain::{Now, id::Key}, worker::{self, link::Orders}, stop}; let x";
    expand(&[], text, &mut |path| found.push(path.join("::")));
    assert_eq!(found, ["domain::Now", "domain::id", "worker", "worker::link", "stop"]);
    assert!(has_word("use std::fs;", "std::fs"));
}
