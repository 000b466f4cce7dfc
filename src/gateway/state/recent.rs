//! The file `STATE_DIR/recent.json`: the rows whose status changed lately, so that the API may not know these changes
//! yet when the next process starts (R13).
//!
//! If the file is missing or cannot be read completely, it may be any row.

use super::replace;
use crate::domain::RowId;
use crate::domain::row::Recent;
use crate::domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// The most rows that are kept.
pub(crate) const ROWS_MAX: usize = 10_000;

/// The file's name in `STATE_DIR`.
pub(crate) const FILE: &str = "recent.json";

/// The longest file that is read, in bytes: room for `ROWS_MAX` of the longest ids.
const FILE_MAX: u64 = 64 << 20;

/// The version of the format that this program writes and reads.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Content<T> {
    version: u32,
    /// Until this time, it may be any row.
    any_until: Option<Timestamp>,
    /// For each row, the time until which the API may not know its status.
    rows: T,
}

/// The rows whose change the API may not know at the time `now`. If the file cannot be used, it may be any row, and
/// the text says why.
pub(crate) fn load(dir: &Path, now: Timestamp) -> (Recent, Option<String>) {
    let mut text = Vec::new();
    match File::open(dir.join(FILE)).and_then(|file| file.take(FILE_MAX).read_to_end(&mut text)) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return (Recent::Any, None),
        Err(error) => return (Recent::Any, Some(format!("failed to read it: {error}"))),
    }
    let content: Content<BTreeMap<String, Timestamp>> = match serde_json::from_slice(&text) {
        Ok(content) => content,
        Err(error) => return (Recent::Any, Some(format!("it is broken: {error}"))),
    };
    if content.version != VERSION {
        return (Recent::Any, Some(format!("its version is {}, not {VERSION}", content.version)));
    }
    if content.any_until.is_some_and(|until| now < until) {
        return (Recent::Any, None);
    }
    let lately = content.rows.iter().filter(|(_, until)| now < **until);
    (Recent::Rows(lately.map(|(row, _)| RowId::new(row)).collect()), None)
}

/// Writes the file. Creates the directory if necessary.
pub(crate) fn save(dir: &Path, any_until: Option<Timestamp>, rows: &BTreeMap<RowId, Timestamp>) -> io::Result<()> {
    let rows: BTreeMap<&str, Timestamp> = rows.iter().map(|(row, until)| (row.as_str(), *until)).collect();
    replace(dir, FILE, &Content { version: VERSION, any_until, rows })
}

/// Removes the file: a list that is out of date is worse than none.
pub(crate) fn remove(dir: &Path) -> io::Result<()> {
    match std::fs::remove_file(dir.join(FILE)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::{FILE, load, save};
    use crate::domain::RowId;
    use crate::domain::row::Recent;
    use crate::domain::time::Timestamp;
    use crate::gateway::state::tests::Scratch;
    use std::collections::BTreeMap;
    use std::fs;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_767_225_600 + second).expect("2026")
    }

    fn rows(rows: &[(&str, i64)]) -> BTreeMap<RowId, Timestamp> {
        rows.iter().map(|(row, until)| (RowId::new(row), at(*until))).collect()
    }

    fn these(rows: &[&str]) -> Recent {
        Recent::Rows(rows.iter().map(|row| RowId::new(row)).collect())
    }

    #[test]
    fn rows_are_remembered_until_the_api_must_know_of_them() {
        let scratch = Scratch::new();
        assert_eq!(load(&scratch.0, at(0)), (Recent::Any, None), "no file");
        save(&scratch.0, Some(at(5)), &rows(&[("1", 10), ("a \"b\"", 20)])).expect("saved");
        assert_eq!(load(&scratch.0, at(4)), (Recent::Any, None));
        assert_eq!(load(&scratch.0, at(5)), (these(&["1", "a \"b\""]), None));
        assert_eq!(load(&scratch.0, at(10)), (these(&["a \"b\""]), None));
        save(&scratch.0, None, &rows(&[])).expect("saved");
        assert_eq!(load(&scratch.0, at(0)), (these(&[]), None));
        assert_eq!(scratch.names(), [FILE], "nothing else is left");
    }

    #[test]
    fn a_file_that_cannot_be_read_whole_says_that_any_row_may_be_one() {
        let scratch = Scratch::new();
        save(&scratch.0, None, &rows(&[("1", 10)])).expect("saved");
        let whole = fs::read(scratch.0.join(FILE)).expect("there");
        for torn in
            [&whole[..0], &whole[..20], &whole[..whole.len() - 3], b"\0\0\0", b"{}", b"{\"version\":2,\"rows\":{}}"]
        {
            fs::write(scratch.0.join(FILE), torn).expect("written");
            let (recent, why) = load(&scratch.0, at(0));
            assert!(recent == Recent::Any && why.is_some(), "{why:?} for {}", String::from_utf8_lossy(torn));
        }
        fs::remove_file(scratch.0.join(FILE)).expect("removed");
        fs::create_dir(scratch.0.join(FILE)).expect("made");
        assert_eq!(load(&scratch.0, at(0)).0, Recent::Any);
    }
}
