//! The podwitness load generator: drives Kubernetes experiments and explains each request.

pub mod cli;
pub mod cluster;
pub mod correlate;
pub mod experiment;
pub mod load;
pub mod raw;
pub mod report;
pub mod shard;
pub mod stats;
pub mod verify;
