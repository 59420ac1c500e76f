//! The podwitness agent: loads the eBPF programs, joins what they see with pods and NAT, and serves the records.
//!
//! Without its default feature `agent` this crate is only the types that travel between the agent and the load
//! generator: [`record`] (what was seen) and [`api`] (what is said over HTTP).

#[cfg(feature = "agent")]
pub mod agent;
pub mod api;
#[cfg(feature = "agent")]
pub mod check;
#[cfg(feature = "agent")]
pub mod cli;
#[cfg(feature = "agent")]
pub mod clock;
#[cfg(feature = "agent")]
pub mod flow;
#[cfg(feature = "agent")]
pub mod kernel;
#[cfg(feature = "agent")]
pub mod nat;
#[cfg(feature = "agent")]
pub mod pods;
#[cfg(feature = "agent")]
pub mod ports;
pub mod record;
#[cfg(feature = "agent")]
pub mod runs;
#[cfg(feature = "agent")]
pub mod serve;
