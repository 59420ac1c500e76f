//! What a run's raw files say, in the form people and programs read.

pub mod schema;
pub mod summary;
pub mod threshold;
