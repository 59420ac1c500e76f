//! What the kernel side and the agent share: the [`wire`] types of the ring buffer and the [`http`] message state.
//!
//! Plain `no_std` Rust without dependencies, compiled for the BPF target and for the host alike, so that everything the
//! kernel decides can be tested without a kernel.

#![no_std]

#[cfg(test)]
extern crate std;

pub mod http;
pub mod wire;
