//! The shards of a roster, and what the coordinator tells the core about them (R25).
//!
//! Several instances of the daemon may share one table. Each shard of its roster is then followed and written by one
//! of them.

use std::collections::BTreeSet;

/// A part of the roster, from 0 to `DB_SHARDS` - 1. A row's shard depends on its id alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard(pub u16);

/// The number of a hold: an unbroken time during which this instance holds shards. The end of the database session
/// that has the locks ends the hold, and its number is never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hold(pub u64);

/// How this instance shares the table with others, as the coordinator knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Coordination {
    /// Instances do not share the table: every row is this one's. The reason is given if sharing was asked for and is
    /// not possible.
    Off(Option<String>),
    /// This instance holds these shards.
    Held {
        /// The hold that it is part of.
        hold: Hold,
        /// The shards. If there are none, the instance stands by. A shard that was held before and is not here is to
        /// be released.
        shards: BTreeSet<Shard>,
        /// How many shards the roster has.
        of: u16,
        /// How many instances work on the table.
        instances: u32,
    },
    /// The hold is over: its session is lost, or was not confirmed in time. The text is the reason.
    Lost(String),
    /// Other instances share this table with another `DB_SHARDS`, so this one stands by. The text is the reason.
    Misfit(String),
}

/// Under which hold rows may be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Permit {
    /// Not at all at present.
    #[default]
    Nothing,
    /// Under this one.
    Under(Hold),
    /// Under none, because instances do not share the table.
    Free,
}

/// The rows that a read of the roster covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All rows that the filter lets through.
    All,
    /// The rows of these shards.
    Shards(BTreeSet<Shard>),
}

impl Scope {
    /// Whether it covers the rows of this shard.
    pub(crate) fn covers(&self, shard: Shard) -> bool {
        match self {
            Scope::All => true,
            Scope::Shards(shards) => shards.contains(&shard),
        }
    }
}
