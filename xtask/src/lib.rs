//! The verbs of `cargo xtask`, as a library so that the end-to-end tests use the same steps as the demo.

pub mod bench;
pub mod builds;
pub mod ci;
pub mod cluster;
pub mod demo;
pub mod image;
pub mod lab;
pub mod ndjson;
pub mod run;
pub mod setup;
pub mod static_build;
pub mod test;
pub mod truth;
