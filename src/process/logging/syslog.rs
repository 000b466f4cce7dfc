//! The connection to syslog, and its format: RFC 3164, with local times.

use super::{Line, Priority};
use crate::domain::time::Timestamp;
use jiff::tz::TimeZone;
use std::fmt;
use std::io::Write;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::time::Duration;
use syslog::{Facility, LogFormat, LoggerBackend, Severity};

/// The longest that one line may wait for a syslog that does not read.
const SEND_LIMIT: Duration = Duration::from_millis(100);

/// A connection to the syslog service.
pub(super) struct Syslog(syslog::Logger<LoggerBackend, Rfc3164>);

impl Syslog {
    /// Connects to the service that listens at `path`.
    pub(super) fn connect(path: &Path) -> Option<Syslog> {
        let logger = syslog::unix_custom(Rfc3164(Facility::LOG_DAEMON), path).ok()?;
        let limited = match &logger.backend {
            LoggerBackend::Unix(socket) => UnixDatagram::set_write_timeout(socket, Some(SEND_LIMIT)),
            LoggerBackend::UnixStream(stream) => UnixStream::set_write_timeout(stream.get_ref(), Some(SEND_LIMIT)),
            LoggerBackend::Udp(..) | LoggerBackend::Tcp(_) => Ok(()),
        };
        limited.ok().map(|()| Syslog(logger))
    }

    /// Sends a line; returns whether the service accepted it.
    pub(super) fn send(&mut self, facility: Facility, line: &Line) -> bool {
        self.0.formatter = Rfc3164(facility);
        match line.priority {
            Priority::Error => self.0.err(line),
            Priority::Warning => self.0.warning(line),
            Priority::Notice => self.0.notice(line),
            Priority::Info => self.0.info(line),
            Priority::Debug => self.0.debug(line),
        }
        .is_ok()
    }
}

impl fmt::Debug for Syslog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Syslog")
    }
}

/// The format. The crate's own writes the time in UTC and the fifth day as `05`.
struct Rfc3164(Facility);

impl LogFormat<&Line> for Rfc3164 {
    fn format<W: Write>(&self, w: &mut W, severity: Severity, line: &Line) -> syslog::Result<()> {
        let priority = self.0 as u8 | severity as u8;
        // Asked each time, because the machine's zone may change; jiff caches it, so no file is read each time.
        let stamp = stamp(line.at, TimeZone::system());
        let pid = std::process::id();
        // One write, because each write is a message of its own.
        write!(w, "<{priority}>{stamp} kick-monitor[{pid}]: {}", line.text).map_err(syslog::Error::Write)
    }
}

/// `Nov  5 08:56:00`: local time; a day below ten has a space in front instead of a zero.
fn stamp(at: Timestamp, zone: TimeZone) -> String {
    at.to_zoned(zone).strftime("%b %e %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::stamp;
    use crate::domain::time::Timestamp;
    use jiff::tz::TimeZone;

    #[test]
    fn stamps_are_local_also_when_the_clocks_change_and_days_have_two_places() {
        // Japan has no summer time, Berlin had it until an hour before 2026-10-25 02:00 UTC.
        let (tokyo, berlin) = ("JST-9", "CET-1CEST,M3.5.0,M10.5.0/3");
        for (at, zone, expected) in [
            ("2026-11-04T23:56:00Z", tokyo, "Nov  5 08:56:00"),
            ("2026-12-31T15:00:00.9Z", tokyo, "Jan  1 00:00:00"),
            ("2026-10-25T00:59:59Z", berlin, "Oct 25 02:59:59"),
            ("2026-10-25T01:00:00Z", berlin, "Oct 25 02:00:00"),
            ("2026-03-09T10:00:00Z", berlin, "Mar  9 11:00:00"),
        ] {
            let at: Timestamp = at.parse().expect("a time");
            assert_eq!(stamp(at, TimeZone::posix(zone).expect("a zone")), expected);
        }
    }
}
