//! TLS to Kick: the API and push alike trust the authority of `TLS_CA_FILE`, and nobody whose
//! certificate is wrong.

use super::stage::{PATIENCE, Stage, wait_change};
use kick_sim::{Certificate, Kick, Offer, Transport};
use lab::Builder;
use std::fs;
use std::path::{Path, PathBuf};

/// A Kick with such a certificate, and the file of the authority that it tells to trust.
fn stage(certificate: Certificate) -> (Stage, PathBuf) {
    stage_of(certificate, &["ana"])
}

fn stage_of(certificate: Certificate, streamers: &[&str]) -> (Stage, PathBuf) {
    let kick = Kick::builder().tls(certificate).start().expect("a port is free");
    let stage = Stage { kick, ..Stage::empty() }.add(streamers);
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.pem", stage.database.name()));
    fs::write(&file, stage.kick.ca_pem().expect("there is an authority")).expect("a file can be written");
    (stage, file)
}

/// Neither the API nor push is spoken to.
#[track_caller]
fn is_refused(stage: &Stage, builder: Builder) {
    // With an id of the table's, push does not wait for the API.
    stage.database.execute("ALTER TABLE streamers ADD channel bigint; UPDATE streamers SET channel = 1");
    let daemon = builder.set("DB_CHANNEL_ID_COLUMN", "channel").start();
    for event in ["token_unavailable", "realtime_disconnected"] {
        let line = daemon.wait_event(event, PATIENCE);
        assert!(line.key("reason").to_lowercase().contains("certificate"), "{}", line.text);
    }
    assert_eq!(stage.kick.requests().len(), 0, "no secret is told to a stranger");
}

#[test]
fn the_authority_of_the_file_is_trusted() {
    let (stage, file) = stage(Certificate::Right);
    let daemon = stage.start(stage.builder().set("TLS_CA_FILE", file.display().to_string()));
    stage.wait_followed(&["ana"]);
    stage.wait_status("ana", "Offline");
    stage.kick.set_api_lag(None);
    stage.kick.go_live("ana");
    assert_eq!(wait_change(&daemon, "ana", 2).key("source"), "push");
    fs::remove_file(file).expect("the file is there");
}

/// Debian's authorities are 0.9 MB: a thousand connections must not each hold them.
#[test]
fn many_connections_hold_the_authorities_once() {
    // Three on a connection: one of them, and twenty.
    let usernames: Vec<String> = (0..60).map(|n| format!("name{n}")).collect();
    let usernames: Vec<&str> = usernames.iter().map(String::as_str).collect();
    let held_with = |streamers: &[&str]| {
        let (stage, file) = stage_of(Certificate::Right, streamers);
        let builder = stage.builder().set("TLS_CA_FILE", file.display().to_string());
        let daemon = stage.start(builder.set("PUSHER_CHANNELS_PER_CONNECTION", "3"));
        stage.wait_followed(streamers);
        fs::remove_file(file).expect("the file is there");
        daemon.resident()
    };
    let (few, many) = (held_with(&usernames[..1]), held_with(&usernames));
    let each = many.saturating_sub(few) / 19;
    assert!(each < 500 * 1024, "each connection takes {each} bytes");
}

#[test]
fn the_broker_and_centrifugo_are_trusted_by_it_too() {
    let (stage, file) = stage(Certificate::Right);
    stage.kick.offer(&[Offer::Centrifugo]);
    let builder = stage.builder().set("TLS_CA_FILE", file.display().to_string()).set("REALTIME", "centrifugo");
    let daemon = stage.watch_over(Transport::Centrifugo, builder, &["ana"]);
    stage.assert_push_tells(&daemon, "ana");
    fs::remove_file(file).expect("the file is there");
}

#[test]
fn without_the_file_it_is_not() {
    let (stage, file) = stage(Certificate::Right);
    fs::remove_file(file).expect("the file is there");
    is_refused(&stage, stage.builder());
}

/// `update-ca-certificates` while the daemon runs.
#[test]
fn an_authority_that_the_platform_learns_is_trusted_from_the_next_connection_on() {
    let (stage, file) = stage(Certificate::Right);
    let platform = file.with_extension("platform");
    fs::write(&platform, "").expect("a file can be written");
    stage.database.execute("ALTER TABLE streamers ADD channel bigint; UPDATE streamers SET channel = 1");
    let builder = stage.builder().environment("SSL_CERT_FILE", platform.display().to_string());
    let daemon = builder.set("DB_CHANNEL_ID_COLUMN", "channel").start();
    daemon.wait_event("realtime_disconnected", PATIENCE);
    fs::rename(file, &platform).expect("a file can be written");
    daemon.wait_event("realtime_connected", PATIENCE);
    // The API's, too.
    stage.wait_status("ana", "Offline");
    fs::remove_file(platform).expect("the file is there");
}

#[test]
fn a_certificate_of_another_host_is_not_trusted() {
    let (stage, file) = stage(Certificate::WrongHost);
    is_refused(&stage, stage.builder().set("TLS_CA_FILE", file.display().to_string()));
    fs::remove_file(file).expect("the file is there");
}

#[test]
fn an_expired_certificate_is_not_trusted() {
    let (stage, file) = stage(Certificate::Expired);
    is_refused(&stage, stage.builder().set("TLS_CA_FILE", file.display().to_string()));
    fs::remove_file(file).expect("the file is there");
}
