//! Raw runs made by hand. Every part can be changed before it is added.

mod clocks;
mod flow;
mod frame;
mod records;
mod two_nodes;
mod wire;
mod world;

pub use flow::{Flow, MS, Try};
#[allow(unused_imports, reason = "the benchmark shares this builder and has one node")]
pub use two_nodes::{OTHER, split};
#[allow(unused_imports, reason = "the benchmark shares this builder and correlates what it has read")]
pub use wire::{Wire, correlate};
#[allow(unused_imports, reason = "the benchmark shares this builder and needs the world only")]
pub use world::{World, pod_ref};

/// The node's clock is ahead of ours by this much: a join that forgets to convert fails at once.
pub const NODE_AHEAD_NS: i64 = 7_000_000_000_000;
/// First request due, on our clock.
pub const START_NS: u64 = 100_000_000_000;
