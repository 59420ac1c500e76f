//! What many rows have in common. Each such combination is kept once and is a number in its rows.
//!
//! A gateway's connections to one pod differ in their times and in one port: the side that opened it took any free one. That port stays in
//! the row; here it is 0. A combination that only one row has costs its own size, and nothing is lost.

use observer::record::{Close, ExchangeEnd, Hop, NatSource, Outcome, SocketCallKind};

use super::address::Address;
use super::maybe::Maybe;

/// Both ends of a connection without the port of the side that opened it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ends {
    pub local: Address,
    pub remote: Address,
    opened_here: bool,
}

impl Ends {
    /// Those of a socket at that hop, and the port.
    pub fn split(hop: Hop, local: Address, remote: Address) -> (Self, u16) {
        if hop == Hop::Upstream {
            (Self { local: local.at_port(0), remote, opened_here: true }, local.port())
        } else {
            (Self { local, remote: remote.at_port(0), opened_here: false }, remote.port())
        }
    }

    /// The socket's own address.
    pub fn local(self, port: u16) -> Address {
        if self.opened_here { self.local.at_port(port) } else { self.local }
    }

    /// The other end's.
    pub fn remote(self, port: u16) -> Address {
        if self.opened_here { self.remote } else { self.remote.at_port(port) }
    }
}

/// Of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnectionKind {
    pub pod: Maybe,
    pub thread: Maybe,
    pub exchanges: u32,
    pub ends: Ends,
    pub node: u16,
    pub hop: Hop,
    pub outcome: Outcome,
    pub close: Option<Close>,
    pub not_http: bool,
}

/// Of exchanges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExchangeKind {
    pub pod: Maybe,
    pub index: u32,
    pub ends: Ends,
    pub node: u16,
    /// [`Self::NO_STATUS`]: there is none.
    pub status: u16,
    pub hop: Hop,
    pub end: ExchangeEnd,
    pub reused: bool,
}

impl ExchangeKind {
    /// No status is that large.
    pub const NO_STATUS: u16 = u16::MAX;
}

/// Of socket calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallKind {
    pub exchange: Maybe,
    pub kind: SocketCallKind,
}

/// Of translations: all but the time and the port of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NatKind {
    pub pod: Maybe,
    pub dialled: Address,
    pub chosen: Address,
    /// With port 0.
    pub source_seen: Address,
    pub source: NatSource,
}

/// Of translations of clients' connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TranslationKind {
    pub nat: NatKind,
    /// With port 0.
    pub client: Address,
    pub node: u16,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::address::Hosts;
    use super::*;

    #[test]
    fn both_ends_come_back_at_every_hop() {
        let mut hosts = Hosts::default();
        let mut pack = |text: &str| hosts.pack(text.parse().unwrap());
        let (local, remote) = (pack("10.0.0.1:40001"), pack("[fe80::1%2]:5000"));
        for hop in [Hop::Front, Hop::Upstream, Hop::Pod, Hop::Other] {
            let (ends, port) = Ends::split(hop, local, remote);
            assert_eq!((ends.local(port), ends.remote(port)), (local, remote), "{hop:?}");
        }
        // The side that opened it.
        assert_eq!(Ends::split(Hop::Upstream, local, remote).1, 40001);
        assert_eq!(Ends::split(Hop::Pod, local, remote).1, 5000);
    }
}
