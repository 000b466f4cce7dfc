//! Connections: libpq's `sslmode`, Unix sockets, and connections that die in the pool.

use super::{config, fixture, open, refusal, shown, write};
use kick_monitor::config::{DatabaseConfig, SslMode};
use kick_monitor::domain::Status::{Offline, Online};
use kick_monitor::domain::row::WriteResult::Written;
use kick_monitor::domain::secret::Secret;
use kick_monitor::domain::shards::Scope;
use kick_monitor::stop::Stop;
use lab::{Authority, Cluster};
use std::path::PathBuf;

const TABLE: &str = "CREATE TABLE streamers (id int PRIMARY KEY, username text, status text);
    INSERT INTO streamers VALUES (1, 'a', 'Offline')";

#[test]
fn connections_that_died_in_the_pool_are_not_noticed() {
    let (lab, config) = fixture(TABLE);
    let database = open(&config);
    let cut = || {
        lab.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
             WHERE datname = current_database() AND application_name = 'kick-monitor'",
        );
    };
    for status in [Online, Offline, Online] {
        // Two connections lie in the pool, both dead.
        std::thread::scope(|scope| {
            scope.spawn(|| shown(&database));
            shown(&database);
        });
        cut();
        assert_eq!(write(&database, &["1"], status), [Written]);
        cut();
        assert_eq!(shown(&database).len(), 1);
    }
}

#[test]
fn a_unix_socket_needs_no_tls_whatever_the_mode() {
    let (lab, config) = fixture(TABLE);
    for sslmode in [SslMode::Disable, SslMode::Prefer, SslMode::Require, SslMode::VerifyFull] {
        let config = DatabaseConfig { url: Secret::new(lab.socket_url()), sslmode, ..config.clone() };
        assert_eq!(shown(&open(&config)).len(), 1, "{sslmode:?}");
    }
}

#[test]
fn without_tls_on_the_server_the_modes_do_as_in_libpq() {
    let (_lab, config) = fixture(TABLE);
    for sslmode in [SslMode::Disable, SslMode::Allow, SslMode::Prefer] {
        assert_eq!(shown(&open(&DatabaseConfig { sslmode, ..config.clone() })).len(), 1, "{sslmode:?}");
    }
    for sslmode in [SslMode::Require, SslMode::VerifyCa, SslMode::VerifyFull] {
        let text = refusal(&DatabaseConfig { sslmode, ..config.clone() });
        assert!(text.contains("server does not support TLS"), "{sslmode:?}: {text}");
    }
}

/// Whether each mode, from `disable` to `verify-full`, gets through.
fn modes(url: &str, root: Option<PathBuf>) -> [bool; 6] {
    use SslMode::{Allow, Disable, Prefer, Require, VerifyCa, VerifyFull};
    [Disable, Allow, Prefer, Require, VerifyCa, VerifyFull].map(|sslmode| {
        let config = DatabaseConfig { sslmode, sslrootcert: root.clone(), ..config(url) };
        open(&config).read_roster(&Scope::All, &Stop::never()).is_ok()
    })
}

#[test]
fn the_ssl_modes_do_as_in_libpq() {
    let (ours, other) = (Authority::new(), Authority::new());
    let server = ours.certify("localhost");
    let files = [
        ("server.crt", server.certificate.as_str()),
        ("server.key", server.key.as_str()),
        ("ours.crt", &ours.pem()),
        ("other.crt", &other.pem()),
    ];
    let cluster = Cluster::start_with(
        "ssl = on",
        "hostssl all encrypted 127.0.0.1/32 scram-sha-256
        hostnossl all encrypted 127.0.0.1/32 reject
        hostssl all plain 127.0.0.1/32 reject
        host all either 127.0.0.1/32 scram-sha-256",
        &files,
    );
    let lab = cluster.database();
    lab.execute(TABLE);
    for role in ["encrypted", "plain", "either"] {
        lab.execute(&format!("CREATE ROLE {role} LOGIN PASSWORD 'p'; GRANT SELECT ON streamers TO {role}"));
    }
    let root = |name: &str| Some(cluster.data().join(name));
    let named = lab.url_as("encrypted", "p").replace("127.0.0.1", "localhost") + "?hostaddr=127.0.0.1";
    let numbered = lab.url_as("encrypted", "p");
    let plain = lab.url_as("plain", "p");
    let (t, f) = (true, false);
    assert_eq!(modes(&named, root("ours.crt")), [f, t, t, t, t, t], "our authority, the right name");
    assert_eq!(modes(&numbered, root("ours.crt")), [f, t, t, t, t, f], "our authority, another name");
    assert_eq!(modes(&named, root("other.crt")), [f, f, f, f, f, f], "each mode checks when it can");
    assert_eq!(modes(&named, None), [f, t, t, t, f, f], "the platform does not know our authority");
    assert_eq!(modes(&plain, None), [t, t, t, f, f, f], "the server wants no TLS");
    for sslmode in [SslMode::Allow, SslMode::Prefer, SslMode::Require] {
        let config = DatabaseConfig { sslmode, sslrootcert: root("none.crt"), ..config(&named) };
        assert_eq!(shown(&open(&config)).len(), 1, "{sslmode:?} does without the file");
    }
    let either = lab.url_as("either", "p").replace("127.0.0.1", "localhost") + "?hostaddr=127.0.0.1";
    let refused = DatabaseConfig { sslmode: SslMode::Prefer, sslrootcert: root("other.crt"), ..config(&either) };
    assert_eq!(shown(&open(&refused)).len(), 1, "prefer does without TLS that it cannot check");
    let encrypted =
        "SELECT count(*) FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) WHERE s.ssl AND usename = 'either'";
    assert_eq!(lab.value(encrypted).as_deref(), Some("0"));
}

#[test]
fn of_several_hosts_the_one_that_can_be_written_is_used() {
    let (first, second) = (Cluster::start(), Cluster::start());
    let (one, two) = (first.database(), second.database());
    assert_eq!(one.name(), two.name(), "one URL is for both");
    one.execute(TABLE);
    two.execute(TABLE);
    let hosts = format!("127.0.0.1:{},127.0.0.1:{}", first.port(), second.port());
    let url = one.url().replace(&format!("127.0.0.1:{}", first.port()), &hosts) + "?target_session_attrs=read-write";
    let database = open(&config(&url));
    assert_eq!(write(&database, &["1"], Online), [Written]);
    // The first comes back as a standby, in effect.
    one.execute(&format!("ALTER DATABASE {} SET default_transaction_read_only = on", one.name()));
    one.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'kick-monitor'");
    assert_eq!(write(&database, &["1"], Online), [Written]);
    assert_eq!(two.value("SELECT status FROM streamers").as_deref(), Some("Online"));
}
