-- What follows is made in the table's schema.
DO $kick$ BEGIN
    PERFORM set_config('search_path', (
        SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = {table_text}::regclass), true);
END $kick$;

