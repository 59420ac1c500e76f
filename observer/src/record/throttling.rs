//! Time in which a CPU limit kept a pod from running.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::PodRef;

/// Between two readings of a pod's `cpu.stat` the scheduler stopped it because its quota was used up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Throttling {
    /// Node name.
    pub node: String,
    /// The pod.
    pub pod: PodRef,
    /// The reading before.
    pub from_ns: u64,
    /// The reading after.
    pub to_ns: u64,
    /// How long it was stopped in between. The kernel adds this up over CPUs, so a pod with several busy threads can have more
    /// than there is between the readings.
    pub stopped_us: u64,
    /// Scheduling periods (usually 100 ms each) in which it was stopped.
    pub periods: u64,
}
