//! `report.json`: the contract with every reader. A change here is a change of [`SCHEMA_VERSION`] or an addition.
//!
//! Times are RFC 3339 with nanoseconds; a field ending in `_ns` beside it is the same moment on `CLOCK_MONOTONIC`.
//! Every number has its unit in its name. `null` means "not measured". A distribution is an HDR histogram
//! (V2-deflate, base64) with its percentiles beside it.

mod answers;
mod balance;
mod canary;
mod compare;
mod completeness;
mod failure;
mod ledger;
mod pods;
mod repeat;
mod request;
mod revision;
mod scaling;
mod slow_pod;
mod verdict;
mod words;

pub use answers::{Answer, AnswerRun, Answers};
pub use balance::{Balance, BalanceTest, ChoiceEndpoint, ChoiceEvidence, PodShare, PolicyForecast, WhatIfModel};
pub use canary::{CanaryDecision, CanaryReport, ShareReport, VersionReport};
pub use compare::{
    CauseChange, ComparedRun, ComparedSide, Comparison, Difference, DifferenceKind, FailureChange, Judgement,
    LatencyChange, QuantileChange, comparison_schema,
};
pub use completeness::{Completeness, NodeSeen, ObserverCost, PodAgreement};
pub use failure::{Cause, ChainStep, Deletion, Evidence, Failure, JoinedBy, SlowCause, SlowRequest};
pub use ledger::{Latency, LatencyPair, Ledger};
pub use pods::{HopReport, PodReport};
pub use repeat::{PooledFailures, PooledMean, RepeatedRun, Repeats, ShareOfRuns, repeats_schema};
pub use request::{RequestAttempt, RequestPart, RequestReport, request_schema};
pub use revision::RevisionReport;
pub use scaling::{
    AutoscalerReport, AutoscalerSync, FormulaAgreement, MetricsSource, NewPod, ScaleChange, Scaling, ScalingPhase,
};
pub use slow_pod::{DifferenceUs, InFlight, Phase, ShareChange, SlowPod, SlowedBy};
pub use verdict::{Measured, Source, Threshold, TimelineItem, Verdict};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::raw::{Environment, RunConfig};

/// Version of this layout.
pub const SCHEMA_VERSION: u32 = 1;

/// `report.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// Version of this layout.
    pub schema_version: u32,
    /// `podwitness VERSION`.
    pub tool: String,
    /// `steady`, `pod-delete`, `rollout`, …
    pub experiment: String,
    /// The run.
    pub run: RunInfo,
    /// Where it ran.
    pub environment: Environment,
    /// What was asked for.
    pub config: RunConfig,
    /// sent = succeeded + failed + unaccounted.
    pub ledger: Ledger,
    /// How much of what happened was seen.
    pub completeness: Completeness,
    /// Latency at the client.
    pub latency: LatencyPair,
    /// Where a request's time goes.
    pub hops: Vec<HopReport>,
    /// Each pod that served, or was dialled.
    pub pods: Vec<PodReport>,
    /// How requests and connections spread over the serving pods. `null`: too little data, or no observer.
    pub balance: Option<Balance>,
    /// What one slow pod did to the rest. `null`: no pod was slowed.
    #[serde(default)]
    pub slow_pod: Option<SlowPod>,
    /// A new version beside the old one. `null`: not what this run was about.
    pub canary: Option<CanaryReport>,
    /// Each pod of gateway and upstream that was deleted during the run, with the chain of its end.
    pub deletions: Vec<Deletion>,
    /// Every revision of both Deployments.
    pub revisions: Vec<RevisionReport>,
    /// How the number of pods followed. `null`: the run is not about it.
    #[serde(default)]
    pub scaling: Option<Scaling>,
    /// Every failed request.
    pub failures: Vec<Failure>,
    /// The slowest successes, explained like failures.
    pub slow: Vec<SlowRequest>,
    /// What happened in the cluster.
    pub timeline: Vec<TimelineItem>,
    /// Answers, in words and with figures.
    pub verdicts: Vec<Verdict>,
    /// `--fail-if` conditions.
    pub thresholds: Vec<Threshold>,
    /// What a reader must know before believing a figure.
    pub warnings: Vec<String>,
    /// What watching cost. `null`: no observer.
    pub observer_cost: Option<ObserverCost>,
}

/// The run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunInfo {
    /// Its id.
    pub id: String,
    /// First request due.
    pub started_at: String,
    /// Same, monotonic.
    pub started_ns: u64,
    /// Last request ended.
    pub ended_at: String,
    /// Same, monotonic.
    pub ended_ns: u64,
    /// `schedule`, `interrupt` or `error`.
    pub ended_by: String,
    /// The whole schedule was run and every raw file is whole.
    pub complete: bool,
}

/// The JSON schema of `report.json`, generated from the types above.
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(Report).to_value()
}
