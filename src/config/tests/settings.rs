//! What good values mean.

use super::super::{Config, Listen, Sources, WebUrl, parse};
use super::{REQUIRED, from, lines, named_file, with_required};
use crate::domain::secret::Secret;
use expect_test::expect;
use std::time::Duration;

fn good(text: &str) -> Config {
    with_required(text).expect("good")
}

#[test]
fn defaults() {
    let config = good("");
    assert_eq!(config.rules.heartbeat, Some(Duration::from_secs(300)));
    expect![[r#"
        Config {
            kick: KickConfig {
                client_id: "id",
                client_secret: Secret(…),
                oauth_url: WebUrl {
                    tls: true,
                    host: "id.kick.com",
                    port: 443,
                    path: "/oauth/token",
                    text: "https://id.kick.com/oauth/token",
                },
                api_url: WebUrl {
                    tls: true,
                    host: "api.kick.com",
                    port: 443,
                    path: "/public/v1",
                    text: "https://api.kick.com/public/v1",
                },
                web_url: WebUrl {
                    tls: true,
                    host: "kick.com",
                    port: 443,
                    path: "",
                    text: "https://kick.com",
                },
                tls_ca: None,
            },
            database: DatabaseConfig {
                url: Secret(…),
                sslmode: Prefer,
                sslrootcert: None,
                table: "\"streamers\"",
                id_column: "id",
                username_column: "username",
                status_column: "status",
                online_value: "Online",
                offline_value: "Offline",
                channel_id_column: None,
                user_id_column: None,
                changed_at_column: None,
                started_at_column: None,
                shards: 1,
                coordination: Auto,
                filter: None,
                pool_size: 2,
                synchronous_commit: "off",
                notify_channel: None,
            },
            roster: RosterConfig {
                poll: 10s,
                notify_channel: None,
            },
            push: PushConfig {
                only: None,
                pusher_url: WebUrl {
                    tls: true,
                    host: "ws-us2.pusher.com",
                    port: 443,
                    path: "",
                    text: "wss://ws-us2.pusher.com",
                },
                pusher_app_key: "32cbd69e4b950bf97679",
                realtime_url: WebUrl {
                    tls: true,
                    host: "web.kick.com",
                    port: 443,
                    path: "/api/v1/realtime",
                    text: "https://web.kick.com/api/v1/realtime",
                },
                channels_per_connection: 100,
                channel_names: [
                    "channel.{id}",
                ],
                live_events: [
                    "App\\Events\\StreamerIsLive",
                    "StreamerIsLive",
                ],
                stop_events: [
                    "App\\Events\\StopStreamBroadcast",
                    "StopStreamBroadcast",
                ],
                tls_ca: None,
            },
            webhook: None,
            rules: RulesConfig {
                sweep: 60s,
                sweep_uncovered: 3s,
                hold: 90s,
                offline_delay: 0ns,
                batch: 25,
                requests_per_minute: 60,
                heartbeat: Some(
                    300s,
                ),
            },
            heartbeat: HeartbeatConfig {
                url: None,
                every: Some(
                    300s,
                ),
                tls_ca: None,
            },
            log: LogConfig {
                level: Info,
                target: Syslog,
                facility: "daemon",
            },
            files: FilesConfig {
                metrics_file: None,
                state_dir: "/var/lib/kick-monitor",
                run_dir: "/run/kick-monitor",
            },
        }
    "#]]
    .assert_debug_eq(&config);
}

#[test]
fn zero_heartbeat_is_none_and_zero_hold_is_zero() {
    let rules = good("HEARTBEAT_SECS=0\nPUSH_HOLD_SECS=0\n").rules;
    assert_eq!((rules.heartbeat, rules.hold), (None, Duration::ZERO));
}

#[test]
fn a_heartbeat_url_may_have_a_query_and_is_a_secret() {
    for url in [
        "https://hc-ping.com/5f3c-secret",
        "https://kuma.example.org/api/push/tok?status=up&msg=OK&ping=",
        "http://[::1]:8/x/",
    ] {
        let heartbeat = good(&format!("HEARTBEAT_URL='{url}'\n")).heartbeat;
        assert_eq!(heartbeat.url.as_ref().map(Secret::reveal), Some(url));
        assert!(!format!("{heartbeat:?}").contains(url), "{heartbeat:?}");
    }
}

#[test]
fn an_empty_optional_key_is_none() {
    assert_eq!(good("DB_FILTER=\nTLS_CA_FILE=\nDB_USER_ID_COLUMN=''\n"), good(""));
}

#[test]
fn tables_are_read_as_sql_does() {
    for (text, quoted) in [
        ("Streamers", r#""streamers""#),
        ("Live.Kick$_1", r#""live"."kick$_1""#),
        (r#""Live Stuff"."Kick Users""#, r#""Live Stuff"."Kick Users""#),
        (r#"live . "a.b""c""#, r#""live"."a.b""c""#),
        ("Größe", r#""größe""#),
    ] {
        assert_eq!(good(&format!("DB_TABLE='{text}'\n")).database.table, quoted);
    }
}

#[test]
fn columns_and_filters_are_taken_as_they_are() {
    let database = good("DB_ID_COLUMN='Row \"Id\"'\nDB_FILTER=\"platform = 'kick'\n  AND enabled\"\n").database;
    assert_eq!(database.id_column, "Row \"Id\"");
    assert_eq!(database.filter.as_deref(), Some("platform = 'kick'\n  AND enabled"));
}

#[test]
fn urls_lose_their_trailing_slash_and_keep_their_port() {
    let url = |text: &str| good(&format!("KICK_API_URL={text}\n")).kick.api_url;
    let of = |tls, host: &str, port, path: &str, text: &str| WebUrl {
        tls,
        host: host.to_owned(),
        port,
        path: path.to_owned(),
        text: text.to_owned(),
    };
    assert_eq!(url("https://Api.kick.com/v1/"), of(true, "api.kick.com", 443, "/v1", "https://api.kick.com/v1"));
    assert_eq!(url("http://127.0.0.1:8080//"), of(false, "127.0.0.1", 8080, "", "http://127.0.0.1:8080"));
    assert_eq!(url("http://[::1]:1/A%20b"), of(false, "::1", 1, "/A%20b", "http://[::1]:1/A%20b"));
    assert_eq!(url("HTTP://LOCALHOST"), of(false, "localhost", 80, "", "http://localhost"));
    assert!(url("http://127.8.8.8").is_loopback() && !url("https://kick.com").is_loopback());
    let pusher = good("PUSHER_URL=ws://localhost:6001/\n").push.pusher_url;
    assert_eq!(pusher, of(false, "localhost", 6001, "", "ws://localhost:6001"));
}

#[test]
fn channel_names_are_a_list() {
    let names = good("CHANNEL_NAMES='channel.{id}, channel_{id}'\n").push.channel_names;
    assert_eq!(names, ["channel.{id}", "channel_{id}"]);
}

#[test]
fn webhooks_are_taken_at_an_address_or_a_socket() {
    let taken = |text: &str| {
        let webhook = good(&format!("WEBHOOK_LISTEN={text}\n")).webhook.expect("webhooks are on");
        assert_eq!(webhook.path, "/kick");
        webhook.listen
    };
    for text in ["127.0.0.1:8443", "[::1]:1", "0.0.0.0:65535", "192.0.2.1:80"] {
        assert_eq!(taken(text), Listen::Tcp(text.parse().expect("an address")));
        assert_eq!(taken(text).to_string(), text);
    }
    assert_eq!(taken("unix:/run/kick/w.sock"), Listen::Unix("/run/kick/w.sock".into()));
    let both = good("WEBHOOK_LISTEN=127.0.0.1:1\nWEBHOOK_PATH=/kick-monitor/0123456789/%20\n").webhook;
    assert_eq!(both.map(|webhook| webhook.path).as_deref(), Some("/kick-monitor/0123456789/%20"));
    assert_eq!(good("WEBHOOK_PATH=/\n").webhook, None, "a path alone takes nothing");
}

#[test]
fn certificates_reach_both_that_speak_tls() {
    let config = good("TLS_CA_FILE=/ca\n");
    assert!(config.kick.tls_ca.as_ref().is_some_and(|pem| pem.contains("BEGIN CERTIFICATE")));
    assert_eq!(config.kick.tls_ca, config.push.tls_ca);
}

#[test]
fn the_environment_overrides_the_file_and_strangers_in_it_are_passed_over() {
    let environment = [("SWEEP_SECS", "7"), ("KICK_CLIENT_ID", "p$a ss"), ("KICK_NONSENSE", "x"), ("DB_FILTER", "")];
    let config = from(format!("{REQUIRED}SWEEP_SECS=9\nDB_FILTER=a\n").as_bytes(), &environment).expect("good");
    assert_eq!((config.rules.sweep, config.kick.client_id.as_str()), (Duration::from_secs(7), "p$a ss"));
    assert_eq!(config.database.filter, None);
}

#[test]
fn a_secret_comes_from_either_key_and_the_environment_overrides_both() {
    let secret = |file: &str, environment: &[(&str, &str)]| {
        let text = format!("KICK_CLIENT_ID=id\nDATABASE_URL=postgres://db\n{file}\n");
        from(text.as_bytes(), environment).expect("good").kick.client_secret.reveal().to_owned()
    };
    let (plain, named) = ("KICK_CLIENT_SECRET", "KICK_CLIENT_SECRET_FILE");
    assert_eq!(secret("KICK_CLIENT_SECRET='p$ss'", &[]), "p$ss");
    assert_eq!(secret("KICK_CLIENT_SECRET_FILE=/secret", &[]), "from-file");
    assert_eq!(secret("KICK_CLIENT_SECRET_FILE=/secret.crlf", &[]), "from-file");
    assert_eq!(secret("KICK_CLIENT_SECRET=\nKICK_CLIENT_SECRET_FILE=/secret", &[]), "from-file");
    assert_eq!(secret("KICK_CLIENT_SECRET=file", &[(named, "/secret")]), "from-file");
    assert_eq!(secret("KICK_CLIENT_SECRET_FILE=/secret", &[(plain, "env")]), "env");
    assert_eq!(secret("KICK_CLIENT_SECRET=file", &[(plain, "env")]), "env");
}

#[test]
fn a_command_may_do_without_credentials_and_a_database() {
    let parse = |environment: &[(&str, &str)]| {
        let environment = environment.iter().map(|(key, value)| (key.into(), value.into())).collect();
        let file = "environment";
        parse(Sources { file, text: b"", environment: &environment, read: &mut named_file, partial: true })
    };
    let config = parse(&[("KICK_WEB_URL", "http://127.0.0.1:1")]).expect("nothing more is needed");
    assert_eq!((config.kick.web_url.text.as_str(), config.kick.client_id.as_str()), ("http://127.0.0.1:1", ""));
    assert_eq!((config.kick.client_secret.reveal(), config.database.url.reveal()), ("", ""));
    expect![[r#"
        environment: KICK_WEB_URL: "http://kick.com" is not encrypted, which is allowed for hosts on this machine only; expected https://
    "#]]
    .assert_eq(&lines(parse(&[("KICK_WEB_URL", "http://kick.com")])));
}
