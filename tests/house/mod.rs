//! The rules of the house, checked by a machine, by file and line. CONTRIBUTING.md and ARCHITECTURE.md say what
//! they are for. These tests read the repository and run nothing of it;
//! `alerts` tries what it offers to Prometheus with promtool.

pub(crate) mod alerts;
mod commands;
mod dependencies;
mod documents;
mod floors;
mod manual;
mod operator;
mod rooms;
mod source;
mod words;

use source::Source;
use std::fs;
use std::path::Path;

/// Fails with every violation, one a line: `FILE:LINE: what is wrong`.
#[track_caller]
fn none(violations: &[String]) {
    assert!(violations.is_empty(), "the house has rules:\n{}\n", violations.join("\n"));
}

/// Lines of the program's own code (comments and strings left out) that hold one of `words`.
fn holding<'a>(source: &'a Source, words: &'a [&'a str]) -> impl Iterator<Item = String> + 'a {
    let lines = (1..).zip(source.program().lines());
    lines.flat_map(move |(number, line)| {
        let found = words.iter().filter(move |word| source::has_word(line, word));
        found.map(move |word| format!("{}:{number}: {word}", source.path))
    })
}

/// A file of the repository, by its path from the root.
fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
