//! Time in which a CPU limit kept a pod from running.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::PodRef;

/// Stops of a pod whose quota was used up, which ended between two readings of its `cpu.stat`.
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
    /// How long they were. The kernel adds a stop when it ends, so it may have begun before the first reading; and it adds up CPUs, so
    /// of a pod with several busy threads it can be more than the time that went by.
    pub stopped_us: u64,
    /// The same summed over the pod's cgroup and those of its containers: each has a limit and counts its own stops, of which `stopped_us` is
    /// the longest. Stops of two can take turns or fall together, so the truth lies between. 0: not read.
    #[serde(default)]
    pub stopped_sum_us: u64,
    /// Scheduling periods (usually 100 ms each) in which it was stopped.
    pub periods: u64,
    /// What the limit of the longest stopped of them allows in each period, summed over CPUs. 0: not read.
    #[serde(default)]
    pub quota_us: u64,
    /// Its period. 0: not read.
    #[serde(default)]
    pub period_us: u64,
}
