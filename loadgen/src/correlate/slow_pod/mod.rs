//! One pod was slowed for a while: what that did to it, to the client, and to the balance.

mod in_flight;
mod phases;
mod section;
mod share;

pub use section::slow_pod;
