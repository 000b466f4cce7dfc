//! The statement that puts ids into the table, run as it is printed.

use super::{config, fixture};
use kick_monitor::domain::{ChannelId, RowId, Slug, UserId};
use kick_monitor::gateway::database::{Target, set_ids};

/// Usernames that are the name `sino_tf`.
const SAME: [&str; 14] = [
    "sino_tf",
    "SINO-TF",
    "  Sino_Tf\t",
    "@sino_tf",
    "@ sino_tf",
    "kick.com/sino_tf",
    "https://kick.com/Sino_TF",
    "http://www.kick.com/sino_tf/",
    "https://kick.com/@sino_tf",
    "https://kick.com/popout/sino-tf/chat",
    "https://kick.com//popout//sino_tf",
    "https://player.kick.com/sino_tf?autoplay=true",
    "https://kick.com/sino_tf/videos/0199",
    " HTTPS://KICK.COM/SINO_TF#about",
];

/// Others.
const OTHERS: [&str; 10] = [
    "",
    "sino_tfx",
    "xsino_tf",
    "sino+tf",
    "sino_tf/x",
    "https://kick.com/category/sino_tf",
    "https://kick.com/sino_tfx",
    "https://kick.com/x/sino_tf",
    "https://notkick.com/sino_tf",
    "https://kick-com/sino_tf",
];

#[test]
fn a_name_hits_every_row_that_is_called_so_and_no_other() {
    let name = Slug::from_username("sino_tf").expect("usable");
    for username in SAME {
        assert!(Slug::from_username(username).is_ok_and(|slug| slug.is_spelling_of(&name)), "{username:?}");
    }
    for kind in ["text", "varchar(80)", "char(80)", "text COLLATE \"und-x-icu\""] {
        let sql = format!("CREATE TABLE streamers (username {kind}, status text, channel text, usr int, wanted bool)");
        let (lab, mut config) = fixture(&sql);
        for (username, wanted) in SAME.iter().map(|it| (it, true)).chain(OTHERS.iter().map(|it| (it, false))) {
            lab.execute(&format!("INSERT INTO streamers VALUES ('{username}', NULL, NULL, NULL, {wanted})"));
        }
        (config.channel_id_column, config.user_id_column) = (Some("channel".to_owned()), Some("usr".to_owned()));
        let statement = |channel| {
            set_ids(&config, Target::Name(&name), Some(UserId(676)), channel).expect("there is something to set")
        };
        let updated = format!("UPDATE {}\n", SAME.len());
        // Old settings of a server make escapes of backslashes.
        let script = format!("SET standard_conforming_strings = off;\n{}", statement(None));
        assert_eq!(lab.psql(&script), format!("SET\n{updated}"), "{kind}");
        assert_eq!(lab.psql(&statement(Some(ChannelId(668)))), updated, "{kind}");
        assert_eq!(lab.psql(&statement(Some(ChannelId(668)))), "UPDATE 0\n", "{kind}");
        let wrong = "SELECT string_agg(username, ',') FROM streamers
                     WHERE wanted IS DISTINCT FROM (channel IS NOT DISTINCT FROM '668' AND usr IS NOT DISTINCT FROM 676)";
        assert_eq!(lab.value(wrong), None, "{kind}");
    }
}

#[test]
fn a_row_is_found_by_its_id_whatever_that_is() {
    for (kind, id) in [
        ("bigint", "-7"),
        ("uuid", "01234567-89ab-cdef-0123-456789abcdef"),
        ("text", "o'ne\\'; DROP TABLE streamers; --"),
        ("text", "a'\\b\u{1b}[31m\u{9b}\u{202e}\t"),
        ("date", "2026-11-23"),
    ] {
        let (lab, mut config) = fixture(&format!("CREATE TABLE streamers (id {kind}, username text, channel bigint)"));
        config.channel_id_column = Some("channel".to_owned());
        lab.client().execute(&format!("INSERT INTO streamers VALUES ($1::text::{kind})"), &[&id]).expect("a row");
        let row = RowId::new(id);
        let statement = set_ids(&config, Target::Row(&row), Some(UserId(1)), Some(ChannelId(i64::MAX)));
        let statement = statement.expect("there is something to set");
        assert!(!statement.contains(|c: char| c.is_control() || c == '\u{202e}'), "{statement:?}");
        assert_eq!(lab.psql(&statement), "UPDATE 1\n", "{kind}");
        assert_eq!(lab.value("SELECT channel FROM streamers"), Some(i64::MAX.to_string()), "{kind}");
    }
}

#[test]
fn without_a_column_or_an_id_there_is_no_statement() {
    let mut config = config("postgres://db/live");
    let set = |config: &_, user, channel| set_ids(config, Target::Row(&RowId::new("1")), user, channel);
    assert_eq!(set(&config, Some(UserId(1)), Some(ChannelId(2))), None);
    config.user_id_column = Some("who".to_owned());
    assert_eq!(set(&config, None, Some(ChannelId(2))), None);
    let statement = r#"UPDATE "streamers" SET "who" = '1' WHERE "id" = '1' AND ("who" IS DISTINCT FROM '1');"#;
    assert_eq!(set(&config, Some(UserId(1)), Some(ChannelId(2))).as_deref(), Some(statement));
}
