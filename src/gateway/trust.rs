//! What trusts the platform's authorities: made once, and anew when the platform's files change.
//!
//! To read Debian's hundred and fifty takes 0.9 MB and tens of milliseconds, and a great roster has a thousand
//! connections, so they share what was read. But a process that runs for months never trusts, or mistrusts, somebody
//! because that was so when it began.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

/// Something that is made of the platform's authorities.
#[derive(Debug)]
pub(super) struct Trusting<T>(Mutex<Option<(Vec<Written>, T)>>);

impl<T: Clone> Trusting<T> {
    /// Nothing is made yet.
    pub(super) fn new() -> Trusting<T> {
        Trusting(Mutex::default())
    }

    /// What was made, unless the files are others by now; then it is made with `make`. Who comes meanwhile waits.
    pub(super) fn get<E>(&self, make: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let written = platform_written();
        if let Some((_, known)) = made.as_ref().filter(|(as_of, _)| *as_of == written) {
            return Ok(known.clone());
        }
        let new = make()?;
        *made = Some((written, new.clone()));
        Ok(new)
    }
}

/// Which file it is, and since when; none when there is none.
type Written = Option<(u64, SystemTime)>;

/// The platform's bundle and its directories, which are what native-tls reads.
fn platform_written() -> Vec<Written> {
    let places = openssl_probe::probe();
    let written = |place| fs::metadata(place).ok().and_then(|about| Some((about.ino(), about.modified().ok()?)));
    places.cert_file.iter().chain(&places.cert_dir).map(written).collect()
}
