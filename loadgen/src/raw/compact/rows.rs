//! One row for each record, with what it does not share with others: [`super::kinds`] has the rest.
//!
//! | row | bytes |
//! |---|--:|
//! | connection | 32 |
//! | its translation, the socket call before it, trouble: where it has one of them | 20 |
//! | a socket call | 12 |
//! | exchange | 44 |
//! | translation of a client's connection | 16 |
//!
//! Not kept, because nothing reads it: node and its name in the record (the file says it), how a pod was identified, bytes, round-trip
//! time, method and path, the moment at which the gateway read an answer, an exchange's thread, pipelining, the number of entries.
//! Of a reset that was sent, only that it was.

use observer::record::{NatSource, SocketCallKind};

use super::address::Address;
use super::maybe::Maybe;
use super::near::Near;

/// [`observer::record::Connection`].
#[derive(Clone, Debug)]
pub struct ConnectionRow {
    pub opened_ns: u64,
    pub established: Near,
    pub closed: Near,
    /// Number of the socket.
    pub id: u32,
    /// Number of its [`super::kinds::ConnectionKind`].
    pub kind: u32,
    /// Place of its [`MoreRow`].
    pub more: Maybe,
    /// Port of the side that opened it.
    pub port: u16,
}

/// What only connections of a gateway to pods have, and those in trouble.
#[derive(Clone, Copy, Debug)]
pub struct MoreRow {
    /// Its conntrack entry was made.
    pub nat_created: Near,
    /// Number of its [`super::kinds::NatKind`].
    pub nat: Maybe,
    /// Place of its [`CallRow`].
    pub opened_after: Maybe,
    /// Place of its [`TroubleRow`].
    pub trouble: Maybe,
    /// Port of the translated source.
    pub nat_port: u16,
}

/// What most connections do not have.
#[derive(Clone, Copy, Debug, Default)]
pub struct TroubleRow {
    pub reset_received_ns: Option<u64>,
    pub reset_sent: bool,
    pub syn_retransmits: u32,
    pub retransmits: u32,
    pub expired: Option<ExpiredRow>,
}

/// [`observer::record::ExpiredEntry`].
#[derive(Clone, Copy, Debug)]
pub struct ExpiredRow {
    pub created_ns: u64,
    pub pod: Maybe,
    pub chosen: Address,
}

/// [`observer::record::SocketCall`].
#[derive(Clone, Copy, Debug)]
pub struct CallRow {
    pub at: Near,
    pub conn: u32,
    /// Number of its [`super::kinds::CallKind`].
    pub kind: u32,
}

/// [`observer::record::Exchange`].
#[derive(Clone, Debug)]
pub struct ExchangeRow {
    pub request_start: [u32; 2],
    pub request_end: Near,
    pub request_read: Near,
    pub response_start: Near,
    pub response_end: Near,
    /// Number of its connection's socket.
    pub conn: u32,
    /// Number of its [`super::kinds::ExchangeKind`].
    pub kind: u32,
    /// Place of its [`CallRow`].
    pub sent_after: Maybe,
    pub trace: Trace,
    /// Port of the side that opened the connection.
    pub port: u16,
}

impl ExchangeRow {
    /// A time in two halves, so that the whole is aligned to four bytes.
    pub fn halves(ns: u64) -> [u32; 2] {
        [(ns >> 32) as u32, ns as u32]
    }

    /// First byte of the request.
    pub fn request_start_ns(&self) -> u64 {
        u64::from(self.request_start[0]) << 32 | u64::from(self.request_start[1])
    }
}

/// [`observer::record::Translation`].
#[derive(Clone, Debug)]
pub struct TranslationRow {
    pub created_ns: u64,
    /// Number of its [`super::kinds::TranslationKind`].
    pub kind: u32,
    pub client_port: u16,
    /// Port of the translated source.
    pub seen_port: u16,
}

/// [`observer::record::Throttling`]. There are few.
#[derive(Clone, Copy, Debug)]
pub struct StopRow {
    pub node: u16,
    pub pod: Maybe,
    pub from_ns: u64,
    pub to_ns: u64,
    pub us: u64,
    pub most_us: u64,
    pub periods: u64,
    pub quota_us: u64,
    pub period_us: u64,
}

/// [`observer::record::Pressure`]. There are few.
#[derive(Clone, Copy, Debug)]
pub struct PressureRow {
    pub node: u16,
    pub pod: Maybe,
    pub from_ns: u64,
    pub to_ns: u64,
    pub waited_us: Option<u64>,
    pub ran_us: Option<u64>,
}

/// Whose request an exchange's trace id names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace(u32);

impl Trace {
    /// No trace id.
    pub const NONE: Self = Self(u32::MAX);
    /// One that no request of this run can have.
    pub const FOREIGN: Self = Self(u32::MAX - 1);

    /// That of `text` in a run of that id: the run's id, then the request's number. Numbers beyond four billion are no run's.
    pub fn of(text: Option<&str>, run_id: &str) -> Self {
        let Some(text) = text else { return Self::NONE };
        let number = text.strip_prefix(run_id).filter(|rest| rest.len() == 16);
        let seq = number.and_then(|rest| u64::from_str_radix(rest, 16).ok()).and_then(|seq| u32::try_from(seq).ok());
        seq.map(Self).filter(|trace| trace.0 < Self::FOREIGN.0).unwrap_or(Self::FOREIGN)
    }

    /// The request's number, where it is one of this run.
    pub fn seq(self) -> Option<u64> {
        (self.0 < Self::FOREIGN.0).then_some(u64::from(self.0))
    }
}

/// A socket call, its time in the node's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// Number of the socket it was made on.
    pub conn: u32,
    /// Exchange on that connection.
    pub exchange: Option<u32>,
    /// Which call.
    pub kind: SocketCallKind,
    /// When, by the node's clock.
    pub at_ns: u64,
}

/// A connection's translation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nat {
    /// Destination as dialled.
    pub dialled: std::net::SocketAddr,
    /// Destination after translation.
    pub chosen: std::net::SocketAddr,
    /// Source after translation.
    pub source_seen: std::net::SocketAddr,
    /// How it is known.
    pub source: NatSource,
}

#[cfg(test)]
mod tests {
    use std::mem::size_of;

    use super::*;

    #[test]
    fn rows_are_as_small_as_they_are_said_to_be() {
        assert_eq!(size_of::<ConnectionRow>(), 32);
        assert_eq!(size_of::<MoreRow>(), 20);
        assert_eq!(size_of::<CallRow>(), 12);
        assert_eq!(size_of::<ExchangeRow>(), 44);
        assert_eq!(size_of::<TranslationRow>(), 16);
    }

    #[test]
    fn a_trace_id_is_a_requests_number_or_somebody_elses() {
        let seq = |text: &str| Trace::of(Some(text), "00c0ffee00c0ffee").seq();
        assert_eq!(seq("00c0ffee00c0ffee0000000000000000"), Some(0));
        assert_eq!(seq("00c0ffee00c0ffee00000000fffffffd"), Some(0xffff_fffd));
        for foreign in [
            "00c0ffee00c0ffee00000000fffffffe",
            "00c0ffee00c0ffee0000000100000000",
            "00c0ffee00c0ffef0000000000000000",
            "00c0ffee00c0ffee000000000000000",
            "00c0ffee00c0ffee000000000000000x",
        ] {
            assert_eq!(Trace::of(Some(foreign), "00c0ffee00c0ffee"), Trace::FOREIGN, "{foreign}");
        }
        assert_eq!(Trace::of(None, "00c0ffee00c0ffee"), Trace::NONE);
        assert_eq!((Trace::NONE.seq(), Trace::FOREIGN.seq()), (None, None));
    }
}
