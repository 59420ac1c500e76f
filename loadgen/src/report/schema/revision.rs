//! A Deployment's history.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One revision of a Deployment: a `ReplicaSet`. Going back gives an old one a new number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RevisionReport {
    /// Deployment.
    pub deployment: String,
    /// Its number when the load began. `null`: it was not there.
    pub revision_at_start: Option<u64>,
    /// Its number when the load ended.
    pub revision_at_end: Option<u64>,
    /// `ReplicaSet`.
    pub replica_set: String,
    /// Image of the first container.
    pub image: Option<String>,
    /// Annotation `kubernetes.io/change-cause`.
    pub change_cause: Option<String>,
    /// Pods wanted when the load began.
    pub desired_at_start_count: u64,
    /// Pods wanted when the load ended.
    pub desired_at_end_count: u64,
}
