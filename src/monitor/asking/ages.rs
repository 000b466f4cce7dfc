//! How long ago the streamers were last compared with the API (R23): counted by the moment of the question, of which
//! there are few, so that a hundred thousand streamers need not be gone through for a report.

use crate::domain::Steady;
use std::collections::BTreeMap;
use std::time::Duration;

/// How many streamers were last compared by questions of which moment.
#[derive(Debug, Default)]
pub(super) struct Ages(BTreeMap<Steady, usize>);

impl Ages {
    /// A streamer was compared then for the last time.
    pub(super) fn add(&mut self, asked: Steady) {
        *self.0.entry(asked).or_default() += 1;
    }

    /// It was compared anew, or is not counted any more.
    pub(super) fn remove(&mut self, asked: Steady) {
        if let Some(count) = self.0.get_mut(&asked) {
            *count -= 1;
            if *count == 0 {
                self.0.remove(&asked);
            }
        }
    }

    /// For this share of the streamers the last comparison is no older. None when there is no streamer.
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
        let at = |secs: u64| Steady(Duration::from_secs(secs));
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
