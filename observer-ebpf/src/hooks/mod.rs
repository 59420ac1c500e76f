//! The programs, one file a family of hooks. Each is a thin wrapper; what it decides is in the library.

mod bytes;
mod calls;
mod capture;
mod cgroup_skb;
mod errors;
pub mod fields;
mod piece;
mod release;
mod resets;
mod scan;
mod sock_ops;
mod states;
mod twice;
mod undialled;
