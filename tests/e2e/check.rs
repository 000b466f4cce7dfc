//! `kick-monitor check` online: a good set-up is all `ok`, and each of fifteen wrong ones is named, with
//! what helps and the right exit code.

use super::scratch::{Ended, Scratch, finish, with_config};
use super::stage::Stage;
use kick_sim::{Certificate, Face, Fault, Kick, Offer};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;

/// A set-up that is right, but for what a test changes.
pub(super) struct SetUp {
    pub(super) stage: Stage,
    scratch: Scratch,
}

impl SetUp {
    pub(super) fn new() -> SetUp {
        SetUp { stage: Stage::with(&["ana", "ben"]), scratch: Scratch::new() }
    }

    fn text(&self, changes: &[(&str, &str)]) -> String {
        let path = |name: &str| self.scratch.path(name).display().to_string();
        let mut settings = self.stage.kick.settings();
        settings.extend([
            ("DATABASE_URL", self.stage.database.url()),
            ("STATE_DIR", path("state")),
            ("RUN_DIR", path("run")),
            ("LOG_TARGET", "stderr".to_owned()),
        ]);
        let kept = settings.iter().filter(|(key, _)| changes.iter().all(|(changed, _)| changed != key));
        let all = kept.map(|(key, value)| (*key, value.as_str())).chain(changes.iter().copied());
        all.map(|(key, value)| format!("{key}='{value}'\n")).collect()
    }

    pub(super) fn check(&self, changes: &[(&str, &str)], options: &[&str]) -> Ended {
        finish(&mut with_config("check", &self.scratch.config(self.text(changes)), options))
    }

    /// It fails with 69, and a line says so with all of these words.
    #[track_caller]
    pub(super) fn fails(&self, changes: &[(&str, &str)], words: &[&str]) {
        let ended = self.check(changes, &[]);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(69), ""), "{}", ended.stdout);
        let named = |line: &str| line.starts_with("FAIL ") && words.iter().all(|word| line.contains(word));
        assert!(ended.stdout.lines().any(named), "{words:?} are not named in\n{}", ended.stdout);
        assert!(!ended.stdout.contains(self.stage.kick.client_secret()), "{}", ended.stdout);
    }
}

#[test]
fn a_good_set_up_is_all_ok() {
    let set_up = SetUp::new();
    let ended = set_up.check(&[("ROSTER_NOTIFY_CHANNEL", "kick_roster")], &[]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{}", ended.stdout);
    assert!(ended.stdout.lines().all(|line| line.starts_with("ok   ")), "{}", ended.stdout);
    for thing in [
        "STATE_DIR",
        "RUN_DIR",
        "syslog",
        "database login",
        "table",
        "columns",
        "values",
        "privileges",
        "notifications",
        "roster",
        "token",
        "API",
        "clock",
        "names",
        "website",
        "push broker",
        "push name",
        "push TCP",
        "push websocket",
        "push greeting",
        "push subscription",
    ] {
        assert!(ended.stdout.contains(&format!("ok   {thing}: ")), "{thing} is not in\n{}", ended.stdout);
    }
    assert!(!ended.stdout.contains('\u{1b}'), "no colours but on a terminal");
    let ended = set_up.check(&[], &["--json"]);
    let said: Value = serde_json::from_str(&ended.stdout).expect("it is JSON");
    assert_eq!((ended.code, &said["ok"]), (Some(0), &Value::Bool(true)));
    assert!(said["findings"].as_array().is_some_and(|findings| findings.len() > 15), "{said}");
    assert!(set_up.stage.status("ana").is_none() && !set_up.scratch.path("state").exists(), "it changes nothing");
}

#[test]
fn what_kick_offers_is_tried_and_what_is_configured_too() {
    let set_up = SetUp::new();
    set_up.stage.kick.offer(&[Offer::Centrifugo]);
    let ended = set_up.check(&[], &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
    for line in ["push broker: ", "push token: ", "push greeting: centrifugo", "push subscription: ", "push fallback: "]
    {
        assert!(ended.stdout.contains(&format!("ok   {line}")), "{line} is not in\n{}", ended.stdout);
    }
    set_up.stage.kick.fault(Face::Broker, Fault::challenge());
    let ended = set_up.check(&[], &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
    assert!(ended.stdout.contains("warn push broker: "), "{}", ended.stdout);
    assert!(ended.stdout.contains("ok   push greeting: pusher"), "{}", ended.stdout);
    set_up.fails(&[("REALTIME", "centrifugo")], &["push broker", "firewall"]);
}

#[test]
fn a_database_that_cannot_be_used_is_named() {
    let set_up = SetUp::new();
    let database = &set_up.stage.database;
    set_up.fails(
        &[("DATABASE_URL", &database.url_as("postgres", "wrong"))],
        &["database login", "28P01", "DATABASE_URL"],
    );
    let url = database.url();
    let (before, behind) = url.split_once("127.0.0.1").expect("a host");
    let elsewhere = format!("{before}no-such-host.invalid{behind}");
    set_up.fails(&[("DATABASE_URL", &elsewhere)], &["database login", "no-such-host.invalid", "DATABASE_URL"]);
    let nobody = format!("{before}127.0.0.1:1/x");
    set_up.fails(&[("DATABASE_URL", &nobody)], &["database login", "127.0.0.1:1", "refused"]);
    let nowhere = url.replace(database.name(), "nowhere");
    set_up.fails(&[("DATABASE_URL", &nowhere)], &["database login", "3D000", "nowhere"]);
    set_up.fails(&[("DB_TABLE", "nobodies")], &["table", "nobodies", "DB_TABLE", "kick-monitor schema"]);
    set_up.fails(&[("DB_STATUS_COLUMN", "state")], &["columns", "\"state\"", "DB_STATUS_COLUMN"]);
}

#[test]
fn a_value_that_does_not_fit_and_a_privilege_that_is_missing_are_named() {
    let set_up = SetUp::new();
    let database = &set_up.stage.database;
    database.execute(
        "CREATE TYPE state AS ENUM ('Online', 'Offline');
         ALTER TABLE streamers ALTER COLUMN status TYPE state USING status::state",
    );
    set_up.fails(&[("DB_ONLINE_VALUE", "Live")], &["values", "\"Live\"", "DB_ONLINE_VALUE"]);
    let role = format!("reader_{}", database.name());
    database.execute(&format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'p'; GRANT SELECT (id, username, status) ON streamers TO {role}"
    ));
    let grant = format!("in psql: GRANT UPDATE (\"status\") ON \"streamers\" TO \"{role}\";");
    set_up.fails(&[("DATABASE_URL", &database.url_as(&role, "p"))], &["privileges", "no UPDATE", &grant]);
}

#[test]
fn a_kick_that_cannot_be_used_is_named() {
    let set_up = SetUp::new();
    set_up.fails(&[("KICK_CLIENT_SECRET", "wrong")], &["token", "refuses", "KICK_CLIENT_SECRET"]);
    set_up.fails(&[("PUSHER_APP_KEY", "wrong")], &["push fallback", "4001", "PUSHER_APP_KEY"]);
    set_up.fails(&[("PUSHER_APP_KEY", "wrong"), ("REALTIME", "pusher")], &["push greeting", "4001", "PUSHER_APP_KEY"]);
    set_up.fails(&[("REALTIME", "centrifugo")], &["push", "REALTIME=auto"]);
    let nobody = "http://127.0.0.1:1/public/v1";
    set_up.fails(&[("KICK_API_URL", nobody)], &["API", nobody, "firewall"]);
    set_up.fails(&[("PUSHER_URL", "ws://127.0.0.1:1")], &["push TCP", "port 1", "firewall"]);
    set_up.fails(&[("PUSHER_URL", "wss://no-such-host.invalid")], &["push name", "no-such-host.invalid"]);
}

#[test]
fn names_can_be_tried_before_they_are_in_the_table() {
    let set_up = SetUp::new();
    let kick = &set_up.stage.kick;
    kick.add("cleo");
    kick.go_live("cleo");
    let ended = set_up.check(&[("API_REQUESTS_PER_MINUTE", "6000")], &["cleo", "https://kick.com/ANA", "zoe", "a+b"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(69), ""), "{}", ended.stdout);
    let ids = |name: &str| format!("user id {}, channel id {}", kick.ids(name).user, kick.ids(name).channel);
    for line in [
        format!("ok   name: cleo: {}, live now\n", ids("cleo")),
        format!("ok   name: ana: {}, not live now\n", ids("ana")),
        "FAIL name: zoe: Kick does not know this name; look whether https://kick.com/zoe exists".to_owned(),
        "FAIL name: a+b: ".to_owned(),
    ] {
        assert!(ended.stdout.contains(&line), "{line} is not in\n{}", ended.stdout);
    }
    let ended = set_up.check(&[], &["cleo", "--json"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
}

#[test]
fn names_of_the_table_that_kick_does_not_know_are_all_named() {
    let set_up = SetUp::new();
    let strangers: Vec<String> = (0..60).map(|n| format!("stranger{n}")).collect();
    strangers.iter().for_each(|name| set_up.stage.insert(name, None));
    let ended = set_up.check(&[("API_REQUESTS_PER_MINUTE", "6000")], &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
    let line = format!("warn names: Kick does not know 60 names: {}; correct these", strangers.join(", "));
    assert!(ended.stdout.contains(&line), "{}", ended.stdout);
    assert!(ended.stdout.contains("ok   API: ") && !ended.stdout.contains("does not know ana"), "{}", ended.stdout);
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_named() {
    let mut set_up = SetUp::new();
    set_up.stage.kick = Kick::builder().tls(Certificate::Right).start().expect("a Kick with TLS");
    set_up.fails(&[], &["push TLS", "TLS_CA_FILE"]);
    set_up.fails(&[], &["token", "TLS", "TLS_CA_FILE"]);
    let authority = set_up.scratch.file("ca.pem", set_up.stage.kick.ca_pem().expect("it has one"), 0o644);
    let ended = set_up.check(&[("TLS_CA_FILE", &authority.display().to_string())], &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
    assert!(ended.stdout.contains("ok   push TLS: "), "{}", ended.stdout);
}

#[test]
fn a_directory_a_mode_and_a_key_are_named() {
    let set_up = SetUp::new();
    set_up.fails(&[("STATE_DIR", "/dev/null/state")], &["STATE_DIR", "/dev/null"]);
    set_up.fails(&[("METRICS_FILE", "/dev/null/kick.prom")], &["METRICS_FILE", "/dev/null"]);
    set_up.fails(&[("METRICS_FILE", "/tmp/")], &["METRICS_FILE", "/tmp/ is a directory"]);

    let open = set_up.scratch.file("open", set_up.text(&[]), 0o644);
    let ended = finish(&mut with_config("check", &open, &[]));
    assert_eq!(ended.code, Some(78));
    assert!(ended.stdout.contains("run: chmod 0640 "), "{}", ended.stdout);

    let ended = set_up.check(&[("SWEEP_SCS", "7")], &[]);
    assert_eq!(ended.code, Some(78));
    assert!(ended.stdout.contains("SWEEP_SCS") && ended.stdout.contains("SWEEP_SECS"), "{}", ended.stdout);
    assert_eq!(ended.stdout.lines().count(), 1, "the rest is not tried: {}", ended.stdout);
}

#[test]
fn what_works_but_not_as_well_as_it_could_is_a_warning() {
    let set_up = SetUp::new();
    set_up.stage.insert("a+b", None);
    set_up.stage.kick.set_clock_offset(jiff_hours(-2));
    set_up.stage.database.execute("ALTER TABLE streamers DROP CONSTRAINT streamers_pkey");
    let ended = set_up.check(&[], &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
    for words in [["usernames", "\"a+b\""], ["clock", "ahead of Kick's"], ["id", "CREATE UNIQUE INDEX"]] {
        let named = |line: &str| line.starts_with("warn ") && words.iter().all(|word| line.contains(word));
        assert!(ended.stdout.lines().any(named), "{words:?} are not named in\n{}", ended.stdout);
    }
}

fn jiff_hours(hours: i64) -> jiff::SignedDuration {
    jiff::SignedDuration::from_hours(hours)
}

/// Where users come from is the machine's business: LDAP, systemd-userdb, or a file.
#[test]
fn the_user_of_the_package_is_found_wherever_the_machine_keeps_it() {
    if !rustix::process::getuid().is_root() {
        eprintln!("not shown: only root is told of another user");
        return;
    }
    let set_up = SetUp::new();
    let config = set_up.scratch.config(set_up.text(&[]));
    for name in ["state", "run"] {
        std::fs::create_dir(set_up.scratch.path(name)).expect("a directory can be made");
    }
    std::os::unix::fs::chown(set_up.scratch.path("state"), Some(4242), None).expect("root may do that");
    std::os::unix::fs::chown(set_up.scratch.path("run"), None, Some(4243)).expect("root may do that");
    std::fs::set_permissions(set_up.scratch.path("run"), PermissionsExt::from_mode(0o775)).expect("root may do that");
    let check = |getent: &str| {
        std::fs::create_dir_all(set_up.scratch.path("bin")).expect("a directory can be made");
        set_up.scratch.file("bin/getent", format!("#!/bin/sh\n{getent}\n"), 0o755);
        let path = format!("{}:/usr/bin:/bin", set_up.scratch.path("bin").display());
        finish(with_config("check", &config, &[]).env("PATH", path)).stdout
    };
    let known = "case $1 in
        passwd) [ $2 = kick-monitor ] && echo kick-monitor:x:4242:99::/:/bin/false ;;
        initgroups) echo 'kick-monitor  98 4243' ;;
        esac";
    let said = check(known);
    for key in ["STATE_DIR", "RUN_DIR"] {
        let line = said.lines().find(|line| line.starts_with(&format!("ok   {key}: ")));
        assert!(line.is_some_and(|line| line.ends_with("can be written by the user kick-monitor")), "{said}");
    }
    let said = check(&known.replace("4243", "97"));
    assert!(said.contains("FAIL RUN_DIR: "), "{said}");
    let said = check("exit 2");
    assert!(said.contains("can be written by the user that runs this"), "{said}");
    let said = check("exec sleep 1000");
    assert!(said.contains("warn user: the user kick-monitor cannot be looked up: no answer"), "{said}");
}
