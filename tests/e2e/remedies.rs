//! The remedies that `check` prints are tried as they stand: what is for psql runs in psql, and then the item passes or
//! the next one is named. What only a person can do names what to correct.

use super::check::SetUp;
use lab::{Authority, Certificate, Cluster};

/// The statement that a line of this item ends with.
#[track_caller]
fn statement<'a>(said: &'a str, item: &str) -> &'a str {
    let line = said.lines().find(|line| line.contains(item)).unwrap_or_else(|| panic!("no {item} in\n{said}"));
    let sql = line.split_once("in psql: ").unwrap_or_else(|| panic!("nothing for psql: {line}")).1;
    assert!(sql.ends_with(';') && !line.contains("run: "), "{line}");
    sql
}

#[test]
fn a_statement_for_psql_makes_the_item_pass() {
    let set_up = SetUp::new();
    let database = &set_up.stage.database;
    let role = format!("Odd role {}", database.name());
    database.execute(&format!(
        "CREATE SCHEMA \"Shut Off\";
         CREATE TABLE \"Shut Off\".\"The Table\" (id int NOT NULL UNIQUE, username text, status text, \"Changed\" timestamptz);
         INSERT INTO \"Shut Off\".\"The Table\" VALUES (1, 'ana', NULL, NULL);
         CREATE ROLE \"{role}\" LOGIN PASSWORD 'p'; CREATE PUBLICATION everything FOR ALL TABLES"
    ));
    let url = database.url_as(&role.replace(' ', "%20"), "p");
    let changes = [
        ("DATABASE_URL", url.as_str()),
        ("DB_TABLE", "\"Shut Off\".\"The Table\""),
        ("DB_CHANGED_AT_COLUMN", "Changed"),
        ("API_REQUESTS_PER_MINUTE", "6000"),
    ];
    let mut ran = 0;
    loop {
        let ended = set_up.check(&changes, &[]);
        if ended.code == Some(0) {
            break;
        }
        assert!(ran < 12, "it does not end: {}", ended.stdout);
        database.execute(statement(&ended.stdout, "FAIL "));
        ran += 1;
    }
    assert!(ran >= 6, "the schema, four privileges on columns, an identity: {ran}");
    // A warning's, too.
    database
        .execute("CREATE TABLE loose (id int, username text, status text); INSERT INTO loose VALUES (1, 'ana', NULL)");
    database.execute("ALTER TABLE loose REPLICA IDENTITY FULL");
    let changes = [("DB_TABLE", "loose")];
    database.execute(statement(&set_up.check(&changes, &[]).stdout, "warn id: "));
    let said = set_up.check(&changes, &[]).stdout;
    assert!(!said.contains("warn id: "), "{said}");
}

#[test]
fn each_obstacle_on_the_way_in_has_a_remedy_of_its_own() {
    let set_up = SetUp::new();
    let database = &set_up.stage.database;
    let url = database.url();
    let (before, behind) = url.split_once("127.0.0.1").expect("a host");
    let socket = url.replace("127.0.0.1", "%2Fnowhere");
    for (url, remedy) in [
        (database.url_as("postgres", "wrong"), "correct the password of \"postgres\" in DATABASE_URL"),
        (database.url_as("nobody", "p"), "nobody\" in DATABASE_URL"),
        (url.replace(database.name(), "nowhere"), "correct the database in DATABASE_URL"),
        (format!("{before}127.0.0.1:1/x"), "start PostgreSQL there, or correct host and port in DATABASE_URL"),
        (
            format!("{before}no-such-host.invalid{behind}"),
            "correct the host in DATABASE_URL, or look at this machine's DNS",
        ),
        (socket, "start PostgreSQL on this machine"),
        (format!("{url}?sslmode=require"), "turn on ssl in the server's postgresql.conf, or lower sslmode"),
    ] {
        let ended = set_up.check(&[("DATABASE_URL", &url)], &[]);
        let line = ended.stdout.lines().find(|line| line.starts_with("FAIL database login: "));
        let line = line.unwrap_or_else(|| panic!("{url}: {}", ended.stdout));
        assert!(line.contains(remedy) && !line.contains("firewall"), "{url}: {line}");
        assert!(!line.contains("pass") || line.contains("password"), "no secret: {line}");
    }
}

#[test]
fn the_values_that_would_fit_the_column_are_named() {
    let set_up = SetUp::new();
    let database = &set_up.stage.database;
    database.execute(
        "CREATE TYPE shade AS ENUM ('up', 'down', 'gone');
         CREATE TABLE as_boolean (id int PRIMARY KEY, username text, status boolean);
         CREATE TABLE as_number (id int PRIMARY KEY, username text, status smallint);
         CREATE TABLE as_enum (id int PRIMARY KEY, username text, status shade)",
    );
    for (table, named, values) in [
        ("as_boolean", "expected true and false", ["true", "false"]),
        ("as_number", "expected two numbers, such as 1 and 0", ["1", "0"]),
        ("as_enum", "expected two of up, down, gone", ["up", "down"]),
    ] {
        set_up.fails(
            &[("DB_TABLE", table)],
            &["values: ", "does not fit", named, "set DB_ONLINE_VALUE and DB_OFFLINE_VALUE"],
        );
        let changes = [("DB_TABLE", table), ("DB_ONLINE_VALUE", values[0]), ("DB_OFFLINE_VALUE", values[1])];
        let said = set_up.check(&changes, &[]).stdout;
        assert!(said.contains("ok   values: "), "{said}");
    }
}

#[test]
fn notifications_that_no_trigger_could_send_are_warned_of() {
    let set_up = SetUp::new();
    set_up.stage.database.execute(
        "CREATE TABLE plain (id int PRIMARY KEY, username text, status text);
         CREATE FUNCTION told() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN PERFORM pg_notify('kick_roster', ''); RETURN NULL; END $$",
    );
    let changes = [("DB_TABLE", "plain"), ("ROSTER_NOTIFY_CHANNEL", "kick_roster")];
    let said = set_up.check(&changes, &[]).stdout;
    assert!(
        said.contains("warn notifications: ") && said.contains("no trigger") && said.contains("kick-monitor schema"),
        "{said}"
    );
    set_up
        .stage
        .database
        .execute("CREATE TRIGGER told AFTER INSERT OR DELETE ON plain FOR EACH STATEMENT EXECUTE FUNCTION told()");
    let said = set_up.check(&changes, &[]).stdout;
    assert!(said.contains("ok   notifications: "), "{said}");
}

#[test]
fn a_certificate_is_told_without_the_source_of_openssl() {
    let (ours, other) = (Authority::new(), Authority::new());
    let Certificate { certificate, key } = ours.certify("localhost");
    let files = [
        ("server.crt", certificate.as_str()),
        ("server.key", key.as_str()),
        ("ours.crt", &ours.pem()),
        ("other.crt", &other.pem()),
    ];
    let cluster = Cluster::start_with("ssl = on", "", &files);
    let mut set_up = SetUp::new();
    set_up.stage.database = cluster.database();
    let numbered = set_up.stage.database.url() + "?";
    let named = set_up.stage.database.url().replace("127.0.0.1", "localhost") + "?hostaddr=127.0.0.1&";
    for (url, root, remedy) in [
        (named, "other.crt", "add sslrootcert=FILE to DATABASE_URL"),
        (numbered, "ours.crt", "as the server's certificate has it"),
    ] {
        let root = cluster.data().join(root);
        let url = format!("{url}sslmode=verify-full&sslrootcert={}", root.display());
        let said = set_up.check(&[("DATABASE_URL", &url)], &[]).stdout;
        let line = said.lines().find(|line| line.starts_with("FAIL database login: "));
        let line = line.unwrap_or_else(|| panic!("{said}"));
        assert!(line.contains("certificate verify failed") && line.contains(remedy), "{line}");
        assert!(!line.contains(".c:") && !line.contains("SSL routines"), "{line}");
    }
}
