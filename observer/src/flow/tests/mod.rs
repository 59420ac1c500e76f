//! The flow table against a model of the kernel side, built from the same parts.
#![allow(clippy::unwrap_used)]

mod lifecycle;
mod messages;
mod order;
mod simulator;
mod thread_order;
