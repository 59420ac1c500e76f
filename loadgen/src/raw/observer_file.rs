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
    /// Offset of the node's clock.
    pub clock: ClockOffset,
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
