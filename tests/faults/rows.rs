//! One bad row: it hangs, is slow, or has any error raised, at once or at the commit. It is named; the
//! others are written meanwhile, and it is written when it can be. And what is wrong with the statement as
//! such is no row's fault.

use super::matrix::{Came, Cell, LONG, Watch, compare, wait_online};
use crate::e2e::stage::Stage;
use lab::{Cluster, Daemon, wait_for};
use std::time::Duration;

/// Ana's row is the bad one.
const NAMES: [&str; 6] = ["ana", "bob", "cyd", "dee", "eve", "fay"];
/// What ana's row does is between these.
const BEGIN: &str = "CREATE OR REPLACE FUNCTION wrong() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ";
const END: &str = " RETURN NEW; END $$;";
const EVERY_ROW: &str = "CREATE TRIGGER wrong BEFORE UPDATE ON streamers FOR EACH ROW";
const AT_COMMIT: &str =
    "CREATE CONSTRAINT TRIGGER wrong AFTER UPDATE ON streamers DEFERRABLE INITIALLY DEFERRED FOR EACH ROW";
/// A role or a foreign server may say any of these of a row, and the database and the connection are well.
const CODES: [&str; 14] = [
    "08001", "08006", "22012", "23514", "25006", "42501", "53100", "53300", "57014", "57P01", "57P03", "58030",
    "XX000", "XX001",
];

/// The program, with these settings besides; everybody is followed and Offline.
struct Ground {
    daemon: Daemon,
    stage: Stage,
}

impl Ground {
    fn new(names: &[&str], settings: &[(&str, &str)]) -> Ground {
        let stage = Stage::on(Cluster::shared()).add(names);
        let role = format!("daemon_{}", stage.database.name());
        // A superuser, for what may be done in a trigger.
        stage.database.execute(&format!("CREATE ROLE {role} LOGIN SUPERUSER PASSWORD 'p'"));
        let builder = stage.builder().set("DATABASE_URL", stage.database.url_as(&role, "p"));
        let builder = settings.iter().fold(builder, |builder, (key, value)| builder.set(key, *value));
        let daemon = stage.start(builder);
        stage.wait_followed(names);
        names.iter().for_each(|username| stage.wait_status(username, "Offline"));
        Ground { daemon, stage }
    }

    /// Has ana's row do this, from now on.
    fn spoil(&self, trigger: &str, body: &str) {
        let when = "WHEN (NEW.username = 'ana') EXECUTE FUNCTION wrong()";
        self.stage.database.execute(&format!("{BEGIN}{body}{END} {trigger} {when}"));
    }

    fn cure(&self) {
        self.stage.database.execute("DROP FUNCTION wrong CASCADE");
    }

    /// Waits until ana's row is said to be refused, and that the reason names this.
    fn wait_refused(&self, named: &[&str]) {
        let line = wait_for(&format!("a refusal that names {named:?}"), LONG, || {
            let lines = self.daemon.events("write_refused");
            lines.into_iter().find(|line| named.iter().all(|named| line.text.contains(named)))
        });
        assert_eq!(line.key("username"), "ana", "{}", line.text);
    }

    /// The others go live, and later stop, while ana's row cannot be written.
    fn others_are_not_concerned(&self, named: &[&str]) {
        NAMES.iter().for_each(|username| _ = self.stage.kick.go_live(username));
        NAMES[1..].iter().for_each(|username| wait_online(&self.stage, username));
        self.wait_refused(named);
        NAMES[1..].iter().for_each(|username| _ = self.stage.kick.stop(username));
        NAMES[1..].iter().for_each(|username| self.stage.wait_status(username, "Offline"));
        assert_eq!(self.stage.status("ana").as_deref(), Some("Offline"));
        let away = self.daemon.events("db_unavailable");
        assert!(away.is_empty(), "the database is not away: {}", away[0].text);
        assert!(self.daemon.events("write_refused").iter().all(|line| line.key("username") == "ana"));
    }

    /// Every row has shown what was true, and nothing else.
    fn compare(&self) -> Came {
        let others = NAMES[1..].iter().map(|username| (username, ["Offline", "Online", "Offline"].as_slice()));
        let all = others.chain([(&"ana", ["Offline", "Online"].as_slice())]);
        all.map(|(username, truth)| compare(&self.stage.written(username), truth)).sum()
    }
}

/// One bad row, until it is cured and a fresh process writes it.
fn suffer(fault: &'static str, settings: &[(&str, &str)], trigger: &str, body: &str, named: &[&str]) {
    let cell = Cell { edge: "row", fault };
    cell.announce();
    let ground = Ground::new(&NAMES, settings);
    ground.spoil(trigger, body);
    let watch = Watch::start(&ground.daemon);
    ground.others_are_not_concerned(named);
    let noticed = Some(watch.elapsed());
    ground.cure();
    let began_healing = watch.elapsed();
    watch.assert_idle(&ground.daemon, cell);
    ground.daemon.stop(LONG);
    ground.daemon.start_again();
    wait_online(&ground.stage, "ana");
    cell.record(Came { noticed, healed: watch.elapsed() - began_healing, ..ground.compare() });
}

#[test]
fn a_row_that_hangs_delays_no_other() {
    let hangs = "PERFORM pg_sleep(3600);";
    std::thread::scope(|scope| {
        let one = [("DB_POOL_SIZE", "1")];
        scope.spawn(move || suffer("hangs, one writer", &one, EVERY_ROW, hangs, &["wrong()"]));
        let four = [("DB_POOL_SIZE", "4")];
        scope.spawn(move || suffer("hangs, four writers", &four, EVERY_ROW, hangs, &["wrong()"]));
        scope.spawn(move || suffer("hangs at the commit", &one, AT_COMMIT, hangs, &["wrong()"]));
        let slow = "PERFORM pg_sleep(3); RAISE 'at last';";
        scope.spawn(move || suffer("refused after a while", &one, EVERY_ROW, slow, &["P0001: at last", "wrong()"]));
    });
}

#[test]
fn a_row_that_breaks_its_connection_or_fails_at_the_commit_delays_no_other() {
    let one = [("DB_POOL_SIZE", "1")];
    std::thread::scope(|scope| {
        let breaks = "PERFORM pg_terminate_backend(pg_backend_pid());";
        scope.spawn(move || suffer("breaks its connection", &one, EVERY_ROW, breaks, &["broke each time"]));
        let raises = "RAISE 'not today' USING errcode = '57014';";
        scope.spawn(move || suffer("refused at the commit", &one, AT_COMMIT, raises, &["57014: not today", "wrong()"]));
    });
}

/// Whatever error a trigger raises: its severity and its context tell it from the database's own.
#[test]
fn a_row_may_be_refused_in_any_words() {
    let cells = CODES.map(|fault| Cell { edge: "row raises", fault });
    cells.iter().for_each(|cell| cell.announce());
    let ground = Ground::new(&NAMES[..3], &[("DB_POOL_SIZE", "1")]);
    for cell in cells {
        let code = cell.fault;
        ground.spoil(EVERY_ROW, &format!("RAISE 'no {code} today' USING errcode = '{code}';"));
        let watch = Watch::start(&ground.daemon);
        NAMES[..3].iter().for_each(|username| _ = ground.stage.kick.go_live(username));
        NAMES[1..3].iter().for_each(|username| wait_online(&ground.stage, username));
        ground.wait_refused(&[&format!("{code}: no {code} today"), "wrong()"]);
        let noticed = watch.elapsed();
        ground.cure();
        wait_online(&ground.stage, "ana");
        let healed = watch.elapsed() - noticed;
        NAMES[..3].iter().for_each(|username| _ = ground.stage.kick.stop(username));
        NAMES[..3].iter().for_each(|username| ground.stage.wait_status(username, "Offline"));
        cell.record(Came { noticed: Some(noticed), healed, ..Came::default() });
    }
    let away = ground.daemon.events("db_unavailable");
    assert!(away.is_empty(), "the database was never away: {}", away[0].text);
    let truth: Vec<&str> = ["Offline"].into_iter().chain(CODES.iter().flat_map(|_| ["Online", "Offline"])).collect();
    for username in &NAMES[..3] {
        assert_eq!(ground.stage.written(username), truth, "{username}");
    }
}

/// Rows that are slow together, and not one by one.
fn all_slow(fault: &'static str, count: usize, each: Duration, role: &str) {
    let cell = Cell { edge: "row", fault };
    cell.announce();
    let names: Vec<String> = (0..count).map(|n| format!("slow{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let ground = Ground::new(&names, &[("DB_POOL_SIZE", "1")]);
    let sleep = format!("PERFORM pg_sleep({});", each.as_secs_f64());
    ground.stage.database.execute(&format!("{BEGIN}{sleep}{END} {EVERY_ROW} EXECUTE FUNCTION wrong()"));
    if !role.is_empty() {
        let database = ground.stage.database.name();
        ground.stage.database.execute(&format!(
            "ALTER ROLE daemon_{database} SET {role};
             SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'daemon_{database}'"
        ));
    }
    let watch = Watch::start(&ground.daemon);
    names.iter().for_each(|username| _ = ground.stage.kick.go_live(username));
    let online = "SELECT count(*) FROM streamers WHERE status = 'Online'";
    wait_for("all to be Online", LONG, || {
        (ground.stage.database.value(online) == Some(count.to_string())).then_some(())
    });
    let healed = watch.elapsed();
    assert!(ground.daemon.events("write_refused").is_empty(), "no row is at fault");
    let came: Came =
        names.iter().map(|username| compare(&ground.stage.written(username), &["Offline", "Online"])).sum();
    cell.record(Came { healed, ..came });
}

#[test]
fn rows_that_are_slow_come_in_smaller_statements() {
    std::thread::scope(|scope| {
        scope.spawn(|| all_slow("300 ms each", 80, Duration::from_millis(300), ""));
        scope.spawn(|| {
            all_slow("20 ms each, a second in all", 200, Duration::from_millis(20), "statement_timeout = '1s'")
        });
    });
}

/// What no row is to blame for is said once, with the remedy, and is not tried again and again.
#[test]
fn what_is_the_statements_is_said_once() {
    let cell = Cell { edge: "row", fault: "no replica identity (55000)" };
    cell.announce();
    let names: Vec<String> = (0..60).map(|n| format!("many{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let ground = Ground::new(&names, &[("DB_POOL_SIZE", "2")]);
    let sql = &ground.stage.database;
    sql.execute(
        "ALTER TABLE streamers DROP CONSTRAINT streamers_pkey; CREATE UNIQUE INDEX ON streamers (id);
         CREATE PUBLICATION everything FOR TABLE streamers",
    );
    let failed = || sql.value("SELECT xact_rollback FROM pg_stat_database WHERE datname = current_database()");
    let failed = || failed().and_then(|count| count.parse::<u64>().ok()).expect("a count");
    let watch = Watch::start(&ground.daemon);
    let before = failed();
    names.iter().for_each(|username| _ = ground.stage.kick.go_live(username));
    let line = ground.daemon.wait_event("db_unavailable", LONG);
    let noticed = watch.elapsed();
    let remedy = "ALTER TABLE \"streamers\" REPLICA IDENTITY FULL";
    let reason = line.key("reason");
    assert!(reason.starts_with("55000") && reason.contains(remedy), "{reason}");
    let position = ground.daemon.position();
    ground.stage.insert("another", None);
    ground.daemon.wait_line_from(position, LONG, |line| line.event == "roster_loaded");
    assert_eq!(ground.daemon.events("db_unavailable").len(), 1, "it is said once");
    assert!(ground.daemon.events("write_refused").is_empty(), "no row is at fault");
    sql.execute(remedy);
    names.iter().for_each(|username| wait_online(&ground.stage, username));
    let (lasted, failed) = (watch.elapsed(), failed() - before);
    assert!(failed <= 40 + 4 * lasted.as_secs(), "{failed} failed statements in {lasted:?}");
    let came: Came =
        names.iter().map(|username| compare(&ground.stage.written(username), &["Offline", "Online"])).sum();
    cell.record(Came { noticed: Some(noticed), healed: lasted - noticed, ..came });
}
