//! `kick-monitor ids`: what it finds and says, with and without a configuration, and what comes of its statements when
//! they are piped into a real `psql`.

use super::ids::wait_told;
use super::scratch::{Ended, Scratch, finish, program};
use super::stage::{PATIENCE, Stage, wait_change};
use kick_sim::{Answer, Face, Fault, Kick, UnknownSlug};
use lab::{Cluster, Signal, wait_for};
use rustix::process::{Pid, kill_process};
use serde_json::json;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Names for the table that `kick-monitor schema` prints.
const SAMPLE: &str = "ALTER TABLE streamers ADD channel_id bigint, ADD user_id bigint";

/// A Kick that has these streamers.
fn kick_with(names: &[&str]) -> Kick {
    let kick = Kick::start();
    add(&kick, names);
    kick
}

fn add(kick: &Kick, names: &[&str]) {
    for name in names {
        kick.add(name);
    }
}

/// `kick-monitor ids` without a configuration; where Kick is and that it need not be slow, the environment says.
fn at_home(kick: &Kick, arguments: &[&str]) -> Command {
    let mut command = program(&["ids"]);
    command.args(arguments).env("KICK_WEB_URL", kick.web_url()).env("API_REQUESTS_PER_MINUTE", "60000");
    command
}

/// `kick-monitor ids` with the configuration of a stage, and more settings.
fn on_the_server(stage: &Stage, scratch: &Scratch, settings: &[(&str, &str)], arguments: &[&str]) -> Ended {
    finish(program(&["ids", "--config"]).arg(config(stage, scratch, settings)).args(arguments))
}

fn config(stage: &Stage, scratch: &Scratch, settings: &[(&str, &str)]) -> PathBuf {
    let mut all = stage.kick.settings();
    all.extend([("DATABASE_URL", stage.database.url()), ("API_REQUESTS_PER_MINUTE", "60000".to_owned())]);
    let kept = all.iter().filter(|(key, _)| settings.iter().all(|(set, _)| set != key));
    let all = kept.map(|(key, value)| (*key, value.as_str())).chain(settings.iter().copied());
    let text: String = all.map(|(key, value)| format!("{key}='{value}'\n")).collect();
    scratch.config(text)
}

/// The line of a streamer.
fn line(kick: &Kick, form: &str, slug: &str) -> String {
    let ids = kick.ids(slug);
    format!("{form} {} {}\n", ids.user, ids.channel)
}

/// The ids in the table, by row.
fn in_table(stage: &Stage) -> Vec<(String, Option<i64>, Option<i64>)> {
    let query = "SELECT username, user_id, channel_id FROM streamers ORDER BY id";
    let rows = stage.database.client().query(query, &[]).expect("the columns are there");
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

/// What `psql` printed, a line a statement.
fn tags(printed: &str) -> Vec<&str> {
    printed.lines().collect()
}

#[test]
fn names_alone_need_no_configuration() {
    let kick = kick_with(&["ana", "ben", "sino-tf", "cid"]);
    let forms =
        ["ana", "https://kick.com/Ben", "@ANA", "kick.com/popout/ana/chat", "Sino_TF", "nosuch", "two words", "cid"];
    let ended = finish(&mut at_home(&kick, &forms));
    let found = [("ana", "ana"), ("https://kick.com/Ben", "ben"), ("Sino_TF", "sino-tf"), ("cid", "cid")];
    assert_eq!(ended.stdout, found.map(|(form, slug)| line(&kick, form, slug)).concat());
    let said: Vec<&str> = ended.stderr.lines().collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].contains("two words: ") && said[1].contains("nosuch: not found"), "{said:?}");
    assert_eq!(ended.code, Some(1));
    let asked: Vec<String> = kick.requests().iter().map(|request| request.path.clone()).collect();
    let slugs = ["ana", "ben", "sino_tf", "sino-tf", "nosuch", "cid"];
    assert_eq!(asked, slugs.map(|slug| format!("/api/v2/channels/{slug}")), "each is asked about once");
    let ended = finish(&mut at_home(&kick, &["ben", "ana"]));
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    assert_eq!(ended.stdout, [line(&kick, "ben", "ben"), line(&kick, "ana", "ana")].concat());
}

/// The lines of README.Debian's section on a website that refuses the server, by what they begin with: what an
/// administrator types.
fn typed(start: &str) -> Vec<String> {
    let text = include_str!("../../debian/kick-monitor.README.Debian");
    let section =
        text.split("\nNo push, because the website refuses the server\n").nth(1).expect("the section is there");
    let section = section.split("\n\n\n").next().unwrap_or_default();
    let lines = section.lines().filter_map(|line| line.strip_prefix("       ")).filter(|line| line.starts_with(start));
    lines.map(str::to_owned).collect()
}

#[test]
fn what_was_looked_up_at_home_makes_the_server_follow_by_push() {
    // A role belongs to the whole cluster.
    let cluster = Cluster::start();
    let (stage, scratch) = (Stage::on(&cluster), Scratch::new());
    stage.database.execute(
        "CREATE ROLE kick_monitor LOGIN PASSWORD 'p';
         GRANT SELECT (id, username, status), UPDATE (status) ON streamers TO kick_monitor;
         ALTER FUNCTION trace() SECURITY DEFINER",
    );
    stage.kick.fault(Face::Website, Fault::challenge());
    add(&stage.kick, &["ana", "ben", "cid", "dot-x"]);
    let forms = ["@Ana", "https://www.kick.com/BEN?x=y", " cid ", "dot_x", "two words", "-nosuch-"];
    forms.iter().for_each(|form| stage.insert(form, None));
    let mut builder = stage.builder().set("DATABASE_URL", stage.database.url_as("kick_monitor", "p"));
    stage.database.execute(&["ALTER ", "GRANT "].map(|start| typed(start).concat()).concat());
    for setting in typed("DB_") {
        let (key, value) = setting.split_once('=').expect("a setting");
        builder = builder.set(key, value);
    }
    let daemon = stage.start(builder);
    stage.wait_status("@Ana", "Offline");
    assert!(stage.kick.subscriptions().is_empty(), "no channel id is known");

    // Home is elsewhere: there the website answers, and `ssh` leads to the server.
    stage.kick.clear_fault([Face::Website]);
    scratch.file("ssh", "#!/bin/sh\nshift\nexec sh -c \"$*\"\n", 0o755);
    symlink(env!("CARGO_BIN_EXE_kick-monitor"), scratch.path("kick-monitor")).expect("a link can be made");
    let shell = |script: &str| {
        let script = script.replace(" live", &format!(" {}", stage.database.name()));
        let script = format!("set -e; cd {}; PATH=$PWD:$PATH; {script}", scratch.path("").display());
        let mut command = Command::new("sh");
        command.env_clear().envs(stage.database.environment()).env("KICK_WEB_URL", stage.kick.web_url());
        finish(command.args(["-c", &script]).env("API_REQUESTS_PER_MINUTE", "60000"))
    };
    let steps = ["ssh ", "xargs "].map(|start| typed(start).concat());
    let home = shell(&steps.join("\n"));
    assert_eq!(home.stdout, "UPDATE 1\n".repeat(4), "{}", home.stderr);
    assert!(["two words: ", "-nosuch-: not found"].iter().all(|name| home.stderr.contains(name)), "{}", home.stderr);
    assert_eq!(shell(&steps[1]).stdout, "UPDATE 0\n".repeat(4), "what is right is left alone");

    stage.kick.fault(Face::Website, Fault::challenge());
    stage.wait_followed(&["ana", "ben", "cid", "dot-x"]);
    wait_told(&daemon, "ana", "(not confirmed yet, from the table)");
    stage.kick.set_api_lag(None);
    stage.kick.go_live("ana");
    assert_eq!(wait_change(&daemon, "@Ana", 2).key("source"), "push");
}

#[test]
fn the_roster_is_looked_up_with_few_requests_and_set_by_row() {
    let (stage, scratch) = (Stage::empty(), Scratch::new());
    stage.database.execute(
        r#"CREATE SCHEMA "Live ""Stuff"; CREATE TABLE "Live ""Stuff"."Kick's" ("the id" text, "user's" text,
           status text, "chan""nel" text, who int, kind text);
           INSERT INTO "Live ""Stuff"."Kick's" VALUES ('o''ne\', 'ana', '', NULL, NULL, 'kick'), ('2', '@ANA', '', '7', 7, 'kick'),
           ('3', 'ben', '', NULL, NULL, 'kick'), ('4', 'nosuch', '', NULL, NULL, 'kick'), ('5', 'a b', '', NULL, NULL, 'kick'),
           ('6', 'ana', '', NULL, NULL, 'other')"#,
    );
    let (ana, ben) = (stage.kick.add("ana"), stage.kick.add("ben"));
    stage.kick.set_unknown_slug(UnknownSlug::Refuse);
    stage.kick.go_live("ana");
    let settings = [
        ("DB_TABLE", r#""Live ""Stuff"."Kick's""#),
        ("DB_ID_COLUMN", "the id"),
        ("DB_USERNAME_COLUMN", "user's"),
        ("DB_CHANNEL_ID_COLUMN", r#"chan"nel"#),
        ("DB_USER_ID_COLUMN", "who"),
        ("DB_FILTER", "kind = 'kick' -- alone"),
    ];
    let config = config(&stage, &scratch, &[]);
    let run = |arguments: &[&str]| finish(program(&["ids", "--config"]).arg(&config).args(arguments).envs(settings));
    let ended = run(&["--sql"]);
    assert_eq!(ended.code, Some(1));
    let said: Vec<&str> = ended.stderr.lines().collect();
    assert!(said.len() == 2 && said[0].contains("a b: ") && said[1].contains("nosuch: not found"), "{said:?}");
    let website = stage.kick.requests().into_iter().filter(|request| request.face == Face::Website);
    let website: Vec<String> = website.map(|request| request.path).collect();
    assert_eq!(
        website,
        ["/api/v2/channels/ben", "/api/v2/channels/nosuch"],
        "the API tells the channel of who is live"
    );
    assert_eq!(
        tags(&stage.database.psql(&format!("SET standard_conforming_strings = off; {}", ended.stdout)))[1..],
        ["UPDATE 1"; 3]
    );
    let shown = r#"SELECT string_agg(concat_ws(' ', "the id", who, "chan""nel"), ', ' ORDER BY "the id" COLLATE "C") FROM "Live ""Stuff"."Kick's""#;
    let wanted = format!("2 {0} {1}, 3 {2} {3}, 4, 5, 6, o'ne\\ {0} {1}", ana.user, ana.channel, ben.user, ben.channel);
    assert_eq!(stage.database.value(shown), Some(wanted.clone()));
    assert_eq!(tags(&stage.database.psql(&ended.stdout)), ["UPDATE 0"; 3]);
    // By name, the filter keeps another platform's namesake out.
    stage.database.execute(r#"UPDATE "Live ""Stuff"."Kick's" SET who = NULL, "chan""nel" = NULL"#);
    let ended = run(&["--sql", "ana", "ben"]);
    assert_eq!((ended.code, tags(&stage.database.psql(&ended.stdout))), (Some(0), vec!["UPDATE 2", "UPDATE 1"]));
    assert_eq!(stage.database.value(shown), Some(wanted));
    let ended = run(&[]);
    let mut lines: Vec<String> = ended.stdout.split_inclusive('\n').map(str::to_owned).collect();
    lines.sort();
    let rows = [("@ANA", "ana"), ("ana", "ana"), ("ben", "ben")];
    assert_eq!(lines, rows.map(|(form, slug)| line(&stage.kick, form, slug)));
}

#[test]
fn only_the_column_that_there_is_is_set_and_only_its_id_is_asked_for() {
    let (stage, scratch) = (Stage::with(&["ana", "ben"]), Scratch::new());
    stage.database.execute(SAMPLE);
    let users = on_the_server(&stage, &scratch, &[("DB_USER_ID_COLUMN", "user_id")], &["--sql"]);
    assert_eq!((users.code, users.stderr.as_str()), (Some(0), ""));
    assert_eq!((stage.kick.count([Face::Channels]), stage.kick.count([Face::Livestreams, Face::Website])), (1, 0));
    assert_eq!(tags(&stage.database.psql(&users.stdout)), ["UPDATE 1"; 2]);
    assert!(in_table(&stage).iter().all(|(_, user, channel)| user.is_some() && channel.is_none()));
    let channels = on_the_server(&stage, &scratch, &[("DB_CHANNEL_ID_COLUMN", "channel_id")], &["--sql", "ana"]);
    assert!(!channels.stdout.contains("user_id"), "{}", channels.stdout);
    assert_eq!(tags(&stage.database.psql(&channels.stdout)), ["UPDATE 1"]);
    let neither = on_the_server(&stage, &scratch, &[], &["--sql", "ana"]);
    assert_eq!((neither.code, neither.stdout.as_str()), (Some(78), ""));
    assert!(neither.stderr.contains("DB_CHANNEL_ID_COLUMN=channel_id"), "{}", neither.stderr);
    let mut environment = at_home(&stage.kick, &["--sql", "ana"]);
    let ended = finish(environment.env("DB_TABLE", "live.them").env("DB_CHANNEL_ID_COLUMN", "cid"));
    assert!(ended.stdout.starts_with(r#"UPDATE "live"."them" SET "cid" = "#), "{}", ended.stdout);
    assert!(!ended.stdout.contains("user_id"), "{}", ended.stdout);
}

#[test]
fn a_website_that_refuses_is_said_once_with_what_helps() {
    let (stage, scratch) = (Stage::with(&["ana", "ben", "cid", "dot"]), Scratch::new());
    stage.kick.custom_banner("ben", true);
    stage.kick.go_live("cid");
    for fault in [Fault::challenge(), Fault::blocked(), Fault::country_blocked()] {
        stage.kick.fault(Face::Website, fault);
        stage.kick.clear_requests();
        let ended = on_the_server(&stage, &scratch, &[], &[]);
        assert_eq!(ended.stdout, ["ben", "cid"].map(|name| line(&stage.kick, name, name)).concat());
        let said: Vec<&str> = ended.stderr.lines().collect();
        assert!(said.len() == 2 && said[0].contains("a desktop at home"), "{said:?}");
        assert!(said[1].ends_with(": ana dot"), "{said:?}");
        assert_eq!((ended.code, stage.kick.count([Face::Website])), (Some(1), 1));
    }
    let ended = finish(&mut at_home(&stage.kick, &["ana", "ben"]));
    assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.lines().count()), (Some(1), "", 2), "{}", ended.stderr);
    // What can be known is put into the table.
    let ended = on_the_server(
        &stage,
        &scratch,
        &[("DB_USER_ID_COLUMN", "user_id"), ("DB_CHANNEL_ID_COLUMN", "channel_id")],
        &["--sql", "ana"],
    );
    stage.database.execute(SAMPLE);
    assert_eq!((ended.code, tags(&stage.database.psql(&ended.stdout))), (Some(1), vec!["UPDATE 1"]));
    assert_eq!(in_table(&stage)[0], ("ana".to_owned(), Some(stage.kick.ids("ana").user), None));
}

#[test]
fn failures_that_pass_are_waited_out() {
    let (stage, scratch) = (Stage::with(&["ana", "ben"]), Scratch::new());
    stage.kick.fault_next(Face::Website, 1, Fault::rate_limited(Some(1)));
    stage.kick.fault_next(Face::Channels, 1, Fault::status(503, "later"));
    stage.kick.fault_next(Face::Channels, 1, Fault::status(401, "Unauthorized"));
    stage.kick.fault_next(Face::Livestreams, 3, Fault::Close);
    let ended = on_the_server(&stage, &scratch, &[], &[]);
    assert_eq!(ended.stdout, ["ana", "ben"].map(|name| line(&stage.kick, name, name)).concat());
    assert_eq!(ended.code, Some(0));
    let times: Vec<_> =
        stage.kick.requests().iter().filter(|request| request.face == Face::Website).map(|it| it.at).collect();
    assert!(times[1].duration_since(times[0]) >= Duration::from_secs(1), "Retry-After");
    let wrong = on_the_server(&stage, &scratch, &[("KICK_CLIENT_SECRET", "wrong")], &["ana"]);
    assert_eq!((wrong.code, wrong.stdout), (Some(0), line(&stage.kick, "ana", "ana")), "the website is enough");
    assert!(
        wrong.stderr.contains("KICK_CLIENT_SECRET") && !wrong.stderr.contains("kick-sim-client-secret"),
        "{}",
        wrong.stderr
    );
}

#[test]
fn an_answer_about_another_name_is_none() {
    let kick = Kick::start();
    let other = json!({"id": 1, "user_id": 2, "slug": "anna", "livestream": null});
    kick.fault(Face::Website, Fault::Answer(Answer::json(200, &other)));
    let ended = finish(&mut at_home(&kick, &["ana"]));
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
    assert!(ended.stderr.contains("ana: not found"), "{}", ended.stderr);
    // Nothing of an answer gets into a statement but its numbers.
    let evil = json!({"id": "1'); DROP TABLE streamers; --", "user_id": 2, "slug": "ana", "livestream": null});
    kick.fault(Face::Website, Fault::Answer(Answer::json(200, &evil)));
    let ended = finish(&mut at_home(&kick, &["--sql", "ana"]));
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
}

#[test]
fn requests_are_paced_by_default() {
    let kick = kick_with(&["ana", "ben", "cid"]);
    let ended = finish(at_home(&kick, &["ana", "ben", "cid"]).env_remove("API_REQUESTS_PER_MINUTE"));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let times: Vec<_> = kick.requests().iter().map(|request| request.at).collect();
    // The first may be longer on its way.
    assert!(times[2].duration_since(times[0]) >= Duration::from_millis(1500), "{times:?}");
}

#[test]
fn a_configuration_that_cannot_be_used_is_said() {
    let scratch = Scratch::new();
    let none = finish(&mut program(&["ids"]));
    assert_eq!((none.code, none.stdout.as_str()), (Some(78), ""));
    assert!(none.stderr.contains("/etc/kick-monitor/kick-monitor.env"), "{}", none.stderr);
    let broken = scratch.config("KICK_CLIENT_IDD=x\n");
    let ended = finish(program(&["ids", "ana", "--config"]).arg(&broken));
    assert_eq!(ended.code, Some(78));
    assert!(ended.stderr.contains("config:1: KICK_CLIENT_IDD: "), "{}", ended.stderr);
    let ended = finish(program(&["ids", "ana"]).env("KICK_WEB_URL", "http://kick.com"));
    assert_eq!(ended.code, Some(78));
    assert!(ended.stderr.contains("environment: KICK_WEB_URL: "), "{}", ended.stderr);
    let config = scratch.config(super::scratch::REQUIRED);
    let ended = finish(program(&["ids", "--config"]).arg(config));
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
    assert!(ended.stderr.contains("127.0.0.1") && !ended.stderr.contains("pass-word"), "{}", ended.stderr);
}

#[test]
fn a_reader_that_hangs_up_and_a_signal_end_it() {
    let names: Vec<String> = (0..200).map(|number| format!("name{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let kick = kick_with(&names);
    let start = |command: &mut Command| {
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        child.expect("the program can be started")
    };
    let mut child = start(&mut at_home(&kick, &names));
    let mut first = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut first).expect("a line comes");
    assert_eq!(first, line(&kick, "name0", "name0"));
    let status = wait_for("its end", PATIENCE, || child.try_wait().ok().flatten());
    let mut said = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut said).expect("it speaks UTF-8");
    assert_eq!((status.code(), said.as_str()), (Some(0), ""));

    kick.fault(Face::Website, Fault::rate_limited(Some(100)));
    kick.clear_requests();
    let mut child = start(&mut at_home(&kick, &["name1"]));
    assert!(kick.wait_for(PATIENCE, |kick| kick.count([Face::Website]) == 1), "it does not ask");
    // Not SIGINT, which is ignored in what a script runs in the background.
    kill_process(Pid::from_child(&child), Signal::TERM).expect("it runs");
    let status = wait_for("its end", PATIENCE, || child.try_wait().ok().flatten());
    assert_eq!(status.signal(), Some(Signal::TERM.as_raw()));
}
