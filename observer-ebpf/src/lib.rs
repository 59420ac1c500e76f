//! What the kernel side and the agent share: the [`wire`] types of the ring buffer and the [`http`] message state.
//!
//! Plain `no_std` Rust without dependencies, compiled for the BPF target and for the host alike, so that everything the
//! kernel decides can be tested without a kernel.

#![no_std]
// A call costs the kernel's verifier a whole frame, and a BPF function takes five arguments at most.
#![allow(clippy::inline_always)]

#[cfg(test)]
extern crate std;

pub mod http;
pub mod wire;
