//! What a connection URL means, and what is reported about a bad one.

use super::{from, lines};
use expect_test::{Expect, expect};

#[test]
fn sslmode_and_sslrootcert_are_taken_out_of_the_database_url() {
    let check = |url: &str, expected: Expect| {
        let text = format!("KICK_CLIENT_ID=id\nKICK_CLIENT_SECRET=x\nDATABASE_URL='{url}'\n");
        let database = from(text.as_bytes(), &[]).expect("good").database;
        let url = database.url.reveal();
        assert!(url.parse::<postgres::Config>().is_ok());
        expected.assert_eq(&format!("{url} {:?} {:?}", database.sslmode, database.sslrootcert));
    };
    check("postgres://u:p%40%2F%25@db:5433/live", expect!["postgres://u:p%40%2F%25@db:5433/live Prefer None"]);
    check(
        "postgresql://db/a%20b?sslmode=verify-full&application_name=a%26b",
        expect!["postgresql://db/a%20b?application_name=a%26b VerifyFull None"],
    );
    check(
        "postgres://a:1,b:2/live?target_session_attrs=read-write&sslmode=allow&connect_timeout=3",
        expect!["postgres://a:1,b:2/live?target_session_attrs=read-write&connect_timeout=3 Allow None"],
    );
    check(
        "postgres://u@%2Frun%2Fpostgresql/live?sslmode=disable",
        expect!["postgres://u@%2Frun%2Fpostgresql/live Disable None"],
    );
    check(
        "postgres:///live?host=/run/postgresql&user=u",
        expect!["postgres:///live?host=/run/postgresql&user=u Prefer None"],
    );
    check("postgres://u@/live", expect!["postgres://u@/live?host=/var/run/postgresql Prefer None"]);
    check("postgres://u:p?q@[::1]:5432/live?sslmode=require", expect!["postgres://u:p?q@[::1]:5432/live Require None"]);
    check("postgres://db/?sslrootcert=system", expect!["postgres://db/ VerifyFull None"]);
    check("postgres://db/?sslrootcert=&sslmode=prefer", expect!["postgres://db/ Prefer None"]);
    check("postgres://db/?sslmode=verify-ca&sslrootcert=%2Fca", expect![[r#"postgres://db/ VerifyCa Some("/ca")"#]]);
    check("postgres://db/?sslmode=require&sslrootcert=/none", expect![[r#"postgres://db/ Require Some("/none")"#]]);
}

#[test]
fn a_url_that_cannot_be_used_is_told_without_any_of_it() {
    for (url, expected) in [
        (
            "mysql://u:hunter2@db/live",
            expect![[r#"
                k.env:3: DATABASE_URL: the value is not a database URL; expected postgres://USER:PASSWORD@HOST:PORT/DATABASE
            "#]],
        ),
        (
            "host=db password=hunter2",
            expect![[r#"
                k.env:3: DATABASE_URL: the value is not a database URL; expected postgres://USER:PASSWORD@HOST:PORT/DATABASE
            "#]],
        ),
        (
            "postgres://u:hunter@2@db/live",
            expect![[r#"
                k.env:3: DATABASE_URL: the value has one @ too many or in the wrong place; percent-encode special characters of the password (@ as %40, / as %2F, : as %3A)
            "#]],
        ),
        (
            "postgres://u:hunter/2@db/live",
            expect![[r#"
                k.env:3: DATABASE_URL: the value has one @ too many or in the wrong place; percent-encode special characters of the password (@ as %40, / as %2F, : as %3A)
            "#]],
        ),
        (
            "postgres://u:hunter2@db/live?sslmode=on",
            expect![[r#"
                k.env:3: DATABASE_URL: the value has an unknown sslmode; expected one of disable, allow, prefer, require, verify-ca, verify-full
            "#]],
        ),
        (
            "postgres://u:hunter2@db/live?sslmode",
            expect![[r#"
                k.env:3: DATABASE_URL: the value has a parameter without a value; expected ?NAME=VALUE&NAME=VALUE
            "#]],
        ),
        (
            "postgres://u:hunter2@db/live?passfile=/x",
            expect![[r#"
                k.env:3: DATABASE_URL: the value cannot be used by the driver (unknown option `passfile`); expected postgres://USER:PASSWORD@HOST:PORT/DATABASE
            "#]],
        ),
        (
            "postgres://u:hunter2@db:x/live",
            expect![[r#"
                k.env:3: DATABASE_URL: the value cannot be used by the driver (invalid value for option `port`); expected postgres://USER:PASSWORD@HOST:PORT/DATABASE
            "#]],
        ),
        (
            "postgres://u:hunter2@a,/live",
            expect![[r#"
                k.env:3: DATABASE_URL: the value has an empty host or several in one; expected postgres://HOST:PORT,HOST:PORT/DATABASE
            "#]],
        ),
        (
            "postgres:///live?host=a,b",
            expect![[r#"
                k.env:3: DATABASE_URL: the value has an empty host or several in one; expected postgres://HOST:PORT,HOST:PORT/DATABASE
            "#]],
        ),
        (
            "postgres://u:hunter2@db/live?hostaddr=127.0.0.1,127.0.0.2",
            expect![[r#"
                k.env:3: DATABASE_URL: the value has different numbers of hosts and of hostaddr; expected one hostaddr for each host
            "#]],
        ),
        (
            "postgres:///live?host=a&port=1,2",
            expect![[r#"
                k.env:3: DATABASE_URL: the value has different numbers of ports and of hosts; expected one port for each host, or one for all
            "#]],
        ),
        (
            "postgres://db?sslrootcert=ca.pem",
            expect![[r#"
                k.env:3: DATABASE_URL: the value has a relative sslrootcert; expected an absolute path or "system"
            "#]],
        ),
        (
            "postgres://db?sslrootcert=system&sslmode=require",
            expect![[r#"
                k.env:3: DATABASE_URL: the value has sslrootcert=system with a weaker sslmode; expected sslmode=verify-full
            "#]],
        ),
        (
            "postgres://db?sslrootcert=/none&sslmode=verify-full",
            expect![[r#"
                k.env:3: DATABASE_URL: has an sslrootcert that cannot be read: No such file or directory (os error 2)
            "#]],
        ),
        (
            "postgres://db?sslrootcert=/empty&sslmode=verify-ca",
            expect![[r#"
                k.env:3: DATABASE_URL: has an sslrootcert that contains no usable certificate; expected at least one (PEM), and no broken one
            "#]],
        ),
        (
            "postgres://db?target_session_attrs=primary",
            expect![[r#"
                k.env:3: DATABASE_URL: the value cannot be used by the driver (invalid value for option `target_session_attrs`); expected postgres://USER:PASSWORD@HOST:PORT/DATABASE
            "#]],
        ),
    ] {
        let text = format!("KICK_CLIENT_ID=id\nKICK_CLIENT_SECRET=x\nDATABASE_URL='{url}'\n");
        let said = lines(from(text.as_bytes(), &[]));
        assert!(!said.contains("hunter"), "{said}");
        expected.assert_eq(&said);
    }
}
