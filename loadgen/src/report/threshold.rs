//! `--fail-if 'failed>0'`: conditions on a report.

use std::fmt;
use std::str::FromStr;

use super::schema::{Cause, Latency, Report, Threshold};

/// A condition under which a run counts as failed.
#[derive(Clone, Debug)]
pub struct Condition {
    text: String,
    metric: Metric,
    comparison: Comparison,
    value: f64,
}

/// What can be compared.
#[derive(Clone, Copy, Debug)]
enum Metric {
    Failed,
    FailedRatio,
    Unaccounted,
    Unknown,
    JoinConflicts,
    EventsDropped,
    AttemptsUnjoined,
    /// Microseconds, of the latency from the intended send time.
    Latency(fn(&Latency) -> u64),
}

/// How a value is held against a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Above,
    AtLeast,
    Below,
    AtMost,
    Equal,
}

/// A condition that is not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no condition: {why}\n  fix: write METRIC COMPARISON VALUE, e.g. `failed>0`, `failed_ratio>0.1%`, `p99>50ms`; metrics: {METRICS}; comparisons: > >= < <= =="
)]
pub struct ConditionError {
    text: String,
    why: String,
}

/// Names of all metrics, for messages and help.
pub const METRICS: &str =
    "failed failed_ratio unaccounted unknown join_conflicts events_dropped attempts_unjoined p50 p90 p99 p999 max";

impl FromStr for Condition {
    type Err = ConditionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let failed = |why: String| ConditionError { text: text.to_owned(), why };
        let (name, comparison, value) = Comparison::split(text).map_err(failed)?;
        let metric = Metric::named(name).ok_or_else(|| failed(format!("`{name}` is no metric")))?;
        let value = metric.parse(value).map_err(failed)?;
        Ok(Self { text: text.trim().to_owned(), metric, comparison, value })
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Condition {
    /// Holds the condition against a report. What was not measured counts as failed: silence is no pass.
    pub fn evaluate(&self, report: &Report) -> Threshold {
        let value = self.metric.value(report);
        let failed = value.is_none_or(|value| self.comparison.holds(value, self.value));
        Threshold { condition: self.text.clone(), value, unit: self.metric.unit().to_owned(), failed }
    }
}

impl Comparison {
    /// `name > value` in its three parts.
    pub(super) fn split(text: &str) -> Result<(&str, Self, &str), String> {
        let place = text.find(['>', '<', '=']).ok_or_else(|| "it has no comparison".to_owned())?;
        let (name, rest) = text.split_at(place);
        let (comparison, length) = match rest.as_bytes() {
            [b'>', b'=', ..] => (Self::AtLeast, 2),
            [b'<', b'=', ..] => (Self::AtMost, 2),
            [b'=', b'=', ..] => (Self::Equal, 2),
            [b'>', ..] => (Self::Above, 1),
            [b'<', ..] => (Self::Below, 1),
            _ => return Err("its comparison is not known".to_owned()),
        };
        Ok((name.trim(), comparison, rest[length..].trim()))
    }

    pub(super) fn holds(self, value: f64, bound: f64) -> bool {
        match self {
            Self::Above => value > bound,
            Self::AtLeast => value >= bound,
            Self::Below => value < bound,
            Self::AtMost => value <= bound,
            Self::Equal => (value - bound).abs() < f64::EPSILON,
        }
    }
}

impl Metric {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "failed" => Self::Failed,
            "failed_ratio" => Self::FailedRatio,
            "unaccounted" => Self::Unaccounted,
            "unknown" => Self::Unknown,
            "join_conflicts" => Self::JoinConflicts,
            "events_dropped" => Self::EventsDropped,
            "attempts_unjoined" => Self::AttemptsUnjoined,
            "p50" => Self::Latency(|latency| latency.p50_us),
            "p90" => Self::Latency(|latency| latency.p90_us),
            "p99" => Self::Latency(|latency| latency.p99_us),
            "p999" => Self::Latency(|latency| latency.p999_us),
            "max" => Self::Latency(|latency| latency.max_us),
            _ => return None,
        })
    }

    fn unit(self) -> &'static str {
        match self {
            Self::Latency(_) => "us",
            Self::FailedRatio => "ratio",
            _ => "count",
        }
    }

    /// A value in this metric's unit: durations need theirs, ratios may be percentages, counts are plain.
    fn parse(self, text: &str) -> Result<f64, String> {
        let number = |text: &str| text.trim().parse::<f64>().ok().filter(|value| value.is_finite());
        let bad = || format!("`{text}` is no value");
        match self {
            Self::Latency(_) => {
                let duration = humantime::parse_duration(text)
                    .map_err(|_| format!("`{text}` is no duration with its unit, like 50ms"))?;
                Ok(duration.as_nanos() as f64 / 1_000.0)
            }
            Self::FailedRatio => match text.strip_suffix('%') {
                Some(percent) => number(percent).map(|value| value / 100.0).ok_or_else(bad),
                None => number(text).ok_or_else(bad),
            },
            _ => number(text).ok_or_else(bad),
        }
    }

    fn value(self, report: &Report) -> Option<f64> {
        let ledger = &report.ledger;
        let count = |count: u64| Some(count as f64);
        match self {
            Self::Failed => count(ledger.failed),
            Self::FailedRatio => (ledger.sent > 0).then(|| ledger.failed as f64 / ledger.sent as f64),
            Self::Unaccounted => count(ledger.unaccounted),
            Self::Unknown => count(ledger.by_cause.get(&Cause::Unknown).copied().unwrap_or(0)),
            Self::JoinConflicts => report.completeness.join_conflicts.map(|n| n as f64),
            Self::EventsDropped => report.completeness.events_dropped.map(|n| n as f64),
            Self::AttemptsUnjoined => report.completeness.attempts_unjoined.map(|n| n as f64),
            Self::Latency(pick) => report.latency.from_due.as_ref().map(|latency| pick(latency) as f64),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn units_are_read() {
        let condition: Condition = "p99 > 50ms".parse().unwrap();
        assert!((condition.value - 50_000.0).abs() < f64::EPSILON);
        let condition: Condition = "failed_ratio>=0.5%".parse().unwrap();
        assert!((condition.value - 0.005).abs() < 1e-12);
        assert_eq!(condition.comparison, Comparison::AtLeast);
    }

    #[test]
    fn nonsense_names_the_fix() {
        for text in ["failed", "fail>0", "p99>50", "failed>x", "failed=0", "failed>NaN", ""] {
            let error = text.parse::<Condition>().unwrap_err().to_string();
            assert!(error.contains("fix:"), "{text}: {error}");
        }
    }
}
