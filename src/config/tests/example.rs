//! The example that ships: complete, true about the defaults, and ready once the required keys are
//! filled in.

use super::super::keys::KEYS;
use super::{REQUIRED, from, lines};
use expect_test::expect;
use std::collections::BTreeMap;

const EXAMPLE: &str = include_str!("../../../etc/kick-monitor.env");

/// The entries of the example, those that are commented out (`#KEY=value`) included.
fn entries() -> Vec<(&'static str, &'static str)> {
    let is_entry = |line: &&str| line.trim_start_matches('#').starts_with(|c: char| c.is_ascii_uppercase());
    let lines = EXAMPLE.lines().filter(is_entry);
    lines.filter_map(|line| line.trim_start_matches('#').split_once('=')).collect()
}

#[test]
fn as_shipped_it_lacks_the_required_values_alone() {
    expect![[r#"
        k.env:21: KICK_CLIENT_ID: is empty; expected the client id of your Kick app
        k.env:22: KICK_CLIENT_SECRET: is empty; expected the client secret of your Kick app, or KICK_CLIENT_SECRET_FILE
        k.env:33: DATABASE_URL: is empty; expected postgres://USER:PASSWORD@HOST:PORT/DATABASE, or DATABASE_URL_FILE
    "#]]
    .assert_eq(&lines(from(EXAMPLE.as_bytes(), &[])));
}

#[test]
fn it_has_every_key_once_with_its_default() {
    let expected: Vec<_> = KEYS.iter().map(|key| (key.name, key.default.unwrap_or_default())).collect();
    let unquoted = |(key, value): &(&'static str, &'static str)| (*key, value.trim_matches('\''));
    let sorted = |entries: &[_]| entries.iter().map(unquoted).collect::<BTreeMap<_, _>>();
    assert_eq!(sorted(&entries()), sorted(&expected));
    assert_eq!(entries().len(), KEYS.len());
}

#[test]
fn filled_in_it_is_the_defaults() {
    let filled = |text: &str| {
        REQUIRED.lines().fold(text.to_owned(), |text, line| {
            let (key, _) = line.split_once('=').expect("an entry");
            text.replace(&format!("\n{key}=\n"), &format!("\n{line}\n"))
        })
    };
    let defaults = from(REQUIRED.as_bytes(), &[]);
    assert!(defaults.is_ok());
    assert_eq!(from(filled(EXAMPLE).as_bytes(), &[]), defaults);

    let uncommented: String = entries().iter().map(|(key, value)| format!("\n{key}={value}\n")).collect();
    assert_eq!(from(filled(&uncommented).as_bytes(), &[]), defaults);
}
