//! Converts the bytes of a row to text. Text that is invalid or too long only affects its own row: that row is
//! marked, and the others are read.
//!
//! UTF-8 is decoded here. In a database with another encoding only ASCII is, which all of PostgreSQL's encodings
//! contain; the server converts the rest ([`Rows::foreign`]).

use crate::domain::row::{Row, Shown, Unusable};
use crate::domain::shards::Shard;
use crate::domain::text::cut;
use crate::domain::time::Timestamp;
use crate::domain::{ChannelId, RowId, Status, UserId};
use std::borrow::Cow;
use std::sync::Arc;

/// The most characters kept of a text. A name is shorter than this in any spelling.
const TEXT_MAX: usize = 1000;
/// The most bytes of a username, which may be an address with a long query.
const USERNAME_MAX: usize = 64 * 1024;
/// The most bytes of a number, including blanks around it.
const NUMBER_MAX: usize = 100;

/// A row in the form that the roster statement returns.
#[derive(Clone, Copy, Debug, Default)]
pub struct Raw<'a> {
    /// The beginning of the id.
    pub id: &'a [u8],
    /// The beginning of the username; NULL is empty.
    pub username: &'a [u8],
    /// The length of the complete username, in bytes.
    pub username_length: usize,
    /// `+` for the online value, `-` for the offline value.
    pub shown: Option<&'a str>,
    /// The channel id as text.
    pub channel: Option<&'a [u8]>,
    /// The user id as text.
    pub user: Option<&'a [u8]>,
    /// The shard.
    pub shard: i32,
    /// The start of the broadcast, in seconds of Unix time.
    pub started_at: Option<f64>,
}

/// The rows of one read, as far as they are decoded.
#[derive(Debug)]
pub struct Rows {
    /// Whether bytes that are not UTF-8 may be text in the database's encoding.
    foreign_encoding: bool,
    rows: Vec<Row>,
    /// Rows with texts that only the server can convert, and those texts.
    unfinished: Vec<Row>,
    foreign: Vec<Foreign>,
}

/// A text that only the server can convert.
#[derive(Debug)]
struct Foreign {
    /// The number of the unfinished row.
    row: usize,
    part: Part,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Id,
    Username,
}

impl Rows {
    /// Creates an empty list for a database with this encoding (PostgreSQL's name of it).
    pub fn new(encoding: &str) -> Rows {
        // With SQL_ASCII the encoding is not known: what is valid UTF-8 is taken as such.
        let foreign_encoding = !matches!(encoding, "UTF8" | "SQL_ASCII");
        Rows { foreign_encoding, rows: Vec::new(), unfinished: Vec::new(), foreign: Vec::new() }
    }

    /// Adds a row.
    pub fn push(&mut self, raw: &Raw<'_>) {
        let shown = match raw.shown {
            Some("+") => Shown::Known(Status::Online),
            Some("-") => Shown::Known(Status::Offline),
            _ => Shown::Unknown,
        };
        let foreign = |bytes: &[u8]| self.foreign_encoding && !bytes.is_ascii();
        // Text that the server must convert is filled in later.
        let text = |bytes| if foreign(bytes) { Some("") } else { std::str::from_utf8(bytes).ok() };
        let (id, flaw) = read(Part::Id, text(raw.id), raw.id);
        let too_long = (raw.username_length > USERNAME_MAX).then_some(Unusable::UsernameLength);
        let (username, flawed) = read(Part::Username, text(raw.username), raw.username);
        let nth = self.unfinished.len();
        let parts = [(Part::Username, raw.username), (Part::Id, raw.id)].into_iter();
        let mut parts = parts.filter(|(_, bytes)| foreign(bytes)).peekable();
        let rows = if parts.peek().is_some() { &mut self.unfinished } else { &mut self.rows };
        self.foreign.extend(parts.map(|(part, bytes)| Foreign { row: nth, part, bytes: bytes.to_vec() }));
        rows.push(Row {
            id: RowId::new(&id),
            username: Arc::from(&*username),
            shown,
            shard: Shard(u16::try_from(raw.shard).unwrap_or_default()),
            channel: number(raw.channel).map(ChannelId),
            user: number(raw.user).map(UserId),
            started_at: raw.started_at.and_then(time),
            flaw: too_long.or(flaw).or(flawed),
        });
    }

    /// The number of decoded rows.
    pub(super) fn decoded(&self) -> usize {
        self.rows.len()
    }

    /// Takes the decoded rows.
    pub(super) fn take_decoded(&mut self) -> Vec<Row> {
        std::mem::take(&mut self.rows)
    }

    /// The texts that the server must convert.
    pub fn foreign(&self) -> Vec<&[u8]> {
        self.foreign.iter().map(|text| text.bytes.as_slice()).collect()
    }

    /// Returns the rows that were not taken. `converted` has the results for [`Rows::foreign`] in the same order;
    /// `None` marks invalid text.
    pub fn finish(mut self, converted: Vec<Option<String>>) -> Vec<Row> {
        for (foreign, text) in self.foreign.iter().zip(converted) {
            let Some(row) = self.unfinished.get_mut(foreign.row) else { continue };
            let (text, flaw) = read(foreign.part, text.as_deref(), &foreign.bytes);
            row.flaw = row.flaw.or(flaw);
            match foreign.part {
                Part::Id => row.id = RowId::new(&text),
                Part::Username => row.username = Arc::from(&*text),
            }
        }
        self.rows.append(&mut self.unfinished);
        self.rows
    }
}

/// The text of a column, cut if necessary, and the defect it has, if any. `None` means invalid text.
fn read<'a>(part: Part, text: Option<&'a str>, bytes: &[u8]) -> (Cow<'a, str>, Option<Unusable>) {
    let flaw = match (part, text) {
        (Part::Id, None) => Some(Unusable::IdBytes),
        (Part::Id, Some(text)) => cut(text, TEXT_MAX).map(|_| Unusable::IdLength),
        (Part::Username, None) => Some(Unusable::UsernameBytes),
        (Part::Username, Some(_)) => None,
    };
    let text = text.map_or_else(|| told(bytes).into(), Cow::from);
    match cut(&text, TEXT_MAX) {
        // No name ends with the mark of a cut, so the cut text is only used if it was cut after a complete name.
        Some(beginning) => (beginning.into(), flaw),
        None => (text, flaw),
    }
}

/// Invalid bytes in readable form: what is not UTF-8 is shown as `\xe9`.
fn told(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    text
}

/// A Kick id from a column of any type; `None` if it is not a plain number.
fn number(text: Option<&[u8]>) -> Option<i64> {
    let text = text.filter(|text| text.len() <= NUMBER_MAX)?.trim_ascii();
    if text.iter().all(u8::is_ascii_digit) { std::str::from_utf8(text).ok()?.parse().ok() } else { None }
}

/// A time, to the millisecond; `None` if it is infinite or out of our range.
fn time(seconds: f64) -> Option<Timestamp> {
    let span = jiff::SignedDuration::try_from_secs_f64((seconds * 1e3).round() / 1e3).ok()?;
    Timestamp::from_duration(span).ok()
}

#[cfg(test)]
mod tests {
    use super::{Raw, Rows};
    use crate::domain::ChannelId;
    use crate::domain::row::{Row, Unusable};

    fn read(encoding: &str, id: &[u8], username: &[u8], converted: &[Option<&str>]) -> Row {
        let mut rows = Rows::new(encoding);
        rows.push(&Raw { id, username, username_length: username.len(), ..Raw::default() });
        assert_eq!(rows.foreign().len(), converted.len());
        let converted = converted.iter().map(|text| text.map(str::to_owned)).collect();
        rows.finish(converted).pop().expect("a row")
    }

    #[test]
    fn what_is_no_text_is_told_byte_by_byte_and_marks_its_row() {
        for encoding in ["UTF8", "SQL_ASCII"] {
            let row = read(encoding, b"1", b"caf\xe9\xc3\xa9", &[]);
            assert_eq!((&*row.username, row.flaw), ("caf\\xe9é", Some(Unusable::UsernameBytes)), "{encoding}");
            let row = read(encoding, b"\xff", b"xqc", &[]);
            assert_eq!((row.id.as_str(), row.name()), ("\\xff", Err(Unusable::IdBytes)), "{encoding}");
        }
        let row = read("WIN1252", b"1\xe9", b"x\x81", &[None, Some("1é")]);
        assert_eq!((row.id.as_str(), row.flaw), ("1é", Some(Unusable::UsernameBytes)));
        assert_eq!(read("WIN1252", b"1", b"xqc", &[]).flaw, None, "ASCII needs no conversion");
    }

    #[test]
    fn a_row_with_foreign_text_waits_for_its_conversion() {
        let mut rows = Rows::new("WIN1252");
        for (id, username) in [(&b"1"[..], &b"caf\xe9"[..]), (b"2", b"xqc"), (b"3\xe9", b"th\xe9")] {
            rows.push(&Raw { id, username, username_length: username.len(), ..Raw::default() });
        }
        let names = |rows: Vec<Row>| rows.iter().map(|row| format!("{}:{}", row.id, row.username)).collect::<Vec<_>>();
        assert_eq!(names(rows.take_decoded()), ["2:xqc"]);
        assert_eq!(rows.foreign(), [&b"caf\xe9"[..], b"th\xe9", b"3\xe9"]);
        let converted = ["café", "thé", "3é"].map(|text| Some(text.to_owned())).to_vec();
        assert_eq!(names(rows.finish(converted)), ["1:café", "3é:thé"]);
    }

    #[test]
    fn a_name_that_was_cut_is_used_only_where_it_ended_before() {
        let row = |username: String| read("UTF8", b"1", username.as_bytes(), &[]);
        let address = row(format!("https://kick.com/xqc?{}", "é".repeat(1500)));
        assert_eq!(address.name().map(String::from), Ok("xqc".to_owned()));
        assert_eq!(address.username.chars().count(), 1001);
        for end in ["a", " ", "-"] {
            assert!(row(format!("xqc{}", end.repeat(1500))).name().is_err(), "{end:?}");
            assert!(row(format!("https://kick.com/xqc{}", end.repeat(1500))).name().is_err(), "{end:?}");
        }
        let mut rows = Rows::new("UTF8");
        rows.push(&Raw { id: b"1", username: b"https://kick.com/xqc?", username_length: 100_000, ..Raw::default() });
        assert_eq!(rows.finish(Vec::new())[0].name(), Err(Unusable::UsernameLength));
        assert_eq!(read("UTF8", &[b'7'; 1001], b"xqc", &[]).flaw, Some(Unusable::IdLength));
        assert_eq!(read("UTF8", &[b'7'; 1000], b"xqc", &[]).flaw, None);
    }

    #[test]
    fn a_start_that_is_no_time_of_ours_is_none() {
        for (seconds, time) in [
            (1_790_812_800.25, Some("2026-10-01T00:00:00.25Z")),
            (-1.0, Some("1969-12-31T23:59:59Z")),
            (f64::INFINITY, None),
            (f64::NEG_INFINITY, None),
            (f64::NAN, None),
            (9.2e12, None),
        ] {
            let mut rows = Rows::new("UTF8");
            rows.push(&Raw { id: b"1", started_at: Some(seconds), ..Raw::default() });
            let started_at = rows.finish(Vec::new())[0].started_at.map(|time| time.to_string());
            assert_eq!(started_at.as_deref(), time, "{seconds}");
        }
    }

    #[test]
    fn what_is_no_number_is_no_id() {
        let blanks = [b" ".repeat(200), b"77".to_vec()].concat();
        for (text, id) in [
            (&b" 77 "[..], Some(ChannelId(77))),
            (b"", None),
            (b"-7", None),
            (b"7.0", None),
            (b"7\xff", None),
            (b"99999999999999999999", None),
            (&blanks, None),
        ] {
            let mut rows = Rows::new("UTF8");
            rows.push(&Raw { id: b"1", channel: Some(text), ..Raw::default() });
            assert_eq!(rows.finish(Vec::new())[0].channel, id, "{text:?}");
        }
    }
}
