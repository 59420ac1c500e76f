//! What the load generator knows of one request.

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One request, as its sender saw it. Its texts are owned; `S` lets a reader of many lines borrow them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClientRequest<S = String> {
    /// Number in the schedule, from 0.
    pub seq: u64,
    /// Trace id: run id (16 hex digits), then `seq` (16 hex digits).
    pub trace_id: S,
    /// When the schedule wanted it sent.
    pub due_ns: u64,
    /// When it was handed to the HTTP client.
    pub sent_ns: u64,
    /// Status and headers had arrived.
    pub headers_ns: Option<u64>,
    /// The body had arrived, or the request had failed.
    pub end_ns: u64,
    /// Status of the answer.
    pub status: Option<u16>,
    /// Why there was no (complete) answer.
    pub error: Option<ClientError>,
    /// Local address of the connection. Unknown for a connection that was never established.
    pub local: Option<SocketAddr>,
    /// Remote address of the connection.
    pub remote: Option<SocketAddr>,
    /// Pod that the answer itself names (`x-pod-name`).
    pub pod_name: Option<S>,
    /// Version that the answer itself names (`x-version`).
    pub version: Option<S>,
    /// Bytes of the body.
    pub body_bytes: u64,
    /// No worker was free when it was due: its latency counts from `due_ns`.
    pub starved: bool,
    /// Index of the worker that sent it.
    pub worker: u32,
}

/// Why a request has no complete answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClientError {
    /// Which kind.
    pub kind: ClientErrorKind,
    /// The whole chain of sources, in words.
    pub detail: String,
}

/// Kinds of failure a client can tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientErrorKind {
    /// The connection was refused.
    ConnectRefused,
    /// No answer to the connection attempt within the client's connect timeout.
    ConnectTimeout,
    /// The client had no free source port: the attempt never left its machine.
    NoSourcePort,
    /// Another failure to connect (no route, name not found).
    ConnectOther,
    /// The connection was reset before the answer was complete.
    Reset,
    /// The connection was closed before the answer was complete.
    ClosedEarly,
    /// The client's own timeout for the whole request.
    Timeout,
    /// Anything else.
    Other,
}

impl<S> ClientRequest<S> {
    /// Answered with a status below 400 and a complete body.
    pub fn succeeded(&self) -> bool {
        succeeded(self.status, self.error.as_ref())
    }
}

/// Answered with a status below 400 and a complete body.
pub(super) fn succeeded(status: Option<u16>, error: Option<&ClientError>) -> bool {
    error.is_none() && status.is_some_and(|status| (200..400).contains(&status))
}
