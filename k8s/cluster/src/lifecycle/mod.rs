//! From nothing to a Ready node, from a damaged one back to a whole one, and from anything to nothing.

mod bring_up;
mod fixed_paths;
mod images;
mod lock;
mod prepare;
mod teardown;
mod up;

pub(crate) use images::import;
pub(crate) use teardown::{down, leftovers};
pub(crate) use up::up;
