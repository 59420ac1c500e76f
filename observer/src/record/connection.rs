//! One TCP connection as seen from one of its sockets on this node.

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Hop, Nat, PodRef, PodSource};

/// One TCP connection (or the attempt at one), seen at one socket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Connection<S = String> {
    /// Node name.
    pub node: S,
    /// Socket cookie: unique on the node since boot.
    pub conn: u64,
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
    /// Client sockets: where the connection really went. Server sockets: `None`.
    pub nat: Option<Nat<S>>,
    /// Client sockets: `connect()` called. Server sockets: handshake completed (same as `established_ns`).
    pub opened_ns: u64,
    /// Handshake completed. `None`: it never did.
    pub established_ns: Option<u64>,
    /// Left the open states. `None`: still open when recorded.
    pub closed_ns: Option<u64>,
    /// What became of the attempt.
    pub outcome: Outcome,
    /// How it ended, when established.
    pub close: Option<Close>,
    /// Reset sent from this side at.
    pub reset_sent_ns: Option<u64>,
    /// Reset received from the other side at. For a refused attempt: the refusal.
    pub reset_received_ns: Option<u64>,
    /// SYN retransmissions of the attempt (client sockets).
    pub syn_retransmits: u32,
    /// Data retransmissions from this side.
    pub retransmits: u32,
    /// Smoothed round-trip time at the end.
    pub srtt_us: Option<u32>,
    /// Payload bytes received and sent.
    pub bytes_in: u64,
    /// See `bytes_in`.
    pub bytes_out: u64,
    /// HTTP exchanges seen on it.
    pub exchanges: u32,
    /// Client sockets: the call of the opening thread directly before `connect()`, which tells *for whom* it dialled.
    pub opened_after: Option<SocketCall>,
    /// Thread that called `connect()`.
    pub thread: Option<u32>,
    /// The connection is older than the agent, so its birth and its first exchanges were not seen.
    pub predates_observer: bool,
    /// Payload was seen that is not HTTP/1.x.
    pub not_http: bool,
}

/// What became of a connection attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Handshake completed.
    Established,
    /// Answered with a reset.
    Refused,
    /// Gave up with no answer at all (the caller closed it, or the kernel's retries ran out).
    Unanswered,
    /// An ICMP error or a local reject ended it.
    Unreachable,
    /// There was no source port for it: nothing was sent. `local` has port 0 then.
    NoSourcePort,
    /// Still in the handshake when recorded; with `closed_ns`: over, and nothing told how.
    Pending,
}

/// How an established connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Close {
    /// This side sent the first FIN.
    FinLocal,
    /// The other side sent the first FIN.
    FinRemote,
    /// This side reset it.
    ResetLocal,
    /// The other side reset it.
    ResetRemote,
    /// Retransmissions ran out.
    TimedOut,
}

/// A socket call by a thread, on a watched connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SocketCall {
    /// Which call.
    pub kind: SocketCallKind,
    /// Socket cookie of the connection it was made on.
    pub conn: u64,
    /// Exchange on that connection which the call belongs to, counted from 0.
    pub exchange: Option<u32>,
    /// When.
    pub at_ns: u64,
}

/// Which socket call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SocketCallKind {
    /// Data was read.
    Recv,
    /// Data was written.
    Send,
    /// `connect()`.
    Connect,
    /// The socket was closed: a failed attempt was given up. What the thread does next may be a retry.
    Close,
}
