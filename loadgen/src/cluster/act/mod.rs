//! What an experiment does to the cluster. Each action is stamped just before its request and just after its answer.

pub mod error;
pub mod hook;
pub mod pods;
pub mod rollout;
pub mod scale;
pub mod slow;
pub mod template;
pub mod undo;

pub use error::ActError;
pub use hook::PreStop;
pub use pods::Which;

use kube::Client;

use super::Timeline;

/// Acts in one namespace.
#[derive(Clone)]
pub struct Actor {
    /// Without retries of its own.
    pub client: Client,
    /// Where.
    pub namespace: String,
    /// Where actions are told.
    pub timeline: Timeline,
}
