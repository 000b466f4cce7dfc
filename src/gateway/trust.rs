//! A value made from the platform's certificate authorities: made once, and again when the platform's files change.
//!
//! Reading Debian's 150 authorities takes 0.9 MB and tens of milliseconds, and a large roster has a thousand
//! connections, so they share the result. A process that runs for months must notice when the authorities change.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

/// The shared value, with the state of the files that it was made from.
#[derive(Debug)]
pub(super) struct Trusting<T>(Mutex<Option<(Vec<Written>, T)>>);

impl<T: Clone> Trusting<T> {
    /// Creates it without a value.
    pub(super) fn new() -> Trusting<T> {
        Trusting(Mutex::default())
    }

    /// Returns the value. If there is none, or the files have changed, it is made with `make`, and other threads wait
    /// for it.
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

/// A file's inode and modification time; `None` if there is no such file.
type Written = Option<(u64, SystemTime)>;

/// The state of the platform's bundle and directories, which are what native-tls reads.
fn platform_written() -> Vec<Written> {
    let places = openssl_probe::probe();
    let written = |place| fs::metadata(place).ok().and_then(|about| Some((about.ino(), about.modified().ok()?)));
    places.cert_file.iter().chain(&places.cert_dir).map(written).collect()
}
