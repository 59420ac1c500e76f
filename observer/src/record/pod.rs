//! Which pod, and how we know.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A pod by name and by the UID that no other pod ever has.
///
/// Its texts are owned; `S` lets a reader of many lines borrow them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct PodRef<S = String> {
    /// Namespace of the pod.
    pub namespace: S,
    /// Name of the pod.
    pub name: S,
    /// UID of the pod.
    pub uid: S,
}

/// How a pod was identified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PodSource {
    /// By the cgroup of the socket: needs no address, cannot be mistaken.
    Cgroup,
    /// By its address at that time: pod intervals and tombstones.
    Address,
}
