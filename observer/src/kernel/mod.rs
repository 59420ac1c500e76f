//! The kernel side: which programs there are, how they are loaded and attached, and what they tell.

mod cost;
mod load;
mod loss;
mod probe;
mod programs;
mod ring;

pub use load::{Kernel, LoadError, LoadOptions};
pub use loss::Counters;
pub use observer_ebpf::wire::Event;
pub use probe::{Finding, cgroup2_mount, probe};
pub use ring::Drained;

/// How the embedded eBPF object was built.
pub const BUILT_WITH: &str = env!("PODWITNESS_BPF_BUILT_WITH");
