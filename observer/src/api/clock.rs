//! The node's clocks, read together.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One reading of the node's clocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Clock {
    /// Node name.
    pub node: String,
    /// `/proc/sys/kernel/random/boot_id`: equal on two sides means one machine, one clock, offset zero.
    pub boot_id: String,
    /// `CLOCK_MONOTONIC`.
    pub monotonic_ns: u64,
    /// `CLOCK_REALTIME` at the same moment, nanoseconds since 1970.
    pub realtime_ns: u64,
}
