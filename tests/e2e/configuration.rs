//! A configuration that cannot be used ends the program with 78, and every mistake is one line that
//! begins `FILE:LINE: KEY: `, on standard error and in the log, without anybody's secret.

use super::scratch::{REQUIRED, Scratch, finish, program, to_a_common_group, with_config};
use lab::Line;
use rustix::process::getuid;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

/// Starts the daemon, which refuses; gives the lines without the file's name.
#[track_caller]
fn refusal_of(command: &mut Command, config: &Path) -> Vec<String> {
    let ended = finish(command);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(78), ""), "{}", ended.stderr);
    for secret in ["hush-hush", "pass-word", "panicked"] {
        assert!(!ended.stderr.contains(secret), "{}", ended.stderr);
    }
    let (events, lines): (Vec<&str>, Vec<&str>) = ended.stderr.lines().partition(|line| line.contains(" event="));
    let events: Vec<Line> = events.into_iter().map(Line::parse).collect();
    // The log says the same, in the same order.
    let parts = |line: &&str| {
        let key = line.split(": ").nth(1).filter(|word| word.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'));
        key.unwrap_or("-").to_owned()
    };
    let logged: Vec<String> = events.iter().map(|line| line.key("key").to_owned()).collect();
    assert_eq!(logged, lines.iter().map(parts).collect::<Vec<_>>());
    for event in &events {
        assert_eq!(event.event, "config_error");
        let file = event.key("file");
        assert!(file.starts_with(&*config.to_string_lossy()) || file == "environment", "{}", event.text);
    }
    let name = config.display().to_string();
    lines.into_iter().map(|line| line.strip_prefix(&name).unwrap_or(line).to_owned()).collect()
}

/// The same for a file with this text behind what is required.
#[track_caller]
fn refusal(text: &str) -> Vec<String> {
    let scratch = Scratch::new();
    let config = scratch.config(format!("{REQUIRED}{text}"));
    refusal_of(&mut with_config("run", &config, &["--foreground"]), &config)
}

/// systemd's convention: `JOURNAL_STREAM` names the device and inode of a standard error that is the
/// journal's. There, the same thing is not to be read twice.
#[test]
fn where_standard_error_is_the_log_each_mistake_is_said_once() {
    let scratch = Scratch::new();
    let config = scratch.config(format!("{REQUIRED}SWEEP_SCS=1\n"));
    let journal = scratch.file("journal", "", 0o600);
    let metadata = fs::metadata(&journal).expect("it is there");
    let ended = with_config("run", &config, &["--foreground"])
        .env("JOURNAL_STREAM", format!("{}:{}", metadata.dev(), metadata.ino()))
        .stderr(fs::File::create(&journal).expect("it can be written"))
        .status()
        .expect("the program can be started");
    assert_eq!(ended.code(), Some(78));
    let said = fs::read_to_string(&journal).expect("it can be read");
    let lines: Vec<&str> = said.lines().collect();
    assert!(matches!(lines[..], [line] if line.starts_with("<3>") && line.contains("key=SWEEP_SCS")), "{said}");
    assert!(said.contains("kick-monitor check"), "it does not say what to do: {said}");
}

/// Each line begins so.
#[track_caller]
fn assert_begin(lines: &[String], starts: &[&str]) {
    assert_eq!(lines.len(), starts.len(), "{lines:#?}");
    for (line, start) in lines.iter().zip(starts) {
        assert!(line.starts_with(start), "{line:?} does not begin with {start:?}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let scratch = Scratch::new();
    let missing = scratch.path("missing.env");
    let lines = refusal_of(&mut with_config("run", &missing, &["--foreground"]), &missing);
    assert_begin(&lines, &[": the file cannot be read: "]);
    let directory = scratch.path("");
    let lines = refusal_of(&mut with_config("run", &directory, &["--foreground"]), &directory);
    assert!(lines.len() == 1 && lines[0].contains("is a directory"), "{lines:?}");

    let config = scratch.file("unreadable", REQUIRED, 0o000);
    let mut command = with_config("run", &config, &["--foreground"]);
    if getuid().is_root() {
        // Nothing is unreadable to root. The program is where only root may look, so it starts as root.
        let arguments = ["--reuid=65534", "--regid=65534", "--clear-groups", "--"];
        let inner = command;
        command = Command::new("setpriv");
        command.args(arguments).arg(reachable_program(&scratch)).args(inner.get_args()).env_clear();
    }
    let lines = refusal_of(&mut command, &config);
    assert_begin(&lines, &[": the file cannot be read: "]);
}

/// The build directory may be closed to other users.
fn reachable_program(scratch: &Scratch) -> std::path::PathBuf {
    let path = scratch.path("kick-monitor");
    // By `cp`, because a program that this process has open for writing cannot be started.
    let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_kick-monitor")).arg(&path).status();
    assert!(copied.is_ok_and(|status| status.success()));
    path
}

#[test]
fn a_file_that_others_can_use_is_refused_with_the_remedy() {
    let scratch = Scratch::new();
    for mode in [0o604, 0o602, 0o644, 0o666] {
        let config = scratch.file("open", REQUIRED, mode);
        let lines = refusal_of(&mut with_config("run", &config, &["--foreground"]), &config);
        assert!(lines.len() == 1 && lines[0].contains("chmod 0640 "), "{lines:?}");
    }
    let config = scratch.file("group", REQUIRED, 0o660);
    to_a_common_group(&config);
    let lines = refusal_of(&mut with_config("run", &config, &["--foreground"]), &config);
    assert!(lines.len() == 1 && lines[0].contains("chmod 0640 "), "{lines:?}");
    // Reading is what the package gives its group.
    let config = scratch.file("package", REQUIRED, 0o640);
    to_a_common_group(&config);
    assert_eq!(finish(&mut with_config("check", &config, &["--offline"])).code, Some(0));
}

#[test]
fn the_file_of_a_secret_is_guarded_like_the_configuration() {
    let scratch = Scratch::new();
    let secret = scratch.file("secret", "hush-hush\n", 0o644);
    let text = format!(
        "KICK_CLIENT_ID=id\nKICK_CLIENT_SECRET_FILE={}\nDATABASE_URL=postgres://u:pass-word@127.0.0.1:1/d\n",
        secret.display()
    );
    let config = scratch.config(text);
    let lines = refusal_of(&mut with_config("run", &config, &["--foreground"]), &config);
    assert_begin(&lines, &[":2: KICK_CLIENT_SECRET_FILE: "]);
    assert!(lines[0].contains("chmod 0640 "), "{lines:?}");
    // What the service manager put there, it guards.
    let mut command = with_config("check", &config, &["--offline"]);
    assert_eq!(finish(command.env("CREDENTIALS_DIRECTORY", scratch.path("").as_os_str())).code, Some(0));
    let secret = scratch.file("secret", "hush-hush\n", 0o600);
    assert_eq!(finish(&mut with_config("check", &config, &["--offline"])).code, Some(0), "{secret:?}");
}

#[test]
fn all_mistakes_are_told_in_one_go() {
    let lines = refusal(
        "DB_TABEL=x\nSWEEP_SECS=0\nPUSHER_APP_KEY=a\nPUSHER_APP_KEY=b\nDB_FILTER=$x\nCHANNEL_NAMES=\"a $b {id}\"\n\
         KICK_API_URL=http://api.example.org/v1\nPUSHER_URL=https://ws.example.org\nno assignment\n",
    );
    assert_begin(
        &lines,
        &[
            ":4: DB_TABEL: is not a key of kick-monitor; did you mean DB_TABLE?",
            ":5: SWEEP_SECS: ",
            ":7: PUSHER_APP_KEY: is given twice",
            ":8: DB_FILTER: has a $ ",
            ":9: CHANNEL_NAMES: has a $ ",
            ":10: KICK_API_URL: ",
            ":11: PUSHER_URL: ",
            ":12: is not of the form KEY=value",
        ],
    );
    assert!(lines[3].contains("single quotes") && lines[4].contains("single quotes"), "{lines:?}");
}

#[test]
fn every_number_has_its_range() {
    let ranges = [
        ("DB_POOL_SIZE", 1, 32),
        ("DB_SHARDS", 1, 1024),
        ("ROSTER_POLL_SECS", 1, 3600),
        ("SWEEP_SECS", 1, 86_400),
        ("PUSH_HOLD_SECS", 0, 3600),
        ("API_BATCH_SIZE", 1, 50),
    ];
    let text = |number: &dyn Fn(i64, i64) -> i64| -> String {
        ranges.iter().map(|(key, least, most)| format!("{key}={}\n", number(*least, *most))).collect()
    };
    for bad in [text(&|least, _| least - 1), text(&|_, most| most + 1)] {
        let lines = refusal(&bad);
        for ((line, (key, least, most)), number) in lines.iter().zip(ranges).zip(4..) {
            assert!(line.starts_with(&format!(":{number}: {key}: ")), "{line}");
            assert!(line.ends_with(&format!("from {least} to {most}")), "{line}");
        }
        assert_eq!(lines.len(), ranges.len(), "{lines:?}");
    }
    let lines =
        refusal("API_REQUESTS_PER_MINUTE=0\nPUSHER_CHANNELS_PER_CONNECTION=0\nHEARTBEAT_SECS=-1\nSWEEP_SECS=1m\n");
    assert_begin(
        &lines,
        &[
            ":4: API_REQUESTS_PER_MINUTE: ",
            ":5: PUSHER_CHANNELS_PER_CONNECTION: ",
            ":6: HEARTBEAT_SECS: ",
            ":7: SWEEP_SECS: ",
        ],
    );
    let scratch = Scratch::new();
    for good in [text(&|least, _| least), text(&|_, most| most)] {
        let config = scratch.config(format!("{REQUIRED}{good}HEARTBEAT_SECS=0\n"));
        let ended = finish(&mut with_config("check", &config, &["--offline"]));
        assert_eq!(ended.code, Some(0), "{}", ended.stdout);
    }
}

#[test]
fn what_is_required_is_asked_for_and_one_form_of_a_secret_is_enough() {
    let scratch = Scratch::new();
    let config = scratch.config("# nothing\n");
    let lines = refusal_of(&mut with_config("run", &config, &["--foreground"]), &config);
    assert_begin(
        &lines,
        &[": KICK_CLIENT_ID: is missing", ": KICK_CLIENT_SECRET: is missing", ": DATABASE_URL: is missing"],
    );
    let secret = scratch.file("secret", "hush-hush\n", 0o600);
    let lines = refusal(&format!("KICK_CLIENT_SECRET_FILE={}\n", secret.display()));
    assert_begin(&lines, &[":4: KICK_CLIENT_SECRET_FILE: is given as well as KICK_CLIENT_SECRET"]);
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    let scratch = Scratch::new();
    let config = scratch.config(format!("\u{feff}{REQUIRED}"));
    assert_eq!(finish(&mut with_config("check", &config, &["--offline"])).code, Some(0));
}

#[test]
fn the_environment_overrides_the_file() {
    let scratch = Scratch::new();
    let config = scratch.config(format!("{REQUIRED}SWEEP_SECS=0\n"));
    let ended = finish(with_config("check", &config, &["--offline"]).env("SWEEP_SECS", "60"));
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
    let config = scratch.config(REQUIRED);
    let mut command = with_config("run", &config, &["--foreground"]);
    let lines = refusal_of(command.env("KICK_CLIENT_SECRET", "").env("SWEEP_SECS", "0").env("SWEEP_SCS", "0"), &config);
    assert_begin(&lines, &["environment: KICK_CLIENT_SECRET: is empty", "environment: SWEEP_SECS: "]);
}

#[test]
fn what_the_path_of_the_file_is_like_does_not_matter() {
    let scratch = Scratch::new();
    let name = std::ffi::OsStr::from_bytes(b"k\xff 'x'.env");
    let path = scratch.path("").join(name);
    std::fs::rename(scratch.file("plain", format!("{REQUIRED}SWEEP_SECS=0\n"), 0o600), &path).expect("renamed");
    let mut command = program(&["run", "--foreground"]);
    let ended = finish(command.arg("--config").arg(&path));
    assert_eq!(ended.code, Some(78));
    assert!(ended.stderr.contains("'x'.env:4: SWEEP_SECS: "), "{}", ended.stderr);
}
