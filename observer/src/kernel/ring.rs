//! Reading the ring buffer.

/// What one drain found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Events handed on.
    pub events: u64,
    /// Records of an unknown kind or size (agent and object do not match).
    pub undecodable: u64,
}
