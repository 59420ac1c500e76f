//! Flows and exchanges: events in, records out. Pure: no socket, no clock, no task.

mod config;
mod counters;
mod seen;
mod table;

pub use config::FlowConfig;
pub use counters::FlowCounters;
pub use seen::{Output, Seen, Side};
pub use table::FlowTable;
