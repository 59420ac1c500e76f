//! How much of what happened was seen, and what watching cost.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::JoinedBy;

/// How much of what happened was seen. `null`: no observer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Completeness {
    /// Requests of this run whose trace id was seen at a gateway pod.
    pub requests_seen_at_gateway: Option<u64>,
    /// Requests of this run whose trace id was seen at a serving pod.
    pub requests_seen_at_pod: Option<u64>,
    /// The pod that the observer names against the pod that the answer names.
    pub pod_agreement: Option<PodAgreement>,
    /// Kernel events that were lost.
    pub events_dropped: Option<u64>,
    /// Two joins of one request that disagree.
    pub join_conflicts: Option<u64>,
    /// Client records lost.
    pub client_records_dropped: u64,
    /// Records that did not fit into the agent's store.
    pub records_dropped: Option<u64>,
    /// Failures by the way their attempt was joined; `none` for those without an attempt.
    pub failures_joined_by: BTreeMap<String, u64>,
    /// All losses that the agents count, by name; only those that are not zero.
    pub loss: BTreeMap<String, u64>,
    /// Clock error bound, largest of all nodes.
    pub clock_error_bound_ns: Option<u64>,
    /// goose's counts equal ours.
    pub goose_agrees: Option<bool>,
    /// Attempts of the gateway that could not be given to any request.
    pub attempts_unjoined: Option<u64>,
    /// Attempts that are proven to be for a request of somebody else.
    pub attempts_of_others: Option<u64>,
    /// Attempts by the way they were joined.
    pub attempts_joined_by: BTreeMap<JoinedBy, u64>,
    /// Gaps of the Kubernetes watch during the run.
    pub watch_gaps: u64,
}

/// The pod that the observer names against the pod that the answer names (`x-pod-name`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PodAgreement {
    /// Answers that name a pod and whose request was seen at a pod.
    pub compared: u64,
    /// Of these, equal.
    pub agreed: u64,
}

/// What watching cost, over the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ObserverCost {
    /// CPU time of the agents, in cores.
    pub cpu_ratio: f64,
    /// Largest resident memory of an agent.
    pub rss_bytes: u64,
    /// Time in the eBPF programs for each request. `null`: the kernel's statistics are off.
    pub bpf_ns_per_request: Option<f64>,
    /// Time in the eBPF programs, in cores.
    pub bpf_cpu_ratio: Option<f64>,
}
