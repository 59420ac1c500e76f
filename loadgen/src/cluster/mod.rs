//! Everything that talks to the cluster: look before, act, watch, and put back.

pub mod act;
pub mod connect;
pub mod describe;
pub mod gateway;
pub mod job;
pub mod names;
pub mod observer;
pub mod pod_metrics;
pub mod preflight;
pub mod restore;
pub mod target;
pub mod throttling;
pub mod timeline;
pub mod watch;

pub use connect::{Cluster, ConnectError};
pub use target::Target;
pub use timeline::{Timeline, TimelineWriter};
