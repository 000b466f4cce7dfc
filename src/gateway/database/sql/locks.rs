//! The statements by which instances on one table share its rows (R25): advisory locks in the form with two keys, of
//! which the first is the table's oid. They need no grant.
//!
//! ```text
//! second key     mode        who has it
//! 0 to 1023      exclusive   the instance that works on this shard
//! JOINING        exclusive   an instance that joins, for one statement
//! CHECKING       shared      `kick-monitor check`
//! MEMBER | …     shared      each instance that works on the table; the other bits are `view << 10 | DB_SHARDS - 1`
//! ```
//!
//! `view` is a hash of what else decides which rows an instance follows, and how they are divided: the filter and the
//! columns. It tells instances apart that do not follow the same rows.

use crate::config::DatabaseConfig;

/// The key of an instance that joins.
const JOINING: u32 = 1024;
/// The key by which `check` tries whether a lock is kept.
pub(in crate::gateway::database) const CHECKING: u32 = 1025;
/// The bit of a membership.
const MEMBER: u32 = 1 << 30;
/// The bits of a membership that hold `DB_SHARDS` - 1.
const SHARDS_BITS: u32 = 10;

/// The membership of an instance, as its second key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gateway::database) struct Membership(pub(in crate::gateway::database) u32);

impl Membership {
    pub(in crate::gateway::database) fn of(config: &DatabaseConfig) -> Membership {
        let view = [
            config.filter.as_deref().unwrap_or_default(),
            &config.id_column,
            &config.username_column,
            &config.status_column,
        ];
        // FNV-1a, because all versions of this program must compute the same number.
        let bytes = view.iter().flat_map(|text| text.bytes().chain([0]));
        let hash = bytes.fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        Membership(MEMBER | ((hash >> 12) << SHARDS_BITS) | u32::from(config.shards.saturating_sub(1)))
    }

    /// The membership that this second key is, if it is one.
    pub(in crate::gateway::database) fn from_key(key: u32) -> Option<Membership> {
        (key & MEMBER != 0).then_some(Membership(key))
    }

    /// Returns true if both follow the same rows.
    pub(in crate::gateway::database) fn sees_as(self, other: Membership) -> bool {
        self.0 >> SHARDS_BITS == other.0 >> SHARDS_BITS
    }

    pub(in crate::gateway::database) fn shards(self) -> u16 {
        let below = self.0 & ((1 << SHARDS_BITS) - 1);
        u16::try_from(below).unwrap_or_default().saturating_add(1)
    }
}

/// The process of the server that serves this session.
pub(in crate::gateway::database) const IDENTIFY: &str = "SELECT pg_catalog.pg_backend_pid()";

/// Sets this session's limits, as far as the server knows them: what a server notices of a client that is stopped
/// (`idle_session_timeout`, PostgreSQL 14), of one that does not acknowledge, and of a host that is gone. Each takes
/// at least the 10 s after the last turn for which the lease must hold. Returns true if the server has the first one.
pub(in crate::gateway::database) const LIMITS: &str = "\
SELECT pg_catalog.count(pg_catalog.set_config(s.name, w.setting, false)) OPERATOR(pg_catalog.>) 0::pg_catalog.int8
    AND pg_catalog.bool_or(s.name OPERATOR(pg_catalog.=) 'idle_session_timeout'::pg_catalog.text)
FROM (VALUES ('idle_session_timeout', '10s'), ('tcp_user_timeout', '10s'), ('tcp_keepalives_idle', '7'),
    ('tcp_keepalives_interval', '2'), ('tcp_keepalives_count', '3')) AS w(name, setting)
JOIN pg_catalog.pg_settings AS s ON s.name OPERATOR(pg_catalog.=) w.name";

/// One turn. `$1` is the table. Returns a row for each lock of an instance, or one row if there is none: the process
/// of the server, the lease that a write may carry (8 s from now, by the server's clock), when the server started, the
/// table's oid, and of the lock: the process, the second key, and whether it is exclusive.
pub(in crate::gateway::database) const LOOK: &str = "\
SELECT pg_catalog.pg_backend_pid(),
    pg_catalog.to_char((pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) '8 s'::pg_catalog.interval)
        AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'),
    pg_catalog.to_char(pg_catalog.pg_postmaster_start_time() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'),
    tab.oid::pg_catalog.int8, l.pid, l.objid::pg_catalog.int8,
    l.mode OPERATOR(pg_catalog.=) 'ExclusiveLock'::pg_catalog.text
FROM (SELECT pg_catalog.to_regclass($1)::pg_catalog.oid AS oid) AS tab
LEFT JOIN pg_catalog.pg_locks AS l ON l.locktype OPERATOR(pg_catalog.=) 'advisory'::pg_catalog.text AND l.granted
    AND l.database OPERATOR(pg_catalog.=) (SELECT d.oid FROM pg_catalog.pg_database AS d
        WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database())
    AND l.classid OPERATOR(pg_catalog.=) tab.oid AND l.objsubid OPERATOR(pg_catalog.=) 2::pg_catalog.int2";

/// Joins the instances on the table with the oid `$1` by the membership `$2`, unless one of them has another
/// `DB_SHARDS`. Returns `joined`, `misfit`, or NULL while another instance joins.
///
/// Only one instance at a time looks and joins, so two with different `DB_SHARDS` never both join. `CASE` evaluates
/// its parts in this order.
pub(in crate::gateway::database) fn join() -> String {
    format!(
        "SELECT CASE WHEN pg_catalog.pg_try_advisory_xact_lock($1::pg_catalog.oid::pg_catalog.int4, {JOINING}) THEN
    CASE WHEN EXISTS (
        SELECT FROM pg_catalog.pg_locks AS l
        WHERE l.locktype OPERATOR(pg_catalog.=) 'advisory'::pg_catalog.text AND l.granted
            AND l.database OPERATOR(pg_catalog.=) (SELECT d.oid FROM pg_catalog.pg_database AS d
                WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database())
            AND l.classid OPERATOR(pg_catalog.=) $1::pg_catalog.oid
            AND l.objsubid OPERATOR(pg_catalog.=) 2::pg_catalog.int2
            AND (l.objid::pg_catalog.int8 OPERATOR(pg_catalog.>>) {SHARDS_BITS})
                OPERATOR(pg_catalog.=) ($2::pg_catalog.int8 OPERATOR(pg_catalog.>>) {SHARDS_BITS})
            AND l.objid::pg_catalog.int8 OPERATOR(pg_catalog.<>) $2::pg_catalog.int8
    ) THEN 'misfit'
    WHEN pg_catalog.pg_try_advisory_lock_shared($1::pg_catalog.oid::pg_catalog.int4, $2::pg_catalog.int4) THEN 'joined'
    END END"
    )
}

/// Takes a shared lock for `check`. `$1` is the table's oid.
pub(in crate::gateway::database) fn check() -> String {
    format!("SELECT pg_catalog.pg_try_advisory_lock_shared($1::pg_catalog.oid::pg_catalog.int4, {CHECKING})")
}

/// Tries to take the shards `$2` of the table with the oid `$1`; returns those that were free.
pub(in crate::gateway::database) const TAKE: &str = "\
SELECT w.shard::pg_catalog.int4 FROM pg_catalog.unnest($2::pg_catalog.text[]) AS w(shard)
WHERE pg_catalog.pg_try_advisory_lock($1::pg_catalog.oid::pg_catalog.int4, w.shard::pg_catalog.int4)";

/// Lets go of the shards `$2` of the table with the oid `$1`; returns those that this session had.
pub(in crate::gateway::database) const RELEASE: &str = "\
SELECT w.shard::pg_catalog.int4 FROM pg_catalog.unnest($2::pg_catalog.text[]) AS w(shard)
WHERE pg_catalog.pg_advisory_unlock($1::pg_catalog.oid::pg_catalog.int4, w.shard::pg_catalog.int4)";

/// Tells the sessions that listen on the channel `$1` the text `$2`.
pub(in crate::gateway::database) const PASS_ON: &str = "SELECT pg_catalog.pg_notify($1, $2)::pg_catalog.text";

/// Lets go of everything that this session has.
pub(in crate::gateway::database) const LEAVE: &str = "SELECT pg_catalog.pg_advisory_unlock_all()::pg_catalog.text";

#[cfg(test)]
mod tests {
    use super::Membership;

    #[test]
    fn a_membership_tells_the_number_of_shards_and_what_is_followed() {
        let key =
            |view: u32, shards: u32| Membership::from_key((1 << 30) | (view << 10) | (shards - 1)).expect("a member");
        assert_eq!([1, 2, 1024].map(|shards| key(0xf_ffff, shards).shards()), [1, 2, 1024]);
        assert!(key(7, 1).sees_as(key(7, 1024)) && !key(7, 1).sees_as(key(8, 1)));
        assert!([0, 1023, 1024, 1025].iter().all(|key| Membership::from_key(*key).is_none()));
    }
}
