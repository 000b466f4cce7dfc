//! Values that begin or end with something that does not belong to them are reported, whatever the key and the source;
//! what belongs there is kept.

use super::{from, lines, with_required};
use crate::config::keys::{Form, KEYS};
use expect_test::expect;

#[test]
fn docker_keeps_the_quotes_of_an_env_file() {
    let environment = [
        ("DB_ONLINE_VALUE", "'Online'"),
        ("DB_STATUS_COLUMN", "\"status\""),
        ("DB_TABLE", "'streamers'"),
        ("KICK_CLIENT_ID", "“id”"),
        ("KICK_CLIENT_SECRET", "'hunter2'"),
        ("DATABASE_URL", "\"postgres://u:hunter2@db/live\""),
        ("SWEEP_SECS", "\"60\""),
        ("DB_CHANNEL_ID_COLUMN", "''"),
    ];
    expect![[r#"
        environment: KICK_CLIENT_ID: "“id”" is wrapped in quotes, which would be part of the value; expected it without them
        environment: KICK_CLIENT_SECRET: the value is wrapped in quotes, which would be part of the value; expected it without them
        environment: DATABASE_URL: the value is wrapped in quotes, which would be part of the value; expected it without them
        environment: DB_TABLE: "'streamers'" is wrapped in quotes, which would be part of the value; expected it without them
        environment: DB_STATUS_COLUMN: ""status"" is wrapped in quotes, which would be part of the value; expected it without them
        environment: DB_ONLINE_VALUE: "'Online'" is wrapped in quotes, which would be part of the value; expected it without them
        environment: DB_CHANNEL_ID_COLUMN: "''" is wrapped in quotes, which would be part of the value; expected it without them
        environment: SWEEP_SECS: ""60"" is wrapped in quotes, which would be part of the value; expected it without them
    "#]]
    .assert_eq(&lines(from(super::REQUIRED.as_bytes(), &environment)));
}

#[test]
fn the_file_has_the_same_rule() {
    expect![[r#"
        k.env:4: DB_ONLINE_VALUE: "'Online'" is wrapped in quotes, which would be part of the value; expected it without them
        k.env:5: DB_OFFLINE_VALUE: "Offline " ends with a blank; expected it without
        k.env:6: DB_FILTER: "\nenabled" begins with a line break; expected it without
        k.env:7: STATE_DIR: "\u{feff}/var/lib/x" begins with a byte-order mark; expected it without
        k.env:8: DB_ID_COLUMN: "id\u{a0}" ends with a blank; expected it without
        k.env:9: RUN_DIR: "/run/x\u{200b}" ends with an invisible character; expected it without
    "#]]
    .assert_eq(&lines(with_required(
        "DB_ONLINE_VALUE=\"'Online'\"\nDB_OFFLINE_VALUE='Offline '\nDB_FILTER=\"\\nenabled\"\n\
         STATE_DIR='\u{feff}/var/lib/x'\nDB_ID_COLUMN='id\u{a0}'\nRUN_DIR='/run/x\u{200b}'\n",
    )));
}

#[test]
fn every_key_has_the_rule_and_no_secret_is_shown() {
    for key in KEYS {
        for value in ["'hunter2'", " hunter2", "hunter2\t", "hunter2\n", "\r\nhunter2", "\u{feff}hunter2", "`hunter2`"]
        {
            let told = lines(from(super::REQUIRED.as_bytes(), &[(key.name, value)]));
            let of_edges = |line: &str| {
                let named = line.starts_with(&format!("environment: {}: ", key.name));
                named && line.contains("expected it without")
            };
            assert!(told.lines().any(of_edges), "{}={value:?}: {told}", key.name);
            let secret = matches!(key.form, Form::Secret(_)) || key.name.ends_with("SECRET_FILE");
            assert!(!(secret && told.contains("hunter2")), "{told}");
        }
    }
}

#[test]
fn the_file_of_a_secret_has_the_rule_but_for_one_line_end() {
    let rest = "KICK_CLIENT_ID=id\nDATABASE_URL=postgres://db\n";
    let told = |file: &str| lines(from(format!("{rest}KICK_CLIENT_SECRET_FILE={file}\n").as_bytes(), &[]));
    for good in ["/secret", "/secret.crlf"] {
        assert_eq!(told(good), "no problem\n");
    }
    let all: String = ["/bom", "/quotes", "/blank", "/two-lines", "/nul"].iter().map(|file| told(file)).collect();
    expect![[r#"
        k.env:3: KICK_CLIENT_SECRET_FILE: names "/bom", which begins with a byte-order mark; expected it without
        k.env:3: KICK_CLIENT_SECRET_FILE: names "/quotes", which is wrapped in quotes, which would be part of the value; expected it without them
        k.env:3: KICK_CLIENT_SECRET_FILE: names "/blank", which ends with a blank; expected it without
        k.env:3: KICK_CLIENT_SECRET_FILE: names "/two-lines", which ends with a line break; expected it without
        k.env:3: KICK_CLIENT_SECRET_FILE: names "/nul", which has a NUL character; expected text without one
    "#]]
    .assert_eq(&all);
}

#[test]
fn quotes_that_are_sql_s_are_taken() {
    for (key, value) in [
        ("DB_TABLE", r#""Kick Users""#),
        ("DB_TABLE", r#""Live Stuff"."Kick Users""#),
        ("DB_FILTER", "enabled AND platform = 'kick'"),
        ("DB_FILTER", r#""Live" = "Wanted""#),
        ("DB_FILTER", r#""Is Live""#),
        ("DB_FILTER", "'kick' = platform OR kind = 'all'"),
        ("DB_ONLINE_VALUE", "it's on"),
        ("DB_ONLINE_VALUE", "'"),
        ("DB_STATUS_COLUMN", "5'"),
    ] {
        let told = lines(from(super::REQUIRED.as_bytes(), &[(key, value)]));
        assert_eq!(told, "no problem\n", "{key}={value}");
    }
    for value in ["\"platform = 'kick'\"", "'enabled'", "\"viewers > 5\""] {
        assert!(
            lines(from(super::REQUIRED.as_bytes(), &[("DB_FILTER", value)])).contains("is wrapped in quotes"),
            "{value}"
        );
    }
}

#[test]
fn a_column_of_ids_is_no_other_column() {
    let told = |pairs: &[(&str, &str)]| lines(from(super::REQUIRED.as_bytes(), pairs));
    expect![[r#"
        environment: DB_CHANNEL_ID_COLUMN: is the same column as DB_USERNAME_COLUMN; expected one of its own
    "#]]
    .assert_eq(&told(&[("DB_CHANNEL_ID_COLUMN", "username")]));
    expect![[r#"
        environment: DB_USER_ID_COLUMN: is the same column as DB_CHANNEL_ID_COLUMN; expected one of its own
    "#]]
    .assert_eq(&told(&[("DB_CHANNEL_ID_COLUMN", "kick"), ("DB_USER_ID_COLUMN", "kick")]));
    assert_eq!(told(&[("DB_USER_ID_COLUMN", "id")]), "no problem\n", "rows may be known by Kick's id");
}

#[test]
fn what_is_no_text_says_what_to_do() {
    use std::os::unix::ffi::OsStringExt;
    let environment = [("DB_FILTER".into(), std::ffi::OsString::from_vec(vec![b'a', 0xff]))].into();
    let sources = crate::config::Sources {
        file: "k.env",
        text: super::REQUIRED.as_bytes(),
        environment: &environment,
        read: &mut super::named_file,
        partial: false,
    };
    expect![[r#"
        environment: DB_FILTER: is not UTF-8 text; expected it in UTF-8
    "#]]
    .assert_eq(&lines(crate::config::parse(sources)));
}
