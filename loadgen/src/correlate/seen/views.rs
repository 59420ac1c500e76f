//! Records with their times on the load generator's clock. A view is a handful of references: it is made where it is needed.

use std::net::SocketAddr;

use observer::record::{Close, ExchangeEnd, Hop, NatSource, Outcome};

use super::Seen;
use crate::correlate::cluster::PodAt;
use crate::raw::compact::{
    Address, Call, ConnectionKind, ConnectionRow, ExchangeKind, ExchangeRow, Nat, Trace, TranslationKind,
    TranslationRow,
};

/// Node's clock minus ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offset(pub i64);

impl Offset {
    /// A node's time on our clock.
    pub fn ours(self, node_ns: u64) -> u64 {
        node_ns.saturating_add_signed(self.0.saturating_neg())
    }
}

/// Two ends of a connection. Equal exactly when their addresses are.
pub type Tuple = (Address, Address);

/// A connection.
#[derive(Clone, Copy)]
pub struct Conn<'r> {
    /// Position of its node.
    pub node: u16,
    /// Which hop it belongs to.
    pub hop: Hop,
    /// Number of the connection, shared with its exchanges.
    pub id: u32,
    /// Pod that owns this socket.
    pub pod: Option<PodAt>,
    pub(super) offset: Offset,
    pub(super) row: &'r ConnectionRow,
    pub(super) kind: &'r ConnectionKind,
    pub(super) seen: &'r Seen<'r>,
}

impl Conn<'_> {
    /// `connect()` called, or handshake completed.
    pub fn opened_ns(self) -> u64 {
        self.offset.ours(self.row.opened_ns)
    }

    /// The same in its node's clock.
    pub fn opened_node_ns(self) -> u64 {
        self.row.opened_ns
    }

    /// Handshake completed.
    pub fn established_ns(self) -> Option<u64> {
        self.seen.records.time(self.row.opened_ns, self.row.established).map(|ns| self.offset.ours(ns))
    }

    /// Left the open states.
    pub fn closed_ns(self) -> Option<u64> {
        self.seen.records.time(self.row.opened_ns, self.row.closed).map(|ns| self.offset.ours(ns))
    }

    /// A reset arrived.
    pub fn reset_received_ns(self) -> Option<u64> {
        self.seen.records.trouble(self.row).reset_received_ns.map(|ns| self.offset.ours(ns))
    }

    /// A reset was sent, or arrived.
    pub fn was_reset(self) -> bool {
        let trouble = self.seen.records.trouble(self.row);
        trouble.reset_sent || trouble.reset_received_ns.is_some()
    }

    /// Its end as far as it was seen: the reset, the close, or nothing.
    pub fn ended_ns(self) -> Option<u64> {
        self.reset_received_ns().or(self.closed_ns())
    }

    /// What became of the attempt.
    pub fn outcome(self) -> Outcome {
        self.kind.outcome
    }

    /// Still in the handshake when recorded.
    pub fn is_pending(self) -> bool {
        self.kind.outcome == Outcome::Pending && self.ended_ns().is_none()
    }

    /// It was over when its owner closed it, and nothing told how.
    pub fn ended_untold(self) -> bool {
        self.kind.outcome == Outcome::Pending && self.ended_ns().is_some()
    }

    /// How it ended.
    pub fn close(self) -> Option<Close> {
        self.kind.close
    }

    /// Address of this socket.
    pub fn local(self) -> SocketAddr {
        self.seen.records.address(self.kind.ends.local(self.row.port))
    }

    /// The other end as this socket sees it.
    pub fn remote(self) -> SocketAddr {
        self.seen.records.address(self.kind.ends.remote(self.row.port))
    }

    /// From the other end to this socket.
    pub fn inbound(self) -> Tuple {
        (self.kind.ends.remote(self.row.port), self.kind.ends.local(self.row.port))
    }

    /// Its translation.
    pub fn nat(self) -> Option<Nat> {
        let (kind, more) = self.seen.records.nat_of(self.row)?;
        let [dialled, chosen, source_seen] = [kind.dialled, kind.chosen, kind.source_seen.at_port(more.nat_port)]
            .map(|address| self.seen.records.address(address));
        Some(Nat { dialled, chosen, source_seen, source: kind.source })
    }

    /// How its translation is known. `None`: there is none.
    pub fn nat_source(self) -> Option<NatSource> {
        self.seen.records.nat_of(self.row).map(|(kind, _)| kind.source)
    }

    /// Source and destination after its translation.
    pub fn translated(self) -> Option<Tuple> {
        let (kind, more) = self.seen.records.nat_of(self.row)?;
        Some((kind.source_seen.at_port(more.nat_port), kind.chosen))
    }

    /// Its conntrack entry was made.
    pub fn nat_created_ns(self) -> Option<u64> {
        let (_, more) = self.seen.records.nat_of(self.row)?;
        self.seen.records.time(self.row.opened_ns, more.nat_created).map(|ns| self.offset.ours(ns))
    }

    /// Pod whose address the translation chose.
    pub fn nat_pod(self) -> Option<PodAt> {
        self.seen.records.nat_of(self.row).and_then(|(kind, _)| self.seen.pod_of(kind.pod))
    }

    /// The older entry that took its first SYN along and had ended when that was repeated.
    pub fn expired(self) -> Option<Expired> {
        let row = self.seen.records.trouble(self.row).expired?;
        Some(Expired {
            created_ns: self.offset.ours(row.created_ns),
            pod: self.seen.pod_of(row.pod),
            chosen: self.seen.records.address(row.chosen),
        })
    }

    /// SYN retransmissions of the attempt.
    pub fn syn_retransmits(self) -> u32 {
        self.seen.records.trouble(self.row).syn_retransmits
    }

    /// Data retransmissions from this side.
    pub fn retransmits(self) -> u32 {
        self.seen.records.trouble(self.row).retransmits
    }

    /// HTTP exchanges seen on it.
    pub fn exchanges(self) -> u32 {
        self.kind.exchanges
    }

    /// The call of the opening thread directly before it.
    pub fn opened_after(self) -> Option<Call> {
        let more = self.seen.records.more(self.row)?;
        self.seen.records.call_at(more.opened_after, self.row.opened_ns)
    }

    /// Thread that called `connect()`.
    pub fn thread(self) -> Option<u32> {
        self.kind.thread.get()
    }

    /// Payload was seen that is not HTTP/1.x.
    pub fn not_http(self) -> bool {
        self.kind.not_http
    }
}

/// A conntrack entry that had ended before the connection had an answer.
#[derive(Clone, Copy)]
pub struct Expired {
    /// When it was made.
    pub created_ns: u64,
    /// Pod whose address it led to.
    pub pod: Option<PodAt>,
    /// That address.
    pub chosen: SocketAddr,
}

/// An exchange.
#[derive(Clone, Copy)]
pub struct Exch<'r> {
    /// Position of its node.
    pub node: u16,
    /// Which hop it belongs to.
    pub hop: Hop,
    /// Number of its connection.
    pub conn_id: u32,
    /// Pod that owns this socket.
    pub pod: Option<PodAt>,
    pub(super) offset: Offset,
    pub(super) row: &'r ExchangeRow,
    pub(super) kind: &'r ExchangeKind,
    pub(super) seen: &'r Seen<'r>,
}

impl Exch<'_> {
    /// Position of the client's request whose trace id it carries.
    pub fn request(self) -> Option<u32> {
        self.seen.request_of(self.row)
    }

    /// It carries a trace id, whosever it is.
    pub fn has_trace(self) -> bool {
        self.row.trace != Trace::NONE
    }

    /// First byte of the request.
    pub fn request_start_ns(self) -> u64 {
        self.offset.ours(self.row.request_start_ns())
    }

    /// The same in its node's clock.
    pub fn request_start_node_ns(self) -> u64 {
        self.row.request_start_ns()
    }

    /// Last byte of the request.
    pub fn request_end_ns(self) -> Option<u64> {
        self.seen.records.time(self.row.request_start_ns(), self.row.request_end).map(|ns| self.offset.ours(ns))
    }

    /// The process read the request.
    pub fn request_read_ns(self) -> Option<u64> {
        self.seen.records.time(self.row.request_start_ns(), self.row.request_read).map(|ns| self.offset.ours(ns))
    }

    /// First byte of the answer.
    pub fn response_start_ns(self) -> Option<u64> {
        self.seen.records.time(self.row.request_start_ns(), self.row.response_start).map(|ns| self.offset.ours(ns))
    }

    /// Last byte of the answer.
    pub fn response_end_ns(self) -> Option<u64> {
        self.response_end_node_ns().map(|ns| self.offset.ours(ns))
    }

    /// The same in its node's clock.
    pub fn response_end_node_ns(self) -> Option<u64> {
        self.seen.records.time(self.row.request_start_ns(), self.row.response_end)
    }

    /// The last moment at which something of it was seen.
    pub fn last_seen_ns(self) -> u64 {
        [self.response_end_ns(), self.response_start_ns(), self.request_read_ns(), self.request_end_ns()]
            .into_iter()
            .flatten()
            .fold(self.request_start_ns(), u64::max)
    }

    /// Position on its connection.
    pub fn index(self) -> u32 {
        self.kind.index
    }

    /// Status of the final answer.
    pub fn status(self) -> Option<u16> {
        Some(self.kind.status).filter(|status| *status != ExchangeKind::NO_STATUS)
    }

    /// How it ended.
    pub fn end(self) -> ExchangeEnd {
        self.kind.end
    }

    /// Its connection had carried an exchange before.
    pub fn reused(self) -> bool {
        self.kind.reused
    }

    /// The call of the sending thread directly before it.
    pub fn sent_after(self) -> Option<Call> {
        self.seen.records.call_at(self.row.sent_after, self.row.request_start_ns())
    }

    /// Address of this socket.
    pub fn local(self) -> SocketAddr {
        self.seen.records.address(self.kind.ends.local(self.row.port))
    }

    /// The other end as this socket sees it.
    pub fn remote(self) -> SocketAddr {
        self.seen.records.address(self.kind.ends.remote(self.row.port))
    }

    /// From the other end to this socket.
    pub fn inbound(self) -> Tuple {
        (self.kind.ends.remote(self.row.port), self.kind.ends.local(self.row.port))
    }
}

/// A translation of a client's connection.
#[derive(Clone, Copy)]
pub struct Trans<'r> {
    /// Pod whose address was chosen.
    pub pod: Option<PodAt>,
    pub(super) offset: Offset,
    pub(super) row: &'r TranslationRow,
    pub(super) kind: &'r TranslationKind,
    pub(super) seen: &'r Seen<'r>,
}

impl Trans<'_> {
    /// The entry was made.
    pub fn created_ns(self) -> u64 {
        self.offset.ours(self.row.created_ns)
    }

    /// How it is known.
    pub fn source(self) -> NatSource {
        self.kind.nat.source
    }

    /// Destination after translation.
    pub fn chosen(self) -> SocketAddr {
        self.seen.records.address(self.kind.nat.chosen)
    }

    /// Source after translation.
    pub fn source_seen(self) -> SocketAddr {
        self.seen.records.address(self.as_seen().0)
    }

    /// As the client dialled.
    pub fn as_dialled(self) -> Tuple {
        (self.kind.client.at_port(self.row.client_port), self.kind.nat.dialled)
    }

    /// As the gateway pod sees it.
    pub fn as_seen(self) -> Tuple {
        (self.kind.nat.source_seen.at_port(self.row.seen_port), self.kind.nat.chosen)
    }
}
