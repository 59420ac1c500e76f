//! Failed requests, each with its cause and the proof.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why a request failed: a closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The gateway dialled a pod whose listener was closed already: it answered with a reset.
    RefusedByTerminatedPod,
    /// A rule still pointed at the address of a pod that was gone: nobody answered.
    UnansweredPodIp,
    /// The rules were right, but a re-used source port matched an old conntrack entry to a pod that was gone.
    StaleNatEntry,
    /// The request was delivered, and the pod ended before it had answered.
    CutInFlight,
    /// The gateway re-used a connection that the pod had closed.
    StaleKeepalive,
    /// The Service had no ready endpoint: the connection was rejected on the node.
    NoReadyEndpoint,
    /// The gateway pod refused, reset or did not answer the client.
    GatewayTerminated,
    /// The gateway answered with 5xx without having tried a pod.
    GatewayError,
    /// The pod itself answered with 5xx.
    #[serde(rename = "pod_5xx")]
    Pod5xx,
    /// The pod did not answer within the gateway's timeout.
    PodTooSlow,
    /// The client gave up first.
    ClientTimeout,
    /// The load generator did not run, and gave up on an answer that had come in time, or before it had sent the request.
    ClientStalled,
    /// Packets were lost between two ends that were both alive.
    NetworkLoss,
    /// The load generator's own machine had no free source port: nothing was sent.
    ClientOutOfPorts,
    /// The gateway pod had no free source port for a connection to the Service: nothing was sent.
    GatewayOutOfPorts,
    /// The answer was an error of the request itself (4xx).
    RequestError,
    /// None of the above is proven.
    Unknown,
}

/// How an attempt or a hop was joined to its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JoinedBy {
    /// The trace id was seen there.
    Trace,
    /// The order of socket calls within the gateway's thread.
    ThreadOrder,
    /// Addresses and ports, translated.
    Tuple,
    /// Only by time: not a proof.
    TimeWindow,
}

/// One failed request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// Trace id.
    pub trace_id: String,
    /// Number in the schedule.
    pub seq: u64,
    /// Due at.
    pub due_at: String,
    /// Same, monotonic.
    pub due_ns: u64,
    /// Sent at.
    pub sent_at: String,
    /// Same, monotonic.
    pub sent_ns: u64,
    /// Ended at, monotonic.
    pub ended_ns: u64,
    /// What the client saw: `status 502`, `connection refused`, …
    pub outcome: String,
    /// Status, if there was one.
    pub status: Option<u16>,
    /// Why.
    pub cause: Cause,
    /// The serving pod, or the pod whose address was dialled.
    pub pod: Option<String>,
    /// Its UID.
    pub pod_uid: Option<String>,
    /// The gateway pod that handled it.
    pub gateway_pod: Option<String>,
    /// How the decisive attempt was joined. `null`: no attempt was needed or found.
    pub joined_by: Option<JoinedBy>,
    /// Milliseconds from the first step of `chain` in time (the deletion request, else the first sign of it, in the watch or
    /// in the kernel) to the attempt.
    pub after_deletion_ms: Option<f64>,
    /// What proves it, in order of time.
    pub evidence: Vec<Evidence>,
    /// For a pod that was deleted: the chain of its end.
    pub chain: Vec<ChainStep>,
}

/// One fact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// When.
    pub at: String,
    /// Same, monotonic.
    pub at_ns: u64,
    /// What, in words.
    pub what: String,
    /// Who says so: `client`, `kernel`, `conntrack`, `kubernetes`, `action`.
    pub source: String,
}

/// One step of a pod's end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChainStep {
    /// `deletion_requested`, `terminating_seen`, `endpoint_removed`, `last_new_connection` (a rule still sent one
    /// there), `listener_gone` (first refusal), `address_gone` (first attempt that nobody answered), `last_byte`,
    /// `pod_gone`.
    pub step: String,
    /// When. `null`: not measured.
    pub at_ns: Option<u64>,
    /// Milliseconds since the first step. `null`: not measured.
    pub after_ms: Option<f64>,
    /// Who says so.
    pub source: String,
    /// Requests whose lost attempt at this pod was made from then until the next step in time. `null`: the step was not measured,
    /// or it is one of a pod's beginning.
    pub failed_until_next: Option<u64>,
}

/// One pod of gateway or upstream that was deleted during the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Deletion {
    /// Its name.
    pub pod: String,
    /// Its UID.
    pub uid: String,
    /// `gateway` or `upstream`.
    pub role: String,
    /// The chain of its end.
    pub chain: Vec<ChainStep>,
    /// Requests lost because of it.
    pub failed: u64,
    /// The first of their attempts, since the first step of the chain.
    pub first_failure_after_ms: Option<f64>,
    /// The last of their attempts, since the first step of the chain.
    pub last_failure_after_ms: Option<f64>,
    /// Its preStop hook failed: the event's text.
    pub hook_failed: Option<String>,
}

/// Why a success was slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SlowCause {
    /// A SYN had to be sent again.
    SynRetransmit,
    /// The pod's CPU limit stopped it.
    CpuThrottled,
    /// The pod, or the gateway, had work and got no CPU: others on the node had it.
    CpuPressure,
    /// It waited in the gateway's socket queue.
    QueuedAtGateway,
    /// It waited in the pod's socket queue.
    QueuedAtPod,
    /// The pod took long to answer.
    SlowPod,
    /// The gateway took long to pass the request, or its answer, on.
    SlowGateway,
    /// The load generator itself sent it late.
    LateSender,
    /// The load generator itself was late to connect, to write the request, or to read the answer.
    LateClient,
    /// A first attempt failed, and the gateway tried again.
    Retried,
    /// None of the above stands out.
    Unknown,
}

/// One of the slowest successes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SlowRequest {
    /// Trace id.
    pub trace_id: String,
    /// Number in the schedule.
    pub seq: u64,
    /// Client's latency.
    pub latency_us: u64,
    /// Largest part of it.
    pub slowest_hop: Option<String>,
    /// Length of that part.
    pub slowest_hop_us: Option<u64>,
    /// Why.
    pub cause: SlowCause,
    /// Serving pod.
    pub pod: Option<String>,
    /// In words.
    pub explanation: String,
}
