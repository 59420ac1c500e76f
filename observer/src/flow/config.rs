//! Bounds of the flow table.

/// Bounds, each with a default that suits one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowConfig {
    /// Connections held at once. Beyond that the one that was idle longest is given up, and counted.
    pub max_connections: usize,
    /// Threads remembered for the order of calls.
    pub max_threads: usize,
    /// A connection without any event for this long is given up, and counted.
    pub idle_ns: u64,
    /// A finished exchange waits this long for the socket calls that belong to it.
    pub settle_ns: u64,
    /// A connection that ended waits this long for what is told right after its end (the reset that ended it).
    pub linger_ns: u64,
    /// Socket calls are told by this kernel (6.3 and newer). Without them nothing waits for them.
    pub calls: bool,
}

impl Default for FlowConfig {
    fn default() -> Self {
        Self {
            max_connections: 65_536,
            max_threads: 16_384,
            idle_ns: 600_000_000_000,
            settle_ns: 1_000_000_000,
            linger_ns: 50_000_000,
            calls: true,
        }
    }
}
