//! The time since each streamer was last compared with the API (R23). Streamers are counted by the time of the request,
//! of which there are few, so a report need not look at each of a hundred thousand streamers.

use crate::domain::Steady;
use std::collections::BTreeMap;
use std::time::Duration;

/// The number of streamers that were last compared by a request of each time.
#[derive(Debug, Default)]
pub(super) struct Ages(BTreeMap<Steady, usize>);

impl Ages {
    /// Adds a streamer whose last comparison was requested at `asked`.
    pub(super) fn add(&mut self, asked: Steady) {
        *self.0.entry(asked).or_default() += 1;
    }

    /// Removes a streamer that was compared again or is no longer counted.
    pub(super) fn remove(&mut self, asked: Steady) {
        if let Some(count) = self.0.get_mut(&asked) {
            *count -= 1;
            if *count == 0 {
                self.0.remove(&asked);
            }
        }
    }

    /// The age that the last comparison does not exceed for this share of the streamers. `None` if there are no
    /// streamers.
    pub(super) fn quantile(&self, now: Steady, share: f64) -> Option<Duration> {
        let total: usize = self.0.values().sum();
        let mut younger = 0;
        let asked = self.0.iter().rev().find(|(_, count)| {
            younger += **count;
            younger as f64 >= share * total as f64
        });
        asked.map(|(asked, _)| now.since(*asked))
    }
}

#[cfg(test)]
mod tests {
    use super::Ages;
    use crate::domain::Steady;
    use std::time::Duration;

    #[test]
    fn quantiles_are_those_of_the_streamers() {
        let at = |secs: u64| Steady::after(Duration::from_secs(secs));
        let mut ages = Ages::default();
        assert_eq!(ages.quantile(at(9), 0.5), None);
        (0..98).for_each(|_| ages.add(at(60)));
        ages.add(at(30));
        ages.add(at(10));
        let told = [0.5, 0.98, 0.99, 1.0].map(|share| ages.quantile(at(61), share).map(|age| age.as_secs()));
        assert_eq!(told, [Some(1), Some(1), Some(31), Some(51)]);
        ages.remove(at(10));
        assert_eq!(ages.quantile(at(61), 1.0), Some(Duration::from_secs(31)));
    }
}
