//! A strict reader of Prometheus' text exposition format, independent of who writes it: what a server
//! or `promtool` would refuse or frown upon fails here.

use std::collections::{BTreeMap, BTreeSet};

/// The samples: name with its labels as they stand, and value.
pub(crate) type Samples = BTreeMap<String, f64>;

/// Reads a page.
///
/// # Panics
/// At the first line that is not as the format and its conventions want it.
#[track_caller]
pub(crate) fn read(text: &str) -> Samples {
    assert!(text.ends_with('\n'), "the last line has no end");
    let mut samples = Samples::new();
    let mut seen = BTreeSet::new();
    // The family that the lines are of: its name, and its type once that was said.
    let mut family: (String, Option<String>) = (String::new(), None);
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap_or_else(|| panic!("no help: {line}"));
            assert!(seen.insert(name.to_owned()), "two families are called {name}");
            assert!(help.ends_with('.') && is_name(name), "{line}");
            family = (name.to_owned(), None);
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap_or_else(|| panic!("no type: {line}"));
            assert_eq!((name, &family.1), (family.0.as_str(), &None), "the type stands elsewhere: {line}");
            assert!(["counter", "gauge", "histogram", "summary"].contains(&kind), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            family.1 = Some(kind.to_owned());
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line}"));
            let (name, labels) = series.split_once('{').map_or((series, ""), |(name, labels)| (name, labels));
            let kind = family.1.as_deref().unwrap_or_else(|| panic!("a sample without a type: {line}"));
            let suffixes: &[&str] = if kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
            let own = suffixes.iter().any(|suffix| name.strip_suffix(suffix) == Some(&family.0));
            assert!(own, "a sample of another family than {}: {line}", family.0);
            if series.contains('{') {
                check_labels(labels, line);
            }
            let value: f64 = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
            assert!(kind == "gauge" || value >= 0.0 || (kind == "summary" && value.is_nan()), "{line}");
            assert!(samples.insert(series.to_owned(), value).is_none(), "a series stands twice: {line}");
        }
    }
    for name in seen.iter().filter(|name| samples.contains_key(&format!("{name}_count"))) {
        check_histogram(name, text, &samples);
    }
    samples
}

fn check_labels(labels: &str, line: &str) {
    let labels = labels.strip_suffix('}').unwrap_or_else(|| panic!("labels without an end: {line}"));
    let mut names = BTreeSet::new();
    // No label of ours holds a comma or a quote.
    for label in labels.split(',') {
        let (name, value) = label.split_once('=').unwrap_or_else(|| panic!("no label: {line}"));
        assert!(is_name(name) && names.insert(name), "{line}");
        let inside = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        assert!(inside.is_some_and(|inside| !inside.contains(['"', '\\'])), "{line}");
    }
}

fn check_histogram(name: &str, text: &str, samples: &Samples) {
    let prefix = format!("{name}_bucket{{le=\"");
    let buckets: Vec<(f64, f64)> = text
        .lines()
        .filter_map(|line| line.strip_prefix(&prefix)?.split_once("\"} "))
        .map(|(bound, count)| (bound.parse().expect("a bound"), count.parse().expect("a count")))
        .collect();
    assert!(buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1), "{name} is not cumulative: {buckets:?}");
    let all = samples[&format!("{name}_count")];
    assert_eq!(buckets.last(), Some(&(f64::INFINITY, all)), "{name}");
    assert!(samples.contains_key(&format!("{name}_sum")), "{name}");
}

fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c == '_';
    name.starts_with(fits) && name.chars().all(|c| fits(c) || c.is_ascii_digit())
}

#[test]
fn what_a_server_would_refuse_is_refused() {
    let head = "# HELP a_total A.\n# TYPE a_total counter\n";
    assert_eq!(read(&format!("{head}a_total{{x=\"1\"}} 2\n"))["a_total{x=\"1\"}"], 2.0);
    for wrong in [
        "a 1\n",
        "# HELP a A.\n# TYPE a counter\na 1\n",
        "# HELP a A.\n# TYPE a gauge\na x\n",
        "# HELP a A.\n# TYPE a gauge\na 1\na 2\n",
        "# HELP a A.\n# TYPE a gauge\nb 1\n",
        "# HELP a A.\n# TYPE a gauge\na{b=1} 1\n",
        "# HELP a A.\n# TYPE a gauge\na 1",
        "# HELP h H.\n# TYPE h histogram\nh_bucket{le=\"1\"} 3\nh_bucket{le=\"+Inf\"} 2\nh_sum 1\nh_count 2\n",
    ] {
        assert!(std::panic::catch_unwind(|| read(wrong)).is_err(), "{wrong}");
    }
}
