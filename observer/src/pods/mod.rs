//! Which pod: by the cgroup of a socket, or by an address at a time; and what part a pod plays.
//!
//! [`index`], [`cgroup_name`] and [`topology`] are pure; [`watch`] and [`cgroups`] feed them. [`cgroup_mount`] and
//! [`node_cgroup`] find where to look. [`throttling`] reads how long CPU limits stop them, [`pressure`] how long they ran, and waited for a
//! CPU; both find them by `walk`.

pub mod cgroup_mount;
pub mod cgroup_name;
pub mod cgroups;
pub mod index;
pub mod interval;
pub mod node_cgroup;
pub mod pressure;
pub mod sampling;
pub mod throttling;
pub mod topology;
mod walk;
pub mod watch;

pub use index::{PodIndex, PodState};
pub use topology::{Role, ServiceName, Topology};
