//! A new version beside the old one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Latency;

/// What a canary got, how it did, and what to do with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CanaryReport {
    /// `replicas` (one Service picks among all pods) or `weight` (the gateway is told the share).
    pub split_by: String,
    /// Share that the canary should get. `null`: the number of ready pods was not measured, or it changed.
    pub expected_share_ratio: Option<f64>,
    /// Its share of new connections. `null`: no observer.
    pub by_connection: Option<ShareReport>,
    /// Its share of requests. `null`: no request whose pod is known.
    pub by_request: Option<ShareReport>,
    /// The version that is there.
    pub stable: VersionReport,
    /// The version that is tried.
    pub canary: VersionReport,
    /// Fisher's exact test on failed requests of both, two-sided.
    pub failed_p_value: Option<f64>,
    /// Mann-Whitney test on the time in the pods, two-sided (at the client, where there is no observer).
    pub latency_p_value: Option<f64>,
    /// Probability that a request takes longer at the canary than at the stable version; 0.5 is no difference.
    pub canary_slower_ratio: Option<f64>,
    /// What to do.
    pub decision: CanaryDecision,
    /// Why.
    pub reasons: Vec<String>,
}

/// What to do with a canary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CanaryDecision {
    /// It does as well, and there is enough to say so.
    Promote,
    /// Keep both and look again.
    Hold,
    /// It does worse.
    RollBack,
    /// Too little to say.
    NoData,
}

/// A share with its uncertainty.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ShareReport {
    /// The canary's.
    pub canary_count: u64,
    /// All.
    pub total_count: u64,
    /// The canary's share.
    pub ratio: Option<f64>,
    /// Lower end of its exact 95 % interval (Clopper-Pearson). `null`: these are not independent draws.
    pub low_ratio: Option<f64>,
    /// Upper end.
    pub high_ratio: Option<f64>,
    /// Exact binomial test against the expected share, two-sided.
    pub p_value: Option<f64>,
}

/// One of the two versions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VersionReport {
    /// Its Deployment.
    pub deployment: String,
    /// Label `version` of its pods.
    pub version: Option<String>,
    /// Pods that were ready for the whole run.
    pub ready_pods_count: u64,
    /// New connections to it. `null`: no observer.
    pub connections_count: Option<u64>,
    /// Requests whose last attempt was made at one of its pods.
    pub requests_count: u64,
    /// Of these, failed.
    pub failed_count: u64,
    /// Failed of all.
    pub failed_ratio: Option<f64>,
    /// Lower end of its exact 95 % interval (Clopper-Pearson).
    pub failed_low_ratio: Option<f64>,
    /// Upper end.
    pub failed_high_ratio: Option<f64>,
    /// Client's latency of its successes.
    pub latency_us: Option<Latency>,
    /// First request byte at the pod → last answer byte.
    pub service_time_us: Option<Latency>,
}

impl CanaryDecision {
    /// In words.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Promote => "promote",
            Self::Hold => "hold",
            Self::RollBack => "roll back",
            Self::NoData => "no data",
        }
    }
}
