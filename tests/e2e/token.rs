//! Tokens that end early or cannot be had, and secrets that stay secret.

use super::stage::{PATIENCE, Stage, wait_change};
use kick_sim::{ExpiresIn, Face, Fault};
use lab::{Daemon, wait_for};

/// So many events of a name, waited for.
#[track_caller]
fn wait_events(daemon: &Daemon, name: &str, count: usize) {
    wait_for(&format!("{count} events {name}"), PATIENCE, || (daemon.events(name).len() >= count).then_some(()));
}

/// The requests to the API that were answered with 401.
fn unauthorized(stage: &Stage) -> usize {
    stage.kick.requests().iter().filter(|request| request.status == Some(401)).count()
}

#[test]
fn a_revoked_token_is_replaced_once_and_changes_no_status() {
    let stage = Stage::with(&["ana", "bob"]);
    stage.kick.go_live("bob");
    let daemon = stage.start(stage.builder().set("SWEEP_SECS", "1"));
    stage.wait_status("bob", "Online");
    stage.wait_status("ana", "Offline");
    stage.kick.revoke_tokens();
    wait_events(&daemon, "token_refreshed", 2);
    let sweeps = daemon.events("sweep_done").len();
    wait_events(&daemon, "sweep_done", sweeps + 2);
    assert_eq!(stage.kick.count(Face::OAuth), 2);
    assert_eq!(unauthorized(&stage), 1, "the question is repeated with the new token");
    assert!(daemon.events("api_error").is_empty());
    assert_eq!((stage.written("ana").len(), stage.written("bob").len()), (1, 1));
    stage.kick.go_live_silently("ana");
    assert_eq!(wait_change(&daemon, "ana", 2).key("source"), "sweep");
}

#[test]
fn a_token_is_renewed_before_it_ends_however_its_life_is_said() {
    for life in [ExpiresIn::Seconds(12), ExpiresIn::Quoted(12)] {
        let stage = Stage::with(&["ana"]);
        stage.kick.set_expires_in(life);
        let daemon = stage.start(stage.builder().set("SWEEP_SECS", "1"));
        wait_events(&daemon, "token_refreshed", 2);
        assert_eq!(daemon.events("token_refreshed")[0].key("expires_in"), "12");
        let oauth: Vec<_> =
            stage.kick.requests().into_iter().filter(|request| request.face == Face::OAuth).map(|it| it.at).collect();
        assert!((oauth[1] - oauth[0]).as_secs_f64() >= 8.9, "not before three quarters of its life");
        assert_eq!(unauthorized(&stage), 0);
    }
}

#[test]
fn refused_credentials_are_said_and_push_goes_on() {
    let stage = Stage::with(&["ana"]);
    let daemon = stage.builder().set("KICK_CLIENT_SECRET", "wrong-secret").start();
    let line = daemon.wait_event("token_refused", PATIENCE);
    assert!(line.text.contains("KICK_CLIENT_SECRET") && line.key("reason").contains("invalid_client"), "{}", line.text);
    stage.wait_followed(&["ana"]);
    stage.kick.go_live("ana");
    assert_eq!(wait_change(&daemon, "ana", 1).key("status"), "Online");
    stage.kick.stop("ana");
    assert_eq!(wait_change(&daemon, "ana", 2).key("status"), "Offline");
    assert!(stage.kick.count(Face::OAuth) <= 4, "refused credentials are tried rarely");
    assert_eq!(stage.kick.count(Face::API), 0);
    assert!(daemon.lines_from(0).iter().all(|line| !line.text.contains("wrong-secret")));
}

/// An outage of the token endpoint is said, and heals by itself.
#[track_caller]
fn heals(fault: Fault) {
    let stage = Stage::with(&["ana"]);
    stage.kick.go_live("ana");
    stage.kick.fault(Face::OAuth, fault);
    let daemon = stage.builder().start();
    daemon.wait_event("token_unavailable", PATIENCE);
    assert!(daemon.events("token_refused").is_empty());
    stage.kick.clear_fault(Face::OAuth);
    daemon.wait_event("ready", PATIENCE);
    stage.wait_status("ana", "Online");
    assert!(stage.kick.count(Face::OAuth) <= 8);
}

#[test]
fn a_firewall_before_the_token_endpoint_is_waited_out() {
    heals(Fault::challenge());
}

#[test]
fn an_empty_400_of_the_token_endpoint_is_waited_out() {
    heals(Fault::empty_400());
}

#[test]
fn a_silent_token_endpoint_is_waited_out() {
    heals(Fault::Silent);
}

#[test]
fn no_secret_is_ever_logged() {
    let stage = Stage::with(&["ana"]);
    stage.database.execute(
        "CREATE ROLE watcher LOGIN SUPERUSER PASSWORD 'database-word'; ALTER ROLE watcher SET log_statement = 'none'",
    );
    let url = stage.database.url_as("watcher", "database-word");
    let daemon = stage.start(stage.builder().set("LOG_LEVEL", "trace").set("SWEEP_SECS", "1").set("DATABASE_URL", url));
    stage.wait_followed(&["ana"]);
    stage.wait_status("ana", "Offline");
    // Whatever can go wrong near a secret does.
    stage.kick.fault(Face::OAuth, Fault::challenge());
    stage.kick.revoke_tokens();
    daemon.wait_event("token_unavailable", PATIENCE);
    stage.kick.fault(Face::API, Fault::Garbage);
    stage.kick.clear_fault(Face::OAuth);
    daemon.wait_event("api_error", PATIENCE);
    stage.kick.clear_fault(Face::API);
    stage.kick.close_push(1001, "bye");
    daemon.wait_event("realtime_disconnected", PATIENCE);
    stage.database.execute(
        "ALTER ROLE watcher PASSWORD 'another';
         SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'watcher'",
    );
    let line = daemon.wait_event("db_unavailable", PATIENCE);
    assert!(line.key("reason").contains("check the user and password"), "{}", line.text);
    stage.database.execute("ALTER ROLE watcher PASSWORD 'database-word'");
    daemon.wait_event("db_recovered", PATIENCE);
    assert!(daemon.stop(PATIENCE).success());
    for secret in [stage.kick.client_secret(), "database-word", "app-token-"] {
        let told: Vec<_> = daemon.lines_from(0).into_iter().filter(|line| line.text.contains(secret)).collect();
        assert!(told.is_empty(), "{secret}: {told:?}");
    }
}
