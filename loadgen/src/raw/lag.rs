//! When the load generator itself did not run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Something that the load generator should have done, and did later: whatever came to it meanwhile had to wait as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Lag {
    /// When it should have.
    pub due_ns: u64,
    /// When it did.
    pub ran_ns: u64,
    /// Which of the pods that sent; none when the load generator itself did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<u32>,
}
