//! What the driver lacks of libpq's connection URL: `sslmode` and `sslrootcert` are taken out, a missing host
//! becomes libpq's default, and mistakes that the driver would find only on connecting are found now.
//!
//! The rest of the URL stays as it was written, percent-encoding included. Of the URL, no message
//! of this file contains more than the name of a parameter.

use super::SslMode;
use postgres::config::Host;
use std::error::Error;
use std::path::PathBuf;

/// The directory of the local socket, where libpq on Debian looks for the server when no host is named.
const SOCKET_DIR: &str = "/var/run/postgresql";

/// A URL that has been taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DatabaseUrl {
    /// Without `sslmode` and `sslrootcert`; parses as a `postgres::Config`.
    pub(super) url: String,
    /// libpq's `sslmode`.
    pub(super) sslmode: SslMode,
    /// `sslrootcert`; `None` for the platform's authorities.
    pub(super) sslrootcert: Option<PathBuf>,
}

/// Takes a URL apart. The error completes the sentence "the value …".
pub(super) fn parse(text: &str) -> Result<DatabaseUrl, String> {
    let (scheme, rest) = text.split_once("://").unwrap_or_default();
    if !matches!(scheme, "postgres" | "postgresql") {
        return Err("is not a database URL; expected postgres://USER:PASSWORD@HOST:PORT/DATABASE".to_owned());
    }
    // As in libpq, user and password are what stands before an @ that comes before any slash.
    let credentials = rest.find(['@', '/']).filter(|at| rest[*at..].starts_with('@')).map_or(0, |at| at + 1);
    let (credentials, rest) = rest.split_at(credentials);
    if rest.contains('@') {
        // Most likely a password that is not encoded: then a piece of it would be taken for a host or a
        // parameter, tried, and shown in messages.
        return Err("has one @ too many or in the wrong place; percent-encode special characters of the password \
                    (@ as %40, / as %2F, : as %3A)"
            .to_owned());
    }
    let (address, query) = rest.split_once('?').unwrap_or((rest, ""));

    let mut sslmode = None;
    let mut sslrootcert = None;
    let mut kept = Vec::new();
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let Some((key, value)) = parameter.split_once('=') else {
            return Err("has a parameter without a value; expected ?NAME=VALUE&NAME=VALUE".to_owned());
        };
        match percent_decoded(key)?.as_str() {
            "sslmode" => sslmode = Some(ssl_mode(&percent_decoded(value)?)?),
            "sslrootcert" => sslrootcert = Some(percent_decoded(value)?).filter(|path| !path.is_empty()),
            _ => kept.push(parameter),
        }
    }
    let (sslmode, sslrootcert) = combine(sslmode, sslrootcert)?;

    let rebuilt = |kept: &[&str]| {
        let mark = if kept.is_empty() { "" } else { "?" };
        format!("{scheme}://{credentials}{address}{mark}{}", kept.join("&"))
    };
    let mut config = driver_config(&rebuilt(&kept))?;
    let default_host = format!("host={SOCKET_DIR}");
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        kept.push(&default_host);
        config = driver_config(&rebuilt(&kept))?;
    }
    check_hosts(&config)?;
    Ok(DatabaseUrl { url: rebuilt(&kept), sslmode, sslrootcert })
}

fn ssl_mode(word: &str) -> Result<SslMode, String> {
    Ok(match word {
        "disable" => SslMode::Disable,
        "allow" => SslMode::Allow,
        "prefer" => SslMode::Prefer,
        "require" => SslMode::Require,
        "verify-ca" => SslMode::VerifyCa,
        "verify-full" => SslMode::VerifyFull,
        _ => {
            let expected = "disable, allow, prefer, require, verify-ca, verify-full";
            return Err(format!("has an unknown sslmode; expected one of {expected}"));
        }
    })
}

/// Both together: libpq's `sslrootcert=system` implies `verify-full` and allows no weaker mode.
fn combine(mode: Option<SslMode>, cert: Option<String>) -> Result<(SslMode, Option<PathBuf>), String> {
    match cert {
        None => Ok((mode.unwrap_or(SslMode::Prefer), None)),
        Some(cert) if cert == "system" => match mode {
            None | Some(SslMode::VerifyFull) => Ok((SslMode::VerifyFull, None)),
            Some(_) => Err("has sslrootcert=system with a weaker sslmode; expected sslmode=verify-full".to_owned()),
        },
        Some(cert) if !cert.starts_with('/') => {
            Err("has a relative sslrootcert; expected an absolute path or \"system\"".to_owned())
        }
        Some(cert) => Ok((mode.unwrap_or(SslMode::Prefer), Some(PathBuf::from(cert)))),
    }
}

fn driver_config(url: &str) -> Result<postgres::Config, String> {
    url.parse().map_err(|error: postgres::Error| {
        // The cause names a parameter, never a value.
        let cause = error.source().map(ToString::to_string).unwrap_or_default();
        format!("cannot be used by the driver ({cause}); expected postgres://USER:PASSWORD@HOST:PORT/DATABASE")
    })
}

/// Finds mistakes that the driver reports only when it connects, or not at all.
fn check_hosts(config: &postgres::Config) -> Result<(), String> {
    let (hosts, addresses, ports) = (config.get_hosts(), config.get_hostaddrs(), config.get_ports());
    if hosts.iter().any(|host| matches!(host, Host::Tcp(name) if name.is_empty() || name.contains(','))) {
        return Err("has an empty host or several in one; expected postgres://HOST:PORT,HOST:PORT/DATABASE".to_owned());
    }
    if !hosts.is_empty() && !addresses.is_empty() && hosts.len() != addresses.len() {
        return Err("has different numbers of hosts and of hostaddr; expected one hostaddr for each host".to_owned());
    }
    if ports.len() > 1 && ports.len() != hosts.len().max(addresses.len()) {
        return Err(
            "has different numbers of ports and of hosts; expected one port for each host, or one for all".to_owned()
        );
    }
    Ok(())
}

/// Decodes as the driver and libpq do: a `%` that encodes nothing stands for itself.
fn percent_decoded(text: &str) -> Result<String, String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let digit =
            |at: usize| after.get(at).and_then(|b| char::from(*b).to_digit(16)).and_then(|d| u8::try_from(d).ok());
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                out.push(high * 16 + low);
                rest = &after[2..];
            }
            _ => {
                out.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8(out).map_err(|_| "has a percent-encoded parameter that is not UTF-8".to_owned())
}
