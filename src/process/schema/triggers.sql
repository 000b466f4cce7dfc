-- Optional: the table is read at once when a row comes, goes or gets another name, instead of within
-- ROSTER_POLL_SECS. It needs ROSTER_NOTIFY_CHANNEL and a direct connection to PostgreSQL, not one through
-- PgBouncer.

CREATE OR REPLACE FUNCTION kick_roster_changed() RETURNS trigger LANGUAGE plpgsql AS
    $kick$ BEGIN PERFORM pg_notify({channel_text}, ''); RETURN NULL; END $kick$;

DROP TRIGGER IF EXISTS kick_roster_changed ON {table};
CREATE TRIGGER kick_roster_changed
    AFTER INSERT OR DELETE OR TRUNCATE OR UPDATE OF {watched} ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION kick_roster_changed();

-- Optional: a history of broadcasts, one row each, which the database keeps by itself. The daemon needs no right
-- to it. To end it, drop the trigger before the table: DROP TRIGGER kick_broadcasts ON {table}

CREATE TABLE IF NOT EXISTS kick_broadcasts AS
    SELECT {id} AS streamer_id, {username} AS username FROM {table} WITH NO DATA;
ALTER TABLE kick_broadcasts
    ADD COLUMN IF NOT EXISTS started_at timestamptz NOT NULL,
    ADD COLUMN IF NOT EXISTS ended_at timestamptz,    -- NULL while it runs
    ADD COLUMN IF NOT EXISTS duration interval GENERATED ALWAYS AS (ended_at - started_at) STORED;
CREATE INDEX IF NOT EXISTS kick_broadcasts_by_streamer ON kick_broadcasts (streamer_id, started_at);

CREATE OR REPLACE FUNCTION kick_broadcasts() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $kick$
DECLARE
    history CONSTANT text := format('%I.kick_broadcasts', TG_TABLE_SCHEMA);
    old_start CONSTANT timestamptz := {old_start};
    new_start CONSTANT timestamptz := {new_start};
    changed CONSTANT timestamptz := {changed};
    live record := NEW;
    was_live boolean;
    is_live boolean;
    resumed bigint;
BEGIN
    -- Compared as the column's own type compares, wherever its operators are.
    live.{status} := {online_text};
    was_live := record_eq(ROW(OLD.{status}), ROW(live.{status}));
    is_live := record_eq(ROW(NEW.{status}), ROW(live.{status}));
    IF was_live AND is_live AND (new_start IS NULL OR new_start = old_start) THEN
        RETURN NULL;
    END IF;
    IF was_live AND is_live AND old_start IS NULL THEN
        -- The start has become known.
        EXECUTE format('UPDATE %s SET started_at = $2 WHERE streamer_id = $1 AND ended_at IS NULL', history)
            USING NEW.{id}, new_start;
        RETURN NULL;
    END IF;
    IF was_live THEN
        -- Of one that another took the place of, only that it ended before is known.
        EXECUTE format(
            'UPDATE %s SET ended_at = greatest(started_at, $2) WHERE streamer_id = $1 AND ended_at IS NULL', history)
            USING NEW.{id}, CASE WHEN is_live THEN new_start ELSE changed END;
    END IF;
    IF is_live THEN
        -- One that goes on after a pause is not another one.
        EXECUTE format(
            'UPDATE %s SET ended_at = NULL WHERE streamer_id = $1 AND abs(extract(epoch FROM started_at - $2)) <= 4',
            history) USING NEW.{id}, new_start;
        GET DIAGNOSTICS resumed = ROW_COUNT;
        IF resumed = 0 THEN
            EXECUTE format('INSERT INTO %s (streamer_id, username, started_at) VALUES ($1, $2, $3)', history)
                USING NEW.{id}, NEW.{username}, coalesce(new_start, changed);
        END IF;
    END IF;
    RETURN NULL;
END $kick$;
REVOKE ALL ON FUNCTION kick_broadcasts() FROM PUBLIC;

DROP TRIGGER IF EXISTS kick_broadcasts ON {table};
CREATE TRIGGER kick_broadcasts
    AFTER UPDATE OF {told} ON {table}
    FOR EACH ROW EXECUTE FUNCTION kick_broadcasts();

-- Those that run already.
INSERT INTO kick_broadcasts (streamer_id, username, started_at)
    SELECT t.{id}, t.{username}, coalesce({start}, now()) FROM {table} AS t
    WHERE pg_catalog.record_eq(ROW(t.{status}),
        ROW((jsonb_populate_record(t, jsonb_build_object({status_text}, {online_text}))).{status})) AND NOT EXISTS (
        SELECT FROM kick_broadcasts AS b WHERE b.streamer_id = t.{id} AND b.ended_at IS NULL);

COMMIT;
