//! What is told of a row that is refused, and what is not: nothing that it holds (R20, R21).

use super::{fixture, open, refusal, shown, write};
use kick_monitor::domain::Status::{self, Online};
use kick_monitor::domain::row::WriteResult::{self, Refused, Unavailable, Written};
use kick_monitor::domain::secret::Secret;

const TABLE: &str = "CREATE TABLE streamers (id int PRIMARY KEY, username text, status text, email text UNIQUE,
        kind int NOT NULL DEFAULT 1);
    INSERT INTO streamers SELECT n, 'user ' || n, 'Offline', 'user' || n || '@example.com' FROM generate_series(1, 9) AS n";

/// The reason for which row 2 alone is refused once this is so.
fn reason(spoil: &str) -> String {
    let (lab, config) = fixture(TABLE);
    lab.execute(spoil);
    let results = write(&open(&config), &["1", "2", "3"], Online);
    assert_eq!((&results[0], &results[2]), (&Written, &Written), "{spoil}");
    match &results[1] {
        Refused(reason) => reason.clone(),
        other => panic!("{spoil}: {other:?}"),
    }
}

/// The same of a trigger that does this with row 2.
fn raised(body: &str) -> String {
    reason(&format!(
        "CREATE FUNCTION wrong() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NEW; END $$;
         CREATE TRIGGER wrong BEFORE UPDATE ON streamers FOR EACH ROW WHEN (NEW.id = 2) EXECUTE FUNCTION wrong()"
    ))
}

#[test]
fn a_refusal_tells_nothing_of_what_the_row_holds() {
    let constraint = reason("ALTER TABLE streamers ADD CONSTRAINT early CHECK (id <> 2 OR status = 'Offline')");
    assert!(constraint.starts_with("23514") && constraint.contains("\"early\""), "{constraint}");
    assert!(constraint.contains("\"streamers\""), "{constraint}");
    for (body, words) in [
        ("NEW.kind := NULL;", &["23502", "\"kind\"", "\"streamers\""][..]),
        ("NEW.email := 'user1@example.com';", &["23505", "\"streamers_email_key\"", "\"streamers\""]),
        ("PERFORM NEW.email::int;", &["22P02: invalid input syntax for type integer: \"…\"", "wrong()"]),
        ("PERFORM ('{' || NEW.email)::json;", &["22P02", "wrong()"]),
        ("RAISE 'no' USING detail = NEW::text, hint = NEW.email;", &["P0001: no (", "wrong()"]),
        ("EXECUTE format('SELECT 1 / length(left(%L, 0))', NEW.email);", &["22012", "wrong()"]),
    ] {
        let text = raised(body);
        assert!(words.iter().all(|words| text.contains(words)), "{body}: {text}");
        assert!(!text.contains("example.com"), "{body}: {text}");
    }
}

#[test]
fn a_filter_that_fails_tells_nothing_of_what_a_row_holds() {
    let (_lab, mut config) = fixture(TABLE);
    config.filter = Some("email::int > 0".to_owned());
    let text = refusal(&config);
    assert!(text.starts_with("DB_FILTER (email::int > 0): 22P02") && !text.contains("example.com"), "{text}");
}

/// Case by case: an id that the old type could not hold.
#[test]
fn a_type_that_has_grown_is_learned_anew() {
    for parameters_in_errors in ["0", "-1"] {
        let (lab, config) = fixture(TABLE);
        lab.execute(&format!(
            "ALTER DATABASE {} SET log_parameter_max_length_on_error = {parameters_in_errors}",
            lab.name()
        ));
        let database = open(&config);
        assert_eq!(write(&database, &["1", "2"], Online), [Written, Written]);
        lab.execute("ALTER TABLE streamers ALTER id TYPE bigint");
        lab.execute("INSERT INTO streamers VALUES (3000000000, 'late', 'Offline'), (3000000001, 'later', 'Offline')");
        assert_eq!(write(&database, &["3000000000"], Online), [Written], "{parameters_in_errors}");
        assert_eq!(write(&database, &["3", "3000000001"], Online), [Written, Written]);
        assert!(shown(&database).contains(&"3000000000=Online".to_owned()));
    }
}

/// What fails without any row is no row's fault, whatever the server adds to its errors.
#[test]
fn what_no_row_is_to_blame_for_makes_all_unavailable() {
    for (spoil, words) in [
        ("CREATE PUBLICATION p FOR TABLE streamers", "ALTER TABLE \"streamers\" REPLICA IDENTITY FULL"),
        ("REVOKE UPDATE ON streamers FROM {role}", "GRANT SELECT"),
        (
            "CREATE FUNCTION wrong() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'closed'; END $$;
          CREATE TRIGGER wrong BEFORE UPDATE ON streamers EXECUTE FUNCTION wrong()",
            "P0001: closed",
        ),
        ("ALTER ROLE {role} SET default_transaction_read_only = on", "25006"),
    ] {
        let (lab, mut config) = fixture(TABLE);
        let role = format!("blameless_{}", lab.name());
        lab.execute(&format!(
            "ALTER DATABASE {} SET log_parameter_max_length_on_error = -1; ALTER TABLE streamers DROP CONSTRAINT streamers_pkey;
             CREATE ROLE {role} LOGIN PASSWORD 'p'; GRANT SELECT, UPDATE ON streamers TO {role}",
            lab.name()
        ));
        config.url = Secret::new(lab.url_as(&role, "p"));
        let spoil = spoil.replace("{role}", &role);
        lab.execute(&spoil);
        let database = open(&config);
        for rows in [&["1"][..], &["1", "2", "3", "4"]] {
            let results: Vec<WriteResult> = write(&database, rows, Status::Online);
            let away = |result: &WriteResult| matches!(result, Unavailable(reason) if reason.contains(words));
            assert!(results.iter().all(away), "{spoil}: {results:?}");
        }
    }
}
