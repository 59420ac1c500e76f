//! A load that is sent from inside the cluster: an Indexed Job whose pods each send their part of one schedule.
//!
//! The pods need no rights: they ask nothing of the API server. They are spoken to through port-forward, as the agents are.

mod manifest;
mod merge;
mod pods;
mod shards;

pub use manifest::{JobPlan, manifest};
pub use shards::{JobError, Shards};

use crate::cluster::preflight::Permission;

/// What the load needs besides what every experiment needs.
pub fn permissions(namespace: &str) -> Vec<Permission> {
    let batch = |verb| Permission::new(verb, "batch", "jobs", "", Some(namespace));
    vec![
        batch("create"),
        batch("delete"),
        batch("get"),
        Permission::new("create", "", "pods", "portforward", Some(namespace)),
    ]
}
