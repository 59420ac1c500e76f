//! Payload as it passes a socket.

use super::{Header, Tuple, Wire};

/// Bytes that fit behind a [`Segment`] in the small record.
pub const SMALL_CAPTURE: usize = 256;
/// Bytes that fit behind a [`Segment`] in the large record. Longer heads take several records.
pub const LARGE_CAPTURE: usize = 1024;

/// Flags of [`Segment`] and [`Body`].
pub struct SegmentFlags;

impl SegmentFlags {
    /// Towards this socket. Unset: away from it.
    pub const INBOUND: u32 = 1;
    /// The payload so far ends with the last chunk of a chunked body (`\r\n0\r\n\r\n`).
    pub const LAST_CHUNK: u32 = 2;
    /// Arrived at a listener, before the connection had a socket of its own. The cookie is the listener's.
    pub const LISTENER: u32 = 4;
    /// The captured bytes end a message head (those after it stayed in the kernel).
    pub const HEAD_END: u32 = 8;
    /// A head was longer than the kernel looks.
    pub const TRUNCATED: u32 = 16;
    /// The payload is not HTTP/1.x; nothing more follows on this socket.
    pub const NOT_HTTP: u32 = 32;
    /// It begins with the HTTP/2 preface; nothing more follows on this socket.
    pub const HTTP2: u32 = 64;
}

/// Payload that may hold a message head. `captured` bytes of it follow the record.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Segment {
    /// Kind, time, socket.
    pub header: Header,
    /// Both ends.
    pub tuple: Tuple,
    /// Inode of the socket's cgroup2 directory. 0: unknown.
    pub cgroup: u64,
    /// Network namespace cookie. 0: unknown.
    pub netns: u64,
    /// Sequence number of the first byte.
    pub seq: u32,
    /// Payload bytes.
    pub length: u32,
    /// How many of them follow here.
    pub captured: u32,
    /// Always 0.
    pub reserved: u32,
}

// SAFETY: repr(C), the fields leave no gap.
unsafe impl Wire for Segment {}
const _: () = assert!(size_of::<Segment>() == 96);

/// Payload whose bytes stayed in the kernel; several segments may be told in one record.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Body {
    /// Kind, time of the *last* segment, socket.
    pub header: Header,
    /// Sequence number of the first byte.
    pub seq: u32,
    /// Payload bytes.
    pub length: u32,
    /// Segments told here.
    pub segments: u32,
    /// Always 0.
    pub reserved: u32,
}

// SAFETY: repr(C), the fields leave no gap.
unsafe impl Wire for Body {}
const _: () = assert!(size_of::<Body>() == 40);
