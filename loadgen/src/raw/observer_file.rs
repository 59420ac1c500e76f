//! What was asked of one node's agent besides the records.

use observer::api::{Clock, RecordsEnd, Run, Status};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One node's agent, before and after the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ObserverFile {
    /// Node name.
    pub node: String,
    /// Status before the first request.
    pub before: Status,
    /// Status after the last. `None`: the agent was gone.
    pub after: Option<Status>,
    /// The run as the agent closed it.
    pub run: Option<Run>,
    /// Last line of the records. `None`: the records are cut.
    pub records_end: Option<RecordsEnd>,
    /// Offset of the node's clock, before the run.
    pub clock: ClockOffset,
    /// The same after it. `None`: not measured again.
    #[serde(default)]
    pub clock_after: Option<ClockOffset>,
    /// What went wrong while talking to it.
    pub problems: Vec<String>,
}

/// Node's clock minus ours, by the exchange with the smallest round trip.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClockOffset {
    /// The node's reading of that exchange.
    pub node: Clock,
    /// Add to our time to get the node's. 0 when both are one machine.
    pub offset_ns: i64,
    /// Half the round trip: the offset is right within this. 0 when both are one machine.
    pub error_bound_ns: u64,
    /// Equal boot ids: one machine, one clock.
    pub same_machine: bool,
}

impl ClockOffset {
    /// The offset during a run, measured before it (`self`) and `after`, and its error bound.
    ///
    /// A clock that runs at another speed than ours is between its two offsets at any time between the two measurements,
    /// so their middle is wrong by half of what they differ, and by what each of them may be wrong.
    pub fn over_run(&self, after: Option<&Self>) -> (i64, u64) {
        // A machine that was started again in between has another clock.
        let after = after.filter(|after| after.node.boot_id == self.node.boot_id).unwrap_or(self);
        let differ_ns = after.offset_ns.abs_diff(self.offset_ns);
        let error_ns = self.error_bound_ns.max(after.error_bound_ns).saturating_add(differ_ns.div_ceil(2));
        (self.offset_ns.midpoint(after.offset_ns), error_ns)
    }
}
