//! The rules of the house, told by a machine, by file and line. What each rule is for stands in
//! ARCHITECTURE.md. These tests read the sources and nothing else.

mod dependencies;
mod floors;
mod manual;
mod operator;
mod rooms;
mod source;
mod words;

use source::Source;

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
