//! Which shards an instance takes and which it hands over, by the locks that its last turn saw (R25). Uses no database
//! and no clock.
//!
//! Every instance computes the same fair distribution: each has the number of shards divided by the number of
//! instances, and the remainder goes to those that have most already. So an instance that comes or goes moves no more
//! than it must, and nothing moves back and forth.

use crate::domain::shards::Shard;
use crate::gateway::database::Instance;
use std::collections::BTreeSet;

/// The shards of this instance.
#[derive(Clone, Debug, Default)]
pub struct Share {
    /// Those that it works on.
    pub held: BTreeSet<Shard>,
    /// Those that it still has locked and no longer works on.
    pub leaving: BTreeSet<Shard>,
    /// Those that nobody had at the last turn.
    free: BTreeSet<Shard>,
}

/// What is to be done after a turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moves {
    /// The shards to try to take.
    pub take: BTreeSet<Shard>,
    /// The shards to hand over.
    pub give: BTreeSet<Shard>,
}

impl Share {
    /// The moves towards a fair distribution of `of` shards among the instances, of which one is this.
    pub fn moves(&mut self, of: u16, instances: &[Instance]) -> Moves {
        let taken: BTreeSet<Shard> = instances.iter().flat_map(|instance| &instance.shards).copied().collect();
        let free: BTreeSet<Shard> = (0..of).map(Shard).filter(|shard| !taken.contains(shard)).collect();
        let (own, skip) = fair(of, instances);
        let has = self.held.len() + self.leaving.len();
        let take = if own > has {
            free.iter().skip(skip).take(own - has).copied().collect()
        } else {
            // What is free for two turns is not taken by the instance that should: it may be stopped.
            let most = usize::from(of).div_ceil(instances.len().max(1));
            free.intersection(&self.free).take(most.saturating_sub(has)).copied().collect()
        };
        let surplus = self.held.len().saturating_sub(own);
        let give = self.held.iter().rev().take(surplus).copied().collect();
        self.free = free;
        Moves { take, give }
    }

    /// These shards were taken.
    pub fn take(&mut self, shards: BTreeSet<Shard>) {
        self.free.retain(|shard| !shards.contains(shard));
        self.held.extend(shards);
    }

    /// These shards are handed over: they are no longer worked on.
    pub fn give(&mut self, shards: &BTreeSet<Shard>) {
        self.held.retain(|shard| !shards.contains(shard));
        self.leaving.extend(shards);
    }

    /// Returns which of these shards may be unlocked now, and forgets them.
    pub fn release(&mut self, shards: &BTreeSet<Shard>) -> BTreeSet<Shard> {
        let released = self.leaving.intersection(shards).copied().collect();
        self.leaving.retain(|shard| !shards.contains(shard));
        released
    }
}

/// The number of shards that this instance should have, and how many of the free ones are for others that come before
/// it.
fn fair(of: u16, instances: &[Instance]) -> (usize, usize) {
    let mut order: Vec<&Instance> = instances.iter().collect();
    order.sort_by_key(|instance| (std::cmp::Reverse(instance.shards.len()), instance.pid));
    let (each, more) = (usize::from(of) / order.len().max(1), usize::from(of) % order.len().max(1));
    let mut before = 0;
    for (n, instance) in order.into_iter().enumerate() {
        let fair = each + usize::from(n < more);
        if instance.own {
            return (fair, before);
        }
        before += fair.saturating_sub(instance.shards.len());
    }
    (0, 0)
}

#[cfg(test)]
mod tests {
    use super::{Instance, Shard, Share};
    use std::collections::BTreeMap;

    /// Instances by their process, and what each has locked; `of` shards.
    struct Table {
        of: u16,
        instances: BTreeMap<i32, Share>,
        /// How many shards changed hands or were taken.
        moved: usize,
    }

    impl Table {
        fn with(of: u16, count: i32) -> Table {
            Table { of, instances: (1..=count).map(|pid| (pid, Share::default())).collect(), moved: 0 }
        }

        fn see(&self, own: i32) -> Vec<Instance> {
            let instance = |(pid, share): (&i32, &Share)| Instance {
                pid: *pid,
                own: *pid == own,
                of: self.of,
                same_rows: true,
                shards: share.held.union(&share.leaving).copied().collect(),
            };
            self.instances.iter().map(instance).collect()
        }

        /// A turn of one instance.
        fn turn(&mut self, pid: i32) {
            let seen = self.see(pid);
            let taken: Vec<Shard> = seen.iter().flat_map(|instance| instance.shards.clone()).collect();
            let share = self.instances.get_mut(&pid).expect("an instance");
            let moves = share.moves(self.of, &seen);
            assert!(moves.take.iter().all(|shard| !taken.contains(shard)), "only free ones are tried");
            self.moved += moves.take.len();
            share.take(moves.take);
            share.give(&moves.give);
            let most = usize::from(self.of).div_ceil(seen.len());
            assert!(share.held.len() <= most, "{} of {}, by {}", share.held.len(), self.of, seen.len());
        }

        /// An instance has written what it had to.
        fn hand_over(&mut self, pid: i32) {
            let share = self.instances.get_mut(&pid).expect("an instance");
            let leaving = share.leaving.clone();
            assert_eq!(share.release(&leaving), leaving);
        }

        fn rounds(&mut self, count: usize) {
            for _ in 0..count {
                for pid in self.instances.keys().copied().collect::<Vec<_>>() {
                    self.turn(pid);
                    self.hand_over(pid);
                }
            }
        }

        fn counts(&self) -> Vec<usize> {
            self.instances.values().map(|share| share.held.len()).collect()
        }
    }

    #[test]
    fn one_that_comes_or_goes_moves_only_what_must_move() {
        let mut table = Table::with(4, 1);
        table.rounds(1);
        assert_eq!((table.counts(), table.moved), (vec![4], 4));
        table.instances.insert(2, Share::default());
        table.rounds(2);
        assert_eq!((table.counts(), table.moved), (vec![2, 2], 6));
        table.instances.insert(3, Share::default());
        table.rounds(2);
        assert_eq!((table.counts(), table.moved), (vec![2, 1, 1], 7));
        table.instances.remove(&2);
        table.rounds(2);
        assert_eq!((table.counts(), table.moved), (vec![2, 2], 8));
        table.rounds(20);
        assert_eq!(table.moved, 8, "nothing moves without need");
    }

    #[test]
    fn what_the_next_in_turn_does_not_take_another_one_takes() {
        let mut table = Table::with(1, 3);
        // The first one is stopped, and its session still counts.
        table.turn(2);
        assert_eq!(table.counts(), [0, 0, 0]);
        table.turn(3);
        table.turn(2);
        assert_eq!(table.counts(), [0, 1, 0]);
        table.turn(3);
        table.turn(1);
        assert_eq!(table.counts(), [0, 1, 0]);
    }

    #[test]
    fn a_shard_that_leaves_is_not_taken_back_before_it_is_released() {
        let mut table = Table::with(2, 1);
        table.turn(1);
        table.instances.insert(2, Share::default());
        table.turn(1);
        table.turn(2);
        assert_eq!(table.counts(), [1, 0], "it is still locked");
        table.instances.remove(&2);
        table.turn(1);
        assert_eq!(table.counts(), [1], "its last writes may be on their way");
        table.hand_over(1);
        table.turn(1);
        assert_eq!(table.counts(), [2]);
    }

    #[test]
    fn all_shards_are_shared_out_fairly_whatever_happens() {
        for seed in 0..500 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let of = rng.u16(1..40);
            let mut table = Table::with(of, 1);
            for _ in 0..rng.usize(0..60) {
                let pid = rng.i32(0..6);
                let lives = table.instances.contains_key(&pid);
                match rng.u8(0..4) {
                    0 if lives && table.instances.len() > 1 => drop(table.instances.remove(&pid)),
                    1 if !lives => drop(table.instances.insert(pid, Share::default())),
                    2 if lives => table.hand_over(pid),
                    _ if lives => table.turn(pid),
                    _ => {}
                }
            }
            table.rounds(6);
            let (counts, moved) = (table.counts(), table.moved);
            let least = usize::from(of) / counts.len();
            assert_eq!(counts.iter().sum::<usize>(), usize::from(of), "seed {seed}");
            assert!(counts.iter().all(|count| (least..=least + 1).contains(count)), "seed {seed}: {counts:?}");
            table.rounds(6);
            assert_eq!(table.moved, moved, "seed {seed}: nothing moves without need");
        }
    }
}
