//! One request of a run.

use observer::record::{NatSource, Outcome};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Cause, Evidence, JoinedBy};

/// One request: the pod that served it, where its time went, and, when it failed, why. A line of `loadgen requests -o ndjson`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RequestReport {
    /// Number in the schedule.
    pub seq: u64,
    /// Trace id.
    pub trace_id: String,
    /// Due at, monotonic.
    pub due_ns: u64,
    /// Sent at.
    pub sent_at: String,
    /// Same, monotonic.
    pub sent_ns: u64,
    /// Ended at, monotonic.
    pub ended_ns: u64,
    /// From sending (or, when no worker was free, from the time it was due) to the end of the answer.
    pub latency_us: f64,
    /// Answered with a status below 400 and a complete body.
    pub succeeded: bool,
    /// What the client saw: `status 200`, `connection refused`, …
    pub outcome: String,
    /// Status, if there was one.
    pub status: Option<u16>,
    /// Why it failed. `null`: it did not.
    pub cause: Option<Cause>,
    /// The gateway pod that handled it. `null`: not known.
    pub gateway_pod: Option<String>,
    /// The pod that served it, or, of a failed one, the pod that it was lost at. `null`: not known, or there was none.
    pub pod: Option<String>,
    /// Its UID.
    pub pod_uid: Option<String>,
    /// The pod that the answer itself names. `null`: it names none.
    pub pod_by_answer: Option<String>,
    /// How the decisive attempt was joined. `null`: none was needed or found.
    pub joined_by: Option<JoinedBy>,
    /// The gateway's attempts at a pod, in order of time. The last one decided.
    pub attempts: Vec<RequestAttempt>,
    /// The parts of its way, which sum to its latency. `null`: it failed, or its way was not measured.
    pub parts: Option<Vec<RequestPart>>,
    /// Of a failed one: what proves the cause, in order of time.
    pub evidence: Vec<Evidence>,
}

/// One attempt of the gateway.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RequestAttempt {
    /// `connect()` called or, on a kept connection, request written.
    pub at: String,
    /// Same, monotonic.
    pub at_ns: u64,
    /// The pod that got it, or whose address was dialled.
    pub pod: Option<String>,
    /// The gateway's address.
    pub source: Option<String>,
    /// What it dialled.
    pub dialled: Option<String>,
    /// What the node's rules, or an older entry, made of that.
    pub chosen: Option<String>,
    /// Where that is known from.
    pub nat_source: Option<NatSource>,
    /// The request went on a connection that had carried another one.
    pub connection_reused: bool,
    /// How the connection was made.
    pub connection: Option<Outcome>,
    /// The pod's status. `null`: no answer was seen.
    pub status: Option<u16>,
    /// How it was joined to the request.
    pub joined_by: JoinedBy,
}

/// A part of a request's way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RequestPart {
    /// As in the report's `hops`.
    pub name: String,
    /// How long it took.
    pub duration_ns: u64,
}

/// The JSON schema of a line.
pub fn request_schema() -> serde_json::Value {
    schemars::schema_for!(RequestReport).to_value()
}
