//! How a connection is made: libpq's `sslmode`, mapped to the three modes of the driver, and time limits for
//! everything that can hang. Never sends the start-up parameter `options`, which PgBouncer refuses.

use super::error::{DbError, Misfit, Obstacle, connecting};
use super::sql::identifier;
use crate::config::{DatabaseConfig, SslMode};
use crate::domain::way::is_loopback;
use native_tls::{Certificate, Protocol, TlsConnector};
use postgres::config::{Host, SslMode as Driver};
use postgres::error::SqlState;
use postgres::{Client, Config};
use postgres_native_tls::MakeTlsConnector;
use r2d2::ManageConnection;
use r2d2_postgres::PostgresConnectionManager;
use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::time::Duration;

/// The limit for connecting to each address of each host.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// A peer that acknowledges nothing for this long is considered dead.
const SILENCE_LIMIT: Duration = Duration::from_secs(15);
/// The idle time before the first keepalive probe, and the interval of the two after it.
const KEEPALIVE: Duration = Duration::from_secs(10);

pub(super) struct Connector {
    /// The configurations to try, in this order; several for `allow` and `prefer`.
    ways: Vec<PostgresConnectionManager<MakeTlsConnector>>,
    tls: MakeTlsConnector,
    /// The database for messages: `database "x" at host:port`.
    place: String,
    /// As whom, if the URL says so.
    role: Option<String>,
    ports: Vec<u16>,
    remote: bool,
}

impl Connector {
    /// Reads `sslrootcert`. Does not connect.
    pub(super) fn new(config: &DatabaseConfig) -> Result<Connector, DbError> {
        // The parser's own error message repeats nothing from the URL except names of parameters.
        let mut base: Config = config
            .url
            .reveal()
            .parse()
            .map_err(|error| DbError::Setup(Misfit::Table, format!("DATABASE_URL: {error}")))?;
        set_limits(&mut base);
        let tls = MakeTlsConnector::new(connector(config.sslmode, config.sslrootcert.as_deref())?);
        let ways = driver_modes(config.sslmode, &base)
            .iter()
            .map(|mode| PostgresConnectionManager::new(base.clone().ssl_mode(*mode).clone(), tls.clone()))
            .collect();
        let role = base.get_user().map(identifier);
        let ports = if base.get_ports().is_empty() { vec![5432] } else { base.get_ports().to_vec() };
        Ok(Connector { ways, tls, place: place(&base), role, ports, remote: is_remote(&base) })
    }

    /// Opens a connection outside the pool.
    pub(super) fn open(&self) -> Result<Client, DbError> {
        let mut last = None;
        for way in &self.ways {
            // The driver unwraps the result of its first step: without a free file descriptor it panics, and the pool
            // would count that connection as pending for ever (postgres 0.19, `Config::connect`).
            let made = panic::catch_unwind(AssertUnwindSafe(|| way.connect()));
            let made = made.map_err(|said| {
                let words = said.downcast_ref::<String>().map_or("without words", String::as_str);
                DbError::Connection(
                    Obstacle::Other,
                    format!("failed to connect to {}: the driver panicked: {words}", self.place),
                )
            })?;
            match made {
                Ok(client) => return Ok(client),
                Err(error) => {
                    // As in libpq: the other mode is tried if TLS caused the failure, not if the password was wrong.
                    let about_tls = error.code() == Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION)
                        || error.to_string().contains("TLS");
                    let error = connecting(&error, &self.place);
                    if !about_tls {
                        return Err(error);
                    }
                    last = Some(error);
                }
            }
        }
        Err(last
            .unwrap_or_else(|| DbError::Connection(Obstacle::Other, format!("no way to connect to {}", self.place))))
    }

    /// The TLS settings, for cancelling a statement.
    pub(super) fn tls(&self) -> MakeTlsConnector {
        self.tls.clone()
    }

    /// The database for messages, without secrets.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Returns true if we connect to this port on any host.
    pub(super) fn has_port(&self, port: i32) -> bool {
        self.ports.iter().any(|own| i32::from(*own) == port)
    }

    /// Returns true if any host is another machine.
    pub(super) fn is_remote(&self) -> bool {
        self.remote
    }

    /// The role that logs in, as SQL, for messages.
    pub(super) fn role(&self) -> &str {
        self.role.as_deref().unwrap_or("the daemon's role")
    }
}

fn is_remote(config: &Config) -> bool {
    let by_name = config.get_hosts().iter().any(|host| matches!(host, Host::Tcp(name) if !is_loopback(name)));
    by_name || config.get_hostaddrs().iter().any(|ip| !ip.is_loopback())
}

fn set_limits(config: &mut Config) {
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_LIMIT);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(SILENCE_LIMIT);
    }
    // The driver's default of two hours, which means that the URL does not set it.
    if config.get_keepalives_idle() == Duration::from_secs(2 * 60 * 60) {
        config.keepalives_idle(KEEPALIVE);
    }
    if config.get_keepalives_interval().is_none() {
        config.keepalives_interval(KEEPALIVE);
    }
    if config.get_keepalives_retries().is_none() {
        config.keepalives_retries(3);
    }
    if config.get_application_name().is_none() {
        config.application_name("kick-monitor");
    }
}

/// The sequence of driver modes that corresponds to libpq's mode.
fn driver_modes(mode: SslMode, config: &Config) -> &'static [Driver] {
    // As in libpq, no TLS through a Unix socket, whatever the mode.
    if config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_))) && config.get_hostaddrs().is_empty() {
        return &[Driver::Disable];
    }
    match mode {
        SslMode::Disable => &[Driver::Disable],
        SslMode::Allow => &[Driver::Disable, Driver::Require],
        SslMode::Prefer => &[Driver::Prefer, Driver::Disable],
        SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => &[Driver::Require],
    }
}

fn connector(mode: SslMode, root: Option<&Path>) -> Result<TlsConnector, DbError> {
    let mut builder = TlsConnector::builder();
    // libpq's default.
    builder.min_protocol_version(Some(Protocol::Tlsv12));
    // As in libpq, a file of authorities counts in every mode, and only the strict modes need it.
    let check_authority = match mode {
        SslMode::Disable => false,
        SslMode::Allow | SslMode::Prefer | SslMode::Require => root.is_some_and(Path::exists),
        SslMode::VerifyCa | SslMode::VerifyFull => true,
    };
    builder.danger_accept_invalid_certs(!check_authority);
    builder.danger_accept_invalid_hostnames(mode != SslMode::VerifyFull);
    if let (true, Some(path)) = (check_authority, root) {
        builder.disable_built_in_roots(true);
        let refuse = |error: String| {
            DbError::Setup(Misfit::Table, format!("failed to read sslrootcert {}: {error}", path.display()))
        };
        let pem = fs::read(path).map_err(|error| refuse(error.to_string()))?;
        let certificates = Certificate::stack_from_pem(&pem).map_err(|error| refuse(error.to_string()))?;
        if certificates.is_empty() {
            return Err(refuse("it holds no certificate".to_owned()));
        }
        for certificate in certificates {
            builder.add_root_certificate(certificate);
        }
    }
    let failed = |error| DbError::Setup(Misfit::Table, format!("failed to set up TLS for the database: {error}"));
    builder.build().map_err(failed)
}

fn place(config: &Config) -> String {
    let ports = config.get_ports();
    let port = |n: usize| ports.get(n).or(ports.first()).copied().unwrap_or(5432);
    let mut hosts: Vec<String> = config
        .get_hosts()
        .iter()
        .enumerate()
        .map(|(n, host)| match host {
            Host::Tcp(name) => format!("{name}:{}", port(n)),
            Host::Unix(path) => format!("{}:{}", path.display(), port(n)),
        })
        .collect();
    if hosts.is_empty() {
        hosts = config.get_hostaddrs().iter().enumerate().map(|(n, ip)| format!("{ip}:{}", port(n))).collect();
    }
    let name = config.get_dbname().or(config.get_user()).unwrap_or("");
    format!("database \"{name}\" at {}", hosts.join(", "))
}
