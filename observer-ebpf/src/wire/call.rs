//! A socket call by a thread.

use super::{Header, Wire};

/// A thread read from, wrote to or closed a watched socket: [`super::Kind::RECV`], `SEND`, `RELEASE`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// Kind, time (when the call returned), socket.
    pub header: Header,
    /// Bytes that earlier calls of this kind had moved on this socket.
    pub offset: u64,
    /// Bytes that this call moved. 0 for a read: end of stream. Negative: errno.
    pub moved: i32,
    /// The thread.
    pub thread: u32,
    /// Its process.
    pub process: u32,
    /// Always 0.
    pub reserved: u32,
}

// SAFETY: repr(C), the fields leave no gap.
unsafe impl Wire for Call {}
const _: () = assert!(size_of::<Call>() == 48);
