//! Every error that a configuration file can cause, word for word.

use super::{from, lines, with_required};
use expect_test::{Expect, expect};

fn check(text: &str, expected: Expect) {
    expected.assert_eq(&lines(with_required(text)));
}

fn check_all(text: &str, environment: &[(&str, &str)], expected: Expect) {
    expected.assert_eq(&lines(from(text.as_bytes(), environment)));
}

#[test]
fn required_keys() {
    check_all(
        "",
        &[],
        expect![[r#"
            k.env: KICK_CLIENT_ID: is missing; expected the client id of your Kick app
            k.env: KICK_CLIENT_SECRET: is missing; expected the client secret of your Kick app, or KICK_CLIENT_SECRET_FILE
            k.env: DATABASE_URL: is missing; expected postgres://USER:PASSWORD@HOST:PORT/DATABASE, or DATABASE_URL_FILE
        "#]],
    );
    check_all(
        "KICK_CLIENT_ID=\nKICK_CLIENT_SECRET=\nDATABASE_URL_FILE=\n",
        &[("KICK_CLIENT_ID", "")],
        expect![[r#"
            k.env:2: KICK_CLIENT_SECRET: is empty; expected the client secret of your Kick app, or KICK_CLIENT_SECRET_FILE
            k.env: DATABASE_URL: is missing; expected postgres://USER:PASSWORD@HOST:PORT/DATABASE, or DATABASE_URL_FILE
            environment: KICK_CLIENT_ID: is empty; expected the client id of your Kick app
        "#]],
    );
}

#[test]
fn unknown_keys_and_duplicates() {
    check(
        "DB_TABEL=x\nKICK_SECRET=x\nsweep_secs=9\nFOO=$x\nSWEEP_SECS=9\nSWEEP_SECS=9\n",
        expect![[r#"
            k.env:4: DB_TABEL: is not a key of kick-monitor; did you mean DB_TABLE?
            k.env:5: KICK_SECRET: is not a key of kick-monitor; did you mean KICK_CLIENT_SECRET?
            k.env:6: sweep_secs: is not a key of kick-monitor; did you mean SWEEP_SECS?
            k.env:7: FOO: has a $ that begins a variable outside of single quotes; expected KEY='VALUE'
            k.env:7: FOO: is not a key of kick-monitor
            k.env:9: SWEEP_SECS: is given twice, first on line 8; expected it once
        "#]],
    );
}

#[test]
fn numbers() {
    check(
        concat!(
            "DB_POOL_SIZE=33\nROSTER_POLL_SECS=0\nSWEEP_SECS=86401\nPUSH_HOLD_SECS=3601\nAPI_BATCH_SIZE=51\n",
            "API_REQUESTS_PER_MINUTE=0\nPUSHER_CHANNELS_PER_CONNECTION=0\nHEARTBEAT_SECS=-1\nDB_SHARDS=1025\n",
        ),
        expect![[r#"
            k.env:4: DB_POOL_SIZE: "33" is not allowed; expected a whole number from 1 to 32
            k.env:5: ROSTER_POLL_SECS: "0" is not allowed; expected a whole number from 1 to 3600
            k.env:6: SWEEP_SECS: "86401" is not allowed; expected a whole number from 1 to 86400
            k.env:7: PUSH_HOLD_SECS: "3601" is not allowed; expected a whole number from 0 to 3600
            k.env:8: API_BATCH_SIZE: "51" is not allowed; expected a whole number from 1 to 50
            k.env:9: API_REQUESTS_PER_MINUTE: "0" is not allowed; expected a whole number from 1 to 1000000
            k.env:10: PUSHER_CHANNELS_PER_CONNECTION: "0" is not allowed; expected a whole number from 1 to 10000
            k.env:11: HEARTBEAT_SECS: "-1" is not allowed; expected a whole number from 0 to 86400
            k.env:12: DB_SHARDS: "1025" is not allowed; expected a whole number from 1 to 1024
        "#]],
    );
    for text in ["1.5", "+5", "5s", "99999999999999999999", "''", "'5 '", "0x5"] {
        assert!(with_required(&format!("SWEEP_SECS={text}\n")).is_err(), "{text}");
    }
}

#[test]
fn words() {
    check(
        "REALTIME=both\nLOG_LEVEL=INFO\nLOG_TARGET=file\nSYSLOG_FACILITY=local8\nDB_SYNCHRONOUS_COMMIT=true\n\
         DB_COORDINATION=on\n",
        expect![[r#"
            k.env:4: REALTIME: "both" is not allowed; expected one of auto, pusher, centrifugo
            k.env:5: LOG_LEVEL: "INFO" is not allowed; expected one of error, warn, info, debug, trace
            k.env:6: LOG_TARGET: "file" is not allowed; expected one of syslog, stderr
            k.env:7: SYSLOG_FACILITY: "local8" is not allowed; expected one of daemon, user, local0, local1, local2, local3, local4, local5, local6, local7
            k.env:8: DB_SYNCHRONOUS_COMMIT: "true" is not allowed; expected one of on, off, local, remote_write, remote_apply
            k.env:9: DB_COORDINATION: "on" is not allowed; expected one of auto, off
        "#]],
    );
}

#[test]
fn webhooks() {
    let long = "x".repeat(107);
    for text in ["8080", "localhost:80", "127.0.0.1", "127.0.0.1:65536", "http://127.0.0.1:80", "/run/x.sock", "::1:80"]
    {
        let problems = lines(with_required(&format!("WEBHOOK_LISTEN={text}\n")));
        let expected = format!("{text:?} is not an address; expected 127.0.0.1:PORT, [::1]:PORT or unix:/PATH\n");
        assert_eq!(problems, format!("k.env:4: WEBHOOK_LISTEN: {expected}"));
    }
    for (text, why) in [
        ("127.0.0.1:0", "has no port"),
        ("unix:x.sock", "has a relative path"),
        ("unix:/run/", "names a directory"),
        (&format!("unix:/{long}"), "has a path of 108 bytes"),
    ] {
        let problems = lines(with_required(&format!("WEBHOOK_LISTEN={text}\n")));
        assert!(problems.contains(why), "{problems}");
    }
    for text in ["kick", "/a?b", "/a#b", "'/a b'", "/ä", "https://example.org/kick", "''"] {
        assert!(with_required(&format!("WEBHOOK_PATH={text}\n")).is_err(), "{text}");
    }
}

#[test]
fn urls() {
    check(
        concat!(
            "KICK_API_URL=http://api.kick.com\n",
            "KICK_WEB_URL=wss://kick.com\n",
            "KICK_OAUTH_URL=https://user:hunter2@id.kick.com\n",
            "KICK_REALTIME_URL=https://web.kick.com/?x=1\n",
            "PUSHER_URL=https://ws-us2.pusher.com\n",
        ),
        expect![[r#"
            k.env:4: KICK_API_URL: "http://api.kick.com" is not encrypted, which is allowed for hosts on this machine only; expected https://
            k.env:5: KICK_WEB_URL: "wss://kick.com" has the scheme wss; expected https://HOST/PATH
            k.env:6: KICK_OAUTH_URL: the value has a user name or password; expected none
            k.env:7: KICK_REALTIME_URL: "https://web.kick.com/?x=1" has a query or a fragment; expected none
            k.env:8: PUSHER_URL: "https://ws-us2.pusher.com" has the scheme https; expected wss://HOST/PATH
        "#]],
    );
    check(
        concat!(
            "KICK_API_URL=api.kick.com\n",
            "KICK_WEB_URL=https://kick.com#x\n",
            "KICK_OAUTH_URL=https://id.kick.com:99999\n",
            "KICK_REALTIME_URL='https://web kick.com'\n",
            "PUSHER_URL=ws://127.1\n",
        ),
        expect![[r#"
            k.env:4: KICK_API_URL: "api.kick.com" is not a whole URL; expected https://HOST/PATH
            k.env:5: KICK_WEB_URL: "https://kick.com#x" has a query or a fragment; expected none
            k.env:6: KICK_OAUTH_URL: "https://id.kick.com:99999" has a bad port; expected a number from 1 to 65535
            k.env:7: KICK_REALTIME_URL: "https://web kick.com" is not a URL (invalid uri character); expected https://HOST/PATH
            k.env:8: PUSHER_URL: "ws://127.1" is not encrypted, which is allowed for hosts on this machine only; expected wss://
        "#]],
    );
    for url in [
        "http://localhost.kick.com",
        "http://128.0.0.1",
        "http://[::2]",
        "https://",
        "https://:443",
        "https://a:",
        "https://a:0",
        "/x",
        "http://localhost@kick.com",
        "https://a_b!/",
        "https://[::1",
        "https://a/{x}",
        "https://ü/",
    ] {
        assert!(with_required(&format!("KICK_API_URL='{url}'\n")).is_err(), "{url}");
    }
}

#[test]
fn the_table() {
    check(
        "DB_TABLE=a.b.c\nDB_ID_COLUMN=\nDB_ONLINE_VALUE=x\nDB_OFFLINE_VALUE=x\n",
        expect![[r#"
            k.env:4: DB_TABLE: "a.b.c" has more than two parts; expected TABLE or SCHEMA.TABLE
            k.env:5: DB_ID_COLUMN: is empty; expected the name of a column, without SQL quotes
            k.env:7: DB_OFFLINE_VALUE: is the same as DB_ONLINE_VALUE; expected another value
        "#]],
    );
    check(
        "DB_STATUS_COLUMN=username\nDB_CHANGED_AT_COLUMN=username\n",
        expect![[r#"
            k.env:4: DB_STATUS_COLUMN: is the same column as DB_USERNAME_COLUMN; expected one that may be overwritten
            k.env:5: DB_CHANGED_AT_COLUMN: is the same column as DB_USERNAME_COLUMN; expected one that may be overwritten
            k.env:5: DB_CHANGED_AT_COLUMN: is the same column as DB_STATUS_COLUMN; expected one that may be overwritten
        "#]],
    );
    for table in ["a b", "1a", "a.", ".a", "\"a", "\"\"", "a-b", "a;", "a.\"b\"c"] {
        assert!(with_required(&format!("DB_TABLE='{table}'\n")).is_err(), "{table}");
    }
    check(
        &format!("DB_NOTIFY_CHANNEL={}\nROSTER_NOTIFY_CHANNEL={}\n", "a".repeat(63), "ü".repeat(32)),
        expect![[r#"
            k.env:5: ROSTER_NOTIFY_CHANNEL: "üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüü" is too long; expected the name of a notification channel, at most 63 bytes
        "#]],
    );
}

#[test]
fn channel_names() {
    for (names, expected) in [
        (
            "channel",
            expect![[r#"
                k.env:4: CHANNEL_NAMES: "channel" has a name without {id}, or with more than one; expected it once in each
            "#]],
        ),
        (
            "channel.{id}.{id}",
            expect![[r#"
                k.env:4: CHANNEL_NAMES: "channel.{id}.{id}" has a name without {id}, or with more than one; expected it once in each
            "#]],
        ),
        (
            "channel.{id},",
            expect![[r#"
                k.env:4: CHANNEL_NAMES: "channel.{id}," has an empty name; expected names separated by single commas
            "#]],
        ),
        (
            "channel {id}",
            expect![[r#"
                k.env:4: CHANNEL_NAMES: "channel {id}" has a character that channel names cannot have; expected letters, digits and _ - = @ . ;
            "#]],
        ),
        (
            "channel.{id},channel.{id}",
            expect![[r#"
                k.env:4: CHANNEL_NAMES: "channel.{id},channel.{id}" has the same name twice; expected each once
            "#]],
        ),
    ] {
        check(&format!("CHANNEL_NAMES='{names}'\n"), expected);
    }
    let longest = "a".repeat(164 - 19);
    assert!(with_required(&format!("CHANNEL_NAMES={longest}{{id}}\n")).is_ok());
    assert!(with_required(&format!("CHANNEL_NAMES={longest}a{{id}}\n")).is_err());
    check(
        "CHANNEL_NAMES=a{id},b{id}\nPUSHER_CHANNELS_PER_CONNECTION=1\n",
        expect![[r#"
            k.env:5: PUSHER_CHANNELS_PER_CONNECTION: is too small for one streamer; expected at least 2, the number of names in CHANNEL_NAMES
        "#]],
    );
}

#[test]
fn paths_and_files() {
    check(
        "STATE_DIR=state\nRUN_DIR=\nMETRICS_FILE=m.prom\nTLS_CA_FILE=/none\n",
        expect![[r#"
            k.env:4: STATE_DIR: "state" is not allowed; expected the absolute path of a directory
            k.env:5: RUN_DIR: is empty; expected the absolute path of a directory
            k.env:6: METRICS_FILE: "m.prom" is not allowed; expected the absolute path of the file to write
            k.env:7: TLS_CA_FILE: names "/none", which cannot be read: No such file or directory (os error 2)
        "#]],
    );
    check(
        "TLS_CA_FILE=/secret\n",
        expect![[r#"
            k.env:4: TLS_CA_FILE: names "/secret", which contains no usable certificate; expected at least one (PEM), and no broken one
        "#]],
    );
    check(
        "PUSHER_APP_KEY=a/b\n",
        expect![[r#"
            k.env:4: PUSHER_APP_KEY: "a/b" is not an app key; expected letters, digits, - and _
        "#]],
    );
}

#[test]
fn secrets() {
    let rest = "KICK_CLIENT_ID=id\nDATABASE_URL=postgres://db\n";
    let both = "KICK_CLIENT_SECRET=hunter2\nKICK_CLIENT_SECRET_FILE=/secret\n";
    check_all(
        &format!("{rest}{both}"),
        &[],
        expect![[r#"
            k.env:4: KICK_CLIENT_SECRET_FILE: is given as well as KICK_CLIENT_SECRET; expected one of the two
        "#]],
    );
    check_all(
        rest,
        &[("KICK_CLIENT_SECRET", "hunter2"), ("KICK_CLIENT_SECRET_FILE", "/secret")],
        expect![[r#"
            environment: KICK_CLIENT_SECRET_FILE: is given as well as KICK_CLIENT_SECRET; expected one of the two
        "#]],
    );
    for (file, expected) in [
        (
            "/none",
            expect![[r#"
                k.env:3: KICK_CLIENT_SECRET_FILE: names "/none", which cannot be read: No such file or directory (os error 2)
            "#]],
        ),
        (
            "relative",
            expect![[r#"
                k.env:3: KICK_CLIENT_SECRET_FILE: the value is not allowed; expected the absolute path of a file that contains the client secret
            "#]],
        ),
        (
            "/empty",
            expect![[r#"
                k.env:3: KICK_CLIENT_SECRET_FILE: names "/empty", which is empty; expected the secret in it
            "#]],
        ),
        (
            "/two-lines",
            expect![[r#"
                k.env:3: KICK_CLIENT_SECRET_FILE: names "/two-lines", which ends with a line break; expected it without
            "#]],
        ),
    ] {
        check_all(&format!("{rest}KICK_CLIENT_SECRET_FILE={file}\n"), &[], expected);
    }
    check_all(
        "KICK_CLIENT_ID=id\nKICK_CLIENT_SECRET=x\nDATABASE_URL_FILE=/url\n",
        &[],
        expect![[r#"
            k.env:3: DATABASE_URL_FILE: has an sslrootcert that contains no usable certificate; expected at least one (PEM), and no broken one
        "#]],
    );
}

#[test]
fn the_environment_is_to_blame_for_its_own() {
    check_all(
        super::REQUIRED,
        &[("SWEEP_SECS", "soon"), ("SWEEP_SEC", "1"), ("KICK_CLIENT_ID", "a\nb")],
        expect![[r#"
            environment: KICK_CLIENT_ID: "a\nb" has a line break or another control character; expected one line of text
            environment: SWEEP_SECS: "soon" is not allowed; expected a whole number from 1 to 86400
        "#]],
    );
}

#[test]
fn bad_values_are_cut_and_escaped() {
    check(
        &format!("LOG_LEVEL=\"\\n{}\"\n", "x".repeat(300)),
        expect![[r#"
            k.env:4: LOG_LEVEL: "\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…" begins with a line break; expected it without
        "#]],
    );
    check(
        "DB_FILTER=a\0b\n",
        expect![[r#"
            k.env:4: DB_FILTER: has a NUL character; expected text without one
        "#]],
    );
}

#[test]
fn no_problem_holds_a_secret() {
    let text = "KICK_CLIENT_SECRET=hunter2 x\nDATABASE_URL_FILE=hunter2\nDATABASE_URL=\"postgres://u:hunter2$@db\nKICK_CLIENT_SECRET='hunter2\n";
    let said = lines(from(text.as_bytes(), &[("DATABASE_URL", "hunter2")]));
    assert!(!said.contains("hunter2") && said.lines().count() >= 4, "{said}");
}

#[test]
fn names_of_events() {
    for (line, expected) in [
        (
            "PUSH_LIVE_EVENTS='a,,b'",
            expect![[r#"
            k.env:4: PUSH_LIVE_EVENTS: "a,,b" has an empty name; expected names separated by single commas
        "#]],
        ),
        (
            "PUSH_LIVE_EVENTS='a b'",
            expect![[r#"
            k.env:4: PUSH_LIVE_EVENTS: "a b" has a name with a space in it; expected names separated by commas
        "#]],
        ),
        (
            "PUSH_LIVE_EVENTS='a,b,a'",
            expect![[r#"
            k.env:4: PUSH_LIVE_EVENTS: "a,b,a" has the same name twice; expected each once
        "#]],
        ),
        (
            "PUSH_STOP_EVENTS='StreamerIsLive'",
            expect![[r#"
                k.env:4: PUSH_STOP_EVENTS: has "StreamerIsLive", which is in PUSH_LIVE_EVENTS too; expected each name in one of the two
            "#]],
        ),
        (
            r"PUSH_LIVE_EVENTS=App\Events\Unquoted",
            expect![[r#"
            k.env:4: PUSH_LIVE_EVENTS: has a backslash that escapes nothing; expected the value in single quotes
        "#]],
        ),
        (
            r#"PUSH_LIVE_EVENTS="App\Events\Quoted""#,
            expect![[r#"
            k.env:4: PUSH_LIVE_EVENTS: has a backslash that escapes nothing; expected the value in single quotes
        "#]],
        ),
    ] {
        check(&format!("{line}\n"), expected);
    }
}
