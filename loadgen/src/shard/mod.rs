//! One of several senders of one load, inside the cluster.
//!
//! A shard is a pod of an Indexed Job. It listens on its own loopback, so that only who may forward ports to the pod may use
//! it, waits for its order, sends every n-th request of the schedule, and keeps what became of them until it is fetched.

mod api;
mod serve;

pub use api::{Order, Progress, RecordsEnd, State};
pub use serve::{ShardError, serve};

/// Where a shard listens, on its pod's loopback.
pub const PORT: u16 = 9416;
