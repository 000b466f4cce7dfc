//! A source file as the rules see it: code without comments and strings, program apart from tests.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

/// One `.rs` file.
pub(super) struct Source {
    /// From the root of the checkout, with slashes.
    pub(super) path: String,
    /// As it is.
    pub(super) text: String,
    /// With every comment blanked out, line for line.
    pub(super) spoken: String,
    /// With every comment and the inside of every string blanked out, line for line.
    pub(super) code: String,
    /// Whether all of it is compiled for tests alone.
    pub(super) is_test: bool,
}

impl Source {
    /// The code up to the tests at the end of the file; nothing when all of it is tests.
    pub(super) fn program(&self) -> &str {
        &self.code[..self.program_end()]
    }

    /// The same with its strings.
    pub(super) fn spoken_program(&self) -> &str {
        &self.spoken[..self.program_end()]
    }

    fn program_end(&self) -> usize {
        if self.is_test {
            return 0;
        }
        // Blanking keeps every byte in its place.
        let inline = self.code.match_indices("#[cfg(test)]").find(|(at, _)| {
            let item = &self.code[*at..];
            matches!((item.find("mod "), item.find('{'), item.find(';')), (Some(module), Some(brace), semicolon)
                if module < brace && semicolon.is_none_or(|semicolon| brace < semicolon))
        });
        inline.map_or(self.code.len(), |(at, _)| at)
    }

    fn read(root: &Path, path: &Path) -> Source {
        let text = fs::read_to_string(path).expect("a source file can be read");
        let path = path.strip_prefix(root).expect("it is below the root").to_str().expect("it has a plain name");
        let (spoken, code) = blanked(&text);
        Source { path: path.to_owned(), text, spoken, code, is_test: !path.starts_with("src/") }
    }
}

/// Every `.rs` file below `src` and `tests`, in order.
pub(super) fn all() -> &'static [Source] {
    static ALL: OnceLock<Vec<Source>> = OnceLock::new();
    ALL.get_or_init(read_all)
}

/// Those of the program.
pub(super) fn program() -> impl Iterator<Item = &'static Source> + Clone {
    all().iter().filter(|source| source.path.starts_with("src/"))
}

fn read_all() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    for directory in ["src", "tests"] {
        collect(root, &root.join(directory), &mut sources);
    }
    assert!(sources.len() > 50, "the sources are not where they were");
    let tests: Vec<String> = sources.iter().flat_map(test_modules).collect();
    for source in &mut sources {
        let module = source.path.trim_end_matches(".rs").trim_end_matches("/mod");
        source.is_test |= tests.iter().any(|test| module.strip_prefix(test).is_some_and(below));
    }
    sources
}

/// Whether `text` holds `word` and not as a part of a longer one.
pub(super) fn has_word(text: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let (opens, closes) = (word.starts_with(part), word.ends_with(part));
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].ends_with(part);
        let after = text[at + word.len()..].starts_with(part);
        !(opens && before || closes && after)
    })
}

fn below(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('/')
}

fn collect(root: &Path, directory: &Path, sources: &mut Vec<Source>) {
    let entries = fs::read_dir(directory).expect("a directory can be read");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry can be read").path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(root, &path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push(Source::read(root, &path));
        }
    }
}

/// The modules that `#[cfg(test)] mod NAME;` of this file names, as paths without an ending.
fn test_modules(source: &Source) -> Vec<String> {
    let home = source.path.trim_end_matches(".rs");
    let home = home.strip_suffix("/mod").or(home.strip_suffix("/lib")).unwrap_or(home);
    let modules = source.code.split("#[cfg(test)]").skip(1).filter_map(|item| {
        let (head, _) = item.split_once(';')?;
        let name = head.split_whitespace().last()?;
        (head.contains("mod ") && !head.contains('{')).then(|| format!("{home}/{name}"))
    });
    modules.collect()
}

/// The text without comments, and without the inside of strings too. Bytes keep their places.
fn blanked(text: &str) -> (String, String) {
    let (mut spoken, mut code) = (String::with_capacity(text.len()), String::with_capacity(text.len()));
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (length, shows) = match first {
            '/' if rest.starts_with("//") => (rest.find('\n').unwrap_or(rest.len()), (false, false)),
            '/' if rest.starts_with("/*") => (rest.find("*/").map_or(rest.len(), |end| end + 2), (false, false)),
            '"' => (string(rest), (true, false)),
            'r' if is_raw(rest) && !code.ends_with(|c: char| c.is_alphanumeric() || c == '_')
                || rest.starts_with("br\"") =>
            {
                (raw_string(rest), (true, false))
            }
            '\'' => (character(rest), (true, false)),
            _ => (first.len_utf8(), (true, true)),
        };
        let (piece, behind) = rest.split_at(length);
        show(&mut spoken, piece, shows.0);
        show(&mut code, piece, shows.1);
        rest = behind;
    }
    (spoken, code)
}

fn show(into: &mut String, piece: &str, shows: bool) {
    if shows {
        into.push_str(piece);
    } else {
        into.extend(piece.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
    }
}

/// The length of the string at the start of `text`.
fn string(text: &str) -> usize {
    let mut escaped = false;
    let end = text.bytes().enumerate().skip(1).find(|(_, byte)| {
        let closes = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        closes
    });
    end.map_or(text.len(), |(at, _)| at + 1)
}

fn is_raw(text: &str) -> bool {
    text[1..].trim_start_matches('#').starts_with('"') && text[1..].starts_with(['#', '"'])
}

fn raw_string(text: &str) -> usize {
    let open = text.find('"').unwrap_or(0);
    let hashes = text[..open].matches('#').count();
    let close = format!("\"{}", "#".repeat(hashes));
    text[open + 1..].find(&close).map_or(text.len(), |at| open + 1 + at + close.len())
}

/// The length of the character literal at the start of `text`; 1 when it is a lifetime.
fn character(text: &str) -> usize {
    if text[1..].starts_with('\\') {
        return text[3..].find('\'').map_or(text.len(), |at| at + 4);
    }
    let Some(inside) = text[1..].chars().next() else { return 1 };
    if text[1 + inside.len_utf8()..].starts_with('\'') { inside.len_utf8() + 2 } else { 1 }
}

#[test]
fn comments_and_strings_are_told_from_code() {
    let text = "a // tokio\nb \"tok\\\"io // x\" c r#\"raw \"tokio\"\"# 'x' '\\'' <'life> '\"' d /* e\n */ f";
    let (spoken, code) = blanked(text);
    assert_eq!(code.lines().count(), text.lines().count());
    assert_eq!((code.len(), spoken.len()), (text.len(), text.len()));
    let words: Vec<&str> = code.split_whitespace().collect();
    assert_eq!(words, ["a", "b", "c", "<", "life>", "d", "f"]);
    assert!(spoken.contains("raw \"tokio\"") && !spoken.contains("a // tokio"));
    assert!(has_word("use tokio::x", "tokio") && !has_word("not_tokio", "tokio") && has_word("a.await;", ".await"));
}
