//! The file `STATE_DIR/webhooks.json`: the webhook subscriptions that this daemon made, by Kick's user id, so that it
//! deletes those of streamers who have left the table, and no others.

use super::replace;
use crate::domain::UserId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// The file's name in `STATE_DIR`.
pub(crate) const FILE: &str = "webhooks.json";

/// The longest file that is read, in bytes: Kick allows 10,000 subscriptions.
const FILE_MAX: u64 = 4 << 20;

/// The version of the format that this program writes and reads.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Content<T> {
    version: u32,
    made: T,
}

/// The subscriptions; none if there is no file. The error says why it cannot be used.
pub(crate) fn load(dir: &Path) -> Result<BTreeMap<UserId, String>, String> {
    let mut text = Vec::new();
    match File::open(dir.join(FILE)).and_then(|file| file.take(FILE_MAX).read_to_end(&mut text)) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(format!("failed to read it: {error}")),
    }
    let content: Content<BTreeMap<UserId, String>> =
        serde_json::from_slice(&text).map_err(|error| format!("it is broken: {error}"))?;
    match content.version {
        VERSION => Ok(content.made),
        version => Err(format!("its version is {version}, not {VERSION}")),
    }
}

/// Writes the file. Creates the directory if necessary.
pub(crate) fn save(dir: &Path, made: &BTreeMap<UserId, String>) -> io::Result<()> {
    replace(dir, FILE, &Content { version: VERSION, made })
}

#[cfg(test)]
mod tests {
    use super::{FILE, load, save};
    use crate::domain::UserId;
    use crate::gateway::state::tests::Scratch;
    use std::collections::BTreeMap;

    #[test]
    fn what_was_made_is_kept() {
        let scratch = Scratch::new();
        assert_eq!(load(&scratch.0), Ok(BTreeMap::new()), "there is no file yet");
        let made: BTreeMap<UserId, String> = [(UserId(676), "01J".to_owned()), (UserId(9), "01K".to_owned())].into();
        save(&scratch.0, &made).expect("saved");
        assert_eq!(load(&scratch.0), Ok(made));
        for (text, why) in [
            ("", "it is broken: EOF"),
            (r#"{"version":2,"made":{}}"#, "its version is 2"),
            (r#"{"version":1,"made":{"x":"y"}}"#, "it is broken"),
        ] {
            std::fs::write(scratch.0.join(FILE), text).expect("written");
            let said = load(&scratch.0).expect_err("it cannot be used");
            assert!(said.starts_with(why), "{said}");
        }
    }
}
