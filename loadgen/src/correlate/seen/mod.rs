//! What the agents saw, put on one clock and indexed for the join. Everything is borrowed from the raw run.

mod groups;
mod index;
#[cfg(test)]
mod tests;
mod views;

pub use groups::Groups;
pub use index::Seen;
pub use views::{Conn, Exch, Trans, Tuple};
