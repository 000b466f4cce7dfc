//! Command lines, and what they mean.

use super::{Command, DEFAULT_CONFIG, GRAMMARS, View, Which, help, parse};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

fn command(line: &str) -> Command {
    parse(line.split_whitespace().map(OsString::from)).unwrap_or_else(|error| panic!("{line:?}: {error}"))
}

/// The first line of the message; the second is always the same.
fn refusal(line: &str) -> String {
    let error = parse(line.split_whitespace().map(OsString::from)).expect_err(line).to_string();
    let (message, hint) = error.split_once('\n').expect("a hint follows");
    assert_eq!(hint, "try 'kick-monitor --help'");
    message.to_owned()
}

#[test]
fn run_takes_its_options_in_any_order_and_form() {
    let default = || DEFAULT_CONFIG.into();
    assert_eq!(command("run"), Command::Run { foreground: false, config: default(), pid_file: None });
    let all = Command::Run { foreground: true, config: "/a".into(), pid_file: Some("/b".into()) };
    assert_eq!(command("run --foreground --config /a --pid-file /b"), all);
    assert_eq!(command("run --pid-file=/b --config=/a --foreground"), all);
}

#[test]
fn the_other_commands_take_what_they_say() {
    let config = || DEFAULT_CONFIG.into();
    for (line, offline, json, names) in [
        ("check", false, false, vec![]),
        ("check --offline --json", true, true, vec![]),
        ("check ana --json -- --odd--", false, true, vec!["ana", "--odd--"]),
    ] {
        let names = names.into_iter().map(str::to_owned).collect();
        assert_eq!(command(line), Command::Check { config: config(), offline, json, names }, "{line}");
    }
    let streamer = |name: &str, json| View::Streamer { name: name.to_owned(), json };
    for (line, view) in [
        ("status", View::Screen),
        ("status --json", View::Json),
        ("status xqc", streamer("xqc", false)),
        ("status --json xqc", streamer("xqc", true)),
        ("status xqc --json", streamer("xqc", true)),
        ("status -- --odd--", streamer("--odd--", false)),
        ("status --prometheus", View::Prometheus),
        ("status --all", View::All(None)),
        ("status --online --all", View::All(Some(Which::Online))),
        ("status --all --offline", View::All(Some(Which::Offline))),
        ("status --all --unknown", View::All(Some(Which::Unknown))),
        ("status --check", View::Check),
        ("status --watch", View::Watch),
    ] {
        assert_eq!(command(line), Command::Status { config: config(), view }, "{line}");
    }
    let schema = |config: &str, sample| Command::Schema { config: config.into(), sample };
    assert_eq!(command("schema"), schema(DEFAULT_CONFIG, false));
    assert_eq!(command("schema --sample --config /x"), schema("/x", true));
    for (line, sql, names) in [
        ("ids", false, vec![]),
        ("ids ana --sql ben", true, vec!["ana", "ben"]),
        ("ids -- --odd-- -x", false, vec!["--odd--", "-x"]),
    ] {
        let names = names.into_iter().map(str::to_owned).collect();
        assert_eq!(command(line), Command::Ids { config: config(), sql, names }, "{line}");
    }
}

#[test]
fn help_and_version_need_nothing() {
    for line in ["--help", "-h", "help", "help help", "--help nonsense"] {
        assert_eq!(command(line), Command::Help(help::MAIN), "{line}");
    }
    for grammar in &GRAMMARS {
        for line in ["help NAME", "NAME --help", "NAME -h"] {
            assert_eq!(command(&line.replace("NAME", grammar.name)), Command::Help(grammar.help), "{line}");
        }
    }
    assert_eq!(command("run --config /broken --help"), Command::Help(help::RUN));
    assert_eq!(command("--version"), Command::Version);
    assert_eq!(command("-V"), Command::Version);
}

#[test]
fn a_wrong_line_is_refused_with_what_may_have_been_meant() {
    for (line, message) in [
        ("", "no command given"),
        ("rnu", "unknown command 'rnu'; did you mean 'run'?"),
        ("help chekc", "unknown command 'chekc'; did you mean 'check'?"),
        ("dance", "unknown command 'dance'"),
        ("--verison", "unknown option '--verison'; did you mean '--version'?"),
        ("-x", "unknown option '-x'"),
        ("run --foregruond", "unknown option for run '--foregruond'; did you mean '--foreground'?"),
        ("run --pidfile /x", "unknown option for run '--pidfile'; did you mean '--pid-file'?"),
        ("check --jsno", "unknown option for check '--jsno'; did you mean '--json'?"),
        ("schema --samples", "unknown option for schema '--samples'; did you mean '--sample'?"),
        ("run -f", "unknown option for run '-f'"),
        ("run xqc", "unexpected argument for run: 'xqc'"),
        ("status a b", "unexpected argument for status: 'b'"),
        ("run --config", "missing argument for option '--config'"),
        ("run --config=", "a file name is empty"),
        ("run --foreground=yes", "unexpected argument for option '--foreground': \"yes\""),
        ("status --json --prometheus", "--prometheus and --json cannot be used together"),
        ("status --watch --check", "--check and --watch cannot be used together"),
        ("status --all --json", "--all and --json cannot be used together"),
        ("status --all --online --offline", "--online and --offline cannot be used together"),
        ("status --unknown", "--unknown selects streamers and is used with --all"),
        ("status --online --check", "--online selects streamers and is used with --all"),
        ("status --prometheus xqc", "--prometheus is about all streamers and cannot be used with a name"),
        ("status --all xqc", "--all is about all streamers and cannot be used with a name"),
        ("status --check xqc", "--check is about all streamers and cannot be used with a name"),
        ("check --offline xqc", "--offline asks Kick nothing and cannot be used with a name"),
    ] {
        assert_eq!(refusal(line), message, "{line:?}");
    }
}

#[test]
fn arguments_need_not_be_text() {
    let strange = || OsString::from_vec(vec![b'x', 0xff]);
    let run = parse(["run".into(), "--config".into(), strange()]);
    assert_eq!(run, Ok(Command::Run { foreground: false, config: strange().into(), pid_file: None }));
    for line in [vec![strange()], vec!["status".into(), strange()], vec!["run".into(), strange()]] {
        assert!(parse(line).is_err());
    }
}

#[test]
fn help_names_every_option_and_command_and_fits_a_terminal() {
    for grammar in &GRAMMARS {
        assert!(help::MAIN.contains(&format!("  {}", grammar.name)), "{}", grammar.name);
        let usage = |text: &str| {
            text.lines().find_map(|l| {
                l.split_once("kick-monitor ").filter(|(_, l)| l.starts_with(grammar.name)).map(|(_, l)| l.to_owned())
            })
        };
        assert_eq!(usage(help::MAIN), usage(grammar.help), "the two usage lines of {}", grammar.name);
        for option in grammar.options {
            let option = format!("--{}", option.replace('=', " FILE"));
            assert!(grammar.help.contains(&format!("\n  {option}")), "{option} of {}", grammar.name);
            assert!(help::MAIN.contains(&option), "{option} of {}", grammar.name);
        }
    }
    for text in [help::MAIN, help::RUN, help::CHECK, help::STATUS, help::IDS, help::SCHEMA] {
        assert!(text.ends_with('\n') && text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }
}
