//! A dotenv file as entries with line numbers. dotenvy reads every value; this file finds where each
//! entry begins and ends, and refuses what dotenvy would silently misread: a `$`, a trailing backslash, a
//! quote that swallows the lines after it.
//!
//! Each entry is given to dotenvy alone, without its comment, so that an apostrophe in a comment or a
//! mistake in one line cannot spoil the next. No message contains a value.

use super::keys;

/// One entry of the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The line that it begins on, counted from 1.
    pub(super) line: usize,
    /// The key; empty when the line has none.
    pub(super) key: String,
    /// The value, or what is wrong with the entry.
    pub(super) value: Result<String, String>,
}

/// All entries of a file, without comments and empty lines; a byte-order mark is ignored.
pub(super) fn entries(bytes: &[u8]) -> Vec<Entry> {
    let text = String::from_utf8_lossy(bytes);
    // In text that had to be repaired, the replacement character stands for what was not UTF-8.
    // Comments may hold such bytes, entries may not.
    let repaired = std::str::from_utf8(bytes).is_err();
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut line = 1;
    let mut entries = Vec::new();
    while !rest.is_empty() {
        let mut extent = line_end(rest);
        let start = rest[..extent].trim_start();
        if !start.is_empty() && !start.starts_with('#') {
            let (mut entry, len) = entry(rest, line);
            if repaired && rest[..len].contains(char::REPLACEMENT_CHARACTER) {
                entry.value = Err(NOT_UTF8.to_owned());
            }
            entries.push(entry);
            extent = len + line_end(&rest[len..]);
        }
        // The line feed itself, except at the end of a file without one.
        extent = (extent + 1).min(rest.len());
        line += rest[..extent].matches('\n').count();
        rest = &rest[extent..];
    }
    entries
}

/// Reads the entry at the start of `text`. Gives it with its length, without a comment after it.
fn entry(text: &str, line: usize) -> (Entry, usize) {
    let first = &text[..line_end(text)];
    let Some((key, start)) = split_key(first) else {
        // The word may be part of a secret; it is repeated only if it is a key.
        let key = keys::find(word(first.trim_start())).map_or("", |key| key.name).to_owned();
        return (Entry { line, key, value: Err("is not of the form KEY=value".to_owned()) }, first.len());
    };
    let scan = scan_value(&text[start..]);
    let value = match scan.fault {
        Some(fault) => Err(fault),
        None => read_value(key, &text[start..start + scan.len]),
    };
    (Entry { line, key: key.to_owned(), value }, start + scan.len)
}

/// The value as dotenvy reads it.
fn read_value(key: &str, value: &str) -> Result<String, String> {
    let text = format!("{key}={value}\n");
    match dotenvy::from_read_iter(text.as_bytes()).next() {
        Some(Ok((_, value))) => Ok(value),
        // dotenvy's own message would print the line.
        Some(Err(_)) | None => Err("cannot be read; expected the value in single quotes".to_owned()),
    }
}

/// The key of a line, and where the text after its `=` begins.
fn split_key(line: &str) -> Option<(&str, usize)> {
    let mut rest = line.trim_start();
    let mut key = word(rest);
    let mut after = rest[key.len()..].trim_start();
    if key == "export" && !after.starts_with('=') {
        rest = after;
        key = word(rest);
        after = rest[key.len()..].trim_start();
    }
    let value = after.strip_prefix('=')?;
    let proper = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    proper.then_some((key, line.len() - value.len()))
}

/// The characters at the start of `text` that dotenvy allows in a key.
fn word(text: &str) -> &str {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.'));
    &text[..end.unwrap_or(text.len())]
}

/// The extent of a value, and the first thing that is wrong with it.
struct Scan {
    len: usize,
    fault: Option<String>,
}

/// Follows the quotes of a value as dotenvy's parser does, to the end of the value. A quoted value may
/// go on over several lines.
fn scan_value(text: &str) -> Scan {
    let first_line = line_end(text);
    let blank = text.len() - text.trim_start_matches(|c: char| c.is_whitespace() && c != '\n').len();
    if text[blank..].starts_with('#') {
        let fault = (blank == 0).then(|| "begins with #, which starts a comment; expected it in single quotes".into());
        return Scan { len: 0, fault };
    }

    let mut quote: Option<char> = None;
    let mut escaped = false;
    let mut fault: Option<String> = None;
    let mut blame = |text: &str| {
        fault.get_or_insert_with(|| text.to_owned());
    };
    for (at, c) in text.char_indices().skip_while(|(at, _)| *at < blank) {
        let line_left = text[at..at + line_end(&text[at..])].trim();
        match (quote, c) {
            _ if escaped => {
                escaped = false;
                if c == '$' {
                    blame(DOLLAR);
                } else if !matches!(c, '\\' | '\'' | '"' | ' ' | 'n') || (quote.is_none() && line_left.is_empty()) {
                    blame(BACKSLASH);
                }
                if c == '\n' && quote.is_none() {
                    return Scan { len: at, fault };
                }
            }
            (None, '\n') => return Scan { len: at, fault },
            (None, c) if c.is_whitespace() => {
                if !line_left.is_empty() && !line_left.starts_with('#') {
                    blame("has a space outside of quotes; expected the value in single quotes");
                }
                return Scan { len: at, fault };
            }
            (None, '\'' | '"') => quote = Some(c),
            (None | Some('"'), '\\') => escaped = true,
            (None | Some('"'), '$') => blame(DOLLAR),
            (Some(open), c) if open == c => {
                // One half of dotenvy takes the backslash for an escape here, the other does not.
                if c == '\'' && text[..at].bytes().rev().take_while(|b| *b == b'\\').count() % 2 == 1 {
                    blame("has a backslash before the closing quote; expected it doubled and after the quote: '…'\\\\");
                }
                quote = None;
            }
            (Some(_), '\n') if begins_anew(&text[at + 1..]) => break,
            _ => {}
        }
    }
    if quote.is_some() {
        // What follows on further lines is read as entries of its own, so that their mistakes are told too.
        let fault =
            "has a quote that is not closed; a quote that belongs to the value is written \\' outside of quotes";
        return Scan { len: first_line, fault: Some(fault.to_owned()) };
    }
    if escaped {
        blame(BACKSLASH);
    }
    Scan { len: text.len(), fault }
}

pub(super) const NOT_UTF8: &str = "is not UTF-8 text; expected it in UTF-8";
const DOLLAR: &str = "has a $ that begins a variable outside of single quotes; expected KEY='VALUE'";
const BACKSLASH: &str = "has a backslash that escapes nothing; expected the value in single quotes";

/// Whether the next line can only be a comment or another key, and not part of a quoted value.
fn begins_anew(text: &str) -> bool {
    let line = &text[..line_end(text)];
    let key = split_key(line).and_then(|(key, _)| keys::find(key));
    line.trim_start().starts_with('#') || key.is_some()
}

/// Where the first line of `text` ends, without its line feed.
fn line_end(text: &str) -> usize {
    text.find('\n').unwrap_or(text.len())
}
