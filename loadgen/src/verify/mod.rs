//! `loadgen verify`: Steps 2 to 7 of the lab, checked from the outside.
//!
//! [`look`] asks the cluster and writes down what it said ([`facts`]); [`check`] judges the facts and nothing else, so that
//! a stored result can be judged, and answered from, again.

pub mod check;
pub mod environment;
pub mod facts;
pub mod look;
pub mod text;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use check::{Check, State, judge};
pub use facts::Facts;

/// Name of the file in the output directory.
pub const FILE: &str = "verify.json";

/// `verify.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verified {
    /// Version of this layout.
    pub schema_version: u32,
    /// `podwitness VERSION`.
    pub tool: String,
    /// Id of this look: it is in the marked request's trace id, and in the logs.
    pub id: String,
    /// When, RFC 3339.
    pub at: String,
    /// No check failed.
    pub passed: bool,
    /// The last step of which anything is there.
    pub reached_step: u8,
    /// Every check.
    pub checks: Vec<Check>,
    /// What the cluster said. Values of Secrets are never in the file.
    pub facts: Facts,
}

/// The JSON schema of `verify.json`, generated from the types.
pub fn verified_schema() -> serde_json::Value {
    schemars::schema_for!(Verified).to_value()
}
