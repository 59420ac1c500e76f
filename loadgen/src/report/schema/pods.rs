//! Per hop, per pod, and the spread over pods.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Latency;

/// One stretch of a request's way. All stretches together are the client's latency.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HopReport {
    /// `waiting_to_send`, `client_to_gateway`, `queued_at_gateway`, `gateway`, `connect_to_pod`, `gateway_to_pod`,
    /// `queued_at_pod`, `pod`, `pod_to_gateway`, `gateway_to_client`, …
    pub name: String,
    /// What it spans, in words.
    pub from_to: String,
    /// Its distribution. `null`: not measured.
    pub latency: Option<Latency>,
    /// A single value can be wrong by this much, because its ends were read on clocks of two machines. `null`: one clock.
    #[serde(default)]
    pub clock_error_bound_ns: Option<u64>,
}

/// One pod.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PodReport {
    /// Name.
    pub name: String,
    /// UID.
    pub uid: String,
    /// `gateway` or `upstream`.
    pub role: String,
    /// Address.
    pub ip: Option<String>,
    /// Node.
    pub node: Option<String>,
    /// `kind/name` of its controller.
    pub owner: Option<String>,
    /// `pod-template-hash`.
    pub revision: Option<String>,
    /// Label `version`.
    pub version: Option<String>,
    /// Requests it served, or that were sent to it and failed. `null`: no observer.
    pub requests: Option<u64>,
    /// Of these, succeeded. Without an observer: successes whose answer names this pod; `null` when none names any.
    pub succeeded: Option<u64>,
    /// Of these, failed. `null`: no observer.
    pub failed: Option<u64>,
    /// Connections to it (refused and unanswered ones included).
    pub connections: Option<u64>,
    /// Resets it sent or received.
    pub resets: Option<u64>,
    /// Retransmissions of its sockets, and SYN retransmissions towards it.
    pub retransmits: Option<u64>,
    /// Its share of the requests of its role.
    pub share_ratio: Option<f64>,
    /// Times its containers restarted during the run.
    pub restarts: Option<u64>,
    /// Throttled for, during the run.
    pub throttled_us: Option<u64>,
    /// Client's latency of the successes it served.
    pub latency_us: Option<Latency>,
    /// First request byte at the pod → last answer byte.
    pub service_time_us: Option<Latency>,
}
