//! Records with their times on the load generator's clock.

use observer::record::{Connection, Exchange, Hop, Translation};

use crate::correlate::cluster::PodAt;

/// Node's clock minus ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offset(pub i64);

impl Offset {
    /// A node's time on our clock.
    pub fn ours(self, node_ns: u64) -> u64 {
        node_ns.saturating_add_signed(self.0.saturating_neg())
    }
}

/// A connection.
#[derive(Clone, Copy, Debug)]
pub struct Conn<'a> {
    /// As recorded; its times are the node's.
    pub raw: &'a Connection,
    /// Position of its node.
    pub node: u16,
    /// Which hop it belongs to.
    pub hop: Hop,
    /// Number of the connection, shared with its exchanges.
    pub id: u32,
    /// Pod that owns this socket.
    pub pod: Option<PodAt>,
    /// Pod whose address the translation chose.
    pub nat_pod: Option<PodAt>,
    /// On our clock, kept here because records are sorted by it.
    pub(super) opened_ns: u64,
    pub(super) offset: Offset,
}

impl Conn<'_> {
    /// `connect()` called, or handshake completed.
    pub fn opened_ns(&self) -> u64 {
        self.opened_ns
    }

    /// Handshake completed.
    pub fn established_ns(&self) -> Option<u64> {
        self.raw.established_ns.map(|ns| self.offset.ours(ns))
    }

    /// Left the open states.
    pub fn closed_ns(&self) -> Option<u64> {
        self.raw.closed_ns.map(|ns| self.offset.ours(ns))
    }

    /// A reset arrived.
    pub fn reset_received_ns(&self) -> Option<u64> {
        self.raw.reset_received_ns.map(|ns| self.offset.ours(ns))
    }

    /// Its conntrack entry was made.
    pub fn nat_created_ns(&self) -> Option<u64> {
        self.raw.nat.as_ref().map(|nat| self.offset.ours(nat.created_ns))
    }

    /// Its end as far as it was seen: the reset, the close, or nothing.
    pub fn ended_ns(&self) -> Option<u64> {
        self.reset_received_ns().or(self.closed_ns())
    }
}

/// An exchange.
#[derive(Clone, Copy, Debug)]
pub struct Exch<'a> {
    /// As recorded; its times are the node's.
    pub raw: &'a Exchange,
    /// Position of its node.
    pub node: u16,
    /// Which hop it belongs to.
    pub hop: Hop,
    /// Number of its connection.
    pub conn_id: u32,
    /// Pod that owns this socket.
    pub pod: Option<PodAt>,
    /// Position of the client's request whose trace id it carries.
    pub request: Option<u32>,
    /// On our clock, kept here because records are sorted by it.
    pub(super) request_start_ns: u64,
    pub(super) offset: Offset,
}

impl Exch<'_> {
    /// First byte of the request.
    pub fn request_start_ns(&self) -> u64 {
        self.request_start_ns
    }

    /// Last byte of the request.
    pub fn request_end_ns(&self) -> Option<u64> {
        self.raw.request_end_ns.map(|ns| self.offset.ours(ns))
    }

    /// The process read the request.
    pub fn request_read_ns(&self) -> Option<u64> {
        self.raw.request_read_ns.map(|ns| self.offset.ours(ns))
    }

    /// First byte of the answer.
    pub fn response_start_ns(&self) -> Option<u64> {
        self.raw.response_start_ns.map(|ns| self.offset.ours(ns))
    }

    /// Last byte of the answer.
    pub fn response_end_ns(&self) -> Option<u64> {
        self.raw.response_end_ns.map(|ns| self.offset.ours(ns))
    }

    /// The last moment at which something of it was seen.
    pub fn last_seen_ns(&self) -> u64 {
        [self.response_end_ns(), self.response_start_ns(), self.request_read_ns(), self.request_end_ns()]
            .into_iter()
            .flatten()
            .fold(self.request_start_ns(), u64::max)
    }
}

/// A translation of a client's connection.
#[derive(Clone, Copy, Debug)]
pub struct Trans<'a> {
    /// As recorded; its times are the node's.
    pub raw: &'a Translation,
    /// Pod whose address was chosen.
    pub pod: Option<PodAt>,
    pub(super) created_ns: u64,
}

impl Trans<'_> {
    /// The entry was made.
    pub fn created_ns(&self) -> u64 {
        self.created_ns
    }
}
