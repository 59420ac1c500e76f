//! A real Kubernetes of one or two nodes on a Linux machine, from source, without Docker, a VM or a registry.
//!
//! [`Cluster::up`] builds upstream's own programs once (see [`binaries`]), puts each node into a network namespace
//! with no way out and a client beside it, and returns when the nodes are Ready. [`Cluster::down`] removes every trace, also
//! of a run that was killed half-way: each change to the machine is in the journal before it is made.
//!
//! This is not a distribution. It serves tests and demonstrations on one machine, as root.

#![deny(unsafe_code)]

pub mod binaries;
pub mod cgroup;
pub mod cli;
mod cluster;
mod command;
mod daemons;
mod error;
mod guard;
mod journal;
mod kubeconfig;
mod layout;
mod lifecycle;
mod mounts;
mod network;
mod node;
mod objects;
mod options;
mod pki;
mod pod_bridge;
pub mod preflight;
mod probe;
pub mod process;
mod status;
mod steps;
mod sysctl;
mod template;

pub use cluster::Cluster;
pub use error::Error;
pub use guard::ClusterGuard;
pub use node::{CLIENT_ADDRESS, CLIENT_NAMESPACE, Node};
pub use options::{DEFAULT_ROOT, Metrics, Options, PAUSE_IMAGE, ProxyMode};
pub use status::{DaemonStatus, Status};

/// What every fallible function here returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;
