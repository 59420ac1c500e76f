//! What the rows' numbers stand for.

use std::net::{IpAddr, SocketAddr};

use observer::record::PodRef;

use super::super::kinds::{CallKind, ConnectionKind, ExchangeKind, NatKind, TranslationKind};
use super::super::rows::Call;
use super::{Address, ConnectionRow, ExchangeRow, Maybe, MoreRow, Named, Near, Records, TranslationRow, TroubleRow};

impl Records {
    /// What the records of one node say of pods, in the order of their first records.
    pub(crate) fn named_at(&self, node: u16) -> impl Iterator<Item = &Named> {
        self.named.iter().filter(move |named| named.node == node)
    }

    /// The address that a pod was named with.
    pub(crate) fn host_of(&self, named: &Named) -> IpAddr {
        self.hosts.host(named.host).ip()
    }

    pub(crate) fn pod_ref(&self, number: u32) -> &PodRef {
        self.pods.get(number)
    }

    /// All pod numbers are below.
    pub(crate) fn pod_count(&self) -> usize {
        self.pods.len()
    }

    /// All socket numbers are below.
    pub(crate) fn socket_count(&self) -> usize {
        self.cookies.len()
    }

    pub(crate) fn cookie(&self, socket: u32) -> u64 {
        self.cookies.cookie(socket)
    }

    pub(crate) fn address(&self, address: Address) -> SocketAddr {
        self.hosts.unpack(address)
    }

    /// `None`: no record has that host.
    pub(crate) fn find(&self, address: SocketAddr) -> Option<Address> {
        self.hosts.find(address)
    }

    pub(crate) fn time(&self, base_ns: u64, near: Near) -> Option<u64> {
        self.far.get(base_ns, near)
    }

    pub(crate) fn connection_kind(&self, row: &ConnectionRow) -> &ConnectionKind {
        self.connection_kinds.get(row.kind)
    }

    pub(crate) fn exchange_kind(&self, row: &ExchangeRow) -> &ExchangeKind {
        self.exchange_kinds.get(row.kind)
    }

    pub(crate) fn translation_kind(&self, row: &TranslationRow) -> &TranslationKind {
        self.translation_kinds.get(row.kind)
    }

    pub(crate) fn more(&self, row: &ConnectionRow) -> Option<&MoreRow> {
        row.more.get().map(|at| &self.more[at as usize])
    }

    /// A connection's translation: what it shares with others, and its own.
    pub(crate) fn nat_of(&self, row: &ConnectionRow) -> Option<(&NatKind, &MoreRow)> {
        let more = self.more(row)?;
        Some((self.nat_kinds.get(more.nat.get()?), more))
    }

    /// A call that was put down beside a time.
    pub(crate) fn call_at(&self, at: Maybe, base_ns: u64) -> Option<Call> {
        let row = &self.calls[at.get()? as usize];
        let at_ns = self.time(base_ns, row.at)?;
        let CallKind { exchange, kind } = *self.call_kinds.get(row.kind);
        Some(Call { conn: row.conn, exchange: exchange.get(), kind, at_ns })
    }

    pub(crate) fn trouble(&self, row: &ConnectionRow) -> TroubleRow {
        let at = self.more(row).and_then(|more| more.trouble.get());
        at.map_or_else(TroubleRow::default, |at| self.troubles[at as usize])
    }
}
