//! The kernel side: which programs there are, how they are loaded and attached, and what they tell.

mod btf;
mod cost;
mod fdinfo;
mod features;
mod load;
mod log;
mod loss;
mod ports;
mod probe;
mod programs;
mod ring;

pub use load::{Kernel, LoadError, LoadOptions};
pub use loss::Counters;
pub use observer_ebpf::wire::Event;
pub use probe::{Finding, cgroup2_mount, probe, probe_at};
pub use ring::Drained;

/// How the embedded eBPF object was built.
pub const BUILT_WITH: &str = env!("PODWITNESS_BPF_BUILT_WITH");

/// The embedded eBPF object.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/observer-bpf"));
