//! Load, and nothing else.

use super::Experiment;

/// Nothing is done to the cluster.
#[derive(Clone, Copy, Debug, Default)]
pub struct Steady;

impl Experiment for Steady {
    fn name(&self) -> &'static str {
        "steady"
    }
}
