//! One pod slower than the others.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{PolicyForecast, WhatIfModel};

/// What one slow pod did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SlowPod {
    /// The pod that was slowed.
    pub pod: String,
    /// Its UID.
    pub pod_uid: String,
    /// How.
    pub by: SlowedBy,
    /// In words, with the amount.
    pub how: String,
    /// Before, during, after.
    pub phases: Vec<Phase>,
    /// Median service time of the slow pod, during minus before.
    pub slow_pod_median: Option<DifferenceUs>,
    /// Median service time during: the slow pod minus the others.
    pub slow_minus_others_median: Option<DifferenceUs>,
    /// Pod whose median service time rose most from before to during. It must be the one that was slowed.
    pub slowest_pod: Option<String>,
    /// Client's median latency, during minus before.
    pub client_p50: Option<DifferenceUs>,
    /// Client's p99 latency, during minus before.
    pub client_p99: Option<DifferenceUs>,
    /// Share of the slow pod, during minus before.
    pub share: Option<ShareChange>,
    /// Requests at the slow pod, and at the busiest other one, over time.
    pub in_flight: Vec<InFlight>,
    /// What other policies would have given in the slow phase, computed. Empty: not computed.
    pub what_if: Vec<PolicyForecast>,
    /// Pods in the order of `what_if[].shares_ratio`.
    pub what_if_pods: Vec<String>,
    /// What that computation takes for granted.
    pub what_if_model: Option<WhatIfModel>,
}

/// How a pod was slowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SlowedBy {
    /// Its server waits before each answer.
    Delay,
    /// Its CPU limit was lowered in place.
    Cpu,
}

/// One part of the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Phase {
    /// `before`, `during`, `after`.
    pub name: String,
    /// From.
    pub from_ns: u64,
    /// Until.
    pub until_ns: u64,
    /// Requests sent in it.
    pub requests: u64,
    /// Of these, failed.
    pub failed: u64,
    /// Client's latency of successes.
    pub client_p50_us: Option<u64>,
    /// Same.
    pub client_p99_us: Option<u64>,
    /// Median time at the slow pod.
    pub slow_pod_service_p50_us: Option<u64>,
    /// Same, at all other pods.
    pub other_pods_service_p50_us: Option<u64>,
    /// Share of the slow pod by request.
    pub slow_pod_requests_ratio: Option<f64>,
    /// Share of the slow pod by new connection.
    pub slow_pod_connections_ratio: Option<f64>,
    /// Most requests at the slow pod at a time.
    pub slow_pod_in_flight_max_count: Option<u64>,
    /// Requests at the slow pod, on average over time.
    pub slow_pod_in_flight_mean_count: Option<f64>,
    /// Most requests at any other pod at a time.
    pub other_pods_in_flight_max_count: Option<u64>,
    /// CPU time for which the slow pod was stopped by its limit. `null`: not measured.
    pub slow_pod_throttled_us: Option<u64>,
}

/// A difference of two figures with its 95 % interval (bootstrap of blocks of half a second).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DifferenceUs {
    /// The difference.
    pub difference_us: f64,
    /// Lower end.
    pub low_us: f64,
    /// Upper end.
    pub high_us: f64,
}

/// Whether the slow pod got less, with a test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ShareChange {
    /// Share by new connection, during minus before. `null`: too few.
    pub connections_difference_ratio: Option<f64>,
    /// p value of no change (two proportions, both sides).
    pub connections_p: Option<f64>,
    /// Share by request, during minus before.
    pub requests_difference_ratio: f64,
    /// Lower end of its 95 % interval (bootstrap).
    pub requests_low_ratio: Option<f64>,
    /// Upper end.
    pub requests_high_ratio: Option<f64>,
    /// The slow pod got less, and not by chance: the interval by request lies below 0. `null`: too little to tell.
    pub reacted: Option<bool>,
}

/// Requests at pods at one time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InFlight {
    /// Start of the interval, after the start of the run.
    pub after_start_ms: f64,
    /// Most at the slow pod.
    pub slow_pod_max_count: u64,
    /// Most at any other pod.
    pub other_pods_max_count: u64,
}
