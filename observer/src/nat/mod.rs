//! Address translation: what was dialled, and which backend the node chose.
//!
//! [`join`] is pure; [`conntrack`] reads the kernel's table and its events and feeds it.

pub mod conntrack;
pub mod join;
pub mod message;
pub mod tuple;

pub use join::{Applied, LATE_NS, NatTable, Query};
pub use tuple::{Entry, Tuple};
