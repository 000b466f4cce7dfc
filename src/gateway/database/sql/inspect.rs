//! What `check` asks of the server, and what is asked when the table is not found.

/// Where else there is a relation of the name `$1`: its schema, whether we may use that, and our role. One that we may not
/// use comes first, because PostgreSQL passes it over in the search path.
pub(in super::super) const ELSEWHERE: &str = "\
SELECT n.nspname::pg_catalog.text, pg_catalog.has_schema_privilege(n.oid, 'USAGE'), CURRENT_USER::pg_catalog.text
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
WHERE c.relname OPERATOR(pg_catalog.=) $1::pg_catalog.name
    AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p,v,m,f}'::pg_catalog.\"char\"[])
ORDER BY 2, 1 LIMIT 1";

/// The checks before the first write. `$1` is the table, `$2` the columns that are read, `$3` those that are written,
/// `$4` the id column; of `$2`, what is no column is passed over. Returns the role, the columns that may not be read,
/// those that may not be written, whether the id is unique, the server's version, whether it is read-only, its own port,
/// whether the id is one of several columns of a unique index, the kind of relation (`pg_class.relkind`), and whether the
/// table has a trigger of its owner's.
pub(in super::super) const INSPECT: &str = "\
SELECT CURRENT_USER::pg_catalog.text,
    (SELECT pg_catalog.array_agg(c.name) FROM pg_catalog.unnest($2::pg_catalog.text[]) AS c(name)
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid OPERATOR(pg_catalog.=) tab.oid
            AND a.attname OPERATOR(pg_catalog.=) c.name::pg_catalog.name AND NOT a.attisdropped
        WHERE NOT pg_catalog.has_column_privilege(tab.oid, a.attnum, 'SELECT')),
    (SELECT pg_catalog.array_agg(c.name) FROM pg_catalog.unnest($3::pg_catalog.text[]) AS c(name)
        WHERE NOT pg_catalog.has_column_privilege(tab.oid, c.name, 'UPDATE')),
    EXISTS (
        SELECT FROM pg_catalog.pg_index AS i
        WHERE i.indrelid OPERATOR(pg_catalog.=) tab.oid AND i.indisunique AND i.indpred IS NULL
            AND i.indnkeyatts OPERATOR(pg_catalog.=) 1::pg_catalog.int2
            AND i.indkey[0] OPERATOR(pg_catalog.=) id.attnum
    ),
    pg_catalog.current_setting('server_version'),
    pg_catalog.pg_is_in_recovery()
        OR pg_catalog.current_setting('transaction_read_only') OPERATOR(pg_catalog.=) 'on'::pg_catalog.text,
    pg_catalog.inet_server_port(),
    EXISTS (
        SELECT FROM pg_catalog.pg_index AS i
        WHERE i.indrelid OPERATOR(pg_catalog.=) tab.oid AND i.indisunique
            AND i.indnkeyatts OPERATOR(pg_catalog.>) 1::pg_catalog.int2
            AND id.attnum OPERATOR(pg_catalog.=) ANY (i.indkey::pg_catalog.int2[])
    ),
    tab.relkind::pg_catalog.text,
    EXISTS (
        SELECT FROM pg_catalog.pg_trigger AS t
        WHERE t.tgrelid OPERATOR(pg_catalog.=) tab.oid AND NOT t.tgisinternal
    )
FROM pg_catalog.pg_class AS tab
LEFT JOIN pg_catalog.pg_attribute AS id
    ON id.attrelid OPERATOR(pg_catalog.=) tab.oid AND id.attname OPERATOR(pg_catalog.=) $4::pg_catalog.name
WHERE tab.oid OPERATOR(pg_catalog.=) pg_catalog.to_regclass($1)::pg_catalog.oid";

/// The values of the enum type `$1`, in their order.
pub(in super::super) const LABELS: &str = "\
SELECT e.enumlabel::pg_catalog.text FROM pg_catalog.pg_enum AS e
WHERE e.enumtypid OPERATOR(pg_catalog.=) $1::pg_catalog.regtype::pg_catalog.oid ORDER BY e.enumsortorder";
