//! What each record begins with.

use super::Wire;

/// The first bytes of every record.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// One of [`Kind`]'s numbers.
    pub kind: u32,
    /// Meaning by kind.
    pub flags: u32,
    /// `CLOCK_MONOTONIC`, taken when the hook was entered.
    pub at_ns: u64,
    /// Socket cookie. For data that arrived at a listener: the listener's.
    pub cookie: u64,
}

// SAFETY: repr(C), four integers without gaps.
unsafe impl Wire for Header {}
const _: () = assert!(size_of::<Header>() == 24);

/// Numbers of the record kinds.
pub struct Kind;

impl Kind {
    /// [`super::Open`]: `connect()` was called and a SYN is about to leave.
    pub const CONNECT: u32 = 1;
    /// [`super::Open`]: the handshake of a client socket is complete.
    pub const ESTABLISHED_ACTIVE: u32 = 2;
    /// [`super::Open`]: the handshake of an accepted socket is complete.
    pub const ESTABLISHED_PASSIVE: u32 = 3;
    /// [`super::Open`]: a socket older than the observer carried data.
    pub const FOUND: u32 = 4;
    /// [`super::State`]: the TCP state changed.
    pub const STATE: u32 = 5;
    /// Header only: a reset left.
    pub const RESET_SENT: u32 = 6;
    /// Header only: a reset arrived.
    pub const RESET_RECEIVED: u32 = 7;
    /// Header only: a segment (or a SYN) was sent again.
    pub const RETRANSMIT: u32 = 8;
    /// [`super::Segment`]: payload that may hold a message head.
    pub const SEGMENT: u32 = 9;
    /// [`super::Body`]: payload whose bytes stay in the kernel.
    pub const BODY: u32 = 10;
    /// [`super::Call`]: data was read.
    pub const RECV: u32 = 11;
    /// [`super::Call`]: data was written.
    pub const SEND: u32 = 12;
    /// [`super::Call`]: the last descriptor of the socket was closed.
    pub const RELEASE: u32 = 13;
    /// Header only: an error was reported to the socket's owner. `flags` is its errno; 0: an ICMP error that did not end
    /// anything by itself.
    pub const ERROR: u32 = 14;
    /// [`super::Open`]: `connect()` failed, since there was no source port.
    pub const UNDIALLED: u32 = 15;
}
