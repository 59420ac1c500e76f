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
    /// Every node that a part of the lab ran on, or that has an agent.
    #[serde(default)]
    pub nodes: Vec<NodeSeen>,
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

/// One node, and what was seen there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NodeSeen {
    /// Its name.
    pub name: String,
    /// It has an agent. Without one, nothing that happened at its pods was seen.
    pub observer: bool,
    /// Gateway pods that ran there during the run.
    pub gateway_pods: u64,
    /// Serving pods that ran there during the run.
    pub upstream_pods: u64,
    /// Records of this node. `null`: no agent, or its records are not whole.
    pub records: Option<u64>,
    /// Kernel events lost there. `null`: the agent cannot say.
    pub events_dropped: Option<u64>,
    /// The node's clock minus the load generator's. `null`: not measured.
    pub clock_offset_ns: Option<i64>,
    /// The offset is right within this. 0: one machine, one clock.
    pub clock_error_bound_ns: Option<u64>,
    /// The load generator runs on this node's machine.
    pub same_machine: Option<bool>,
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
