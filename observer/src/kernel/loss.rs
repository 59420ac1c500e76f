//! The kernel side's counters.

use std::collections::BTreeMap;

use aya::maps::{MapData, PerCpuArray};
use observer_ebpf::wire::Counter;

/// Counters by name, summed over the CPUs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Each of these means that something was not told.
    pub lost: BTreeMap<String, u64>,
    /// Worth knowing, no loss.
    pub seen: BTreeMap<String, u64>,
}

impl Counters {
    /// Sum of the losses.
    pub fn total_lost(&self) -> u64 {
        self.lost.values().sum()
    }

    /// Reads the per-CPU array. A slot that cannot be read is missing from the answer.
    pub(super) fn read(map: &PerCpuArray<MapData, u64>) -> Self {
        let mut all = Self::default();
        for counter in Counter::ALL {
            let Ok(values) = map.get(&counter.index, 0) else { continue };
            let of = if counter.lost { &mut all.lost } else { &mut all.seen };
            of.insert(counter.name.into(), values.iter().sum());
        }
        all
    }
}
