-- The role, with the least that it needs: it never inserts, deletes or alters. One that is there already
-- only gets the grants, for others may use it; if nobody else does, set the three limits below for it, too.

DO $kick$
DECLARE
    role CONSTANT text := {role_text};
    home CONSTANT text := (SELECT relnamespace::regnamespace FROM pg_class WHERE oid = {table_text}::regclass);
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
        EXECUTE format('CREATE ROLE %I LOGIN{password}', role);
        -- No statement of the daemon's takes this long, unless somebody has locked the table.
        EXECUTE format('ALTER ROLE %I SET statement_timeout = ''30s''', role);
        -- What DB_FILTER names is PostgreSQL's own, or stands beside the table; no other schema is searched. On
        -- PostgreSQL 14 and older, every role may create in "public" unless you say: REVOKE CREATE ON SCHEMA public FROM PUBLIC
        EXECUTE format('ALTER ROLE %I SET search_path = pg_catalog, %s, pg_temp', role, home);
        -- A statement that waits for a lock when the daemon is killed ends with it, instead of writing later.
        IF current_setting('server_version_num')::integer >= 140000 THEN
            EXECUTE format('ALTER ROLE %I SET client_connection_check_interval = ''2s''', role);
        END IF;
    END IF;
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), role);
    EXECUTE format('GRANT USAGE ON SCHEMA %s TO %I', home, role);
END $kick$;

{grant};

