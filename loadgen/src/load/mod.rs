//! Open-loop load: one arrival schedule hands out tickets, goose users draw them.
//!
//! A request is sent when it is *due*, whatever became of the ones before it. Only [`attack`] knows goose.

pub mod attack;
pub mod classify;
pub mod client;
pub mod clock;
pub mod counters;
pub mod exchange;
pub mod lags;
mod quiet;
pub mod recorder;
pub mod schedule;
pub mod source_ports;
pub mod stop;
pub mod tickets;
pub mod timer;
pub mod trace;

pub use attack::{Load, LoadError, LoadOutcome, LoadPlan};
pub use clock::{monotonic_ns, realtime_ns};
pub use counters::Counters;
pub use lags::Lags;
pub use recorder::Recorder;
pub use schedule::{Plan, Shard};
pub use stop::{Reason, Stop};
pub use trace::RunId;
