//! What Kick did, and when the table showed it. Pure: every time is an argument.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// The book of one demonstration.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    live: BTreeSet<String>,
    pending: BTreeMap<String, Instant>,
    changes: usize,
    latencies: Vec<Duration>,
}

impl Tally {
    /// The streamer was live before anybody looked.
    pub(crate) fn begins_live(&mut self, slug: &str) {
        self.live.insert(slug.to_owned());
    }

    /// Kick changed the streamer's status, beginning at `at`.
    pub(crate) fn changed(&mut self, slug: &str, at: Instant) {
        self.changes += 1;
        self.pending.insert(slug.to_owned(), at);
        if !self.live.remove(slug) {
            self.live.insert(slug.to_owned());
        }
    }

    /// The table shows a status. Gives how long after Kick's change that was, if it was awaited.
    pub(crate) fn landed(&mut self, slug: &str, status: &str, at: Instant) -> Option<Duration> {
        if status != self.status(slug) {
            return None;
        }
        let latency = at.saturating_duration_since(self.pending.remove(slug)?);
        self.latencies.push(latency);
        Some(latency)
    }

    /// The truth.
    pub(crate) fn status(&self, slug: &str) -> &'static str {
        if self.live.contains(slug) { "Online" } else { "Offline" }
    }

    /// Whether Kick's last change of the streamer is in the table.
    pub(crate) fn is_settled(&self, slug: &str) -> bool {
        !self.pending.contains_key(slug)
    }

    /// Whether all are.
    pub(crate) fn all_settled(&self) -> bool {
        self.pending.is_empty()
    }

    /// The last word.
    pub(crate) fn summary(&self, agrees: bool) -> String {
        let mut sorted = self.latencies.clone();
        sorted.sort();
        let at = |latency: Option<&Duration>| latency.map_or_else(|| "-".to_owned(), |latency| milliseconds(*latency));
        let p50 = at(sorted.get(sorted.len() / 2));
        let most = at(sorted.last());
        format!(
            "changes by Kick             {}\n\
             changes in the table        {}\n\
             the table tells the truth   {}\n\
             from Kick to visible row    p50 {p50}, max {most}",
            self.changes,
            self.latencies.len(),
            if agrees { "yes" } else { "no" },
        )
    }
}

/// As people read it.
pub(crate) fn milliseconds(span: Duration) -> String {
    format!("{:.1} ms", span.as_secs_f64() * 1e3)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "an instant to start from")]
mod tests {
    use super::Tally;
    use std::time::{Duration, Instant};

    #[test]
    fn a_change_lands_once_and_with_the_right_status() {
        let (mut tally, start) = (Tally::default(), Instant::now());
        tally.begins_live("ana");
        tally.changed("ana", start);
        let at = start + Duration::from_millis(5);
        assert_eq!(tally.landed("ana", "Online", at), None, "it is what was before");
        assert!(!tally.is_settled("ana"));
        assert_eq!(tally.landed("ana", "Offline", at), Some(Duration::from_millis(5)));
        assert_eq!(tally.landed("ana", "Offline", at), None);
        assert!(tally.all_settled());
        assert!(tally.summary(true).contains("p50 5.0 ms, max 5.0 ms"));
    }
}
