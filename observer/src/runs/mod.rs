//! Announced runs: while one is open, the records of each of its requests are kept. Pure.

mod belongs;
mod chunks;
mod store;

pub use belongs::{Span, belongs};
pub use chunks::Lines;
pub use store::{Refused, RunStore};

#[cfg(test)]
pub use store::tests;
