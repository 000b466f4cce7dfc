//! Nothing of another role's is run: operators and functions are those of PostgreSQL, whatever stands in the search
//! path; and the id is still looked up by its index.

use super::{fixture, open, shown, wish, write, write_all};
use kick_monitor::config::DatabaseConfig;
use kick_monitor::domain::Status::{Offline, Online};
use kick_monitor::domain::row::Write;
use kick_monitor::domain::row::WriteResult::{AlreadySo, Gone, Written};
use kick_monitor::domain::secret::Secret;
use kick_monitor::domain::shards::Scope;
use kick_monitor::stop::Stop;

/// Everything that our statements might run by name, in a schema that stands before PostgreSQL's own: each leaves a
/// trace. The comparisons give the opposite of the truth, too.
const TRAPS: &str = "
    CREATE ROLE {role} LOGIN PASSWORD 'p';
    CREATE TABLE sprung (what text, by text);
    GRANT INSERT ON sprung TO public;
    CREATE SCHEMA trap; GRANT USAGE ON SCHEMA trap TO public;
    DO $do$
    DECLARE kind text; name text;
    BEGIN
        FOREACH kind IN ARRAY ARRAY['varchar', 'text', 'int8', 'int4', 'int2', 'bool', 'oid', 'name', 'bpchar', 'uuid'] LOOP
            FOREACH name IN ARRAY ARRAY['same', 'differ'] LOOP
                EXECUTE format($f$
                    CREATE FUNCTION trap.%1$s_%2$s(%2$s, %2$s) RETURNS boolean LANGUAGE plpgsql AS
                        $$ BEGIN INSERT INTO public.sprung VALUES ('%1$s %2$s', current_user); RETURN NULL; END $$;
                    CREATE OPERATOR trap.%3$s (LEFTARG = %2$s, RIGHTARG = %2$s, FUNCTION = trap.%1$s_%2$s)
                $f$, name, kind, CASE name WHEN 'same' THEN '=' ELSE '<>' END);
            END LOOP;
        END LOOP;
    END $do$;
    CREATE FUNCTION trap.spring(what text) RETURNS void LANGUAGE sql AS
        $$ INSERT INTO public.sprung VALUES (what, current_user) $$;
    CREATE FUNCTION trap.pg_notify(text, text) RETURNS text LANGUAGE sql AS
        $$ SELECT trap.spring('pg_notify'); SELECT ''::text $$;
    CREATE FUNCTION trap.unnest(text[]) RETURNS SETOF text LANGUAGE sql AS
        $$ SELECT trap.spring('unnest'); SELECT pg_catalog.unnest($1) $$;
    CREATE FUNCTION trap.set_config(text, text, boolean) RETURNS text LANGUAGE sql AS
        $$ SELECT trap.spring('set_config'); SELECT ''::text $$;
    CREATE FUNCTION trap.left(text, integer) RETURNS text LANGUAGE sql AS $$ SELECT trap.spring('left'); SELECT $1 $$;
    CREATE FUNCTION trap.replace(text, text, text) RETURNS text LANGUAGE sql AS
        $$ SELECT trap.spring('replace'); SELECT $1 $$;
    CREATE FUNCTION trap.octet_length(text) RETURNS integer LANGUAGE sql AS
        $$ SELECT trap.spring('octet_length'); SELECT 1 $$;
    CREATE FUNCTION trap.to_regclass(text) RETURNS regclass LANGUAGE sql AS
        $$ SELECT trap.spring('to_regclass'); SELECT pg_catalog.to_regclass($1) $$;
    CREATE FUNCTION trap.current_setting(text) RETURNS text LANGUAGE sql AS
        $$ SELECT trap.spring('current_setting'); SELECT ''::text $$;
    CREATE FUNCTION trap.row_security_active(text) RETURNS boolean LANGUAGE sql AS
        $$ SELECT trap.spring('row_security_active'); SELECT true $$;
    CREATE FUNCTION trap.format_type(oid, integer) RETURNS text LANGUAGE sql AS
        $$ SELECT trap.spring('format_type'); SELECT 'text'::text $$;
    CREATE FUNCTION trap.json_build_object(text, text) RETURNS json LANGUAGE sql AS
        $$ SELECT trap.spring('json_build_object'); SELECT '{}'::json $$;
    CREATE FUNCTION trap.json_build_object(text, text, text, text, text, text, text, text, text, text) RETURNS json
        LANGUAGE sql AS $$ SELECT trap.spring('json_build_object'); SELECT '{}'::json $$;
    CREATE FUNCTION trap.date_part(text, timestamptz) RETURNS float8 LANGUAGE sql AS
        $$ SELECT trap.spring('date_part'); SELECT 0::float8 $$;
    CREATE FUNCTION trap.length(text) RETURNS integer LANGUAGE sql AS $$ SELECT trap.spring('length'); SELECT 0 $$;
    CREATE FUNCTION trap.before(timestamptz, timestamptz) RETURNS boolean LANGUAGE sql AS
        $$ SELECT trap.spring('<'); SELECT NULL::boolean $$;
    CREATE OPERATOR trap.< (LEFTARG = timestamptz, RIGHTARG = timestamptz, FUNCTION = trap.before);
    CREATE FUNCTION trap.less(timestamptz, interval) RETURNS timestamptz LANGUAGE sql AS
        $$ SELECT trap.spring('-'); SELECT NULL::timestamptz $$;
    CREATE OPERATOR trap.- (LEFTARG = timestamptz, RIGHTARG = interval, FUNCTION = trap.less);
    CREATE DOMAIN trap.text AS int; CREATE DOMAIN trap.interval AS int; CREATE DOMAIN trap.oid AS int;
    GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA trap TO public;
    ALTER ROLE {role} SET search_path = trap, pg_catalog, public;
    CREATE TABLE public.streamers (id varchar PRIMARY KEY, username varchar, status varchar, changed_at timestamptz,
        started_at timestamptz);
    INSERT INTO public.streamers SELECT n, 'user ' || n, 'Offline' FROM generate_series(1, 9) AS n;
    GRANT SELECT, UPDATE ON public.streamers TO {role}";

#[test]
fn what_another_role_defines_is_never_run() {
    let (lab, config) = fixture("SELECT 1");
    let role = format!("victim_{}", lab.name());
    lab.execute(&TRAPS.replace("{role}", &role));
    let config = DatabaseConfig {
        url: Secret::new(lab.url_as(&role, "p")),
        changed_at_column: Some("changed_at".to_owned()),
        started_at_column: Some("started_at".to_owned()),
        notify_channel: Some("changes".to_owned()),
        ..config
    };
    let database = open(&config);
    let sprung = |when: &str| {
        let what = lab.value("SELECT string_agg(DISTINCT what || ' as ' || by, ', ') FROM sprung");
        assert_eq!(what, None, "{when}");
    };
    let read = database.read_roster(&Scope::All, &Stop::never());
    sprung("at a read");
    assert_eq!(read.map(|rows| rows.len()), Ok(9));
    assert_eq!(write(&database, &["1"], Online), [Written]);
    sprung("at a write of one row");
    assert_eq!(write(&database, &["1", "2", "3", "x"], Online), [AlreadySo, Written, Written, Gone]);
    sprung("at a write of many");
    assert_eq!(write(&database, &["1"], Online), [AlreadySo]);
    sprung("at a question");
    for started_at in ["2026-11-23T10:00:00Z", "2026-11-23T11:00:00Z", "2026-11-23T11:00:01Z"] {
        let start = Write {
            started_at: started_at.parse().ok(),
            title: Some("Hello".into()),
            start_only: true,
            ..wish(1, "1", Online)
        };
        let wanted = if started_at.ends_with("01Z") { AlreadySo } else { Written };
        assert_eq!(write_all(&database, vec![start])[0].1, wanted, "{started_at}");
    }
    sprung("at a start");
    database.notify("x").expect("it is sent");
    let found = database.inspect().expect("it can be looked at");
    assert!(found.id_unique && found.unreadable.is_empty() && found.unwritable.is_empty(), "{found:?}");
    database.plan_writes(None).expect("it can be written");
    sprung("at an inspection");
    assert_eq!(shown(&database)[..3], ["1=Online", "2=Online", "3=Online"]);
    sprung("at the end");
}

#[test]
fn an_id_of_any_type_is_looked_up_by_its_index() {
    for kind in ["bigint", "int", "varchar(40)", "text", "uuid", "char(40)", "citext", "numeric", "number"] {
        let (_lab, mut config) = fixture(&format!(
            "CREATE EXTENSION citext; CREATE DOMAIN number AS bigint;
             CREATE TABLE streamers (id {kind} PRIMARY KEY, username text, status varchar(10), started timestamptz);
             INSERT INTO streamers SELECT CASE '{kind}' WHEN 'uuid' THEN lpad(n::text, 32, '0') ELSE n::text END::{kind}, 'a', 'x'
             FROM generate_series(1, 5000) AS n;
             ANALYZE streamers"
        ));
        config.started_at_column = Some("started".to_owned());
        let database = open(&config);
        let rows = database.read_roster(&Scope::All, &Stop::never()).expect("it is read");
        let plans = database.plan_writes(Some(&rows[7].id)).expect("it can be written");
        for plan in plans {
            let whole = plan.contains("Seq Scan on streamers");
            assert!(plan.contains("streamers_pkey") && !whole, "{kind}: {plan}");
        }
    }
}

#[test]
fn an_operator_in_public_is_never_run() {
    let (lab, config) = fixture(
        "CREATE TABLE streamers (id varchar PRIMARY KEY, username varchar, status varchar);
         INSERT INTO streamers VALUES ('1', 'a', 'Offline'), ('2', 'b', 'Offline');
         CREATE TABLE sprung (by text);
         CREATE FUNCTION same(varchar, varchar) RETURNS boolean LANGUAGE plpgsql AS
             $$ BEGIN INSERT INTO sprung VALUES (current_user); RETURN $1::text = $2::text; END $$;
         CREATE OPERATOR public.= (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = same)",
    );
    let database = open(&config);
    assert_eq!(shown(&database), ["1=Offline", "2=Offline"]);
    assert_eq!(write(&database, &["1"], Online), [Written]);
    assert_eq!(write(&database, &["1", "2"], Online), [AlreadySo, Written]);
    assert_eq!(lab.value("SELECT count(*) FROM sprung").as_deref(), Some("0"), "it ran as us");
}

#[test]
fn a_type_outside_of_postgresqls_own_brings_its_own_comparison() {
    let (lab, config) = fixture(
        "CREATE SCHEMA extensions; CREATE EXTENSION citext SCHEMA extensions;
         CREATE TYPE public.state AS ENUM ('Online', 'Offline');
         CREATE TABLE public.streamers (id extensions.citext PRIMARY KEY, username extensions.citext, status extensions.citext);
         INSERT INTO streamers VALUES ('A', 'a', 'ONLINE'), ('b', 'b', 'offline')",
    );
    let database = open(&config);
    assert_eq!(shown(&database), ["A=Online", "b=Offline"]);
    assert_eq!(write(&database, &["A", "b"], Online), [AlreadySo, Written]);
    assert_eq!(write(&database, &["a"], Offline), [Written], "ids are compared as the column compares them");
    assert_eq!(
        lab.value("SELECT string_agg(status, ' ' ORDER BY id) FROM streamers").as_deref(),
        Some("Offline Online")
    );
}
