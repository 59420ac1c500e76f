//! `loadgen compare A B -o json`: two runs, or two sets of repeats, held against each other. Differences are B minus A.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Cause, Ledger, Threshold};

/// A comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// Version of this layout.
    pub schema_version: u32,
    /// `podwitness VERSION`.
    pub tool: String,
    /// The first.
    pub a: ComparedSide,
    /// The second.
    pub b: ComparedSide,
    /// Of every interval; one minus it is the chance of a false alarm for each figure that is judged.
    pub confidence_ratio: f64,
    /// Nothing but what may be the point of the comparison is different, and both sides are whole.
    pub comparable: bool,
    /// What is different about the runs themselves.
    pub differences: Vec<Difference>,
    /// Failed requests.
    pub failures: FailureChange,
    /// Failed requests by cause.
    pub causes: Vec<CauseChange>,
    /// Latency of successes at the client. `null`: a side has none.
    pub latency: Option<LatencyChange>,
    /// Each stretch of the way that was measured on both sides.
    pub hops: Vec<LatencyChange>,
    /// Failures and latency at the client together.
    pub verdict: Judgement,
    /// The same in sentences.
    pub findings: Vec<String>,
    /// What a reader must know before believing a figure.
    pub notes: Vec<String>,
    /// `--fail-if` conditions.
    pub thresholds: Vec<Threshold>,
}

/// One side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ComparedSide {
    /// Experiment and hook.
    pub label: String,
    /// Its runs.
    pub runs: Vec<ComparedRun>,
    /// Requests of all of them.
    pub sent: u64,
    /// Failures of all of them.
    pub failed: u64,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ComparedRun {
    /// Its id.
    pub run_id: String,
    /// When it began.
    pub started_at: String,
    /// The whole schedule was run and every raw file is whole.
    pub complete: bool,
    /// Its ledger.
    pub ledger: Ledger,
}

/// Something about the runs themselves that is not the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Difference {
    /// What.
    pub what: String,
    /// On the first side.
    pub a: String,
    /// On the second side.
    pub b: String,
    /// What it means for the comparison.
    pub kind: DifferenceKind,
}

/// What a difference means for the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DifferenceKind {
    /// May be the very point of it: hook, image, configuration.
    Factor,
    /// Asked differently: figures of one side cannot be held against the other's.
    Load,
    /// Another place: cluster, nodes, proxy, machine.
    Place,
    /// A side is not whole, or was disturbed.
    Quality,
}

/// What became of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Judgement {
    /// Significantly better on the second side.
    Better,
    /// Significantly worse on the second side.
    Worse,
    /// One figure better, another worse.
    Mixed,
    /// No significant difference, or one too small to matter.
    Same,
    /// Too little data to tell.
    Undecided,
}

/// Failed requests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FailureChange {
    /// Share of the first.
    pub a_ratio: Option<f64>,
    /// Share of the second.
    pub b_ratio: Option<f64>,
    /// Second minus first.
    pub difference_ratio: Option<f64>,
    /// Its interval's lower end …
    pub difference_low_ratio: Option<f64>,
    /// … and upper end.
    pub difference_high_ratio: Option<f64>,
    /// Effect size: second over first. `null`: the first lost nothing.
    pub relative_ratio: Option<f64>,
    /// Fisher's exact test, two-sided, requests taken as independent.
    pub p_requests: Option<f64>,
    /// Permutation test with the run as the unit. `null`: fewer than two runs on a side.
    pub p_runs: Option<f64>,
    /// By `p_runs` where there is one, else by `p_requests`.
    pub judgement: Judgement,
}

/// Failures of one cause.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CauseChange {
    /// Which.
    pub cause: Cause,
    /// On the first side.
    pub a_count: u64,
    /// On the second side.
    pub b_count: u64,
    /// Fisher's exact test, adjusted for the number of causes (Holm).
    pub p_adjusted: Option<f64>,
    /// By it.
    pub judgement: Judgement,
}

/// A distribution of latency.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LatencyChange {
    /// `total_from_due`, or the stretch's name.
    pub name: String,
    /// Values on the first side.
    pub a_count: u64,
    /// Values on the second side.
    pub b_count: u64,
    /// Median.
    pub p50: QuantileChange,
    /// 99th percentile.
    pub p99: QuantileChange,
    /// Effect size: chance that a request of the second side was slower than one of the first; 0.5 is neither.
    pub b_slower_ratio: Option<f64>,
    /// Mann and Whitney's test, two-sided, requests taken as independent.
    pub p_ranks: Option<f64>,
}

/// One quantile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct QuantileChange {
    /// Of the first.
    pub a_us: f64,
    /// Of the second.
    pub b_us: f64,
    /// Second minus first.
    pub difference_us: f64,
    /// Its interval's lower end, by bootstrap over blocks of time. `null`: too little data …
    pub difference_low_us: Option<f64>,
    /// … and upper end.
    pub difference_high_us: Option<f64>,
    /// Permutation test with the run as the unit. `null`: fewer than two runs on a side.
    pub p_runs: Option<f64>,
    /// By `p_runs` where there is one, else by the interval; a change below 5 % counts as none.
    pub judgement: Judgement,
}

/// The JSON schema of a comparison, generated from the types above.
pub fn comparison_schema() -> serde_json::Value {
    schemars::schema_for!(Comparison).to_value()
}
