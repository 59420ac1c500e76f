//! One HTTP/1.x request and its answer on one connection, at one hop.

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Hop, PodRef, PodSource, SocketCall};

/// One request and its answer, seen at one socket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Exchange<S = String> {
    /// Node name.
    pub node: S,
    /// Socket cookie of its connection.
    pub conn: u64,
    /// Position on the connection, counted from 0.
    pub index: u32,
    /// Which hop this socket belongs to.
    pub hop: Hop,
    /// Address of this socket.
    pub local: SocketAddr,
    /// The other end as this socket sees it.
    pub remote: SocketAddr,
    /// Pod that owns this socket.
    pub pod: Option<PodRef<S>>,
    /// How `pod` is known.
    pub pod_source: Option<PodSource>,
    /// W3C trace id (32 lower-case hex digits), when the request carried a valid `traceparent`.
    pub trace_id: Option<S>,
    /// Request method.
    pub method: S,
    /// Request path without the query.
    pub path: S,
    /// Status of the final answer. `None`: there was none.
    pub status: Option<u16>,
    /// First byte of the request passed the socket.
    pub request_start_ns: u64,
    /// Last byte of the request passed the socket. `None`: it never came.
    pub request_end_ns: Option<u64>,
    /// Server sockets: the process read the request's head. Its distance from `request_start_ns` is time in the
    /// socket's queue. Needs kernel 6.3.
    pub request_read_ns: Option<u64>,
    /// First byte of the final answer passed the socket.
    pub response_start_ns: Option<u64>,
    /// Last byte of the final answer passed the socket.
    pub response_end_ns: Option<u64>,
    /// Client sockets: the process read the first bytes of the answer. Needs kernel 6.3.
    pub response_read_ns: Option<u64>,
    /// Bytes of the request (head and body).
    pub request_bytes: u64,
    /// Bytes of the answer (head and body).
    pub response_bytes: u64,
    /// How it ended.
    pub end: ExchangeEnd,
    /// Client sockets on a re-used connection: the call of the sending thread directly before it wrote the request,
    /// which tells *for whom* it sent.
    pub sent_after: Option<SocketCall>,
    /// Thread that wrote the first bytes out of this socket (request at a client socket, answer at a server socket).
    pub thread: Option<u32>,
    /// The request was written while an earlier one was unanswered.
    pub pipelined: bool,
    /// The connection had carried an exchange before.
    pub reused: bool,
}

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExchangeEnd {
    /// Request and answer are complete.
    Complete,
    /// The connection was reset before the answer was complete.
    Reset,
    /// The connection was closed before the answer was complete.
    Closed,
    /// Still open when recorded.
    Open,
    /// The protocol was switched (`101`, or `CONNECT`): what follows is not HTTP/1.x.
    Upgraded,
    /// Framing was lost (a truncated head, lost events): later exchanges of this connection may be missing.
    Unparsed,
}
