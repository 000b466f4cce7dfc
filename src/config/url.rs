//! URLs, checked here once for the whole program: TLS unless the host is this machine, and no user or fragment. Those of
//! Kick's interfaces have no query either.

use super::WebUrl;
use crate::domain::way::is_loopback;
use std::net::Ipv6Addr;

impl WebUrl {
    /// Reads a URL that has the scheme `tls`, or on a loopback host the scheme `plain`. The error
    /// completes the sentence "the URL …".
    pub(super) fn parse(text: &str, tls: &str, plain: &str) -> Result<WebUrl, String> {
        // http::Uri ignores a fragment.
        if text.contains(['?', '#']) {
            return Err("has a query or a fragment; expected none".to_owned());
        }
        let uri: http::Uri = text.parse().map_err(|e| format!("is not a URL ({e}); expected {tls}://HOST/PATH"))?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(format!("is not a whole URL; expected {tls}://HOST/PATH"));
        };
        if authority.as_str().contains('@') {
            return Err("has a user name or password; expected none".to_owned());
        }
        let scheme = scheme.to_ascii_lowercase();
        let (host, port) = split_authority(authority.as_str())?;
        let is_tls = scheme == tls;
        if !is_tls && scheme != plain {
            return Err(format!("has the scheme {scheme}; expected {tls}://HOST/PATH"));
        }
        if !is_tls && !is_loopback(&host) {
            return Err(format!(
                "is not encrypted, which is allowed for hosts on this machine only; expected {tls}://"
            ));
        }
        if !uri.path().bytes().all(|b| b.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&b)) {
            return Err("has a character in its path that URLs cannot have; expected it percent-encoded".to_owned());
        }
        let path = uri.path().trim_end_matches('/').to_owned();
        let text = format!("{scheme}://{}{path}", authority.as_str().to_ascii_lowercase());
        Ok(WebUrl { tls: is_tls, host, port: port.unwrap_or(if is_tls { 443 } else { 80 }), path, text })
    }

    /// Whether the host is this machine.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }
}

/// A URL of `https`, or of `http` on a loopback host, that may have a query, as it was given: what is behind the host is
/// for its server to know.
pub(super) fn any_https(text: &str) -> Result<String, String> {
    let (address, query) = text.split_once('?').unwrap_or((text, ""));
    WebUrl::parse(address, "https", "http")?;
    if !query.bytes().all(|b| b.is_ascii_graphic() && !b"\"#<>\\^`{|}".contains(&b)) {
        return Err("has a character in its query that URLs cannot have; expected it percent-encoded".to_owned());
    }
    Ok(text.to_owned())
}

/// Host, in lower case and without brackets, and port.
fn split_authority(authority: &str) -> Result<(String, Option<u16>), String> {
    let (host, port) = match authority.rsplit_once(':') {
        // The colons of an IPv6 address are inside of brackets.
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let port = match port.map(str::parse) {
        None => None,
        Some(Ok(0) | Err(_)) => return Err("has a bad port; expected a number from 1 to 65535".to_owned()),
        Some(Ok(port)) => Some(port),
    };
    let inner = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    let good = match inner {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b)),
    };
    if !good {
        return Err("has a bad host; expected a name or an address, [in brackets] for IPv6".to_owned());
    }
    Ok((inner.unwrap_or(host).to_ascii_lowercase(), port))
}
