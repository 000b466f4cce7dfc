//! Makes text from outside (usernames, close reasons, bodies) safe to show: cut to 200 characters, and without
//! characters that could forge a line of the log or control a terminal (kick-monitor(8), LOG).
//!
//! The result of every function here that escapes has no line break.

use std::fmt::{Display, Write};
use std::sync::Arc;

/// The maximum length, in characters before escaping, of a text from outside.
const SHOWN_MAX: usize = 200;
/// The maximum length, in characters, of a name within a sentence.
const BRIEF_MAX: usize = 50;

/// The first 200 characters of `text`, with control characters escaped as in JSON (`\n`, `\u001b`): C0, DEL, C1, the
/// line and paragraph separators, and the characters that change the direction of writing.
pub(crate) fn shown(text: &str) -> String {
    escape(text, SHOWN_MAX, false)
}

/// A name within a sentence: as [`shown`], but cut to 50 characters.
pub(crate) fn brief(name: &str) -> String {
    escape(name, BRIEF_MAX, false)
}

/// As [`shown`], but not cut: for our own text that quotes text from outside.
pub(crate) fn escaped(text: &str) -> String {
    escape(text, usize::MAX, false)
}

/// A name as an SQL identifier, in double quotes.
pub(crate) fn sql_identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// An error of OpenSSL without its number and the place in OpenSSL's source: of `error:0A000086:SSL
/// routines:tls_post_process_server_certificate:certificate verify failed:../ssl/statem/statem_clnt.c:1889:` stays
/// `certificate verify failed`. Anything else stays as it is.
pub(crate) fn tls_reason(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("error:") {
        let fields: Vec<&str> = rest[at..].splitn(7, ':').collect();
        let [_, code, _, _, reason, _, behind] = fields[..] else { break };
        let line = behind.bytes().take_while(u8::is_ascii_digit).count();
        if code.is_empty() || !code.bytes().all(|byte| byte.is_ascii_hexdigit()) || line == 0 {
            break;
        }
        out.push_str(&rest[..at]);
        out.push_str(reason);
        rest = behind[line..].strip_prefix(':').unwrap_or(&behind[line..]);
    }
    out + rest
}

/// A number with its noun: `1 row`, `2 rows`.
pub(crate) fn counted<N: Copy + Display + PartialEq + From<u8>>(count: N, noun: &str) -> String {
    let plural = if count == N::from(1) { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// The first `most` characters of a longer text, with `…` appended. `None` if the text is not longer.
pub(crate) fn cut(text: &str, most: usize) -> Option<String> {
    text.char_indices().nth(most).map(|(end, _)| format!("{}…", &text[..end]))
}

/// The title of a broadcast, from outside: its first 200 characters. `None` if it is empty.
pub(crate) fn title(text: &str) -> Option<Arc<str>> {
    let end = text.char_indices().nth(SHOWN_MAX).map_or(text.len(), |(end, _)| end);
    (end > 0).then(|| text[..end].into())
}

/// `text` as a value in logfmt: as [`shown`], and in double quotes if it is empty or contains a space, a quote, a
/// backslash, `=`, or an escaped character. The quoted part is also a valid JSON string.
pub(crate) fn logfmt_outside(text: &str) -> String {
    logfmt(text, SHOWN_MAX)
}

/// As [`logfmt_outside`], but not cut, as [`escaped`].
pub(crate) fn logfmt_own(text: &str) -> String {
    logfmt(text, usize::MAX)
}

fn logfmt(text: &str, most: usize) -> String {
    let special = |c: char| c.is_whitespace() || matches!(c, '"' | '\\' | '=') || is_control(c);
    if text.is_empty() || text.chars().take(most).any(special) {
        format!("\"{}\"", escape(text, most, true))
    } else {
        text.chars().take(most).collect()
    }
}

fn escape(text: &str, most: usize, quoted: bool) -> String {
    let mut out = String::with_capacity(text.len().min(most));
    for c in text.chars().take(most) {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '"' | '\\' if quoted => out.extend(['\\', c]),
            c if is_control(c) => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// Returns true for characters that control a terminal or the layout instead of being shown: C0, DEL and C1, the line
/// and paragraph separators, the marks, embeddings, overrides and isolates of direction with their deprecated
/// variants, and the interlinear annotation and byte order marks.
fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{206f}')
        || matches!(c, '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

#[cfg(test)]
mod tests {
    use super::{escaped, logfmt_outside, logfmt_own, shown, title, tls_reason};

    #[test]
    fn an_error_of_tls_is_told_without_the_source_of_openssl() {
        let verify = "error:0A000086:SSL routines:tls_post_process_server_certificate:certificate verify \
                      failed:../ssl/statem/statem_clnt.c:1889:";
        for (text, told) in [
            (
                format!("{verify} (unable to get local issuer certificate)"),
                "certificate verify failed (unable to get local issuer certificate)",
            ),
            (
                format!("TLS failed: {verify}, {verify}"),
                "TLS failed: certificate verify failed, certificate verify failed",
            ),
            ("an error: none of those".to_owned(), "an error: none of those"),
            ("error:zz:a:b:c:d:1:".to_owned(), "error:zz:a:b:c:d:1:"),
            ("error:".to_owned(), "error:"),
        ] {
            assert_eq!(tls_reason(&text), told);
        }
    }

    #[test]
    fn ordinary_texts_stay_as_they_are() {
        for text in ["xqc", "naïve", "日本", "a-b_c.d:e/f"] {
            assert_eq!(shown(text), text);
            assert_eq!(logfmt_outside(text), text);
        }
        assert_eq!(shown("two \"words\" = a\\b"), "two \"words\" = a\\b");
    }

    #[test]
    fn values_that_a_reader_of_logfmt_would_split_are_quoted() {
        for (text, value) in [
            ("", r#""""#),
            ("two words", r#""two words""#),
            ("a=b", r#""a=b""#),
            ("say \"hi\"", r#""say \"hi\"""#),
            ("C:\\x", r#""C:\\x""#),
            ("a\u{a0}b", "\"a\u{a0}b\""),
            ("\u{7}", r#""\u0007""#),
        ] {
            assert_eq!(logfmt_outside(text), value, "{text:?}");
        }
    }

    #[test]
    fn nothing_that_steers_gets_through() {
        let steering = ('\0'..='\u{1f}').chain('\u{7f}'..='\u{9f}').chain("\u{61c}\u{200e}\u{200f}".chars());
        for c in steering.chain('\u{2028}'..='\u{202e}').chain('\u{2066}'..='\u{206f}').chain(['\u{feff}']) {
            let text = format!("a{c}b");
            for out in [shown(&text), escaped(&text), logfmt_outside(&text), logfmt_own(&text)] {
                assert!(!out.contains(c) && out.contains('\\'), "{c:?} came out as {out:?}");
            }
        }
    }

    #[test]
    fn only_what_comes_from_outside_is_cut() {
        let long = "é".repeat(300);
        assert_eq!(shown(&long), "é".repeat(200));
        assert_eq!(logfmt_outside(&long), "é".repeat(200));
        assert_eq!(title(&long).as_deref(), Some("é".repeat(200).as_str()));
        assert_eq!(title(""), None);
        assert_eq!(escaped(&long), long);
        assert_eq!(logfmt_own(&long), long);
    }
}
