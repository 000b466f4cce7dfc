//! Messages to the service manager: sd_notify(3), including its watchdog. Nothing is sent without `NOTIFY_SOCKET`,
//! and a failure to send is ignored.

use crate::domain::text::shown;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// The socket of the service manager, if there is one.
#[derive(Debug)]
pub(super) struct Notify(Option<UnixDatagram>);

impl Notify {
    /// Uses the socket named by `NOTIFY_SOCKET`: a path, or `@` and an abstract name.
    pub(super) fn from_env() -> Notify {
        Notify::to(std::env::var_os("NOTIFY_SOCKET").as_deref())
    }

    fn to(address: Option<&OsStr>) -> Notify {
        Notify(address.and_then(|address| connect(address.as_bytes()).ok()))
    }

    /// The start, or a reload, is complete.
    pub(super) fn ready(&self) {
        self.send("READY=1");
    }

    /// The configuration is being read again. [`Notify::ready`] must follow.
    pub(super) fn reloading(&self) {
        self.send("RELOADING=1");
    }

    pub(super) fn stopping(&self) {
        self.send("STOPPING=1");
    }

    /// All threads are alive. Must be sent twice in every [`watchdog_limit`].
    pub(super) fn watchdog(&self) {
        self.send("WATCHDOG=1");
    }

    /// The status line that `systemctl status` shows.
    pub(super) fn status(&self, text: &str) {
        self.send(&format!("STATUS={}", shown(text)));
    }

    fn send(&self, message: &str) {
        if let Some(socket) = &self.0 {
            let _ = socket.send(message.as_bytes());
        }
    }
}

/// How long the service manager waits for [`Notify::watchdog`] before it kills the process; `None` if it does not
/// watch this process.
pub(super) fn watchdog_limit() -> Option<Duration> {
    let read = |name: &str| std::env::var(name).ok();
    limit(read("WATCHDOG_USEC").as_deref(), read("WATCHDOG_PID").as_deref(), std::process::id())
}

fn limit(usec: Option<&str>, pid: Option<&str>, own: u32) -> Option<Duration> {
    let ours = pid.is_none_or(|pid| pid.parse() == Ok(own));
    let usec: u64 = usec?.parse().ok()?;
    (ours && usec > 0).then(|| Duration::from_micros(usec))
}

fn connect(address: &[u8]) -> io::Result<UnixDatagram> {
    let address = match address.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(OsStr::from_bytes(address))?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    // A lost message is better than a supervisor that blocks on it.
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::{Notify, limit};
    use std::ffi::OsStr;
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};
    use std::time::Duration;

    fn heard(manager: &UnixDatagram) -> String {
        manager.set_read_timeout(Some(Duration::from_secs(10))).expect("a time-out can be set");
        let mut buffer = [0; 300];
        let length = manager.recv(&mut buffer).expect("a message arrives");
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    #[test]
    fn the_manager_hears_what_is_said() {
        let path = std::env::temp_dir().join(format!("kick-monitor-notify-{}", fastrand::u64(..)));
        let manager = UnixDatagram::bind(&path).expect("a socket can be bound");
        let notify = Notify::to(Some(path.as_os_str()));
        notify.ready();
        assert_eq!(heard(&manager), "READY=1");
        notify.reloading();
        assert_eq!(heard(&manager), "RELOADING=1");
        notify.status("9 streamers\nSTOPPING=1");
        assert_eq!(heard(&manager), "STATUS=9 streamers\\nSTOPPING=1");
        notify.watchdog();
        assert_eq!(heard(&manager), "WATCHDOG=1");
        notify.stopping();
        assert_eq!(heard(&manager), "STOPPING=1");
        std::fs::remove_file(path).expect("the socket can be removed");
    }

    #[test]
    fn an_abstract_address_begins_with_an_at() {
        let name = format!("kick-monitor-notify-{}", fastrand::u64(..));
        let address = SocketAddr::from_abstract_name(&name).expect("the name is short");
        let manager = UnixDatagram::bind_addr(&address).expect("a socket can be bound");
        Notify::to(Some(OsStr::new(&format!("@{name}")))).ready();
        assert_eq!(heard(&manager), "READY=1");
    }

    #[test]
    fn without_a_manager_nothing_is_said_and_nothing_fails() {
        Notify::to(None).ready();
        Notify::to(Some(OsStr::new("/nowhere/to/be/found"))).ready();
    }

    #[test]
    fn the_watchdog_is_ours_only_if_it_says_so() {
        let second = Some(Duration::from_secs(1));
        assert_eq!(limit(Some("1000000"), None, 7), second);
        assert_eq!(limit(Some("1000000"), Some("7"), 7), second);
        for (usec, pid) in [(None, None), (Some("0"), None), (Some("soon"), None), (Some("1000000"), Some("8"))] {
            assert_eq!(limit(usec, pid, 7), None);
        }
    }
}
