//! How a pod fared on its node's CPUs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::PodRef;

/// Of a pod, the first interval between two readings is told, and then those in which it ran, or waited, for more than this part of it:
/// nobody is late by less.
pub const PRESSURE_LEAST_PART: u64 = 10;

/// Between two readings of a pod's `cpu.pressure` and `cpu.stat`: the first two, and then those in which one of both times was longer than a
/// tenth.
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
    /// For so long something of it could run, and nothing of it did. Its own CPU limit counts as well as others on the node. A lower
    /// bound: the kernel averages over CPUs. `null`: the kernel does not tell.
    pub waited_us: Option<u64>,
    /// For so long it ran, summed over CPUs. `null`: not read.
    #[serde(default)]
    pub ran_us: Option<u64>,
}
