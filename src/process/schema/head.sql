-- {what}
-- Nothing of this has been done yet: read it, change what is yours, and run it as the owner of the database. It may be
-- run again.
--
--     kick-monitor schema | psql -v ON_ERROR_STOP=1 DATABASE

BEGIN;
SET LOCAL timezone = 'UTC';

