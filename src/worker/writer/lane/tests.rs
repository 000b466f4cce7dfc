//! The schedule against a simulated table that is given by how each row behaves and how long it takes.

use super::{FIRST_LIMIT, Lane, PROBE_LIMIT, WRITE_LIMIT};
use crate::domain::row::{Write, WriteId, WriteResult};
use crate::domain::{RowId, Source, Status, time::Timestamp};
use crate::gateway::database::{Attempt, Spoilt};
use std::collections::BTreeMap;
use std::time::Duration;

/// How a row makes its statement behave.
#[derive(Clone, Copy)]
enum Row {
    Takes(Duration),
    Hangs,
    Refuses(&'static str),
    /// An error with the same text for any row, such as a full disk.
    General,
    Breaks,
    Conflicts,
}

const QUICK: Row = Row::Takes(Duration::from_micros(50));

/// A lane and its table. Time passes as statements take it.
struct Table {
    lane: Lane,
    now: Duration,
    rows: BTreeMap<u64, Row>,
    /// The statement time-out of the role.
    role: Duration,
    statements: u32,
    /// The outcome of each row, and when it was known.
    came: BTreeMap<u64, (Duration, WriteResult)>,
}

/// The write number `id`, of the row `row`.
fn write(id: u64, row: u64, status: Status) -> Write {
    Write {
        id: WriteId(id),
        row: RowId::new(&row.to_string()),
        username: "".into(),
        status,
        changed_at: Timestamp::UNIX_EPOCH,
        source: Source::Push,
        started_at: None,
        title: None,
        start_only: false,
        apart: false,
        hold: None,
    }
}

impl Table {
    /// A table with rows 0 to `count`, of which all but the `special` ones behave as `usual`.
    fn new(count: u64, usual: Row, special: &[(u64, Row)]) -> Table {
        let mut rows: BTreeMap<u64, Row> = (0..count).map(|n| (n, usual)).collect();
        rows.extend(special.iter().copied());
        let (lane, came) = (Lane::default(), BTreeMap::new());
        Table { lane, now: Duration::ZERO, rows, role: Duration::MAX, statements: 0, came }
    }

    fn add(&mut self, n: u64, apart: bool) {
        self.lane.add(Write { apart, ..write(n, n, Status::Online) });
    }

    fn add_all(mut self) -> Table {
        (0..self.rows.len() as u64).for_each(|n| self.add(n, false));
        self
    }

    /// Runs one statement. Returns false if no row is left.
    fn step(&mut self) -> bool {
        let Some(statement) = self.lane.choose() else { return false };
        self.statements += 1;
        let limit = statement.limit.min(self.role);
        let mut took = Duration::from_millis(1);
        let mut spoilt = None;
        let spoils = |reason: &str| Spoilt { reason: reason.to_owned(), conflict: false, broke: false, general: false };
        for write in &statement.rows {
            match self.rows[&write.id.0] {
                Row::Takes(time) => took += time,
                Row::Hangs => took = Duration::MAX,
                Row::Refuses(reason) => spoilt = Some(spoils(reason)),
                Row::General => spoilt = Some(Spoilt { general: true, ..spoils("53100") }),
                Row::Breaks => spoilt = Some(Spoilt { broke: true, ..spoils("lost") }),
                Row::Conflicts => spoilt = Some(Spoilt { conflict: true, ..spoils("40P01") }),
            }
            if took > limit {
                (took, spoilt) = (limit, Some(spoils("57014")));
            }
            if spoilt.is_some() {
                break;
            }
        }
        self.now += took;
        let done = statement.rows.iter().map(|write| (write.id, WriteResult::Written)).collect();
        let attempt = spoilt.map_or(Attempt::Done(done), Attempt::Spoilt);
        for (id, result) in self.lane.take(statement, attempt, took) {
            assert!(self.came.insert(id.0, (self.now, result)).is_none(), "{id:?} is answered twice");
        }
        true
    }

    fn run(mut self) -> Table {
        while self.step() {}
        assert!(self.lane.is_empty());
        assert_eq!(self.came.len(), self.rows.len(), "every row is answered");
        self
    }

    /// When the last of the rows that can be written was written.
    fn all_written(&self) -> Duration {
        let written = self.came.values().filter(|(_, result)| *result == WriteResult::Written);
        written.map(|(at, _)| *at).max().expect("some are written")
    }

    fn result(&self, n: u64) -> &WriteResult {
        &self.came[&n].1
    }

    fn written(&self) -> usize {
        self.came.values().filter(|(_, result)| *result == WriteResult::Written).count()
    }
}

#[test]
fn many_rows_are_few_statements() {
    let table = Table::new(2000, QUICK, &[]).add_all().run();
    assert!(table.statements <= 8, "{} statements", table.statements);
}

#[test]
fn r20_a_row_that_hangs_costs_the_others_one_limit_and_a_probe_for_each_halving() {
    for bad in [0, 1, 17, 31, 500, 999] {
        let mut table = Table::new(1000, QUICK, &[(bad, Row::Hangs)]);
        // The lane has written quick rows before.
        (0..1000).filter(|n| *n != bad).for_each(|n| table.add(n, false));
        while table.step() {}
        table.came.clear();
        table.now = Duration::ZERO;
        let table = table.add_all().run();
        let most = FIRST_LIMIT + 10 * PROBE_LIMIT + Duration::from_millis(500);
        assert!(table.all_written() <= most, "row {bad}: {:?}", table.all_written());
        assert_eq!(*table.result(bad), WriteResult::TimedOut("57014; it took 10 s".to_owned()));
        assert!(table.came[&bad].0 <= most + PROBE_LIMIT + WRITE_LIMIT, "row {bad}: {:?}", table.came[&bad].0);
        assert_eq!(table.written(), 999);
    }
}

#[test]
fn r20_what_comes_later_is_not_behind_a_row_that_hangs() {
    let mut table = Table::new(100, QUICK, &[(0, Row::Hangs), (1, Row::Hangs)]);
    (0..2).for_each(|n| table.add(n, false));
    table.step();
    table.add(2, false);
    table.step();
    assert_eq!(table.came[&2].0, table.now, "the suspects wait");
    // Under continuous load the suspects are still tried.
    for n in 3..100 {
        table.rows.insert(n, Row::Takes(Duration::from_millis(400)));
        table.add(n, false);
        table.step();
    }
    assert!(table.came.contains_key(&0) && table.came.contains_key(&1));
}

#[test]
fn r20_a_row_that_is_known_to_hang_is_tried_apart_and_briefly() {
    let mut table = Table::new(50, QUICK, &[(0, Row::Hangs)]);
    table.add(0, true);
    (1..50).for_each(|n| table.add(n, false));
    let table = table.run();
    assert!(table.all_written() < PROBE_LIMIT, "{:?}", table.all_written());
    assert_eq!(*table.result(0), WriteResult::TimedOut("57014; it took 2 s".to_owned()));
    assert!(table.now <= FIRST_LIMIT + PROBE_LIMIT);
}

#[test]
fn r20_rows_that_are_slow_are_all_written_in_no_more_than_twice_the_time() {
    let each = [
        (300, u64::MAX, 200),
        (20, 1000, 200),
        (20, 100, 200),
        (20, 200, 1000),
        (1500, u64::MAX, 20),
        (3000, 3500, 20),
    ];
    for (each, role, count) in each {
        let usual = Row::Takes(Duration::from_millis(each));
        let mut table = Table::new(count, usual, &[]).add_all();
        table.role = Duration::from_millis(role);
        let table = table.run();
        assert_eq!(table.written() as u64, count, "{each} ms, {role} ms");
        let alone = Duration::from_millis((each + 1) * count);
        assert!(table.now <= 2 * alone, "{count} of {each} ms with {role} ms: {:?}", table.now);
    }
}

#[test]
fn r20_refused_rows_are_found_by_halving_whatever_their_number() {
    let bad: Vec<(u64, Row)> = (0..300).step_by(7).map(|n| (n, Row::Refuses("P0001"))).collect();
    let table = Table::new(300, QUICK, &bad).add_all().run();
    assert_eq!(table.written(), 300 - bad.len());
    assert!(table.all_written() < Duration::from_secs(1), "{:?}", table.all_written());
    bad.iter().for_each(|(n, _)| assert_eq!(*table.result(*n), WriteResult::Refused("P0001".to_owned())));
}

#[test]
fn r20_one_that_breaks_the_connection_is_tried_twice_and_one_in_conflict_is_locked() {
    let table = Table::new(40, QUICK, &[(3, Row::Breaks), (5, Row::Conflicts)]).add_all().run();
    assert_eq!(*table.result(3), WriteResult::TimedOut("lost; the connection broke each time".to_owned()));
    assert_eq!(*table.result(5), WriteResult::Locked);
    assert_eq!(table.written(), 38);
}

#[test]
fn r20_two_rows_that_fail_in_the_same_general_words_are_no_rows_fault() {
    let table = Table::new(500, Row::General, &[]).add_all().run();
    let away = table.came.values().filter(|(_, result)| *result == WriteResult::Unavailable("53100".to_owned()));
    assert!(away.count() >= 499 && table.statements <= 20, "{} statements", table.statements);
    // A single row with such an error counts as that row's failure.
    let table = Table::new(500, QUICK, &[(77, Row::General)]).add_all().run();
    assert_eq!((table.written(), table.result(77)), (499, &WriteResult::Refused("53100".to_owned())));
}

#[test]
fn r19_the_later_write_of_a_row_counts() {
    let mut table = Table::new(2, QUICK, &[]);
    table.add(0, false);
    table.add(1, false);
    table.lane.add(write(7, 0, Status::Offline));
    let ids: Vec<u64> = table.lane.choose().expect("a statement").rows.iter().map(|write| write.id.0).collect();
    assert_eq!(ids, [1, 7]);
}
