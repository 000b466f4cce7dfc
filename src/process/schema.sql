-- A table, a role and a trigger for kick-monitor. Nothing of this has been done yet: read it, change
-- what is yours, and run it as the owner of the database:
--
--     kick-monitor schema | psql -v ON_ERROR_STOP=1 DATABASE
--
-- The names are those of the default configuration. If you have a table already, take from here the
-- role, its grants and, if you want it, the trigger.

BEGIN;

-- 1. The table. Only id, username and status are needed.

CREATE TABLE streamers (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    username   text NOT NULL,   -- the name on Kick; @NAME and https://kick.com/NAME work too
    status     text,            -- Online or Offline; NULL until Kick has answered
    channel_id bigint,          -- DB_CHANNEL_ID_COLUMN=channel_id: saves a look-up; NULL is fine
    user_id    bigint,          -- DB_USER_ID_COLUMN=user_id: likewise
    changed_at timestamptz      -- DB_CHANGED_AT_COLUMN=changed_at: set with the status
);

-- 2. The role, with the least that it needs: it never inserts, deletes or alters.

CREATE ROLE kick_monitor LOGIN PASSWORD 'choose-one';

-- No statement of the daemon's takes this long, unless somebody has locked the table.
ALTER ROLE kick_monitor SET statement_timeout = '30s';

DO $$ BEGIN
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO kick_monitor', current_database());
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO kick_monitor', current_schema());
    -- What DB_FILTER names is PostgreSQL's own, or stands beside the table; nobody else's schema is searched. On
    -- PostgreSQL 14 and older, every role may create in "public" unless you say: REVOKE CREATE ON SCHEMA public FROM PUBLIC
    EXECUTE format('ALTER ROLE kick_monitor SET search_path = pg_catalog, %I, pg_temp', current_schema());
    -- A statement that waits for a lock when the daemon is killed ends with it, instead of writing later.
    IF current_setting('server_version_num')::integer >= 140000 THEN
        ALTER ROLE kick_monitor SET client_connection_check_interval = '2s';
    END IF;
END $$;

-- With DB_FILTER, grant SELECT on the columns that it names, too.
GRANT SELECT (id, username, status, channel_id, user_id), UPDATE (status, changed_at)
    ON streamers TO kick_monitor;

-- 3. Optional: the table is read at once when a row comes, goes or gets another name, instead of
--    within ROSTER_POLL_SECS. It wants ROSTER_NOTIFY_CHANNEL=kick_roster and a direct connection to
--    PostgreSQL, not one through PgBouncer.

CREATE FUNCTION kick_roster_changed() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_notify('kick_roster', ''); RETURN NULL; END $$;

CREATE TRIGGER kick_roster_changed
    AFTER INSERT OR DELETE OR TRUNCATE OR UPDATE OF username ON streamers
    FOR EACH STATEMENT EXECUTE FUNCTION kick_roster_changed();

COMMIT;

-- Then, in the configuration:
--
--     DATABASE_URL='postgres://kick_monitor:choose-one@HOST/DATABASE?sslmode=verify-full'
--     DB_CHANNEL_ID_COLUMN=channel_id
--     DB_USER_ID_COLUMN=user_id
--     DB_CHANGED_AT_COLUMN=changed_at
--     ROSTER_NOTIFY_CHANNEL=kick_roster
