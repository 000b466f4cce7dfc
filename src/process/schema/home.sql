COMMIT;

-- What follows is optional. Where it cannot be done, as on a view, the role and its grants stay.

BEGIN;
SET LOCAL timezone = 'UTC';

-- It is made in the table's schema.
DO $kick$ BEGIN
    PERFORM set_config('search_path', (
        SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = {table_text}::regclass), true);
END $kick$;

