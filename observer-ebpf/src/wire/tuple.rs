//! Addresses of both ends.

use super::Wire;

/// Both ends of a connection as its socket sees them. IPv4 is written as IPv4-mapped IPv6 (`::ffff:a.b.c.d`).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tuple {
    /// Address of this end, network byte order.
    pub local: [u8; 16],
    /// Address of the other end, network byte order.
    pub remote: [u8; 16],
    /// Port of this end, host byte order.
    pub local_port: u16,
    /// Port of the other end, host byte order.
    pub remote_port: u16,
    /// Always 0.
    pub reserved: u32,
}

// SAFETY: repr(C), the fields leave no gap.
unsafe impl Wire for Tuple {}
const _: () = assert!(size_of::<Tuple>() == 40);
