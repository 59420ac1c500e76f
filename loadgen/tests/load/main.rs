//! The load engine against real sockets on loopback.

#![allow(clippy::unwrap_used)]

mod errors;
mod pacing;
mod server;
mod shards;
