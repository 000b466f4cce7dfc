//! The read of the roster: its statement, and the conversion of text in other encodings.

use super::decode::{Raw, Rows};
use super::error::{Blame, Fault};
use super::sql;
use super::work::{Value, Work};
use crate::domain::Steady;
use crate::domain::row::Row;
use crate::domain::shards::Scope;
use postgres::fallible_iterator::FallibleIterator;
use postgres::types::{FromSql, ToSql, Type};
use std::sync::Arc;

/// The most statements per read that search for text which cannot be converted.
const CONVERSIONS_MAX: u32 = 2000;

/// How many rows are passed on together: a large roster is held in memory in parts only.
const PART: usize = 1000;

/// What takes the rows of a read, part by part, with the time at which the statement was sent. It is called on the thread
/// of the connection, and a connection that was given up may call it late.
pub type Taker = Arc<dyn Fn(Steady, Vec<Row>) + Send + Sync>;

/// Reads the rows of the roster that are in the scope. Passes them on in parts, if there is something that takes them, and
/// returns the last part, with the time at which the statement was sent.
pub(super) fn read(work: &mut Work<'_>, scope: &Scope, taker: Option<&Taker>) -> Result<(Steady, Vec<Row>), Fault> {
    let (started, taker) = (work.database.clock.steady(), taker.cloned());
    let table = work.table()?;
    let (mut statement, encoding) = (table.roster.clone(), table.encoding.clone());
    if let (Scope::Shards(shards), true) = (scope, work.database.config.is_divided()) {
        statement.push_str(&sql::of_shards(&work.database.config, shards));
    }
    let (config, mut roster) = (Arc::clone(&work.database.config), Rows::new(&encoding));
    let roster = work.call(move |held| {
        let values: [(&(dyn ToSql + Sync), Type); 2] =
            [(&config.online_value, Type::TEXT), (&config.offline_value, Type::TEXT)];
        // Row by row, so that a large roster is not held in memory twice.
        let mut rows = held.client.query_typed_raw(&statement, values)?;
        while let Some(row) = rows.next()? {
            add_row(&mut roster, &row, config.is_divided())?;
            if let Some(take) = taker.as_ref().filter(|_| roster.decoded() == PART) {
                take(started, roster.take_decoded());
            }
        }
        Ok(roster)
    })?;
    let converted = convert(work, &encoding, &roster.foreign())?;
    Ok((started, roster.finish(converted)))
}

/// Has the server convert texts to UTF-8. A text that it cannot convert is found by halving, so that the others are
/// converted. If there are too many such texts, the remaining ones count as invalid.
fn convert(work: &mut Work<'_>, encoding: &str, texts: &[&[u8]]) -> Result<Vec<Option<String>>, Fault> {
    let mut converted = vec![None; texts.len()];
    let mut todo = vec![(0, texts.len())];
    for _ in 0..CONVERSIONS_MAX {
        let Some((from, to)) = todo.pop().filter(|(from, to)| from < to) else { break };
        let bytes = texts[from..to].iter().map(|text| text.to_vec()).collect();
        match work.query(sql::CONVERT, vec![Value::Bytes(bytes), Value::text(encoding)]) {
            Ok(rows) => {
                for (text, row) in converted[from..to].iter_mut().zip(rows) {
                    let bytes: Vec<u8> = row.try_get(0).map_err(|error| work.judge(&error))?;
                    *text = String::from_utf8(bytes).ok();
                }
            }
            Err(Fault { blame: Blame::Row(..), .. }) if to - from > 1 => {
                let middle = from + (to - from) / 2;
                todo.extend([(middle, to), (from, middle)]);
            }
            Err(Fault { blame: Blame::Row(..), .. }) => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok(converted)
}

fn add_row(roster: &mut Rows, row: &postgres::Row, divided: bool) -> Result<(), postgres::Error> {
    let bytes = |index: usize| row.try_get::<_, Option<Bytes<'_>>>(index).map(|bytes| bytes.map(|Bytes(bytes)| bytes));
    let length: Option<i32> = row.try_get(5)?;
    roster.push(&Raw {
        id: bytes(0)?.unwrap_or_default(),
        username: bytes(1)?.unwrap_or_default(),
        username_length: length.and_then(|length| usize::try_from(length).ok()).unwrap_or_default(),
        shown: row.try_get(2)?,
        channel: bytes(3)?,
        user: bytes(4)?,
        started_at: row.try_get(6)?,
        shard: if divided { row.try_get(7)? } else { 0 },
    });
    Ok(())
}

/// Bytes of a column, unchanged; NULL is allowed.
struct Bytes<'a>(&'a [u8]);

impl<'a> FromSql<'a> for Bytes<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Bytes<'a>, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Bytes(raw))
    }

    fn accepts(kind: &Type) -> bool {
        [Type::TEXT, Type::BYTEA].contains(kind)
    }
}
