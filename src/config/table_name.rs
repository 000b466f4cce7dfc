//! A table's name as SQL has it: unquoted parts fold to lower case, quoted parts stay as they are.

use crate::domain::text::sql_identifier;

/// Reads `TABLE` or `SCHEMA.TABLE` and gives it back with every part quoted, fit for a statement.
/// The error completes the sentence "`DB_TABLE`'s value …".
pub(super) fn quoted(text: &str) -> Result<String, String> {
    let mut parts = Vec::new();
    let mut rest = text.trim();
    loop {
        let (part, after) = part(rest)?;
        parts.push(sql_identifier(&part));
        let after = after.trim_start();
        match after.strip_prefix('.') {
            Some(next) => rest = next.trim_start(),
            None if after.is_empty() => break,
            None => return Err("has more after the table's name; expected TABLE or SCHEMA.TABLE".to_owned()),
        }
    }
    if parts.len() > 2 {
        return Err("has more than two parts; expected TABLE or SCHEMA.TABLE".to_owned());
    }
    Ok(parts.join("."))
}

/// The first part, as PostgreSQL would store it, and the text after it.
fn part(text: &str) -> Result<(String, &str), String> {
    let Some(mut rest) = text.strip_prefix('"') else {
        return bare_part(text);
    };
    let mut name = String::new();
    while let Some(end) = rest.find('"') {
        name.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(after) => {
                name.push('"');
                rest = after;
            }
            None if name.is_empty() => return Err("has an empty name in double quotes".to_owned()),
            None => return Ok((name, rest)),
        }
    }
    Err("has a double quote that is not closed".to_owned())
}

fn bare_part(text: &str) -> Result<(String, &str), String> {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_' || !c.is_ascii();
    let end = text.find(|c: char| !(letter(c) || c.is_ascii_digit() || c == '$')).unwrap_or(text.len());
    if !text.starts_with(letter) {
        return Err("has a part that is not a name; expected double quotes around a name like this".to_owned());
    }
    Ok((text[..end].to_ascii_lowercase(), &text[end..]))
}
