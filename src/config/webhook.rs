//! `WEBHOOK_LISTEN` and `WEBHOOK_PATH`: where webhooks are taken.

use super::Listen;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The longest path of a Unix socket (unix(7)), in bytes.
const SOCKET_PATH_MAX: usize = 107;
/// The longest `WEBHOOK_PATH`, in bytes.
const PATH_MAX: usize = 200;

/// What `WEBHOOK_LISTEN` may be.
pub(super) const LISTEN: &str = "127.0.0.1:PORT, [::1]:PORT or unix:/PATH";
/// What `WEBHOOK_PATH` may be.
pub(super) const PATH: &str = "the path of a URL, such as /kick, without ? and #";

/// Reads `WEBHOOK_LISTEN`.
pub(super) fn listen(text: &str) -> Result<Listen, String> {
    if let Some(path) = text.strip_prefix("unix:") {
        return match path {
            path if !path.starts_with('/') => Err("has a relative path; expected unix:/PATH".to_owned()),
            path if path.len() > SOCKET_PATH_MAX => {
                Err(format!("has a path of {} bytes; expected {SOCKET_PATH_MAX} at most", path.len()))
            }
            path if path.ends_with('/') => Err("names a directory; expected the path of a socket".to_owned()),
            path => Ok(Listen::Unix(PathBuf::from(path))),
        };
    }
    let address: SocketAddr = text.parse().map_err(|_| format!("is not an address; expected {LISTEN}"))?;
    // The kernel would choose another port at each start, and no proxy would know it.
    if address.port() == 0 {
        return Err(format!("has no port; expected {LISTEN}"));
    }
    Ok(Listen::Tcp(address))
}

/// Reads `WEBHOOK_PATH`.
pub(super) fn path(text: &str) -> Result<String, String> {
    let fits = |b: u8| b.is_ascii_graphic() && !br#"?#"<>\^`{|}"#.contains(&b);
    if text.starts_with('/') && text.len() <= PATH_MAX && text.bytes().all(fits) {
        return Ok(text.to_owned());
    }
    Err(format!("is not a path; expected {PATH}, at most {PATH_MAX} bytes"))
}
