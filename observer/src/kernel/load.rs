//! Loading and attaching.

use std::path::PathBuf;

use super::{Counters, Drained, Event};
use crate::api::{Cost, ProgramStatus};

/// What to load, and where to attach it.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// A directory of the cgroup2 hierarchy: sockets of processes below it are seen.
    pub cgroup: PathBuf,
    /// Let the kernel measure the run time of the programs (needs `CAP_SYS_ADMIN`, or the sysctl
    /// `kernel.bpf_stats_enabled=1`). Without it the cost of the programs is not measured.
    pub measure_cost: bool,
}

/// Why the programs could not be loaded. The message names the fix.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {}

/// The loaded and attached programs. Dropping it detaches them.
#[derive(Debug)]
pub struct Kernel {}

impl Kernel {
    /// Loads every program and attaches it.
    pub fn load(options: &LoadOptions) -> Result<Self, LoadError> {
        let _ = options;
        Ok(Self {})
    }

    /// Replaces the set of watched ports. Connections that exist stay watched until they end.
    pub fn watch_ports(&mut self, ports: &[u16]) -> Result<(), LoadError> {
        let _ = ports;
        Ok(())
    }

    /// Hands on everything that waits in the ring buffer, in causal order. Never blocks: call it by a timer (10–20 ms), or
    /// when the file descriptor is readable, which it becomes once a quarter of the ring is full.
    pub fn drain(&mut self, mut each: impl FnMut(&Event<'_>)) -> Drained {
        let _ = &mut each;
        Drained::default()
    }

    /// Verdict of each program.
    pub fn programs(&self) -> Vec<ProgramStatus> {
        Vec::new()
    }

    /// The kernel side's counters: what was lost, and what is worth knowing.
    pub fn counters(&self) -> Counters {
        Counters::default()
    }

    /// What the programs and this process have cost since load. `exchanges` is left 0.
    pub fn cost(&self) -> Cost {
        Cost::default()
    }
}
