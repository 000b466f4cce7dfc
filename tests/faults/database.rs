//! What befalls the database itself, each with changes before, in and behind it: all that is true is
//! written once, nothing else is, and a row that cannot be written delays no other.

use super::matrix::{Came, Cell, LONG, THREE, Watch, compare, compare_three, prove_push, wait_online};
use crate::e2e::stage::Stage;
use lab::{Authority, Bouncer, Cluster, Daemon, Shutdown, wait_for};
use postgres::Client;
use std::fs;

/// A server that keeps what was not synchronously committed to itself for ten seconds.
const FORGETFUL: &str = "wal_writer_delay = 10s";

/// What is wrong, and how it is put right again.
#[derive(Clone, Copy, Debug)]
enum Ill {
    /// These statements in the daemon's database; `{role}` is the daemon's, `{database}` the database.
    /// Connections are cut if so said.
    Sql { begin: &'static str, end: &'static str, cut: bool },
    /// A transaction holds what this locks.
    Lock(&'static str),
    /// The server is gone until it is started again.
    Stop(Shutdown),
    /// Every process of the server is halted.
    Freeze,
    /// The pooler between is ended in this way, and started again.
    Pooler(fn(&Bouncer)),
    /// The server shows another host's certificate, and the program verifies it in full.
    Certificate,
}

/// One cell.
struct Case {
    fault: &'static str,
    ill: Ill,
    /// What the log says of it. A row that is suppressed without an error is said to be refused after five
    /// tries, and then tried every five minutes (R21): here it does not come so far.
    said: Option<&'static str>,
    /// Ana's row alone suffers.
    ana_alone: bool,
    /// Ana's change is committed before, and undone.
    undone: bool,
}

const fn case(fault: &'static str, ill: Ill, said: Option<&'static str>) -> Case {
    Case { fault, ill, said, ana_alone: false, undone: false }
}

const fn of_ana(fault: &'static str, ill: Ill, said: Option<&'static str>) -> Case {
    Case { ana_alone: true, ..case(fault, ill, said) }
}

const fn sql(begin: &'static str, end: &'static str) -> Ill {
    Ill::Sql { begin, end, cut: false }
}

const fn login(begin: &'static str, end: &'static str) -> Ill {
    Ill::Sql { begin, end, cut: true }
}

const AWAY: Option<&str> = Some("db_unavailable");
const REFUSED: Option<&str> = Some("write_refused");
const UNTRIGGER: &str = "DROP FUNCTION wrong CASCADE";

const CASES: [Case; 21] = [
    case("stopped", Ill::Stop(Shutdown::Fast), AWAY),
    case("crashed", Ill::Stop(Shutdown::Immediate), AWAY),
    Case { undone: true, ..case("killed, commits undone", Ill::Stop(Shutdown::Kill), AWAY) },
    case("halted", Ill::Freeze, None),
    case("pooler restarted", Ill::Pooler(Bouncer::stop), AWAY),
    case("pooler killed", Ill::Pooler(Bouncer::kill), AWAY),
    case("certificate of another", Ill::Certificate, AWAY),
    case("every backend terminated", login("SELECT 1", "SELECT 1"), None),
    case(
        "read-only (25006)",
        login(
            "ALTER DATABASE {database} SET default_transaction_read_only = on",
            "SET TRANSACTION READ WRITE; ALTER DATABASE {database} RESET default_transaction_read_only",
        ),
        AWAY,
    ),
    case("connection limit", login("ALTER ROLE {role} CONNECTION LIMIT 0", "ALTER ROLE {role} CONNECTION LIMIT -1"), AWAY),
    case("password changed", login("ALTER ROLE {role} PASSWORD 'q'", "ALTER ROLE {role} PASSWORD 'p'"), AWAY),
    case("statement time-out", login("ALTER ROLE {role} SET statement_timeout = 1", "ALTER ROLE {role} RESET ALL"), AWAY),
    case(
        "privilege revoked",
        sql("REVOKE UPDATE (status) ON streamers FROM {role}", "GRANT UPDATE (status) ON streamers TO {role}"),
        AWAY,
    ),
    case(
        "table renamed",
        sql("ALTER TABLE streamers RENAME TO elsewhere", "ALTER TABLE elsewhere RENAME TO streamers"),
        AWAY,
    ),
    case("table locked", Ill::Lock("LOCK TABLE streamers"), AWAY),
    of_ana("row locked", Ill::Lock("SELECT FROM streamers WHERE username = 'ana' FOR UPDATE"), None),
    of_ana(
        "row refused by a trigger",
        sql(
            "CREATE FUNCTION wrong() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not today'; END $$;
             CREATE TRIGGER wrong BEFORE UPDATE ON streamers FOR EACH ROW WHEN (NEW.username = 'ana') EXECUTE FUNCTION wrong()",
            UNTRIGGER,
        ),
        REFUSED,
    ),
    of_ana(
        "row refused by a constraint",
        sql(
            "ALTER TABLE streamers ADD CONSTRAINT wrong CHECK (username <> 'ana' OR status = 'Offline')",
            "ALTER TABLE streamers DROP CONSTRAINT wrong",
        ),
        REFUSED,
    ),
    of_ana(
        "row hidden by a policy",
        sql(
            "CREATE POLICY readable ON streamers FOR SELECT USING (true);
             CREATE POLICY writable ON streamers FOR UPDATE USING (username <> 'ana');
             ALTER TABLE streamers ENABLE ROW LEVEL SECURITY",
            "ALTER TABLE streamers DISABLE ROW LEVEL SECURITY",
        ),
        None,
    ),
    of_ana(
        "row suppressed by a trigger",
        sql(
            "CREATE FUNCTION wrong() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
             CREATE TRIGGER wrong BEFORE UPDATE ON streamers FOR EACH ROW WHEN (NEW.username = 'ana') EXECUTE FUNCTION wrong()",
            UNTRIGGER,
        ),
        None,
    ),
    of_ana(
        "deadlock victim",
        sql(
            "CREATE FUNCTION wrong() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN RAISE 'deadlock detected' USING ERRCODE = 'deadlock_detected'; END $$;
             CREATE TRIGGER wrong BEFORE UPDATE ON streamers FOR EACH ROW WHEN (NEW.username = 'ana') EXECUTE FUNCTION wrong()",
            UNTRIGGER,
        ),
        None,
    ),
];

/// The program, as a role of its own, on a server of its own; everybody is followed and Offline.
struct Ground {
    daemon: Daemon,
    bouncer: Option<Bouncer>,
    cluster: Cluster,
    stage: Stage,
    role: String,
    authority: Authority,
}

impl Ground {
    fn new(ill: Ill) -> Ground {
        let authority = Authority::new();
        let right = authority.certify("localhost");
        let files = [
            ("server.crt", right.certificate.as_str()),
            ("server.key", right.key.as_str()),
            ("authority.crt", &authority.pem()),
        ];
        let cluster = Cluster::start_with(&format!("{FORGETFUL}\nssl = on"), "", &files);
        let stage = Stage::on(&cluster).add(&THREE);
        let role = format!("daemon_{}", stage.database.name());
        stage.database.execute(&format!(
            "CREATE ROLE {role} LOGIN PASSWORD 'p';
             GRANT SELECT (id, username, status), UPDATE (status) ON streamers TO {role};
             GRANT INSERT ON written TO {role}"
        ));
        let bouncer = matches!(ill, Ill::Pooler(_)).then(|| Bouncer::start(&cluster, &stage.database));
        let url = match (&bouncer, ill) {
            (Some(bouncer), _) => bouncer.url().to_owned(),
            (_, Ill::Certificate) => format!(
                "{}?hostaddr=127.0.0.1&sslmode=verify-full&sslrootcert={}",
                stage.database.url_as(&role, "p").replace("127.0.0.1", "localhost"),
                cluster.data().join("authority.crt").display()
            ),
            _ => stage.database.url_as(&role, "p"),
        };
        let daemon = stage.start(stage.builder().set("DATABASE_URL", url));
        stage.wait_followed(&THREE);
        THREE.iter().for_each(|username| stage.wait_status(username, "Offline"));
        // What was written so far is on the disk.
        stage.database.execute("CHECKPOINT");
        Ground { daemon, bouncer, cluster, stage, role, authority }
    }

    fn run(&self, sql: &str) {
        let sql = sql.replace("{role}", &self.role).replace("{database}", self.stage.database.name());
        self.stage.database.execute(&sql);
    }

    fn cut(&self) {
        self.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'");
    }

    /// Has the server show a certificate for this host to who connects from now on.
    fn certify(&self, host: &str) {
        let other = self.authority.certify(host);
        for (name, text) in [("server.crt", other.certificate), ("server.key", other.key)] {
            fs::write(self.cluster.data().join(name), text).expect("a file can be written");
        }
        self.run("SELECT pg_reload_conf()");
        self.cut();
    }

    /// Begins it; what a lock needs to last comes back.
    fn begin(&self, ill: Ill) -> Option<Client> {
        match ill {
            Ill::Sql { begin, cut, .. } => {
                self.run(begin);
                if cut {
                    self.cut();
                }
            }
            Ill::Lock(lock) => {
                let mut client = self.stage.database.client();
                client.batch_execute(&format!("BEGIN; {lock}")).expect("nobody else locks for long");
                return Some(client);
            }
            Ill::Stop(how) => self.cluster.stop(how),
            Ill::Freeze => self.cluster.freeze(),
            Ill::Pooler(end) => self.bouncer.iter().for_each(end),
            Ill::Certificate => self.certify("elsewhere"),
        }
        None
    }

    fn end(&self, ill: Ill, holder: Option<Client>) {
        match ill {
            Ill::Sql { end, cut, .. } => {
                self.run(end);
                if cut {
                    self.cut();
                }
            }
            Ill::Lock(_) => drop(holder),
            Ill::Stop(_) => self.cluster.start_again(),
            Ill::Freeze => self.cluster.thaw(),
            Ill::Pooler(_) => self.bouncer.iter().for_each(Bouncer::start_again),
            Ill::Certificate => self.certify("localhost"),
        }
    }

    fn suffer(&self, case: &Case) {
        let cell = Cell { edge: "database", fault: case.fault };
        if case.undone {
            self.stage.kick.go_live("ana");
            wait_online(&self.stage, "ana");
        }
        let watch = Watch::start(&self.daemon);
        let holder = self.begin(case.ill);
        if !case.undone {
            self.stage.kick.go_live("ana");
        }
        let noticed = case.said.map(|said| {
            wait_for(&format!("{said} for {}", case.fault), LONG, || {
                // A connection that was being made when the others were cut has come through.
                if let Ill::Sql { cut: true, .. } | Ill::Certificate = case.ill {
                    self.cut();
                }
                self.daemon.events(said).into_iter().next()
            });
            watch.elapsed()
        });
        self.stage.kick.go_live("bob");
        if case.ana_alone {
            // The others are not delayed.
            wait_online(&self.stage, "bob");
            assert_eq!(self.stage.status("ana").as_deref(), Some("Offline"));
        }
        let began_healing = watch.elapsed();
        self.end(case.ill, holder);
        ["ana", "bob"].iter().for_each(|username| wait_online(&self.stage, username));
        prove_push(&self.stage, &self.daemon);
        let healed = watch.elapsed() - began_healing;
        watch.assert_idle(&self.daemon, cell);
        cell.record(Came { noticed, healed, ..compare_three(&self.stage) });
    }
}

/// These cases, side by side.
fn suffer_all(cases: &'static [Case]) {
    cases.iter().for_each(|case| Cell { edge: "database", fault: case.fault }.announce());
    std::thread::scope(|scope| {
        for case in cases {
            scope.spawn(|| Ground::new(case.ill).suffer(case));
        }
    });
}

#[test]
fn a_database_that_is_ill_heals() {
    suffer_all(CASES.split_at(10).0);
}

#[test]
fn a_table_or_a_row_that_is_ill_heals() {
    suffer_all(CASES.split_at(10).1);
}

/// R21: a table that says it in its own words is not written to again and again.
#[test]
fn a_row_that_a_trigger_rewrites_is_left_so_and_delays_nobody() {
    let cell = Cell { edge: "database", fault: "row rewritten by a trigger" };
    cell.announce();
    let ill = sql(
        "CREATE FUNCTION wrong() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN NEW.status := lower(NEW.status); RETURN NEW; END $$;
         CREATE TRIGGER wrong BEFORE UPDATE ON streamers FOR EACH ROW WHEN (NEW.username = 'ana') EXECUTE FUNCTION wrong()",
        UNTRIGGER,
    );
    let ground = Ground::new(ill);
    let watch = Watch::start(&ground.daemon);
    let holder = ground.begin(ill);
    ground.stage.kick.go_live("ana");
    ground.stage.wait_status("ana", "online");
    for (username, reads) in ["dee", "eve", "fay", "gus"].into_iter().zip(2..) {
        ground.stage.kick.add(username);
        ground.stage.insert(username, None);
        wait_for("the roster to be read", LONG, || {
            (ground.daemon.events("roster_loaded").len() >= reads).then_some(())
        });
        ground.stage.kick.go_live("bob");
        ground.stage.wait_status("bob", "Online");
        ground.stage.kick.stop("bob");
        ground.stage.wait_status("bob", "Offline");
    }
    let began_healing = watch.elapsed();
    ground.end(ill, holder);
    ground.stage.kick.stop("ana");
    ground.stage.wait_status("ana", "Offline");
    let healed = watch.elapsed() - began_healing;
    watch.assert_idle(&ground.daemon, cell);
    let written = ground.stage.written("ana");
    assert!(written.len() <= 5, "{written:?}");
    let mut words = written;
    words.dedup();
    cell.record(Came { healed, ..compare(&words, &["Offline", "online", "Offline"]) });
}
