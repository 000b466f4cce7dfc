-- The table. Only the id, the username and the status are needed.

CREATE TABLE IF NOT EXISTS {table} (
    {id} bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    {username} text NOT NULL,   -- the name on Kick; @NAME and https://kick.com/NAME work too
    {status} text,              -- {online} or {offline}; NULL until Kick has answered
    {channel_id} bigint,        -- DB_CHANNEL_ID_COLUMN: saves a look-up; NULL is fine
    {user_id} bigint,           -- DB_USER_ID_COLUMN: likewise
    {changed_at} timestamptz,   -- DB_CHANGED_AT_COLUMN: set with the status
    {started_at} timestamptz    -- DB_STARTED_AT_COLUMN: when the broadcast began, set with Online
);

