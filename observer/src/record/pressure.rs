//! Time in which a pod had work and no CPU.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::PodRef;

/// Between two readings of a pod's `cpu.pressure`: something of it could run, and nothing of it did. Its own CPU limit counts as well as
/// others on the node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Pressure {
    /// Node name.
    pub node: String,
    /// The pod.
    pub pod: PodRef,
    /// The reading before.
    pub from_ns: u64,
    /// The reading after.
    pub to_ns: u64,
    /// For so long.
    pub waited_us: u64,
}
