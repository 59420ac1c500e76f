//! `--fail-if 'failed_increase>0'`: conditions on a comparison.

use std::str::FromStr;

use crate::report::schema::{Comparison as Compared, LatencyChange, QuantileChange, Threshold};
use crate::report::threshold::Comparison;

/// A condition under which the second side counts as failed.
#[derive(Clone, Debug)]
pub struct Condition {
    text: String,
    metric: Metric,
    comparison: Comparison,
    value: f64,
}

#[derive(Clone, Copy, Debug)]
enum Metric {
    FailedIncrease,
    FailedRatioIncrease,
    /// Microseconds.
    Latency(fn(&LatencyChange) -> &QuantileChange),
    /// Share of the first side's value.
    LatencyRatio(fn(&LatencyChange) -> &QuantileChange),
}

/// A condition that is not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no condition: {why}\n  fix: write METRIC COMPARISON VALUE, e.g. `failed_increase>0`, `failed_ratio_increase>0.1%`, `p99_increase>5ms`, `p99_increase>10%`; metrics: failed_increase failed_ratio_increase p50_increase p99_increase; comparisons: > >= < <= =="
)]
pub struct ConditionError {
    text: String,
    why: String,
}

impl FromStr for Condition {
    type Err = ConditionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let failed = |why: String| ConditionError { text: text.to_owned(), why };
        let (name, comparison, value) = Comparison::split(text).map_err(failed)?;
        let number = |text: &str| text.trim().parse::<f64>().ok().filter(|value| value.is_finite());
        let percent = value.strip_suffix('%').map(|value| number(value).map(|value| value / 100.0));
        let (metric, value) = match (name, percent) {
            ("failed_increase", None) => (Metric::FailedIncrease, number(value)),
            ("failed_ratio_increase", percent) => {
                (Metric::FailedRatioIncrease, percent.unwrap_or_else(|| number(value)))
            }
            ("p50_increase", Some(percent)) => (Metric::LatencyRatio(median), percent),
            ("p99_increase", Some(percent)) => (Metric::LatencyRatio(tail), percent),
            ("p50_increase", None) => (Metric::Latency(median), microseconds(value)),
            ("p99_increase", None) => (Metric::Latency(tail), microseconds(value)),
            ("failed_increase", Some(_)) => (Metric::FailedIncrease, None),
            _ => return Err(failed(format!("`{name}` is no metric"))),
        };
        let value = value.ok_or_else(|| failed("its value is not understood".to_owned()))?;
        Ok(Self { text: text.trim().to_owned(), metric, comparison, value })
    }
}

fn median(change: &LatencyChange) -> &QuantileChange {
    &change.p50
}

fn tail(change: &LatencyChange) -> &QuantileChange {
    &change.p99
}

fn microseconds(text: &str) -> Option<f64> {
    // No increase at all needs no unit.
    if text == "0" { Some(0.0) } else { Some(humantime::parse_duration(text).ok()?.as_nanos() as f64 / 1_000.0) }
}

impl Condition {
    /// Holds it against a comparison. What was not measured counts as failed: silence is no pass.
    pub fn evaluate(&self, compared: &Compared) -> Threshold {
        let latency = compared.latency.as_ref();
        let (value, unit) = match self.metric {
            Metric::FailedIncrease => (Some(compared.b.failed as f64 - compared.a.failed as f64), "count"),
            Metric::FailedRatioIncrease => (compared.failures.difference_ratio, "ratio"),
            Metric::Latency(pick) => (latency.map(|latency| pick(latency).difference_us), "us"),
            Metric::LatencyRatio(pick) => {
                let change = latency.map(pick).filter(|change| change.a_us > 0.0);
                (change.map(|change| change.difference_us / change.a_us), "ratio")
            }
        };
        let failed = value.is_none_or(|value| self.comparison.holds(value, self.value));
        Threshold { condition: self.text.clone(), value, unit: unit.to_owned(), failed }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn units_are_read_and_nonsense_names_the_fix() {
        for (text, value) in [
            ("failed_increase>0", 0.0),
            ("failed_ratio_increase >= 0.1%", 0.001),
            ("p99_increase>5ms", 5_000.0),
            ("p50_increase>10%", 0.1),
            ("p50_increase>0", 0.0),
        ] {
            let condition: Condition = text.parse().unwrap();
            assert!((condition.value - value).abs() < 1e-9, "{text}: {condition:?}");
        }
        for text in ["failed>0", "failed_increase", "failed_increase>1%", "p99_increase>5", "p99_increase>x%", ""] {
            assert!(text.parse::<Condition>().unwrap_err().to_string().contains("fix:"), "{text}");
        }
    }
}
