//! What `check` found, one line a thing, for people and as JSON (CONTRACT §1). Pure; who tried the
//! things says what came of it.

use crate::domain::text::escaped;
use crate::process::exit::Code;
use serde::Serialize;
use std::fmt::Write;
use std::path::Path;

/// What came of trying one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How it went.
    pub verdict: Verdict,
    /// What was tried, and for a failure what is wrong and what helps. No secret.
    pub text: String,
}

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Verdict {
    /// Well.
    #[serde(rename = "ok")]
    Ok,
    /// Badly.
    #[serde(rename = "FAIL")]
    Fail,
}

/// What `check --offline` prints about a configuration file, and its exit code. `problems` are
/// lines `FILE:LINE: KEY: what is wrong`.
pub fn offline(file: &Path, problems: &[String], json: bool) -> (String, Code) {
    let fail = |text: &String| Finding { verdict: Verdict::Fail, text: text.clone() };
    if problems.is_empty() {
        let text = format!("{}: the configuration can be used", file.display());
        (render(&[Finding { verdict: Verdict::Ok, text }], json), Code::Fine)
    } else {
        (render(&problems.iter().map(fail).collect::<Vec<_>>(), json), Code::Config)
    }
}

/// The findings as lines `ok   …`, `FAIL …`, or as one JSON object.
pub fn render(findings: &[Finding], json: bool) -> String {
    if json {
        let ok = findings.iter().all(|finding| finding.verdict != Verdict::Fail);
        return format!("{}\n", serde_json::json!({ "ok": ok, "findings": findings }));
    }
    let mut text = String::new();
    for finding in findings {
        let word = match finding.verdict {
            Verdict::Ok => "ok",
            Verdict::Fail => "FAIL",
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{word:<4} {}", escaped(&finding.text));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::offline;
    use crate::process::exit::Code;
    use expect_test::{Expect, expect};

    fn check(problems: &[&str], json: bool, code: Code, expected: Expect) {
        let problems: Vec<String> = problems.iter().map(|text| (*text).to_owned()).collect();
        let (text, given) = offline("/etc/x.env".as_ref(), &problems, json);
        expected.assert_eq(&text);
        assert_eq!(given, code);
    }

    #[test]
    fn a_file_is_fine_or_every_problem_is_a_line() {
        check(
            &[],
            false,
            Code::Fine,
            expect![[r#"
            ok   /etc/x.env: the configuration can be used
        "#]],
        );
        check(
            &[],
            true,
            Code::Fine,
            expect![[r#"
            {"findings":[{"text":"/etc/x.env: the configuration can be used","verdict":"ok"}],"ok":true}
        "#]],
        );
        let problems =
            ["/etc/x.env:3: SWEEP_SCS: unknown key; did you mean SWEEP_SECS?", "/etc/x.env: A: \"\u{1b}[2J\n"];
        check(
            &problems,
            false,
            Code::Config,
            expect![[r#"
            FAIL /etc/x.env:3: SWEEP_SCS: unknown key; did you mean SWEEP_SECS?
            FAIL /etc/x.env: A: "\u001b[2J\n
        "#]],
        );
        check(
            &problems,
            true,
            Code::Config,
            expect![[r#"
            {"findings":[{"text":"/etc/x.env:3: SWEEP_SCS: unknown key; did you mean SWEEP_SECS?","verdict":"FAIL"},{"text":"/etc/x.env: A: \"\u001b[2J\n","verdict":"FAIL"}],"ok":false}
        "#]],
        );
    }
}
