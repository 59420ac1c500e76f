//! Answers, thresholds, and the time line.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a statement comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Seen in this run.
    Measured,
    /// Computed from what was seen.
    Computed,
    /// Written in Kubernetes' documentation.
    Documented,
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// `Q8.1`, `Q10.3`, …
    pub question: String,
    /// The answer, in words. `null`: this run does not answer it.
    pub claim: Option<String>,
    /// Where it comes from.
    pub source: Source,
    /// The figures behind it.
    pub evidence: Vec<Measured>,
    /// What to change, where something is wrong.
    pub advice: Vec<String>,
    /// What was not measured.
    pub not_measured: Vec<String>,
}

/// A figure with its name and unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Measured {
    /// Name, with the unit as its suffix.
    pub name: String,
    /// Value. `null`: not measured.
    pub value: Option<f64>,
    /// In words.
    pub text: String,
}

/// One `--fail-if` condition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Threshold {
    /// As written.
    pub condition: String,
    /// Value measured. `null`: not measured, which counts as failed.
    pub value: Option<f64>,
    /// Unit of `value`: `us`, `ratio` or `count`.
    pub unit: String,
    /// The condition held, so the run fails.
    pub failed: bool,
}

/// One entry of the time line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TimelineItem {
    /// When.
    pub at: String,
    /// Same, monotonic.
    pub at_ns: u64,
    /// Milliseconds since the start of the run.
    pub after_start_ms: f64,
    /// `action`, `pod_terminating`, `endpoint_removed`, `FailedPreStopHook`, …
    pub kind: String,
    /// `kind/name`.
    pub object: String,
    /// In words.
    pub what: String,
    /// More, by name.
    pub fields: BTreeMap<String, String>,
    /// Who says so.
    pub source: String,
}
