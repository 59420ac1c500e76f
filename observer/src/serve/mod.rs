//! What the agent says over HTTP. See [`crate::api`] for the table of paths.

pub mod host;
pub mod http;
pub mod metrics;

pub use http::{api, metrics_only};
