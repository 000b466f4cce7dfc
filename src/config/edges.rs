//! What a value begins or ends with by mistake: quotes that Docker's `--env-file` keeps, a line break
//! that a secrets manager adds, a byte-order mark that an editor adds. If accepted, each becomes part of a
//! password or a status, which is then wrong.
//!
//! The same rule holds for every key, in the file, in the environment and in a `_FILE`.

use super::keys::Key;

/// The pairs of quotes that people, shells and word processors put around values.
const QUOTES: [(char, char); 5] = [('"', '"'), ('\'', '\''), ('`', '`'), ('“', '”'), ('‘', '’')];

/// Checks that the first and the last character of a value belong to it. The error completes the sentence
/// "the value …".
pub(super) fn check(key: &Key, value: &str) -> Result<(), String> {
    for (edge, verb) in [(value.chars().next(), "begins"), (value.chars().next_back(), "ends")] {
        if let Some(what) = edge.and_then(stranger) {
            return Err(format!("{verb} with {what}; expected it without"));
        }
    }
    let quoted = |(open, close)| value.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
    let inner = QUOTES.into_iter().find_map(|pair| Some((pair.0, quoted(pair)?)));
    if inner.is_some_and(|(quote, inner)| !may_be_sql(key, quote, inner)) {
        return Err("is wrapped in quotes, which would be part of the value; expected it without them".to_owned());
    }
    Ok(())
}

/// The name of a character that no value may begin or end with.
fn stranger(c: char) -> Option<&'static str> {
    match c {
        '\u{feff}' => Some("a byte-order mark"),
        '\n' | '\r' => Some("a line break"),
        c if c.is_whitespace() => Some("a blank"),
        c if c.is_control() => Some("a control character"),
        c if is_invisible(c) => Some("an invisible character"),
        _ => None,
    }
}

/// Whether a character has no width, as a byte-order mark, or changes the direction of writing.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Whether the quotes may be SQL's own: of a table's name, as in `"Live Stuff"."Kick Users"`, or of a condition
/// that begins and ends with quoted things, as in `"Live" = 'yes' OR 'all' = "Kind"`, or is a quoted column.
fn may_be_sql(key: &Key, quote: char, inner: &str) -> bool {
    match key.name {
        "DB_TABLE" => quote == '"',
        "DB_FILTER" if quote == '"' => inner.contains('"') || !inner.contains(['=', '<', '>', '(', '\'']),
        "DB_FILTER" => quote == '\'' && inner.contains('\''),
        _ => false,
    }
}
