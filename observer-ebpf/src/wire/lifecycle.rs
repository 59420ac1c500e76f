//! Birth and end of a connection.

use super::{Header, Tuple, Wire};

/// A connection begins: [`super::Kind::CONNECT`], the two `ESTABLISHED`, [`super::Kind::FOUND`]; or it cannot:
/// [`super::Kind::UNDIALLED`].
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Open {
    /// Kind, time, socket.
    pub header: Header,
    /// Both ends.
    pub tuple: Tuple,
    /// Inode of the socket's cgroup2 directory. 0: unknown at this hook.
    pub cgroup: u64,
    /// Network namespace cookie. 0: unknown.
    pub netns: u64,
    /// Thread that called `connect()`. 0: unknown.
    pub thread: u32,
    /// Its process. 0: unknown.
    pub process: u32,
    /// Sequence number of the first byte that will arrive. Valid with [`Open::HAS_SEQ`].
    pub seq_in: u32,
    /// Sequence number of the first byte that will leave. Valid with [`Open::HAS_SEQ`].
    pub seq_out: u32,
}

impl Open {
    /// `seq_in` and `seq_out` are set.
    pub const HAS_SEQ: u32 = 1;
}

// SAFETY: repr(C), the fields leave no gap.
unsafe impl Wire for Open {}
const _: () = assert!(size_of::<Open>() == 96);

/// A change of TCP state that matters: a FIN sent or received, or the end.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Kind, time, socket.
    pub header: Header,
    /// State left (numbers of `include/net/tcp_states.h`).
    pub old: u32,
    /// State entered.
    pub new: u32,
    /// `sk_err` as a positive errno. 0: none. Valid with [`State::HAS_ERROR`].
    pub error: u32,
    /// Smoothed round-trip time in microseconds. Valid with [`State::HAS_SRTT`].
    pub srtt_us: u32,
    /// Payload bytes received so far.
    pub bytes_in: u64,
    /// Payload bytes sent so far.
    pub bytes_out: u64,
}

impl State {
    /// `error` could be read.
    pub const HAS_ERROR: u32 = 1;
    /// `srtt_us` could be read.
    pub const HAS_SRTT: u32 = 2;
    /// The kernel gave up parsing: the payload is not HTTP/1.x.
    pub const NOT_HTTP: u32 = 4;

    /// `TCP_ESTABLISHED`.
    pub const ESTABLISHED: u32 = 1;
    /// `TCP_SYN_SENT`.
    pub const SYN_SENT: u32 = 2;
    /// `TCP_FIN_WAIT1`: this side sent its FIN first.
    pub const FIN_WAIT1: u32 = 4;
    /// `TCP_CLOSE`.
    pub const CLOSE: u32 = 7;
    /// `TCP_CLOSE_WAIT`: the other side's FIN came first.
    pub const CLOSE_WAIT: u32 = 8;
    /// `TCP_LAST_ACK`: this side's FIN followed.
    pub const LAST_ACK: u32 = 9;
    /// `TCP_LISTEN`.
    pub const LISTEN: u32 = 10;
}

// SAFETY: repr(C), the fields leave no gap.
unsafe impl Wire for State {}
const _: () = assert!(size_of::<State>() == 56);
