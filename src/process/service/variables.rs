//! Variables as systemd and `/etc/default` write them. Pure.

use std::collections::BTreeMap;
use std::ffi::OsString;

/// The words of a line that `systemctl show` quotes as a shell would.
pub(super) fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            ('\\', open) if open != Some('\'') => word.get_or_insert_default().extend(chars.next()),
            ('"' | '\'', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// `A=b "C=d e"`: the assignments on one line.
pub(super) fn of_words(line: &str) -> BTreeMap<OsString, OsString> {
    words(line).iter().filter_map(|word| pair(word)).collect()
}

/// A file with one assignment a line, and comments.
pub(super) fn of_file(text: &str) -> BTreeMap<OsString, OsString> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';']));
    let joined = lines.map(|line| line.strip_prefix("export ").unwrap_or(line)).filter_map(|line| {
        let (name, value) = line.split_once('=')?;
        pair(&format!("{}={}", name.trim(), words(value).join(" ")))
    });
    joined.collect()
}

fn pair(word: &str) -> Option<(OsString, OsString)> {
    word.split_once('=').map(|(name, value)| (name.into(), value.into()))
}

#[cfg(test)]
mod tests {
    use super::{of_file, of_words, words};

    #[test]
    fn quotes_hold_words_together() {
        assert_eq!(words(r#"a "b c" d\ e 'f"g' "h\"i" """#), ["a", "b c", "d e", "f\"g", "h\"i", ""]);
        let variables = of_words(r#"A=1 "B=x y""#);
        assert_eq!(variables.len(), 2);
        assert_eq!(variables.get(&std::ffi::OsString::from("B")).and_then(|value| value.to_str()), Some("x y"));
    }

    #[test]
    fn a_file_has_comments_and_one_variable_a_line() {
        let variables = of_file("# A=0\n\nA=1\n  export B='two words'\n;C=3\nD=\nnonsense\nE=\"x\"\n");
        let seen: Vec<_> = variables.iter().map(|(name, value)| (name.to_str(), value.to_str())).collect();
        let wanted = [("A", "1"), ("B", "two words"), ("D", ""), ("E", "x")];
        assert_eq!(seen, wanted.map(|(name, value)| (Some(name), Some(value))));
    }
}
