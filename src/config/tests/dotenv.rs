//! The form of the file: what dotenvy reads, with our line numbers, and what it would silently lose.

use super::super::dotenv::entries;
use expect_test::{Expect, expect};

fn check(text: &str, expected: Expect) {
    let lines = entries(text.as_bytes()).into_iter().map(|entry| match entry.value {
        Ok(value) => format!("{}: {} = {value:?}\n", entry.line, entry.key),
        Err(text) => format!("{}: {}: {text}\n", entry.line, entry.key),
    });
    expected.assert_eq(&lines.collect::<String>());
}

#[test]
fn values_are_read_as_dotenv_has_them() {
    check(
        concat!(
            "\u{feff}A=1\r\n",
            "# comment, isn't it\n",
            "\n",
            "  B = 2  # and don't stop\n",
            "export C=3\n",
            "D='a $b \\ # c'  # it's\n",
            "E=\"a b\\n\\\"c\\\"\"\n",
            "F=\n",
            "G= # nothing\n",
            "H=a#b\n",
            "I='it'\\''s'\n",
            "J=a\\ b\t\n",
            "K='p$ss'\\\\\n",
            "L=last",
        ),
        expect![[r#"
            1: A = "1"
            4: B = "2"
            5: C = "3"
            6: D = "a $b \\ # c"
            7: E = "a b\n\"c\""
            8: F = ""
            9: G = ""
            10: H = "a#b"
            11: I = "it's"
            12: J = "a b"
            13: K = "p$ss\\"
            14: L = "last"
        "#]],
    );
}

#[test]
fn quoted_values_go_on_over_lines_and_lines_are_counted_on() {
    check(
        "DB_FILTER='a\n  AND b\n\n  AND c'\r\nX=\"1\n2\" # two\nY=3\nZ=a b\n",
        expect![[r#"
            1: DB_FILTER = "a\n  AND b\n\n  AND c"
            5: X = "1\n2"
            7: Y = "3"
            8: Z: has a space outside of quotes; expected the value in single quotes
        "#]],
    );
}

#[test]
fn what_dotenv_would_lose_in_silence_is_refused() {
    check(
        "A=p$ss\nB=\"p$ss\"\nC=\"p\\$ss\"\nD=${HOME}\nE=tail\\\nF=tail\\ \nG=#abc\nH=a\\b\nI='p\\'\nJ=a\u{a0}b\nK=a\u{a0}#b\n",
        expect![[r#"
            1: A: has a $ that begins a variable outside of single quotes; expected KEY='VALUE'
            2: B: has a $ that begins a variable outside of single quotes; expected KEY='VALUE'
            3: C: has a $ that begins a variable outside of single quotes; expected KEY='VALUE'
            4: D: has a $ that begins a variable outside of single quotes; expected KEY='VALUE'
            5: E: has a backslash that escapes nothing; expected the value in single quotes
            6: F: has a backslash that escapes nothing; expected the value in single quotes
            7: G: begins with #, which starts a comment; expected it in single quotes
            8: H: has a backslash that escapes nothing; expected the value in single quotes
            9: I: has a backslash before the closing quote; expected it doubled and after the quote: '…'\\
            10: J: has a space outside of quotes; expected the value in single quotes
            11: K = "a"
        "#]],
    );
}

#[test]
fn an_open_quote_swallows_no_other_entry() {
    check(
        "KICK_CLIENT_ID='abc\nDATABASE_URL='postgres://x'\nB=\"open\n# don't\nDB_FILTER='never\nclosed\n",
        expect![[r#"
            1: KICK_CLIENT_ID: has a quote that is not closed; a quote that belongs to the value is written \' outside of quotes
            2: DATABASE_URL = "postgres://x"
            3: B: has a quote that is not closed; a quote that belongs to the value is written \' outside of quotes
            5: DB_FILTER: has a quote that is not closed; a quote that belongs to the value is written \' outside of quotes
            6: : is not of the form KEY=value
        "#]],
    );
}

#[test]
fn a_line_that_is_no_entry_is_not_repeated() {
    check(
        "hunter2\nDATABASE_URL: postgres://u:hunter2@db\n=hunter2\n1A=hunter2\nexport\n",
        expect![[r#"
            1: : is not of the form KEY=value
            2: DATABASE_URL: is not of the form KEY=value
            3: : is not of the form KEY=value
            4: : is not of the form KEY=value
            5: : is not of the form KEY=value
        "#]],
    );
}

#[test]
fn bytes_that_are_no_text_are_refused_in_entries_alone() {
    let found = entries(b"# f\xfcr alle\nA=gr\xfcn\nB=\xc3\xbc # \xfc\n");
    assert_eq!(found.len(), 2);
    assert_eq!((found[0].line, found[0].value.clone()), (2, Err("is not UTF-8 text; expected it in UTF-8".to_owned())));
    assert_eq!((found[1].line, found[1].value.clone()), (3, Ok("ü".to_owned())));
}

/// Every text fit for single quotes arrives as it was written: nothing is lost between our reading of
/// the quotes and dotenvy's.
#[test]
fn any_value_in_single_quotes_arrives() {
    let mut rng = fastrand::Rng::with_seed(20_261_123);
    let alphabet = ['a', 'Z', ' ', '$', '\\', '"', '#', '=', '\t', '{', '}', 'é', '\n'];
    for _ in 0..20_000 {
        let value: String = (0..rng.usize(..12)).map(|_| rng.choice(alphabet).unwrap_or(' ')).collect();
        // A line that begins with # ends the quote by our own rule.
        if value.ends_with('\\') || value.lines().skip(1).any(|line| line.trim_start().starts_with('#')) {
            continue;
        }
        let found = entries(format!("A='{value}' # isn't\nB=2").as_bytes());
        assert_eq!(found.len(), 2, "{value:?}");
        assert_eq!(found[0].value.as_ref(), Ok(&value));
        assert_eq!(found[1].value.as_deref(), Ok("2"));
    }
}

#[test]
fn no_bytes_make_the_parser_panic() {
    let mut rng = fastrand::Rng::with_seed(1);
    let words =
        [&b"KICK_CLIENT_ID"[..], b"=", b"'", b"\"", b"\\", b"\n", b"$", b" ", b"#", b"\r", b"\xff", b"\xc3\xbc"];
    let urls = [&b"DATABASE_URL="[..], b"postgres://", b"@", b":", b"/", b"?", b"&", b"=", b"%", b"host", b"[", b"\n"];
    for round in 0..10_000 {
        let alphabet = if round % 2 == 0 { words } else { urls };
        let mut text = Vec::new();
        for _ in 0..rng.usize(..24) {
            if rng.u8(..8) == 0 { text.push(rng.u8(..)) } else { text.extend(alphabet[rng.usize(..alphabet.len())]) }
        }
        assert!(super::from(&text, &[]).is_err(), "the required keys cannot all be there: {text:?}");
    }
}
