//! The flow table.

use observer_ebpf::wire::Event;

use super::{FlowConfig, FlowCounters, Output};

/// Turns the kernel's events into connections and exchanges.
#[derive(Debug)]
pub struct FlowTable {
    config: FlowConfig,
    counters: FlowCounters,
}

impl FlowTable {
    /// An empty table.
    pub fn new(config: FlowConfig) -> Self {
        Self { config, counters: FlowCounters::default() }
    }

    /// Takes the next event, in the order of the ring buffer.
    pub fn push(&mut self, event: &Event<'_>, out: &mut Vec<Output>) {
        let _ = (event, out, &self.config);
    }

    /// Gives up what is too old at `now_ns` (`CLOCK_MONOTONIC`), and hands on finished exchanges that waited long enough.
    /// Call it after each drain.
    pub fn tick(&mut self, now_ns: u64, out: &mut Vec<Output>) {
        let _ = (now_ns, out);
    }

    /// Emits everything that is still open, as it stands (`Open`, `Pending`), and keeps following it: at the close of a run.
    pub fn flush(&mut self, out: &mut Vec<Output>) {
        let _ = out;
    }

    /// What was counted so far.
    pub fn counters(&self) -> &FlowCounters {
        &self.counters
    }

    /// Connections held now.
    pub fn open_connections(&self) -> usize {
        0
    }
}
