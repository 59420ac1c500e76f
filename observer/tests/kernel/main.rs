//! The eBPF programs and the flow table on real sockets: every exchange and every attempt, exactly.
//!
//! Needs root. Without it each test says loudly that it was skipped.
#![cfg(feature = "agent")]
#![allow(clippy::unwrap_used)]

mod attempts;
mod endings;
mod gateway;
mod hard;
mod messages;
mod nginx;
mod observed;
mod servers;
mod twice;
mod volume;
