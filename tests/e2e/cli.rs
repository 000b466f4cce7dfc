//! The command line: help needs nothing, and the exit codes are those that scripts rely on.

use super::scratch::{REQUIRED, Scratch, finish, program, with_config};
use serde_json::Value;

#[test]
fn help_and_version_need_no_configuration() {
    let help: [&[&str]; 7] = [
        &["--help"],
        &["-h"],
        &["help"],
        &["help", "run"],
        &["run", "--help"],
        &["check", "--config", "/nowhere", "--help"],
        &["status", "--help"],
    ];
    for arguments in help {
        let ended = finish(&mut program(arguments));
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{arguments:?}");
        assert!(ended.stdout.contains("kick-monitor"), "{arguments:?}");
    }
    // Not even an environment that would be refused.
    let ended = finish(program(&["--version"]).env("SWEEP_SECS", "never"));
    let version = concat!("kick-monitor ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), version));
}

#[test]
fn a_wrong_command_line_ends_with_2_and_says_why() {
    let wrong: [(&[&str], &str); 10] = [
        (&[], "no command"),
        (&["rum"], "run"),
        (&["run", "--foregruond"], "--foreground"),
        (&["run", "--config"], "--config"),
        (&["run", "now"], "now"),
        (&["status", "--json", "--prometheus"], "--prometheus"),
        (&["status", "--online"], "--all"),
        (&["status", "--check", "ana"], "--check"),
        (&["check", "--offline", "ana"], "--offline"),
        (&["--verbose"], "--verbose"),
    ];
    for (arguments, why) in wrong {
        let ended = finish(&mut program(arguments));
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(ended.stderr.contains(why) && !ended.stderr.contains("panicked"), "{}", ended.stderr);
    }
}

#[test]
fn check_offline_judges_the_file_alone() {
    let scratch = Scratch::new();
    let good = scratch.config(REQUIRED);
    let ended = finish(&mut with_config("check", &good, &["--offline"]));
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    assert!(ended.stdout.lines().all(|line| line.starts_with("ok ")), "{}", ended.stdout);
    let ended = finish(&mut with_config("check", &good, &["--offline", "--json"]));
    let said: Value = serde_json::from_str(&ended.stdout).expect("it is JSON");
    assert_eq!((ended.code, &said["ok"]), (Some(0), &Value::Bool(true)));

    let bad = scratch.file("bad", format!("{REQUIRED}SWEEP_SECS=0\nDB_TABEL=x\n"), 0o600);
    let ended = finish(&mut with_config("check", &bad, &["--offline"]));
    assert_eq!(ended.code, Some(78));
    let start = format!("FAIL {}:", bad.display());
    let lines: Vec<&str> = ended.stdout.lines().map(|line| line.strip_prefix(&start).unwrap_or(line)).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with("4: SWEEP_SECS: ") && lines[1].starts_with("5: DB_TABEL: "), "{lines:?}");
    let ended = finish(&mut with_config("check", &bad, &["--json", "--offline"]));
    let said: Value = serde_json::from_str(&ended.stdout).expect("it is JSON");
    assert_eq!((ended.code, &said["ok"]), (Some(78), &Value::Bool(false)));
    let verdicts: Vec<&Value> = said["findings"].as_array().into_iter().flatten().map(|f| &f["verdict"]).collect();
    assert_eq!(verdicts, ["FAIL", "FAIL"]);
}
