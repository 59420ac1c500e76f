//! The autoscaler's own arithmetic, done again from what it saw.

pub mod formula;
pub mod inputs;
pub mod limits;
pub mod syncs;
