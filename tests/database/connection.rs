//! Connections: libpq's `sslmode`, Unix sockets, and connections that die in the pool.

use super::{fixture, open, refusal, shown, write};
use kick_monitor::config::{DatabaseConfig, SslMode};
use kick_monitor::domain::Status::{Offline, Online};
use kick_monitor::domain::row::WriteResult::Written;
use kick_monitor::domain::secret::Secret;

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
