//! `repeat.json`: what several runs of one kind say together.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Ledger, Threshold};

/// Repeats.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Repeats {
    /// Version of this layout.
    pub schema_version: u32,
    /// `podwitness VERSION`.
    pub tool: String,
    /// Experiment and hook.
    pub label: String,
    /// Runs that were asked for.
    pub wanted: u64,
    /// All of them were made, and each is complete.
    pub complete: bool,
    /// Each run.
    pub runs: Vec<RepeatedRun>,
    /// Failed requests over all runs.
    pub failed: PooledFailures,
    /// Runs that lost at least one request.
    pub runs_that_lost: ShareOfRuns,
    /// Median latency, from the intended send time, over runs. `null`: fewer than two runs with a success.
    pub p50: Option<PooledMean>,
    /// 99th percentile, the same way.
    pub p99: Option<PooledMean>,
    /// Of every interval.
    pub confidence_ratio: f64,
    /// What a reader must know.
    pub notes: Vec<String>,
}

/// One run of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RepeatedRun {
    /// Its directory below the repeats'.
    pub dir: String,
    /// Its id.
    pub run_id: String,
    /// When it began.
    pub started_at: String,
    /// The whole schedule was run and every raw file is whole.
    pub complete: bool,
    /// Its ledger.
    pub ledger: Ledger,
    /// Median latency.
    pub p50_us: Option<u64>,
    /// 99th percentile.
    pub p99_us: Option<u64>,
    /// NAT entries of the run before were still alive when it began.
    pub nat_entries_alive: bool,
    /// `--fail-if` conditions.
    pub thresholds: Vec<Threshold>,
}

/// The share of failed requests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PooledFailures {
    /// All failures of all requests.
    pub ratio: Option<f64>,
    /// Interval to be used, lower end: the wider of the two below …
    pub low_ratio: Option<f64>,
    /// … and upper end.
    pub high_ratio: Option<f64>,
    /// As if all requests were independent (Clopper and Pearson), lower end …
    pub binomial_low_ratio: Option<f64>,
    /// … and upper end.
    pub binomial_high_ratio: Option<f64>,
    /// With the run as the unit (ratio estimator, Student's t), lower end …
    pub between_runs_low_ratio: Option<f64>,
    /// … and upper end.
    pub between_runs_high_ratio: Option<f64>,
    /// Variance between runs over what independent requests would make it: about 1 when they are independent.
    pub dispersion_ratio: Option<f64>,
    /// How it was pooled, in words.
    pub method: String,
}

/// How many of the runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ShareOfRuns {
    /// These …
    pub count: u64,
    /// … of these.
    pub of_count: u64,
    /// Share of all runs of this kind, lower end (Clopper and Pearson) …
    pub low_ratio: Option<f64>,
    /// … and upper end.
    pub high_ratio: Option<f64>,
}

/// A mean of one value per run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PooledMean {
    /// Mean.
    pub mean_us: f64,
    /// Its interval (Student's t over runs), lower end …
    pub low_us: f64,
    /// … and upper end.
    pub high_us: f64,
    /// Smallest of a run.
    pub min_us: u64,
    /// Largest of a run.
    pub max_us: u64,
}

/// The JSON schema of repeats, generated from the types above.
pub fn repeats_schema() -> serde_json::Value {
    schemars::schema_for!(Repeats).to_value()
}
