//! State of a watched socket, kept in its BPF socket storage.

use super::Direction;
use crate::wire::Tuple;

/// What tells a socket from others.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// Its cookie.
    pub cookie: u64,
    /// Network namespace cookie. 0: unknown.
    pub netns: u64,
    /// Both ends.
    pub tuple: Tuple,
}

/// State of a watched socket.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Socket {
    /// Which socket it is.
    pub owner: Owner,
    /// Bytes read by socket calls.
    pub read_bytes: u64,
    /// Bytes written by socket calls.
    pub written_bytes: u64,
    /// Flags.
    pub flags: u32,
    /// Which direction spoke last: 0 none, else [`Socket::INBOUND`] or [`Socket::OUTBOUND`].
    pub last_direction: u32,
    /// Events that the first of two programs has told and the second has not met yet: bits `TOLD_…`.
    pub told: u32,
    /// Fills the gap.
    pub reserved: u32,
    /// Towards the socket.
    pub inbound: Direction,
    /// Away from it.
    pub outbound: Direction,
}

const _: () = assert!(size_of::<Socket>() == 88 + 2 * 64);

impl Socket {
    /// Payload is not HTTP/1.x, or no longer: nothing more is told of it.
    pub const NOT_HTTP: u32 = 1;
    /// The socket is older than the observer.
    pub const FOUND: u32 = 2;

    /// Value of `last_direction`.
    pub const INBOUND: u32 = 1;
    /// Value of `last_direction`.
    pub const OUTBOUND: u32 = 2;

    /// Bits of `told`: the state that a change has led to. An event that the second did not meet cannot be taken for the next one.
    pub const TOLD_STATE: u32 = 0xf;
    /// Bit of `told`: a reset that left.
    pub const TOLD_RESET_SENT: u32 = 0x10;
    /// Bit of `told`: a reset that arrived.
    pub const TOLD_RESET_RECEIVED: u32 = 0x20;
    /// Bit of `told`: a retransmission.
    pub const TOLD_RETRANSMIT: u32 = 0x40;
    /// Bit of `told`: an error that was reported.
    pub const TOLD_ERROR: u32 = 0x80;
}
