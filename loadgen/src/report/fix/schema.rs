//! `prove-fix.json`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::report::schema::{Cause, Ledger};

/// `prove-fix.json`: both runs side by side, the change between them, and what it proves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProveFix {
    /// Version of this layout.
    pub schema_version: u32,
    /// `podwitness VERSION`.
    pub tool: String,
    /// `rollout`, `pod-delete`, `dual-rollout`.
    pub experiment: String,
    /// In one word.
    pub outcome: Outcome,
    /// The same as a sentence.
    pub claim: String,
    /// The change, one entry for each Deployment. Empty: no change is known to help.
    pub changes: Vec<FixChange>,
    /// Failures of the first run that no known change concerns.
    pub no_change_known: BTreeMap<Cause, u64>,
    /// The cluster as it was found.
    pub as_it_is: FixRun,
    /// The same with the change. `null`: it was not made.
    pub with_fix: Option<FixRun>,
    /// Both compared. `null`: there is only one.
    pub comparison: Option<Comparison>,
    /// What a reader must know before believing it.
    pub notes: Vec<String>,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// With the change nothing was lost, and that is no chance.
    Proven,
    /// With the change less was lost, and that is no chance; but something was.
    Reduced,
    /// What was lost with the change can be what was lost without it.
    NotHelped,
    /// Something was lost, but no change is known that helps.
    NoChangeKnown,
    /// Nothing was lost in the first place.
    NothingFailed,
    /// A run was cut short.
    Incomplete,
}

/// A change of one Deployment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FixChange {
    /// Deployment.
    pub deployment: String,
    /// `gateway` or `upstream`.
    pub role: String,
    /// Strategic merge patch, as it is sent.
    pub patch: serde_json::Value,
    /// The same for a shell.
    pub kubectl: String,
    /// `preStop.sleep`.
    pub sleep_s: u64,
    /// Failures that it concerns.
    pub concerns_failed_count: u64,
    /// Why this, with the figures.
    pub why: String,
}

/// One of the two runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FixRun {
    /// Its directory, below that of `prove-fix.json`.
    pub dir: String,
    /// Its id.
    pub run_id: String,
    /// When it began.
    pub started_at: String,
    /// The whole schedule was run and every raw file is whole.
    pub complete: bool,
    /// Its ledger.
    pub ledger: Ledger,
    /// Failed of sent. `null`: nothing was sent.
    pub failed_ratio: Option<f64>,
    /// Lower end of its exact 95 % interval (Clopper-Pearson).
    pub failed_low_ratio: Option<f64>,
    /// Upper end.
    pub failed_high_ratio: Option<f64>,
    /// When none failed: the true ratio is below this with 95 % confidence (one-sided).
    pub failed_below_ratio: Option<f64>,
    /// Pods that were deleted.
    pub deletions_count: u64,
    /// Of these, pods at which requests were lost.
    pub deletions_with_losses_count: u64,
}

/// Both runs compared.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// Fisher's exact test on failed and succeeded requests of both runs, two-sided.
    pub requests_p_value: Option<f64>,
    /// The same on deletions with and without losses: coarser, but losses of one deletion are not independent.
    pub deletions_p_value: Option<f64>,
    /// Below this, chance is ruled out.
    pub significance_level_ratio: f64,
}
