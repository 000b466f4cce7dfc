//! The figures of all rounds, and what is printed of them.

use serde_json::{Value, json};
use std::collections::BTreeMap;

/// One figure: what it is, in which unit, and whether the least that could do it has it too.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Figure {
    /// Figures are shown in this order.
    pub(crate) order: u8,
    pub(crate) what: String,
    pub(crate) unit: &'static str,
}

/// All that was measured, by figure and program, a number a round.
#[derive(Debug, Default)]
pub(crate) struct Table {
    columns: Vec<String>,
    figures: BTreeMap<Figure, BTreeMap<String, Vec<f64>>>,
}

impl Table {
    pub(crate) fn add(&mut self, figure: Figure, column: &str, value: f64) {
        if !self.columns.iter().any(|known| known == column) {
            self.columns.push(column.to_owned());
        }
        self.figures.entry(figure).or_default().entry(column.to_owned()).or_default().push(value);
    }

    /// In Markdown: medians, the spread behind them, and how many times the first column that has the figure.
    pub(crate) fn markdown(&self) -> String {
        let mut text = format!("| | {} |\n|---|{}\n", self.columns.join(" | "), "---|".repeat(self.columns.len()));
        for (figure, row) in &self.figures {
            text.push_str(&format!("| {}, {} |", figure.what, figure.unit));
            let floor = self.columns.iter().find_map(|column| Some((column, median(row.get(column)?))));
            for column in &self.columns {
                let cell = row.get(column).map_or_else(
                    || "–".to_owned(),
                    |values| {
                        let (value, (least, most)) = (median(values), spread(values));
                        let times = floor.filter(|(first, floor)| *first != column && *floor > 0.0);
                        let times = times.map_or_else(String::new, |(_, floor)| format!(" **×{:.2}**", value / floor));
                        format!("{} ({}–{}){times}", short(value), short(least), short(most))
                    },
                );
                text.push_str(&format!(" {cell} |"));
            }
            text.push('\n');
        }
        text
    }

    /// The same for programs, with every round.
    pub(crate) fn json(&self, machine: &str) -> Value {
        let figures =
            self.figures.iter().map(|(figure, row)| json!({"what": figure.what, "unit": figure.unit, "rounds": row}));
        json!({"machine": machine, "columns": self.columns, "figures": figures.collect::<Vec<_>>()})
    }
}

/// The one in the middle.
pub(crate) fn median(values: &[f64]) -> f64 {
    percentile(values, 50)
}

/// The value that so many of a hundred do not exceed.
pub(crate) fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

fn spread(values: &[f64]) -> (f64, f64) {
    values.iter().fold((f64::INFINITY, 0.0), |(least, most), value| (value.min(least), value.max(most)))
}

/// Three digits that matter.
fn short(value: f64) -> String {
    match value {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Figure, Table, percentile};

    #[test]
    fn a_cell_is_the_median_with_its_spread_and_its_ratio_to_the_first() {
        let figure = Figure { order: 0, what: "a thing".to_owned(), unit: "ms" };
        let mut table = Table::default();
        for value in [3.0, 1.0, 2.0] {
            table.add(figure.clone(), "floor", value);
            table.add(figure.clone(), "ours", value * 10.0);
        }
        table.add(Figure { order: 1, what: "another".to_owned(), unit: "MB" }, "ours", 123.4);
        let expected = "| | floor | ours |\n|---|---|---|\n\
            | a thing, ms | 2.00 (1.00–3.00) | 20.0 (10.0–30.0) **×10.00** |\n\
            | another, MB | – | 123 (123–123) |\n";
        assert_eq!(table.markdown(), expected);
        assert_eq!(table.json("here")["figures"][0]["rounds"]["ours"], serde_json::json!([30.0, 10.0, 20.0]));
    }

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!((percentile(&values, 50), percentile(&values, 99), percentile(&[], 50)), (51.0, 100.0, 0.0));
    }
}
