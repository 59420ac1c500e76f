//! What the flow table counts.

use std::collections::BTreeMap;

/// Counters of the flow table. [`FlowCounters::lost`] names those that mean a loss.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlowCounters {
    /// Exchanges emitted.
    pub exchanges: u64,
    /// Connections emitted.
    pub connections: u64,
}

impl FlowCounters {
    /// Counters that mean a loss, by name.
    pub fn lost(&self) -> BTreeMap<String, u64> {
        BTreeMap::new()
    }

    /// Counters that are no losses, by name.
    pub fn seen(&self) -> BTreeMap<String, u64> {
        BTreeMap::new()
    }
}
