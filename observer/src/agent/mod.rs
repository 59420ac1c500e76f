//! The agent's core: takes what the kernel, conntrack and the cluster tell, and makes finished records of it.
//!
//! [`joiner`], [`hops`] and [`tally`] are pure; one thread ([`core`]) owns them all, so nothing is locked.

pub mod canary;
pub mod core;
pub mod hops;
pub mod input;
pub mod joiner;
pub mod run;
mod status;
pub mod tally;

pub use input::{Command, Input};
pub use joiner::Joiner;
