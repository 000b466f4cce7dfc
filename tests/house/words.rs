//! Rules that a look at each file can tell: how it opens, how long it is, what it must not hold.

use super::source::{self, Source};
use super::{holding, none};

/// The most lines of a file.
const LINES_MAX: usize = 400;

/// Longer ones, and the one honest reason of each.
const LONGER: [(&str, &str); 0] = [];

#[test]
fn every_file_says_what_it_is_for() {
    let silent = source::all().iter().filter(|source| !source.text.starts_with("//! "));
    none(&silent.map(|source| format!("{}:1: opens without //!", source.path)).collect::<Vec<_>>());
}

#[test]
fn files_are_short() {
    let mut violations = Vec::new();
    for source in source::all() {
        let lines = source.text.lines().count();
        let argued = LONGER.iter().any(|(path, _)| *path == source.path);
        if lines > LINES_MAX && !argued {
            violations.push(format!("{}:{LINES_MAX}: goes on to line {lines}", source.path));
        } else if lines <= LINES_MAX && argued {
            violations.push(format!("{}:{lines}: is short again; take it out of LONGER", source.path));
        }
    }
    none(&violations);
}

#[test]
fn nothing_is_asynchronous() {
    let words = ["async", ".await", "tokio", "futures"];
    none(&source::program().flat_map(|source| everywhere(source, &words)).collect::<Vec<_>>());
}

#[test]
fn rust_1_85_has_no_let_chains() {
    none(&source::all().iter().flat_map(let_chains).collect::<Vec<_>>());
}

#[test]
fn nothing_is_left_undone_or_silenced() {
    let words = ["#[allow", "#![allow", "#[ignore", "#[should_panic", "todo!", "unimplemented!", "dbg!"];
    none(&source::all().iter().flat_map(|source| everywhere(source, &words)).collect::<Vec<_>>());
}

#[test]
fn the_program_unwraps_nothing() {
    none(&source::program().flat_map(|source| holding(source, &[".unwrap()"])).collect::<Vec<_>>());
}

#[test]
fn one_place_speaks_pusher() {
    let mut violations = Vec::new();
    for source in source::program().filter(|source| !source.path.starts_with("src/wire/pusher")) {
        for (number, line) in (1..).zip(source.spoken_program().lines()) {
            if line.contains("\"pusher:") || line.contains("pusher_internal") {
                violations.push(format!("{}:{number}: speaks Pusher's protocol", source.path));
            }
        }
    }
    none(&violations);
}

/// As [`holding`], in the tests of a file too.
fn everywhere<'a>(source: &'a Source, words: &'a [&'a str]) -> impl Iterator<Item = String> + 'a {
    let lines = (1..).zip(source.code.lines());
    lines.flat_map(move |(number, line)| {
        let found = words.iter().filter(move |word| source::has_word(line, word));
        found.map(move |word| format!("{}:{number}: {word}", source.path))
    })
}

/// An `if let` or `while let` with an `&&` before its block, or an `&& let`.
fn let_chains(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    for keyword in ["if let ", "while let ", "&& let "] {
        for (at, _) in source.code.match_indices(keyword) {
            if keyword == "&& let " || has_top_level_and(&source.code[at..]) {
                let line = source.code[..at].lines().count().max(1);
                found.push(format!("{}:{line}: a let-chain", source.path));
            }
        }
    }
    found
}

fn has_top_level_and(text: &str) -> bool {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            '{' if depth == 0 => return text[..at].trim_end().ends_with("=>"),
            ';' if depth == 0 => return false,
            '&' if depth == 0 && text[at..].starts_with("&& ") => return true,
            _ => {}
        }
    }
    false
}

#[test]
fn let_chains_are_told_from_other_conditions() {
    assert!(has_top_level_and("if let Some(x) = a && x > 1 {"));
    assert!(!has_top_level_and("if let Some(x) = a.filter(|x| p && q) { b && c }"));
    assert!(!has_top_level_and("while let Some(&&x) = a {"));
}
